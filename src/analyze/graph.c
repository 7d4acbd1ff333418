/* SPDX-License-Identifier: MIT
 *
 * A graph's nodes and their edges in order. Summing is stack_sums.c, for nodes, and graph_edges.c.
 */
#include "analyze/graph.h"
#include "analyze/graph_internal.h"
#include "analyze/stack_sums.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

static void sum_nodes(struct graph *g, const struct profile *p, const struct graph_values *v)
{
    const struct graph_frames *f = g->frames;
    struct stack_sums out = {g->flat, g->cum, g->flat_div, g->cum_div};
    stack_sums_add(&out, p, &(struct stack_items){f->loc_first, f->line_nodes, f->node_count},
                   &(struct stack_sums_options){v->index, v->mean});
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
        keys[n++] =
            (struct edge_key){graph_abs(g->edges[e].weight), {name.data, (uint32_t)name.len}, e};
    }
    sort_list(keys, n, sizeof *keys, by_weight);
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
