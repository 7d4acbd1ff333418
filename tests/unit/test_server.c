/* SPDX-License-Identifier: MIT
 *
 * The parts of the server that need no socket: times, labels, the configuration, and differences of
 * scrapes. The server itself is the business of tests/server. */
#include "profile/build.h"
#include "server/config.h"
#include "server/delta.h"
#include "server/labels.h"
#include "server/when.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const int64_t second = 1000000000;

/* ---- times ---- */

static void durations_are_numbers_with_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"15s", 15 * 1000000000ll},
                {"1h30m", 5400 * 1000000000ll},
                {"500ms", 500000000},
                {"1d", 86400 * 1000000000ll},
                {"2w", 14 * 86400 * 1000000000ll},
                {"1y", 365 * 86400 * 1000000000ll},
                {"0", 0}};
    static const char *bad[] = {"",
                                "s",
                                "15",
                                "15x",
                                "-15s",
                                "1m1h",
                                "1s1s",
                                "15 s",
                                "1.5s",
                                "99999999999999999999s",
                                "9223372036854775807y"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(when_duration(good[i].text, &ns, NULL), 0);
        assert_true(ns == good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (when_duration(bad[i], &ns, NULL) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
}

static void moments_come_in_many_forms(void **state)
{
    const int64_t now = 1795262400 * second; /* 2026-11-21T12:00:00Z */
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"now", 1795262400000000000},
        {"now-6h", 1795240800000000000},
        {"-6h", 1795240800000000000},
        {"now+1m", 1795262460000000000},
        {"0", 0},
        {"1795262400", 1795262400000000000},
        {"1795262400.5", 1795262400500000000},
        {"1795262400123", 1795262400123000000},
        {"1795262400123456", 1795262400123456000},
        {"1795262400123456789", 1795262400123456789},
        {"2026-11-21T12:00:00Z", 1795262400000000000},
        {"2026-11-21T12:00:00.25Z", 1795262400250000000},
        {"2026-11-21T13:00:00+01:00", 1795262400000000000},
        {"2026-11-21T13:00:00 01:00", 1795262400000000000},
        {"2026-11-21T06:30:00-05:30", 1795262400000000000},
        {"2026-11-21", 1795219200000000000},
    };
    static const char *bad[] = {"",
                                "tomorrow",
                                "now-",
                                "now-6",
                                "now6h",
                                "2026-11",
                                "1e9",
                                "12:00",
                                "2026-11-21T12:00",
                                "2026-11-21T12:00:00",
                                "2026-13-01T00:00:00Z",
                                "99999999999999999999",
                                "now-999999999y",
                                "1 2",
                                "1.5.5",
                                "-"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(when_parse(good[i].text, now, &ns, NULL), 0);
        if (ns != good[i].ns)
            fail_msg("%s: %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (when_parse(bad[i], now, &ns, NULL) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
}

/* ---- labels ---- */

static void labels_have_names_and_values(void **state)
{
    char longer[2000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(labels_check("env", "prod", NULL), 0);
    assert_int_equal(labels_check("process.runtime.name", "go", NULL), 0);
    assert_int_equal(labels_check("_x", "\xc3\xa9 {}\"", NULL), 0);
    assert_int_equal(labels_check("", "x", NULL), -EINVAL);
    assert_int_equal(labels_check("1x", "x", NULL), -EINVAL);
    assert_int_equal(labels_check("a b", "x", NULL), -EINVAL);
    assert_int_equal(labels_check("env", "", NULL), -EINVAL);
    assert_int_equal(labels_check("env", "a\nb", NULL), -EINVAL);
    assert_int_equal(labels_check("env", "\xff", NULL), -EINVAL);
    assert_int_equal(labels_check("pid", "1", NULL), -EINVAL);
    assert_int_equal(labels_check("env", longer, NULL), -EINVAL);
    assert_int_equal(labels_check(longer, "x", NULL), -EINVAL);
}

/* ---- configuration ---- */

static const char whole[] = "listen: 127.0.0.1:1\n"
                            "store: sqlite:/tmp/x.db\n"
                            "retention: {time: never, size: 2GB, downsample_after: 1d}\n"
                            "scrape_configs:\n"
                            "  - job_name: a\n"
                            "    scrape_interval: 5s\n"
                            "    profiles: {cpu: {seconds: 2}, allocs: true, mutex: false, heap: "
                            "{path: /h, delta: false}}\n"
                            "    static_configs:\n"
                            "      - targets: ['localhost:1', \"localhost:2\"]\n"
                            "        labels: {env: \"pr\\\"od\"}\n"
                            "      - targets: [localhost:3]\n"
                            "  - job_name: b\n"
                            "    scheme: https\n"
                            "    path_prefix: /x\n"
                            "global: {scrape_interval: 30s}\n";

static void check_whole(const struct config *c)
{
    assert_string_equal(c->listen, "127.0.0.1:1");
    assert_true(c->retain_ns < 0);
    assert_true(c->retain_bytes == 2000000000);
    assert_int_equal(c->job_count, 2);
    const struct config_job *a = &c->jobs[0], *b = &c->jobs[1];
    assert_true(a->interval_ns == 5 * second);
    assert_int_equal(a->profiles[CONFIG_CPU].seconds, 2);
    assert_true(a->profiles[CONFIG_ALLOCS].enabled);
    assert_false(a->profiles[CONFIG_MUTEX].enabled);
    assert_true(a->profiles[CONFIG_BLOCK].enabled);
    assert_string_equal(a->profiles[CONFIG_HEAP].path, "/h");
    assert_false(a->profiles[CONFIG_HEAP].delta);
    assert_int_equal(a->target_count, 3);
    assert_string_equal(a->targets[1].address, "localhost:2");
    assert_string_equal(a->targets[1].labels[0].value, "pr\"od");
    assert_int_equal(a->targets[2].label_count, 0);
    assert_true(b->interval_ns == 30 * second); /* of global, which stands behind it */
    assert_string_equal(b->scheme, "https");
    assert_false(b->profiles[CONFIG_ALLOCS].enabled);
}

static void a_configuration_is_read_and_printed(void **state)
{
    struct config c, again;
    struct err e = {0};
    struct buf text;
    config_default(&c);
    if (config_parse(&c, "x", whole, sizeof whole - 1, &e))
        fail_msg("%s", e.msg);
    check_whole(&c);
    buf_init(&text, &c.arena);
    config_print(&c, &text);
    config_default(&again);
    if (config_parse(&again, "printed", text.data, text.len, &e))
        fail_msg("%s in\n%s", e.msg, buf_cstr(&text));
    check_whole(&again);
    config_free(&again);
    config_free(&c);
    config_default(&c);
    assert_int_equal(config_parse(&c, "empty", "", 0, &e), 0);
    assert_int_equal(c.job_count, 0);
    config_free(&c);
}

#define JOB "scrape_configs:\n  - job_name: a\n    "

static void what_is_wrong_with_a_configuration_has_a_line(void **state)
{
    static const struct {
        const char *text, *start;
    } bad[] = {
        {"lisen: x\n", "f:1: "},
        {"listen: a\nlisten: b\n", "f:2: "},
        {"retention:\n  time: 30 days\n", "f:2: "},
        {"retention: {size: 5}\n", "f:1: "},
        {"- a\n", "f:1: "},
        {"listen: [\n", "f:"},
        {"\tlisten: x\n", "f:1: "},
        {"scrape_configs:\n  - scrape_interval: 1s\n", "f:2: "},
        {JOB "relabel_configs: []\n", "f:3: "},
        {JOB "scrape_interval: 0s\n", "f:3: "},
        {JOB "scrape_interval: 5s\n", "f:2: "}, /* ten seconds of cpu do not fit */
        {JOB "scheme: ftp\n", "f:3: "},
        {JOB "profiles: {cpus: true}\n", "f:3: "},
        {JOB "profiles: {cpu: {seconds: 0}}\n", "f:3: "},
        {JOB "profiles: {heap: {seconds: 1}}\n", "f:3: "},
        {JOB "static_configs: [{targets: []}]\n", "f:3: "},
        {JOB "static_configs: [{labels: {a: b}}]\n", "f:3: "},
        {JOB "static_configs: [{targets: ['http://a:1']}]\n", "f:3: "},
        {JOB "static_configs: [{targets: [a], labels: {'1': b}}]\n", "f:3: "},
        {JOB "static_configs: {targets: [a]}\n", "f:3: "},
        {"scrape_configs: [{job_name: a}, {job_name: a}]\n", "f:1: "},
        {"scrape_configs: {}\n", "f:1: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config c;
        struct err e = {0};
        config_default(&c);
        if (config_parse(&c, "f", bad[i].text, strlen(bad[i].text), &e) != -EINVAL)
            fail_msg("taken:\n%s", bad[i].text);
        if (strncmp(e.msg, bad[i].start, strlen(bad[i].start)))
            fail_msg("'%s' for\n%s", e.msg, bad[i].text);
        config_free(&c);
    }
}

/* ---- differences ---- */

enum { STACKS = 3 };

/* A heap profile of three stacks: alloc_objects, alloc_space, inuse_objects, inuse_space. */
static void make_heap(struct profile *p, int64_t time_ns, uint64_t start,
                      const int64_t values[STACKS][4])
{
    static const char *const names[STACKS] = {"main.a", "main.b", "main.c"};
    static const char *const types[4][2] = {{"alloc_objects", "count"},
                                            {"alloc_space", "bytes"},
                                            {"inuse_objects", "count"},
                                            {"inuse_space", "bytes"}};
    struct profile_build b;
    profile_init(p);
    profile_build_cpu(&b, p, 1);
    struct profile_build_mapping m = {start, start + 4096, 0, "/bin/prog", 9, NULL, 0};
    uint32_t mapping = profile_build_mapping(&b, &m);
    for (uint32_t i = 0; i < STACKS; i++) {
        uint32_t location = profile_build_location(&b, mapping, start + 16 * i);
        profile_build_name(&b, location, names[i], strlen(names[i]));
        struct profile_build_sample s = {&location, 1, {1, 1}, NULL, 0};
        profile_build_add(&b, &s);
    }
    assert_int_equal(profile_build_finish(&b), 0);
    p->sample_types = arena_array(&p->arena, 4, sizeof *p->sample_types);
    p->sample_type_count = 4;
    for (int t = 0; t < 4; t++)
        p->sample_types[t] = (struct profile_value_type){profile_intern_cstr(p, types[t][0]),
                                                         profile_intern_cstr(p, types[t][1])};
    p->values = arena_array(&p->arena, STACKS * 4, sizeof *p->values);
    memcpy(p->values, values, STACKS * 4 * sizeof *p->values);
    p->time_nanos = time_ns;
    assert_int_equal(profile_check(p, NULL), 0);
}

/* The sum of a sample type over the stacks. */
static int64_t sum(const struct profile *p, int type)
{
    int64_t s = 0;
    for (uint32_t i = 0; i < p->sample_count; i++)
        s += p->values[(size_t)i * p->sample_type_count + (size_t)type];
    return s;
}

static void assert_sums(struct profile *p, int64_t objects, int64_t space, int64_t in_use)
{
    assert_int_equal(p->sample_type_count, 4);
    assert_int_equal(profile_check(p, NULL), 0);
    assert_int_equal(sum(p, 0), objects);
    assert_int_equal(sum(p, 1), space);
    assert_int_equal(sum(p, 3), in_use);
    profile_free(p);
}

static void what_counts_from_the_start_is_differenced(void **state)
{
    struct delta d = {0};
    struct profile now, out;
    bool restarted;
    make_heap(&now, 10 * second, 4096, (int64_t[][4]){{5, 50, 2, 20}, {1, 8, 0, 0}, {0, 0, 0, 0}});
    assert_int_equal(delta_take(&d, &now, &out, &restarted), DELTA_LEVELS);
    assert_false(restarted);
    assert_sums(&out, 0, 0, 20);
    make_heap(&now, 25 * second, 4096, (int64_t[][4]){{7, 70, 1, 10}, {1, 8, 0, 0}, {3, 9, 3, 9}});
    assert_int_equal(delta_take(&d, &now, &out, &restarted), DELTA_WHOLE);
    assert_false(restarted);
    assert_true(out.time_nanos == 25 * second);
    assert_true(out.duration_nanos == 15 * second);
    assert_sums(&out, 5, 29, 19);
    delta_free(&d);
}

static void a_restart_starts_anew(void **state)
{
    struct delta d = {0};
    struct profile now, out;
    bool restarted;
    make_heap(&now, 1, 4096, (int64_t[][4]){{5, 50, 2, 20}, {1, 8, 0, 0}, {0, 0, 0, 0}});
    delta_take(&d, &now, &out, &restarted);
    profile_free(&out);
    /* The total is larger, but one stack's value went down. */
    make_heap(&now, 2, 4096, (int64_t[][4]){{4, 40, 1, 10}, {9, 90, 0, 0}, {0, 0, 0, 0}});
    assert_int_equal(delta_take(&d, &now, &out, &restarted), DELTA_LEVELS);
    assert_true(restarted);
    assert_sums(&out, 0, 0, 10);
    make_heap(&now, 3, 4096, (int64_t[][4]){{4, 40, 1, 10}, {9, 90, 0, 0}, {1, 1, 0, 0}});
    assert_int_equal(delta_take(&d, &now, &out, &restarted), DELTA_WHOLE);
    assert_false(restarted);
    assert_sums(&out, 1, 1, 10);
    /* Everything is larger, but the program stands elsewhere. */
    make_heap(&now, 4, 8192, (int64_t[][4]){{9, 90, 1, 10}, {9, 90, 0, 0}, {9, 9, 0, 0}});
    assert_int_equal(delta_take(&d, &now, &out, &restarted), DELTA_LEVELS);
    assert_true(restarted);
    assert_sums(&out, 0, 0, 10);
    delta_free(&d);
}

static void what_is_no_count_comes_out_as_it_came(void **state)
{
    struct delta d = {0};
    struct profile_build b;
    struct profile now, out;
    bool restarted;
    for (int i = 0; i < 2; i++) {
        profile_init(&now);
        profile_build_cpu(&b, &now, 10);
        assert_int_equal(profile_build_finish(&b), 0);
        assert_int_equal(delta_take(&d, &now, &out, &restarted), DELTA_WHOLE);
        assert_int_equal(out.sample_type_count, 2);
        profile_free(&out);
    }
    assert_false(d.has_last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_numbers_with_units),
        cmocka_unit_test(moments_come_in_many_forms),
        cmocka_unit_test(labels_have_names_and_values),
        cmocka_unit_test(a_configuration_is_read_and_printed),
        cmocka_unit_test(what_is_wrong_with_a_configuration_has_a_line),
        cmocka_unit_test(what_counts_from_the_start_is_differenced),
        cmocka_unit_test(a_restart_starts_anew),
        cmocka_unit_test(what_is_no_count_comes_out_as_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
