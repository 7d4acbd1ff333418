/* SPDX-License-Identifier: MIT
 *
 * The allocation functions of libc, and what jemalloc adds to them. What is not sampled goes on to
 * the allocator behind us by a jump: a subtraction and a branch in malloc, a test of the address in
 * free. The program's allocator stays what it is, glibc's or another; its memory is its own.
 *
 * An allocator that is told an object's size when it is freed would look for a sampled one, which
 * is larger than was asked for, in the wrong place: those calls become plain ones.
 *
 * The first call may come before anything works, from the dynamic linker itself. Until the
 * functions behind us are known, memory comes from a static buffer, and is never given back. */
#include "runtime/bypass.h"
#include "runtime/debug.h"
#include "runtime/heap.h"
#include "runtime/interpose.h"
#include "unwind/rawmem.h"

#ifndef RAW_SANITIZED /* sanitizers have allocators of their own in the program */

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* C23's, and jemalloc's. */
void free_sized(void *p, size_t n);
void free_aligned_sized(void *p, size_t alignment, size_t n);
void sdallocx(void *p, size_t n, int flags);
void dallocx(void *p, int flags);
void *rallocx(void *p, size_t n, int flags);

#define CALLER __builtin_return_address(0)
#define SLOW   __attribute__((noinline))

enum { EARLY_BYTES = 64 << 10, EARLY_ALIGNMENT = 16 };

/* ---- before dlsym has done its work ---- */

enum resolve_state { RESOLVE_NOT, RESOLVE_NOW, RESOLVE_DONE };

static unsigned char early[EARLY_BYTES] __attribute__((aligned(4096)));
static _Atomic size_t early_used;
static _Atomic int resolved;

static bool is_early(const void *p)
{
    return (uintptr_t)p - (uintptr_t)early < sizeof early;
}

bool heap_always_look(void)
{
    return atomic_load(&early_used) != 0;
}

/* Static memory is zero, and each byte is given once. */
static void *take_early(size_t n, size_t alignment)
{
    alignment = alignment > EARLY_ALIGNMENT ? alignment : EARLY_ALIGNMENT;
    size_t at = atomic_load(&early_used), from;
    do {
        from = (at + alignment - 1) & ~(alignment - 1);
        if (alignment > 4096 || from > sizeof early || n > sizeof early - from) {
            errno = ENOMEM;
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&early_used, &at, from + n + (n == 0)));
    return early + from;
}

static void find(const char *name, void *to)
{
    void *f = real_function(name);
    memcpy(to, &f, sizeof f);
}

static void find_optional(const char *name, void *to)
{
    void *f = dlsym(RTLD_NEXT, name);
    memcpy(to, &f, sizeof f);
}

/* By where it is: others define glibc's inner names as well. */
static bool is_libcs(void *f)
{
    Dl_info its, libcs;
    return dladdr(f, &its) && dladdr((void *)gnu_get_libc_version, &libcs) &&
           its.dli_fbase == libcs.dli_fbase;
}

/* False: somebody is at it (perhaps this very thread, in dlsym), and early memory must do. */
static __attribute__((noinline, cold)) bool resolve_now(void)
{
    int expected = RESOLVE_NOT;
    if (!atomic_compare_exchange_strong(&resolved, &expected, RESOLVE_NOW))
        return expected == RESOLVE_DONE;
    struct heap_real *r = &heap.real;
    find("malloc", &r->malloc);
    find("free", &r->free);
    find("calloc", &r->calloc);
    find("realloc", &r->realloc);
    find("posix_memalign", &r->posix_memalign);
    find("aligned_alloc", &r->aligned_alloc);
    find("memalign", &r->memalign);
    heap.is_glibc = is_libcs((void *)r->malloc);
    atomic_store_explicit(&resolved, RESOLVE_DONE, memory_order_release);
    if (!heap_is_on())
        atomic_store(&heap.mask, heap_always_look() ? 0 : ~(uintptr_t)0);
    /* Last: dlsym allocates for the message that there is none, and can do so now. */
    heap_self.busy++;
    find_optional("sdallocx", &r->sdallocx);
    find_optional("dallocx", &r->dallocx);
    find_optional("rallocx", &r->rallocx);
    find_optional("malloc_usable_size", &r->usable_size);
    heap_self.busy--;
    debug_read_early();
    debug_malloc_begin(r);
    bypass_note_start();
    return true;
}

