/* SPDX-License-Identifier: MIT
 *
 * What somebody may have meant: one slip in a short word, two in a longer one, or its beginning. */
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const known[] = {"focus",     "ignore",       "hide", "show",
                                    "show_from", "sample_index", "top",  "F"};

static const char *meant(const char *word)
{
    struct nearest n = nearest_to(word, strlen(word));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        nearest_see(&n, known[i], strlen(known[i]));
    if (n.best)
        assert_int_equal(n.best_len, strlen(n.best));
    return n.best ? n.best : "";
}

static void test_slips_are_found(void **state)
{
    assert_string_equal(meant("fcous"), "focus");   /* swapped */
    assert_string_equal(meant("ocus"), "focus");    /* left out */
    assert_string_equal(meant("foccus"), "focus");  /* twice */
    assert_string_equal(meant("fokus"), "focus");   /* another */
    assert_string_equal(meant("igmroe"), "ignore"); /* two slips in a longer word */
    assert_string_equal(meant("tpo"), "top");
}

static void test_beginnings_are_found(void **state)
{
    assert_string_equal(meant("sample"), "sample_index");
    assert_string_equal(meant("ig"), "ignore");
}

static void test_other_words_are_not_near(void **state)
{
    assert_string_equal(meant("foo"), "");
    assert_string_equal(meant("verbose"), "");
    assert_string_equal(meant("f"), ""); /* a letter says too little */
    assert_string_equal(meant(""), "");
    assert_string_equal(meant("top"), ""); /* is there, and was not meant */
    assert_string_equal(meant("a_word_that_is_longer_than_all_that_are_looked_at"), "");
}

static void test_the_nearest_wins(void **state)
{
    assert_string_equal(meant("shw"), "show"); /* not show_from */
    assert_string_equal(meant("show_fro"), "show_from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slips_are_found),
        cmocka_unit_test(test_beginnings_are_found),
        cmocka_unit_test(test_other_words_are_not_near),
        cmocka_unit_test(test_the_nearest_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
