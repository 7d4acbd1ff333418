/* SPDX-License-Identifier: MIT
 *
 * What the store does by itself over time: it takes out symbols that nothing uses, gives space
 * back, averages and adds as before whatever form the profiles have by then, and reads files of the
 * layout before. */
#include "store/content.h"
#include "store/store.h"
#include "profile_support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#define SECOND 1000000000ll
#define DAY    (86400 * SECOND)
#define T0     (1700000400ll * SECOND) /* a whole ten minutes */

static char dir[64], path[96];
static struct err e;

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/strobe-upkeep-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/strobe.db", dir);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void must(int rc)
{
    if (rc < 0)
        fail_msg("%s", e.msg);
}

static struct store *open_with(int64_t retain_ns, int64_t downsample_ns, int64_t retain_bytes)
{
    struct store_options o = {.retain_ns = retain_ns,
                              .downsample_ns = downsample_ns,
                              .retain_bytes = retain_bytes,
                              .no_background = true};
    struct store *s;
    must(store_open(&s, path, &o, &e));
    return s;
}

static struct store *open_store(void)
{
    return open_with(-1, -1, -1);
}

static void stored(void *arg, int rc, const struct store_profile_id *id, const struct err *why)
{
    (void)arg, (void)id;
    if (rc < 0)
        fail_msg("%s", why->msg);
}

/* Does not wait for the disk: flush does. */
static void put(struct store *s, const char *service, const char *kind, const struct profile *p,
                int64_t time_ns)
{
    struct store_append a = {.service_name = service,
                             .kind = kind,
                             .profile = p,
                             .time_ns = time_ns,
                             .lost_samples = -1};
    must(store_append_start(s, &a, stored, NULL, &e));
}

static void flush(struct store *s)
{
    must(store_put_setting(s, "flushed", "1", &e));
}

/* Profile i of a seed: about 150 stacks, some of which other profiles of the seed have as well. */
static void make(struct profile *p, uint32_t seed, uint32_t i)
{
    profile_random(p, (struct random_profile){.seed = seed * 1000 + i % 5,
                                              .samples = 150,
                                              .locations = 400,
                                              .functions = 200,
                                              .mappings = 3});
    p->time_nanos = T0 + i * 60 * SECOND;
    p->values[0] += i;
}

static void fill(struct store *s, const char *service, uint32_t seed, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct profile p;
        make(&p, seed, i);
        put(s, service, "custom", &p, p.time_nanos);
        profile_free(&p);
    }
    flush(s);
}

static uint64_t hash_of(const struct profile *p)
{
    struct content c;
    content_make(&c, p, 1);
    uint64_t hash = c.hash;
    content_free(&c);
    return hash;
}

static struct store_query all_of(struct store_match *match, const char *service)
{
    *match = (struct store_match){"service_name", service, STORE_EQUAL};
    return (struct store_query){
        .matches = match, .match_count = 1, .from_ns = T0 - DAY, .until_ns = T0 + 400 * DAY};
}

/* The merge of all of a service, as a hash; every part of it must be readable. */
static uint64_t merged(struct store *s, const char *service, uint64_t *profiles)
{
    struct profile p;
    struct store_merge_info info;
    struct store_match match;
    struct store_query q = all_of(&match, service);
    must(store_merge(s, &q, &(struct store_merge_options){.add_levels = true}, &p, &info, &e));
    assert_int_equal(info.damaged, 0);
    assert_int_equal(profile_check(&p, &e), 0);
    uint64_t hash = info.profiles ? hash_of(&p) : 0;
    if (profiles)
        *profiles = info.profiles;
    profile_free(&p);
    return hash;
}

static uint64_t wanted(uint32_t seed, uint32_t count)
{
    struct profile in[64], *list[64], all;
    for (uint32_t i = 0; i < count; i++) {
        make(&in[i], seed, i);
        list[i] = &in[i];
    }
    must(profile_merge(&all, list, count, &e));
    uint64_t hash = hash_of(&all);
    profile_free(&all);
    for (uint32_t i = 0; i < count; i++)
        profile_free(&in[i]);
    return hash;
}

static struct store_stats stats_of(struct store *s)
{
    struct store_stats t;
    must(store_stats(s, &t, &e));
    return t;
}

static void delete_all(struct store *s, const char *service)
{
    struct store_match match;
    struct store_query q = all_of(&match, service);
    must(store_delete(s, &q, NULL, &e));
}

/* ---- symbols ---- */

