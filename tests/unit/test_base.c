/* SPDX-License-Identifier: MIT
 *
 * What base/ promises to every layer above: arenas keep what was put in them wherever their chunks
 * lie, buffers grow without losing a byte and remember a failure, errors are cut if too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "strobe/version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void an_arena_keeps_what_is_in_it_while_it_grows(void **state)
{
    struct arena a;
    arena_init(&a);
    enum { COUNT = 20000 };
    uint32_t **kept = arena_array(&a, COUNT, sizeof *kept);
    for (uint32_t i = 0; i < COUNT; i++) {
        size_t words = 1 + i % 57;
        kept[i] = arena_array(&a, words, sizeof **kept);
        for (size_t k = 0; k < words; k++)
            kept[i][k] = i * 64 + (uint32_t)k;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < 1 + i % 57; k++)
            assert_int_equal(kept[i][k], i * 64 + k);
    arena_free(&a);
    assert_null(a.head);
    assert_int_equal(a.mapped_bytes, 0);
    assert_string_equal(arena_strdup(&a, "usable again"), "usable again");
    arena_free(&a);
}

static void an_arena_aligns_as_it_was_asked(void **state)
{
    struct arena a;
    arena_init(&a);
    for (size_t align = 1; align <= 4096; align *= 2) {
        arena_alloc_aligned(&a, 3, 1);
        assert_int_equal((uintptr_t)arena_alloc_aligned(&a, 5, align) % align, 0);
    }
    arena_alloc_aligned(&a, 1, 1);
    assert_int_equal((uintptr_t)arena_alloc(&a, 1) % 16, 0);
    arena_free(&a);
}

static void the_last_array_of_an_arena_grows_in_place_and_others_by_copy(void **state)
{
    struct arena a;
    arena_init(&a);
    char *p = memcpy(arena_alloc(&a, 8), "12345678", 8);
    assert_ptr_equal(arena_grow(&a, p, 8, 32), p);
    arena_alloc(&a, 1);
    char *moved = arena_grow(&a, p, 32, 64);
    assert_ptr_not_equal(moved, p);
    assert_memory_equal(moved, "12345678", 8);
    arena_free(&a);
}

static void a_nullable_arena_says_null_where_a_size_is_absurd(void **state)
{
    struct arena a;
    arena_init_nullable(&a);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX - 64));
    assert_null(arena_zarray(&a, SIZE_MAX, 1));
    assert_non_null(arena_alloc(&a, 1));
    arena_free(&a);
}

static void what_an_arena_adopts_stays_where_it_is(void **state)
{
    struct arena a, b;
    arena_init(&a);
    arena_init(&b);
    char *s = arena_printf(&b, "%s %d", "number", 7);
    arena_alloc(&a, 10);
    size_t sum = a.mapped_bytes + b.mapped_bytes;
    arena_adopt(&a, &b);
    assert_null(b.head);
    assert_int_equal(a.mapped_bytes, sum);
    assert_string_equal(s, "number 7");
    arena_free(&b);
    assert_string_equal(s, "number 7");
    arena_free(&a);
}

static void a_buffer_holds_every_byte_it_was_given(void **state)
{
    struct arena a;
    struct buf b;
    arena_init(&a);
    buf_init(&b, &a);
    for (int i = 0; i < 5000; i++) {
        buf_printf(&b, "%d,", i);
        buf_putc(&b, ';');
    }
    const char *at = buf_cstr(&b);
    assert_int_equal(strlen(at), b.len);
    for (int i = 0; i < 5000; i++) {
        char want[16];
        int n = snprintf(want, sizeof want, "%d,;", i);
        assert_memory_equal(at, want, n);
        at += n;
    }
    assert_int_equal(*at, 0);
    arena_free(&a);
}

static void a_buffer_remembers_that_it_failed(void **state)
{
    struct arena a;
    struct buf b;
    arena_init_nullable(&a);
    buf_init(&b, &a);
    buf_puts(&b, "kept");
    assert_null(buf_reserve(&b, SIZE_MAX / 2));
    assert_int_equal(b.failed, 1);
    buf_puts(&b, " dropped");
    assert_int_equal(b.len, 4);
    assert_string_equal(buf_cstr(&b), "");
    arena_free(&a);
}

static void an_error_is_a_sentence_with_its_code(void **state)
{
    struct err e;
    assert_int_equal(err_set(&e, -EINVAL, "byte %d is not a tag", 12), -EINVAL);
    assert_int_equal(e.code, -EINVAL);
    assert_string_equal(e.msg, "byte 12 is not a tag");
    err_prefix(&e, "%s", "cpu.pb.gz");
    assert_string_equal(e.msg, "cpu.pb.gz: byte 12 is not a tag");
    assert_int_equal(err_set(NULL, -ENOENT, "nobody listens"), -ENOENT);
}

static void an_error_that_is_too_long_is_cut(void **state)
{
    struct err e;
    char longer[4 * sizeof e.msg];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    err_set(&e, -E2BIG, "%s", longer);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    err_prefix(&e, "%s", longer);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void the_version_is_one(void **state)
{
    char numbers[64];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", STROBE_VERSION_MAJOR, STROBE_VERSION_MINOR,
             STROBE_VERSION_PATCH);
    assert_string_equal(numbers, STROBE_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_keeps_what_is_in_it_while_it_grows),
        cmocka_unit_test(an_arena_aligns_as_it_was_asked),
        cmocka_unit_test(the_last_array_of_an_arena_grows_in_place_and_others_by_copy),
        cmocka_unit_test(a_nullable_arena_says_null_where_a_size_is_absurd),
        cmocka_unit_test(what_an_arena_adopts_stays_where_it_is),
        cmocka_unit_test(a_buffer_holds_every_byte_it_was_given),
        cmocka_unit_test(a_buffer_remembers_that_it_failed),
        cmocka_unit_test(an_error_is_a_sentence_with_its_code),
        cmocka_unit_test(an_error_that_is_too_long_is_cut),
        cmocka_unit_test(the_version_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
