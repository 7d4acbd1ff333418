/* SPDX-License-Identifier: MIT
 *
 * Decode and encode: what is read is what was written, in pprof's bytes; and every malformed file
 * is an error that says where. */
#include "profile_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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

/* ---- what is refused ---- */

/* A profile by hand: one byte of key, one of length. */
#define EMPTY_STRING "\x32\x00"

static void assert_error(const char *bytes, size_t size, int code, const char *message)
{
    struct profile p;
    struct err e = {0};
    assert_int_equal(profile_decode(&p, bytes, size, false, &e), code);
    assert_int_equal(e.code, code);
    assert_string_equal(e.msg, message);
    assert_int_equal(p.sample_count, 0);
    assert_int_equal(p.string_count, 1);
    profile_free(&p);
}

#define ASSERT_ERROR(bytes, code, message) assert_error(bytes, sizeof(bytes) - 1, code, message)

static void malformed_input_is_refused_with_its_place(void **state)
{
    (void)state;
    ASSERT_ERROR("", -ENODATA, "empty input file");
    ASSERT_ERROR("\x48\x01", -EPROTO, "unrecognized profile format: it has no string table");
    ASSERT_ERROR(EMPTY_STRING "\x48\xff", -EPROTO,
                 "unrecognized profile format: bad varint at byte 2");
    ASSERT_ERROR(EMPTY_STRING "\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", -EPROTO,
                 "unrecognized profile format: bad varint at byte 2");
    ASSERT_ERROR(EMPTY_STRING "\x0a\x05\x08", -EPROTO,
                 "unrecognized profile format: length beyond the end at byte 2");
    ASSERT_ERROR(EMPTY_STRING "\x0b", -EPROTO,
                 "unrecognized profile format: unknown wire type at byte 2");
    ASSERT_ERROR(EMPTY_STRING "\x08\x01", -EPROTO,
                 "unrecognized profile format: type mismatch at byte 2");
    ASSERT_ERROR("\x32\x01x", -EPROTO,
                 "unrecognized profile format: string_table[0] must be '' at byte 0");
    ASSERT_ERROR(EMPTY_STRING "\x0a\x02\x08\x01", -EPROTO,
                 "unrecognized profile format: string index out of range at byte 4");
    ASSERT_ERROR(EMPTY_STRING "\x48\x01\x48\x01", -EPROTO, "concatenated profiles detected");
}

static void what_pprof_finds_invalid_is_refused_in_its_words(void **state)
{
    (void)state;
    ASSERT_ERROR(EMPTY_STRING "\x12\x00", -EINVAL, "missing sample type information");
    ASSERT_ERROR(EMPTY_STRING "\x0a\x00\x12\x04\x10\x01\x10\x02", -EINVAL,
                 "mismatch: sample has 2 values vs. 1 types (sample 0, at byte 6)");
    ASSERT_ERROR(EMPTY_STRING "\x0a\x00\x12\x04\x08\x05\x10\x02", -EINVAL,
                 "sample has nil location (sample 0, at byte 6)");
    ASSERT_ERROR(EMPTY_STRING "\x1a\x00", -EINVAL, "found mapping with reserved ID=0");
    ASSERT_ERROR(EMPTY_STRING "\x22\x00", -EINVAL, "found location with reserved id=0");
    ASSERT_ERROR(EMPTY_STRING "\x2a\x02\x08\x03\x2a\x02\x08\x03", -EINVAL,
                 "multiple functions with same id: 3");
    ASSERT_ERROR(EMPTY_STRING "\x22\x06\x08\x01\x22\x02\x10\x05", -EINVAL,
                 "location id: 1 has a line with nil function");
}

/* A file with several faults: what cannot be read, wherever it stands, comes before what is read
 * and wrong; of that samples come first, then mappings, functions and locations. */
