/* SPDX-License-Identifier: MIT
 *
 * Summing samples into nodes and edges. This is the hot loop of every graph report: tens of
 * millions of frames for a large profile. So nodes are dense numbers resolved beforehand, "counted
 * already in this sample" is a stamp in the node or edge and not a set, and when only node weights
 * are wanted (to decide what to keep) edges are not touched at all. */
#include "analyze/graph.h"

#include <stdlib.h>
#include <string.h>

/* What one frame touches, on one cache line. */
struct cell {
    int64_t cum, cum_div;
    uint32_t epoch; /* the last sample that counted here */
};

/* The pair stands in the slot itself: a probe reads one cache line. */
struct slot {
    uint32_t src, dest, edge; /* edge GRAPH_NONE when free */
};

struct adder {
    struct graph *g;
    const struct profile *p;
    const struct graph_frames *f;
    const uint8_t *kept;
    struct cell *cells;
    uint32_t *single; /* by location: its node when it has exactly one, else GRAPH_NONE */
    struct slot *slots; /* edges by hash */
    uint32_t slot_mask, edge_cap;
    uint32_t epoch;
    int64_t weight, div;
};

static void add_edge_slots(struct adder *a)
{
    uint32_t count = a->slots ? (a->slot_mask + 1) * 2 : 4096;
    free(a->slots);
    a->slots = malloc((size_t)count * sizeof *a->slots);
    if (!a->slots)
        abort(); /* as the arena would; this table is not in it, to be freed early */
    memset(a->slots, 0xff, (size_t)count * sizeof *a->slots);
    a->slot_mask = count - 1;
}

static uint32_t hash_pair(uint32_t src, uint32_t dest)
{
    uint64_t h = ((uint64_t)src << 32 | dest) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32);
}

static struct slot *edge_slot(const struct adder *a, uint32_t src, uint32_t dest)
{
    uint32_t at = hash_pair(src, dest) & a->slot_mask;
    for (;; at = (at + 1) & a->slot_mask) {
        struct slot *s = &a->slots[at];
        if (s->edge == GRAPH_NONE || (s->src == src && s->dest == dest))
            return s;
    }
}

static struct graph_edge *new_edge(struct adder *a, uint32_t src, uint32_t dest)
{
    struct graph *g = a->g;
    if (g->edge_count > a->slot_mask / 2) {
        add_edge_slots(a);
        for (uint32_t i = 0; i < g->edge_count; i++)
            *edge_slot(a, g->edges[i].src, g->edges[i].dest) =
                (struct slot){g->edges[i].src, g->edges[i].dest, i};
    }
    if (g->edge_count == a->edge_cap) {
        uint32_t cap = a->edge_cap ? a->edge_cap * 2 : 1024;
        g->edges = arena_grow(&g->arena, g->edges, (size_t)a->edge_cap * sizeof *g->edges,
                              (size_t)cap * sizeof *g->edges);
        a->edge_cap = cap;
    }
    uint32_t e = g->edge_count++;
    *edge_slot(a, src, dest) = (struct slot){src, dest, e};
    g->edges[e] = (struct graph_edge){
        .src = src,
        .dest = dest,
        .next_in = g->first_in[dest],
        .next_out = g->first_out[src],
        .inlined = true,
    };
    g->first_in[dest] = e;
    g->first_out[src] = e;
    return &g->edges[e];
}

/* An edge counts once a sample; only the first time says whether it is inlined or residual. */
static void add_edge(struct adder *a, uint32_t src, uint32_t dest, bool residual, bool inlined)
{
    uint32_t found = edge_slot(a, src, dest)->edge;
    struct graph_edge *e = found == GRAPH_NONE ? new_edge(a, src, dest) : &a->g->edges[found];
    if (e->epoch == a->epoch)
        return;
    e->epoch = a->epoch;
    e->weight += a->weight;
    e->weight_div += a->div;
    e->residual |= residual;
    e->inlined &= inlined;
}

static inline void add_cum(struct adder *a, uint32_t node)
{
    struct cell *c = &a->cells[node];
    if (c->epoch == a->epoch)
        return;
    c->epoch = a->epoch;
    c->cum += a->weight;
    c->cum_div += a->div;
}

static void add_flat(struct adder *a, uint32_t node)
{
    a->g->flat[node] += a->weight;
    a->g->flat_div[node] += a->div;
}

/* Nodes only, all kept. */
static void add_stack(struct adder *a, uint64_t first, uint64_t last)
{
    const struct graph_frames *f = a->f;
    if (first == last)
        return;
    for (uint64_t k = first; k < last; k++) {
        uint32_t l = a->p->loc_refs[k], node = a->single[l];
        if (node != GRAPH_NONE) {
            add_cum(a, node);
            continue;
        }
        for (uint32_t n = f->loc_first[l]; n < f->loc_first[l + 1]; n++)
            add_cum(a, f->line_nodes[n]);
    }
    add_flat(a, f->line_nodes[f->loc_first[a->p->loc_refs[first]]]);
}

