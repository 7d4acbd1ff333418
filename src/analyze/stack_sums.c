/* SPDX-License-Identifier: MIT
 *
 * Flat and cumulative sums over samples. This is the hot loop of every report: tens of millions of
 * frames for a large profile. So items are dense numbers resolved beforehand, "counted already in
 * this sample" is a stamp in the item and not a set, what counted already adds 0 instead of being
 * branched around, and the items of a stack are all fetched before the first is added to. */
#include "analyze/stack_sums.h"

/* What one frame touches, a quarter of a cache line. */
struct cell {
    int64_t cum;
    uint32_t epoch; /* the last sample that counted here */
};

/* The innermost item of a location; and where the others begin in `rest`, 0: there is no other. The
 * last of them has the bit LAST. */
struct place {
    uint32_t item, rest;
};

#define LAST 0x80000000u

enum { BATCH = 256, AHEAD = 16 }; /* frames */

struct adder {
    struct stack_sums *out;
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
            a->out->cum_div[a->batch[i]] += a->div;
    }
    a->count = 0;
}

static inline void put(struct adder *a, uint32_t item, bool mean)
{
    __builtin_prefetch(&a->cells[item], 1);
    a->batch[a->count++] = item;
    if (a->count == BATCH)
        add_batch(a, mean);
}

static inline __attribute__((always_inline)) void add_stack(struct adder *a, const uint32_t *refs,
                                                            const uint32_t *end, bool mean)
{
    uint32_t leaf = a->places[*refs].item;
    bool ahead = a->p->loc_refs + a->p->loc_ref_count - end >= AHEAD;
    __builtin_prefetch(&a->out->flat[leaf], 1);
    for (const uint32_t *at = refs; at < end; at++) {
        if (ahead)
            __builtin_prefetch(&a->places[at[AHEAD]]);
        struct place here = a->places[*at];
        put(a, here.item, mean);
        for (const uint32_t *n = a->rest + here.rest; here.rest; n++) {
            put(a, *n & ~LAST, mean);
            if (*n & LAST)
                break;
        }
    }
    add_batch(a, mean);
    a->out->flat[leaf] += a->weight;
    if (mean)
        a->out->flat_div[leaf] += a->div;
}

static void add_samples(struct adder *a, const struct stack_sums_options *o)
{
    const struct profile *p = a->p;
    uint64_t first = 0, last;
    for (uint32_t i = 0; i < p->sample_count; i++, first = last) {
        const int64_t *values = p->values + (size_t)i * p->sample_type_count;
        last = p->sample_loc_end[i];
        a->weight = values[o->type];
        a->div = o->mean ? values[0] : 0;
        a->epoch = i + 1;
        if (first == last || (!a->weight && !a->div))
            continue;
        if (o->mean)
            add_stack(a, p->loc_refs + first, p->loc_refs + last, true);
        else
            add_stack(a, p->loc_refs + first, p->loc_refs + last, false);
    }
}

static void place_items(struct adder *a, const struct stack_items *items, struct arena *scratch)
{
    uint32_t locations = a->p->location_count, count = 1;
    a->places = arena_array(scratch, locations, sizeof *a->places);
    a->rest = arena_array(scratch, (size_t)items->first[locations] + 1, sizeof *a->rest);
    for (uint32_t i = 0; i < locations; i++) {
        uint32_t first = items->first[i], end = items->first[i + 1];
        a->places[i] = (struct place){items->items[first], end > first + 1 ? count : 0};
        for (uint32_t n = first + 1; n < end; n++)
            a->rest[count++] = items->items[n] | (n + 1 == end ? LAST : 0);
    }
}

void stack_sums_add(struct stack_sums *out, const struct profile *p,
                    const struct stack_items *items, const struct stack_sums_options *o)
{
    struct arena scratch;
    arena_init(&scratch);
    struct adder a = {.out = out, .p = p};
    a.cells = arena_zarray(&scratch, items->count, sizeof *a.cells);
    place_items(&a, items, &scratch);
    add_samples(&a, o);
    for (uint32_t i = 0; i < items->count; i++)
        out->cum[i] += a.cells[i].cum;
    arena_free(&scratch);
}
