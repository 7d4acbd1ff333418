/* SPDX-License-Identifier: MIT
 *
 * Reading packed ids and samples in bulk: every way to read varints reads the same, and a profile
 * that several threads decode is the one that was encoded, or the error that comes first in it. */
#include "profile/varints.h"
#include "profile_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { IDS = 300, BYTES = IDS * 10 + VARINTS_MARGIN };

/* One id at a time. -1 as `read` gives it. */
static int64_t read_plainly(struct wire w, uint32_t *out, uint32_t *largest)
{
    int64_t n = 0;
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        uint64_t v;
        if (wire_varint(&w, &v) != 0 || w.at - start > 4)
            return -1;
        out[n] = (uint32_t)v - 1;
        *largest = out[n] > *largest ? out[n] : *largest;
        n++;
    }
    return n;
}

static size_t put_varint(uint8_t *at, uint64_t v)
{
    size_t n = 0;
    for (; v >= 128; v >>= 7)
        at[n++] = (uint8_t)(v | 128);
    at[n++] = (uint8_t)v;
    return n;
}

static void assert_reads(const struct varints *v, struct wire w, const uint8_t *end)
{
    uint32_t expected[BYTES], got[BYTES], largest[2] = {3, 3};
    int64_t n = read_plainly(w, expected, &largest[0]);
    assert_int_equal(v->count(w, end), wire_count_varints(w));
    assert_int_equal(v->read(w, end, got, &largest[1]), n);
    if (n > 0) {
        assert_memory_equal(got, expected, (size_t)n * sizeof *got);
        assert_int_equal(largest[1], largest[0]);
    }
}

static void varints_are_read_alike_in_every_way(void **state)
{
    (void)state;
    static uint8_t bytes[BYTES];
    const struct varints *const ways[] = {&varints_any, varints_best()};
    uint64_t seed = 7;
    for (int round = 0; round < 4000; round++) {
        size_t size = 0, count = random_next(&seed) % IDS;
        unsigned widest = round % 8 ? 28 : 40; /* bits; some are too long */
        for (size_t i = 0; i < count; i++)
            size += put_varint(bytes + size,
                               random_next(&seed) >> (64 - 1 - random_next(&seed) % widest));
        if (round % 16 == 1 && size)
            bytes[size - 1] |= 0x80; /* cut */
        struct wire w = {bytes, bytes + size};
        for (size_t i = 0; i < 2; i++)
            assert_reads(ways[i], w, bytes + sizeof bytes);
    }
}

static void varints_near_the_end_of_the_input_are_left(void **state)
{
    (void)state;
    static const uint8_t bytes[VARINTS_MARGIN + 4] = {1, 2, 3, 4, 5};
    uint32_t out[8], largest = 0;
    const struct varints *const ways[] = {&varints_any, varints_best()};
    for (size_t i = 0; i < 2; i++) {
        struct wire near = {bytes, bytes + 5}, far = {bytes, bytes + 4};
        assert_int_equal(ways[i]->read(near, bytes + sizeof bytes, out, &largest), -1);
        assert_int_equal(ways[i]->read(far, bytes + sizeof bytes, out, &largest), 4);
        assert_int_equal(ways[i]->count(near, bytes + sizeof bytes), 5);
    }
}

/* ---- large profiles ---- */

struct large {
    struct arena arena;
    struct profile p;
    struct buf bytes;
};

/* Some megabytes, so that several threads share the work where there are several. */
static void make_large(struct large *l, bool sparse_ids)
{
    profile_random(&l->p, (struct random_profile){.seed = 5,
                                                  .samples = 120000,
                                                  .locations = 3000,
                                                  .functions = 500,
                                                  .mappings = 3,
                                                  .sparse_ids = sparse_ids});
    arena_init(&l->arena);
    buf_init(&l->bytes, &l->arena);
    assert_int_equal(profile_encode(&l->p, &l->bytes), 0);
    assert_true(l->bytes.len > 3 << 20);
}

static void free_large(struct large *l)
{
    profile_free(&l->p);
    arena_free(&l->arena);
}

