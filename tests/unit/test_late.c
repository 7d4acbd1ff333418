/* SPDX-License-Identifier: MIT
 *
 * Libraries that are loaded when they are needed: what is there works, and what is not is told with
 * the package's name. */
#include "base/late.h"
#include "base/libcurl.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int begun;

static bool begin(void)
{
    begun++;
    return true;
}

static void test_fills_the_table_once(void **state)
{
    static const char *const names[] = {"cbrt", "hypot", NULL};
    static struct {
        __typeof__(cbrt) *cbrt;
        __typeof__(hypot) *hypot;
    } table;
    struct late late = {.file = "libm.so.6",
                        .package = "libc6",
                        .names = names,
                        .table = &table,
                        .begin = begin,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    struct err e = {0};
    assert_int_equal(late_load(&late, &e), 0);
    assert_int_equal(late_load(&late, &e), 0);
    assert_int_equal(begun, 1);
    assert_true(table.cbrt(27) > 2.999 && table.cbrt(27) < 3.001);
    assert_true(table.hypot(3, 4) > 4.999 && table.hypot(3, 4) < 5.001);
}

static void test_names_the_package_that_is_missing(void **state)
{
    static const char *const names[] = {"nothing", NULL};
    void *table[1] = {NULL};
    struct late late = {.file = "libstrobe-nowhere.so.7",
                        .package = "libstrobe-nowhere7",
                        .names = names,
                        .table = table,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    struct err e = {0};
    assert_true(late_load(&late, &e) < 0);
    assert_non_null(strstr(e.msg, "libstrobe-nowhere.so.7 cannot be loaded"));
    assert_non_null(strstr(e.msg, "install the package libstrobe-nowhere7"));
    assert_true(late_load(&late, NULL) < 0); /* and is not taken for loaded the next time */
}

static void test_names_the_function_that_is_missing(void **state)
{
    static const char *const names[] = {"cbrt", "strobe_no_such_function", NULL};
    void *table[2] = {NULL, NULL};
    struct late late = {.file = "libm.so.6",
                        .package = "libc6",
                        .names = names,
                        .table = table,
                        .begin = begin,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    struct err e = {0};
    begun = 0;
    assert_true(late_load(&late, &e) < 0);
    assert_non_null(strstr(e.msg, "has no strobe_no_such_function: upgrade the package libc6"));
    assert_int_equal(begun, 0);
}

/* Options of each type reach libcurl as what they are. */
static void test_hands_options_on_to_libcurl(void **state)
{
    struct err e = {0};
    long status = -1;
    char *private = NULL;
    int mine;
    assert_int_equal(libcurl_load(&e), 0);
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_PRIVATE, &mine), CURLE_OK);
    assert_int_equal(curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private), CURLE_OK);
    assert_ptr_equal(private, &mine);
    assert_int_equal(curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status), CURLE_OK);
    assert_int_equal(status, 0);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_MAXREDIRS, -2L), CURLE_BAD_FUNCTION_ARGUMENT);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)1 << 40),
                     CURLE_OK);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)-2),
                     CURLE_BAD_FUNCTION_ARGUMENT);
    curl_easy_cleanup(curl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_the_table_once),
        cmocka_unit_test(test_names_the_package_that_is_missing),
        cmocka_unit_test(test_names_the_function_that_is_missing),
        cmocka_unit_test(test_hands_options_on_to_libcurl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
