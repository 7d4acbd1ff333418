/* SPDX-License-Identifier: MIT
 *
 * text (top): a row a node, by flat or cum (report.go, printText). */
#include "report/report.h"

#include "analyze/unit.h"

/* Whether all, some or none of the calls to the node were inlined. */
static const char *inline_mark(const struct graph *g, uint32_t node)
{
    bool inlined = false, called = false;
    for (uint32_t e = g->first_in[node]; e != GRAPH_NONE; e = g->edges[e].next_in) {
        if (g->edges[e].removed)
            continue;
        inlined |= g->edges[e].inlined;
        called |= !g->edges[e].inlined;
    }
    return !inlined ? "" : called ? " (partial-inline)" : " (inline)";
}

static void print_value(struct report *r, struct out *out, int64_t value)
{
    const char *text = report_value(r, value);
    out_right(out, text, r->value.len, 10);
    out_putc(out, ' ');
}

static void print_percent(struct out *out, int64_t value, int64_t total)
{
    char percent[UNIT_PERCENT_SIZE];
    out_puts(out, unit_percent(percent, value, total));
    out_putc(out, ' ');
}

int report_top(struct report *r, struct out *out, struct err *e)
{
    struct graph_trimmed t;
    report_nodes(r, &t);
    report_header(r, out, &t);
    out_puts(out, "      flat  flat%   sum%        cum   cum%\n");
    struct buf name;
    buf_init(&name, &r->arena);
    int64_t sum = 0;
    for (uint32_t i = 0; i < t.graph.shown_count; i++) {
        uint32_t node = t.graph.shown[i];
        int64_t flat = graph_flat(&t.graph, node), cum = graph_cum(&t.graph, node);
        sum += flat;
        print_value(r, out, flat);
        print_percent(out, flat, r->total);
        print_percent(out, sum, r->total);
        print_value(r, out, cum);
        print_percent(out, cum, r->total);
        out_putc(out, ' ');
        name.len = 0;
        graph_node_name(&t.frames, node, &name);
        out_write(out, name.data, name.len);
        out_puts(out, inline_mark(&t.graph, node));
        out_putc(out, '\n');
    }
    graph_trimmed_free(&t);
    return 0;
}
