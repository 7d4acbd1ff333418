/* SPDX-License-Identifier: MIT
 *
 * Runs of the suite: lists of them, and one with its graph over time and its profiles. What the
 * suite measured is kept as the JSON it sent; only here is some of it understood (docs/suite.md
 * has its keys), and what is missing or odd there is left out. */
#include "base/limits.h"
#include "base/yamldoc.h"
#include "server/api.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON without one member ---- */

/* Behind the string, object, array or word at `p`; at the text's end at the latest. */
static const char *skip_value(const char *p)
{
    int depth = 0;
    for (bool quoted = false; *p; p++) {
        if (quoted) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == '"')
                quoted = false;
        } else if (*p == '"') {
            quoted = true;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (!depth && (*p == ',' || *p == '}')) {
            return p;
        } else if (*p == '}' || *p == ']') {
            depth--;
        }
    }
    return p;
}

/* Copies the members of the object `text` but the one called `key`, whose columns are long. */
static const char *without(const char *text, const char *key, struct arena *a)
{
    struct buf b;
    size_t n = strlen(key);
    bool first = true;
    buf_init(&b, a);
    buf_putc(&b, '{');
    const char *p = text + strspn(text, " \t\r\n");
    for (p += *p == '{'; *p && *p != '}'; p += *p == ',') {
        const char *begin = p + strspn(p, " \t\r\n");
        p = skip_value(begin);
        if (*begin == '"' && !strncmp(begin + 1, key, n) && begin[n + 1] == '"')
            continue;
        if (!first)
            buf_putc(&b, ',');
        first = false;
        buf_append(&b, begin, (size_t)(p - begin));
    }
    buf_putc(&b, '}');
    return buf_cstr(&b);
}

/* ---- lists ---- */

/* The object stays open. */
static void open_run(struct json *j, const char *key, const struct store_run *r)
{
    json_object(j, key);
    json_cstr(j, "id", r->id);
    json_cstr(j, "program", r->program);
    json_cstr(j, "input", r->input);
    json_cstr(j, "kind", r->kind);
    json_cstr(j, "status", r->status);
    api_json_ms(j, "started_ms", r->started_ns);
    if (r->ended_ns)
        api_json_ms(j, "ended_ms", r->ended_ns);
    else
        json_null(j, "ended_ms");
    json_array(j, "profiles");
    for (uint32_t i = 0; i < r->profile_count; i++) {
        char id[STORE_ID_TEXT_MAX];
        store_id_format(r->profiles[i], id);
        json_cstr(j, NULL, id);
    }
    json_array_end(j);
}

/* An id is BATCH.PROGRAM.INPUT.KIND.N. */
static bool is_of_batch(const struct store_run *r, const char *batch)
{
    size_t n = batch ? strlen(batch) : 0;
    return !n || (!strncmp(r->id, batch, n) && r->id[n] == '.');
}

