/* SPDX-License-Identifier: MIT
 *
 * Profiles merged over a range, in the forms that readers want: pprof's own, the page's columns,
 * JSON, and reports (api_report.c). Merging is the store's business, drawing the web side's and
 * reports'. */
#include "analyze/flame.h"
#include "analyze/refine.h"
#include "base/limits.h"
#include "server/api_profile.h"
#include "server/labels.h"
#include "web/view.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- the forms ---- */

static int write_pprof(struct api_answer *a, struct err *e)
{
    struct buf b;
    buf_init(&b, a->x->arena);
    int rc = profile_encode_gzip(a->profile, &b, e);
    if (rc)
        return rc;
    http_reply(a->x, 200, "application/octet-stream", b.data, b.len);
    http_reply_header(a->x, "Content-Disposition",
                      arena_printf(a->x->arena, "attachment; filename=\"%s.pb.gz\"",
                                   a->query.kind && !labels_check(a->query.kind, "x", NULL)
                                       ? a->query.kind
                                       : "profile"));
    return 0;
}

/* The page's own form takes the page's own parameters; `si` among them is looked at before ours. */
static int write_columns(struct api_answer *a, struct err *e)
{
    struct profile *p = a->profile;
    const char *query = http_query(a->x, "query"), *asked = http_query(a->x, "si");
    if (p->sample_type_count && (!asked || !*asked))
        p->default_sample_type = p->sample_types[a->type].type;
    refine_drop_frames(p);
    view_serve(a->x, &(struct ask){.profile = p}, query ? query : "");
    return 0;
}

/* ---- JSON ---- */

/* Cumulative values of nodes, and where their children, which are adjacent, begin. */
struct tree {
    const struct flame *f;
    int64_t *cum;
    uint32_t *first, *count;
};

static void make_tree(struct tree *t, const struct flame *f, struct arena *a)
{
    t->f = f;
    t->cum = arena_array(a, f->node_count, sizeof *t->cum);
    t->first = arena_zarray(a, f->node_count, sizeof *t->first);
    t->count = arena_zarray(a, f->node_count, sizeof *t->count);
    memcpy(t->cum, f->node_self, f->node_count * sizeof *t->cum);
    for (uint32_t i = f->node_count; i-- > 1;) {
        uint32_t parent = f->node_parent[i];
        t->cum[parent] += t->cum[i];
        t->first[parent] = i;
        t->count[parent]++;
    }
}

static void open_node(struct json *j, const struct tree *t, uint32_t i)
{
    uint32_t frame = t->f->node_frame[i];
    json_object(j, NULL);
    if (frame == FLAME_NONE)
        json_cstr(j, "name", "root");
    else if (frame == FLAME_LEFT_OUT)
        json_cstr(j, "name", "(left out)");
    else
        json_str(j, "name", t->f->functions[t->f->frames[frame].function].name);
    json_int(j, "self", t->f->node_self[i]);
    json_int(j, "total", t->cum[i]);
    json_array(j, "children");
}

/* Depth first without recursion: stacks of profiles may be a million frames deep. */
static void write_tree(struct json *j, const struct tree *t)
{
    uint32_t at = 0;
    open_node(j, t, 0);
    for (;;) {
        if (t->count[at]) {
            at = t->first[at];
            open_node(j, t, at);
            continue;
        }
        for (;;) {
            json_array_end(j);
            json_object_end(j);
            if (!at)
                return;
            uint32_t parent = t->f->node_parent[at];
            bool last = at + 1 == t->first[parent] + t->count[parent];
            at = last ? parent : at + 1;
            if (!last)
                break;
        }
        open_node(j, t, at);
    }
}

