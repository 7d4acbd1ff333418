/* SPDX-License-Identifier: MIT
 *
 * What reports share: the total, the unit, the graph, values as text. And the table of them. */
#include "report/report.h"

#include "analyze/source.h"
#include "analyze/unit.h"

#include <stdio.h>
#include <string.h>

const struct report_kind report_kinds[] = {
    {"text", report_top},
    {"traces", report_traces},
    {"raw", report_raw},
    {"folded", report_folded},
    {"tree", report_tree},
    {"peek", report_tree},
    {"tags", report_tags},
    {"comments", report_comments},
    {"proto", report_proto},
    {"dot", report_dot},
    {"diff", report_diff},
    {"callgrind", report_callgrind},
    {"topproto", report_topproto},
    {"list", report_list},
    {"disasm", report_disasm},
    {"weblist", report_weblist},
    {NULL, NULL},
};

const struct report_kind *report_find(const char *name)
{
    for (const struct report_kind *k = report_kinds; k->name; k++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}

static bool has_base(const struct profile *p)
{
    for (uint32_t i = 0; i < p->string_count; i++)
        if (profile_str_is(p->strings[i], "pprof::base"))
            return true;
    return false;
}

/* With a base, percentages are of the base. */
static int64_t sum_total(const struct profile *p, struct graph_values v)
{
    int64_t total = 0, div = 0, base_total = 0, base_div = 0;
    bool based = has_base(p);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        const int64_t *values = p->values + (size_t)i * p->sample_type_count;
        int64_t value = graph_abs(values[v.index]), d = v.mean ? values[0] : 0;
        total += value;
        div += d;
        if (based && refine_is_base(p, i)) {
            base_total += value;
            base_div += d;
        }
    }
    return base_total > 0 ? graph_mean(base_total, base_div) : graph_mean(total, div);
}

void report_begin(struct report *r, struct profile *p, const struct report_options *o)
{
    *r = (struct report){.p = p, .o = *o, .total = sum_total(p, o->values)};
    buf_init(&r->value, &r->arena);
}

void report_end(struct report *r)
{
    arena_free(&r->arena);
}

const char *report_value(struct report *r, int64_t value)
{
    if (r->o.ratio > 0 && r->o.ratio != 1)
        value = graph_int64((double)value * r->o.ratio);
    r->value.len = 0;
    unit_label(&r->value, value, r->o.sample_unit, r->o.unit);
    return buf_cstr(&r->value);
}

/* One unit for all nodes: that of the smallest, or a larger one in which it still shows; not so
 * where values are whole numbers. */
static void settle_unit(struct report *r, const struct graph *g, bool whole)
{
    if (strcmp(r->o.unit, "minimum") || !g->shown_count)
        return;
    int64_t least = 0, most = r->total;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        int64_t v = graph_abs(graph_flat(g, g->shown[i]));
        if (!v)
            v = graph_abs(graph_cum(g, g->shown[i]));
        if (v > 0 && (!least || v < least))
            least = v;
    }
    if (!least)
        least = most;
    if (r->o.ratio > 0 && r->o.ratio != 1) {
        least = graph_int64((double)least * r->o.ratio);
        most = graph_int64((double)most * r->o.ratio);
    }
    const char *unit = unit_scale(least, r->o.sample_unit, "minimum").unit;
    const char *most_unit = unit_scale(most, r->o.sample_unit, "minimum").unit;
    if (!whole && strcmp(unit, most_unit) && least * 100 < most)
        unit = unit_scale(100 * least, r->o.sample_unit, "minimum").unit;
    r->o.unit = *unit ? unit : r->o.sample_unit;
}

/* ---- paths ---- */

void report_trim_paths(struct report *r)
{
    struct profile *p = r->p;
    uint32_t strings = p->string_count;
    uint32_t *trimmed = arena_zarray(&r->arena, strings, sizeof *trimmed);
    for (uint32_t i = 0; i < p->function_count; i++) {
        uint32_t file = p->functions[i].file;
        if (!trimmed[file]) {
            struct profile_str before = p->strings[file], after;
            after = source_trim_path(before, r->o.trim_path, r->o.source_path);
            bool same = after.len == before.len;
            trimmed[file] = (same ? file : profile_intern(p, after.ptr, after.len)) + 1;
        }
        p->functions[i].file = trimmed[file] - 1;
    }
}

static struct graph_limits make_limits(const struct report_options *o)
{
    return (struct graph_limits){
        .values = o->values,
        .drop_negative = o->drop_negative,
        .by_cum = o->by_cum,
        .node_count = o->node_count,
        .node_fraction = o->node_fraction,
        .edge_fraction = o->edge_fraction,
    };
}

void report_graph_listed(struct report *r, struct graph_frames *f, struct graph *g)
{
    report_trim_paths(r);
    graph_frames_make(f, r->p, true);
    struct graph_options o = {.values = r->o.values, .drop_negative = r->o.drop_negative};
    graph_make(g, r->p, f, &o);
}

void report_graph(struct report *r, struct graph_trimmed *t)
{
    report_graph_at(r, t, NULL, NULL);
}

void report_graph_at(struct report *r, struct graph_trimmed *t, report_wants_edges *wants,
                     void *context)
{
    report_trim_paths(r);
    struct graph_limits limits = make_limits(&r->o);
    limits.wants_edges = wants;
    limits.context = context;
    graph_trimmed_make(t, r->p, &limits);
    settle_unit(r, &t->graph, false);
}

void report_graph_drawn(struct report *r, struct graph_trimmed *t)
{
    report_trim_paths(r);
    struct graph_limits limits = make_limits(&r->o);
    limits.drawn = true;
    limits.call_tree = r->o.call_tree;
    limits.bytes_unit = r->o.label_units ? refine_unit(r->o.label_units, "bytes", 5) : "";
    limits.unit = r->o.unit;
    graph_trimmed_make(t, r->p, &limits);
    settle_unit(r, &t->graph, false);
}

void report_graph_whole(struct report *r, struct graph_trimmed *t)
{
    report_trim_paths(r);
    struct graph_limits limits = make_limits(&r->o);
    limits.node_count = 0;
    limits.node_fraction = limits.edge_fraction = 0;
    limits.object_names = true;
    limits.call_tree = r->o.call_tree;
    graph_trimmed_make(t, r->p, &limits);
    settle_unit(r, &t->graph, true);
}

void report_nodes(struct report *r, struct graph_trimmed *t)
{
    report_trim_paths(r);
    struct graph_limits limits = make_limits(&r->o);
    limits.marks_only = true;
    graph_trimmed_make(t, r->p, &limits);
    settle_unit(r, &t->graph, false);
}