static void symbols_go_with_the_last_profile_that_uses_them(void **state)
{
    (void)state;
    struct store *s = open_store();
    fill(s, "b", 2, 10);
    must(store_maintain(s, T0 + DAY, &e));
    struct store_stats alone = stats_of(s);
    for (uint32_t seed = 3; seed < 10; seed++)
        fill(s, "a", seed, 10);
    must(store_maintain(s, T0 + DAY, &e));
    struct store_stats both = stats_of(s);
    uint64_t b = merged(s, "b", NULL);
    assert_true(b == wanted(2, 10));
    assert_true(both.stacks > 5 * alone.stacks);
    delete_all(s, "a");
    must(store_maintain(s, T0 + DAY, &e));
    struct store_stats after = stats_of(s);
    assert_int_equal(after.stacks, alone.stacks);
    assert_int_equal(after.functions, alone.functions);
    assert_int_equal(after.strings, alone.strings);
    assert_true(merged(s, "b", NULL) == b);
    fill(s, "a", 3, 10); /* what was removed comes back under new numbers */
    must(store_maintain(s, T0 + DAY, &e));
    assert_true(merged(s, "a", NULL) == wanted(3, 10));
    store_close(&s);
    s = open_store();
    assert_true(merged(s, "a", NULL) == wanted(3, 10));
    assert_true(merged(s, "b", NULL) == b);
    store_close(&s);
}

static void the_file_becomes_smaller(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct stat large, small;
    fill(s, "b", 2, 10);
    for (uint32_t seed = 3; seed < 13; seed++)
        fill(s, "a", seed, 10);
    must(store_maintain(s, T0 + DAY, &e));
    delete_all(s, "a");
    store_close(&s);
    assert_int_equal(stat(path, &large), 0);
    s = open_store();
    for (int i = 0; i < 10; i++) /* a little each time */
        must(store_maintain(s, T0 + DAY, &e));
    assert_true(merged(s, "b", NULL) == wanted(2, 10));
    store_close(&s);
    assert_int_equal(stat(path, &small), 0);
    assert_true(small.st_size < large.st_size / 2);
}

static void what_is_too_old_takes_its_symbols_along(void **state)
{
    (void)state;
    struct store *s = open_with(30 * DAY, 7 * DAY, -1);
    for (uint32_t seed = 3; seed < 9; seed++)
        fill(s, "a", seed, 10);
    must(store_maintain(s, T0 + DAY, &e));
    struct store_stats before = stats_of(s);
    for (uint32_t i = 0; i < 10; i++) {
        struct profile p;
        make(&p, 2, i);
        put(s, "b", "custom", &p, p.time_nanos + 40 * DAY);
        profile_free(&p);
    }
    must(store_maintain(s, T0 + 41 * DAY, &e));
    struct store_stats after = stats_of(s);
    assert_int_equal(after.profiles, 10);
    assert_true(after.stacks < before.stacks / 4);
    assert_true(merged(s, "b", NULL) == wanted(2, 10));
    store_close(&s);
}

/* Stacks that no profile uses must not push out profiles when the size is limited. */
static void a_size_limit_takes_unused_symbols_before_more_history(void **state)
{
    (void)state;
    struct store *s = open_store();
    uint64_t left;
    for (uint32_t seed = 3; seed < 13; seed++)
        fill(s, "a", seed, 10);
    delete_all(s, "a");
    fill(s, "b", 2, 10);
    struct store_stats before = stats_of(s);
    store_close(&s);
    s = open_with(-1, -1, (int64_t)(before.bytes - before.bytes_free) / 2);
    must(store_maintain(s, T0 + DAY, &e));
    merged(s, "b", &left);
    assert_int_equal(left, 10);
    store_close(&s);
}

/* ---- all at once ---- */

static atomic_bool stop;

static void *append_on(void *arg)
{
    struct store *s = arg;
    for (uint32_t i = 0; i < 60; i++) {
        struct profile p;
        struct err mine;
        make(&p, 3 + i % 4, i); /* with stacks of those that are being deleted */
        struct store_append a = {.service_name = "live",
                                 .kind = "custom",
                                 .profile = &p,
                                 .time_ns = p.time_nanos,
                                 .lost_samples = -1};
        int rc = store_append(s, &a, NULL, &mine);
        profile_free(&p);
        if (rc != 0)
            return (void *)1;
    }
    return NULL;
}

static void *ask_on(void *arg)
{
    struct store *s = arg;
    uintptr_t bad = 0;
    while (!atomic_load(&stop)) {
        struct profile p;
        struct store_merge_info info;
        struct store_match match;
        struct store_query q = all_of(&match, "live");
        struct err mine;
        bad += store_merge(s, &q, NULL, &p, &info, &mine) != 0 || info.damaged;
        bad += profile_check(&p, &mine) != 0;
        profile_free(&p);
    }
    return (void *)bad;
}