void api_runs(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_run_list list;
    struct api_object a = {0};
    struct store_run_query q = {.id = http_query(x, "id"),
                                .program = http_query(x, "program"),
                                .input = http_query(x, "input"),
                                .kind = http_query(x, "kind")};
    const char *batch = http_query(x, "batch");
    uint32_t brief = 0;
    q.limit = batch && *batch ? LIMIT_RUNS : 0;
    if (!api_read_count(x, "limit", LIMIT_RUNS, &q.limit) || !api_read_count(x, "brief", 1, &brief))
        return;
    int rc = store_list_runs(s->store, &q, x->arena, &list, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    json_array(j, "runs");
    for (uint32_t i = 0; i < list.count; i++) {
        const struct store_run *r = &list.runs[i];
        if (!is_of_batch(r, batch))
            continue;
        open_run(j, NULL, r);
        json_text(j, "metrics", brief ? without(r->metrics, "use", x->arena) : r->metrics);
        json_object_end(j);
    }
    json_array_end(j);
    api_end(x, &a);
}

/* ---- one run: its graph ---- */

struct columns {
    int64_t *at_ms, *cpu_ns, *rss_bytes;
    uint32_t count;
};

static bool read_column(const struct yamldoc_node *use, const char *key, struct arena *a,
                        struct columns *c, int64_t **out)
{
    const struct yamldoc_node *column = yamldoc_get(use, key);
    if (!column || column->kind != YAMLDOC_LIST || (c->at_ms && column->count != c->count))
        return false;
    *out = arena_zarray(a, column->count, sizeof **out);
    c->count = 0;
    for (const struct yamldoc_node *n = column->first; n; n = n->next)
        (*out)[c->count++] = n->text ? strtoll(n->text, NULL, 10) : 0;
    return true;
}

/* Points are ends of spans: CPU use over the span, the most memory in it. The first sample is only
 * where the first span begins. */
static void write_graph(struct json *j, const struct yamldoc_node *use, struct arena *a)
{
    struct columns c = {0};
    bool there = read_column(use, "at_ms", a, &c, &c.at_ms) &&
                 read_column(use, "cpu_ns", a, &c, &c.cpu_ns) &&
                 read_column(use, "rss_bytes", a, &c, &c.rss_bytes);
    uint32_t spans = there && c.count > 1 ? c.count - 1 : 0, points = 0;
    uint32_t width = (spans + LIMIT_RUN_POINTS - 1) / LIMIT_RUN_POINTS;
    uint32_t *end = arena_zarray(a, LIMIT_RUN_POINTS + 1, sizeof *end);
    for (uint32_t i = 0; i < spans; end[++points] = i)
        i = i + width < spans ? i + width : spans;
    json_object(j, "graph");
    json_array(j, "at_ms");
    for (uint32_t p = 1; p <= points; p++)
        json_int(j, NULL, c.at_ms[end[p]]);
    json_array_end(j);
    json_array(j, "cpu_percent");
    for (uint32_t p = 1; p <= points; p++) {
        double ms = (double)(c.at_ms[end[p]] - c.at_ms[end[p - 1]]);
        double used = (double)(c.cpu_ns[end[p]] - c.cpu_ns[end[p - 1]]);
        json_double(j, NULL, ms > 0 ? round(used / 1e3 / ms) / 10 : 0);
    }
    json_array_end(j);
    json_array(j, "rss_bytes");
    for (uint32_t p = 1; p <= points; p++) {
        int64_t most = 0;
        for (uint32_t i = end[p - 1] + 1; i <= end[p]; i++)
            most = c.rss_bytes[i] > most ? c.rss_bytes[i] : most;
        json_int(j, NULL, most);
    }
    json_array_end(j);
    json_object_end(j);
}

static void write_phases(struct json *j, const struct yamldoc_node *metrics)
{
    const struct yamldoc_node *phases = yamldoc_get(metrics, "phases");
    json_array(j, "phases");
    for (const struct yamldoc_node *n = phases ? phases->first : NULL; n; n = n->next) {
        const char *name = yamldoc_get_text(n, "name"), *at = yamldoc_get_text(n, "at_ms");
        if (!name || !at)
            continue;
        json_object(j, NULL);
        json_cstr(j, "name", name);
        json_int(j, "at_ms", strtoll(at, NULL, 10));
        json_object_end(j);
    }
    json_array_end(j);
}

/* ---- one run: its profiles ---- */

/* `cpu{service_name="zstd",run="b1"}`; quotes and backslashes as the query's reader undoes them. */
static const char *query_of(const struct store_series *s, struct arena *a)
{
    struct buf b;
    buf_init(&b, a);
    buf_printf(&b, "%s{", s->kind);
    for (uint32_t i = 0; i < s->label_count; i++) {
        buf_printf(&b, "%s%s=\"", i ? "," : "", s->labels[i].name);
        for (const char *p = s->labels[i].value; *p; p++) {
            if (*p == '"' || *p == '\\')
                buf_putc(&b, '\\');
            buf_putc(&b, *p);
        }
        buf_putc(&b, '"');
    }
    buf_putc(&b, '}');
    return buf_cstr(&b);
}

static const struct store_series *find_series(const struct store_series_list *all, uint64_t id)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->series[i].id == id)
            return &all->series[i];
    return NULL;
}

