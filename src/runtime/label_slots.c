/* SPDX-License-Identifier: MIT
 *
 * Which thread has which labels, by the kernel's thread id: an open hash table that handlers read.
 * A slot is taken by the thread it is for, and only that thread gives it back, so that there are
 * never two of one thread. Slots that were given back stay in the way of those who look, because
 * another thread's may lie behind them, and are taken again by who comes next.
 *
 * The memory is wiped in forked children, of whatever kind: their threads have other ids. */
#include "runtime/labels.h"

enum { PROBES = 32 };

static _Atomic(struct label_slot *) slots;

static uint32_t home(uint32_t tid)
{
    return (uint32_t)((tid * 0x9e3779b97f4a7c15ull) >> 32);
}

static struct label_slot *find(struct label_slot *all, uint32_t tid)
{
    for (uint32_t i = 0; i < PROBES; i++) {
        struct label_slot *s = &all[(home(tid) + i) & (LABEL_SLOTS - 1)];
        uint32_t seen = atomic_load_explicit(&s->tid, memory_order_acquire);
        if (seen == tid)
            return s;
        if (!seen)
            return NULL;
    }
    return NULL;
}

uint32_t labels_in(const struct label_slot *all, uint32_t tid)
{
    const struct label_slot *s = find((struct label_slot *)all, tid);
    return s ? atomic_load_explicit(&s->set, memory_order_relaxed) : 0;
}

uint32_t labels_of(uint32_t tid)
{
    const struct label_slot *all = atomic_load_explicit(&slots, memory_order_acquire);
    return all ? labels_in(all, tid) : 0;
}

void label_slots_move(struct label_slot *memory)
{
    atomic_store_explicit(&slots, memory, memory_order_release);
}

struct label_slot *label_slots_take(uint32_t tid)
{
    struct label_slot *all = atomic_load_explicit(&slots, memory_order_acquire);
    struct label_slot *s = all ? find(all, tid) : NULL;
    for (uint32_t i = 0; all && !s && i < PROBES; i++) {
        struct label_slot *at = &all[(home(tid) + i) & (LABEL_SLOTS - 1)];
        uint32_t seen = atomic_load_explicit(&at->tid, memory_order_relaxed);
        if ((!seen || seen == LABEL_SLOT_FREE) &&
            atomic_compare_exchange_strong_explicit(&at->tid, &seen, tid, memory_order_acq_rel,
                                                    memory_order_relaxed))
            s = at;
    }
    return s;
}

void label_slots_give_back(struct label_slot *s)
{
    atomic_store_explicit(&s->set, 0, memory_order_relaxed);
    atomic_store_explicit(&s->tid, LABEL_SLOT_FREE, memory_order_release);
}

bool label_slots_begin(struct label_slot *memory)
{
    struct label_slot *none = NULL;
    return atomic_compare_exchange_strong(&slots, &none, memory);
}

bool label_slots_exist(void)
{
    return atomic_load_explicit(&slots, memory_order_relaxed) != NULL;
}
