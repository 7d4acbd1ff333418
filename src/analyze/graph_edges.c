/* SPDX-License-Identifier: MIT
 *
 * Summing samples into edges. There may be millions of distinct ones, so that each frame costs a
 * look into a table larger than any cache. What is needed of an edge while summing therefore stands
 * in its slot, half a cache line, and a stack's slots are all asked for before the first is read.
 * Frames that are not kept cost one look by location, which is most of them in a trimmed graph. */
#include "analyze/graph_internal.h"

#include <string.h>

/* While summing. `number` is the edge's place in order of first use, GRAPH_NONE when free. */
struct slot {
    uint32_t src, dest;
    int64_t weight, div;
    uint32_t epoch; /* the last sample that counted here */
    uint32_t number : 30, residual : 1, called : 1;
};

enum { FIRST_SLOTS = 1024, STEPS = 64, FREE = (1u << 30) - 1 };

/* An edge of the stack that is being walked. */
struct step {
    uint32_t src, dest, hash;
    bool residual, inlined;
};

/* By location, in place of its only node: it has several lines. */
#define MANY GRAPH_NONE

struct adder {
    struct graph *g;
    const struct profile *p;
    const struct graph_frames *f;
    const uint8_t *kept, *wanted; /* by node: it counts; edges to it count. NULL for all */
    const uint8_t *ends;          /* edges count from and to these; NULL for all */
    uint32_t *node_of;            /* by location */
    uint64_t *skipped; /* by location, a bit: none of its nodes is kept. Stays in cache */
    struct arena table;
    struct slot *slots;
    uint32_t mask, count;
    int64_t weight, div;
    uint32_t epoch;
    uint32_t step_count;
    struct step steps[STEPS];
};

static uint32_t hash_pair(uint32_t src, uint32_t dest)
{
    uint64_t h = ((uint64_t)src << 32 | dest) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32);
}

static struct slot *find_slot(const struct adder *a, const struct step *s)
{
    for (uint32_t at = s->hash;; at++) {
        struct slot *slot = &a->slots[at & a->mask];
        if ((slot->src == s->src && slot->dest == s->dest) || slot->number == FREE)
            return slot;
    }
}

static struct slot *make_slots(struct adder *a, uint32_t count)
{
    a->slots = arena_array(&a->table, count, sizeof *a->slots);
    a->mask = count - 1;
    /* All bits set: no edge leads from the last node to itself, and `number` is FREE. */
    return memset(a->slots, 0xff, (size_t)count * sizeof *a->slots);
}

static void grow(struct adder *a)
{
    struct arena before = a->table;
    struct slot *old = a->slots;
    uint32_t count = a->mask + 1;
    arena_init(&a->table);
    make_slots(a, count * 2);
    for (uint32_t i = 0; i < count; i++) {
        struct step s = {old[i].src, old[i].dest, hash_pair(old[i].src, old[i].dest), false, false};
        if (old[i].number != FREE)
            *find_slot(a, &s) = old[i];
    }
    arena_free(&before);
}

static struct slot *new_edge(struct adder *a, const struct step *s)
{
    if (a->count >= a->mask / 3 * 2)
        grow(a);
    struct slot *slot = find_slot(a, s);
    *slot = (struct slot){.src = s->src, .dest = s->dest, .number = a->count++};
    return slot;
}

/* An edge counts once a sample; only the first time says whether it is inlined or residual. */
static void add_steps(struct adder *a)
{
    for (uint32_t i = 0; i < a->step_count; i++) {
        const struct step *s = &a->steps[i];
        struct slot *slot = find_slot(a, s);
        if (slot->number == FREE)
            slot = new_edge(a, s);
        if (slot->epoch == a->epoch)
            continue;
        slot->epoch = a->epoch;
        slot->weight += a->weight;
        slot->div += a->div;
        slot->residual |= s->residual;
        slot->called |= !s->inlined;
    }
    a->step_count = 0;
}

/* Where a walk from the root stands. */
struct walk {
    uint32_t parent;
    bool residual; /* frames that are not kept lie behind the parent */
};

static inline void enter(struct adder *a, struct walk *w, uint32_t node, bool inlined)
{
    uint32_t parent = w->parent;
    bool residual = w->residual;
    w->parent = node;
    w->residual = false;
    if (parent == GRAPH_NONE || parent == node || (a->wanted && !a->wanted[node]) ||
        (a->ends && !(a->ends[node] | a->ends[parent])))
        return;
    uint32_t hash = hash_pair(parent, node);
    __builtin_prefetch(&a->slots[hash & a->mask], 1);
    a->steps[a->step_count++] = (struct step){parent, node, hash, residual, inlined};
    if (a->step_count == STEPS)
        add_steps(a);
}