static void write_detail(struct json *j, const struct store_series *s,
                         const struct store_profile *p, struct arena *a)
{
    char id[STORE_ID_TEXT_MAX];
    store_id_format(p->id, id);
    json_object(j, NULL);
    json_cstr(j, "id", id);
    json_cstr(j, "kind", s->kind);
    api_json_series(j, "series", s->id);
    json_cstr(j, "service_name", s->service_name);
    json_cstr(j, "query", query_of(s, a));
    api_json_ms(j, "time_ms", p->time_ns);
    api_json_ms(j, "duration_ms", p->duration_ns);
    json_int(j, "samples", p->sample_count);
    json_int(j, "total", p->total);
    json_cstr(j, "unit", s->type_count ? s->types[s->default_type].unit : "");
    json_object_end(j);
}

static bool same_id(struct store_profile_id a, struct store_profile_id b)
{
    return a.series == b.series && a.time_ns == b.time_ns && a.content == b.content;
}

/* Profiles that retention has taken are not among them. */
static int write_details(struct json *j, struct server *s, const struct store_run *r,
                         struct arena *a, struct err *e)
{
    struct store_match mine = {"service_name", r->program, STORE_EQUAL};
    struct store_query q = {.matches = &mine, .match_count = 1};
    struct store_series_list series;
    q.from_ns = STORE_TIME_MIN;
    q.until_ns = STORE_TIME_MAX;
    int rc = store_list_series(s->store, &q, a, &series, e);
    json_array(j, "details");
    for (uint32_t i = 0; !rc && i < r->profile_count; i++) {
        struct store_profile_id id = r->profiles[i];
        const struct store_series *in = find_series(&series, id.series);
        struct store_profile_list list;
        if (!in || id.time_ns == INT64_MAX)
            continue;
        q.kind = in->kind;
        q.from_ns = id.time_ns;
        q.until_ns = id.time_ns + 1;
        rc = store_list_profiles(s->store, &q, 0, a, &list, e);
        for (uint32_t k = 0; !rc && k < list.count; k++)
            if (same_id(list.profiles[k].id, id))
                write_detail(j, in, &list.profiles[k], a);
    }
    json_array_end(j);
    return rc;
}

static int write_run(struct http_exchange *x, const struct store_run *r, struct api_object *a)
{
    struct yamldoc *doc = arena_zalloc(x->arena, sizeof *doc);
    struct json *j = api_begin(x, a, 0);
    struct err ignored;
    open_run(j, "run", r);
    json_text(j, "metrics", without(r->metrics, "use", x->arena));
    yamldoc_init(doc, "metrics", x->arena);
    const struct yamldoc_node *metrics = NULL;
    if (!yamldoc_read(doc, r->metrics, strlen(r->metrics), &ignored))
        metrics = doc->root;
    int rc = write_details(j, x->app, r, x->arena, &a->e);
    write_phases(j, metrics);
    write_graph(j, yamldoc_get(metrics, "use"), x->arena);
    json_object_end(j);
    return rc;
}

/* /api/v1/runs/ID */
void api_run(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_run_list list;
    struct store_run_query q = {.id = x->path + strlen("/api/v1/runs/"), .limit = 1};
    struct api_object a = {0};
    if (!*q.id) {
        http_reply_error(x, 404, "which run? /api/v1/runs lists them");
        return;
    }
    int rc = store_list_runs(s->store, &q, x->arena, &list, &a.e);
    if (!rc && !list.count)
        rc = err_set(&a.e, -ENOENT, "there is no run '%.200s'", q.id);
    if (!rc)
        rc = write_run(x, &list.runs[0], &a);
    if (rc)
        api_reply_error(x, rc, &a.e);
    else
        api_end(x, &a);
}
