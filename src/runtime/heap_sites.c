/* SPDX-License-Identifier: MIT
 *
 * Finds the site of a stack and a size in the log of base/heaptab.h. The index is read without a
 * lock; who adds a site takes one, which is held for as long as it takes to copy a stack, or to
 * double the index. Indexes that were replaced stay mapped, because somebody may read them:
 * together they are no larger than the one in use. */
#include "runtime/heap.h"

#include "base/sigsafe.h"

#include <sys/mman.h>

enum { FIRST_BITS = 10, SPINS = 200, CLASSES_BITS = 3 };

/* A slot: the upper half of a site's hash, and its number. */
struct index {
    uint32_t bits;
    _Atomic uint64_t slots[];
};

static _Atomic(struct index *) current;
static _Atomic uint32_t locked;
static uint32_t count;
static uint64_t mapped;

static void lock(void)
{
    for (uint32_t i = 0; !heap_try_lock(&locked); i++)
        if (i > SPINS)
            sigsafe_syscall0(SYS_sched_yield);
}

static void unlock(void)
{
    atomic_store_explicit(&locked, 0, memory_order_release);
}

struct heaptab_site *sites_get(uint32_t number)
{
    return (struct heaptab_site *)(heap.tab->data + (uint64_t)(number - 1) * 8);
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

/* Four sums side by side, so that a frame need not wait for the one before. */
static uint64_t hash_stack(const struct heap_stack *s, uint64_t size)
{
    uint64_t a = s->depth, b = (uint64_t)s->labels << 32 | s->flags, c = s->epoch, d = size;
    uint32_t i = 0;
    for (; i + 4 <= s->depth; i += 4) {
        a = mix(a, s->pcs[i]);
        b = mix(b, s->pcs[i + 1]);
        c = mix(c, s->pcs[i + 2]);
        d = mix(d, s->pcs[i + 3]);
    }
    for (; i < s->depth; i++)
        a = mix(a, s->pcs[i]);
    return mix(mix(mix(mix(1, a), b), c), d);
}

/* The number of the site, 0 if it is not there; `free_slot` is where its slot would be. */
static uint32_t look(struct index *x, uint64_t hash, uint64_t size, uint32_t *free_slot)
{
    uint32_t mask = (1u << x->bits) - 1;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        uint64_t slot = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        if (!slot) {
            *free_slot = i;
            return 0;
        }
        if ((slot ^ hash) >> 32)
            continue;
        const struct heaptab_site *s = sites_get((uint32_t)slot);
        if (s->hash == hash && s->size == size)
            return (uint32_t)slot;
    }
}

static struct index *make_index(uint32_t bits)
{
    size_t bytes = sizeof(struct index) + (sizeof(uint64_t) << bits);
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p < 0 && p > -4096)
        return NULL;
    struct index *x = (struct index *)p;
    x->bits = bits;
    mapped += bytes;
    return x;
}

/* Under the lock: the index to add to, which has room. NULL: no memory. */
static struct index *roomy_index(void)
{
    struct index *old = atomic_load_explicit(&current, memory_order_relaxed);
    if (old && count < 1u << (old->bits - 1))
        return old;
    struct index *x = make_index(old ? old->bits + 1 : FIRST_BITS);
    if (!x)
        return NULL;
    for (uint32_t i = 0; old && i < 1u << old->bits; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        uint32_t at;
        if (slot && !look(x, sites_get((uint32_t)slot)->hash, UINT64_MAX, &at))
            atomic_store_explicit(&x->slots[at], slot, memory_order_relaxed);
    }
    atomic_store_explicit(&current, x, memory_order_release);
    return x;
}

static uint32_t append(const struct heap_stack *s, uint64_t hash, uint64_t size)
{
    struct heaptab_site *to = heaptab_append(heap.tab, s->depth);
    if (!to)
        return 0;
    to->image = rt.image;
    to->epoch = s->epoch;
    to->flags = (uint16_t)s->flags;
    to->reason = s->reason;
    to->labels = s->labels;
    to->hash = hash;
    to->size = size;
    /* What was live at any peak before now: nothing. */
    atomic_store_explicit(&to->peak_id, atomic_load(&heap.tab->peak_id), memory_order_relaxed);
    for (uint32_t i = 0; i < s->depth; i++)
        to->pcs[i] = s->pcs[i];
    atomic_store_explicit(&to->ready, 1, memory_order_release);
    count++;
    return (uint32_t)(((unsigned char *)to - heap.tab->data) / 8) + 1;
}

static uint32_t add(const struct heap_stack *s, uint64_t hash, uint64_t size)
{
    uint32_t number = 0, at;
    lock();
    struct index *x = roomy_index();
    if (x)
        number = look(x, hash, size, &at);
    if (x && !number) {
        number = append(s, hash, size);
        if (number)
            atomic_store_explicit(&x->slots[at], (hash & ~0xffffffffull) | number,
                                  memory_order_release);
    }
    unlock();
    return number;
}

/* Where half of the log is full, sizes are put together, eight classes to a power of two. */
static uint64_t class_of(uint64_t size)
{
    int bits = 64 - __builtin_clzll(size | 1), low = bits - CLASSES_BITS - 1;
    return low > 0 ? ((size >> low) + 1) << low : size;
}

uint32_t sites_find(const struct heap_stack *s, uint64_t size)
{
    uint32_t at;
    if (atomic_load_explicit(&heap.tab->used, memory_order_relaxed) > heap.tab->size / 2)
        size = class_of(size);
    uint64_t hash = hash_stack(s, size);
    struct index *x = atomic_load_explicit(&current, memory_order_acquire);
    uint32_t number = x ? look(x, hash, size, &at) : 0;
    return number ? number : add(s, hash, size);
}

void sites_clear(void)
{
    struct index *x = atomic_load(&current);
    if (x)
        sigsafe_syscall2(SYS_munmap, x, sizeof(struct index) + (sizeof(uint64_t) << x->bits));
    atomic_store(&current, NULL);
    count = 0;
    mapped = 0;
    unlock();
}

uint64_t sites_memory(void)
{
    return mapped;
}
