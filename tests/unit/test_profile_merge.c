/* SPDX-License-Identifier: MIT
 *
 * Merging: what is the same, what is added up, and what the header becomes. The comparison with the
 * real pprof is tests/golden/pprof_oracle.sh. */
#include "profile_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void merge(struct profile *out, struct profile *a, struct profile *b)
{
    struct err e;
    if (profile_merge(out, (struct profile *[]){a, b}, 2, &e) != 0)
        fail_msg("%s", e.msg);
    if (profile_check(out, &e) != 0)
        fail_msg("%s", e.msg);
}

static void assert_refused(struct profile *a, struct profile *b, const char *message)
{
    struct profile out;
    struct err e;
    assert_int_not_equal(profile_merge(&out, (struct profile *[]){a, b}, 2, &e), 0);
    assert_string_equal(e.msg, message);
    assert_int_equal(out.sample_count, 0);
    profile_free(&out);
}

/* One mapping "prog" at `start`, one function, one location 0x10 into it with `line`, one sample.
 */
static void make_small(struct profile *p, uint64_t start, int64_t line, const char *unit,
                       int64_t value)
{
    profile_init(p);
    struct arena *a = &p->arena;
    p->sample_types = arena_zalloc(a, sizeof *p->sample_types);
    p->sample_type_count = 1;
    p->sample_types[0] =
        (struct profile_value_type){profile_intern_cstr(p, "cpu"), profile_intern_cstr(p, unit)};
    p->period_type = p->sample_types[0];
    p->period = value;
    p->mappings = arena_zalloc(a, sizeof *p->mappings);
    p->mappings[p->mapping_count++] = (struct profile_mapping){
        .id = 7, .start = start, .limit = start + 0x1800, .file = profile_intern_cstr(p, "prog")};
    p->functions = arena_zalloc(a, sizeof *p->functions);
    p->functions[p->function_count++] =
        (struct profile_function){.id = 9, .name = profile_intern_cstr(p, "work")};
    p->lines = arena_zalloc(a, sizeof *p->lines);
    p->lines[p->line_count++] = (struct profile_line){.line = line, .function = 0};
    p->locations = arena_zalloc(a, sizeof *p->locations);
    p->locations[p->location_count++] =
        (struct profile_location){.id = 3, .address = start + 0x10, .mapping = 0, .line_count = 1};
    p->loc_refs = arena_zalloc(a, sizeof *p->loc_refs);
    p->loc_ref_count = 1;
    p->sample_loc_end = arena_zalloc(a, sizeof *p->sample_loc_end);
    p->sample_loc_end[0] = 1;
    p->sample_label_end = arena_zalloc(a, sizeof *p->sample_label_end);
    p->values = arena_zalloc(a, sizeof *p->values);
    p->values[0] = value;
    p->sample_count = 1;
}

static void a_program_loaded_elsewhere_is_the_same_program(void **state)
{
    (void)state;
    struct profile a, b, out;
    make_small(&a, 0x400000, 5, "nanoseconds", 10);
    make_small(&b, 0x7f0000400000, 5, "nanoseconds", 32);
    b.mappings[0].limit -= 0x700; /* still two pages */
    merge(&out, &a, &b);
    assert_int_equal(out.mapping_count, 1);
    assert_int_equal(out.location_count, 1);
    assert_int_equal(out.locations[0].address, 0x400010);
    assert_int_equal(out.sample_count, 1);
    assert_int_equal(out.values[0], 42);
    profile_free(&out);
    b.mappings[0].limit -= 0x200; /* one page: another program */
    merge(&out, &a, &b);
    assert_int_equal(out.mapping_count, 2);
    assert_int_equal(out.sample_count, 2);
    profile_free(&out);
    profile_free(&a);
    profile_free(&b);
}

static void another_line_is_another_location(void **state)
{
    (void)state;
    struct profile a, b, out;
    make_small(&a, 0x400000, 5, "nanoseconds", 1);
    make_small(&b, 0x400000, 6, "nanoseconds", 2);
    merge(&out, &a, &b);
    assert_int_equal(out.location_count, 2);
    assert_int_equal(out.function_count, 1);
    assert_int_equal(out.sample_count, 2);
    profile_free(&out);
    profile_free(&a);
    profile_free(&b);
}

