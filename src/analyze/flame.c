/* SPDX-License-Identifier: MIT
 *
 * Merges the stacks of a profile into one tree, and adds up what its functions cost. Three passes:
 * every sample walks the tree from the root, sharing the steps it has in common with the sample
 * before it; subtrees too light to draw are cut; what is left is numbered anew, breadth first and
 * heaviest first, which is the order the reader draws it in. No recursion: stacks may be a million
 * frames deep. */
#include "analyze/flame.h"
#include "analyze/flame_frames.h"
#include "analyze/pair_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The tree while it grows, numbered in order of first use. Node 0 is the root. */
struct growing {
    const struct profile *p;
    struct flame *f;
    struct arena scratch;
    struct flame_stacks stacks;
    struct pair_index nodes; /* (parent, frame) */
    int64_t *self;
    uint64_t *weight; /* of the samples that end here; later of the whole subtree */
    uint32_t cap;
    uint32_t *path_frame, *path_node; /* the previous sample's walk, without the root */
    uint32_t path_depth;
    uint32_t *seen; /* for each function the last sample (+1) that was added to its cum */
    bool negative;
};

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static int64_t clamp_i64(uint64_t v)
{
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/* Sums wrap as pprof's do, but without undefined behaviour. */
static void add(int64_t *sum, int64_t v)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)v);
}

static bool str_equal(struct profile_str s, const char *t)
{
    return s.len == strlen(t) && !memcmp(s.ptr, t, s.len);
}

static bool is_diff_base(const struct profile *p, uint32_t sample)
{
    for (uint64_t l = profile_label_first(p, sample); l < p->sample_label_end[sample]; l++)
        if (p->labels[l].str && str_equal(profile_string(p, p->labels[l].key), "pprof::base") &&
            str_equal(profile_string(p, p->labels[l].str), "true"))
            return true;
    return false;
}

static int64_t value_of(const struct profile *p, uint32_t sample, uint32_t type)
{
    return p->values[(size_t)sample * p->sample_type_count + type];
}

static int64_t total_of(const struct profile *p, uint32_t type)
{
    uint64_t all = 0, base = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t v = magnitude(value_of(p, i, type));
        all += v;
        if (v && is_diff_base(p, i))
            base += v;
    }
    return clamp_i64(base ? base : all);
}

static uint32_t deepest(const struct profile *p, const struct flame_stacks *s)
{
    uint64_t deepest = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t depth = 0;
        for (uint64_t k = profile_loc_first(p, i); k < p->sample_loc_end[i]; k++)
            depth += s->first[p->loc_refs[k] + 1] - s->first[p->loc_refs[k]];
        if (depth > deepest)
            deepest = depth;
    }
    return deepest > UINT32_MAX ? UINT32_MAX : (uint32_t)deepest;
}

static void room_for_nodes(struct growing *g)
{
    uint32_t cap = g->nodes.cap;
    if (g->cap >= cap)
        return;
    g->self = arena_grow(&g->scratch, g->self, g->cap * sizeof *g->self, cap * sizeof *g->self);
    g->weight =
        arena_grow(&g->scratch, g->weight, g->cap * sizeof *g->weight, cap * sizeof *g->weight);
    memset(g->self + g->cap, 0, (cap - g->cap) * sizeof *g->self);
    memset(g->weight + g->cap, 0, (cap - g->cap) * sizeof *g->weight);
    g->cap = cap;
}

/* Walks one sample from its root-most location; returns its last node, UINT32_MAX if there are too
 * many nodes. As long as frames are those of the previous sample no lookup is needed: samples that
 * were recorded one after another share most of their stack. */
static uint32_t walk(struct growing *g, uint32_t sample, int64_t v)
{
    const struct profile *p = g->p;
    uint32_t node = 0, depth = 0;
    bool same = true;
    uint64_t first = profile_loc_first(p, sample);
    for (uint64_t k = p->sample_loc_end[sample]; k-- > first;) {
        uint32_t loc = p->loc_refs[k];
        for (uint32_t i = g->stacks.first[loc]; i < g->stacks.first[loc + 1]; i++, depth++) {
            uint32_t frame = g->stacks.frames[i];
            uint32_t function = g->f->frames[frame].function;
            if (g->seen[function] != sample + 1) {
                g->seen[function] = sample + 1;
                add(&g->f->functions[function].cum, v);
            }
            same = same && depth < g->path_depth && g->path_frame[depth] == frame;
            node = same ? g->path_node[depth] : pair_index_put(&g->nodes, node, frame);
            if (node == UINT32_MAX)
                return node;
            g->path_frame[depth] = frame;
            g->path_node[depth] = node;
        }
    }
    g->path_depth = depth;
    if (depth)
        add(&g->f->functions[g->f->frames[g->path_frame[depth - 1]].function].flat, v);
    return node;
}

