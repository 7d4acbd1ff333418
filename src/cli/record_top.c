/* SPDX-License-Identifier: MIT
 *
 * The hottest functions on stderr when a recording ends: the first rows of what `strobe top` would
 * print, by the same graph, units and rounding, so that the two never disagree. It changes the
 * profile (functions lose their lines), which therefore has been written before. */
#include "analyze/refine.h"
#include "analyze/unit.h"
#include "cli/cmd.h"
#include "report/report.h"

#include <stdio.h>

enum { ROWS = 10 };

static void print_row(struct report *r, const struct graph_trimmed *t, uint32_t node,
                      struct buf *name)
{
    char flat_share[UNIT_PERCENT_SIZE], cum_share[UNIT_PERCENT_SIZE];
    int64_t flat = graph_flat(&t->graph, node), cum = graph_cum(&t->graph, node);
    name->len = 0;
    graph_node_name(&t->frames, node, name);
    fprintf(stderr, "%10s %s", report_value(r, flat), unit_percent(flat_share, flat, r->total));
    fprintf(stderr, " %10s %s  %s\n", report_value(r, cum), unit_percent(cum_share, cum, r->total),
            buf_cstr(name));
}

void cmd_record_print_top(struct profile *p, const char *type, const char *unit)
{
    uint32_t index = 0;
    while (index < p->sample_type_count &&
           !profile_str_is(p->strings[p->sample_types[index].type], type))
        index++;
    if (!p->sample_count || index == p->sample_type_count)
        return;
    struct refine_detail functions = {.function = true, .inlines = true};
    static const char *const no_filters[] = {NULL};
    struct report_options o = {
        .values = {.index = index},
        .sample_type = type,
        .sample_unit = unit,
        .unit = "minimum",
        .ratio = 1,
        .node_count = ROWS,
        .node_fraction = 0.005,
        .edge_fraction = 0.001,
        .active_filters = no_filters,
        .source_path = "",
        .trim_path = "",
    };
    struct report r;
    struct graph_trimmed t;
    struct buf name;
    refine_drop_frames(p);
    report_begin(&r, p, &o);
    refine_aggregate(p, &functions);
    report_graph(&r, &t);
    buf_init(&name, &r.arena);
    fputs("      flat  flat%        cum   cum%\n", stderr);
    for (uint32_t i = 0; i < t.graph.shown_count; i++)
        print_row(&r, &t, t.graph.shown[i], &name);
    graph_trimmed_free(&t);
    report_end(&r);
}
