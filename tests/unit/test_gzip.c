/* SPDX-License-Identifier: MIT
 *
 * Inflating: any number of members, sizes that the trailer does not tell, and input that is damaged
 * or made to fill memory. */
#include "base/gzip.h"
#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct buf gz;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    arena_init(&f->arena);
    buf_init(&f->gz, &f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(&f->arena);
    test_free(f);
    return 0;
}

static void add_member(struct fixture *f, const void *p, size_t n)
{
    struct err e;
    if (gzip_deflate(&f->gz, p, n, 6, &e) != 0)
        fail_msg("%s", e.msg);
}

static void assert_inflates_to(struct fixture *f, const void *expected, size_t n)
{
    void *out;
    size_t size;
    struct err e;
    if (gzip_inflate(&f->arena, f->gz.data, f->gz.len, &out, &size, &e) != 0)
        fail_msg("%s", e.msg);
    assert_int_equal(size, n);
    if (n)
        assert_memory_equal(out, expected, n);
}

static void assert_fails(struct fixture *f, size_t size, int code, const char *message)
{
    void *out;
    size_t out_size;
    struct err e = {0};
    assert_int_equal(gzip_inflate(&f->arena, f->gz.data, size, &out, &out_size, &e), code);
    if (strncmp(e.msg, message, strlen(message)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", e.msg, message);
}

static void members_are_put_together(void **state)
{
    struct fixture *f = *state;
    char *all = arena_zalloc(&f->arena, 1 << 20), *at = all;
    for (size_t n = 1; n < 1 << 19; n *= 3) {
        for (size_t i = 0; i < n; i++)
            at[i] = (char)(i * n);
        add_member(f, at, n);
        add_member(f, at, 0);
        at += n;
        assert_inflates_to(f, all, (size_t)(at - all));
    }
}

static void a_size_the_trailer_does_not_tell(void **state)
{
    struct fixture *f = *state;
    char *all = arena_zalloc(&f->arena, 8 << 20); /* 1000 : 1, and the last member is tiny */
    add_member(f, all, (8 << 20) - 1);
    add_member(f, "", 1);
    assert_inflates_to(f, all, 8 << 20);
}

static void damage_is_named_as_go_names_it(void **state)
{
    struct fixture *f = *state;
    char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i >> 3);
    add_member(f, text, sizeof text);
    size_t n = f->gz.len;
    for (size_t cut = 2; cut < n; cut++)
        assert_fails(f, cut, -EBADMSG, "unexpected EOF");
    f->gz.data[n - 5] ^= 1;
    assert_fails(f, n, -EBADMSG, "gzip: invalid checksum");
    f->gz.data[n - 5] ^= 1;
    buf_puts(&f->gz, "not a gzip member");
    assert_fails(f, f->gz.len, -EBADMSG, "gzip: invalid header");
    memset(f->gz.data + 10, 0xff, 40);
    assert_fails(f, n, -EBADMSG, "flate: corrupt input before offset ");
    f->gz.data[2] = 7;
    assert_fails(f, n, -EBADMSG, "gzip: invalid header");
}

/* Go, and so pprof, reads on. */
static void reserved_flags_change_nothing(void **state)
{
    struct fixture *f = *state;
    add_member(f, "one ", 4);
    size_t second = f->gz.len;
    add_member(f, "two", 3);
    f->gz.data[3] |= 0x20;
    f->gz.data[second + 3] |= 0xc0;
    assert_inflates_to(f, "one two", 7);
    f->gz.data[3] &= ~0x20;
    assert_inflates_to(f, "one two", 7);
    assert_int_equal(f->gz.data[second + 3] & 0xe0, 0xc0); /* the input stays as it is */
    f->gz.data[second + 12] ^= 0x55;
    assert_fails(f, f->gz.len - 9, -EBADMSG, "");
}

static void a_bomb_is_refused(void **state)
{
    struct fixture *f = *state;
    char *zeros = arena_zalloc(&f->arena, 1 << 20);
    add_member(f, zeros, 1 << 20); /* about 1 KiB */
    struct buf member = f->gz;
    for (uint64_t n = 1; n <= LIMIT_PROFILE_RATIO_FROM >> 20; n++)
        buf_append(&f->gz, member.data, member.len);
    assert_true(f->gz.len < 1 << 20);
    assert_fails(f, f->gz.len, -EFBIG, "inflating it gives more than 256 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_are_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_size_the_trailer_does_not_tell, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_named_as_go_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(reserved_flags_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bomb_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