/* Nodes and edges from the root to the leaf; frames that are not kept leave a residual edge. */
static void add_path(struct adder *a, uint64_t first, uint64_t last)
{
    const struct graph_frames *f = a->f;
    uint32_t parent = GRAPH_NONE;
    bool residual = false;
    for (uint64_t k = last; k > first; k--) {
        uint32_t l = a->p->loc_refs[k - 1];
        uint32_t begin = f->loc_first[l], end = f->loc_first[l + 1];
        for (uint32_t n = end; n > begin; n--) {
            uint32_t node = f->line_nodes[n - 1];
            if (a->kept && !a->kept[node]) {
                residual = true;
                continue;
            }
            add_cum(a, node);
            if (parent != GRAPH_NONE && parent != node)
                add_edge(a, parent, node, residual, n != end);
            parent = node;
            residual = false;
        }
    }
    if (parent != GRAPH_NONE && !residual)
        add_flat(a, parent);
}

static void begin_graph(struct adder *a, struct graph *g, const struct graph_options *o)
{
    uint32_t n = a->f->node_count;
    g->flat = arena_zarray(&g->arena, n, sizeof *g->flat);
    g->flat_div = arena_zarray(&g->arena, n, sizeof *g->flat_div);
    g->cum = arena_zarray(&g->arena, n, sizeof *g->cum);
    g->cum_div = arena_zarray(&g->arena, n, sizeof *g->cum_div);
    g->shown = arena_array(&g->arena, n, sizeof *g->shown);
    a->cells = arena_zarray(&g->arena, n, sizeof *a->cells);
    if (o->edges) {
        g->first_in = arena_array(&g->arena, n, sizeof *g->first_in);
        g->first_out = arena_array(&g->arena, n, sizeof *g->first_out);
        memset(g->first_in, 0xff, n * sizeof *g->first_in);
        memset(g->first_out, 0xff, n * sizeof *g->first_out);
        add_edge_slots(a);
        return;
    }
    a->single = arena_array(&g->arena, a->f->location_count, sizeof *a->single);
    for (uint32_t i = 0; i < a->f->location_count; i++) {
        uint32_t first = a->f->loc_first[i];
        a->single[i] = a->f->loc_first[i + 1] == first + 1 ? a->f->line_nodes[first] : GRAPH_NONE;
    }
}

static void show_nodes(struct graph *g, const struct cell *cells, bool drop_negative)
{
    for (uint32_t i = 0; i < g->frames->node_count; i++) {
        g->cum[i] = cells[i].cum;
        g->cum_div[i] = cells[i].cum_div;
        if (!g->cum[i] && !g->flat[i])
            continue;
        if (drop_negative && (g->flat[i] < 0 || (!g->flat[i] && g->cum[i] < 0)))
            continue;
        g->shown[g->shown_count++] = i;
    }
}

void graph_make(struct graph *g, const struct profile *p, const struct graph_frames *f,
                const struct graph_options *o)
{
    *g = (struct graph){.frames = f};
    struct adder a = {.g = g, .p = p, .f = f, .kept = o->kept};
    begin_graph(&a, g, o);
    uint64_t first = 0;
    uint32_t types = p->sample_type_count;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t last = p->sample_loc_end[i];
        a.weight = p->values[(size_t)i * types + o->values.index];
        a.div = o->values.mean ? p->values[(size_t)i * types] : 0;
        a.epoch = i + 1;
        if (a.weight || a.div) {
            if (o->edges)
                add_path(&a, first, last);
            else
                add_stack(&a, first, last);
        }
        first = last;
    }
    free(a.slots);
    show_nodes(g, a.cells, o->drop_negative);
}

void graph_free(struct graph *g)
{
    arena_free(&g->arena);
}

/* ---- edges in order ---- */

struct edge_key {
    int64_t weight;
    struct names_item name;
    uint32_t edge;
};

static int by_weight(const void *a, const void *b)
{
    const struct edge_key *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    uint32_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = memcmp(x->name.ptr, y->name.ptr, n);
    if (order)
        return order;
    if (x->name.len != y->name.len)
        return x->name.len < y->name.len ? -1 : 1;
    return x->edge < y->edge ? -1 : 1;
}

static uint32_t *sorted_edges(const struct graph *g, uint32_t first, bool in, struct arena *arena,
                              uint32_t *count)
{
    *count = 0;
    for (uint32_t e = first; e != GRAPH_NONE; e = in ? g->edges[e].next_in : g->edges[e].next_out)
        *count += !g->edges[e].removed;
    struct edge_key *keys = arena_array(arena, *count, sizeof *keys);
    uint32_t *out = arena_array(arena, *count, sizeof *out), n = 0;
    for (uint32_t e = first; e != GRAPH_NONE; e = in ? g->edges[e].next_in : g->edges[e].next_out) {
        if (g->edges[e].removed)
            continue;
        struct buf name;
        buf_init(&name, arena);
        graph_node_name(g->frames, in ? g->edges[e].src : g->edges[e].dest, &name);
        keys[n++] = (struct edge_key){
            graph_abs(g->edges[e].weight), {name.data, (uint32_t)name.len}, e};
    }
    qsort(keys, n, sizeof *keys, by_weight);
    for (uint32_t i = 0; i < n; i++)
        out[i] = keys[i].edge;
    return out;
}

uint32_t *graph_edges_in(const struct graph *g, uint32_t node, struct arena *arena, uint32_t *count)
{
    return sorted_edges(g, g->first_in[node], true, arena, count);
}

uint32_t *graph_edges_out(const struct graph *g, uint32_t node, struct arena *arena,
                          uint32_t *count)
{
    return sorted_edges(g, g->first_out[node], false, arena, count);
}