static void write_facts(struct json *j, const struct api_answer *a, const struct flame *f)
{
    const struct profile *p = a->profile;
    struct profile_value_type none = {0};
    struct profile_value_type type = p->sample_type_count ? p->sample_types[a->type] : none;
    struct profile_str kind = {a->query.kind ? a->query.kind : "", 0};
    kind.len = (uint32_t)strlen(kind.ptr);
    json_str(j, "kind", kind);
    json_str(j, "type", profile_string(p, type.type));
    json_str(j, "unit", profile_string(p, type.unit));
    json_int(j, "total", f->total);
    json_int(j, "profiles", (int64_t)a->info.profiles);
    json_int(j, "series", (int64_t)a->info.series);
    api_json_ms(j, "first_ms", a->info.first_ns);
    api_json_ms(j, "last_ms", a->info.last_ns);
    api_json_ms(j, "duration_ms", a->info.duration_ns);
    json_int(j, "lost", a->info.lost_samples);
    json_bool(j, "rounded", a->info.rounded);
    json_int(j, "damaged", (int64_t)a->info.damaged);
    json_array(j, "functions");
    for (uint32_t i = 0; i < f->function_count; i++) {
        json_object(j, NULL);
        json_str(j, "name", f->functions[i].name);
        json_int(j, "flat", f->functions[i].flat);
        json_int(j, "cum", f->functions[i].cum);
        json_object_end(j);
    }
    json_array_end(j);
}

static int write_json(struct api_answer *a, struct err *e)
{
    struct flame f;
    struct tree t;
    refine_drop_frames(a->profile);
    flame_build(&f, a->profile, a->type, LIMIT_TREE_NODES);
    struct buf b;
    struct json j;
    buf_init(&b, a->x->arena);
    json_init(&j, &b);
    json_object(&j, NULL);
    write_facts(&j, a, &f);
    make_tree(&t, &f, a->x->arena);
    json_key(&j, "tree");
    write_tree(&j, &t);
    json_object_end(&j);
    flame_free(&f);
    api_reply_json(a->x, &b);
    return 0;
}

static const struct api_format formats[] = {
    {"pprof", write_pprof},    {"columns", write_columns},  {"folded", api_report_folded},
    {"text", api_report_text}, {"dot", api_report_dot},     {"svg", api_report_svg},
    {"json", write_json},      {"graph", api_report_graph}, {"source", api_report_source},
    {NULL, NULL},
};

/* ---- the route ---- */

struct ids {
    struct store_profile_id id[LIMIT_QUERY_IDS];
    uint32_t count;
    struct err *e;
    int rc;
};

static bool take_id(void *arg, const char *name, const char *value)
{
    struct ids *ids = arg;
    if (strcmp(name, "id"))
        return true;
    if (ids->count == LIMIT_QUERY_IDS)
        ids->rc = err_set(ids->e, -EINVAL, "more than %d ids", LIMIT_QUERY_IDS);
    else
        ids->rc = store_id_parse(value, &ids->id[ids->count++], ids->e);
    return !ids->rc;
}

static const struct api_format *find_format(const char *name)
{
    const struct api_format *f = formats;
    while (name && *name && f->name && strcmp(f->name, name))
        f++;
    return f->name ? f : NULL;
}

static void add_header(struct http_exchange *x, const char *name, int64_t v)
{
    http_reply_header(x, name, arena_printf(x->arena, "%" PRId64, v));
}

static void add_headers(struct http_exchange *x, const struct store_merge_info *i)
{
    const int64_t ms = 1000000;
    add_header(x, "X-Strobe-Profiles", (int64_t)i->profiles);
    add_header(x, "X-Strobe-Series", (int64_t)i->series);
    add_header(x, "X-Strobe-First-Ms", i->first_ns / ms);
    add_header(x, "X-Strobe-Last-Ms", i->last_ns / ms);
    add_header(x, "X-Strobe-Duration-Ms", i->duration_ns / ms);
    add_header(x, "X-Strobe-Lost", i->lost_samples);
    add_header(x, "X-Strobe-Rounded", i->rounded);
    add_header(x, "X-Strobe-Damaged", (int64_t)i->damaged);
}

/* A text as a header, if it can stand in one: printable ASCII. */
static void add_text(struct http_exchange *x, const char *name, struct profile_str s)
{
    bool plain = s.len > 0 && s.len < 256;
    for (uint32_t i = 0; plain && i < s.len; i++)
        plain = s.ptr[i] >= ' ' && s.ptr[i] < 127;
    if (plain)
        http_reply_header(x, name, arena_strndup(x->arena, s.ptr, s.len));
}

/* Which program, and which build of it: the first mapping is the program's own. */
static void add_program(struct http_exchange *x, const struct profile *p)
{
    if (!p->mapping_count)
        return;
    add_text(x, "X-Strobe-Program", profile_string(p, p->mappings[0].file));
    add_text(x, "X-Strobe-Build", profile_string(p, p->mappings[0].build_id));
}

