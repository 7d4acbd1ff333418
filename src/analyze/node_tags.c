/* SPDX-License-Identifier: MIT
 *
 * Sums of labels by node. Weights do not depend on which nodes are kept, so they are summed once,
 * after the light nodes went. Samples without labels cost nothing. */
#include "analyze/node_tags.h"

#include "analyze/graph.h"
#include "analyze/unit.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

struct number {
    uint32_t name;
    int64_t value;
};

struct adder {
    struct node_tags *t;
    const struct profile *p;
    const struct node_tags_paths *paths;
    struct map index;  /* tags by (node, labels, name) */
    uint32_t *epoch;   /* by node of a graph: the last sample that counted */
    struct buf *pairs; /* scratch: "key:value" */
    struct buf joined;
    uint32_t pair_cap;
    struct number *numbers;
    uint32_t number_count, number_cap;
    uint32_t labels;
    int64_t weight, div;
};

static uint32_t intern(struct adder *a, const char *s, size_t len)
{
    uint32_t found = names_find(&a->t->texts, s, len);
    if (found != UINT32_MAX)
        return found;
    return names_intern(&a->t->texts, arena_strndup(&a->t->arena, s, len), len);
}

static int by_text(const void *a, const void *b)
{
    const struct buf *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = n ? memcmp(x->data, y->data, n) : 0;
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void read_text(struct adder *a, struct buf *out, const struct profile_label *l)
{
    struct profile_str key = a->p->strings[l->key], value = a->p->strings[l->str];
    out->len = 0;
    buf_append(out, key.ptr, key.len);
    buf_putc(out, ':');
    buf_append(out, value.ptr, value.len);
}

static void read_number(struct adder *a, int64_t value)
{
    if (a->number_count == a->number_cap) {
        uint32_t cap = a->number_cap ? a->number_cap * 2 : 8;
        a->numbers = arena_grow(&a->t->arena, a->numbers, a->number_cap * sizeof *a->numbers,
                                cap * sizeof *a->numbers);
        a->number_cap = cap;
    }
    a->joined.len = 0;
    unit_label(&a->joined, value, a->t->unit, a->paths->unit);
    a->numbers[a->number_count++] =
        (struct number){intern(a, a->joined.data, a->joined.len), value};
}

static struct buf *pair_at(struct adder *a, uint32_t i)
{
    if (i == a->pair_cap) {
        uint32_t cap = a->pair_cap ? a->pair_cap * 2 : 8;
        a->pairs = arena_grow(&a->t->arena, a->pairs, a->pair_cap * sizeof *a->pairs,
                              cap * sizeof *a->pairs);
        for (uint32_t k = a->pair_cap; k < cap; k++)
            buf_init(&a->pairs[k], &a->t->arena);
        a->pair_cap = cap;
    }
    return &a->pairs[i];
}

/* The sample's labels, joined, and its numbers; false when it has none. The mark of a base's
 * samples (-diff_base) is not shown. */
static bool read_labels(struct adder *a, uint32_t sample)
{
    const struct profile *p = a->p;
    uint32_t count = 0;
    a->number_count = 0;
    for (uint64_t k = profile_label_first(p, sample); k < p->sample_label_end[sample]; k++) {
        const struct profile_label *l = &p->labels[k];
        if (!l->str && profile_str_is(p->strings[l->key], "bytes"))
            read_number(a, l->num);
        else if (l->str && !profile_str_is(p->strings[l->key], "pprof::base"))
            read_text(a, pair_at(a, count++), l);
    }
    sort_list(a->pairs, count, sizeof *a->pairs, by_text);
    a->joined.len = 0;
    for (uint32_t i = 0; i < count; i++) {
        buf_puts(&a->joined, i ? "\\n" : ""); /* the two characters: dot breaks lines there */
        buf_append(&a->joined, a->pairs[i].data, a->pairs[i].len);
    }
    a->labels = count ? intern(a, a->joined.data, a->joined.len) : 0;
    return count || a->number_count;
}

static struct node_tag *tag_of(struct adder *a, uint32_t node, uint32_t name, int64_t value)
{
    struct node_tags *t = a->t;
    uint64_t hash = hash_mix(hash_mix(0, (uint64_t)node << 32 | a->labels), name);
    struct map_probe at = map_find(&a->index, hash);
    uint32_t i;
    while ((i = map_next(&a->index, &at)) != MAP_NONE) {
        struct node_tag *tag = &t->tags[i];
        if (tag->node == node && tag->labels == a->labels && tag->name == name)
            return tag;
    }
    if (t->count == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 256;
        t->tags =
            arena_grow(&t->arena, t->tags, t->cap * sizeof *t->tags, (size_t)cap * sizeof *t->tags);
        t->cap = cap;
    }
    map_put(&a->index, hash, t->count);
    t->tags[t->count] = (struct node_tag){
        .node = node, .next = t->first[node], .labels = a->labels, .name = name, .value = value};
    t->first[node] = t->count;
    return &t->tags[t->count++];
}

static void add_weight(struct adder *a, struct node_tag *tag, bool flat)
{
    if (flat) {
        tag->flat += a->weight;
        tag->flat_div += a->div;
    } else {
        tag->cum += a->weight;
        tag->cum_div += a->div;
    }
}

static void add_node(struct adder *a, uint32_t node, bool flat)
{
    if (a->labels)
        add_weight(a, tag_of(a, node, NODE_TAG_NONE, 0), flat);
    for (uint32_t i = 0; i < a->number_count; i++)
        add_weight(a, tag_of(a, node, a->numbers[i].name, a->numbers[i].value), flat);
}

static void add_stack(struct adder *a, uint32_t sample)
{
    const struct graph_frames *f = a->paths->frames;
    uint64_t first = profile_loc_first(a->p, sample), last = a->p->sample_loc_end[sample];
    for (uint64_t k = first; k < last; k++) {
        uint32_t l = a->p->loc_refs[k];
        for (uint32_t n = f->loc_first[l]; n < f->loc_first[l + 1]; n++) {
            uint32_t node = f->line_nodes[n];
            if (a->epoch[node] == sample + 1 || (a->paths->kept && !a->paths->kept[node]))
                continue;
            a->epoch[node] = sample + 1;
            add_node(a, node, false);
        }
    }
    if (first == last)
        return;
    uint32_t leaf = f->line_nodes[f->loc_first[a->p->loc_refs[first]]];
    if (!a->paths->kept || a->paths->kept[leaf])
        add_node(a, leaf, true);
}

static void add_branch(struct adder *a, uint32_t leaf)
{
    if (leaf == GRAPH_NONE)
        return;
    for (uint32_t node = leaf; node != GRAPH_NONE; node = a->paths->parent[node])
        add_node(a, node, false);
    add_node(a, leaf, true);
}

void node_tags_make(struct node_tags *t, const struct profile *p, const struct graph_values *v,
                    const struct node_tags_paths *paths)
{
    *t = (struct node_tags){.unit = paths->bytes_unit};
    if (!p->label_count)
        return;
    struct arena scratch;
    arena_init(&scratch);
    struct adder a = {.t = t, .p = p, .paths = paths};
    names_init(&t->texts, &t->arena);
    buf_init(&a.joined, &t->arena);
    map_init(&a.index, &scratch, 1024);
    t->first = arena_array(&t->arena, paths->node_count, sizeof *t->first);
    memset(t->first, 0xff, paths->node_count * sizeof *t->first);
    a.epoch = arena_zarray(&scratch, paths->node_count, sizeof *a.epoch);
    uint32_t types = p->sample_type_count;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        a.weight = p->values[(size_t)i * types + v->index];
        a.div = v->mean ? p->values[(size_t)i * types] : 0;
        if ((!a.weight && !a.div) || !read_labels(&a, i))
            continue;
        if (paths->leaf_of)
            add_branch(&a, paths->leaf_of[i]);
        else
            add_stack(&a, i);
    }
    arena_free(&scratch);
}

void node_tags_free(struct node_tags *t)
{
    arena_free(&t->arena);
}

bool node_tags_counts(const struct node_tags *t, const struct node_tag *tag)
{
    return graph_abs(tag->flat) >= t->least || graph_abs(tag->cum) >= t->least;
}
