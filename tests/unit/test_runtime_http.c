/* SPDX-License-Identifier: MIT
 *
 * What the server inside the program reads from strangers: whole requests, requests in pieces, and
 * what is none. */
#include "runtime/http_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static long parse(const char *text, struct http_request *r)
{
    memset(r, 0, sizeof *r);
    return http_read_request(text, strlen(text), r);
}

static void a_request_is_read_with_its_query(void **state)
{
    (void)state;
    struct http_request r;
    const char *text = "GET /debug/pprof/pro%66ile?seconds=5&x=a%20b+c HTTP/1.1\r\nHost: a\r\n\r\n";
    char value[16];
    assert_int_equal(parse(text, &r), strlen(text));
    assert_string_equal(r.method, "GET");
    assert_string_equal(r.path, "/debug/pprof/profile");
    assert_true(http_parameter(&r, "seconds", value, sizeof value));
    assert_string_equal(value, "5");
    assert_true(http_parameter(&r, "x", value, sizeof value));
    assert_string_equal(value, "a b c");
    assert_false(http_parameter(&r, "second", value, sizeof value));
    assert_true(r.keep_alive);
}

static void every_part_of_a_request_waits_for_the_rest(void **state)
{
    (void)state;
    struct http_request r;
    const char text[] = "POST /debug/pprof/symbol HTTP/1.1\r\nContent-Length: 4\r\n\r\n0x1f";
    for (size_t n = 0; n + 1 < sizeof text; n++) {
        memset(&r, 0, sizeof r);
        assert_int_equal(http_read_request(text, n, &r), 0);
    }
    assert_int_equal(parse(text, &r), sizeof text - 1);
    assert_int_equal(r.body_size, 4);
    assert_memory_equal(r.body, "0x1f", 4);
}

static void connections_stay_as_the_version_and_the_client_say(void **state)
{
    (void)state;
    struct http_request r;
    assert_true(parse("GET / HTTP/1.0\r\n\r\n", &r) > 0 && !r.keep_alive);
    assert_true(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &r) > 0 && r.keep_alive);
    assert_true(parse("GET / HTTP/1.1\nConnection: close\n\n", &r) > 0 && !r.keep_alive);
}

static void what_is_no_request_is_refused_by_its_status(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long status;
    } cases[] = {
        {"GET\r\n\r\n", -400},
        {"GET /\r\n\r\n", -400},
        {"GET / HTTP/2.0\r\n\r\n", -505},
        {"GET http://x/ HTTP/1.1\r\n\r\n", -400},
        {"GET /%4 HTTP/1.1\r\n\r\n", -400},
        {"GET /%00 HTTP/1.1\r\n\r\n", -400},
        {"PROPFINDER / HTTP/1.1\r\n\r\n", -501},
        {"GET / HTTP/1.1\r\nNo colon\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nName : x\r\n\r\n", -400},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", -400},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", -400},
        {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", -413},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", -411},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request r;
        if (parse(cases[i].text, &r) != cases[i].status)
            fail_msg("%s gives %ld", cases[i].text, parse(cases[i].text, &r));
    }
}

static void a_request_without_end_is_refused_when_the_buffer_is_full(void **state)
{
    (void)state;
    static char text[HTTP_REQUEST_MAX];
    struct http_request r = {.method = ""};
    memset(text, 'a', sizeof text);
    assert_int_equal(http_read_request(text, sizeof text - 1, &r), 0);
    assert_int_equal(http_read_request(text, sizeof text, &r), -413);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_with_its_query),
        cmocka_unit_test(every_part_of_a_request_waits_for_the_rest),
        cmocka_unit_test(connections_stay_as_the_version_and_the_client_say),
        cmocka_unit_test(what_is_no_request_is_refused_by_its_status),
        cmocka_unit_test(a_request_without_end_is_refused_when_the_buffer_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