static void the_fault_is_told_that_pprof_comes_upon_first(void **state)
{
    (void)state;
#define TWICE_9          "\x22\x02\x08\x09\x22\x02\x08\x09" /* two locations */
#define NO_MAPPING       "\x1a\x00"
#define MAPPING_TWICE    "\x1a\x02\x08\x04\x1a\x02\x08\x04"
#define TWO_VALUES       "\x12\x04\x10\x01\x10\x02"
#define NO_SUCH_LOCATION "\x12\x04\x08\x05\x10\x02"
#define BAD_LABEL        "\x12\x06\x10\x01\x1a\x02\x08\x07"
#define BAD_IDS          "\x12\x05\x0a\x01\x80\x10\x01" /* a packed list that is cut */
#define ONE_TYPE         EMPTY_STRING "\x0a\x00"
    ASSERT_ERROR(ONE_TYPE TWICE_9 NO_SUCH_LOCATION, -EINVAL,
                 "sample has nil location (sample 0, at byte 14)");
    ASSERT_ERROR(ONE_TYPE TWICE_9 TWO_VALUES, -EINVAL,
                 "mismatch: sample has 2 values vs. 1 types (sample 0, at byte 14)");
    ASSERT_ERROR(ONE_TYPE NO_SUCH_LOCATION TWO_VALUES, -EINVAL,
                 "sample has nil location (sample 0, at byte 6)");
    ASSERT_ERROR(ONE_TYPE TWO_VALUES BAD_LABEL, -EPROTO,
                 "unrecognized profile format: string index out of range at byte 16");
    ASSERT_ERROR(ONE_TYPE NO_SUCH_LOCATION BAD_IDS, -EPROTO,
                 "unrecognized profile format: bad varint at byte 14");
    ASSERT_ERROR(ONE_TYPE NO_MAPPING BAD_LABEL, -EPROTO,
                 "unrecognized profile format: string index out of range at byte 12");
    ASSERT_ERROR(ONE_TYPE TWICE_9 NO_MAPPING, -EINVAL, "found mapping with reserved ID=0");
    ASSERT_ERROR(ONE_TYPE MAPPING_TWICE NO_MAPPING, -EINVAL, "multiple mappings with same id: 4");
    ASSERT_ERROR(ONE_TYPE NO_MAPPING MAPPING_TWICE, -EINVAL, "found mapping with reserved ID=0");
}

static void a_mapping_that_does_not_exist_is_no_mapping(void **state)
{
    (void)state;
    struct profile p;
    struct err e;
    static const char bytes[] = EMPTY_STRING "\x22\x04\x08\x01\x10\x09";
    assert_int_equal(profile_decode(&p, bytes, sizeof bytes - 1, false, &e), 0);
    assert_int_equal(p.locations[0].mapping, PROFILE_NONE);
    profile_free(&p);
}

static void equal_strings_of_a_file_are_one(void **state)
{
    (void)state;
    struct profile p;
    struct err e;
    static const char bytes[] = EMPTY_STRING "\x32\x01x\x32\x01x\x0a\x04\x08\x02\x10\x01";
    assert_int_equal(profile_decode(&p, bytes, sizeof bytes - 1, false, &e), 0);
    assert_int_equal(p.sample_types[0].type, 1);
    assert_int_equal(p.sample_types[0].unit, 1);
    assert_int_equal(profile_intern_cstr(&p, "x"), 1);
    assert_int_equal(profile_intern_cstr(&p, "y"), 3);
    profile_free(&p);
}

static void cut_and_damaged_profiles_never_crash(void **state)
{
    (void)state;
    struct arena a;
    struct profile p, q;
    struct err e;
    uint64_t s = 99;
    arena_init(&a);
    profile_random(&p, (struct random_profile){11, 12, 9, 5, 2, false});
    struct buf bytes = encoded(&p, &a);
    for (size_t n = 0; n < bytes.len; n++) {
        char *cut = test_malloc(n + 1);
        memcpy(cut, bytes.data, n);
        if (profile_decode(&q, cut, n, true, &e) == 0)
            assert_valid(&q);
        profile_free(&q);
        test_free(cut);
    }
    for (int i = 0; i < 20000; i++) {
        size_t at = random_next(&s) % bytes.len;
        char was = bytes.data[at];
        bytes.data[at] = (char)random_next(&s);
        if (profile_decode(&q, bytes.data, bytes.len, true, &e) == 0)
            assert_valid(&q);
        profile_free(&q);
        bytes.data[at] = was;
    }
    profile_free(&p);
    arena_free(&a);
}

