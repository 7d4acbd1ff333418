/* SPDX-License-Identifier: MIT
 *
 * Parts of the driver: options as text, and what is done to dot's SVG. Command lines and the shell
 * are compared with pprof's in tests/golden. */
#include "report/settings.h"
#include "pprof/svg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int begin(void **state)
{
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    arena_free(&arena);
    return 0;
}

static const char *get(struct settings *s, const char *name)
{
    const char *choice;
    struct buf out;
    buf_init(&out, &arena);
    settings_get(s, settings_find(name, &choice), &out);
    return buf_cstr(&out);
}

static void options_are_set_by_text_and_read_back(void **state)
{
    static const char *const cases[][3] = {
        {"nodecount", "12", "12"},
        {"nodefraction", "1e-3", "0.001"},
        {"edgefraction", "1e-7", "1e-07"},
        {"divide_by", "1e21", "1e+21"},
        {"divide_by", "3", "3"},
        {"trim", "No", "false"},
        {"mean", "", "true"},
        {"granularity", "lines", "lines"},
        {"focus", "a b", "a b"},
        {"sort", "cum", "cum"},
    };
    struct settings s;
    struct err e;
    const char *choice;
    settings_default(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct option *o = settings_find(cases[i][0], &choice);
        assert_int_equal(settings_set(&s, o, cases[i][1], &e), 0);
        assert_string_equal(get(&s, cases[i][0]), cases[i][2]);
    }
}

static void a_value_that_does_not_fit_changes_nothing(void **state)
{
    static const char *const cases[][3] = {
        {"nodecount", "x", "strconv.Atoi: parsing \"x\": invalid syntax"},
        {"nodecount", "99999999999999999999",
         "strconv.Atoi: parsing \"99999999999999999999\": value out of range"},
        {"divide_by", "1,5", "strconv.ParseFloat: parsing \"1,5\": invalid syntax"},
        {"trim", "maybe", "illegal value \"maybe\" for bool variable"},
        {"granularity", "line", "invalid \"granularity\" value \"line\""},
    };
    struct settings s, before;
    struct err e;
    const char *choice;
    settings_default(&s);
    before = s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct option *o = settings_find(cases[i][0], &choice);
        assert_true(settings_set(&s, o, cases[i][1], &e) < 0);
        assert_string_equal(e.msg, cases[i][2]);
        assert_memory_equal(&s, &before, sizeof s);
    }
}

static void a_choice_is_found_by_its_own_name(void **state)
{
    const char *choice;
    assert_string_equal(settings_find("addresses", &choice)->name, "granularity");
    assert_string_equal(choice, "addresses");
    assert_string_equal(settings_find("granularity", &choice)->name, "granularity");
    assert_null(choice);
    assert_null(settings_find("nosuch", &choice));
}

static const char *massaged(const char *svg)
{
    struct buf out;
    buf_init(&out, &arena);
    svg_massage(&out, svg, strlen(svg));
    return buf_cstr(&out);
}

static void a_picture_fills_its_window_and_moves(void **state)
{
    const char *out =
        massaged("<svg width=\"8pt\" height=\"9pt\"\n viewBox=\"0 0 8 9\" xmlns=\"x\">"
                 "<g id=\"graph0\">a &; b</g></svg>");
    assert_ptr_equal(strstr(out, "<svg width=\"100%\" height=\"100%\" xmlns=\"x\">"), out);
    const char *script = strstr(out, "<script"), *view = strstr(out, "<g id=\"viewport\"");
    assert_true(script && view && script < view);
    assert_non_null(strstr(view, "<g id=\"graph0\">a &amp;; b</g></g></svg>"));
}

static void what_is_no_picture_of_dot_stays(void **state)
{
    assert_string_equal(massaged("plain"), "plain");
    assert_string_equal(massaged(""), "");
    assert_string_equal(massaged("<svg width=\"\" height=\"1\" viewBox=\"2\">"),
                        "<svg width=\"\" height=\"1\" viewBox=\"2\">");
}

static const char *only_focus(void *arg, const char *name)
{
    return strcmp(name, "f") ? NULL : (const char *)arg;
}

static void settings_become_an_address_and_come_back(void **state)
{
    struct settings s, again;
    struct settings_params q = {0};
    struct buf text;
    struct err e;
    settings_default(&s);
    s.focus = "a b+c";
    s.trim = false;
    s.edgefraction = 1e-7;
    settings_params_add(&q, &arena, "x", "2");
    settings_params_add(&q, &arena, "x", "1");
    settings_params_add(&q, &arena, "n", "5");
    settings_params_add(&q, &arena, "f", "old");
    assert_true(settings_to_url(&s, &q, &arena));
    assert_false(settings_to_url(&s, &q, &arena));
    buf_init(&text, &arena);
    settings_params_encode(&q, &text);
    assert_string_equal(buf_cstr(&text), "ef=1e-07&f=a+b%2Bc&trim=f&x=2&x=1");
    settings_default(&again);
    assert_int_equal(settings_from_url(&again, only_focus, (void *)"main", &e), 0);
    assert_string_equal(again.focus, "main");
    assert_true(again.trim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options_are_set_by_text_and_read_back, begin, end),
        cmocka_unit_test_setup_teardown(settings_become_an_address_and_come_back, begin, end),
        cmocka_unit_test_setup_teardown(a_value_that_does_not_fit_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_choice_is_found_by_its_own_name, begin, end),
        cmocka_unit_test_setup_teardown(a_picture_fills_its_window_and_moves, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_picture_of_dot_stays, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