static int grow_tree(struct growing *g, uint32_t type, struct err *e)
{
    const struct profile *p = g->p;
    pair_index_init(&g->nodes, &g->scratch);
    pair_index_put(&g->nodes, FLAME_NONE, FLAME_NONE); /* the root: no child has such a parent */
    room_for_nodes(g);
    uint32_t depth = deepest(p, &g->stacks);
    g->path_frame = arena_array(&g->scratch, depth, sizeof *g->path_frame);
    g->path_node = arena_array(&g->scratch, depth, sizeof *g->path_node);
    g->seen = arena_zarray(&g->scratch, g->f->function_count, sizeof *g->seen);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        int64_t v = value_of(p, i, type);
        if (!v)
            continue;
        uint32_t node = walk(g, i, v);
        if (node == UINT32_MAX)
            return err_set(e, -E2BIG,
                           "the profile's stacks make a tree of more than %u nodes, which is more "
                           "than a flame graph can hold: filter the profile first",
                           g->nodes.count);
        room_for_nodes(g);
        add(&g->self[node], v);
        g->weight[node] += magnitude(v);
        g->negative |= v < 0;
    }
    return 0;
}

/* Weights become those of whole subtrees: a parent has a smaller number than its children. */
static void sum_up(struct growing *g)
{
    for (uint32_t i = g->nodes.count; i-- > 1;)
        g->weight[g->nodes.pairs[i].a] += g->weight[i];
}

/* Buckets grow by 1/256: the weight's highest nine bits and where they stand. */
static uint32_t bucket_of(uint64_t weight)
{
    if (weight < 256)
        return (uint32_t)weight;
    uint32_t top = 63 - (uint32_t)__builtin_clzll(weight);
    return (top - 7) * 256 + (uint32_t)(weight >> (top - 8) & 255);
}

/* The lightest bucket that may stay, so that at most `limit` nodes do. Children are never heavier
 * than their parent, so what stays is a tree. */
static uint32_t lightest_kept(struct growing *g, uint32_t limit)
{
    enum { BUCKETS = 58 * 256 };
    if (g->nodes.count <= limit)
        return 0;
    uint32_t *in_bucket = arena_zarray(&g->scratch, BUCKETS, sizeof *in_bucket);
    for (uint32_t i = 1; i < g->nodes.count; i++)
        in_bucket[bucket_of(g->weight[i])]++;
    uint32_t kept = 1, bucket = BUCKETS;
    while (bucket > 0 && kept + in_bucket[bucket - 1] <= limit)
        kept += in_bucket[--bucket];
    return bucket;
}

/* ---- numbering anew ---- */

struct sibling {
    uint64_t weight;
    uint32_t rank, node;
};

