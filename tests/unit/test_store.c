/* SPDX-License-Identifier: MIT
 *
 * The store by its contract: what goes in comes out as pprof's merge would have it, before and
 * after compaction; charts, lists, trends and deletion agree with the profiles that were put in. */
#include "store/content.h"
#include "store/store.h"
#include "profile_support.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SECOND 1000000000ll
#define T0     (1700000400ll * SECOND) /* a whole ten minutes */

static char dir[64];
static struct err e;

static const char *url(void)
{
    static char text[128];
    snprintf(text, sizeof text, "sqlite:%s/strobe.db", dir);
    return text;
}

static void clean(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/strobe-store-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    clean();
    return 0;
}

static struct store *open_store(void)
{
    struct store_options o;
    struct store *s;
    store_options_default(&o);
    o.no_background = true;
    o.retain_ns = o.downsample_ns = -1;
    if (store_open(&s, url(), &o, &e) != 0)
        fail_msg("%s", e.msg);
    return s;
}

static void must(int rc)
{
    if (rc < 0)
        fail_msg("%s", e.msg);
}

/* ---- profiles ---- */

/* main calls work calls leaf, by name; values by leaf. */
static void add_stack(struct profile *p, const char *const *names, uint32_t depth,
                      const int64_t *values)
{
    uint32_t n = p->sample_count, types = p->sample_type_count;
    for (uint32_t i = 0; i < depth; i++) {
        uint32_t f = 0, name = profile_intern_cstr(p, names[i]);
        while (f < p->function_count && p->functions[f].name != name)
            f++;
        if (f == p->function_count) {
            p->functions[f] = (struct profile_function){.id = f + 1u, .name = name};
            p->lines[f] = (struct profile_line){.line = 7, .function = f};
            p->locations[f] = (struct profile_location){.id = f + 1u,
                                                        .address = 0x1000 + f * 16,
                                                        .mapping = PROFILE_NONE,
                                                        .line_first = f,
                                                        .line_count = 1};
            p->function_count = p->line_count = p->location_count = f + 1;
        }
        p->loc_refs[p->loc_ref_count++] = f;
    }
    memcpy(p->values + (size_t)n * types, values, types * sizeof *values);
    p->sample_loc_end[n] = p->loc_ref_count;
    p->sample_label_end[n] = p->label_count;
    p->sample_count++;
}

struct type {
    const char *name, *unit;
};

static void begin(struct profile *p, const struct type *types, uint32_t count)
{
    profile_init(p);
    struct arena *a = &p->arena;
    p->sample_types = arena_array(a, count, sizeof *p->sample_types);
    for (uint32_t i = 0; i < count; i++)
        p->sample_types[p->sample_type_count++] = (struct profile_value_type){
            profile_intern_cstr(p, types[i].name), profile_intern_cstr(p, types[i].unit)};
    p->functions = arena_array(a, 64, sizeof *p->functions);
    p->lines = arena_array(a, 64, sizeof *p->lines);
    p->locations = arena_array(a, 64, sizeof *p->locations);
    p->loc_refs = arena_array(a, 640, sizeof *p->loc_refs);
    p->values = arena_array(a, 64 * count, sizeof *p->values);
    p->sample_loc_end = arena_array(a, 64, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_array(a, 64, sizeof *p->sample_label_end);
}

static const struct type cpu_types[] = {{"samples", "count"}, {"cpu", "nanoseconds"}};

/* Sample counts of leaf "hot" and of "cold", both called from "main". */
static void cpu_profile(struct profile *p, int64_t hot, int64_t cold, int64_t duration_s)
{
    begin(p, cpu_types, 2);
    p->period_type = (struct profile_value_type){profile_intern_cstr(p, "cpu"),
                                                 profile_intern_cstr(p, "nanoseconds")};
    p->period = 10000000;
    p->duration_nanos = duration_s * SECOND;
    add_stack(p, (const char *[]){"hot", "main"}, 2, (int64_t[]){hot, hot * 10000000});
    add_stack(p, (const char *[]){"cold", "main"}, 2, (int64_t[]){cold, cold * 10000000});
}

static struct store_profile_id put(struct store *s, const char *service, const char *kind,
                                   const struct profile *p, int64_t time_ns)
{
    struct store_profile_id id;
    struct store_label env = {"env", service[0] == 'a' ? "prod" : "test"};
    struct store_append a = {.service_name = service,
                             .kind = kind,
                             .labels = &env,
                             .label_count = 1,
                             .profile = p,
                             .time_ns = time_ns,
                             .lost_samples = -1};
    must(store_append(s, &a, &id, &e));
    return id;
}

static void put_cpu(struct store *s, const char *service, int64_t hot, int64_t cold,
                    int64_t time_ns)
{
    struct profile p;
    cpu_profile(&p, hot, cold, 10);
    put(s, service, "cpu", &p, time_ns);
    profile_free(&p);
}

static struct store_query ask(const char *text, struct arena *a, int64_t from, int64_t until)
{
    struct store_query q = {.from_ns = from, .until_ns = until};
    must(store_query_parse(&q, text, a, &e));
    return q;
}

static int64_t total_of(const struct profile *p, uint32_t type)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < p->sample_count; i++)
        sum += p->values[(size_t)i * p->sample_type_count + type];
    return sum;
}

