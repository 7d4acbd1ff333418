/* SPDX-License-Identifier: MIT
 *
 * The parts of the web side that need no socket: which addresses are this machine's, JSON of any
 * bytes, and the layout of a binary body. The server itself is tests/web's business. */
#include "web/address.h"
#include "web/columns.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void only_loopback_addresses_are_listened_on(void **state)
{
    static const char *good[] = {":0",          ":",           "localhost:0", "localhost:",
                                 "127.0.0.1:8", "127.9.9.9:1", "[::1]:80",    "LOCALHOST:65535"};
    static const char *bad[] = {
        "",       "localhost",       "0.0.0.0:80",  "192.168.1.1:80", "[::]:80", "example.com:1",
        "::1:80", "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:-1",   "[::1",    "[::1]80"};
    struct address a;
    struct err e;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (address_parse(&a, good[i], &e))
            fail_msg("%s: %s", good[i], e.msg);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!address_parse(&a, bad[i], &e))
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(address_parse(&a, "[::1]:4321", &e), 0);
    assert_int_equal(ntohs(((struct sockaddr_in6 *)&a.sock)->sin6_port), 4321);
}

static void a_foreign_name_is_no_host_of_ours(void **state)
{
    assert_true(address_host_is_loopback("127.0.0.1:8080"));
    assert_true(address_host_is_loopback("localhost"));
    assert_true(address_host_is_loopback("localhost:1"));
    assert_true(address_host_is_loopback("[::1]:1"));
    assert_true(address_host_is_loopback("[::1]"));
    assert_false(address_host_is_loopback("evil.example"));
    assert_false(address_host_is_loopback("evil.example:8080"));
    assert_false(address_host_is_loopback("localhost.evil.example"));
    assert_false(address_host_is_loopback("127.0.0.1.evil.example"));
    assert_false(address_host_is_loopback("10.0.0.1:8080"));
    assert_false(address_host_is_loopback(""));
    assert_false(address_host_is_loopback(":8080"));
    assert_false(address_host_is_loopback("127.0.0.1:80:80"));
}

static void a_page_for_others_is_asked_for_by_name_or_number(void **state)
{
    assert_true(address_host_is("box:8080", "box"));
    assert_true(address_host_is("Box", "box"));
    assert_false(address_host_is("box.evil.example:8080", "box"));
    assert_false(address_host_is("box:x", "box"));
    assert_true(address_host_is_literal("10.0.0.1:8080"));
    assert_true(address_host_is_literal("[2001:db8::1]:80"));
    assert_false(address_host_is_literal("10.0.0.1.evil.example"));
    assert_false(address_host_is_literal(""));
}

static void json_of_any_bytes_is_valid(void **state)
{
    struct arena arena = {0};
    struct buf b;
    struct json j;
    buf_init(&b, &arena);
    json_init(&j, &b);
    json_object(&j, NULL);
    json_string(&j, "a", "q\"\\\n\x01\xc3\xa9", 7);
    json_string(&j, "bad", "\xff\xc0\x80\xed\xa0\x80x\xe2\x82", 9);
    json_array(&j, "list");
    json_int(&j, NULL, INT64_MIN);
    json_bool(&j, NULL, true);
    json_array(&j, NULL);
    json_array_end(&j);
    json_array_end(&j);
    json_object_end(&j);
    const char *fffd = "\xef\xbf\xbd";
    struct buf want;
    buf_init(&want, &arena);
    buf_puts(&want, "{\"a\":\"q\\\"\\\\\\u000a\\u0001\xc3\xa9\",\"bad\":\"");
    for (int i = 0; i < 6; i++)
        buf_puts(&want, fffd);
    buf_printf(&want, "x%s%s\",\"list\":[-9223372036854775808,true,[]]}", fffd, fffd);
    assert_string_equal(buf_cstr(&b), buf_cstr(&want));
    arena_free(&arena);
}

static void columns_stand_at_multiples_of_eight(void **state)
{
    struct arena arena = {0};
    struct columns c;
    struct buf text, out;
    struct json j;
    columns_init(&c, &arena);
    buf_init(&text, &arena);
    buf_init(&out, &arena);
    json_init(&j, &text);
    int32_t *a = columns_i32(&c, "a", 3);
    double *b = columns_f64(&c, "b", 1);
    a[0] = 1, a[1] = -2, a[2] = 3;
    b[0] = 0.5;
    json_object(&j, NULL);
    columns_describe(&c, &j);
    json_object_end(&j);
    columns_write(&c, &text, &out);
    assert_memory_equal(out.data, "strobeC1", 8);
    uint32_t length;
    memcpy(&length, out.data + 8, 4);
    assert_int_equal(length % 8, 0);
    assert_int_equal(out.len, 16 + length + 16 + 8);
    int32_t second;
    double only;
    memcpy(&second, out.data + 16 + length + 4, 4);
    memcpy(&only, out.data + 16 + length + 16, 8);
    assert_int_equal(second, -2);
    assert_true(only == 0.5);
    assert_non_null(strstr(buf_cstr(&text), "\"name\":\"b\",\"type\":\"f64\",\"offset\":16,"));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_loopback_addresses_are_listened_on),
        cmocka_unit_test(a_foreign_name_is_no_host_of_ours),
        cmocka_unit_test(a_page_for_others_is_asked_for_by_name_or_number),
        cmocka_unit_test(json_of_any_bytes_is_valid),
        cmocka_unit_test(columns_stand_at_multiples_of_eight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
