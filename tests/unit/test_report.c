/* SPDX-License-Identifier: MIT
 *
 * Parts of the reports that have a rule of their own: names in pictures, columns of tags, the order
 * that Go's sort leaves. Whole reports are compared with pprof's in tests/golden. */
#include "analyze/gosort.h"
#include "report/short_name.h"
#include "report/tabwriter.h"

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

static const char *shortened(const char *name)
{
    struct buf out;
    buf_init(&out, &arena);
    short_name(&out, name, strlen(name));
    return buf_cstr(&out);
}

static void names_lose_what_a_picture_can_spare(void **state)
{
    static const char *const cases[][2] = {
        {"main.main", "main.main"},
        {"github.com/blah/foo.Bar", "foo.Bar"},
        {"github.com/some-org/a.b/v3/pkg.(*T).M", "pkg.(*T).M"},
        {"example.com/lib/v2.Func", "lib.Func"},
        {"example.com/lib/v1.Func", "v1.Func"},
        {"encoding/json.Marshal", "json.Marshal"},
        {"no/dots/here", "no/dots/here"},
        {"java.util.HashMap.put(Object, Object)", "HashMap.put"},
        {"com.acme.Outer$Inner.<init>", "Outer$Inner.<init>"},
        {"com.acme.Cls.lambda$run$0", "Cls.lambda$run$0"},
        {"com.acme.Cls.Field", "com.acme.Cls.Field"},
        {"ns::inner::Class::method", "Class::method"},
        {"ns::Class::~Class", "Class::~Class"},
        {"ns::Class::get<A, B<C>>(int)", "Class::get<A, B<C>>"},
        {"(anonymous namespace)::Class::run", "Class::run"},
        {"lower::case::names", "lower::case::names"},
        {"_ns::__Cls::operator", "__Cls::operator"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(shortened(cases[i][0]), cases[i][1]);
}

static const char *laid_out(const char *text)
{
    static struct out out;
    struct buf result;
    buf_init(&result, &arena);
    out_init_text(&out, &result);
    tabwriter_print(&out, text, strlen(text));
    assert_int_equal(out_finish(&out), 0);
    return buf_cstr(&result);
}

static void columns_are_runs_of_lines_that_have_the_cell(void **state)
{
    assert_string_equal(laid_out("key:\t Total\n \t10ms:\t a\n \t7s:\t b\n\n"),
                        " key: Total\n      10ms: a\n        7s: b\n\n");
    /* A line without cells parts two runs. */
    assert_string_equal(laid_out("a\tx\nlonger\ty\nno cell\nb\tz\n"),
                        "      ax\n longery\nno cell\n bz\n");
    /* Widths are characters, not bytes. */
    assert_string_equal(laid_out("日本\tx\nabc\ty\n"), "  日本x\n abcy\n");
    assert_string_equal(laid_out(""), "");
}

struct pair {
    int key, place;
};

static bool key_less(const void *a, const void *b, const void *context)
{
    return ((const struct pair *)a)->key < ((const struct pair *)b)->key;
}

static void sorted_runs_of_any_length_are_sorted(void **state)
{
    unsigned seed = 7;
    for (size_t n = 0; n < 400; n = n * 5 / 4 + 1) {
        for (int shape = 0; shape < 4; shape++) {
            struct pair *pairs = calloc(n + 1, sizeof *pairs);
            for (size_t i = 0; i < n; i++) {
                seed = seed * 1103515245 + 12345;
                int random = (int)(seed >> 16) % 50;
                int keys[] = {random, (int)i, (int)(n - i), (int)i / 7 + (random == 0)};
                pairs[i] = (struct pair){keys[shape], (int)i};
            }
            gosort(&(struct gosort){(char *)pairs, sizeof *pairs, key_less, NULL}, n);
            long sum = 0;
            for (size_t i = 0; i < n; i++) {
                assert_true(!i || pairs[i - 1].key <= pairs[i].key);
                sum += pairs[i].place;
            }
            assert_int_equal(sum, n ? (long)n * (long)(n - 1) / 2 : 0);
            free(pairs);
        }
    }
}

/* What sort.Sort of Go 1.26 leaves of 20 elements with keys i % 3. */
static void equal_elements_stand_where_go_leaves_them(void **state)
{
    static const int expected[] = {9,  18, 15, 3,  12, 0, 6,  10, 7, 4,
                                   13, 16, 1,  19, 8,  5, 11, 14, 2, 17};
    struct pair pairs[20];
    for (int i = 0; i < 20; i++)
        pairs[i] = (struct pair){i % 3, i};
    gosort(&(struct gosort){(char *)pairs, sizeof *pairs, key_less, NULL}, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(pairs[i].place, expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_lose_what_a_picture_can_spare, begin, end),
        cmocka_unit_test_setup_teardown(columns_are_runs_of_lines_that_have_the_cell, begin, end),
        cmocka_unit_test(sorted_runs_of_any_length_are_sorted),
        cmocka_unit_test(equal_elements_stand_where_go_leaves_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