/* Where pprof takes different things for one, which of them stays depends on the order of samples:
 * pages of a mapping, its flags, its file beside a build id, columns of lines but the last. */
static void even_out(struct profile *p)
{
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_mapping *m = &p->mappings[i];
        m->limit = m->start + (m->limit - m->start + 0xfff) / 0x1000 * 0x1000;
        m->file = m->build_id ? 0 : m->file;
        m->has_functions = m->has_filenames = m->has_line_numbers = m->has_inline_frames = false;
    }
    for (uint32_t i = 0; i < p->location_count; i++)
        for (uint32_t k = 0; k + 1 < p->locations[i].line_count; k++)
            p->lines[p->locations[i].line_first + k].column = 0;
}

/* Equal but for the order of samples and numbers of things. */
static void assert_same(struct profile *a, struct profile *b)
{
    struct content x, y;
    assert_int_equal(profile_check(a, &e), 0);
    even_out(a);
    even_out(b);
    content_make(&x, a, 1);
    content_make(&y, b, 1);
    assert_int_equal(x.sample_count, y.sample_count);
    assert_true(x.hash == y.hash);
    assert_int_equal(a->duration_nanos, b->duration_nanos);
    assert_int_equal(a->period, b->period);
    assert_int_equal(a->time_nanos, b->time_nanos);
    assert_int_equal(a->comment_count, b->comment_count);
    content_free(&x);
    content_free(&y);
}

/* ---- merging ---- */

enum { MANY = 12 };

static void random_one(struct profile *p, uint32_t i)
{
    profile_random(
        p, (struct random_profile){
               .seed = 11 + i % 9, .samples = 60, .locations = 40, .functions = 20, .mappings = 3});
    p->time_nanos = T0 + i * 100 * SECOND;
}

static void check_merges(struct store *s)
{
    struct profile in[MANY], *list[MANY], want, got;
    struct store_merge_info info;
    struct arena a;
    arena_init(&a);
    for (uint32_t i = 0; i < MANY; i++) {
        random_one(&in[i], i);
        list[i] = &in[i];
    }
    for (uint32_t from = 0; from < MANY; from += 3)
        for (uint32_t until = from + 2; until <= MANY; until += 2) {
            struct store_query q = ask("{service_name=\"r\"}", &a, T0 + from * 100 * SECOND,
                                       T0 + until * 100 * SECOND);
            struct store_merge_options o = {.add_levels = true};
            must(profile_merge(&want, list + from, until - from, &e));
            must(store_merge(s, &q, &o, &got, &info, &e));
            assert_int_equal(info.profiles, until - from);
            assert_int_equal(info.damaged, 0);
            assert_same(&got, &want);
            profile_free(&want);
            profile_free(&got);
        }
    for (uint32_t i = 0; i < MANY; i++)
        profile_free(&in[i]);
    arena_free(&a);
}

static void a_merge_is_what_pprof_makes_of_the_same_profiles(void **state)
{
    (void)state;
    struct store *s = open_store();
    for (uint32_t i = 0; i < MANY; i++) {
        struct profile p;
        uint32_t k = i * 5 % MANY; /* out of order */
        random_one(&p, k);
        put(s, "r", "custom", &p, p.time_nanos);
        profile_free(&p);
    }
    check_merges(s);
    must(store_maintain(s, T0 + 700 * SECOND, &e)); /* the first slot only */
    check_merges(s);
    must(store_maintain(s, T0 + 9000 * SECOND, &e));
    check_merges(s);
    store_close(&s);
    s = open_store();
    struct store_stats stats;
    must(store_stats(s, &stats, &e));
    assert_int_equal(stats.fresh_profiles, 0);
    assert_int_equal(stats.profiles, MANY);
    check_merges(s);
    store_close(&s);
}

