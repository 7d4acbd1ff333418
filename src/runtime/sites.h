/* SPDX-License-Identifier: MIT
 *
 * Finds stacks again in a log of base/heaptab.h, which heap profiles and those of waits keep each
 * of their own: a site is a stack with a number, an object's size or a kind of wait. */
#ifndef RUNTIME_SITES_H
#define RUNTIME_SITES_H

#include "base/heaptab.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>

/* Adds to a counter that all threads share. A process with one thread needs no locked instruction;
 * that there is only one does not change while it is in here. */
static inline uint64_t heap_add(_Atomic uint64_t *to, uint64_t n)
{
    uint64_t old;
    if (!__libc_single_threaded)
        return atomic_fetch_add_explicit(to, n, memory_order_relaxed);
    old = atomic_load_explicit(to, memory_order_relaxed);
    atomic_store_explicit(to, old + n, memory_order_relaxed);
    return old;
}

/* Takes a lock, or finds it taken. */
static inline bool heap_try_lock(_Atomic uint32_t *lock)
{
    if (!__libc_single_threaded)
        return !atomic_exchange_explicit(lock, 1, memory_order_acquire);
    bool was_free = !atomic_load_explicit(lock, memory_order_relaxed);
    atomic_store_explicit(lock, 1, memory_order_relaxed);
    return was_free;
}

struct sites_index;
struct here_caller;

/* All zero but for `tab` before the first site. */
struct sites {
    struct heaptab *tab;
    uint64_t tab_bytes; /* mapped, also what is only reserved */
    bool is_lent;       /* sites_use */
    _Atomic(struct sites_index *) current;
    _Atomic uint32_t locked;
    uint32_t count;
    uint64_t mapped; /* by the index */
};

/* A stack as it was walked. */
struct heap_stack {
    const uint64_t *pcs;
    uint64_t hash; /* unwind_hash() of pcs */
    uint64_t rate; /* of heap profiles */
    uint32_t depth, flags, reason, epoch, labels;
};

/* The site of a stack and a number, made if it is new; its number, or 0: there is no room. */
/* The same if it is there already, else 0; pcs are not needed. */
uint32_t sites_look(struct sites *in, const struct heap_stack *s, uint64_t size);
uint32_t sites_find(struct sites *in, const struct heap_stack *s, uint64_t size);
static inline struct heaptab_site *sites_get(const struct sites *in, uint32_t number)
{
    return (struct heaptab_site *)(in->tab->data + (uint64_t)(number - 1) * 8);
}
/* Gives the log its memory: private, or, where `offset` is not 0, that part of the recorder's
 * segment. Fewer bytes where address space is short. What an image before has left in it stays. 0
 * or -ENOMEM. */
int sites_map(struct sites *in, uint64_t bytes, uint64_t offset);
/* The same, private, with address space for `reserved` bytes where it is not limited; they are for
 * sites_widen, after which the log has them all. */
int sites_map_reserved(struct sites *in, uint64_t bytes, uint64_t reserved);
void sites_widen(struct sites *in);
/* The same in memory that somebody else has mapped, and that is zeroed. */
void sites_use(struct sites *in, void *memory, uint64_t bytes);
/* In a forked child: forgets the log and its index, which are the parent's. */
void sites_clear(struct sites *in);
/* The site after s (NULL: the first) of this image, or NULL. */
const struct heaptab_site *sites_next(const struct sites *in, const struct heaptab_site *s);
uint64_t sites_count(const struct sites *in);
/* Bytes that all of it takes. */
uint64_t sites_memory(const struct sites *in);

/* ---- heap_stack.c ---- */

/* Walks the calling thread's stack, from the frame on that our interposer returns to at `caller`
 * (`ours`: from our interposer on), and finds its site. 0: there was no room. */
uint32_t sites_here(struct sites *in, uint64_t size, const void *caller, bool ours);
/* The same for an object that was sampled at a rate. */
uint32_t sites_here_at_rate(struct sites *in, uint64_t size, const struct here_caller *caller,
                            uint64_t rate);

#endif