static void *tidy_on(void *arg)
{
    struct store *s = arg;
    uintptr_t bad = 0;
    for (uint32_t round = 0; round < 6; round++) {
        struct store_match match;
        struct store_query q = all_of(&match, "a");
        struct err mine;
        bad += store_delete(s, &q, NULL, &mine) != 0;
        bad += store_maintain(s, T0 + DAY, &mine) != 0;
        for (uint32_t i = 0; i < 10; i++) {
            struct profile p;
            make(&p, 3 + round % 4, i);
            struct store_append a = {.service_name = "a",
                                     .kind = "custom",
                                     .profile = &p,
                                     .time_ns = p.time_nanos,
                                     .lost_samples = -1};
            bad += store_append(s, &a, NULL, &mine) < 0;
            profile_free(&p);
        }
    }
    return (void *)bad;
}

/* Symbols are removed while profiles with the same ones come in, are compacted and asked for. */
static void nothing_in_use_is_removed_while_others_write(void **state)
{
    (void)state;
    struct store *s = open_store();
    void *(*const work[])(void *) = {append_on, tidy_on, ask_on};
    pthread_t threads[3];
    void *failed;
    for (uint32_t seed = 3; seed < 7; seed++)
        fill(s, "a", seed, 20);
    atomic_store(&stop, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], s), 0);
    for (int i = 0; i < 3; i++) {
        atomic_store(&stop, i == 2);
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    uint64_t count;
    merged(s, "live", &count);
    assert_int_equal(count, 60);
    store_close(&s);
    s = open_store();
    merged(s, "live", &count);
    assert_int_equal(count, 60);
    store_close(&s);
}

/* ---- levels and rates in every resolution ---- */

enum { HEAPS = 20 };

/* One site: what was allocated (a rate) and what is in use (a level). */
static void make_heap(struct profile *p, int64_t allocated, int64_t used)
{
    profile_init(p);
    struct arena *a = &p->arena;
    p->sample_types = arena_zarray(a, 2, sizeof *p->sample_types);
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){
        profile_intern_cstr(p, "alloc_space"), profile_intern_cstr(p, "bytes")};
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){
        profile_intern_cstr(p, "inuse_space"), profile_intern_cstr(p, "bytes")};
    p->functions = arena_zarray(a, 1, sizeof *p->functions);
    p->functions[p->function_count++] =
        (struct profile_function){.id = 1, .name = profile_intern_cstr(p, "site")};
    p->lines = arena_zarray(a, 1, sizeof *p->lines);
    p->line_count = 1;
    p->locations = arena_zarray(a, 1, sizeof *p->locations);
    p->locations[p->location_count++] =
        (struct profile_location){.id = 1, .mapping = PROFILE_NONE, .line_count = 1};
    p->loc_refs = arena_zarray(a, 1, sizeof *p->loc_refs);
    p->loc_ref_count = 1;
    p->values = arena_array(a, 2, sizeof *p->values);
    p->values[0] = allocated;
    p->values[1] = used;
    p->sample_loc_end = arena_array(a, 1, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(a, 1, sizeof *p->sample_label_end);
    p->sample_loc_end[0] = p->sample_count = 1;
}

static void put_heap(struct store *s, const char *service, uint32_t i)
{
    struct profile p;
    make_heap(&p, 100 + i, service[0] == 'x' ? 1000 + i : 70);
    put(s, service, "heap", &p, T0 + i * 60 * SECOND);
    profile_free(&p);
}

/* Series x has 20 profiles of 1000 + i, y the first 5 of them with 70. */
static void check_levels(struct store *s, int64_t step_s)
{
    struct store_query q = {.kind = "heap", .from_ns = T0, .until_ns = T0 + 1200 * SECOND};
    struct profile p;
    struct store_timeline t;
    struct arena a;
    must(store_merge(s, &q, NULL, &p, NULL, &e));
    assert_int_equal(p.sample_count, 1);
    assert_int_equal(p.values[0], 20 * 100 + 190 + 5 * 100 + 10); /* added */
    assert_in_range(p.values[1], 1009 + 70, 1010 + 70);           /* 1009.5 and 70 */
    profile_free(&p);
    arena_init(&a);
    q.type = "inuse_space";
    struct store_timeline_options o = {.step_ns = step_s * SECOND, .total = true};
    must(store_timeline(s, &q, &o, &a, &t, &e));
    assert_int_equal(t.mode, STORE_LEVEL);
    assert_int_equal(t.line_count, 1);
    /* The first bucket has the first minutes of x, and of y where it has that many. */
    int64_t n = step_s / 60;
    double want = 1000 + (double)(n - 1) / 2 + 70;
    assert_true(t.lines[0].values[0] > want - 1e-6 && t.lines[0].values[0] < want + 1e-6);
    assert_int_equal(t.lines[0].profiles[0], n + (n < 5 ? n : 5));
    arena_free(&a);
}