static void a_profile_comes_back_by_its_id(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct store_profile_id ids[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        struct profile p;
        random_one(&p, i);
        ids[i] = put(s, "r", "custom", &p, p.time_nanos);
        profile_free(&p);
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            struct profile p, want, got;
            struct store_profile_id id;
            char text[STORE_ID_TEXT_MAX];
            random_one(&p, i);
            struct profile nothing = p;
            nothing.sample_count = 0;
            nothing.duration_nanos = 0;
            must(profile_merge(&want, (struct profile *[]){&p, &nothing}, 2, &e));
            store_id_format(ids[i], text);
            must(store_id_parse(text, &id, &e));
            struct store_merge_options o = {.ids = &id, .id_count = 1};
            must(store_merge(s, NULL, &o, &got, NULL, &e));
            assert_same(&got, &want);
            profile_free(&p);
            profile_free(&want);
            profile_free(&got);
        }
        must(store_maintain(s, T0 + 9000 * SECOND, &e));
    }
    struct store_profile_id none = ids[0];
    struct store_merge_options o = {.ids = &none, .id_count = 1};
    struct profile got;
    none.content++;
    assert_int_equal(store_merge(s, NULL, &o, &got, NULL, &e), -ENOENT);
    assert_int_equal(store_id_parse("12-x", &none, &e), -EINVAL);
    store_close(&s);
}

static void the_same_profile_is_stored_once(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct store_stats stats;
    struct profile p;
    struct store_append a = {
        .service_name = "api", .kind = "cpu", .profile = &p, .time_ns = T0, .lost_samples = -1};
    cpu_profile(&p, 3, 1, 10);
    assert_int_equal(store_append(s, &a, NULL, &e), 0);
    assert_int_equal(store_append(s, &a, NULL, &e), 1);
    must(store_maintain(s, T0 + 9000 * SECOND, &e));
    assert_int_equal(store_append(s, &a, NULL, &e), 1);
    a.time_ns++;
    assert_int_equal(store_append(s, &a, NULL, &e), 0);
    must(store_stats(s, &stats, &e));
    assert_int_equal(stats.profiles, 2);
    assert_int_equal(stats.duplicates, 2);
    profile_free(&p);
    store_close(&s);
}

static void levels_are_averaged_and_rates_are_added(void **state)
{
    (void)state;
    static const struct type heap[] = {{"alloc_space", "bytes"}, {"inuse_space", "bytes"}};
    struct store *s = open_store();
    struct arena arena;
    arena_init(&arena);
    for (int64_t i = 0; i < 4; i++)
        for (int k = 0; k < 2;
             k++) { /* in use: 100, 200, 300, 400 in one, ten times in the other */
            struct profile p;
            int64_t v = (i + 1) * (k ? 1000 : 100);
            begin(&p, heap, 2);
            add_stack(&p, (const char *[]){"f", "main"}, 2, (int64_t[]){10, v});
            put(s, k ? "b" : "a", "heap", &p, T0 + i * SECOND);
            profile_free(&p);
        }
    for (int round = 0; round < 2; round++) {
        struct store_query q = ask("heap/inuse_space", &arena, T0, T0 + 100 * SECOND);
        struct store_merge_options add = {.add_levels = true};
        struct store_timeline_options o = {.step_ns = 100 * SECOND, .total = true};
        struct store_timeline t;
        struct store_top top;
        struct profile p;
        must(store_merge(s, &q, NULL, &p, NULL, &e));
        assert_int_equal(total_of(&p, 0), 80);
        assert_int_equal(total_of(&p, 1), 250 + 2500);
        profile_free(&p);
        must(store_merge(s, &q, &add, &p, NULL, &e));
        assert_int_equal(total_of(&p, 1), 11000);
        profile_free(&p);
        must(store_timeline(s, &q, &o, &arena, &t, &e));
        assert_int_equal(t.mode, STORE_LEVEL);
        assert_true(fabs(t.lines[0].values[0] - 2750) < 1e-9);
        must(store_top(s, &q, &(struct store_top_options){0}, &arena, &top, &e));
        assert_int_equal(top.total, 2750);
        assert_string_equal(top.functions[0].name, "f");
        assert_int_equal(top.functions[0].flat, 2750);
        must(store_maintain(s, T0 + 9000 * SECOND, &e));
    }
    arena_free(&arena);
    store_close(&s);
}

