/* SPDX-License-Identifier: MIT
 *
 * What is particular to graphs that are drawn (google/pprof internal/graph/graph.go): an order that
 * prefers nodes where calls meet or part, and fewer dotted edges. */
#include "analyze/graph.h"

#include <math.h>
#include <string.h>

/* log2 in the steps of Go's math.Log2, so that scores fall on the same side when truncated. */
static double log2_of(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent);
    if (fraction == 0.5)
        return exponent - 1;
    return log(fraction) * (1 / M_LN2) + exponent;
}

static double term(int64_t weight, int64_t total)
{
    double fraction = (double)weight / (double)total;
    return -fraction * log2_of(fraction);
}

struct spread {
    bool any;
    double score;
};

/* The entropy of a node's edges: how evenly weight is spread over them and `self`. */
static struct spread edge_entropy(const struct graph *g, uint32_t first, bool in, int64_t self)
{
    struct spread s = {0};
    int64_t total = self;
    for (uint32_t e = first; e != GRAPH_NONE; e = in ? g->edges[e].next_in : g->edges[e].next_out) {
        if (g->edges[e].removed)
            continue;
        s.any = true;
        if (g->edges[e].weight > 0)
            total += g->edges[e].weight;
    }
    if (!total)
        return s;
    for (uint32_t e = first; e != GRAPH_NONE; e = in ? g->edges[e].next_in : g->edges[e].next_out)
        if (!g->edges[e].removed)
            s.score += term(graph_abs(g->edges[e].weight), total);
    if (self > 0)
        s.score += term(self, total);
    return s;
}

static int64_t entropy_of(const struct graph *g, uint32_t node, struct spread in, struct spread out)
{
    double score = 0;
    score += in.any ? in.score : 1; /* where the program begins */
    score += out.any ? out.score : 1;
    return graph_int64(score * (double)g->cum[node]) + g->flat[node];
}

int64_t graph_entropy(const struct graph *g, uint32_t node)
{
    return entropy_of(g, node, edge_entropy(g, g->first_in[node], true, 0),
                      edge_entropy(g, g->first_out[node], false, g->flat[node]));
}

/* graph_entropy of all nodes, for a graph whose edges are all there. They are walked as they lie,
 * three times, because the lists of a large graph lead all over memory; and from the last to the
 * first, as the lists do, so that the sums are the same to the last bit. */
void graph_entropies(const struct graph *g, int64_t *out)
{
    struct arena scratch;
    arena_init(&scratch);
    uint32_t n = g->frames->node_count;
    struct spread *in = arena_zarray(&scratch, n, sizeof *in);
    struct spread *to = arena_zarray(&scratch, n, sizeof *to);
    int64_t *in_total = arena_zarray(&scratch, n, sizeof *in_total);
    int64_t *out_total = arena_array(&scratch, n, sizeof *out_total);
    memcpy(out_total, g->flat, n * sizeof *out_total);
    for (uint32_t i = g->edge_count; i-- > 0;) {
        const struct graph_edge *e = &g->edges[i];
        if (e->removed)
            continue;
        in[e->dest].any = to[e->src].any = true;
        in_total[e->dest] += e->weight > 0 ? e->weight : 0;
        out_total[e->src] += e->weight > 0 ? e->weight : 0;
    }
    for (uint32_t i = g->edge_count; i-- > 0;) {
        const struct graph_edge *e = &g->edges[i];
        if (e->removed)
            continue;
        if (in_total[e->dest])
            in[e->dest].score += term(graph_abs(e->weight), in_total[e->dest]);
        if (out_total[e->src])
            to[e->src].score += term(graph_abs(e->weight), out_total[e->src]);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (g->flat[i] > 0 && out_total[i])
            to[i].score += term(g->flat[i], out_total[i]);
        out[i] = entropy_of(g, i, in[i], to[i]);
    }
    arena_free(&scratch);
}

struct search {
    struct graph *g;
    uint32_t *seen; /* by node: the number of the search that saw it */
    uint32_t *queue;
    uint32_t number;
};

/* Whether the edge's source reaches its destination by another way. */
static bool is_redundant(struct search *s, uint32_t edge)
{
    const struct graph *g = s->g;
    uint32_t head = 0, tail = 0, src = g->edges[edge].src;
    s->number++;
    s->seen[g->edges[edge].dest] = s->number;
    s->queue[tail++] = g->edges[edge].dest;
    while (head < tail) {
        uint32_t node = s->queue[head++];
        for (uint32_t e = g->first_in[node]; e != GRAPH_NONE; e = g->edges[e].next_in) {
            uint32_t from = g->edges[e].src;
            if (g->edges[e].removed || e == edge || s->seen[from] == s->number)
                continue;
            if (from == src)
                return true;
            s->seen[from] = s->number;
            s->queue[tail++] = from;
        }
    }
    return false;
}

static bool has_residual(const struct graph *g, uint32_t node)
{
    for (uint32_t e = g->first_in[node]; e != GRAPH_NONE; e = g->edges[e].next_in)
        if (!g->edges[e].removed && g->edges[e].residual)
            return true;
    return false;
}

void graph_remove_redundant(struct graph *g)
{
    struct arena scratch;
    arena_init(&scratch);
    struct search s = {.g = g};
    s.seen = arena_zarray(&scratch, g->frames->node_count, sizeof *s.seen);
    s.queue = arena_array(&scratch, (size_t)g->frames->node_count + 1, sizeof *s.queue);
    for (uint32_t i = g->shown_count; i > 0; i--) {
        if (!has_residual(g, g->shown[i - 1]))
            continue;
        uint32_t count, *in = graph_edges_in(g, g->shown[i - 1], &scratch, &count);
        /* The lightest first, up to the first that is a call of its own: a heavier residual edge
         * that went would mislead. */
        for (; count && g->edges[in[count - 1]].residual; count--)
            if (is_redundant(&s, in[count - 1]))
                g->edges[in[count - 1]].removed = true;
    }
    arena_free(&scratch);
}