static void levels_and_rates_are_the_same_in_every_resolution(void **state)
{
    (void)state;
    struct store *s = open_with(-1, 7 * DAY, -1);
    for (uint32_t i = 0; i < HEAPS; i++) {
        put_heap(s, "x", i);
        if (i < 5)
            put_heap(s, "y", i);
    }
    flush(s);
    check_levels(s, 60); /* as they came in */
    must(store_maintain(s, T0 + 3600 * SECOND, &e));
    assert_int_equal(stats_of(s).fresh_profiles, 0);
    check_levels(s, 60); /* in blocks */
    struct store_stats before = stats_of(s);
    for (uint32_t i = 0; i < 3; i++) { /* so that time goes on */
        struct profile p;
        make_heap(&p, 1, 1);
        put(s, "z", "heap", &p, T0 + 20 * DAY + i * 60 * SECOND);
        profile_free(&p);
    }
    must(store_maintain(s, T0 + 20 * DAY, &e));
    struct store_profile_list list;
    struct arena a;
    struct store_query q = {.kind = "heap", .from_ns = T0, .until_ns = T0 + DAY};
    arena_init(&a);
    must(store_list_profiles(s, &q, 0, &a, &list, &e));
    assert_int_equal(list.count, before.profiles);
    assert_true(list.profiles[0].only_sum);
    arena_free(&a);
    check_levels(s, 600); /* as sums of ten minutes */
    store_close(&s);
}

/* In pprof's way, levels added as well, each resolution equals profile_merge. */
static void every_resolution_is_what_pprof_adds_up(void **state)
{
    (void)state;
    struct store *s = open_with(-1, 7 * DAY, -1);
    uint64_t want = wanted(4, 40);
    fill(s, "r", 4, 40);
    assert_true(merged(s, "r", NULL) == want);
    must(store_maintain(s, T0 + 3600 * SECOND, &e));
    assert_true(merged(s, "r", NULL) == want);
    for (uint32_t i = 0; i < 2; i++) {
        struct profile p;
        make(&p, 9, i);
        put(s, "z", "custom", &p, T0 + 20 * DAY);
        profile_free(&p);
    }
    must(store_maintain(s, T0 + 20 * DAY, &e));
    assert_true(merged(s, "r", NULL) == want);
    store_close(&s);
}

/* ---- the layout before ---- */

static void make_layout_1(void)
{
    static char sql[1 << 16];
    sqlite3 *db;
    FILE *f = fopen(LAYOUT_1, "r");
    assert_non_null(f);
    sql[fread(sql, 1, sizeof sql - 1, f)] = 0;
    fclose(f);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Five profiles in a block, 1 to 5 times hot and 10 times cold; one with 100 and 1000 that came
 * late; one much later, with 7 and 8. */
static void check_layout_1(struct store *s)
{
    struct store_query q = {.kind = "cpu", .from_ns = T0, .until_ns = T0 + 120 * SECOND};
    struct profile p;
    must(store_merge(s, &q, NULL, &p, NULL, &e)); /* cuts the block */
    assert_int_equal(p.sample_count, 2);
    assert_int_equal(p.values[0] + p.values[2], 1 + 2 + 20);
    assert_int_equal(p.values[1] + p.values[3], (1 + 2 + 20) * 10000000ll);
    profile_free(&p);
    q.until_ns = T0 + DAY;
    must(store_merge(s, &q, NULL, &p, NULL, &e));
    assert_int_equal(p.sample_count, 2);
    assert_int_equal(p.values[0] + p.values[2], 15 + 50 + 1100 + 15);
    profile_free(&p);
}

static void a_file_of_the_layout_before_is_read_and_goes_on(void **state)
{
    (void)state;
    make_layout_1();
    struct store *s = open_store();
    check_layout_1(s);
    store_close(&s);
    s = open_store();
    check_layout_1(s);
    assert_int_equal(stats_of(s).stacks, 2);
    must(store_maintain(s, T0 + DAY, &e)); /* the late one joins the block */
    check_layout_1(s);
    assert_int_equal(stats_of(s).fresh_profiles, 0);
    fill(s, "b", 2, 5);
    assert_true(merged(s, "b", NULL) == wanted(2, 5));
    delete_all(s, "b");
    must(store_maintain(s, T0 + DAY, &e));
    assert_int_equal(stats_of(s).stacks, 2);
    check_layout_1(s);
    store_close(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(symbols_go_with_the_last_profile_that_uses_them),
        TEST(the_file_becomes_smaller),
        TEST(what_is_too_old_takes_its_symbols_along),
        TEST(a_size_limit_takes_unused_symbols_before_more_history),
        TEST(nothing_in_use_is_removed_while_others_write),
        TEST(levels_and_rates_are_the_same_in_every_resolution),
        TEST(every_resolution_is_what_pprof_adds_up),
        TEST(a_file_of_the_layout_before_is_read_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
