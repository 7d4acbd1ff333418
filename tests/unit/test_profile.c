/* SPDX-License-Identifier: MIT
 *
 * Decode and encode: what is read is what was written, in pprof's bytes; and every malformed file
 * is an error that says where. */
#include "profile_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct buf encoded(const struct profile *p, struct arena *a)
{
    struct buf b;
    buf_init(&b, a);
    assert_int_equal(profile_encode(p, &b), 0);
    return b;
}

static void assert_same_profile(const struct profile *a, const struct profile *b)
{
    const char *difference = profile_difference(a, b);
    if (difference)
        fail_msg("the profiles differ in: %s", difference);
}

static void assert_valid(const struct profile *p)
{
    struct err e;
    if (profile_check(p, &e) != 0)
        fail_msg("%s", e.msg);
}

/* encode, decode: the same profile; encode again: the same bytes. */
static void assert_round_trip(const struct profile *p)
{
    struct arena a;
    struct profile q;
    struct err e;
    arena_init(&a);
    struct buf bytes = encoded(p, &a);
    if (profile_decode(&q, bytes.data, bytes.len, false, &e) != 0)
        fail_msg("%s", e.msg);
    assert_valid(&q);
    assert_same_profile(p, &q);
    struct buf again = encoded(&q, &a);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    profile_free(&q);
    arena_free(&a);
}

static void real_profiles_survive_a_round_trip(void **state)
{
    (void)state;
    static const char *const names[] = {"orders_labels", "orders_block", "kern_cpu"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        struct profile p;
        struct err e;
        snprintf(path, sizeof path, GOLDEN "/%s.pb.gz", names[i]);
        if (profile_read_file(&p, path, &e) != 0)
            fail_msg("%s", e.msg);
        assert_true(p.sample_count > 0);
        assert_valid(&p);
        assert_round_trip(&p);
        profile_free(&p);
    }
}

static void random_profiles_survive_a_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct profile p;
        profile_random(&p, (struct random_profile){.seed = seed,
                                                   .samples = (uint32_t)seed,
                                                   .locations = 1 + (uint32_t)seed * 3,
                                                   .functions = 1 + (uint32_t)seed,
                                                   .mappings = 1 + (uint32_t)seed % 5,
                                                   .sparse_ids = seed % 2});
        assert_valid(&p);
        assert_round_trip(&p);
        profile_free(&p);
    }
}

static void an_empty_profile_can_be_written_and_read(void **state)
{
    (void)state;
    struct profile p;
    profile_init(&p);
    assert_valid(&p);
    assert_round_trip(&p);
    profile_free(&p);
}

static void equal_strings_are_interned_once(void **state)
{
    (void)state;
    struct profile p;
    profile_init(&p);
    assert_int_equal(profile_intern_cstr(&p, ""), 0);
    uint32_t a = profile_intern_cstr(&p, "a");
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "s%d", i % 1000);
        profile_intern_cstr(&p, text);
    }
    assert_int_equal(profile_intern(&p, "ab", 1), a);
    assert_int_equal(p.string_count, 1002);
    profile_free(&p);
    assert_int_equal(p.string_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_profiles_survive_a_round_trip),
        cmocka_unit_test(random_profiles_survive_a_round_trip),
        cmocka_unit_test(an_empty_profile_can_be_written_and_read),
        cmocka_unit_test(equal_strings_are_interned_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
