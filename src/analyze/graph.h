/* SPDX-License-Identifier: MIT
 *
 * The weighted call graph of a profile, as google/pprof's internal/graph builds it, and the choice
 * of the nodes and edges a report shows (report.go, newTrimmedGraph).
 *
 * Two steps with two structs. graph_frames: each line of each location resolved to a node, once a
 * profile; it does not depend on values. graph: weights of nodes and edges summed over samples, for
 * one sample type and one choice of kept nodes; made as often as the choice is refined.
 *
 * Invariants of struct graph: |edges| pairs (src, dest) are distinct, src != dest; a node that is
 * not kept has no weight and no edge; `shown` lists nodes with a weight. Sums wrap, as in Go. */
#ifndef ANALYZE_GRAPH_H
#define ANALYZE_GRAPH_H

#include "analyze/names.h"
#include "analyze/node_tags.h"
#include "profile/profile.h"

#define GRAPH_NONE UINT32_MAX

/* What makes a node: two lines with equal fields are one node. Texts are numbers in `names`. */
struct graph_info {
    uint32_t name, file, object;
    uint64_t address;
    int64_t line, column, start_line;
};

struct graph_frames {
    struct arena arena;
    struct names names;
    struct graph_info *infos;
    uint32_t node_count;
    /* Location i's nodes, leaf-most inlined first: line_nodes[loc_first[i] .. loc_first[i + 1]).
     * A location without lines has one node. */
    uint32_t *loc_first;
    uint32_t *line_nodes;
    uint32_t location_count;
};

/* `object_names` tells functions of different binaries apart. Free with graph_frames_free. */
void graph_frames_make(struct graph_frames *f, const struct profile *p, bool object_names);
void graph_frames_free(struct graph_frames *f);

/* The printable name: address, function, file:line:column, or what there is. */
void graph_node_name(const struct graph_frames *f, uint32_t node, struct buf *out);
/* All fields, as Go prints the struct: what orders nodes of one name. */
void graph_node_fields(const struct graph_frames *f, uint32_t node, struct buf *out);

struct graph_edge {
    uint32_t src, dest;
    int64_t weight, weight_div;
    uint32_t next_in, next_out; /* of dest's and src's lists, GRAPH_NONE at the end */
    bool residual;              /* goes over nodes that were not kept */
    bool inlined;               /* dest was inlined into src, always */
    bool removed;               /* cut by weight */
};

struct graph {
    struct arena arena;
    const struct graph_frames *frames;
    int64_t *flat, *flat_div, *cum, *cum_div; /* by node */
    uint32_t *shown;
    uint32_t shown_count;
    struct graph_edge *edges;
    uint32_t edge_count;
    uint32_t *first_in, *first_out; /* by node: edges; NULL when made without edges */
};

/* Which value of a sample counts, and what divides it. */
struct graph_values {
    uint32_t index;
    bool mean; /* divided by value 0 */
};

/* Edges cost several times what nodes do. */
enum graph_edges {
    GRAPH_NO_EDGES,
    GRAPH_EDGES_TO_INLINED, /* to nodes which are inlined somewhere: all that inline marks need */
    GRAPH_ALL_EDGES,
};

struct graph_options {
    struct graph_values values;
    const uint8_t *kept;         /* by node; NULL for all */
    const struct graph *weights; /* NULL, or of the same frames and values: nodes weigh as here */
    enum graph_edges edges;
    const uint8_t *ends; /* by node; NULL, or edges count that begin or end at one of these */
    bool drop_negative;
};

/* Free with graph_free. */
void graph_make(struct graph *g, const struct profile *p, const struct graph_frames *f,
                const struct graph_options *o);
void graph_free(struct graph *g);

static inline int64_t graph_mean(int64_t value, int64_t div)
{
    return div == 0 ? value : div == -1 ? (int64_t)(0 - (uint64_t)value) : value / div;
}

static inline int64_t graph_flat(const struct graph *g, uint32_t node)
{
    return graph_mean(g->flat[node], g->flat_div[node]);
}

static inline int64_t graph_cum(const struct graph *g, uint32_t node)
{
    return graph_mean(g->cum[node], g->cum_div[node]);
}

/* The node's edges that are left, heaviest first, then by name. The array is `arena`'s. */
uint32_t *graph_edges_in(const struct graph *g, uint32_t node, struct arena *arena,
                         uint32_t *count);
uint32_t *graph_edges_out(const struct graph *g, uint32_t node, struct arena *arena,
                          uint32_t *count);

/* ---- the tree: call_tree.c ---- */

/* Sums with a node for each path from the root. `f` is changed: its nodes are those of the tree
 * from now on, a parent before its children, and loc_first and line_nodes are gone. If `leaf_of` is
 * given, it gets each sample's last node, GRAPH_NONE where the sample counts nowhere; room for all
 * samples is the caller's. Free as a graph. */
void graph_make_tree(struct graph *g, const struct profile *p, struct graph_frames *f,
                     const struct graph_options *o, uint32_t *leaf_of);
/* Takes the shown nodes that are not kept out of the tree: their callees become their callers',
 * by residual edges, or roots. */
void graph_trim_tree(struct graph *g, const uint8_t *kept);

/* ---- for drawing: drawn.c ---- */

/* How much the node says in a picture: its weight, less where one call leads in and one out. */
int64_t graph_entropy(const struct graph *g, uint32_t node);
/* The same of all nodes, in `out`; of a graph, not of a tree. */
void graph_entropies(const struct graph *g, int64_t *out);
/* Removes residual edges whose ends are connected without them. */
void graph_remove_redundant(struct graph *g);

/* ---- the choice: trim.c ---- */

struct graph_limits {
    struct graph_values values;
    bool object_names, drop_negative, by_cum;
    bool call_tree;     /* a node for each path */
    bool drawn;         /* by entropy; labels count as nodes and are in `tags` */
    bool marks_only;    /* edges only as far as inline marks need them */
    int64_t node_count; /* <= 0: no limit */
    double node_fraction, edge_fraction;
    const char *bytes_unit, *unit; /* of drawn: of the label "bytes", and the one to print it in */
    /* NULL, or whether edges from and to a node are asked for: others are left out. Not for drawn
     * graphs and trees. */
    bool (*wants_edges)(void *context, const struct graph_frames *f, uint32_t node);
    void *context;
};

struct graph_trimmed {
    struct graph_frames frames;
    struct node_tags tags; /* of a drawn graph */
    struct graph graph;    /* with edges; shown nodes in the report's order */
    uint32_t orig_count;   /* nodes before node_count cut them */
    uint32_t dropped_nodes, dropped_edges;
};

/* Free with graph_trimmed_free. */
void graph_trimmed_make(struct graph_trimmed *t, const struct profile *p,
                        const struct graph_limits *limits);
void graph_trimmed_free(struct graph_trimmed *t);

/* |v|, with Go's wrap for the smallest integer. */
static inline int64_t graph_abs(int64_t v)
{
    return v < 0 ? (int64_t)(0 - (uint64_t)v) : v;
}

/* int64(v) as Go does it on amd64: what does not fit is the smallest integer. */
static inline int64_t graph_int64(double v)
{
    return v >= -9223372036854775808.0 && v < 9223372036854775808.0 ? (int64_t)v : INT64_MIN;
}

#endif
