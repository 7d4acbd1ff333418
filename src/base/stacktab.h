/* SPDX-License-Identifier: MIT
 *
 * A lock-free table that counts equal stacks: what a handler writes to when no recorder drains it.
 * Fixed size, made once; insertion is wait-free but for a bounded probe, allocates nothing and may
 * be interrupted or killed anywhere. Stacks are never removed. */
#ifndef BASE_STACKTAB_H
#define BASE_STACKTAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STACKTAB_ENTRIES 16384u     /* distinct stacks, a power of two */
#define STACKTAB_WORDS   (1u << 20) /* 8 MiB of program counters, touched as they are used */

/* What makes two samples the same stack, besides the program counters. */
struct stacktab_key {
    uint16_t depth, flags; /* flags: enum shm_sample_flags */
    uint32_t reason, epoch;
    uint32_t labels; /* of the thread, in the owner's numbers; 0: none */
};

struct stacktab_entry {
    _Atomic uint64_t hash;   /* 0 = empty; taken by compare-and-swap */
    _Atomic uint64_t weight; /* sampling points */
    _Atomic uint32_t ready;  /* 1 once key and first are written (release) */
    uint32_t first;          /* of its program counters in words */
    struct stacktab_key key;
};

struct stacktab {
    _Atomic uint64_t used_words;
    _Atomic uint64_t lost_samples, lost_points;    /* the table was full */
    _Atomic uint64_t taken[STACKTAB_ENTRIES / 64]; /* a bit for each entry */
    struct stacktab_entry entries[STACKTAB_ENTRIES];
    uint64_t words[STACKTAB_WORDS];
};

/* Adds `weight` points to the stack. Zeroed memory is an empty table. Handler-safe. Returns its
 * entry, which stays; NULL: they are lost. */
struct stacktab_entry *stacktab_add(struct stacktab *t, const struct stacktab_key *key,
                                    const uint64_t *pcs, uint64_t weight);

/* The first entry from number `i` on that was ever taken; STACKTAB_ENTRIES: none. Whoever reads a
 * table goes from one to the next: to look at all of a shared one would give it all of its memory.
 */
static inline uint32_t stacktab_next(const struct stacktab *t, uint32_t i)
{
    for (; i < STACKTAB_ENTRIES; i = (i | 63) + 1) {
        uint64_t bits = atomic_load_explicit(&t->taken[i / 64], memory_order_relaxed) >> i % 64;
        if (bits)
            return i + (uint32_t)__builtin_ctzll(bits);
    }
    return STACKTAB_ENTRIES;
}

/* Points that were added and cannot be read back. Exact while nobody adds. */
uint64_t stacktab_lost(const struct stacktab *t);

/* Empties it. No handler may be at work on it; it must begin at a page (mmap). */
void stacktab_clear(struct stacktab *t);

#endif
