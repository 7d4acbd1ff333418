/* SPDX-License-Identifier: MIT
 *
 * Calls that go past us, tried on those that libcmocka makes of malloc. They go past the malloc of
 * the runtime in this program to libc's already; here libc's plays ours, and one more is behind. */
#include "runtime/bypass.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h> /* cmocka.h wants it before itself */
#include <stdint.h>

#include <cmocka.h>

static int counted;
static void *(*libc_malloc)(size_t);

static void *counting_malloc(size_t n)
{
    counted++;
    return libc_malloc(n);
}

/* How many calls of malloc libcmocka makes for one of ours. */
static int calls(void)
{
    counted = 0;
    void *p = test_malloc(10);
    test_free(p);
    return counted;
}

static struct bypass row(void)
{
    void *ours = dlsym(RTLD_NEXT, "malloc");
    __builtin_memcpy(&libc_malloc, &ours, sizeof ours);
    return (struct bypass){"malloc", ours, (void *)counting_malloc};
}

static void calls_go_past_us_and_come_back(void **state)
{
    (void)state;
    struct bypass r = row();
    bypass_note_start();
    for (int i = 0; i < 3; i++) {
        bypass_open(&r, 1);
        assert_true(calls() > 0);
        bypass_close(&r, 1);
        assert_int_equal(calls(), 0);
    }
}

static void who_leads_elsewhere_is_left_alone(void **state)
{
    (void)state;
    struct bypass r = row();
    void *ours = r.ours;
    bypass_note_start();
    r.ours = (void *)libc_malloc + 1; /* of nobody */
    calls();                          /* it is bound now */
    bypass_open(&r, 1);
    assert_int_equal(calls(), 0);
    r.ours = ours;
    bypass_open(&r, 1);
    assert_true(calls() > 0);
    bypass_close(&r, 1);
}

static void other_names_are_left_alone(void **state)
{
    (void)state;
    struct bypass r = row();
    r.name = "mallo";
    bypass_note_start();
    bypass_open(&r, 1);
    assert_int_equal(calls(), 0);
    r.name = "malloc_";
    bypass_open(&r, 1);
    assert_int_equal(calls(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_past_us_and_come_back),
        cmocka_unit_test(who_leads_elsewhere_is_left_alone),
        cmocka_unit_test(other_names_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