/* ---- asking ---- */

static uint32_t count_series(struct store *s, const char *text)
{
    struct store_series_list list;
    struct arena a;
    arena_init(&a);
    struct store_query q = ask(text, &a, 0, 0);
    must(store_list_series(s, &q, &a, &list, &e));
    uint32_t n = list.count;
    arena_free(&a);
    return n;
}

static void series_are_found_by_labels(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct arena a;
    struct store_names names;
    struct store_query bad = {0};
    arena_init(&a);
    put_cpu(s, "api", 1, 1, T0);
    put_cpu(s, "billing", 1, 1, T0);
    put_cpu(s, "agent", 1, 1, T0);
    assert_int_equal(count_series(s, "cpu"), 3);
    assert_int_equal(count_series(s, "heap"), 0);
    assert_int_equal(count_series(s, "cpu/samples{}"), 3);
    assert_int_equal(count_series(s, "cpu/wall{}"), 0);
    assert_int_equal(count_series(s, "{service_name=\"api\"}"), 1);
    assert_int_equal(count_series(s, "cpu{service_name!=\"api\"}"), 2);
    assert_int_equal(count_series(s, "cpu{service_name=~\"a.*\", env=\"prod\",}"), 2);
    assert_int_equal(count_series(s, "cpu{service_name=~\"a\"}"), 0); /* the whole value */
    assert_int_equal(count_series(s, "{service_name!~\"a.*|x\"}"), 1);
    assert_int_equal(count_series(s, "{nothing=\"\"}"), 3);
    struct store_query q = ask("cpu", &a, 0, 0);
    must(store_list_labels(s, &q, &a, &names, &e));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.names[0], "env");
    must(store_list_values(s, &q, "service_name", &a, &names, &e));
    assert_int_equal(names.count, 3);
    assert_string_equal(names.names[2], "billing");
    assert_int_equal(store_query_parse(&bad, "cpu{service_name}", &a, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "column 17"));
    assert_int_equal(store_query_parse(&bad, "cpu{a=\"b", &a, &e), -EINVAL);
    assert_int_equal(store_query_parse(&bad, "cpu{a=\"b\"} x", &a, &e), -EINVAL);
    q = ask("{a=~\"(\"}", &a, 0, 0);
    struct store_series_list list;
    assert_int_equal(store_list_series(s, &q, &a, &list, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "missing closing )"));
    arena_free(&a);
    store_close(&s);
}

static void process_ids_are_no_labels_of_a_series(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct profile p;
    cpu_profile(&p, 1, 1, 1);
    for (int i = 0; i < 3; i++) {
        char pid[8];
        snprintf(pid, sizeof pid, "%d", 100 + i);
        struct store_label labels[] = {{"pid", pid}, {"zone", "a"}};
        struct store_append a = {.service_name = "api",
                                 .kind = "cpu",
                                 .labels = labels,
                                 .label_count = 2,
                                 .profile = &p,
                                 .time_ns = T0 + i,
                                 .lost_samples = -1};
        must(store_append(s, &a, NULL, &e));
    }
    assert_int_equal(count_series(s, "{}"), 1);
    assert_int_equal(count_series(s, "{pid=\"\",zone=\"a\"}"), 1);
    profile_free(&p);
    store_close(&s);
}

/* A profile a minute for an hour: minute i has i + 1 hot samples and 100 cold ones. */
static void fill_hour(struct store *s)
{
    for (int64_t i = 0; i < 60; i++)
        put_cpu(s, "api", i + 1, 100, T0 + i * 60 * SECOND);
}

