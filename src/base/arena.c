/* SPDX-License-Identifier: MIT
 *
 * Bump allocator. Chunks come straight from mmap and grow with the arena (64 KiB, then as large as
 * all before them, up to 64 MiB), so a large profile costs a few system calls and a small one two.
 * There is no free of a single object: what lives shorter than its arena wants its own.
 *
 * A server makes several small arenas a request, and mapping them, faulting their pages in and
 * telling the other CPUs that they are gone costs more than the request itself; what adds up many
 * files makes the same large ones for each. Such a program asks for chunks to be kept
 * (arena_recycle); libstrobe does not. */
#include "base/arena.h"

#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of the mapping, this header included */
};

enum { CHUNK_MIN = 64 << 10, CHUNK_MAX = 64 << 20, PAGE = 4096, HEADER = 64 };

/* ---- chunks kept for the next arena: by size, CHUNK_MIN << class; larger ones in a list ---- */

enum { RECYCLED_CLASSES = 8, LARGE_SLACK = 4, KEPT_PART = 4 };

static struct {
    _Atomic size_t keep_bytes; /* 0: none are kept */
    atomic_flag busy;          /* nobody waits for it but arena_recycle: there is always mmap */
    size_t bytes;
    struct arena_chunk *free[RECYCLED_CLASSES + 1];
} recycled = {.busy = ATOMIC_FLAG_INIT};

static void unlock_recycled(void)
{
    atomic_flag_clear_explicit(&recycled.busy, memory_order_release);
}

size_t arena_recycle(size_t keep_bytes)
{
    size_t before = atomic_exchange(&recycled.keep_bytes, keep_bytes);
    while (atomic_flag_test_and_set_explicit(&recycled.busy, memory_order_acquire))
        sched_yield();
    for (int class = RECYCLED_CLASSES; class >= 0; class --) {
        struct arena_chunk *c;
        while (recycled.bytes > keep_bytes && (c = recycled.free[class])) {
            recycled.free[class] = c->next;
            recycled.bytes -= c->size;
            munmap(c, c->size);
        }
    }
    unlock_recycled();
    return before;
}

int arena_keeps(size_t bytes)
{
    return bytes <= atomic_load_explicit(&recycled.keep_bytes, memory_order_relaxed) / KEPT_PART;
}

/* RECYCLED_CLASSES if it is not one of the sizes that are kept by size. */
static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (class < RECYCLED_CLASSES && size != (size_t)CHUNK_MIN << class)
        class ++;
    return class;
}

static bool lock_recycled(void)
{
    return atomic_load_explicit(&recycled.keep_bytes, memory_order_relaxed) &&
           !atomic_flag_test_and_set_explicit(&recycled.busy, memory_order_acquire);
}

/* The smallest large chunk that `size` bytes fit in, if that is not far too large. */
static struct arena_chunk **find_large(size_t size)
{
    struct arena_chunk **best = NULL;
    for (struct arena_chunk **c = &recycled.free[RECYCLED_CLASSES]; *c; c = &(*c)->next)
        if ((*c)->size >= size && (*c)->size / LARGE_SLACK <= size &&
            (!best || (*c)->size < (*best)->size))
            best = c;
    return best;
}

/* A kept chunk of at least `size` bytes, or NULL. */
static struct arena_chunk *take_recycled(size_t size)
{
    unsigned class = class_of(size);
    struct arena_chunk *c = NULL;
    if (!lock_recycled())
        return NULL;
    struct arena_chunk **from = class < RECYCLED_CLASSES ? &recycled.free[class] : find_large(size);
    if (from && *from) {
        c = *from;
        *from = c->next;
        recycled.bytes -= c->size;
    }
    unlock_recycled();
    return c;
}

static void unmap_chunk(struct arena_chunk *c)
{
    size_t size = c->size;
    unsigned class = class_of(size);
    if (lock_recycled()) {
        bool kept = arena_keeps(size) && recycled.bytes + size <= atomic_load(&recycled.keep_bytes);
        if (kept) {
            c->next = recycled.free[class];
            recycled.free[class] = c;
            recycled.bytes += size;
        }
        unlock_recycled();
        if (kept)
            return;
    }
    munmap(c, size);
}

void arena_init(struct arena *a)
{
    memset(a, 0, sizeof *a);
}

void arena_init_nullable(struct arena *a)
{
    arena_init(a);
    a->null_on_oom = 1;
}

