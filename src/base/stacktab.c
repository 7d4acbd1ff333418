/* SPDX-License-Identifier: MIT
 *
 * The counting table of handlers. Two stacks are taken for equal when their 64-bit hashes are: with
 * 16 K entries the odds of one collision are below 1 in 10^11, and a writer can then add to an
 * entry whose words another thread is still copying. Called from signal handlers: atomics only. */
#include "base/stacktab.h"

#include "base/sigsafe.h"

#include <sys/mman.h>

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    return h ^ h >> 32;
}

static uint64_t hash_stack(const struct stacktab_key *key, const uint64_t *pcs)
{
    uint64_t h = mix((uint64_t)key->epoch << 32 | key->reason) ^
                 ((uint64_t)key->labels << 32 | (uint64_t)key->depth << 16 | key->flags);
    for (uint32_t i = 0; i < key->depth; i++)
        h = (h ^ pcs[i]) * 0x9e3779b97f4a7c15ull + (h >> 29);
    h = mix(h);
    return h ? h : 1;
}

static void lose(struct stacktab *t, uint64_t weight)
{
    atomic_fetch_add_explicit(&t->lost_samples, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->lost_points, weight, memory_order_relaxed);
}

/* Writes the stack of an entry that this caller has just claimed. An entry whose words do not fit
 * keeps its hash and is never ready: its weight is lost, that of later equal stacks as well, and
 * stacktab_lost counts it. */
static void publish(struct stacktab *t, struct stacktab_entry *e, const struct stacktab_key *key,
                    const uint64_t *pcs)
{
    uint32_t at = (uint32_t)(e - t->entries);
    atomic_fetch_or_explicit(&t->taken[at / 64], 1ull << at % 64, memory_order_relaxed);
    uint64_t first = atomic_fetch_add_explicit(&t->used_words, key->depth, memory_order_relaxed);
    if (first + key->depth > STACKTAB_WORDS)
        return;
    for (uint32_t i = 0; i < key->depth; i++)
        t->words[first + i] = pcs[i];
    e->first = (uint32_t)first;
    e->key = *key;
    atomic_store_explicit(&e->ready, 1, memory_order_release);
}

struct stacktab_entry *stacktab_add(struct stacktab *t, const struct stacktab_key *key,
                                    const uint64_t *pcs, uint64_t weight)
{
    uint64_t hash = hash_stack(key, pcs);
    for (uint32_t probe = 0; probe < 64; probe++) {
        struct stacktab_entry *e = &t->entries[(hash + probe) & (STACKTAB_ENTRIES - 1)];
        uint64_t seen = atomic_load_explicit(&e->hash, memory_order_relaxed);
        if (seen == 0 && atomic_compare_exchange_strong_explicit(
                             &e->hash, &seen, hash, memory_order_relaxed, memory_order_relaxed)) {
            publish(t, e, key, pcs);
            seen = hash;
        }
        if (seen == hash) {
            atomic_fetch_add_explicit(&e->weight, weight, memory_order_relaxed);
            return e;
        }
    }
    lose(t, weight);
    return NULL;
}

uint64_t stacktab_lost(const struct stacktab *t)
{
    uint64_t lost = atomic_load_explicit(&t->lost_points, memory_order_relaxed);
    for (uint32_t i = 0; (i = stacktab_next(t, i)) < STACKTAB_ENTRIES; i++)
        if (!atomic_load_explicit(&t->entries[i].ready, memory_order_acquire))
            lost += atomic_load_explicit(&t->entries[i].weight, memory_order_relaxed);
    return lost;
}

void stacktab_clear(struct stacktab *t)
{
    /* Private anonymous memory reads as zeros again, and is given back to the system. */
    sigsafe_syscall3(SYS_madvise, t, sizeof *t, MADV_DONTNEED);
}
