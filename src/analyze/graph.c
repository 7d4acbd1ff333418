/* SPDX-License-Identifier: MIT
 *
 * Summing samples into nodes; graph_edges.c sums edges. These are the hot loops of every graph
 * report: tens of millions of frames for a large profile. So nodes are dense numbers resolved
 * beforehand, "counted already in this sample" is a stamp in the node and not a set, what counted
 * already adds 0 instead of being branched around, and the nodes of a stack are all fetched before
 * the first is added to. */
#include "analyze/graph.h"
#include "analyze/graph_internal.h"

#include <stdlib.h>
#include <string.h>

/* What one frame touches, a quarter of a cache line. */
struct cell {
    int64_t cum;
    uint32_t epoch; /* the last sample that counted here */
};

/* The first node of a location; and where the others begin in `rest`, 0: there is no other. The
 * last of them has the bit LAST. */
struct place {
    uint32_t node, rest;
};

#define LAST 0x80000000u

enum { BATCH = 256, AHEAD = 16 }; /* frames */

struct adder {
    struct graph *g;
    const struct profile *p;
    struct cell *cells;
    struct place *places; /* by location */
    uint32_t *rest;
    uint32_t count; /* of batch */
    uint32_t batch[BATCH];
    /* of the sample: */
    int64_t weight, div;
    uint32_t epoch;
};

static void add_batch(struct adder *a, bool mean)
{
    int64_t weight = a->weight;
    uint32_t epoch = a->epoch;
    for (uint32_t i = 0; i < a->count; i++) {
        struct cell *c = &a->cells[a->batch[i]];
        bool counted = c->epoch == epoch;
        c->epoch = epoch;
        c->cum += counted ? 0 : weight;
        if (mean && !counted)
            a->g->cum_div[a->batch[i]] += a->div;
    }
    a->count = 0;
}

static inline void put(struct adder *a, uint32_t node, bool mean)
{
    __builtin_prefetch(&a->cells[node], 1);
    a->batch[a->count++] = node;
    if (a->count == BATCH)
        add_batch(a, mean);
}

static inline __attribute__((always_inline)) void
add_stack(struct adder *a, const uint32_t *refs, const uint32_t *end, bool mean)
{
    uint32_t leaf = a->places[*refs].node;
    bool ahead = a->p->loc_refs + a->p->loc_ref_count - end >= AHEAD;
    __builtin_prefetch(&a->g->flat[leaf], 1);
    for (const uint32_t *at = refs; at < end; at++) {
        if (ahead)
            __builtin_prefetch(&a->places[at[AHEAD]]);
        struct place here = a->places[*at];
        put(a, here.node, mean);
        for (const uint32_t *n = a->rest + here.rest; here.rest; n++) {
            put(a, *n & ~LAST, mean);
            if (*n & LAST)
                break;
        }
    }
    add_batch(a, mean);
    a->g->flat[leaf] += a->weight;
    if (mean)
        a->g->flat_div[leaf] += a->div;
}

static void add_samples(struct adder *a, const struct graph_values *v)
{
    const struct profile *p = a->p;
    uint64_t first = 0, last;
    for (uint32_t i = 0; i < p->sample_count; i++, first = last) {
        const int64_t *values = p->values + (size_t)i * p->sample_type_count;
        last = p->sample_loc_end[i];
        a->weight = values[v->index];
        a->div = v->mean ? values[0] : 0;
        a->epoch = i + 1;
        if (first == last || (!a->weight && !a->div))
            continue;
        if (v->mean)
            add_stack(a, p->loc_refs + first, p->loc_refs + last, true);
        else
            add_stack(a, p->loc_refs + first, p->loc_refs + last, false);
    }
}

static void place_nodes(struct adder *a, const struct graph_frames *f, struct arena *scratch)
{
    uint32_t count = 1;
    a->places = arena_array(scratch, f->location_count, sizeof *a->places);
    a->rest = arena_array(scratch, (size_t)f->loc_first[f->location_count] + 1, sizeof *a->rest);
    for (uint32_t i = 0; i < f->location_count; i++) {
        uint32_t first = f->loc_first[i], end = f->loc_first[i + 1];
        a->places[i] = (struct place){f->line_nodes[first], end > first + 1 ? count : 0};
        for (uint32_t n = first + 1; n < end; n++)
            a->rest[count++] = f->line_nodes[n] | (n + 1 == end ? LAST : 0);
    }
}

static void sum_nodes(struct graph *g, const struct profile *p, const struct graph_values *v)
{
    struct arena scratch;
    arena_init(&scratch);
    struct adder a = {.g = g, .p = p};
    a.cells = arena_zarray(&scratch, g->frames->node_count, sizeof *a.cells);
    place_nodes(&a, g->frames, &scratch);
    add_samples(&a, v);
    for (uint32_t i = 0; i < g->frames->node_count; i++)
        g->cum[i] = a.cells[i].cum;
    arena_free(&scratch);
}

/* Weights do not depend on which other nodes are kept. */
static void copy_nodes(struct graph *g, const struct graph *from)
{
    uint32_t n = g->frames->node_count;
    memcpy(g->flat, from->flat, n * sizeof *g->flat);
    memcpy(g->flat_div, from->flat_div, n * sizeof *g->flat_div);
    memcpy(g->cum, from->cum, n * sizeof *g->cum);
    memcpy(g->cum_div, from->cum_div, n * sizeof *g->cum_div);
}

static void keep_nodes(struct graph *g, const uint8_t *kept)
{
    for (uint32_t i = 0; i < g->frames->node_count; i++)
        if (!kept[i])
            g->flat[i] = g->flat_div[i] = g->cum[i] = g->cum_div[i] = 0;
}

static void show_nodes(struct graph *g, bool drop_negative)
{
    for (uint32_t i = 0; i < g->frames->node_count; i++) {
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
    uint32_t n = f->node_count;
    *g = (struct graph){.frames = f};
    g->flat = arena_zarray(&g->arena, n, sizeof *g->flat);
    g->flat_div = arena_zarray(&g->arena, n, sizeof *g->flat_div);
    g->cum = arena_zarray(&g->arena, n, sizeof *g->cum);
    g->cum_div = arena_zarray(&g->arena, n, sizeof *g->cum_div);
    g->shown = arena_array(&g->arena, n, sizeof *g->shown);
    if (o->weights)
        copy_nodes(g, o->weights);
    else
        sum_nodes(g, p, &o->values);
    if (o->kept)
        keep_nodes(g, o->kept);
    if (o->edges != GRAPH_NO_EDGES)
        graph_sum_edges(g, p, o);
    show_nodes(g, o->drop_negative);
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
