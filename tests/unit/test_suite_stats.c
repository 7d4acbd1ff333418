/* SPDX-License-Identifier: MIT
 *
 * The numbers `strobe suite compare` goes by, against R's wilcox.test and counting by hand. */
#include "suite/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void near(double got, double want)
{
    if (fabs(got - want) > 1e-6)
        fail_msg("%.9f is not %.9f", got, want);
}

/* 2 of the 70 orders of four and four are as extreme. */
static void four_against_four_apart_is_significant(void **state)
{
    double a[] = {3, 1, 4, 2}, b[] = {8, 6, 5, 7};
    struct suite_comparison c = suite_stats_compare(a, 4, b, 4);
    near(c.p, 2.0 / 70);
    near(c.effect, 1);
    near(c.median_a, 2.5);
    near(c.median_b, 6.5);
    near(suite_stats_compare(b, 4, a, 4).p, 2.0 / 70);
    near(suite_stats_compare(b, 4, a, 4).effect, -1);
}

static void three_against_three_never_is(void **state)
{
    double a[] = {1, 2, 3}, b[] = {4, 5, 6};
    near(suite_stats_compare(a, 3, b, 3).p, 0.1);
}

static void overlapping_samples_match_a_count_of_all_orders(void **state)
{
    double a[] = {1.1, 2.2, 5.5, 3.3, 9.1}, b[] = {4.4, 6.6, 7.7, 8.8, 10.2, 0.5};
    near(suite_stats_compare(a, 5, b, 6).p, 0.42857142857);
}

/* wilcox.test(c(1,2,2,3), c(2,3,4,4)): W = 2.5, with continuity correction. U - mean = 5.5, its
 * variance 16/12 * (9 - (24 + 6 + 6) / 56). */
static void ties_are_corrected_for(void **state)
{
    double a[] = {1, 2, 2, 3}, b[] = {2, 3, 4, 4};
    double z = (5.5 - 0.5) / sqrt(16.0 / 12 * (9 - 36.0 / 56));
    near(suite_stats_compare(a, 4, b, 4).p, erfc(z / sqrt(2)));
}

static void equal_samples_do_not_differ(void **state)
{
    double a[] = {5, 5, 5, 5}, b[] = {5, 5, 5, 5, 5};
    struct suite_comparison c = suite_stats_compare(a, 4, b, 5);
    near(c.p, 1);
    near(c.effect, 0);
}

static void nothing_cannot_be_compared(void **state)
{
    double a[] = {1};
    struct suite_comparison c = suite_stats_compare(a, 1, a, 0);
    near(c.p, 1);
    assert_true(isnan(c.median_b));
}

/* Where both are made, the exact value and the approximation agree. */
static void many_values_are_approximated(void **state)
{
    double a[31], b[31];
    for (int i = 0; i < 31; i++) {
        a[i] = i * 2;
        b[i] = i * 2 + 9;
    }
    double exact = suite_stats_compare(a, 30, b, 30).p, many = suite_stats_compare(a, 31, b, 31).p;
    assert_true(exact > 0.02 && exact < 0.1);
    assert_true(fabs(exact - many) < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_against_four_apart_is_significant),
        cmocka_unit_test(three_against_three_never_is),
        cmocka_unit_test(overlapping_samples_match_a_count_of_all_orders),
        cmocka_unit_test(ties_are_corrected_for),
        cmocka_unit_test(equal_samples_do_not_differ),
        cmocka_unit_test(nothing_cannot_be_compared),
        cmocka_unit_test(many_values_are_approximated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
