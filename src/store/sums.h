/* SPDX-License-Identifier: MIT
 *
 * Inside store/: adding up samples by key. Stacks are small integers, so the place of a stack
 * without labels is found by its number alone. */
#ifndef STORE_SUMS_H
#define STORE_SUMS_H

#include "base/map.h"
#include "store/block.h"

struct sums {
    struct arena arena;
    uint32_t types, count, cap;
    struct block_key *keys; /* in order of their first coming */
    int64_t *values;
    uint32_t *dense; /* place + 1 by stack */
    uint32_t dense_count;
    struct map others; /* with labels, or with a large number */
};

void sums_init(struct sums *s, uint32_t types);
void sums_free(struct sums *s);
/* Adds values (which wrap, as pprof's do). The samples have the same types. */
void sums_add(struct sums *s, const struct block_samples *more);
/* The same, and tells the place of each sample's key. */
void sums_add_places(struct sums *s, const struct block_samples *more, uint32_t *places);
/* Divides the types marked by `n` and rounds so that the sum of a type is that of its quotient. */
void sums_average(struct sums *s, const bool *levels, uint64_t n);

static inline struct block_samples sums_samples(const struct sums *s)
{
    return (struct block_samples){s->types, s->count, s->keys, s->values};
}

#endif
