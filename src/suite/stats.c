/* SPDX-License-Identifier: MIT
 *
 * The Mann–Whitney test: it asks nothing of the distribution of times, which have long tails and
 * steps, and one outlier cannot decide it. */
#include "suite/stats.h"
#include "base/sort.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_MAX = 30 };

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double *sorted(const double *values, uint32_t count)
{
    double *copy = malloc((count + 1) * sizeof *copy);
    if (!copy)
        abort();
    memcpy(copy, values, count * sizeof *copy);
    sort_list(copy, count, sizeof *copy, by_value);
    return copy;
}

double suite_stats_median(const double *values, uint32_t count)
{
    if (!count)
        return NAN;
    double *s = sorted(values, count);
    double median = (s[(count - 1) / 2] + s[count / 2]) / 2;
    free(s);
    return median;
}

/* The share of all orders of n and m values in which U is at most u. The number of orders with
 * U = u is f(n, m, u) = f(n-1, m, u-m) + f(n, m-1, u); shares instead of numbers keep it in range:
 * the last value is of the first sort with probability n / (n + m). */
static double exact_at_most(int n, int m, int u)
{
    static double share[EXACT_MAX + 1][EXACT_MAX + 1][EXACT_MAX * EXACT_MAX + 1];
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            for (int k = 0; k <= u; k++) {
                double *at = &share[i][j][k];
                if (!i || !j) {
                    *at = k == 0;
                    continue;
                }
                *at = (k >= j ? share[i - 1][j][k - j] * i : 0) + share[i][j - 1][k] * j;
                *at /= i + j;
            }
        }
    }
    double sum = 0;
    for (int k = 0; k <= u; k++)
        sum += share[n][m][k];
    return sum;
}

/* Sum of t^3 - t over groups of t equal values; 0 if there are none. */
static double tie_sum(const double *a, uint32_t n, const double *b, uint32_t m)
{
    double *all = malloc((n + m + 1) * sizeof *all), sum = 0;
    if (!all)
        abort();
    memcpy(all, a, n * sizeof *all);
    memcpy(all + n, b, m * sizeof *all);
    sort_list(all, n + m, sizeof *all, by_value);
    for (uint32_t i = 0, j; i < n + m; i = j) {
        for (j = i + 1; j < n + m && all[j] == all[i]; j++)
            ;
        double t = j - i;
        sum += t * t * t - t;
    }
    free(all);
    return sum;
}

static double normal_p(double u, double n, double m, double ties)
{
    double all = n + m, away = fabs(u - n * m / 2) - 0.5;
    double variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
    if (variance <= 0 || away <= 0)
        return 1;
    return erfc(away / sqrt(variance) / sqrt(2));
}

struct suite_comparison suite_stats_compare(const double *a, uint32_t a_count, const double *b,
                                            uint32_t b_count)
{
    struct suite_comparison c = {suite_stats_median(a, a_count), suite_stats_median(b, b_count), 1,
                                 0};
    if (!a_count || !b_count)
        return c;
    double above = 0, below = 0, pairs = (double)a_count * b_count;
    for (uint32_t i = 0; i < a_count; i++) {
        for (uint32_t j = 0; j < b_count; j++) {
            above += b[j] > a[i];
            below += b[j] < a[i];
        }
    }
    c.effect = (above - below) / pairs;
    double u = above + (pairs - above - below) / 2, ties = tie_sum(a, a_count, b, b_count);
    if (ties == 0 && a_count <= EXACT_MAX && b_count <= EXACT_MAX) {
        double smaller = u < pairs - u ? u : pairs - u;
        c.p = fmin(1, 2 * exact_at_most((int)a_count, (int)b_count, (int)smaller));
    } else {
        c.p = normal_p(u, a_count, b_count, ties);
    }
    return c;
}