static int compare_siblings(const void *pa, const void *pb)
{
    const struct sibling *a = pa, *b = pb;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static int compare_str(struct profile_str a, struct profile_str b)
{
    uint32_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_frames(const void *pa, const void *pb, void *arg)
{
    const struct flame *f = arg;
    const struct flame_frame *a = &f->frames[*(const uint32_t *)pa];
    const struct flame_frame *b = &f->frames[*(const uint32_t *)pb];
    int c = compare_str(f->functions[a->function].name, f->functions[b->function].name);
    if (!c)
        c = compare_str(a->file, b->file);
    if (!c)
        c = compare_str(a->module, b->module);
    return c ? c : (int)a->inlined - (int)b->inlined;
}

/* Each frame's place in the order of names, so that siblings are compared by numbers alone. */
static uint32_t *rank_frames(struct growing *g)
{
    uint32_t n = g->f->frame_count;
    uint32_t *order = arena_array(&g->scratch, n, sizeof *order);
    uint32_t *rank = arena_array(&g->scratch, n, sizeof *rank);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    if (n)
        qsort_r(order, n, sizeof *order, compare_frames, g->f);
    for (uint32_t i = 0; i < n; i++)
        rank[order[i]] = i;
    return rank;
}

static void sort_siblings(struct sibling *s, uint32_t n)
{
    if (n > 16) {
        qsort(s, n, sizeof *s, compare_siblings);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        struct sibling x = s[i];
        uint32_t j = i;
        for (; j > 0 && compare_siblings(&x, &s[j - 1]) < 0; j--)
            s[j] = s[j - 1];
        s[j] = x;
    }
}

/* The kept children of every node, by parent: those of i are at first[i] .. first[i + 1]. */
static struct sibling *group_by_parent(struct growing *g, uint32_t bucket, uint32_t **first_out)
{
    uint32_t n = g->nodes.count;
    const uint32_t *rank = rank_frames(g);
    uint32_t *first = arena_zarray(&g->scratch, (size_t)n + 2, sizeof *first);
    for (uint32_t i = 1; i < n; i++)
        if (bucket_of(g->weight[i]) >= bucket)
            first[g->nodes.pairs[i].a + 2]++;
    for (uint32_t i = 2; i < n + 2; i++)
        first[i] += first[i - 1];
    struct sibling *children = arena_array(&g->scratch, first[n + 1], sizeof *children);
    for (uint32_t i = 1; i < n; i++)
        if (bucket_of(g->weight[i]) >= bucket)
            children[first[g->nodes.pairs[i].a + 1]++] =
                (struct sibling){g->weight[i], rank[g->nodes.pairs[i].b], i};
    for (uint32_t i = 0; i < n; i++)
        sort_siblings(children + first[i], first[i + 1] - first[i]);
    *first_out = first;
    return children;
}

/* Sums of the subtrees that are cut, at the nearest ancestor that stays. */
struct cut {
    int64_t *self;
    uint64_t *weight;
    uint32_t *count;
    uint32_t parents; /* nodes that lose something */
};

static struct cut cut_light(struct growing *g, uint32_t bucket)
{
    struct cut c = {0};
    uint32_t n = g->nodes.count;
    if (!bucket)
        return c;
    c.self = arena_zarray(&g->scratch, n, sizeof *c.self);
    c.weight = arena_zarray(&g->scratch, n, sizeof *c.weight);
    c.count = arena_zarray(&g->scratch, n, sizeof *c.count);
    for (uint32_t i = n; i-- > 1;) {
        if (bucket_of(g->weight[i]) >= bucket)
            continue;
        uint32_t parent = g->nodes.pairs[i].a;
        c.parents += !c.count[parent];
        add(&c.self[parent], g->self[i]);
        add(&c.self[parent], c.self[i]);
        c.weight[parent] += g->weight[i];
        c.count[parent] += 1 + c.count[i];
        c.parents -= c.count[i] > 0;
        g->f->left_out_count++;
    }
    return c;
}

static void number_anew(struct growing *g, uint32_t bucket)
{
    struct flame *f = g->f;
    struct cut cut = cut_light(g, bucket);
    uint32_t *first;
    const struct sibling *children = group_by_parent(g, bucket, &first);
    uint32_t max = 1 + first[g->nodes.count] + cut.parents;
    f->node_parent = arena_array(&f->arena, max, sizeof *f->node_parent);
    f->node_frame = arena_array(&f->arena, max, sizeof *f->node_frame);
    f->node_self = arena_array(&f->arena, max, sizeof *f->node_self);
    uint64_t *weight = arena_array(&f->arena, g->negative ? max : 0, sizeof *weight);
    f->node_weight = g->negative ? weight : NULL;
    uint32_t *old = arena_array(&g->scratch, max, sizeof *old);
    old[0] = 0;
    f->node_parent[0] = 0;
    f->node_frame[0] = FLAME_NONE;
    uint32_t count = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (f->node_frame[i] == FLAME_LEFT_OUT)
            continue;
        uint32_t o = old[i];
        f->node_self[i] = g->self[o];
        uint64_t rest = g->weight[o];
        for (uint32_t k = first[o]; k < first[o + 1]; k++, count++) {
            old[count] = children[k].node;
            f->node_parent[count] = i;
            f->node_frame[count] = g->nodes.pairs[children[k].node].b;
            rest -= children[k].weight;
        }
        if (cut.count && cut.count[o]) {
            f->node_parent[count] = i;
            f->node_frame[count] = FLAME_LEFT_OUT;
            f->node_self[count] = cut.self[o];
            if (g->negative)
                weight[count] = cut.weight[o];
            rest -= cut.weight[o];
            count++;
        }
        if (g->negative)
            weight[i] = rest;
    }
    f->node_count = count;
}

int flame_build(struct flame *f, const struct profile *p, uint32_t type, uint32_t node_limit,
                struct err *e)
{
    *f = (struct flame){0};
    struct growing g = {.p = p, .f = f};
    flame_frames_build(f, p, &g.scratch, &g.stacks);
    f->total = p->sample_count ? total_of(p, type) : 0;
    int r = grow_tree(&g, type, e);
    if (!r) {
        sum_up(&g);
        number_anew(&g, lightest_kept(&g, node_limit));
    }
    arena_free(&g.scratch);
    if (r)
        flame_free(f);
    return r;
}

void flame_free(struct flame *f)
{
    arena_free(&f->arena);
    *f = (struct flame){0};
}

uint32_t flame_default_type(const struct profile *p)
{
    if (p->default_sample_type) {
        struct profile_str name = profile_string(p, p->default_sample_type);
        for (uint32_t i = 0; i < p->sample_type_count; i++) {
            if (!compare_str(profile_string(p, p->sample_types[i].type), name))
                return i;
        }
    }
    return p->sample_type_count ? p->sample_type_count - 1 : 0;
}
