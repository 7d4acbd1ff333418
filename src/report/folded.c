/* SPDX-License-Identifier: MIT
 *
 * folded: one line a stack, root first, frames joined by ";", then a blank and the value: what
 * flame graph tools read. This report is ours; pprof has none like it.
 *
 * Frames are pprof's node names, inlined ones as frames of their own; ";" and control characters
 * in names become "_", because the format has no escapes. Equal stacks are one line. Lines are
 * sorted by their frames' names from the root on. Values are whole numbers in the unit of the
 * sample type; stacks whose values add up to 0 are left out, as are samples without frames. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define NONE UINT32_MAX

struct stack {
    size_t first; /* in frames: ranks of names, root first */
    uint32_t depth;
    int64_t value, div;
};

struct folder {
    struct arena arena;
    const struct graph_frames *f;
    struct names_item *names; /* by rank */
    uint32_t *rank_of_node;
    uint32_t *frames; /* of all distinct stacks */
    size_t frame_count, frame_cap;
    struct stack *stacks;
    uint32_t stack_count, stack_cap;
    uint32_t *slots;
    uint32_t slot_mask;
};

static struct names_item clean_name(struct folder *d, uint32_t node)
{
    struct buf name;
    buf_init(&name, &d->arena);
    graph_node_name(d->f, node, &name);
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == ';' || (unsigned char)name.data[i] < ' ')
            name.data[i] = '_';
    return (struct names_item){name.data ? name.data : "", (uint32_t)name.len};
}

