/* SPDX-License-Identifier: MIT
 *
 * Values are scaled, labelled and compared in percent by pprof's rules. */
#include "analyze/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void labels_are_pprofs(void **state)
{
    static const struct {
        int64_t value;
        const char *from, *to, *label;
    } table[] = {
        {0, "nanoseconds", "auto", "0"},
        {1500000, "nanoseconds", "auto", "1.50ms"},
        {10000000, "nanoseconds", "ms", "10ms"},
        {90000000000, "nanoseconds", "minutes", "90s"},
        {7200000000000, "ns", "auto", "2hrs"},
        {1, "ms", "hours", "0"},
        {1536, "bytes", "auto", "1.50kB"},
        {2048, "bytes", "mib", "2048B"},
        {-1536, "bytes", "auto", "-1.50kB"},
        {5, "count", "ms", "5ms"},
        {5, "count", "count", "5"},
        {5, "", "minimum", "5"},
        {3000, "milliGCU", "auto", "3GCU"},
        {1023, "KBytes", "auto", "1023kB"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arena arena = {0};
        struct buf out;
        buf_init(&out, &arena);
        unit_label(&out, table[i].value, table[i].from, table[i].to);
        assert_string_equal(buf_cstr(&out), table[i].label);
        arena_free(&arena);
    }
}

static void percentages_have_two_digits(void **state)
{
    static const struct {
        int64_t value, total;
        const char *text;
    } table[] = {
        {1, 1, "  100%"},     {9996, 10000, "  100%"}, {42, 100, "42.00%"},   {5, 1000, "  0.5%"},
        {-5, 1000, "  0.5%"}, {0, 5, "    0%"},        {5, 0, "    0%"},
        {1, 3500000, "2.9e-05%"},
        {3, 1, "300.00%"},    {1, 100, " 1.00%"},      {999, 100000, "    1%"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[UNIT_PERCENT_SIZE];
        assert_string_equal(unit_percent(text, table[i].value, table[i].total), table[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_pprofs),
        cmocka_unit_test(percentages_have_two_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
