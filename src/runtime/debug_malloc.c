/* SPDX-License-Identifier: MIT
 *
 * The functions that stand in heap.real where a debug switch looks at objects. Each allocation is
 * one take(), each free one give(); what the switches ask for is done there:
 *
 *   alloctrace   both are printed with their stacks, as Go's allocfreetrace did
 *   efence       the object gets pages of its own (debug_fence.c)
 *   clobberfree  16 bytes behind the object are filled and looked at when it is freed; then it is
 *                filled with 0xdeadbeef, kept for a while, and looked at again when it really goes
 *   invalidptr   a pointer that is freed must be the begin of an object that is live
 *   heaptrace    both are counted, and timed
 *
 * What a signal handler allocates while its thread is in here goes to the allocator as it is, and
 * is not known. So is what other ways lead to the allocator (dlmopen, RTLD_DEEPBIND): of a pointer
 * that was never seen only that is said which is certain. */
#include "runtime/debug.h"
#include "runtime/say.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TAIL = 16, TAIL_FILL = 0xbd, KEPT = 1 << 16, KEPT_BYTES = 64 << 20, PAGE = 4096 };

static struct heap_real under; /* the program's allocator */
static bool tracks;            /* objects are in the table */

/* Freed objects whose memory is kept, oldest first. */
static struct {
    uint64_t ring[KEPT];
    uint64_t first, count, bytes;
} kept;

static const unsigned char clobber[4] = {0xef, 0xbe, 0xad, 0xde};

/* ---- traces ---- */

static void trace(const char *what, const void *p, size_t n, const char *name, uint32_t stack)
{
    struct buf out;
    struct arena arena;
    debug_text_begin(&out, &arena);
    buf_printf(&out, "%s(%p, 0x%zx%s%s)\n", what, p, n, *name ? ", " : "", name);
    debug_put_stack(&out, "goroutine %u [running]:\n", runtime_tid(), stack);
    buf_putc(&out, '\n');
    debug_text_end(&out, &arena);
}

/* ---- counters ---- */

static void add(_Atomic uint64_t *to, uint64_t n)
{
    heap_add(to, n);
}

static void raise_to(_Atomic uint64_t *to, uint64_t n)
{
    if (n > atomic_load_explicit(to, memory_order_relaxed))
        atomic_store_explicit(to, n, memory_order_relaxed);
}

static void count_time(uint64_t began)
{
    uint64_t ticks = sigsafe_ticks() - began;
    add(&debug_counters->ticks, ticks);
    raise_to(&debug_counters->longest, ticks);
    if (atomic_load_explicit(&debug_counters->want_info, memory_order_relaxed) && heap.is_glibc &&
        atomic_exchange(&debug_counters->want_info, 0)) {
        struct mallinfo2 info = mallinfo2();
        atomic_store(&debug_counters->info.held, info.arena + info.hblkhd);
        atomic_store(&debug_counters->info.used, info.uordblks + info.hblkhd);
        atomic_store(&debug_counters->info.top, info.keepcost);
        atomic_store(&debug_counters->info.mapped, info.hblkhd);
    }
}

static void count_taken(size_t n)
{
    add(&debug_counters->allocs, 1);
    add(&debug_counters->bytes, n);
    uint64_t live = heap_add(&debug_counters->live, n) + n;
    if (live < 1ull << 63)
        raise_to(&debug_counters->peak, live);
}

static void count_given(size_t n)
{
    add(&debug_counters->frees, 1);
    add(&debug_counters->live, -(uint64_t)n);
}

/* ---- objects ---- */

static size_t usable(void *p)
{
    return under.usable_size && p ? under.usable_size(p) : 0;
}

static void *take_under(size_t n, size_t alignment, bool zero)
{
    if (zero)
        return under.calloc(1, n);
    return alignment > 16 ? under.memalign(alignment, n) : under.malloc(n);
}

/* An object with pages of its own, or with a tail; NULL: memory is out. */
static void *take_tracked(size_t n, size_t alignment, bool zero, uint32_t stack)
{
    void *block = NULL, *p = debug.efence ? fence_take(n, alignment) : NULL;
    if (!p) {
        if (n > SIZE_MAX - TAIL) {
            errno = ENOMEM;
            return NULL;
        }
        p = block = take_under(n + (debug.clobberfree ? TAIL : 0), alignment, zero);
    }
    if (!p)
        return NULL;
    struct debug_object *o = debug_object_put((uint64_t)(uintptr_t)p);
    if (!o)
        return p; /* not known, then: its memory is no other than it was asked for */
    o->size = n;
    o->block = block;
    o->alloc_stack = stack;
    o->alloc_tid = runtime_tid();
    o->state = DEBUG_LIVE;
    if (block && debug.clobberfree)
        memset((char *)p + n, TAIL_FILL, TAIL);
    return p;
}

static void fill(const struct debug_object *o)
{
    unsigned char *p = (unsigned char *)o->address;
    for (uint64_t i = 0; i < o->size; i++)
        p[i] = clobber[i % sizeof clobber];
}