static inline bool resolve(void)
{
    return HEAP_LIKELY(atomic_load_explicit(&resolved, memory_order_acquire) == RESOLVE_DONE) ||
           resolve_now();
}

/* ---- malloc and calloc ---- */

SLOW static void *slow_malloc(size_t n, const void *caller)
{
    const struct here_caller from = here_from(caller);
    if (!resolve())
        return take_early(n, 1);
    if (!heap_enter(n))
        return heap.real.malloc(n);
    void *p = heap_take(n, 1, false);
    heap_sampled(p, n, &from);
    heap_leave();
    return p;
}

INTERPOSE void *malloc(size_t n)
{
    if (HEAP_LIKELY(n < heap_self.left)) {
        heap_self.left -= n + 1;
        return heap.real.malloc(n);
    }
    return slow_malloc(n, CALLER);
}

SLOW static void *slow_calloc(size_t count, size_t size, const void *caller)
{
    const struct here_caller from = here_from(caller);
    size_t n;
    bool fits = !__builtin_mul_overflow(count, size, &n);
    if (!resolve())
        return fits ? take_early(n, 1) : NULL;
    if (!fits || !heap_enter(n))
        return heap.real.calloc(count, size);
    void *p = heap_take(n, 1, true);
    heap_sampled(p, n, &from);
    heap_leave();
    return p;
}

INTERPOSE void *calloc(size_t count, size_t size)
{
    size_t n;
    if (HEAP_LIKELY(!__builtin_mul_overflow(count, size, &n) && n < heap_self.left)) {
        heap_self.left -= n + 1;
        return heap.real.calloc(count, size);
    }
    return slow_calloc(count, size, CALLER);
}

/* ---- free ---- */

SLOW static void slow_free(void *p)
{
    struct heap_object was;
    if (!p || is_early(p) || !resolve())
        return;
    heap_forget(p, &was);
    heap.real.free(p);
}

static inline bool is_plain(const void *p)
{
    return ((uintptr_t)p & atomic_load_explicit(&heap.mask, memory_order_relaxed)) != 0;
}

INTERPOSE void free(void *p)
{
    if (HEAP_LIKELY(is_plain(p)))
        heap.real.free(p);
    else
        slow_free(p);
}

/* What the caller knows of the object is not needed. */
INTERPOSE void free_sized(void *p, size_t n)
{
    (void)n;
    free(p);
}

INTERPOSE void free_aligned_sized(void *p, size_t alignment, size_t n)
{
    (void)alignment, (void)n;
    free(p);
}

INTERPOSE void sdallocx(void *p, size_t n, int flags)
{
    struct heap_object was;
    if (!resolve() || !heap.real.sdallocx || heap_forget(p, &was))
        free(p);
    else
        heap.real.sdallocx(p, n, flags);
}

INTERPOSE void dallocx(void *p, int flags)
{
    struct heap_object was;
    if (!resolve() || !heap.real.dallocx) {
        free(p);
        return;
    }
    heap_forget(p, &was);
    heap.real.dallocx(p, flags);
}

/* ---- realloc ---- */

/* Memory that was allocated as the program would have got it, in a form that free can tell. */
static void *mark(void *plain, size_t n)
{
    if (!plain || !is_plain(plain))
        return plain;
    void *p = heap.real.memalign(4096, n);
    if (!p)
        return plain;
    memcpy(p, plain, n);
    heap.real.free(plain);
    return p;
}

/* q is what an object became, now of n bytes. `was`: what was known of it, if it was sampled;
 * `sample`: heap_enter said so of the new one. */