static void add_path(struct adder *a, uint64_t first, uint64_t last)
{
    const struct graph_frames *f = a->f;
    struct walk w = {GRAPH_NONE, false};
    for (uint64_t k = last; k > first; k--) {
        uint32_t l = a->p->loc_refs[k - 1];
        if (a->skipped[l / 64] >> l % 64 & 1) {
            w.residual = true;
            continue;
        }
        uint32_t node = a->node_of[l];
        if (node != MANY) {
            enter(a, &w, node, false);
            continue;
        }
        uint32_t begin = f->loc_first[l], end = f->loc_first[l + 1];
        for (uint32_t n = end; n > begin; n--) {
            node = f->line_nodes[n - 1];
            if (a->kept && !a->kept[node])
                w.residual = true;
            else
                enter(a, &w, node, n != end);
        }
    }
    add_steps(a);
}

static void look_up_locations(struct adder *a, struct arena *scratch)
{
    const struct graph_frames *f = a->f;
    a->node_of = arena_array(scratch, f->location_count, sizeof *a->node_of);
    a->skipped = arena_zarray(scratch, f->location_count / 64 + 1, sizeof *a->skipped);
    for (uint32_t i = 0; i < f->location_count; i++) {
        uint32_t begin = f->loc_first[i], end = f->loc_first[i + 1];
        bool kept = !a->kept;
        for (uint32_t n = begin; n < end && !kept; n++)
            kept = a->kept[f->line_nodes[n]];
        a->skipped[i / 64] |= (uint64_t)!kept << i % 64;
        a->node_of[i] = end == begin + 1 ? f->line_nodes[begin] : MANY;
    }
}

/* Nodes that are inlined somewhere: edges to others say nothing about inlining. */
static uint8_t *find_inlined(const struct graph_frames *f, struct arena *scratch)
{
    uint8_t *inlined = arena_zarray(scratch, f->node_count, 1);
    for (uint32_t i = 0; i < f->location_count; i++)
        for (uint32_t n = f->loc_first[i]; n + 1 < f->loc_first[i + 1]; n++)
            inlined[f->line_nodes[n]] = 1;
    return inlined;
}

/* From the table to the graph's arrays and lists. */
static void write_edges(const struct adder *a)
{
    struct graph *g = a->g;
    uint32_t n = a->f->node_count;
    g->edge_count = a->count;
    g->edges = arena_array(&g->arena, a->count, sizeof *g->edges);
    g->first_in = arena_array(&g->arena, n, sizeof *g->first_in);
    g->first_out = arena_array(&g->arena, n, sizeof *g->first_out);
    memset(g->first_in, 0xff, n * sizeof *g->first_in);
    memset(g->first_out, 0xff, n * sizeof *g->first_out);
    for (uint32_t i = 0; i <= a->mask; i++) {
        const struct slot *s = &a->slots[i];
        if (s->number != FREE)
            g->edges[s->number] = (struct graph_edge){.src = s->src,
                                                      .dest = s->dest,
                                                      .weight = s->weight,
                                                      .weight_div = s->div,
                                                      .residual = s->residual,
                                                      .inlined = !s->called};
    }
    for (uint32_t i = 0; i < a->count; i++) {
        struct graph_edge *e = &g->edges[i];
        e->next_in = g->first_in[e->dest];
        e->next_out = g->first_out[e->src];
        g->first_in[e->dest] = i;
        g->first_out[e->src] = i;
    }
}

void graph_sum_edges(struct graph *g, const struct profile *p, const struct graph_options *o)
{
    struct arena scratch;
    arena_init(&scratch);
    struct adder a = {.g = g, .p = p, .f = g->frames, .kept = o->kept, .ends = o->ends};
    if (o->edges == GRAPH_EDGES_TO_INLINED)
        a.wanted = find_inlined(g->frames, &scratch);
    look_up_locations(&a, &scratch);
    make_slots(&a, FIRST_SLOTS);
    uint64_t first = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        const int64_t *values = p->values + (size_t)i * p->sample_type_count;
        uint64_t last = p->sample_loc_end[i];
        a.weight = values[o->values.index];
        a.div = o->values.mean ? values[0] : 0;
        a.epoch = i + 1;
        if (a.weight || a.div)
            add_path(&a, first, last);
        first = last;
    }
    write_edges(&a);
    arena_free(&a.table);
    arena_free(&scratch);
}
