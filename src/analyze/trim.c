/* SPDX-License-Identifier: MIT
 *
 * Which nodes and edges a report shows (google/pprof internal/report/report.go, newTrimmedGraph):
 * nodes with too little weight go, then all but the first N in the report's order, then light
 * edges. Each time nodes go, edges are made anew from the samples, because an edge over a node that
 * went ends at the next node that is kept.
 *
 * Node weights do not depend on which others are kept. So nodes are chosen from a pass without
 * edges, and only what is kept is summed with edges, once. */
#include "analyze/graph.h"

#include <stdlib.h>
#include <string.h>

struct node_key {
    int64_t first, second; /* both descending */
    struct names_item name;
    uint32_t node;
};

static int compare_names(struct names_item a, struct names_item b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_rank(const void *a, const void *b)
{
    const struct node_key *x = a, *y = b;
    if (x->first != y->first)
        return x->first > y->first ? -1 : 1;
    int order = compare_names(x->name, y->name);
    if (order)
        return order;
    if (x->second != y->second)
        return x->second > y->second ? -1 : 1;
    return x->node < y->node ? -1 : 1;
}

/* By flat or cum, descending without sign; then by name. */
static void sort_nodes(struct graph *g, bool by_cum)
{
    struct arena scratch;
    arena_init(&scratch);
    struct node_key *keys = arena_array(&scratch, g->shown_count, sizeof *keys);
    struct buf names;
    buf_init(&names, &scratch);
    for (uint32_t i = 0; i < g->shown_count; i++) {
        uint32_t n = g->shown[i];
        int64_t flat = graph_abs(g->flat[n]), cum = graph_abs(g->cum[n]);
        size_t at = names.len;
        graph_node_name(g->frames, n, &names);
        keys[i] = (struct node_key){
            by_cum ? cum : flat, by_cum ? flat : cum, {NULL, (uint32_t)(names.len - at)}, n};
    }
    const char *at = names.data;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        keys[i].name.ptr = at;
        at += keys[i].name.len;
    }
    qsort(keys, g->shown_count, sizeof *keys, by_rank);
    for (uint32_t i = 0; i < g->shown_count; i++)
        g->shown[i] = keys[i].node;
    arena_free(&scratch);
}

static int64_t cutoff(int64_t total, double fraction)
{
    return graph_abs(graph_int64((double)total * fraction));
}

static void cut_edges(struct graph_trimmed *t, int64_t least)
{
    struct graph *g = &t->graph;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        for (uint32_t e = g->first_in[g->shown[i]]; e != GRAPH_NONE; e = g->edges[e].next_in) {
            if (!g->edges[e].removed && graph_abs(g->edges[e].weight) < least) {
                g->edges[e].removed = true;
                t->dropped_edges++;
            }
        }
    }
}

/* Drops light nodes from `shown`, in place; how many. */
static uint32_t cut_nodes(struct graph *g, int64_t least)
{
    uint32_t kept = 0, before = g->shown_count;
    for (uint32_t i = 0; i < before; i++)
        if (graph_abs(g->cum[g->shown[i]]) >= least)
            g->shown[kept++] = g->shown[i];
    g->shown_count = kept;
    return before - kept;
}

/* Sums again, with edges, what is kept of `nodes`; all if nothing was cut. */
static void remake(struct graph_trimmed *t, const struct profile *p,
                   const struct graph_limits *limits, const struct graph *nodes, bool cut)
{
    struct graph_options o = {.values = limits->values,
                              .drop_negative = limits->drop_negative,
                              .edges = true};
    struct arena scratch;
    arena_init(&scratch);
    if (cut) {
        uint8_t *kept = arena_zarray(&scratch, t->frames.node_count, 1);
        for (uint32_t i = 0; i < nodes->shown_count; i++)
            kept[nodes->shown[i]] = 1;
        o.kept = kept;
    }
    graph_make(&t->graph, p, &t->frames, &o);
    arena_free(&scratch);
}

void graph_trimmed_make(struct graph_trimmed *t, const struct profile *p,
                        const struct graph_limits *limits)
{
    *t = (struct graph_trimmed){0};
    graph_frames_make(&t->frames, p, limits->object_names);
    struct graph_options o = {.values = limits->values, .drop_negative = limits->drop_negative};
    struct graph nodes;
    graph_make(&nodes, p, &t->frames, &o);
    int64_t total = 0;
    for (uint32_t i = 0; i < nodes.shown_count; i++)
        total += nodes.flat[nodes.shown[i]];
    int64_t least = cutoff(total, limits->node_fraction);
    if (least > 0)
        t->dropped_nodes = cut_nodes(&nodes, least);
    t->orig_count = nodes.shown_count;
    bool cut = t->dropped_nodes > 0;
    if (limits->node_count > 0 && limits->node_count < nodes.shown_count) {
        sort_nodes(&nodes, limits->by_cum);
        nodes.shown_count = (uint32_t)limits->node_count;
        cut = true;
    }
    remake(t, p, limits, &nodes, cut);
    graph_free(&nodes);
    sort_nodes(&t->graph, limits->by_cum);
    cut_edges(t, cutoff(total, limits->edge_fraction));
}

void graph_trimmed_free(struct graph_trimmed *t)
{
    graph_free(&t->graph);
    graph_frames_free(&t->frames);
}
