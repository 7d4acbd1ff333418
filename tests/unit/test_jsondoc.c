/* SPDX-License-Identifier: MIT
 *
 * JSON of foreign profiles: values are found where they stand, decimals are exact, and what is
 * malformed is refused with its place. */
#include "profile/import/jsondoc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

/* Parses an exact copy, so that reading past the end is seen by a sanitizer. */
static const struct jsondoc *parse(const char *text, struct err *e)
{
    size_t n = strlen(text);
    char *copy = arena_alloc(&arena, n ? n : 1);
    memcpy(copy, text, n);
    return jsondoc_parse(&arena, copy, n, e);
}

static const struct jsondoc *good(const char *text)
{
    struct err e = {0};
    const struct jsondoc *v = parse(text, &e);
    if (!v)
        fail_msg("%s: %s", text, e.msg);
    return v;
}

static void values_are_found(void **state)
{
    const struct jsondoc *v = good(" {\"a\": [1, [2, {}], \"x\", null], \"b\":{\"c\":true}, "
                                   "\"a b\":[],\"d\":-0}\n");
    (void)state;
    const struct jsondoc *list = jsondoc_get(v, "a"), *at = jsondoc_first(list);
    assert_int_equal(jsondoc_count(list), 4);
    assert_int_equal(jsondoc_integer(at, 9), 1);
    at = jsondoc_next(list, at);
    assert_int_equal(jsondoc_count(at), 2);
    at = jsondoc_next(list, at);
    assert_true(jsondoc_equals(at, "x"));
    at = jsondoc_next(list, at);
    assert_true(jsondoc_is(at, JSONDOC_NULL));
    assert_int_equal(jsondoc_integer(at, -7), -7);
    assert_null(jsondoc_next(list, at));
    assert_true(jsondoc_is(jsondoc_get(jsondoc_get(v, "b"), "c"), JSONDOC_TRUE));
    assert_null(jsondoc_first(jsondoc_get(v, "a b")));
    assert_null(jsondoc_get(v, "none"));
    assert_null(jsondoc_get(list, "a"));
    assert_null(jsondoc_get(NULL, "a"));
}

static void decimals_are_exact(void **state)
{
    static const struct {
        const char *text;
        int scale;
        int64_t value;
    } table[] = {
        {"0", 3, 0},
        {"-12", 0, -12},
        {"1234567890123.457", 3, 1234567890123457},
        {"0.5", 0, 1},
        {"-0.5", 0, -1},
        {"0.49999", 0, 0},
        {"0.05", 0, 0},
        {"2.5e3", 0, 2500},
        {"25E-1", 1, 25},
        {"1e-300", 9, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775807", 0, -INT64_MAX},
        {"0.00000000000000000000000000000012", 32, 12},
        {"1234567890.12345678901234567890", 9, 1234567890123456789},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t v = 42;
        assert_true(jsondoc_decimal(good(table[i].text), table[i].scale, &v));
        assert_int_equal(v, table[i].value);
    }
    int64_t v;
    assert_false(jsondoc_decimal(good("9223372036854775808"), 0, &v));
    assert_false(jsondoc_decimal(good("1e400000"), 0, &v));
    assert_false(jsondoc_decimal(good("99999999999999999999999"), 0, &v));
    assert_false(jsondoc_decimal(good("\"1\""), 0, &v));
}

static void escapes_are_resolved(void **state)
{
    static const struct {
        const char *text, *meant;
    } table[] = {
        {"\"plain \xc3\xa9\"", "plain \xc3\xa9"},
        {"\"a\\\"b\\\\c\\/\\n\\t\"", "a\"b\\c/\n\t"},
        {"\"\\u00e9\\u2713\"", "\xc3\xa9\xe2\x9c\x93"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d!\"", "\xef\xbf\xbd!"},
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\u12\"", "\xef\xbf\xbd"
                      "12"},
        {"17.50", "17.50"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct jsondoc_text t = jsondoc_text(good(table[i].text), &arena);
        assert_int_equal(t.n, strlen(table[i].meant));
        assert_memory_equal(t.s, table[i].meant, t.n);
    }
    assert_null(jsondoc_text(good("[1]"), &arena).s);
}

static void what_is_malformed_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *reason;
    } table[] = {
        {"", "something that is no value at byte 0"},
        {"{\"a\":1", "no ',' or '}' at byte 6"},
        {"{\"a\" 1}", "no ':' at byte 5"},
        {"{1:2}", "no key at byte 1"},
        {"{\"a\":[1}", "no ',' or ']' at byte 7"},
        {"[1,]", "something that is no value at byte 3"},
        {"[\"a]", "a string without an end at byte 2"},
        {"[\"a\\\"]", "a string without an end at byte"},
        {"[-]", "an odd number at byte"},
        {"[1.]", "an odd number at byte"},
        {"[1e]", "an odd number at byte"},
        {"{} x", "something after the end at byte 3"},
        {"[nul]", "something that is no value at byte 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err e = {0};
        assert_null(parse(table[i].text, &e));
        if (!strstr(e.msg, table[i].reason))
            fail_msg("%s: %s", table[i].text, e.msg);
    }
}

/* What a program wrote until it died is read; every other cut is an error. */
static void only_the_outermost_list_may_be_cut(void **state)
{
    struct err e = {0};
    (void)state;
    assert_int_equal(jsondoc_count(good("[")), 0);
    assert_int_equal(jsondoc_count(good("[1, {\"a\":[]}")), 2);
    assert_int_equal(jsondoc_count(good("[1,\n")), 1);
    assert_null(parse("[[1", &e));
    assert_null(parse("{\"a\":[1", &e));
}

static void no_nesting_is_too_deep(void **state)
{
    enum { DEPTH = 1000000 };
    char *text = malloc(2 * DEPTH + 1);
    (void)state;
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    text[2 * DEPTH] = 0;
    const struct jsondoc *v = good(text);
    assert_int_equal(v->skip, DEPTH);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(what_is_malformed_is_refused_with_its_place),
        cmocka_unit_test(only_the_outermost_list_may_be_cut),
        cmocka_unit_test(no_nesting_is_too_deep),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