static void *reallocated(void *q, size_t n, const struct heap_object *was, bool sample,
                         const struct here_caller *caller)
{
    if (was && !q && n)
        heap_remember(was);
    else if (was)
        heap_freed(was);
    if (sample && q) {
        q = mark(q, n);
        heap_sampled(q, n, caller);
    }
    if (sample)
        heap_leave();
    return q;
}

/* For realloc and reallocarray, whose overflow was seen to. */
SLOW static void *slow_realloc(void *p, size_t n, const void *caller)
{
    const struct here_caller from = here_from(caller);
    struct heap_object was;
    if (is_early(p) || !resolve()) {
        size_t room = is_early(p) ? sizeof early - (size_t)((unsigned char *)p - early) : 0;
        void *moved = resolve() ? heap.real.malloc(n) : take_early(n, 1);
        if (moved)
            memcpy(moved, p, n < room ? n : room);
        return moved;
    }
    bool known = heap_take_out(p, &was);
    bool sample = false;
    if (n && n < heap_self.left)
        heap_self.left -= n + 1;
    else if (n)
        sample = heap_enter(n);
    void *q = heap.real.realloc(p, n);
    return reallocated(q, n, known ? &was : NULL, sample, &from);
}

INTERPOSE void *realloc(void *p, size_t n)
{
    if (HEAP_LIKELY(is_plain(p) && n < heap_self.left)) {
        heap_self.left -= n + 1;
        return heap.real.realloc(p, n);
    }
    return slow_realloc(p, n, CALLER);
}

INTERPOSE void *reallocarray(void *p, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        errno = ENOMEM;
        return NULL;
    }
    if (HEAP_LIKELY(is_plain(p) && n < heap_self.left)) {
        heap_self.left -= n + 1;
        return heap.real.realloc(p, n);
    }
    return slow_realloc(p, n, CALLER);
}

INTERPOSE void *rallocx(void *p, size_t n, int flags)
{
    struct heap_object was;
    if (!resolve() || !heap.real.rallocx)
        return realloc(p, n);
    bool sample = false, known = heap_take_out(p, &was);
    if (n < heap_self.left)
        heap_self.left -= n + 1;
    else
        sample = heap_enter(n);
    void *q = heap.real.rallocx(p, n, flags);
    const struct here_caller from = {.ra = CALLER};
    return reallocated(q, n, known ? &was : NULL, sample, &from);
}

/* ---- aligned memory ---- */

static bool is_power_of_two(size_t n)
{
    return n && !(n & (n - 1));
}

/* Memory of a sampled object, or NULL where it is not sampled: the caller goes on by itself. */
static void *sample_aligned(size_t n, size_t alignment, const void *caller)
{
    const struct here_caller from = here_from(caller);
    if (!is_power_of_two(alignment) || !heap_enter(n))
        return NULL;
    void *p = heap_take(n, alignment, false);
    heap_sampled(p, n, &from);
    heap_leave();
    return p;
}

/* Counts n bytes down, or samples them. */
static inline void *count_aligned(size_t n, size_t alignment, const void *caller)
{
    if (HEAP_LIKELY(n < heap_self.left)) {
        heap_self.left -= n + 1;
        return NULL;
    }
    return sample_aligned(n, alignment, caller);
}

INTERPOSE int posix_memalign(void **to, size_t alignment, size_t n)
{
    if (!resolve()) {
        *to = take_early(n, alignment);
        return *to ? 0 : ENOMEM;
    }
    void *p = alignment % sizeof p ? NULL : count_aligned(n, alignment, CALLER);
    if (!p)
        return heap.real.posix_memalign(to, alignment, n);
    *to = p;
    return 0;
}

INTERPOSE void *aligned_alloc(size_t alignment, size_t n)
{
    if (!resolve())
        return take_early(n, alignment);
    void *p = count_aligned(n, alignment, CALLER);
    return p ? p : heap.real.aligned_alloc(alignment, n);
}

