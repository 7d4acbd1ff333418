/* SPDX-License-Identifier: MIT
 *
 * Numbers pairs of 32-bit integers in order of first use: (parent, frame) of a tree's nodes,
 * (function, file) of frames. */
#ifndef ANALYZE_PAIR_INDEX_H
#define ANALYZE_PAIR_INDEX_H

#include "base/map.h"

struct pair {
    uint32_t a, b;
};

struct pair_index {
    struct map map;
    struct pair *pairs; /* pairs[i] is the pair numbered i */
    uint32_t count, cap;
};

/* Memory comes from the arena; what growth leaves behind there is at most what is in use. */
void pair_index_init(struct pair_index *x, struct arena *arena);

/* The number of (a, b), a new one if it was never seen. UINT32_MAX when 2^30 pairs are in. */
uint32_t pair_index_put(struct pair_index *x, uint32_t a, uint32_t b);

#endif
