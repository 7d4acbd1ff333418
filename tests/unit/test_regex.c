/* SPDX-License-Identifier: MIT
 *
 * Regular expressions are Go's: what they match, and what is wrong with those that are none. The
 * expected texts were printed by Go's regexp package. */
#include "base/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const char *pattern, const char *text)
{
    struct err e = {0};
    struct regex *re = regex_compile(pattern, strlen(pattern), &e);
    if (!re)
        fail_msg("%s: %s", pattern, e.msg);
    bool found = regex_matches(re, text, strlen(text));
    regex_free(re);
    return found;
}

static void errors_are_gos(void **state)
{
    static const struct {
        const char *pattern, *error;
    } table[] = {
        {"(", "missing closing ): `(`"},
        {"a(b", "missing closing ): `a(b`"},
        {")", "unexpected ): `)`"},
        {"a)b", "unexpected ): `a)b`"},
        {"*a", "missing argument to repetition operator: `*`"},
        {"a|*", "missing argument to repetition operator: `*`"},
        {"(+x)", "missing argument to repetition operator: `+`"},
        {"^*?{2}", "invalid nested repetition operator: `*?{2}`"},
        {"a**", "invalid nested repetition operator: `**`"},
        {"a+++", "invalid nested repetition operator: `++`"},
        {"[a", "missing closing ]: `[a`"},
        {"x[", "missing closing ]: `[`"},
        {"[]a", "missing closing ]: `[]a`"},
        {"[z-a]", "invalid character class range: `z-a`"},
        {"[[:foo:]]", "invalid character class range: `[:foo:]`"},
        {"\\p{Klingon}", "invalid character class range: `\\p{Klingon}`"},
        {"a\\", "trailing backslash at end of expression: ``"},
        {"\\8", "invalid escape sequence: `\\8`"},
        {"\\1", "invalid escape sequence: `\\1`"},
        {"\\Z", "invalid escape sequence: `\\Z`"},
        {"\\C", "invalid escape sequence: `\\C`"},
        {"\\xg0", "invalid escape sequence: `\\xg0`"},
        {"(?=x)", "invalid or unsupported Perl syntax: `(?=`"},
        {"(?<=x)", "invalid named capture: `(?<=x)`"},
        {"(?<!x)y", "invalid named capture: `(?<!x)y`"},
        {"(?i", "invalid or unsupported Perl syntax: `(?i`"},
        {"(?-)", "invalid or unsupported Perl syntax: `(?-)`"},
        {"(?P<n", "invalid named capture: `(?P<n`"},
        {"(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"},
        {"a{1001}", "invalid repeat count: `{1001}`"},
        {"a{3,2}", "invalid repeat count: `{3,2}`"},
        {"(a{100}){100}", "invalid repeat count: `{100}`"},
        {"a\xff", "invalid UTF-8: `\xff`"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err e = {0};
        char want[200];
        snprintf(want, sizeof want, "error parsing regexp: %s", table[i].error);
        assert_null(regex_compile(table[i].pattern, strlen(table[i].pattern), &e));
        assert_string_equal(e.msg, want);
    }
}

static void syntax_is_gos(void **state)
{
    assert_true(matches("", "anything"));
    assert_true(matches("(?P<name>ma)in", "main"));
    assert_true(matches("(?i)MAIN", "main"));
    assert_true(matches("(?i:M)ain", "main"));
    assert_false(matches("(?i:M)AIN", "main"));
    assert_true(matches("a(?i)b|c", "B aB"));
    assert_true(matches("\\Q*(\\E", "f*(x"));
    assert_true(matches("x\\Qa.b", "xa.b"));
    assert_true(matches("a{,2}", "a{,2}"));
    assert_true(matches("\\x{6d}ain\\x21", "main!"));
    assert_true(matches("\\101", "A"));
    assert_true(matches("^*a", "ba"));
    assert_true(matches("(?U)a+?", "aaa"));
    assert_true(matches("[]a]", "]"));
    assert_true(matches("[^[:alpha:]\\d]", "a1_"));
    assert_false(matches("^[[:^alpha:]]$", "a"));
    assert_true(matches("\\p{Greek}\\pL", "αb"));
    assert_false(matches("\\P{Greek}", "α"));
}

static void newlines_and_spaces_are_gos(void **state)
{
    assert_false(matches("a$", "a\n"));
    assert_true(matches("(?m)a$", "a\nb"));
    assert_true(matches("(?m)^$", "a\n"));
    assert_false(matches("a.b", "a\nb"));
    assert_true(matches("(?s)a.b", "a\nb"));
    assert_false(matches("\\s", "\v"));
    assert_true(matches("\\v", "\v"));
    assert_false(matches("\\v", "\n"));
    assert_true(matches("[^a]", "\n"));
    assert_true(matches("a\\z", "ba"));
}

static void classes_fold_by_unicode_before_they_are_negated(void **state)
{
    assert_true(matches("(?i)\\w", "\u017f"));
    assert_false(matches("(?i)\\W", "\u017f"));
    assert_false(matches("(?i)\\W", "s"));
    assert_true(matches("\\W", "\u017f"));
    assert_true(matches("(?i)k", "\u212a"));
    assert_false(matches("(?i)[^k]", "\u212a"));
}

static void bytes_that_are_no_utf8_count_as_one_character(void **state)
{
    assert_true(matches("^a.b$", "a\xff" "b"));
    assert_true(matches("^a\\x{fffd}b$", "a\xff" "b"));
    assert_false(matches("^ab$", "a\xff" "b"));
}

static void no_pattern_runs_for_ever(void **state)
{
    char text[65];
    memset(text, 'a', 64);
    text[64] = 0;
    assert_false(matches("^(a+)+$b", text));
    assert_false(matches("^(a|aa)+!$", text));
    assert_true(matches("^(a|aa)+$", text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_gos),
        cmocka_unit_test(syntax_is_gos),
        cmocka_unit_test(newlines_and_spaces_are_gos),
        cmocka_unit_test(classes_fold_by_unicode_before_they_are_negated),
        cmocka_unit_test(bytes_that_are_no_utf8_count_as_one_character),
        cmocka_unit_test(no_pattern_runs_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