static void timelines_and_lists_add_up(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct arena a;
    arena_init(&a);
    fill_hour(s);
    put_cpu(s, "other", 5, 5, T0);
    for (int round = 0; round < 2; round++) {
        struct store_query q = ask("cpu/samples", &a, T0, T0 + 3600 * SECOND);
        struct store_timeline_options o = {.step_ns = 900 * SECOND};
        struct store_timeline t;
        struct store_profile_list list;
        must(store_timeline(s, &q, &o, &a, &t, &e));
        assert_int_equal(t.buckets, 4);
        assert_int_equal(t.line_count, 2);
        assert_string_equal(t.lines[0].name, "api");
        assert_string_equal(t.unit, "count");
        assert_true(t.lines[0].values[0] == 15 * 16 / 2 + 1500);
        assert_int_equal(t.lines[0].profiles[3], 15);
        assert_int_equal(t.lines[0].duration_ns[0], 150 * SECOND);
        assert_int_equal(t.lines[1].profiles[1], 0);
        o.group_by = "env";
        must(store_timeline(s, &q, &o, &a, &t, &e));
        assert_string_equal(t.lines[1].name, "test");
        must(store_list_profiles(s, &q, 10, &a, &list, &e));
        assert_int_equal(list.count, 10);
        assert_true(list.more);
        assert_int_equal(list.profiles[9].total, 160);
        assert_int_equal(list.profiles[9].period, 10000000);
        assert_int_equal(list.profiles[9].duration_ns, 10 * SECOND);
        assert_int_equal(list.profiles[9].sample_count, 2);
        q.until_ns = INT64_MAX;
        assert_int_equal(store_timeline(s, &q, &o, &a, &t, &e), -EFBIG);
        must(store_maintain(s, T0 + 9000 * SECOND, &e));
    }
    arena_free(&a);
    store_close(&s);
}

static void a_function_is_followed_over_time(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct arena a;
    arena_init(&a);
    fill_hour(s);
    for (int round = 0; round < 2; round++) {
        struct store_query q = ask("cpu/samples", &a, T0, T0 + 3600 * SECOND);
        struct store_trend t;
        struct store_top top;
        struct store_trend_options o = {.function = "hot", .last = 5};
        must(store_trend(s, &q, &o, &a, &t, &e));
        assert_int_equal(t.count, 5);
        assert_int_equal(t.points[4].flat, 60);
        assert_int_equal(t.points[4].total, 160);
        o = (struct store_trend_options){.function = "main", .step_ns = 1800 * SECOND};
        must(store_trend(s, &q, &o, &a, &t, &e));
        assert_int_equal(t.count, 2);
        assert_int_equal(t.points[0].flat, 0);
        assert_int_equal(t.points[0].cum, 30 * 31 / 2 + 3000);
        must(store_top(s, &q, &(struct store_top_options){.step_ns = 600 * SECOND, .limit = 2}, &a,
                       &top, &e));
        assert_int_equal(top.function_count, 2);
        assert_string_equal(top.functions[0].name, "cold");
        assert_int_equal(top.functions[0].flat, 6000);
        assert_int_equal(top.functions[1].flat_values[0], 55);
        assert_int_equal(top.totals[0], 1055);
        const char *only[] = {"main", "nowhere", "hot"};
        must(store_top(s, &q,
                       &(struct store_top_options){
                           .step_ns = 1800 * SECOND, .limit = 1, .only = only, .only_count = 3},
                       &a, &top, &e));
        assert_int_equal(top.function_count, 3);
        for (int i = 0; i < 3; i++)
            assert_string_equal(top.functions[i].name, only[i]);
        assert_int_equal(top.functions[0].cum_values[0], 30 * 31 / 2 + 3000);
        assert_int_equal(top.functions[1].cum, 0);
        assert_int_equal(top.functions[2].cum, 60 * 61 / 2);
        must(store_maintain(s, T0 + 9000 * SECOND, &e));
    }
    arena_free(&a);
    store_close(&s);
}

/* ---- deleting ---- */

static uint64_t merged(struct store *s, int64_t from, int64_t until, int64_t *samples)
{
    struct arena a;
    struct profile p;
    struct store_merge_info info;
    arena_init(&a);
    struct store_query q = ask("cpu", &a, from, until);
    must(store_merge(s, &q, NULL, &p, &info, &e));
    *samples = total_of(&p, 0);
    profile_free(&p);
    arena_free(&a);
    return info.profiles;
}