/* Where the filling was changed, or the size. */
static uint64_t find_change(const struct debug_object *o)
{
    const unsigned char *p = (const unsigned char *)o->address;
    uint64_t i = 0;
    while (i < o->size && p[i] == clobber[i % sizeof clobber])
        i++;
    return i;
}

static void look_at_freed(const struct debug_object *o)
{
    uint64_t at = debug.clobberfree ? find_change(o) : o->size;
    if (at < o->size)
        debug_die("a write to freed memory at", "", o->address + at, o);
}

/* The oldest object that is kept really goes. */
static void release_oldest(void)
{
    struct debug_object *o = debug_object_find(kept.ring[kept.first]);
    kept.first = (kept.first + 1) % KEPT;
    kept.count--;
    kept.bytes -= o->size;
    look_at_freed(o);
    o->state = DEBUG_GONE;
    under.free(o->block);
}

static void keep(struct debug_object *o)
{
    while (kept.count && (kept.count == KEPT || kept.bytes + o->size > KEPT_BYTES))
        release_oldest();
    kept.ring[(kept.first + kept.count) % KEPT] = o->address;
    kept.count++;
    kept.bytes += o->size;
}

static void look_at_tail(const struct debug_object *o)
{
    const unsigned char *tail = (const unsigned char *)o->address + o->size;
    for (uint32_t i = TAIL; o->block && debug.clobberfree && i-- > 0;)
        if (tail[i] != TAIL_FILL)
            debug_die("a write behind an object's end at", "", o->address + o->size + i, o);
}

static void give_tracked(struct debug_object *o, uint32_t stack)
{
    if (!o->block) {
        uint32_t written = fence_give(o);
        if (written)
            debug_die("a write behind an object's end at", "", o->address + o->size + written - 1,
                      o);
    }
    look_at_tail(o);
    o->free_stack = stack;
    o->free_tid = runtime_tid();
    o->state = DEBUG_FREED;
    if (!o->block)
        return;
    if (debug.clobberfree)
        fill(o);
    keep(o);
}

/* ---- pointers that are no object's ---- */