static void units_are_brought_to_the_finest(void **state)
{
    (void)state;
    struct profile a, b, out;
    make_small(&a, 0x400000, 5, "milliseconds", 3);
    make_small(&b, 0x400000, 5, "us", 14);
    merge(&out, &a, &b);
    assert_int_equal(out.values[0], 3014);
    assert_int_equal(out.period, 3000);
    assert_memory_equal(out.strings[out.sample_types[0].unit].ptr, "us", 2);
    assert_memory_equal(out.strings[out.period_type.unit].ptr, "us", 2);
    assert_int_equal(a.values[0], 3); /* the sources are as they were */
    profile_free(&out);
    profile_free(&a);
    profile_free(&b);
}

static void samples_that_cancel_leave_nothing(void **state)
{
    (void)state;
    struct profile a, b, out;
    make_small(&a, 0x400000, 5, "nanoseconds", 8);
    make_small(&b, 0x400000, 5, "nanoseconds", -8);
    merge(&out, &a, &b);
    assert_int_equal(out.sample_count, 0);
    assert_int_equal(out.location_count, 0);
    assert_int_equal(out.function_count, 0);
    assert_int_equal(out.mapping_count, 1); /* the main program is kept */
    profile_free(&out);
    profile_free(&a);
    profile_free(&b);
}

static void what_cannot_be_added_is_refused_in_pprofs_words(void **state)
{
    (void)state;
    struct profile a, b;
    make_small(&a, 0x400000, 5, "nanoseconds", 8);
    make_small(&b, 0x400000, 5, "bytes", 8);
    assert_refused(&a, &b,
                   "period type: incompatible types: {cpu nanoseconds 0 0} {cpu bytes 0 0}");
    b.period_type = (struct profile_value_type){profile_intern_cstr(&b, "cpu"),
                                                profile_intern_cstr(&b, "nanoseconds")};
    assert_refused(&a, &b,
                   "sample types: incompatible types: {cpu nanoseconds 0 0} {cpu bytes 0 0}");
    b.sample_types[0].type = profile_intern_cstr(&b, "space");
    assert_refused(&a, &b, "profiles have empty common sample type list");
    profile_free(&a);
    profile_free(&b);
}

static void one_profile_is_copied_with_its_ids(void **state)
{
    (void)state;
    struct profile a, out;
    struct err e;
    profile_random(&a, (struct random_profile){5, 300, 100, 40, 3, true});
    assert_int_equal(profile_merge(&out, (struct profile *[]){&a}, 1, &e), 0);
    const char *difference = profile_difference(&a, &out);
    if (difference)
        fail_msg("the copy differs in: %s", difference);
    profile_free(&a);
    assert_int_equal(profile_check(&out, &e), 0); /* and does not need the original */
    profile_free(&out);
}

/* ---- properties ---- */

static void sums(const struct profile *p, int64_t *sum)
{
    memset(sum, 0, 8 * sizeof *sum);
    for (uint64_t i = 0; i < p->sample_count; i++)
        for (uint32_t t = 0; t < p->sample_type_count; t++)
            sum[t] += p->values[i * p->sample_type_count + t];
}

/* A sample as text that does not depend on ids or order. */
static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **sample_texts(const struct profile *p, struct arena *a)
{
    char **texts = arena_zarray(a, p->sample_count, sizeof *texts);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        struct buf b;
        buf_init(&b, a);
        for (uint64_t k = profile_loc_first(p, i); k < p->sample_loc_end[i]; k++) {
            const struct profile_location *l = &p->locations[p->loc_refs[k]];
            const struct profile_mapping *m =
                l->mapping == PROFILE_NONE ? NULL : &p->mappings[l->mapping];
            buf_printf(&b, "%lx,%d", (long)(l->address - (m ? m->start : 0)), l->is_folded);
            for (uint32_t n = 0; n < l->line_count; n++) {
                const struct profile_line *line = &p->lines[l->line_first + n];
                struct profile_str name = p->strings[p->functions[line->function].name];
                buf_printf(&b, "/%.*s:%ld", (int)name.len, name.ptr, (long)line->line);
            }
            buf_putc(&b, ' ');
        }
        for (uint32_t t = 0; t < p->sample_type_count; t++)
            buf_printf(&b, " %ld", (long)p->values[(uint64_t)i * p->sample_type_count + t]);
        texts[i] = (char *)(uintptr_t)buf_cstr(&b);
    }
    if (p->sample_count)
        qsort(texts, p->sample_count, sizeof *texts, compare_text);
    return texts;
}

static void assert_same_samples(const struct profile *a, const struct profile *b)
{
    struct arena arena;
    arena_init(&arena);
    assert_int_equal(a->sample_count, b->sample_count);
    char **x = sample_texts(a, &arena), **y = sample_texts(b, &arena);
    for (uint32_t i = 0; i < a->sample_count; i++)
        assert_string_equal(x[i], y[i]);
    arena_free(&arena);
}

