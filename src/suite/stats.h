/* SPDX-License-Identifier: MIT
 *
 * Before and after: are they different, and by how much. */
#ifndef SUITE_STATS_H
#define SUITE_STATS_H

#include <stdint.h>

struct suite_comparison {
    double median_a, median_b;
    double p;      /* two-sided, of the Mann–Whitney U test; 1 if a side is empty */
    double effect; /* Cliff's delta: P(b > a) - P(b < a), from -1 to 1 */
};

double suite_stats_median(const double *values, uint32_t count);

/* Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than
 * the other" (1947): exact where there are no equal values and at most 30 on each side, else by
 * the normal approximation with correction for ties and continuity, as R's wilcox.test does. */
struct suite_comparison suite_stats_compare(const double *a, uint32_t a_count, const double *b,
                                            uint32_t b_count);

#endif
