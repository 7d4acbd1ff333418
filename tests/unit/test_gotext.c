/* SPDX-License-Identifier: MIT
 *
 * Texts are the same bytes Go prints: durations, times, quoted strings, paths, numbers. */
#include "base/gotext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static struct buf start(void)
{
    struct buf out;
    buf_init(&out, &arena);
    return out;
}

static void durations_are_gos(void **state)
{
    static const struct {
        int64_t nanos;
        const char *text;
    } table[] = {
        {0, "0s"},
        {1, "1ns"},
        {1500, "1.5µs"},
        {2000000, "2ms"},
        {2602000000, "2.602s"},
        {60000000000, "1m0s"},
        {3661500000000, "1h1m1.5s"},
        {-1500, "-1.5µs"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf out = start();
        gotext_duration(&out, table[i].nanos);
        assert_string_equal(buf_cstr(&out), table[i].text);
    }
}

static void times_are_in_the_local_zone(void **state)
{
    setenv("TZ", "UTC", 1);
    struct buf out = start();
    gotext_time(&out, 1795252267123000000, true);
    assert_string_equal(buf_cstr(&out), "2026-11-21 09:11:07.123 +0000 UTC");
    out.len = 0;
    gotext_time(&out, 1795252267123000000, false);
    assert_string_equal(buf_cstr(&out), "2026-11-21 09:11:07 UTC");
    out.len = 0;
    gotext_time(&out, -1, true);
    assert_string_equal(buf_cstr(&out), "1969-12-31 23:59:59.999999999 +0000 UTC");
}

static void strings_are_quoted_as_gos_percent_q(void **state)
{
    struct buf out = start();
    static const char text[] = "a\"\\\n\x01\xff\u00e9\u2028";
    gotext_quote(&out, text, sizeof text - 1);
    assert_string_equal(buf_cstr(&out), "\"a\\\"\\\\\\n\\x01\\xff\u00e9\\u2028\"");
}

static void paths_are_cleaned(void **state)
{
    static const char *const table[][2] = {
        {"a/b/../c", "a/c"}, {"/../a//b/./", "/a/b"}, {"../../x", "../../x"}, {"a/..", "."},
        {"./a", "a"},        {"/", "/"},              {"a/../../b", "../b"},  {"", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf out = start();
        gotext_clean(&out, table[i][0], strlen(table[i][0]));
        assert_string_equal(buf_cstr(&out), table[i][1]);
    }
}

static void the_base_of_a_path_is_its_last_part(void **state)
{
    static const char *const table[][2] = {
        {"/a/b", "b"}, {"a", "a"}, {"/a/b//", "b"}, {"///", "/"}, {"", "."}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t len;
        const char *base = gotext_base(table[i][0], strlen(table[i][0]), &len);
        assert_int_equal(len, strlen(table[i][1]));
        assert_memory_equal(base, table[i][1], len);
    }
}

static void integers_are_read_as_go_reads_them(void **state)
{
    int64_t v;
    assert_int_equal(gotext_parse_int("-42", 10, &v), GOTEXT_OK);
    assert_int_equal(v, -42);
    assert_int_equal(gotext_parse_int("0x1F", 0, &v), GOTEXT_OK);
    assert_int_equal(v, 31);
    assert_int_equal(gotext_parse_int("017", 0, &v), GOTEXT_OK);
    assert_int_equal(v, 15);
    assert_int_equal(gotext_parse_int("1_000", 0, &v), GOTEXT_OK);
    assert_int_equal(v, 1000);
    assert_int_equal(gotext_parse_int("1_000", 10, &v), GOTEXT_SYNTAX);
    assert_int_equal(gotext_parse_int("1__0", 0, &v), GOTEXT_SYNTAX);
    assert_int_equal(gotext_parse_int("", 10, &v), GOTEXT_SYNTAX);
    assert_int_equal(gotext_parse_int("1x", 10, &v), GOTEXT_SYNTAX);
    assert_int_equal(gotext_parse_int("9223372036854775808", 10, &v), GOTEXT_RANGE);
    assert_int_equal(gotext_parse_int("-9223372036854775808", 10, &v), GOTEXT_OK);
}

static void floats_and_booleans_are_read_as_go_reads_them(void **state)
{
    double f;
    bool b;
    assert_int_equal(gotext_parse_float("1e-3", &f), GOTEXT_OK);
    assert_true(f == 1e-3);
    assert_int_equal(gotext_parse_float(".5", &f), GOTEXT_OK);
    assert_int_equal(gotext_parse_float("1e999", &f), GOTEXT_RANGE);
    assert_int_equal(gotext_parse_float(" 1", &f), GOTEXT_SYNTAX);
    assert_int_equal(gotext_parse_float("1f", &f), GOTEXT_SYNTAX);
    assert_int_equal(gotext_parse_bool("True", &b), GOTEXT_OK);
    assert_true(b);
    assert_int_equal(gotext_parse_bool("yes", &b), GOTEXT_SYNTAX);
}

static int release(void **state)
{
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_gos),
        cmocka_unit_test(times_are_in_the_local_zone),
        cmocka_unit_test(strings_are_quoted_as_gos_percent_q),
        cmocka_unit_test(paths_are_cleaned),
        cmocka_unit_test(the_base_of_a_path_is_its_last_part),
        cmocka_unit_test(integers_are_read_as_go_reads_them),
        cmocka_unit_test(floats_and_booleans_are_read_as_go_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
