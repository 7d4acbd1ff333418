/* SPDX-License-Identifier: MIT
 *
 * Which nodes and edges a report shows (google/pprof internal/report/report.go, newTrimmedGraph):
 * nodes with too little weight go, then all but the first N in the report's order, then light
 * edges. Each time nodes go, edges are made anew from the samples, because an edge over a node that
 * went ends at the next node that is kept.
 *
 * Node weights do not depend on which others are kept. So nodes are chosen from a pass without
 * edges, and only what is kept is summed with edges, once; twice where the order of a drawing looks
 * at edges. A call tree is made once, and nodes are taken out of it. */
#include "analyze/gosort.h"
#include "analyze/graph.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWN_TAGS_MAX = 4 }; /* of a node, as dotgraph.go has it */

enum order { BY_FLAT, BY_CUM, BY_ENTROPY };

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

/* Nodes of the same name differ in what is not printed. */
static int compare_fields(const struct graph_frames *f, uint32_t a, uint32_t b)
{
    struct arena scratch;
    struct buf x, y;
    arena_init(&scratch);
    buf_init(&x, &scratch);
    buf_init(&y, &scratch);
    graph_node_fields(f, a, &x);
    graph_node_fields(f, b, &y);
    int order = compare_names((struct names_item){x.data, (uint32_t)x.len},
                              (struct names_item){y.data, (uint32_t)y.len});
    arena_free(&scratch);
    return order;
}

static int compare_ranks(const struct node_key *x, const struct node_key *y,
                         const struct graph_frames *frames)
{
    if (x->first != y->first)
        return x->first > y->first ? -1 : 1;
    int order = compare_names(x->name, y->name);
    if (order)
        return order;
    if (x->second != y->second)
        return x->second > y->second ? -1 : 1;
    return x->node == y->node ? 0 : compare_fields(frames, x->node, y->node);
}

static int by_rank(const void *a, const void *b, void *frames)
{
    const struct node_key *x = a, *y = b;
    int order = compare_ranks(x, y, frames);
    return order ? order : x->node < y->node ? -1 : 1;
}

static bool ranks_before(const void *a, const void *b, const void *frames)
{
    return compare_ranks(a, b, frames) < 0;
}

/* By node, what sort_nodes looks at first. */
static const int64_t *ranks(const struct graph *g, enum order order, bool tree,
                            struct arena *scratch)
{
    if (order != BY_ENTROPY)
        return order == BY_FLAT ? g->flat : g->cum;
    int64_t *entropy = arena_array(scratch, g->frames->node_count, sizeof *entropy);
    if (!tree)
        graph_entropies(g, entropy);
    for (uint32_t i = 0; tree && i < g->shown_count; i++)
        entropy[g->shown[i]] = graph_entropy(g, g->shown[i]);
    return entropy;
}

/* By flat, cum or entropy, descending without sign; then by name. `again`: the nodes are those of a
 * tree in the order of an earlier sort, which shows where equal ones end. */
static void sort_nodes(struct graph *g, enum order order, bool tree, bool again)
{
    struct arena scratch;
    arena_init(&scratch);
    struct node_key *keys = arena_array(&scratch, g->shown_count, sizeof *keys);
    const int64_t *rank = ranks(g, order, tree, &scratch);
    struct buf names;
    buf_init(&names, &scratch);
    for (uint32_t i = 0; i < g->shown_count; i++) {
        uint32_t n = g->shown[i];
        int64_t flat = graph_abs(g->flat[n]), cum = graph_abs(g->cum[n]);
        size_t at = names.len;
        graph_node_name(g->frames, n, &names);
        keys[i] = (struct node_key){graph_abs(rank[n]),
                                    order == BY_FLAT ? cum : flat,
                                    {NULL, (uint32_t)(names.len - at)},
                                    n};
    }
    const char *at = names.data;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        keys[i].name.ptr = at;
        at += keys[i].name.len;
    }
    if (again)
        gosort(&(struct gosort){(char *)keys, sizeof *keys, ranks_before, g->frames},
               g->shown_count);
    else
        qsort_r(keys, g->shown_count, sizeof *keys, by_rank, (void *)g->frames);
    for (uint32_t i = 0; i < g->shown_count; i++)
        g->shown[i] = keys[i].node;
    arena_free(&scratch);
}

/* Marks of the nodes shown. */
static uint8_t *mark_shown(const struct graph *g, struct arena *arena)
{
    uint8_t *marks = arena_zarray(arena, g->frames->node_count, 1);
    for (uint32_t i = 0; i < g->shown_count; i++)
        marks[g->shown[i]] = 1;
    return marks;
}

static int64_t cutoff(int64_t total, double fraction)
{
    return graph_abs(graph_int64((double)total * fraction));
}

