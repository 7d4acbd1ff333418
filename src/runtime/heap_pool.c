/* SPDX-License-Identifier: MIT
 *
 * Objects of the program's own pools: counted like those of malloc, with the pool's name as the
 * label `pool`. A pool's first object may have the address of the memory that the pool got from
 * malloc: in the table of live ones the two differ by a bit that no address has. */
#include "runtime/heap.h"

#define CALLER __builtin_return_address(0)

static const uint64_t POOL_BIT = 1ull << 47;

static _Atomic uint64_t live; /* sampled objects of pools; 0: nothing needs to be looked up */

static __attribute__((noinline, cold)) void sample(const void *p, size_t n, const char *pool,
                                                   const void *caller)
{
    const struct here_caller from = here_from(caller);
    if (!p || !heap_enter(n))
        return;
    unsigned before = strobe_label_push("pool", pool && *pool ? pool : "pool");
    if (heap_count_object((uint64_t)(uintptr_t)p | POOL_BIT, n, &from))
        heap_add(&live, 1);
    strobe_label_pop(before);
    heap_leave();
}

void strobe_alloc(const void *p, size_t n, const char *pool)
{
    if (HEAP_LIKELY(n < heap_self.left))
        heap_self.left -= n + 1;
    else
        sample(p, n, pool, CALLER);
}

void strobe_free(const void *p)
{
    struct heap_object was;
    if (HEAP_LIKELY(!atomic_load_explicit(&live, memory_order_relaxed)) || !p)
        return;
    if (heap_forget((void *)((uintptr_t)p | POOL_BIT), &was))
        heap_add(&live, (uint64_t)-1);
}