void arena_free(struct arena *a)
{
    struct arena_chunk *next;
    for (struct arena_chunk *c = a->head; c; c = next) {
        next = c->next;
        unmap_chunk(c);
    }
    arena_drop_spare(a);
    a->head = NULL;
    a->at = a->end = NULL;
    a->mapped_bytes = 0;
}

static void *out_of_memory(const struct arena *a, size_t size)
{
    if (a->null_on_oom)
        return NULL;
    fprintf(stderr, "strobe: out of memory: %zu more bytes were needed, %zu are in use\n", size,
            a->mapped_bytes);
    exit(2);
}

/* A chunk of at least *size bytes, made from the spare one if it is about as large. */
static struct arena_chunk *new_chunk(struct arena *a, size_t *size)
{
    struct arena_chunk *c = take_recycled(*size);
    if (c) {
        *size = c->size;
        return c;
    }
    c = a->spare;
    if (!c || *size / 2 > c->size || c->size / 2 > *size)
        return mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    c = mremap(c, c->size, *size, MREMAP_MAYMOVE);
    if (c != MAP_FAILED)
        a->spare = NULL;
    return c;
}

static int add_chunk(struct arena *a, size_t need)
{
    size_t size = a->mapped_bytes < CHUNK_MIN ? CHUNK_MIN : a->mapped_bytes;
    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    if (size < need + HEADER)
        size = need + HEADER;
    size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
    for (unsigned class = 0; class < RECYCLED_CLASSES; class ++)
        if (size < (size_t)CHUNK_MIN << class) {
            size = (size_t)CHUNK_MIN
                   << class; /* a size that is kept; what is over is not touched */
            break;
        }
    struct arena_chunk *c = new_chunk(a, &size);
    if (c == MAP_FAILED)
        return -1;
    c->next = a->head;
    c->size = size;
    a->head = c;
    a->at = (char *)c + HEADER;
    a->end = (char *)c + size;
    a->mapped_bytes += size;
    return 0;
}

void *arena_alloc_aligned(struct arena *a, size_t size, size_t align)
{
    uintptr_t at = ((uintptr_t)a->at + align - 1) & ~(uintptr_t)(align - 1);
    if (!a->at || at > (uintptr_t)a->end || size > (uintptr_t)a->end - at) {
        if (size > SIZE_MAX / 4 || add_chunk(a, size + align) != 0)
            return out_of_memory(a, size);
        at = ((uintptr_t)a->at + align - 1) & ~(uintptr_t)(align - 1);
    }
    a->at = (char *)at + size;
    return (void *)at;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return arena_alloc_aligned(a, size, 16);
}

void *arena_zalloc(struct arena *a, size_t size)
{
    void *p = arena_alloc(a, size);
    return p ? memset(p, 0, size) : NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return out_of_memory(a, SIZE_MAX);
    return arena_alloc(a, bytes);
}

void *arena_zarray(struct arena *a, size_t n, size_t size)
{
    void *p = arena_array(a, n, size);
    return p ? memset(p, 0, n * size) : NULL;
}

void *arena_grow(struct arena *a, void *p, size_t old, size_t size)
{
    if (p && (char *)p + old == a->at && size >= old && size - old <= (size_t)(a->end - a->at)) {
        a->at += size - old;
        return p;
    }
    void *fresh = arena_alloc(a, size);
    if (fresh && old)
        memcpy(fresh, p, old < size ? old : size);
    return fresh;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc_aligned(a, n + 1, 1);
    if (!p)
        return NULL;
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc_aligned(a, (size_t)n + 1, 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

void arena_drop_spare(struct arena *a)
{
    if (a->spare)
        unmap_chunk(a->spare);
    a->spare = NULL;
}

void arena_inherit(struct arena *a, struct arena *from)
{
    struct arena_chunk **largest = &from->head;
    arena_drop_spare(a);
    for (struct arena_chunk **c = &from->head; *c; c = &(*c)->next)
        if ((*c)->size > (*largest)->size)
            largest = c;
    a->spare = *largest;
    if (*largest)
        *largest = (*largest)->next;
    arena_free(from);
}

void arena_adopt(struct arena *a, struct arena *from)
{
    arena_drop_spare(from);
    struct arena_chunk *last = from->head;
    if (!last)
        return;
    while (last->next)
        last = last->next;
    if (a->head) { /* behind our newest, whose free part stays in use */
        last->next = a->head->next;
        a->head->next = from->head;
    } else {
        a->head = from->head;
        a->at = from->at;
        a->end = from->end;
    }
    a->mapped_bytes += from->mapped_bytes;
    from->head = NULL;
    from->at = from->end = NULL;
    from->mapped_bytes = 0;
}