static void what_is_deleted_is_gone_and_the_rest_is_not(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 2; round++) {
        struct store *s = open_store();
        uint64_t deleted;
        int64_t samples;
        fill_hour(s);
        if (round)
            must(store_maintain(s, T0 + 9000 * SECOND, &e));
        struct store_query q = ask("cpu", &a, STORE_TIME_MIN, T0 + 25 * 60 * SECOND);
        must(store_delete(s, &q, &deleted, &e));
        assert_int_equal(deleted, 25);
        assert_int_equal(merged(s, T0, T0 + 3600 * SECOND, &samples), 35);
        assert_int_equal(samples, 60 * 61 / 2 - 25 * 26 / 2 + 3500);
        q = ask("cpu", &a, STORE_TIME_MIN, STORE_TIME_MAX);
        must(store_delete(s, &q, &deleted, &e));
        assert_int_equal(deleted, 35);
        assert_int_equal(merged(s, T0, T0 + 3600 * SECOND, &samples), 0);
        assert_int_equal(count_series(s, "{}"), 0);
        put_cpu(s, "api", 1, 1, T0);
        assert_int_equal(count_series(s, "{}"), 1);
        store_close(&s);
        clean();
        set_up(NULL);
    }
    arena_free(&a);
}

static void age_first_leaves_sums_then_nothing(void **state)
{
    (void)state;
    struct store_options o = {.retain_ns = 86400 * SECOND,
                              .retain_bytes = -1,
                              .downsample_ns = 7200 * SECOND,
                              .no_background = true};
    struct store *s;
    int64_t samples;
    must(store_open(&s, url(), &o, &e));
    fill_hour(s);
    put_cpu(s, "api", 1, 1, T0 + 5 * 3600 * SECOND); /* time goes on */
    must(store_maintain(s, T0 + 5 * 3600 * SECOND, &e));
    assert_int_equal(merged(s, T0, T0 + 3600 * SECOND, &samples), 60);
    assert_int_equal(samples, 60 * 61 / 2 + 6000);
    assert_int_equal(merged(s, T0 + 601 * SECOND, T0 + 1200 * SECOND, &samples), 10);
    struct arena a;
    struct store_profile_list list;
    struct profile p;
    arena_init(&a);
    struct store_query q = ask("cpu/samples", &a, T0, T0 + 60 * SECOND);
    must(store_list_profiles(s, &q, 0, &a, &list, &e));
    assert_true(list.profiles[0].only_sum);
    assert_int_equal(list.profiles[0].total, 101);
    struct store_merge_options one = {.ids = &list.profiles[0].id, .id_count = 1};
    assert_int_equal(store_merge(s, &q, &one, &p, NULL, &e), -ENOENT);
    must(store_maintain(s, T0 + 30 * 3600 * SECOND, &e));
    assert_int_equal(merged(s, T0, T0 + 3600 * SECOND, &samples), 0);
    assert_int_equal(merged(s, T0, T0 + 6 * 3600 * SECOND, &samples), 1);
    arena_free(&a);
    store_close(&s);
}

static void a_clock_far_ahead_does_not_cost_history(void **state)
{
    (void)state;
    struct store_options o = {.retain_ns = 30 * 86400 * SECOND,
                              .retain_bytes = -1,
                              .downsample_ns = -1,
                              .no_background = true};
    struct store *s;
    int64_t samples;
    must(store_open(&s, url(), &o, &e));
    fill_hour(s);
    must(store_maintain(s, T0 * 2, &e));
    must(store_maintain(s, T0 - 86400 * SECOND, &e)); /* and back */
    put_cpu(s, "api", 7, 7, T0 - 3600 * SECOND);
    assert_int_equal(merged(s, T0 - 86400 * SECOND, T0 + 3600 * SECOND, &samples), 61);
    store_close(&s);
}

static void the_oldest_go_when_the_store_is_too_large(void **state)
{
    (void)state;
    struct store_options o = {
        .retain_ns = -1, .retain_bytes = 300000, .downsample_ns = -1, .no_background = true};
    struct store *s;
    struct store_stats stats;
    int64_t samples;
    must(store_open(&s, url(), &o, &e));
    for (uint32_t i = 0; i < 300; i++) {
        struct profile p;
        profile_random(
            &p, (struct random_profile){
                    .seed = 5, .samples = 200, .locations = 40, .functions = 20, .mappings = 1});
        for (uint64_t k = 0; k < (uint64_t)p.sample_count * p.sample_type_count; k++)
            p.values[k] += (int64_t)(i * 7919 * (k + 1) % 100003);
        put(s, "a", "cpu", &p, T0 + i * 60 * SECOND);
        profile_free(&p);
    }
    must(store_maintain(s, T0 + 300 * 60 * SECOND, &e));
    must(store_stats(s, &stats, &e));
    assert_true(stats.deleted > 0);
    assert_int_equal(stats.last_ns, T0 + 299 * 60 * SECOND);
    assert_true(merged(s, T0, T0 + 400 * 60 * SECOND, &samples) == 300 - stats.deleted);
    store_close(&s);
}

