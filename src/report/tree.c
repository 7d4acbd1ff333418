/* SPDX-License-Identifier: MIT
 *
 * tree and peek: each node between its callers and its callees (report.go, printTree). peek is tree
 * for the nodes whose name matches. */
#include "report/report.h"

#include "analyze/unit.h"

#include <errno.h>

static const char separator[] =
    "----------------------------------------------------------+-------------\n";

struct printer {
    struct report *r;
    struct out *out;
    const struct graph_trimmed *t;
    struct buf name;
};

static const struct buf *node_name(struct printer *w, uint32_t node)
{
    w->name.len = 0;
    graph_node_name(&w->t->frames, node, &w->name);
    return &w->name;
}

static bool matches(struct printer *w, uint32_t node)
{
    const struct buf *name = node_name(w, node);
    return !w->r->o.symbol || regex_matches(w->r->o.symbol, name->data, name->len);
}

static void put_value(struct printer *w, int64_t value, size_t width)
{
    const char *text = report_value(w->r, value);
    out_right(w->out, text, w->r->value.len, width);
    out_putc(w->out, ' ');
}

static void put_percent(struct printer *w, int64_t value, int64_t total)
{
    char percent[UNIT_PERCENT_SIZE];
    out_puts(w->out, unit_percent(percent, value, total));
    out_putc(w->out, ' ');
}

static void print_edges(struct printer *w, uint32_t node, bool in)
{
    const struct graph *g = &w->t->graph;
    struct arena scratch;
    arena_init(&scratch);
    uint32_t count, *edges = in ? graph_edges_in(g, node, &scratch, &count)
                                : graph_edges_out(g, node, &scratch, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct graph_edge *e = &g->edges[edges[i]];
        put_value(w, e->weight, 50);
        put_percent(w, e->weight, graph_cum(g, node));
        out_puts(w->out, "|   ");
        const struct buf *name = node_name(w, in ? e->src : e->dest);
        out_write(w->out, name->data, name->len);
        out_puts(w->out, e->inlined ? " (inline)\n" : "\n");
    }
    arena_free(&scratch);
}

static void print_node(struct printer *w, uint32_t node, int64_t sum)
{
    int64_t flat = graph_flat(&w->t->graph, node), cum = graph_cum(&w->t->graph, node);
    out_puts(w->out, separator);
    print_edges(w, node, true);
    put_value(w, flat, 10);
    put_percent(w, flat, w->r->total);
    put_percent(w, sum, w->r->total);
    put_value(w, cum, 10);
    put_percent(w, cum, w->r->total);
    out_puts(w->out, "               | ");
    const struct buf *name = node_name(w, node);
    out_write(w->out, name->data, name->len);
    out_putc(w->out, '\n');
    print_edges(w, node, false);
}

static bool any_matches(struct printer *w)
{
    for (uint32_t i = 0; i < w->t->graph.shown_count; i++)
        if (matches(w, w->t->graph.shown[i]))
            return true;
    return !w->r->o.symbol;
}

static void print_tree(struct printer *w)
{
    const struct graph *g = &w->t->graph;
    int64_t sum = 0;
    report_header(w->r, w->out, w->t);
    out_puts(w->out, separator);
    /* The legend ends in blanks and tabs, in pprof as well. */
    out_puts(w->out, "      flat  flat%   sum%        cum   cum%   calls calls% + context");
    out_puts(w->out, " \t \t \n");
    for (uint32_t i = 0; i < g->shown_count; i++) {
        if (!matches(w, g->shown[i]))
            continue;
        sum += graph_flat(g, g->shown[i]);
        print_node(w, g->shown[i], sum);
    }
    if (g->shown_count)
        out_puts(w->out, separator);
}

/* Where one node in a hundred is printed, so is one edge in fifty. */
static bool prints_edges(void *context, const struct graph_frames *f, uint32_t node)
{
    struct printer *w = context;
    w->name.len = 0;
    graph_node_name(f, node, &w->name);
    return regex_matches(w->r->o.symbol, w->name.data, w->name.len);
}

static int no_matches(const struct report *r, struct err *e)
{
    return err_set(e, -ENOENT, "no matches found for regexp: %s", regex_pattern(r->o.symbol));
}

int report_tree(struct report *r, struct out *out, struct err *e)
{
    struct graph_trimmed t;
    struct printer w = {.r = r, .out = out, .t = &t};
    int rc = 0;
    buf_init(&w.name, &r->arena);
    report_graph_at(r, &t, r->o.symbol ? prints_edges : NULL, &w);
    if (any_matches(&w))
        print_tree(&w);
    else
        rc = no_matches(r, e);
    graph_trimmed_free(&t);
    return rc;
}

int report_tree_check(struct report *r, struct err *e)
{
    struct graph_trimmed t;
    struct printer w = {.r = r, .t = &t};
    buf_init(&w.name, &r->arena);
    report_nodes(r, &t);
    int rc = any_matches(&w) ? 0 : no_matches(r, e);
    graph_trimmed_free(&t);
    return rc;
}
