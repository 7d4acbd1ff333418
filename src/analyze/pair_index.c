/* SPDX-License-Identifier: MIT
 *
 * The columns beside base/map that merged trees are made with: a node is the pair of its parent and
 * its frame. Pairs are never removed. */
#include "analyze/pair_index.h"

enum { FIRST_CAP = 1024 };

void pair_index_init(struct pair_index *x, struct arena *arena)
{
    *x = (struct pair_index){.cap = FIRST_CAP};
    map_init(&x->map, arena, FIRST_CAP);
    x->pairs = arena_array(arena, FIRST_CAP, sizeof *x->pairs);
}

uint32_t pair_index_put(struct pair_index *x, uint32_t a, uint32_t b)
{
    uint64_t hash = hash_mix(0, (uint64_t)a << 32 | b);
    struct map_probe at = map_find(&x->map, hash);
    uint32_t i;
    while ((i = map_next(&x->map, &at)) != MAP_NONE)
        if (x->pairs[i].a == a && x->pairs[i].b == b)
            return i;
    if (x->count == x->cap) {
        if (x->cap >= 1u << 30)
            return UINT32_MAX;
        x->pairs = arena_grow(x->map.arena, x->pairs, x->cap * sizeof *x->pairs,
                              (size_t)x->cap * 2 * sizeof *x->pairs);
        x->cap *= 2;
    }
    x->pairs[x->count] = (struct pair){a, b};
    map_put(&x->map, hash, x->count);
    return x->count++;
}
