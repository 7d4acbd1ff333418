/* SPDX-License-Identifier: MIT
 *
 * Reads what is asked for, refines a copy of the profile with the same code and in the same order
 * as the reports do (pprof/run.c), and hands it to body.c. */
#include "web/view.h"
#include "analyze/flame.h"
#include "analyze/refine.h"
#include "base/limits.h"
#include "web/body.h"
#include "web/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool type_is(const struct profile *p, uint32_t type, const char *name)
{
    struct profile_str s = profile_string(p, p->sample_types[type].type);
    return profile_str_is(s, name);
}

bool view_find_type(const struct profile *p, const char *asked, uint32_t *type)
{
    *type = flame_default_type(p);
    if (!asked || !*asked)
        return true;
    char *end;
    unsigned long number = strtoul(asked, &end, 10);
    if (strchr("0123456789", *asked) && !*end && number < p->sample_type_count) {
        *type = (uint32_t)number;
        return true;
    }
    const char *short_name = strncmp(asked, "inuse_", 6) ? asked : asked + 6;
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        if (type_is(p, i, asked) || type_is(p, i, short_name)) {
            *type = i;
            return true;
        }
    }
    return false;
}

/* ---- refinements ---- */

static int by_names(struct profile *p, const char *name, const char *value, struct err *e)
{
    struct regex *rx = regex_compile(value, strlen(value), e);
    if (!rx)
        return -1;
    struct refine_names names = {
        .focus = *name == 'f' ? rx : NULL,
        .ignore = *name == 'i' ? rx : NULL,
        .hide = *name == 'h' ? rx : NULL,
        .show = *name == 's' ? rx : NULL,
    };
    if (!strcmp(name, "sf"))
        refine_show_from(p, rx);
    else
        refine_by_name(p, &names);
    regex_free(rx);
    return 0;
}

static void say_nothing(const char *line)
{
}

static int by_tag(struct profile *p, const char *name, const char *value, struct err *e)
{
    struct tag_filter *filter;
    struct refine_units units;
    if (tag_filter_make(&filter, name, value, say_nothing, e))
        return -1;
    refine_units_make(&units, p, say_nothing);
    bool focus = !strcmp(name, "tf");
    refine_by_tag(p, focus ? filter : NULL, focus ? NULL : filter, &units);
    refine_units_free(&units);
    tag_filter_free(filter);
    return 0;
}

/* In the order of the reports. */
static const struct {
    const char *name;
    int (*apply)(struct profile *p, const char *name, const char *value, struct err *e);
} refinements[] = {
    {"f", by_names},  {"i", by_names}, {"h", by_names}, {"s", by_names},
    {"sf", by_names}, {"tf", by_tag},  {"ti", by_tag},
};

enum { REFINEMENTS = sizeof refinements / sizeof *refinements };

struct asked {
    const char *values[REFINEMENTS][LIMIT_PAGE_REFINEMENTS];
    size_t count[REFINEMENTS];
    bool any, too_many;
};

static bool take_asked(void *arg, const char *name, const char *value)
{
    struct asked *a = arg;
    for (size_t i = 0; i < REFINEMENTS; i++) {
        if (!*value || strcmp(name, refinements[i].name))
            continue;
        if (a->count[i] < LIMIT_PAGE_REFINEMENTS)
            a->values[i][a->count[i]] = value;
        else
            a->too_many = true;
        a->count[i]++;
        a->any = true;
    }
    return !a->too_many;
}

static int refine(struct profile *p, const struct asked *a, struct err *e)
{
    for (size_t i = 0; i < REFINEMENTS; i++)
        for (size_t k = 0; k < a->count[i]; k++)
            if (*a->values[i][k] &&
                refinements[i].apply(p, refinements[i].name, a->values[i][k], e))
                return err_prefix(e, "%s=%.100s", refinements[i].name, a->values[i][k]);
    return 0;
}

int view_refine(struct http_exchange *x, struct profile *p, struct err *e)
{
    struct asked asked = {0};
    http_query_each(x, take_asked, &asked);
    if (asked.too_many)
        return err_set(e, -EINVAL, "more than %d refinements of one kind", LIMIT_PAGE_REFINEMENTS);
    return refine(p, &asked, e) ? -EINVAL : 0;
}

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

void view_serve(struct http_exchange *x, const struct profile *p, const char *title)
{
    struct asked asked = {0};
    struct err e = {0};
    struct body_options o = {.title = title, .flame.node_limit = LIMIT_FLAME_NODES};
    if (!view_find_type(p, http_query(x, "si"), &o.flame.type)) {
        http_reply_error(x, 404, "the profile has no sample type '%.100s'", http_query(x, "si"));
        return;
    }
    if (!read_walk(x, &o.flame)) {
        http_reply_error(x, 400, "'%.100s' is no way to walk: root, leaf, callers and callees are",
                         http_query(x, "walk"));
        return;
    }
    http_query_each(x, take_asked, &asked);
    if (asked.too_many) {
        http_reply_error(x, 400, "more than %d refinements of one kind", LIMIT_PAGE_REFINEMENTS);
        return;
    }
    o.total = p->sample_count ? flame_total(p, o.flame.type) : 0;
    o.sample_count = p->sample_count;
    if (!asked.any) {
        reply_body(x, p, &o);
        return;
    }
    struct profile refined;
    profile_copy(&refined, p);
    if (refine(&refined, &asked, &e))
        http_reply_error(x, 400, "%s", e.msg);
    else
        reply_body(x, &refined, &o);
    profile_free(&refined);
}