static void large_profiles_are_what_was_written(void **state)
{
    (void)state;
    for (int sparse = 0; sparse < 2; sparse++) {
        struct large l;
        struct profile q;
        struct err e;
        make_large(&l, sparse);
        if (profile_decode(&q, l.bytes.data, l.bytes.len, true, &e) != 0)
            fail_msg("%s", e.msg);
        if (profile_check(&q, &e) != 0)
            fail_msg("%s", e.msg);
        const char *difference = profile_difference(&l.p, &q);
        if (difference)
            fail_msg("the profiles differ in: %s", difference);
        profile_free(&q);
        free_large(&l);
    }
}

/* The bytes with the message `sample` after every `each` samples of the file. */
static struct buf with_inserted(struct large *l, uint32_t each, const char *sample, size_t size)
{
    struct buf out;
    struct wire w = {(const uint8_t *)l->bytes.data, (const uint8_t *)l->bytes.data + l->bytes.len};
    struct wire_field f = {0};
    uint32_t samples = 0;
    buf_init(&out, &l->arena);
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        assert_null(wire_next(&w, &f));
        buf_append(&out, start, (size_t)(w.at - start));
        if (f.number == 2 && ++samples % each == 0)
            buf_append(&out, sample, size);
    }
    return out;
}

/* A label without string, number and unit is dropped, wherever it stands. */
static void labels_that_say_nothing_leave_no_hole(void **state)
{
    (void)state;
    struct large l;
    struct profile q, one;
    struct err e;
    make_large(&l, false);
    uint32_t types = l.p.sample_type_count;
    char sample[64] = {0x12, 0}, labelled[64] = {0x12, 0};
    size_t n = 2;
    for (uint32_t t = 0; t < types; t++, n += 2)
        memcpy(sample + n, "\x10\x01", 2);
    sample[1] = (char)(n - 2);
    memcpy(labelled, sample, n);
    memcpy(labelled + n, "\x1a\x02\x08\x01", 4);
    labelled[1] = (char)(n + 2);
    struct buf with = with_inserted(&l, 100, labelled, n + 4);
    struct buf without = with_inserted(&l, 100, sample, n);
    assert_int_equal(profile_decode(&q, with.data, with.len, true, &e), 0);
    assert_int_equal(profile_decode(&one, without.data, without.len, true, &e), 0);
    assert_true(q.sample_count > l.p.sample_count);
    assert_int_equal(profile_check(&q, &e), 0);
    assert_null(profile_difference(&one, &q));
    profile_free(&q);
    profile_free(&one);
    free_large(&l);
}

/* pprof reads all of a file before it judges, and judges samples in their order. */
static void of_several_faults_the_first_is_told(void **state)
{
    (void)state;
    struct large l;
    struct profile q;
    struct err e;
    make_large(&l, false);
    uint32_t types = l.p.sample_type_count, middle = l.p.sample_count / 2;
    char nil[64] = {0x12, 0, 0x08, (char)0xff, (char)0xff, (char)0xff, 0x7f};
    size_t n = 7;
    for (uint32_t t = 0; t < types; t++, n += 2)
        memcpy(nil + n, "\x10\x01", 2);
    nil[1] = (char)(n - 2);
    struct buf bytes = with_inserted(&l, middle / 2, nil, n);
    char place[64];
    snprintf(place, sizeof place, "sample has nil location (sample %u,", middle / 2);
    assert_int_equal(profile_decode(&q, bytes.data, bytes.len, true, &e), -EINVAL);
    assert_non_null(strstr(e.msg, place));
    /* A label's string that there is not, in the last sample: the file cannot be read. */
    memcpy(nil + 2, "\x1a\x06\x08\x7f\x10\xff\xff\x7f", 8);
    n = 10;
    for (uint32_t t = 0; t < types; t++, n += 2)
        memcpy(nil + n, "\x10\x01", 2);
    nil[1] = (char)(n - 2);
    l.bytes = bytes;
    bytes = with_inserted(&l, l.p.sample_count - 1, nil, n);
    assert_int_equal(profile_decode(&q, bytes.data, bytes.len, true, &e), -EPROTO);
    assert_non_null(strstr(e.msg, "string index out of range"));
    free_large(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_are_read_alike_in_every_way),
        cmocka_unit_test(varints_near_the_end_of_the_input_are_left),
        cmocka_unit_test(large_profiles_are_what_was_written),
        cmocka_unit_test(labels_that_say_nothing_leave_no_hole),
        cmocka_unit_test(of_several_faults_the_first_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
