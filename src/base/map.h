/* SPDX-License-Identifier: MIT
 *
 * From a 64-bit hash to dense 32-bit indexes: the one hash table of strobe. The table stores
 * indexes into an array that the caller owns, and compares 32 bits of the hash; the caller compares
 * the keys, so there are no callbacks and no copies of keys:
 *
 *     struct map_probe at = map_find(m, hash);
 *     while ((i = map_next(m, &at)) != MAP_NONE)
 *         if (equal(array[i], key))
 *             return i;
 *     map_put(m, hash, count++);
 *
 * Open addressing, linear probing, never more than half full:
 *     count * 2 <= mask + 1,  and some slot is free, so every probe ends.
 * Memory comes from an arena only. One thread at a time. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/arena.h"

#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map_slot {
    uint32_t tag;   /* the hash, folded to 32 bits; its low bits name the home slot */
    uint32_t index; /* MAP_NONE: free */
};

struct map {
    struct arena *arena;
    struct map_slot *slots;
    uint32_t mask; /* number of slots - 1 */
    uint32_t count;
};

struct map_probe {
    uint32_t slot, tag;
};

/* An empty map with room for `expected` entries without growing. 0, or -ENOMEM. */
int map_init(struct map *m, struct arena *arena, uint32_t expected);

/* Adds an index; does not look whether it is there. 0, or -ENOMEM (nullable arenas only). */
int map_put(struct map *m, uint64_t hash, uint32_t index);

static inline struct map_probe map_find(const struct map *m, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash ^ hash >> 32);
    return (struct map_probe){.slot = tag & m->mask, .tag = tag};
}

/* The next index whose hash may be equal, or MAP_NONE. */
static inline uint32_t map_next(const struct map *m, struct map_probe *at)
{
    for (;;) {
        struct map_slot s = m->slots[at->slot];
        at->slot = (at->slot + 1) & m->mask;
        if (s.index == MAP_NONE || s.tag == at->tag)
            return s.index;
    }
}

/* Mixes one word into a hash (the finalizer of MurmurHash3 on a running state): for keys that are a
 * few integers. Bytes are hashed with hash_bytes. */
static inline uint64_t hash_mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 29;
}

uint64_t hash_bytes(const void *p, size_t n);

#endif