/* ---- differences ---- */

/* The other range: `base_from` to `base_until`, and `base_query` where other series are meant. */
static bool read_base(struct http_exchange *x, const struct store_query *q,
                      struct store_query *base)
{
    const char *text = http_query(x, "base_query");
    struct err e = {0};
    *base = *q;
    if (text && *text) {
        *base = (struct store_query){0};
        if (store_query_parse(base, text, x->arena, &e)) {
            http_reply_error(x, 400, "base_query: %s", e.msg);
            return false;
        }
    }
    return api_read_range(x, "base_from", "base_until", base);
}

/* `p` becomes what has changed since the base, as pprof's -diff_base has it: `base` is freed. */
static int subtract(struct profile *p, struct profile *base, struct err *e)
{
    struct profile both, *sides[] = {p, base};
    double *ratios = arena_array(&base->arena, base->sample_type_count, sizeof *ratios);
    for (uint32_t i = 0; i < base->sample_type_count; i++)
        ratios[i] = -1;
    refine_set_label(base, "pprof::base", "true");
    refine_scale(base, ratios);
    int rc = profile_merge(&both, sides, 2, e);
    profile_free(base);
    if (rc)
        return rc;
    profile_free(p);
    *p = both;
    return 0;
}

/* Subtracts the other range, if one is asked for. False when that was answered with an error. */
static bool subtract_base(struct api_answer *a)
{
    struct http_exchange *x = a->x;
    struct server *s = x->app;
    struct store_query q;
    struct profile base;
    struct store_merge_info info;
    struct err e = {0};
    if (!http_query(x, "base_from") && !http_query(x, "base_until"))
        return true;
    if (!read_base(x, &a->query, &q))
        return false;
    int rc = store_merge(s->store, &q, NULL, &base, &info, &e);
    if (!rc && !info.profiles) {
        profile_free(&base);
        http_reply_error(x, 404, "no profile matches in the range to compare with");
        return false;
    }
    if (!rc && a->info.profiles)
        rc = subtract(a->profile, &base, &e);
    else if (!rc)
        profile_free(&base);
    if (rc) {
        api_reply_error(x, rc, &e);
        return false;
    }
    a->base_profiles = info.profiles;
    return true;
}

static void reply(struct api_answer *a, const struct api_format *f)
{
    const char *si = http_query(a->x, "si");
    const char *type = a->query.type ? a->query.type : http_query(a->x, "type");
    if (si && *si)
        type = si;
    struct err e = {0};
    if (!a->info.profiles) {
        http_reply_error(a->x, 404, "no profile matches in this range");
        return;
    }
    if (a->profile->sample_type_count &&
        prepare_find_index(a->profile, type ? type : "", &a->type, NULL)) {
        http_reply_error(a->x, 404, "these profiles have no sample type '%.100s'", type);
        return;
    }
    int rc = f->write(a, &e);
    if (rc)
        api_reply_error(a->x, rc, &e);
    else
        add_headers(a->x, &a->info);
    if (!rc && a->base_profiles)
        add_header(a->x, "X-Strobe-Base-Profiles", (int64_t)a->base_profiles);
    if (!rc)
        add_program(a->x, a->profile);
}

void api_profile(struct http_exchange *x)
{
    struct server *s = x->app;
    struct err e = {0};
    struct api_answer a = {.x = x};
    struct profile merged;
    struct ids *ids = arena_zalloc(x->arena, sizeof *ids);
    const struct api_format *f = find_format(http_query(x, "format"));
    if (!f) {
        http_reply_error(
            x, 400,
            "format has to be pprof, columns, folded, text, dot, svg, graph, source or json");
        return;
    }
    if (!api_read_query(x, false, &a.query))
        return;
    ids->e = &e;
    http_query_each(x, take_id, ids);
    if (ids->rc) {
        http_reply_error(x, 400, "id: %s", e.msg);
        return;
    }
    struct store_merge_options o = {.ids = ids->id, .id_count = ids->count};
    int rc = store_merge(s->store, &a.query, &o, &merged, &a.info, &e);
    if (rc) {
        api_reply_error(x, rc, &e);
        return;
    }
    a.profile = &merged;
    if (subtract_base(&a))
        reply(&a, f);
    profile_free(&merged);
}
