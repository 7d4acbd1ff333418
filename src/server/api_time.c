/* SPDX-License-Identifier: MIT
 *
 * Values over time: the chart, the hottest functions and one function's trend. */
#include "base/limits.h"
#include "server/api.h"

#include <string.h>

enum { BUCKETS_WANTED = 300, LAST_MAX = 100000 };

/* The smallest round step that gives no more than BUCKETS_WANTED buckets. */
static int64_t choose_step(const struct store_query *q)
{
    static const int steps_s[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                  600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    const int64_t second = 1000000000;
    /* Unsigned: the range may be all of time. */
    uint64_t span = (uint64_t)q->until_ns - (uint64_t)q->from_ns;
    for (size_t i = 0; i < sizeof steps_s / sizeof *steps_s; i++)
        if (span / ((uint64_t)steps_s[i] * (uint64_t)second) < BUCKETS_WANTED)
            return steps_s[i] * second;
    uint64_t days = span / (86400ull * (uint64_t)second);
    return (int64_t)(days / BUCKETS_WANTED + 1) * 86400 * second;
}

static void write_line(struct json *j, const struct store_timeline *t, const struct store_line *l,
                       bool is_series)
{
    json_object(j, NULL);
    json_cstr(j, "name", l->name);
    if (is_series)
        api_json_series(j, "series", l->series);
    json_array(j, "values");
    for (uint32_t i = 0; i < t->buckets; i++) {
        if (l->profiles[i])
            json_double(j, NULL, l->values[i]);
        else
            json_null(j, NULL);
    }
    json_array_end(j);
    json_array(j, "profiles");
    for (uint32_t i = 0; i < t->buckets; i++)
        json_int(j, NULL, l->profiles[i]);
    json_array_end(j);
    json_array(j, "duration_ms");
    for (uint32_t i = 0; i < t->buckets; i++)
        api_json_ms(j, NULL, l->duration_ns[i]);
    json_array_end(j);
    json_object_end(j);
}

void api_timeline(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_query q;
    struct store_timeline t;
    struct api_object a = {0};
    if (!api_read_query(x, false, &q))
        return;
    const char *group = http_query(x, "group_by"), *total = http_query(x, "total");
    struct store_timeline_options o = {.step_ns = choose_step(&q),
                                       .group_by = group && *group ? group : NULL,
                                       .total = total && !strcmp(total, "1")};
    if (!api_read_step(x, &o.step_ns))
        return;
    int rc = store_timeline(s->store, &q, &o, x->arena, &t, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    json_cstr(j, "unit", t.unit ? t.unit : "");
    json_cstr(j, "mode", t.mode == STORE_LEVEL ? "level" : "rate");
    api_json_ms(j, "from_ms", t.from_ns);
    api_json_ms(j, "step_ms", t.step_ns);
    json_int(j, "buckets", t.buckets);
    json_array(j, "lines");
    for (uint32_t i = 0; i < t.line_count; i++)
        write_line(j, &t, &t.lines[i], !o.group_by && !o.total);
    json_array_end(j);
    json_int(j, "damaged", (int64_t)t.damaged);
    api_end(x, &a);
}

static void write_ints(struct json *j, const char *key, const int64_t *values, uint32_t count)
{
    json_array(j, key);
    for (uint32_t i = 0; i < count; i++)
        json_int(j, NULL, values[i]);
    json_array_end(j);
}

static void write_top(struct json *j, const struct store_top *t, bool over_time)
{
    json_cstr(j, "unit", t->unit ? t->unit : "");
    api_json_ms(j, "from_ms", t->from_ns);
    api_json_ms(j, "step_ms", t->step_ns);
    json_int(j, "buckets", t->buckets);
    json_int(j, "total", t->total);
    if (over_time)
        write_ints(j, "totals", t->totals, t->buckets);
    json_array(j, "functions");
    for (uint32_t i = 0; i < t->function_count; i++) {
        const struct store_top_function *f = &t->functions[i];
        json_object(j, NULL);
        json_cstr(j, "name", f->name);
        json_int(j, "flat", f->flat);
        json_int(j, "cum", f->cum);
        if (over_time) {
            write_ints(j, "flat_values", f->flat_values, t->buckets);
            write_ints(j, "cum_values", f->cum_values, t->buckets);
        }
        json_object_end(j);
    }
    json_array_end(j);
    json_int(j, "damaged", (int64_t)t->damaged);
}

/* Functions named by the query, each in a `function` of its own. */
struct asked {
    struct arena *arena;
    const char **names;
    uint32_t count;
    bool too_many;
};

static bool take_function(void *arg, const char *name, const char *value)
{
    struct asked *a = arg;
    if (strcmp(name, "function") || !*value)
        return true;
    if (!a->names)
        a->names = arena_array(a->arena, LIMIT_QUERY_IDS, sizeof *a->names);
    a->too_many = a->count == LIMIT_QUERY_IDS;
    if (!a->too_many)
        a->names[a->count++] = arena_strdup(a->arena, value);
    return !a->too_many;
}

void api_top(struct http_exchange *x)
{
    struct server *s = x->app;
    struct asked asked = {.arena = x->arena};
    struct store_query q;
    struct store_top t;
    struct api_object a = {0};
    const char *by = http_query(x, "by");
    struct store_top_options o = {.limit = 20, .by_cum = by && !strcmp(by, "cum")};
    if (by && *by && !o.by_cum && strcmp(by, "flat")) {
        http_reply_error(x, 400, "by has to be flat or cum");
        return;
    }
    if (!api_read_query(x, false, &q) || !api_read_count(x, "limit", 10000, &o.limit) ||
        !api_read_step(x, &o.step_ns))
        return;
    http_query_each(x, take_function, &asked);
    if (asked.too_many) {
        http_reply_error(x, 400, "more than %d functions", LIMIT_QUERY_IDS);
        return;
    }
    o.only = asked.names;
    o.only_count = asked.count;
    int rc = store_top(s->store, &q, &o, x->arena, &t, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    write_top(j, &t, o.step_ns > 0);
    api_end(x, &a);
}

void api_trend(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_query q;
    struct store_trend t;
    struct api_object a = {0};
    struct store_trend_options o = {.function = http_query(x, "function")};
    if (!o.function || !*o.function) {
        http_reply_error(x, 400, "whose trend? Give function, a name in full");
        return;
    }
    if (!api_read_query(x, false, &q) || !api_read_count(x, "last", LAST_MAX, &o.last) ||
        !api_read_step(x, &o.step_ns))
        return;
    int rc = store_trend(s->store, &q, &o, x->arena, &t, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    json_array(j, "points");
    for (uint32_t i = 0; i < t.count; i++) {
        json_object(j, NULL);
        api_json_ms(j, "time_ms", t.points[i].time_ns);
        json_int(j, "flat", t.points[i].flat);
        json_int(j, "cum", t.points[i].cum);
        json_int(j, "total", t.points[i].total);
        json_object_end(j);
    }
    json_array_end(j);
    json_int(j, "damaged", (int64_t)t.damaged);
    api_end(x, &a);
}
