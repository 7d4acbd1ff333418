/* SPDX-License-Identifier: MIT
 *
 * Reads what is asked for, refines a copy of the profile as the reports do (ask.h), and hands it to
 * body.c. */
#include "web/view.h"
#include "analyze/flame.h"
#include "base/limits.h"
#include "web/body.h"
#include "web/columns.h"

#include <string.h>

/* ---- the answer ---- */

static bool read_walk(const struct http_exchange *x, struct flame_options *o)
{
    static const char *const names[] = {
        [FLAME_FROM_ROOT] = "root",
        [FLAME_FROM_LEAF] = "leaf",
        [FLAME_CALLEES] = "callees",
        [FLAME_CALLERS] = "callers",
    };
    const char *walk = http_query(x, "walk"), *function = http_query(x, "fn");
    o->function =
        (struct profile_str){function ? function : "", function ? (uint32_t)strlen(function) : 0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!walk || !*walk || !strcmp(walk, names[i])) {
            o->walk = (enum flame_walk)i;
            return true;
        }
    }
    return false;
}

static void reply_body(struct http_exchange *x, const struct profile *p,
                       const struct body_options *o)
{
    struct buf body;
    buf_init(&body, x->arena);
    body_write(p, o, &body);
    http_reply(x, 200, COLUMNS_TYPE, body.data, body.len);
}

/* Granularity "functions" is how the tree is built anyway. */
static bool is_default(const struct settings *s)
{
    return !*s->granularity || !strcmp(s->granularity, "functions");
}

/* Whether the profile is shown as it is, but for names. */
static bool is_plain(const struct prepare_request *q)
{
    const struct settings *s = q->settings;
    return prepare_is_whole(q) && is_default(s) && s->divide_by == 1 && !s->mean &&
           !*s->trim_path && !*s->source_path;
}

/* A profile that nothing is done to needs no copy: it may be large. */
static int serve_whole(struct http_exchange *x, const struct profile *p,
                       const struct settings *settings, struct body_options *o, struct err *e)
{
    int rc =
        p->sample_type_count ? prepare_find_index(p, settings->sample_index, &o->flame.type, e) : 0;
    if (rc)
        return rc;
    o->total = p->sample_count ? flame_total(p, o->flame.type) : 0;
    reply_body(x, p, o);
    return 0;
}

/* -divide_by: all values, but what divides them for a mean, and the totals. */
static void divide(struct profile *p, const struct settings *s, struct body_options *o)
{
    if (s->divide_by == 1)
        return;
    double *ratios = arena_array(&p->arena, p->sample_type_count, sizeof *ratios);
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        ratios[i] = s->mean && !i ? 1 : 1 / s->divide_by;
    refine_scale(p, ratios);
    o->total = (int64_t)((double)o->total / s->divide_by);
    o->mean_total = (int64_t)((double)o->mean_total / s->divide_by);
}

/* Of means, what boxes are of is the sum, as wide as they are. */
static void set_totals(struct body_options *o, const struct profile *p,
                       const struct profile *refined, const struct settings *s, int64_t total)
{
    o->flame.mean = s->mean;
    o->total = o->mean_total = total;
    if (s->mean)
        o->total = flame_total(s->relative_percentages ? refined : p, o->flame.type);
}

static int serve_refined(struct http_exchange *x, const struct profile *p,
                         const struct prepare_request *q, struct body_options *o, struct err *e)
{
    struct profile refined;
    struct prepared r;
    profile_copy(&refined, p);
    int rc = prepare_report(&r, &refined, q, e);
    if (!rc) {
        report_trim_paths(&r.report);
        o->flame.type = r.report.o.values.index;
        set_totals(o, p, &refined, q->settings, r.report.total);
        divide(&refined, q->settings, o);
        reply_body(x, &refined, o);
    }
    prepare_end(&r);
    profile_free(&refined);
    return rc;
}

void view_serve(struct http_exchange *x, const struct ask *from, const char *title)
{
    struct ask_read asked;
    struct err e = {0};
    const struct profile *p = from->profile;
    struct body_options o = {
        .title = title, .flame.node_limit = LIMIT_FLAME_NODES, .sample_count = p->sample_count};
    if (!read_walk(x, &o.flame)) {
        http_reply_error(x, 400, "'%.100s' is no way to walk: root, leaf, callers and callees are",
                         http_query(x, "walk"));
        return;
    }
    struct settings_params given = {0};
    if (from->settings) {
        struct settings flags = *from->settings;
        settings_to_url(&flags, &given, x->arena);
        o.given = &given;
    }
    int rc = ask_read(x, from, &asked, &e);
    if (!rc) {
        struct prepare_request q = {.settings = &asked.settings,
                                    .more = asked.more,
                                    .more_count = asked.more_count,
                                    .say = ask_say(x)};
        bool plain = is_plain(&q);
        o.flame.by_rows = !is_default(&asked.settings);
        if (!o.flame.by_rows)
            asked.settings.granularity = "addresses"; /* the tree needs files and modules */
        rc = plain ? serve_whole(x, p, &asked.settings, &o, &e) : serve_refined(x, p, &q, &o, &e);
    }
    if (rc)
        http_reply_error(x, 400, "%s", e.msg);
}