INTERPOSE void *memalign(size_t alignment, size_t n)
{
    if (!resolve())
        return take_early(n, alignment);
    void *p = count_aligned(n, alignment, CALLER);
    return p ? p : heap.real.memalign(alignment, n);
}

/* jemalloc has no pvalloc, and that of another allocator would be none of its memory. */
INTERPOSE void *valloc(size_t n)
{
    if (!resolve())
        return take_early(n, 4096);
    void *p = count_aligned(n, 4096, CALLER);
    return p ? p : heap.real.memalign(4096, n);
}

INTERPOSE void *pvalloc(size_t n)
{
    if (!resolve())
        return take_early(n, 4096);
    size_t whole = n > SIZE_MAX - 4095 ? n : (n + 4095) & ~(size_t)4095;
    void *p = count_aligned(whole, 4096, CALLER);
    return p ? p : heap.real.memalign(4096, whole);
}

/* ---- sizes ---- */

/* An object may have pages of its own, in which the allocator behind us would look for its own. */
INTERPOSE size_t malloc_usable_size(void *p)
{
    if (!p || is_early(p) || !resolve() || !heap.real.usable_size)
        return 0;
    return debug_usable_size(p, heap.real.usable_size);
}

/* ---- whose allocator it is ---- */

/* Calls a function that may be our malloc, and sees whether bytes were counted down. */
static bool counts_down(void *f)
{
    enum { BYTES = 16, ENOUGH = 1000 };
    void *(*take)(size_t);
    memcpy(&take, &f, sizeof take);
    uint64_t left = heap_self.left;
    heap_self.left = ENOUGH;
    void *p = take(BYTES);
    bool counted = heap_self.left == ENOUGH - BYTES - 1;
    heap_self.left = left;
    if (counted)
        heap.real.free(p);
    return counted;
}

/* Who takes malloc from elsewhere takes free from there. */
bool heap_is_ours(void)
{
    void *f = dlsym(RTLD_DEFAULT, "malloc");
    return resolve() && bypass_is_ours(f) && bypass_is_ours(dlsym(RTLD_DEFAULT, "free")) &&
           counts_down(f);
}

/* ---- the way past us ---- */

BYPASS_OURS(malloc);
BYPASS_OURS(free);
BYPASS_OURS(calloc);
BYPASS_OURS(realloc);

enum { BYPASSED = 4 };
static bool is_bypassed;

static void fill_bypass(struct bypass rows[BYPASSED])
{
    const struct heap_real *r = &heap.real;
    rows[0] = (struct bypass){"malloc", (void *)(uintptr_t)our_malloc, (void *)r->malloc};
    rows[1] = (struct bypass){"free", (void *)(uintptr_t)our_free, (void *)r->free};
    rows[2] = (struct bypass){"calloc", (void *)(uintptr_t)our_calloc, (void *)r->calloc};
    rows[3] = (struct bypass){"realloc", (void *)(uintptr_t)our_realloc, (void *)r->realloc};
}

/* Debug switches want each call, and early memory must not be freed behind us. */
void heap_bypass(void)
{
    struct bypass rows[BYPASSED];
    if (heap_is_on() || !heap_is_ours() || heap_always_look() || heap.is_debugged)
        return;
    fill_bypass(rows);
    is_bypassed = bypass_open_ours(rows, BYPASSED);
}

bool heap_end_bypass(void)
{
    struct bypass rows[BYPASSED];
    if (!is_bypassed)
        return true;
    if (atomic_load(&rt.denied) & NEED_ARM) /* it takes mprotect */
        return false;
    is_bypassed = false;
    fill_bypass(rows);
    bypass_close(rows, BYPASSED);
    return true;
}

#else

bool heap_is_ours(void)
{
    return false;
}

bool heap_always_look(void)
{
    return false;
}

void heap_bypass(void)
{
}

bool heap_end_bypass(void)
{
    return true;
}

#endif