static void merging_adds_up_and_does_not_mind_the_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct profile a, b, ab, ba;
        int64_t sum_a[8], sum_b[8], sum_ab[8];
        struct random_profile o = {seed, 50, 20, 8, 2, seed % 2};
        profile_random(&a, o);
        profile_random(&b, o);
        /* The same tables, other values: some samples are equal, some are only in one. */
        for (uint64_t i = 0; i < b.sample_count * (uint64_t)b.sample_type_count; i += 3)
            b.values[i] = (int64_t)i - 40;
        for (uint32_t i = 0; i < b.sample_count; i += 5)
            b.loc_refs[profile_loc_first(&b, i)] = i % b.location_count;
        merge(&ab, &a, &b);
        merge(&ba, &b, &a);
        assert_same_samples(&ab, &ba);
        sums(&a, sum_a);
        sums(&b, sum_b);
        sums(&ab, sum_ab);
        for (uint32_t t = 0; t < a.sample_type_count; t++)
            assert_int_equal(sum_ab[t], sum_a[t] + sum_b[t]);
        profile_free(&a);
        profile_free(&b);
        profile_free(&ab);
        profile_free(&ba);
    }
}

static void assert_same_bytes(const struct profile *a, const struct profile *b)
{
    struct arena arena;
    struct buf x, y;
    arena_init(&arena);
    buf_init(&x, &arena);
    buf_init(&y, &arena);
    assert_int_equal(profile_encode(a, &x), 0);
    assert_int_equal(profile_encode(b, &y), 0);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    arena_free(&arena);
}

static void one_by_one_gives_what_all_at_once_gives(void **state)
{
    (void)state;
    struct profile in[5], out, all;
    struct profile *list[5];
    struct profile_sum *sum;
    struct err e;
    for (uint32_t i = 0; i < 5; i++) {
        profile_random(&in[i], (struct random_profile){11, 50, 20, 8, 2, i == 4});
        for (uint64_t k = i; k < in[i].loc_ref_count; k += 7)
            in[i].loc_refs[k] = 0;
        list[i] = &in[i];
    }
    for (uint32_t i = 0; i < in[1].sample_count * in[1].sample_type_count; i++)
        in[1].values[i] = -in[0].values[i]; /* cancels out */
    assert_int_equal(profile_sum_start(&sum, &out, &in[0], &e), 0);
    for (uint32_t i = 1; i < 5; i++)
        assert_int_equal(profile_sum_add(sum, &in[i], &e), 0);
    assert_int_equal(profile_sum_finish(&sum, &e), 0);
    assert_null(sum);
    assert_int_equal(profile_check(&out, &e), 0);
    assert_int_equal(profile_merge(&all, list, 5, &e), 0);
    assert_same_bytes(&out, &all);
    profile_free(&out);
    profile_free(&all);
    for (uint32_t i = 0; i < 5; i++)
        profile_free(&in[i]);
}

static void only_what_agrees_is_added_one_by_one(void **state)
{
    (void)state;
    struct profile a, b, out;
    struct profile_sum *sum;
    struct err e;
    make_small(&a, 0x400000, 5, "nanoseconds", 10);
    make_small(&b, 0x400000, 5, "milliseconds", 32);
    assert_int_equal(profile_sum_start(&sum, &out, &a, &e), 0);
    assert_int_equal(profile_sum_add(sum, &b, &e), -EAGAIN);
    assert_int_equal(profile_sum_add(sum, &a, &e), 0);
    assert_int_equal(profile_sum_finish(&sum, &e), 0);
    assert_int_equal(out.values[0], 20);
    profile_free(&out);
    assert_int_equal(profile_sum_start(&sum, &out, &a, &e), 0);
    profile_sum_drop(&sum);
    assert_int_equal(out.sample_count, 0);
    a.sample_type_count = 0;
    assert_int_equal(profile_sum_start(&sum, &out, &a, &e), -EAGAIN);
    assert_null(sum);
    profile_free(&a);
    profile_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_loaded_elsewhere_is_the_same_program),
        cmocka_unit_test(another_line_is_another_location),
        cmocka_unit_test(units_are_brought_to_the_finest),
        cmocka_unit_test(samples_that_cancel_leave_nothing),
        cmocka_unit_test(what_cannot_be_added_is_refused_in_pprofs_words),
        cmocka_unit_test(one_profile_is_copied_with_its_ids),
        cmocka_unit_test(merging_adds_up_and_does_not_mind_the_order),
        cmocka_unit_test(one_by_one_gives_what_all_at_once_gives),
        cmocka_unit_test(only_what_agrees_is_added_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