/* Edges to nodes that are shown. Those of a graph are looked at as they lie: its lists lead all
 * over memory. */
static void cut_edges(struct graph_trimmed *t, int64_t least, bool tree)
{
    struct graph *g = &t->graph;
    if (!tree) {
        struct arena scratch;
        arena_init(&scratch);
        uint8_t *shown = mark_shown(g, &scratch);
        for (uint32_t i = 0; i < g->edge_count; i++) {
            struct graph_edge *e = &g->edges[i];
            if (!e->removed && shown[e->dest] && graph_abs(e->weight) < least) {
                e->removed = true;
                t->dropped_edges++;
            }
        }
        arena_free(&scratch);
        return;
    }
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

/* Marks of the nodes whose edges are asked for. */
static uint8_t *mark_ends(const struct graph *g, const struct graph_limits *limits,
                          struct arena *arena)
{
    uint8_t *marks = arena_zarray(arena, g->frames->node_count, 1);
    for (uint32_t i = 0; i < g->shown_count; i++)
        marks[g->shown[i]] = limits->wants_edges(limits->context, g->frames, g->shown[i]);
    return marks;
}

/* Sums again, with edges, what is kept of `nodes`; all if nothing was cut. */
static void remake(struct graph *g, const struct profile *p, const struct graph_limits *limits,
                   const struct graph *nodes, bool cut)
{
    struct graph_options o = {.values = limits->values,
                              .drop_negative = limits->drop_negative,
                              .weights = nodes,
                              .edges =
                                  limits->marks_only ? GRAPH_EDGES_TO_INLINED : GRAPH_ALL_EDGES};
    struct arena scratch;
    arena_init(&scratch);
    if (cut)
        o.kept = mark_shown(nodes, &scratch);
    if (limits->wants_edges)
        o.ends = mark_ends(nodes, limits, &scratch);
    struct graph made;
    graph_make(&made, p, nodes->frames, &o);
    *g = made;
    arena_free(&scratch);
}

static int64_t sum_flat(const struct graph *g)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < g->shown_count; i++)
        total += g->flat[g->shown[i]];
    return total;
}

/* ---- drawn graphs ---- */

static int64_t count_tags(const struct node_tags *t, uint32_t node)
{
    int64_t count = 0;
    for (uint32_t i = t->first ? t->first[node] : NODE_TAG_NONE; i != NODE_TAG_NONE;
         i = t->tags[i].next)
        count += t->tags[i].flat && node_tags_counts(t, &t->tags[i]);
    return count;
}

/* How many nodes fit when each costs its labels as well. */
static uint32_t fitting_nodes(const struct graph_trimmed *t, const struct graph_limits *limits)
{
    const struct graph *g = &t->graph;
    int64_t left = limits->node_count, count = 0;
    for (uint32_t i = 0; limits->drawn && i < g->shown_count; i++) {
        int64_t tags = count_tags(&t->tags, g->shown[i]);
        count += 1 + (tags < DRAWN_TAGS_MAX ? tags : DRAWN_TAGS_MAX);
        if (count >= limits->node_count) {
            left = i + 1;
            break;
        }
    }
    return left < g->shown_count ? (uint32_t)left : g->shown_count;
}

/* Keeps the first `count` nodes shown. */
static void keep_first(struct graph_trimmed *t, const struct profile *p,
                       const struct graph_limits *limits, uint32_t count)
{
    if (!limits->call_tree) {
        struct graph before = t->graph;
        before.shown_count = count;
        remake(&t->graph, p, limits, &before, true);
        graph_free(&before);
        return;
    }
    struct arena scratch;
    arena_init(&scratch);
    uint32_t shown = t->graph.shown_count;
    t->graph.shown_count = count;
    uint8_t *kept = mark_shown(&t->graph, &scratch);
    t->graph.shown_count = shown;
    graph_trim_tree(&t->graph, kept);
    arena_free(&scratch);
}

/* The second and last step of newTrimmedGraph, where edges and labels matter for the choice. */
static void choose_by_edges(struct graph_trimmed *t, const struct profile *p,
                            const struct graph_limits *limits, int64_t least_edge)
{
    enum order order = limits->drawn ? BY_ENTROPY : limits->by_cum ? BY_CUM : BY_FLAT;
    sort_nodes(&t->graph, order, limits->call_tree, false);
    if (limits->node_count > 0) {
        cut_edges(t, least_edge, limits->call_tree);
        uint32_t count = fitting_nodes(t, limits);
        if (count < t->graph.shown_count) {
            keep_first(t, p, limits, count);
            sort_nodes(&t->graph, order, limits->call_tree, limits->call_tree);
        }
        t->dropped_edges = 0; /* pprof tells of those only that are dropped last */
    }
    cut_edges(t, least_edge, limits->call_tree);
    if (limits->drawn)
        graph_remove_redundant(&t->graph);
}