static int by_name(const void *a, const void *b, void *names)
{
    const struct names_item *items = names;
    const struct names_item *x = &items[*(const uint32_t *)a], *y = &items[*(const uint32_t *)b];
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Numbers names by their order, so that stacks compare as numbers. Nodes of one name share one. */
static void rank_names(struct folder *d)
{
    struct names known;
    names_init(&known, &d->arena);
    d->rank_of_node = arena_array(&d->arena, d->f->node_count, sizeof *d->rank_of_node);
    for (uint32_t i = 0; i < d->f->node_count; i++) {
        struct names_item name = clean_name(d, i);
        d->rank_of_node[i] = names_intern(&known, name.ptr, name.len);
    }
    uint32_t *order = arena_array(&d->arena, known.count, sizeof *order);
    uint32_t *rank = arena_array(&d->arena, known.count, sizeof *rank);
    for (uint32_t i = 0; i < known.count; i++)
        order[i] = i;
    qsort_r(order, known.count, sizeof *order, by_name, known.items);
    d->names = arena_array(&d->arena, known.count, sizeof *d->names);
    for (uint32_t i = 0; i < known.count; i++) {
        rank[order[i]] = i;
        d->names[i] = known.items[order[i]];
    }
    for (uint32_t i = 0; i < d->f->node_count; i++)
        d->rank_of_node[i] = rank[d->rank_of_node[i]];
}

static uint32_t *find_slot(const struct folder *d, const uint32_t *frames, uint32_t depth)
{
    uint32_t at = (uint32_t)XXH3_64bits(frames, depth * sizeof *frames) & d->slot_mask;
    for (;; at = (at + 1) & d->slot_mask) {
        uint32_t s = d->slots[at];
        if (s == NONE || (d->stacks[s].depth == depth &&
                          !memcmp(d->frames + d->stacks[s].first, frames, depth * sizeof *frames)))
            return &d->slots[at];
    }
}

static void grow_slots(struct folder *d)
{
    uint32_t count = d->slots ? (d->slot_mask + 1) * 2 : 4096;
    d->slots = arena_array(&d->arena, count, sizeof *d->slots);
    memset(d->slots, 0xff, (size_t)count * sizeof *d->slots);
    d->slot_mask = count - 1;
    for (uint32_t i = 0; i < d->stack_count; i++)
        *find_slot(d, d->frames + d->stacks[i].first, d->stacks[i].depth) = i;
}

/* The stack whose frames were just appended behind frame_count: the known one, or a new one, which
 * then keeps them. */
static struct stack *intern_stack(struct folder *d, uint32_t depth)
{
    uint32_t *slot = find_slot(d, d->frames + d->frame_count, depth);
    if (*slot != NONE)
        return &d->stacks[*slot];
    if (d->stack_count == d->stack_cap) {
        uint32_t cap = d->stack_cap ? d->stack_cap * 2 : 1024;
        d->stacks = arena_grow(&d->arena, d->stacks, (size_t)d->stack_cap * sizeof *d->stacks,
                               (size_t)cap * sizeof *d->stacks);
        d->stack_cap = cap;
    }
    *slot = d->stack_count;
    d->stacks[d->stack_count++] = (struct stack){.first = d->frame_count, .depth = depth};
    d->frame_count += depth;
    struct stack *s = &d->stacks[d->stack_count - 1];
    if (d->stack_count > d->slot_mask / 2)
        grow_slots(d);
    return s;
}

/* Appends the sample's frames, root first, behind frame_count; how many. */
static uint32_t unfold(struct folder *d, const struct profile *p, uint64_t first, uint64_t last)
{
    size_t need = d->frame_count;
    for (uint64_t k = first; k < last; k++)
        need += d->f->loc_first[p->loc_refs[k] + 1] - d->f->loc_first[p->loc_refs[k]];
    if (need > d->frame_cap) {
        size_t cap = need * 2 + 1024;
        d->frames = arena_grow(&d->arena, d->frames, d->frame_cap * sizeof *d->frames,
                               cap * sizeof *d->frames);
        d->frame_cap = cap;
    }
    size_t at = d->frame_count;
    for (uint64_t k = last; k > first; k--) {
        uint32_t begin = d->f->loc_first[p->loc_refs[k - 1]];
        for (uint32_t n = d->f->loc_first[p->loc_refs[k - 1] + 1]; n > begin; n--)
            d->frames[at++] = d->rank_of_node[d->f->line_nodes[n - 1]];
    }
    return (uint32_t)(at - d->frame_count);
}

static int by_frames(const void *a, const void *b, void *frames)
{
    const struct stack *x = a, *y = b;
    const uint32_t *base = frames, *s = base + x->first, *t = base + y->first;
    uint32_t n = x->depth < y->depth ? x->depth : y->depth;
    for (uint32_t i = 0; i < n; i++)
        if (s[i] != t[i])
            return s[i] < t[i] ? -1 : 1;
    return (x->depth > y->depth) - (x->depth < y->depth);
}

static void print_stack(const struct folder *d, const struct report *r, struct out *out,
                        const struct stack *s)
{
    int64_t value = graph_mean(s->value, s->div);
    if (r->o.ratio > 0 && r->o.ratio != 1)
        value = graph_int64((double)value * r->o.ratio);
    if (!value)
        return;
    for (uint32_t i = 0; i < s->depth; i++) {
        struct names_item name = d->names[d->frames[s->first + i]];
        if (i)
            out_putc(out, ';');
        out_write(out, name.ptr, name.len);
    }
    out_putc(out, ' ');
    out_int(out, value, 0);
    out_putc(out, '\n');
}

int report_folded(struct report *r, struct out *out, struct err *e)
{
    const struct profile *p = r->p;
    struct graph_frames frames;
    graph_frames_make(&frames, p, false);
    struct folder d = {.f = &frames};
    rank_names(&d);
    grow_slots(&d);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        const int64_t *values = p->values + (size_t)i * p->sample_type_count;
        uint64_t first = profile_loc_first(p, i), last = p->sample_loc_end[i];
        int64_t div = r->o.values.mean ? values[0] : 0;
        if (first == last || (!values[r->o.values.index] && !div))
            continue;
        struct stack *s = intern_stack(&d, unfold(&d, p, first, last));
        s->value += values[r->o.values.index];
        s->div += div;
    }
    if (d.stack_count > 1)
        qsort_r(d.stacks, d.stack_count, sizeof *d.stacks, by_frames, d.frames);
    for (uint32_t i = 0; i < d.stack_count; i++)
        print_stack(&d, r, out, &d.stacks[i]);
    arena_free(&d.arena);
    graph_frames_free(&frames);
    return 0;
}