/* In which kind of memory a pointer lies that was never given out; "": it may be an object's. */
static const char *kind_of_memory(uint64_t address)
{
    static char text[PAGE];
    long fd = sigsafe_syscall3(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    const char *kind = fd < 0 ? "" : ": it points to no memory at all";
    for (long n = 1; fd >= 0 && n > 0;) {
        n = sigsafe_syscall3(SYS_read, fd, text + have, sizeof text - 1 - have);
        have += n > 0 ? (size_t)n : 0;
        text[have] = 0;
        char *line = text, *next;
        for (; (next = strchr(line, '\n')); line = next + 1) {
            char *at, path[8] = "";
            uint64_t lo = strtoull(line, &at, 16), hi = strtoull(at + 1, &at, 16);
            char *slash = memchr(at, '/', (size_t)(next - at));
            char *bracket = memchr(at, '[', (size_t)(next - at));
            if (bracket)
                memcpy(path, bracket, (size_t)(next - bracket) < 7 ? (size_t)(next - bracket) : 7);
            if (address >= lo && address < hi)
                kind = slash && memcmp(slash, "/dev/zero", 9) ? ": it points into a mapped file"
                       : !strcmp(path, "[stack]")             ? ": it points into the stack"
                                                              : "";
        }
        have -= (size_t)(line - text);
        memmove(text, line, have);
    }
    if (fd >= 0)
        sigsafe_syscall1(SYS_close, fd);
    return kind;
}

/* Aborts where it is certain that `p` may not be freed. Under the lock. */
static void judge(void *p, const struct debug_object *o)
{
    static const char bad[] = "free of a bad pointer,";
    uint64_t address = (uint64_t)(uintptr_t)p;
    if (o && o->state == DEBUG_FREED)
        debug_die(bad, ": it was freed already", address, o);
    if (o || !debug.invalidptr)
        return;
    const struct debug_object *around = debug_object_around(address);
    if (around && address > around->address && address - around->address < around->size)
        debug_die(bad, ": no object begins there", address, around);
    const char *kind = kind_of_memory(address);
    if (!*kind && address % 16)
        kind = ": no object has such an address";
    if (!*kind)
        return;
    debug_die(bad, kind, address, NULL);
}

/* ---- what heap.real has ---- */

static void *take(size_t n, size_t alignment, bool zero, const char *name)
{
    struct heap_thread *t = &heap_self;
    if (t->debugging)
        return take_under(n, alignment, zero);
    t->debugging = 1;
    uint64_t began = debug_counters ? sigsafe_ticks() : 0;
    uint32_t stack = 0;
    void *p;
    if (tracks || debug.alloctrace) {
        debug_lock();
        stack = debug_stack_here();
        p = tracks ? take_tracked(n, alignment, zero, stack) : take_under(n, alignment, zero);
        if (debug.alloctrace && p)
            trace("tracealloc", p, n, name, stack);
        debug_unlock();
    } else {
        p = take_under(n, alignment, zero);
    }
    if (debug_counters && p && debug_trace_is_alive()) {
        count_taken(tracks ? n : usable(p));
        count_time(began);
    }
    t->debugging = 0;
    return p;
}

/* The size that the program knows of an object, or that the allocator does. */
static size_t known_size(void *p, const struct debug_object *o)
{
    return o && o->state == DEBUG_LIVE ? o->size : usable(p);
}

static void give(void *p)
{
    struct heap_thread *t = &heap_self;
    if (!p)
        return;
    if (t->debugging) {
        under.free(p); /* of this thread's own doing: not known */
        return;
    }
    int saved = errno;
    t->debugging = 1;
    uint64_t began = debug_counters ? sigsafe_ticks() : 0;
    bool locks = tracks || debug.alloctrace, known = false;
    size_t n = 0;
    if (locks) {
        debug_lock();
        struct debug_object *o = tracks ? debug_object_find((uint64_t)(uintptr_t)p) : NULL;
        if (tracks)
            judge(p, o);
        n = known_size(p, o);
        uint32_t stack = debug_stack_here();
        if (debug.alloctrace)
            trace("tracefree", p, n, "", stack);
        known = o && o->state == DEBUG_LIVE;
        if (known)
            give_tracked(o, stack);
        debug_unlock();
    } else {
        n = usable(p);
    }
    if (!known)
        under.free(p);
    if (debug_counters && debug_trace_is_alive()) {
        count_given(n);
        count_time(began);
    }
    t->debugging = 0;
    errno = saved;
}

static void *debug_malloc(size_t n)
{
    return take(n, 1, false, "malloc");
}

static void debug_free(void *p)
{
    give(p);
}

static void *debug_calloc(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(n, 1, true, "calloc");
}

static void *debug_memalign(size_t alignment, size_t n)
{
    if (alignment & (alignment - 1))
        return under.memalign(alignment, n);
    return take(n, alignment, false, "memalign");
}

static void *debug_aligned_alloc(size_t alignment, size_t n)
{
    if (!alignment || alignment & (alignment - 1))
        return under.aligned_alloc(alignment, n);
    return take(n, alignment, false, "aligned_alloc");
}

static int debug_posix_memalign(void **to, size_t alignment, size_t n)
{
    if (!alignment || alignment % sizeof(void *) || alignment & (alignment - 1))
        return under.posix_memalign(to, alignment, n);
    int saved = errno;
    void *p = take(n, alignment, false, "posix_memalign");
    errno = saved;
    if (!p)
        return ENOMEM;
    *to = p;
    return 0;
}

/* How much there is to copy of p; false: the allocator itself has to know. */
static bool find_size(void *p, size_t *size)
{
    bool known = false;
    if (!tracks || heap_self.debugging)
        return false;
    heap_self.debugging = 1;
    debug_lock();
    struct debug_object *o = debug_object_find((uint64_t)(uintptr_t)p);
    judge(p, o);
    known = o && o->state == DEBUG_LIVE;
    *size = known ? o->size : 0;
    debug_unlock();
    heap_self.debugging = 0;
    return known;
}

static void *debug_realloc(void *p, size_t n)
{
    size_t old = 0;
    if (!p)
        return take(n, 1, false, "realloc");
    if (tracks && !find_size(p, &old))
        return under.realloc(p, n);
    if (!n) {
        give(p);
        return NULL;
    }
    if (!tracks)
        old = usable(p);
    void *q = take(n, 1, false, "realloc");
    if (!q)
        return NULL;
    memcpy(q, p, old < n ? old : n);
    give(p);
    return q;
}

size_t debug_usable_size(void *p, size_t (*real)(void *))
{
    size_t size;
    return find_size(p, &size) ? size : real(p);
}

void debug_malloc_end(void)
{
    if (!tracks || heap_self.debugging || runtime_pid() != rt.pid)
        return;
    heap_self.debugging = 1;
    debug_lock();
    for (uint64_t i = 0; i < kept.count; i++)
        look_at_freed(debug_object_find(kept.ring[(kept.first + i) % KEPT]));
    debug_unlock();
    heap_self.debugging = 0;
}

/* A child has one thread, which holds the lock. */
static void before_fork(void)
{
    if (!heap_self.debugging)
        debug_lock();
}

static void after_fork(void)
{
    if (!heap_self.debugging)
        debug_unlock();
}

void debug_malloc_begin(struct heap_real *real)
{
    tracks = debug.efence || debug.clobberfree || debug.invalidptr;
    debug_trace_map();
    if (!tracks && !debug.alloctrace && !debug_counters)
        return;
    heap_self.debugging = heap_self.busy = 1;
    say_begin();
    rt.pid = runtime_pid();
    runtime_read_names();
    runtime_map();
    under = *real;
    heap.is_debugged = true;
    real->malloc = debug_malloc;
    real->free = debug_free;
    real->calloc = debug_calloc;
    real->realloc = debug_realloc;
    real->posix_memalign = debug_posix_memalign;
    real->aligned_alloc = debug_aligned_alloc;
    real->memalign = debug_memalign;
    real->sdallocx = NULL; /* these know a size, or flags, that we cannot keep */
    real->dallocx = NULL;
    real->rallocx = NULL;
    pthread_atfork(before_fork, after_fork, NULL);
    heap_self.debugging = heap_self.busy = 0;
}