static uint32_t *tree_parents(const struct graph *g, struct arena *arena)
{
    uint32_t *parent = arena_array(arena, g->frames->node_count, sizeof *parent);
    for (uint32_t i = 0; i < g->frames->node_count; i++)
        parent[i] = g->first_in[i] == GRAPH_NONE ? GRAPH_NONE : g->edges[g->first_in[i]].src;
    return parent;
}

static void make_tree(struct graph_trimmed *t, const struct profile *p,
                      const struct graph_limits *limits)
{
    struct graph_options o = {.values = limits->values, .drop_negative = limits->drop_negative};
    struct arena scratch;
    arena_init(&scratch);
    uint32_t *leaf_of = limits->drawn ? arena_array(&scratch, p->sample_count, 4) : NULL;
    graph_make_tree(&t->graph, p, &t->frames, &o, leaf_of);
    int64_t total = sum_flat(&t->graph), least = cutoff(total, limits->node_fraction);
    if (limits->drawn) {
        struct node_tags_paths paths = {.frames = &t->frames,
                                        .leaf_of = leaf_of,
                                        .parent = tree_parents(&t->graph, &scratch),
                                        .node_count = t->frames.node_count,
                                        .bytes_unit = limits->bytes_unit,
                                        .unit = limits->unit};
        node_tags_make(&t->tags, p, &limits->values, &paths);
        t->tags.least = least;
    }
    if (least > 0) {
        uint32_t shown = t->graph.shown_count;
        uint8_t *kept = arena_zarray(&scratch, t->frames.node_count, 1);
        for (uint32_t i = 0; i < shown; i++)
            kept[t->graph.shown[i]] = graph_abs(t->graph.cum[t->graph.shown[i]]) >= least;
        graph_trim_tree(&t->graph, kept);
        t->dropped_nodes = shown - t->graph.shown_count;
    }
    t->orig_count = t->graph.shown_count;
    choose_by_edges(t, p, limits, cutoff(total, limits->edge_fraction));
    arena_free(&scratch);
}

static void make_drawn(struct graph_trimmed *t, const struct profile *p,
                       const struct graph_limits *limits, const struct graph *nodes,
                       const int64_t least[2])
{
    struct arena scratch;
    arena_init(&scratch);
    bool cut = t->dropped_nodes > 0;
    struct node_tags_paths paths = {.frames = &t->frames,
                                    .node_count = t->frames.node_count,
                                    .bytes_unit = limits->bytes_unit,
                                    .unit = limits->unit};
    if (cut)
        paths.kept = mark_shown(nodes, &scratch);
    node_tags_make(&t->tags, p, &limits->values, &paths);
    t->tags.least = least[0];
    remake(&t->graph, p, limits, nodes, cut);
    choose_by_edges(t, p, limits, least[1]);
    arena_free(&scratch);
}

void graph_trimmed_make(struct graph_trimmed *t, const struct profile *p,
                        const struct graph_limits *limits)
{
    *t = (struct graph_trimmed){0};
    graph_frames_make(&t->frames, p, limits->object_names);
    if (limits->call_tree) {
        make_tree(t, p, limits);
        return;
    }
    struct graph_options o = {.values = limits->values, .drop_negative = limits->drop_negative};
    struct graph nodes;
    graph_make(&nodes, p, &t->frames, &o);
    int64_t total = sum_flat(&nodes);
    int64_t least[2] = {cutoff(total, limits->node_fraction), cutoff(total, limits->edge_fraction)};
    if (least[0] > 0)
        t->dropped_nodes = cut_nodes(&nodes, least[0]);
    t->orig_count = nodes.shown_count;
    if (limits->drawn) {
        make_drawn(t, p, limits, &nodes, least);
        graph_free(&nodes);
        return;
    }
    bool cut = t->dropped_nodes > 0;
    enum order order = limits->by_cum ? BY_CUM : BY_FLAT;
    if (limits->node_count > 0 && limits->node_count < nodes.shown_count) {
        sort_nodes(&nodes, order, false, false);
        nodes.shown_count = (uint32_t)limits->node_count;
        cut = true;
    }
    remake(&t->graph, p, limits, &nodes, cut);
    graph_free(&nodes);
    sort_nodes(&t->graph, order, false, false);
    cut_edges(t, least[1], false);
}

void graph_trimmed_free(struct graph_trimmed *t)
{
    node_tags_free(&t->tags);
    graph_free(&t->graph);
    graph_frames_free(&t->frames);
}
