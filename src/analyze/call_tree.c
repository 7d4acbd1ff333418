/* SPDX-License-Identifier: MIT
 *
 * The graph as a forest, a node for each path from the root (google/pprof internal/graph, newTree
 * and TrimTree). A node is the pair of its parent and its frame; parents are numbered before their
 * children, which makes taking nodes out one pass. */
#include "analyze/graph.h"

#include "analyze/pair_index.h"

#include <string.h>

/* What is summed for a node, and for the edge into it. */
struct cell {
    int64_t flat, flat_div, cum, cum_div;
    bool called; /* not inlined, at least once */
};

struct planter {
    const struct profile *p;
    const struct graph_frames *f;
    struct arena scratch;
    struct pair_index nodes; /* (parent + 1, frame's node) */
    struct cell *cells;
    uint32_t cell_cap;
    int64_t weight, div;
};

static struct cell *cell_of(struct planter *t, uint32_t node)
{
    if (node >= t->cell_cap) {
        uint32_t cap = t->cell_cap ? t->cell_cap * 2 : 4096;
        t->cells = arena_grow(&t->scratch, t->cells, t->cell_cap * sizeof *t->cells,
                              (size_t)cap * sizeof *t->cells);
        memset(t->cells + t->cell_cap, 0, (cap - t->cell_cap) * sizeof *t->cells);
        t->cell_cap = cap;
    }
    return &t->cells[node];
}

/* The stack's nodes from the root; the last one, or GRAPH_NONE. */
static uint32_t add_path(struct planter *t, uint64_t first, uint64_t last)
{
    uint32_t node = GRAPH_NONE;
    for (uint64_t k = last; k > first; k--) {
        uint32_t l = t->p->loc_refs[k - 1];
        uint32_t begin = t->f->loc_first[l], end = t->f->loc_first[l + 1];
        for (uint32_t n = end; n > begin; n--) {
            uint32_t next = pair_index_put(&t->nodes, node + 1, t->f->line_nodes[n - 1]);
            if (next == GRAPH_NONE)
                return node; /* 2^30 paths: no picture of them could be looked at */
            struct cell *c = cell_of(t, next);
            c->cum += t->weight;
            c->cum_div += t->div;
            c->called |= n == end;
            node = next;
        }
    }
    if (node != GRAPH_NONE) {
        t->cells[node].flat += t->weight;
        t->cells[node].flat_div += t->div;
    }
    return node;
}

static void add_samples(struct planter *t, const struct graph_values *v, uint32_t *leaf_of)
{
    const struct profile *p = t->p;
    uint64_t first = 0;
    uint32_t types = p->sample_type_count;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t last = p->sample_loc_end[i];
        t->weight = p->values[(size_t)i * types + v->index];
        t->div = v->mean ? p->values[(size_t)i * types] : 0;
        uint32_t leaf = t->weight || t->div ? add_path(t, first, last) : GRAPH_NONE;
        if (leaf_of)
            leaf_of[i] = leaf;
        first = last;
    }
}

/* The lists of edges by node, of those that are there. */
static void link_edges(struct graph *g)
{
    uint32_t n = g->frames->node_count;
    memset(g->first_in, 0xff, n * sizeof *g->first_in);
    memset(g->first_out, 0xff, n * sizeof *g->first_out);
    for (uint32_t i = 0; i < g->edge_count; i++) {
        struct graph_edge *e = &g->edges[i];
        if (e->removed)
            continue;
        e->next_in = GRAPH_NONE;
        e->next_out = g->first_out[e->src];
        g->first_in[e->dest] = i;
        g->first_out[e->src] = i;
    }
}

static void make_nodes(struct graph *g, struct planter *t, bool drop_negative)
{
    uint32_t n = t->nodes.count;
    g->flat = arena_array(&g->arena, n, sizeof *g->flat);
    g->flat_div = arena_array(&g->arena, n, sizeof *g->flat_div);
    g->cum = arena_array(&g->arena, n, sizeof *g->cum);
    g->cum_div = arena_array(&g->arena, n, sizeof *g->cum_div);
    g->shown = arena_array(&g->arena, n, sizeof *g->shown);
    g->edges = arena_array(&g->arena, n, sizeof *g->edges);
    g->first_in = arena_array(&g->arena, n, sizeof *g->first_in);
    g->first_out = arena_array(&g->arena, n, sizeof *g->first_out);
    for (uint32_t i = 0; i < n; i++) {
        const struct cell *c = &t->cells[i];
        g->flat[i] = c->flat;
        g->flat_div[i] = c->flat_div;
        g->cum[i] = c->cum;
        g->cum_div[i] = c->cum_div;
        if (t->nodes.pairs[i].a)
            g->edges[g->edge_count++] = (struct graph_edge){
                .src = t->nodes.pairs[i].a - 1,
                .dest = i,
                .weight = c->cum,
                .weight_div = c->cum_div,
                .inlined = !c->called,
            };
        bool negative = c->flat < 0 || (!c->flat && c->cum < 0);
        if ((c->cum || c->flat) && !(drop_negative && negative))
            g->shown[g->shown_count++] = i;
    }
}

void graph_make_tree(struct graph *g, const struct profile *p, struct graph_frames *f,
                     const struct graph_options *o, uint32_t *leaf_of)
{
    *g = (struct graph){.frames = f};
    struct planter t = {.p = p, .f = f};
    arena_init(&t.scratch);
    pair_index_init(&t.nodes, &t.scratch);
    add_samples(&t, &o->values, leaf_of);
    make_nodes(g, &t, o->drop_negative);
    struct graph_info *infos = arena_array(&f->arena, t.nodes.count, sizeof *infos);
    for (uint32_t i = 0; i < t.nodes.count; i++)
        infos[i] = f->infos[t.nodes.pairs[i].b];
    f->infos = infos;
    f->node_count = t.nodes.count;
    f->loc_first = f->line_nodes = NULL;
    link_edges(g);
    arena_free(&t.scratch);
}

void graph_trim_tree(struct graph *g, const uint8_t *kept)
{
    struct arena scratch;
    arena_init(&scratch);
    uint8_t *gone = arena_zarray(&scratch, g->frames->node_count, 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        if (kept[g->shown[i]])
            g->shown[count++] = g->shown[i];
        else
            gone[g->shown[i]] = 1;
    }
    g->shown_count = count;
    /* Edges stand in the order of their callees, so a caller's own edge is settled before. */
    for (uint32_t i = 0; i < g->edge_count; i++) {
        struct graph_edge *e = &g->edges[i];
        if (e->removed || !gone[e->src])
            continue;
        uint32_t above = g->first_in[e->src];
        e->removed = above == GRAPH_NONE || g->edges[above].removed;
        if (e->removed)
            continue;
        e->src = g->edges[above].src;
        e->residual = true;
        e->inlined &= g->edges[above].inlined;
    }
    for (uint32_t i = 0; i < g->edge_count; i++)
        g->edges[i].removed |= gone[g->edges[i].dest];
    link_edges(g);
    arena_free(&scratch);
}
