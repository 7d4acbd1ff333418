/* SPDX-License-Identifier: MIT
 *
 * The log of allocation sites: appending to it and reading it. No libc: the writer is inside
 * malloc. */
#include "base/heaptab.h"

#include "base/limits.h"
#include "base/sigsafe.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void heaptab_init(struct heaptab *t, uint64_t size, uint64_t room)
{
    atomic_store_explicit(&t->size, size - sizeof *t, memory_order_relaxed);
    atomic_store_explicit(&t->room, room - sizeof *t, memory_order_relaxed);
    t->magic = HEAPTAB_MAGIC;
}

void heaptab_widen(struct heaptab *t, uint64_t size)
{
    atomic_store_explicit(&t->size, size - sizeof *t, memory_order_relaxed);
    atomic_store_explicit(&t->room, size - sizeof *t, memory_order_relaxed);
}

/* Shared memory is allocated before it is written to: where there is none left, a write would be
 * SIGBUS. */
static bool make_room(struct heaptab *t, uint64_t want)
{
    uint64_t room = atomic_load_explicit(&t->room, memory_order_relaxed);
    uint64_t size = atomic_load_explicit(&t->size, memory_order_relaxed);
    while (room < want) {
        uint64_t end = room + HEAPTAB_GROW < size ? room + HEAPTAB_GROW : size;
        if (end == room)
            return false;
        uintptr_t from = (uintptr_t)(t->data + room) & ~(uintptr_t)4095;
        uintptr_t to = (uintptr_t)(t->data + end);
        if (sigsafe_syscall3(SYS_madvise, from, to - from, MADV_POPULATE_WRITE) != 0)
            return false;
        room = end;
        atomic_store_explicit(&t->room, room, memory_order_relaxed);
    }
    return true;
}

struct heaptab_site *heaptab_append(struct heaptab *t, uint32_t depth)
{
    uint64_t used = atomic_load_explicit(&t->used, memory_order_relaxed);
    uint64_t bytes = sizeof(struct heaptab_site) + depth * sizeof(uint64_t);
    if (!make_room(t, used + bytes))
        return NULL;
    struct heaptab_site *s = (struct heaptab_site *)(t->data + used);
    s->bytes = (uint32_t)bytes;
    s->depth = (uint16_t)depth;
    atomic_store_explicit(&t->used, used + bytes, memory_order_release);
    return s;
}

const struct heaptab_site *heaptab_next(const struct heaptab *t, uint64_t mapped,
                                        const struct heaptab_site *s)
{
    uint64_t used = atomic_load_explicit(&t->used, memory_order_acquire);
    uint64_t at = s ? (uint64_t)((const unsigned char *)s - t->data) + s->bytes : 0;
    if (mapped < sizeof *t || used > mapped - sizeof *t)
        return NULL;
    while (at < used && used - at >= sizeof *s) {
        s = (const struct heaptab_site *)(t->data + at);
        uint32_t bytes = s->bytes;
        if (bytes % 8 || s->depth > LIMIT_STACK_DEPTH || bytes > used - at ||
            bytes != sizeof *s + s->depth * sizeof(uint64_t))
            return NULL;
        if (atomic_load_explicit(&s->ready, memory_order_acquire))
            return s;
        at += bytes;
    }
    return NULL;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; /* counters of a site are not read in one instant */
}

/* The counters, those of frees before those of allocations. */
static void read_counters(const struct heaptab_site *s, uint64_t n[HEAPTAB_COUNTERS])
{
    for (int i = HEAPTAB_COUNTERS; i-- > 0;)
        n[i] = atomic_load_explicit(&s->n[i], memory_order_relaxed);
    if (s->rate != 1)
        return;
    n[HEAPTAB_ALLOC_OBJECTS] = n[HEAPTAB_RAW_ALLOCS] * HEAPTAB_ONE;
    n[HEAPTAB_ALLOC_BYTES] = n[HEAPTAB_RAW_ALLOC_BYTES];
    n[HEAPTAB_FREE_OBJECTS] = n[HEAPTAB_RAW_FREES] * HEAPTAB_ONE;
    n[HEAPTAB_FREE_BYTES] = n[HEAPTAB_RAW_FREE_BYTES];
}

void heaptab_live(const struct heaptab_site *s, uint64_t *objects, uint64_t *bytes)
{
    bool all = s->rate == 1;
    const _Atomic uint64_t *n = s->n;
    *objects = all ? less(n[HEAPTAB_RAW_ALLOCS], n[HEAPTAB_RAW_FREES]) * HEAPTAB_ONE
                   : less(n[HEAPTAB_ALLOC_OBJECTS], n[HEAPTAB_FREE_OBJECTS]);
    *bytes = all ? less(n[HEAPTAB_RAW_ALLOC_BYTES], n[HEAPTAB_RAW_FREE_BYTES])
                 : less(n[HEAPTAB_ALLOC_BYTES], n[HEAPTAB_FREE_BYTES]);
}

void heaptab_read(const struct heaptab *t, const struct heaptab_site *s, bool at_peak,
                  struct heaptab_values *v)
{
    uint64_t n[HEAPTAB_COUNTERS];
    read_counters(s, n);
    uint64_t objects = less(n[HEAPTAB_ALLOC_OBJECTS], n[HEAPTAB_FREE_OBJECTS]);
    *v = (struct heaptab_values){
        .alloc_bytes = n[HEAPTAB_ALLOC_BYTES],
        .inuse_bytes = less(n[HEAPTAB_ALLOC_BYTES], n[HEAPTAB_FREE_BYTES]),
        .raw_allocs = n[HEAPTAB_RAW_ALLOCS],
        .raw_alloc_bytes = n[HEAPTAB_RAW_ALLOC_BYTES],
        .raw_inuse = less(n[HEAPTAB_RAW_ALLOCS], n[HEAPTAB_RAW_FREES]),
        .raw_inuse_bytes = less(n[HEAPTAB_RAW_ALLOC_BYTES], n[HEAPTAB_RAW_FREE_BYTES]),
    };
    uint64_t born = less(n[HEAPTAB_RAW_ALLOC_BORN], n[HEAPTAB_RAW_FREE_BORN]);
    v->age_s = v->raw_inuse ? less(atomic_load(&t->clock_s), born / v->raw_inuse) : 0;
    if (at_peak && atomic_load(&s->peak_id) == atomic_load(&t->peak_id)) {
        objects = atomic_load(&s->peak_objects);
        v->inuse_bytes = atomic_load(&s->peak_bytes);
    }
    v->alloc_objects = (n[HEAPTAB_ALLOC_OBJECTS] + HEAPTAB_ONE / 2) / HEAPTAB_ONE;
    v->inuse_objects = (objects + HEAPTAB_ONE / 2) / HEAPTAB_ONE;
    v->temporary = (n[HEAPTAB_TEMPORARY] + HEAPTAB_ONE / 2) / HEAPTAB_ONE;
}