/* ---- threads, runs ---- */

static void *append_many(void *arg)
{
    struct store *s = ((void **)arg)[0];
    const char *service = ((void **)arg)[1];
    struct err mine;
    for (int64_t i = 0; i < 40; i++) {
        struct profile p;
        cpu_profile(&p, i + 1, 1, 10);
        struct store_append a = {.service_name = service,
                                 .kind = "cpu",
                                 .profile = &p,
                                 .time_ns = T0 + i * SECOND,
                                 .lost_samples = -1};
        if (store_append(s, &a, NULL, &mine) != 0)
            return (void *)1;
        profile_free(&p);
    }
    return NULL;
}

static void threads_append_side_by_side(void **state)
{
    (void)state;
    struct store *s = open_store();
    const char *const names[] = {"t0", "t1", "t2", "t3"};
    void *args[4][2];
    pthread_t threads[4];
    int64_t samples;
    for (int i = 0; i < 4; i++) {
        args[i][0] = s;
        args[i][1] = (void *)(uintptr_t)names[i];
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, args[i]), 0);
    }
    for (int i = 0; i < 10; i++) { /* and someone reads and tidies up meanwhile */
        merged(s, T0, T0 + 600 * SECOND, &samples);
        must(store_maintain(s, T0 + 9000 * SECOND, &e));
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(merged(s, T0, T0 + 600 * SECOND, &samples), 160);
    assert_int_equal(samples, 4 * (40 * 41 / 2 + 40));
    store_close(&s);
}

static void runs_and_settings_are_kept(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct arena a;
    struct store_run_list list;
    const char *value;
    struct store_profile_id ids[] = {{1, 2, 3}, {0xffffffffffffffffu, -5, 0xffffffffu}};
    arena_init(&a);
    struct store_run run = {.id = "r1",
                            .program = "etcd",
                            .input = "short",
                            .kind = "cpu",
                            .status = "running",
                            .started_ns = T0,
                            .metrics = "{\"wall\":1}",
                            .profiles = ids,
                            .profile_count = 2};
    must(store_put_run(s, &run, &e));
    run.status = "passed";
    must(store_put_run(s, &run, &e));
    run.id = "r2";
    run.program = "zstd";
    run.started_ns++;
    run.profile_count = 0;
    run.metrics = NULL;
    must(store_put_run(s, &run, &e));
    must(store_put_setting(s, "k", "v", &e));
    store_close(&s);
    s = open_store();
    must(store_list_runs(s, &(struct store_run_query){0}, &a, &list, &e));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.runs[0].id, "r2");
    assert_string_equal(list.runs[1].status, "passed");
    assert_int_equal(list.runs[1].profile_count, 2);
    assert_true(list.runs[1].profiles[1].time_ns == -5);
    must(store_list_runs(s, &(struct store_run_query){.program = "etcd"}, &a, &list, &e));
    assert_int_equal(list.count, 1);
    must(store_delete_run(s, "r1", &e));
    assert_int_equal(store_delete_run(s, "r1", &e), -ENOENT);
    must(store_get_setting(s, "k", &a, &value, &e));
    assert_string_equal(value, "v");
    must(store_put_setting(s, "k", NULL, &e));
    must(store_get_setting(s, "k", &a, &value, &e));
    assert_null(value);
    arena_free(&a);
    store_close(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_merge_is_what_pprof_makes_of_the_same_profiles),
        TEST(a_profile_comes_back_by_its_id),
        TEST(the_same_profile_is_stored_once),
        TEST(levels_are_averaged_and_rates_are_added),
        TEST(series_are_found_by_labels),
        TEST(process_ids_are_no_labels_of_a_series),
        TEST(timelines_and_lists_add_up),
        TEST(a_function_is_followed_over_time),
        TEST(what_is_deleted_is_gone_and_the_rest_is_not),
        TEST(age_first_leaves_sums_then_nothing),
        TEST(a_clock_far_ahead_does_not_cost_history),
        TEST(the_oldest_go_when_the_store_is_too_large),
        TEST(threads_append_side_by_side),
        TEST(runs_and_settings_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
