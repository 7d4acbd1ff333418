/* SPDX-License-Identifier: MIT
 *
 * Calls of formats that tell times and not samples: a node for each chain of locations, what it
 * was hit and what it took itself. Each that has any becomes one sample, so that a trace of
 * millions of events is no larger than its call tree. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

void call_tree_init(struct call_tree *t, struct import *im)
{
    *t = (struct call_tree){.im = im};
    map_init(&t->by_call, &im->scratch, 0);
}

uint32_t call_tree_call(struct call_tree *t, uint32_t caller, uint32_t location)
{
    uint64_t hash = hash_mix(caller, location);
    struct map_probe at = map_find(&t->by_call, hash);
    uint32_t i;
    while ((i = map_next(&t->by_call, &at)) != MAP_NONE)
        if (t->nodes[i].caller == caller && t->nodes[i].location == location)
            return i;
    if (t->count == t->cap) {
        uint32_t more = t->cap ? 2 * t->cap : 256;
        t->nodes = arena_grow(&t->im->scratch, t->nodes, t->cap * sizeof *t->nodes,
                              more * sizeof *t->nodes);
        t->cap = more;
    }
    t->nodes[t->count] = (struct call_node){.caller = caller, .location = location};
    map_put(&t->by_call, hash, t->count);
    return t->count++;
}

void call_tree_finish(struct call_tree *t, const struct call_tree_samples *as)
{
    struct import *im = t->im;
    for (uint32_t i = 0; i < t->count && !im->has_too_many; i++) {
        const struct call_node *n = &t->nodes[i];
        if (!n->hits && !n->value)
            continue;
        struct import_sample *s = import_sample(im);
        s->values[as->hits_at] = n->hits;
        s->values[as->value_at] = n->value;
        for (uint32_t depth = 0; depth < LIMIT_STACK_DEPTH_READ; depth++) {
            import_frame(im, n->location);
            if (n->caller == CALL_TREE_ROOT)
                break;
            n = &t->nodes[n->caller];
        }
        if (as->label)
            as->label(im, as->of);
    }
    /* The next tree begins anew in the same memory. */
    struct call_node *nodes = t->nodes;
    uint32_t cap = t->cap;
    call_tree_init(t, im);
    t->nodes = nodes;
    t->cap = cap;
}