/* ---- labels ---- */

static void labels_are_sorted_and_written_as_pprof_writes_them(void **state)
{
    (void)state;
    struct profile p, q;
    struct arena a;
    struct err e;
    static uint64_t loc_end[1], label_end[1] = {40};
    static struct profile_label labels[40];
    static int64_t value[1] = {1};
    static struct profile_value_type type[1];
    profile_init(&p);
    arena_init(&a);
    for (uint32_t i = 0; i < 40; i++) { /* numbers and strings in turn, keys downwards */
        labels[i] =
            (struct profile_label){.key = profile_intern(&p, &"tsrqponmlkjihgfedcba"[i / 2], 1)};
        if (i % 2)
            labels[i].str = profile_intern_cstr(&p, "value");
        else
            labels[i].num = (int64_t)i + 1;
    }
    p.sample_types = type;
    p.values = value;
    p.sample_loc_end = loc_end;
    p.sample_label_end = label_end;
    p.labels = labels;
    p.label_count = 40;
    p.sample_type_count = p.sample_count = 1;
    struct buf bytes = encoded(&p, &a);
    assert_int_equal(profile_decode(&q, bytes.data, bytes.len, false, &e), 0);
    assert_int_equal(q.label_count, 40);
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(q.labels[i].str == 0, i >= 20);
        assert_int_equal(*q.strings[q.labels[i].key].ptr, "abcdefghijklmnopqrst"[i % 20]);
    }
    profile_free(&q);
    profile_free(&p);
    arena_free(&a);
}

/* ---- files ---- */

static void a_file_is_written_whole_and_read_back(void **state)
{
    (void)state;
    char dir[] = "/tmp/strobe-test-XXXXXX", path[64];
    struct profile p, q;
    struct err e;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/p.pb.gz", dir);
    profile_random(&p, (struct random_profile){3, 200, 60, 30, 2, true});
    for (int i = 0; i < 2; i++) { /* the second time over the first */
        if (profile_write_file(&p, path, &e) != 0)
            fail_msg("%s", e.msg);
        if (profile_read_file(&q, path, &e) != 0)
            fail_msg("%s", e.msg);
        assert_same_profile(&p, &q);
        profile_free(&q);
    }
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* no temporary is left behind */
    assert_int_equal(profile_read_file(&q, path, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "p.pb.gz: open "));
    assert_non_null(strstr(e.msg, ": no such file or directory"));
    assert_int_equal(profile_write_file(&p, path, &e), -ENOENT);
    profile_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_profiles_survive_a_round_trip),
        cmocka_unit_test(random_profiles_survive_a_round_trip),
        cmocka_unit_test(an_empty_profile_can_be_written_and_read),
        cmocka_unit_test(equal_strings_are_interned_once),
        cmocka_unit_test(malformed_input_is_refused_with_its_place),
        cmocka_unit_test(what_pprof_finds_invalid_is_refused_in_its_words),
        cmocka_unit_test(the_fault_is_told_that_pprof_comes_upon_first),
        cmocka_unit_test(a_mapping_that_does_not_exist_is_no_mapping),
        cmocka_unit_test(equal_strings_of_a_file_are_one),
        cmocka_unit_test(cut_and_damaged_profiles_never_crash),
        cmocka_unit_test(labels_are_sorted_and_written_as_pprof_writes_them),
        cmocka_unit_test(a_file_is_written_whole_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
