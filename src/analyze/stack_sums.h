/* SPDX-License-Identifier: MIT
 *
 * What items cost that samples consist of: a graph's nodes, functions. Private to analyze/.
 *
 * flat is the sum over samples whose innermost item it is; cum over samples that have the item
 * anywhere, counted once each. Sums wrap, as in Go. */
#ifndef ANALYZE_STACK_SUMS_H
#define ANALYZE_STACK_SUMS_H

#include "profile/profile.h"

/* The items of location i, innermost first: items[first[i] .. first[i + 1]), at least one; numbers
 * below `count`, which is below 2^31. */
struct stack_items {
    const uint32_t *first, *items;
    uint32_t count;
};

struct stack_sums_options {
    uint32_t type; /* of samples: which value counts */
    bool mean;     /* value 0 is summed as well, as what divides it */
};

/* By item; the caller's, and added to. The last two are used with `mean` only. */
struct stack_sums {
    int64_t *flat, *cum, *flat_div, *cum_div;
};

void stack_sums_add(struct stack_sums *out, const struct profile *p,
                    const struct stack_items *items, const struct stack_sums_options *o);

#endif
