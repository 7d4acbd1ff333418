/* SPDX-License-Identifier: MIT
 *
 * Merges the stacks of a profile into one tree, and adds up what its functions cost.
 *
 * A node is a set of samples that share their first frames. The tree grows from the root: the
 * heaviest node that has not been opened is, and its samples are parted by their next frame. So a
 * profile whose full tree would have tens of millions of boxes costs only what is kept of it, and
 * what is kept are the heaviest. What is left is numbered anew, breadth first and heaviest first,
 * which is the order the reader draws it in. No recursion: stacks may be a million frames deep. */
#include "analyze/flame.h"
#include "analyze/flame_frames.h"
#include "analyze/refine.h"
#include "analyze/stack_sums.h"
#include "base/sort.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Where a sample's walk stands. Walks towards the leaf take loc_refs downwards and a location's
 * lines upwards, walks towards the start the other way round. */
struct cursor {
    uint64_t at;             /* its next location is loc_refs[at - 1]; on the way up loc_refs[at] */
    uint32_t locations_left; /* 0: the walk is over */
    uint32_t line;           /* how many lines of the next location are done */
};

struct node {
    uint32_t parent, frame;
    uint32_t first, count; /* its samples: order[first .. first + count) */
    uint32_t next;         /* in its bucket's list of nodes to be opened */
    uint32_t depth;
    bool open;
    int64_t self; /* of the samples that end here */
    uint64_t own_weight, weight;
    int64_t rest; /* not opened: of the samples that go on */
    int64_t self_div, rest_div;
};

/* Weights by their highest nine bits and where these stand: each bucket is 1/256 wide. */
enum { BUCKETS = 58 * 256 };

/* A step of a walk is a line of memory of its own, while the frames of many samples at one depth
 * lie together. So walks go LEVELS steps at a time, into a column for each step; opening a node
 * then reads one column. */
enum { LEVELS = 8, AHEAD = 16 };

/* Frames of a profile from which on a second thread is worth starting. */
enum { LARGE = 1 << 21 };

#define MANY 0x80000000u
/* A location without lines, which walks step over. */
#define NOWHERE UINT32_MAX

/* The child for a frame, if `opened` is the number + 1 of the node that is being opened. */
struct group {
    uint32_t opened, child;
};

struct growing {
    const struct profile *p;
    struct flame *f;
    uint32_t type;
    bool mean;
    struct arena scratch;
    struct flame_stacks stacks;
    struct node *nodes; /* node 0 is the root */
    uint32_t count, limit;
    uint32_t *order; /* samples, grouped by node */
    struct cursor *cursors;
    int64_t *values;
    /* By sample: the frame below a node of depth d is columns[d % LEVELS], FLAME_NONE at the end of
     * the walk. Where d % LEVELS is 0 they are filled when the node is opened. */
    uint32_t *columns[LEVELS];
    /* By location: its frame, or MANY and where in `many` its frames begin, behind their number. */
    uint32_t *frame_of, *many;
    uint32_t *buckets; /* heads of lists of nodes to be opened, FLAME_NONE: empty */
    uint32_t top_bucket, waiting;
    struct group *groups; /* by frame */
    uint32_t *parted;     /* scratch of one node's samples, twice as many as samples */
    bool negative;
    enum flame_walk walk;
    bool up;           /* the walk goes towards the start of the program */
    uint32_t function; /* the walk begins behind it, FLAME_NONE: at an end of the stack */
    uint32_t root_frame;
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

static int64_t value_of(const struct profile *p, uint32_t sample, uint32_t type)
{
    return p->values[(size_t)sample * p->sample_type_count + type];
}

int64_t flame_total(const struct profile *p, uint32_t type)
{
    uint64_t all = 0, base = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t v = magnitude(value_of(p, i, type));
        all += v;
        if (v && refine_is_base(p, i))
            base += v;
    }
    return clamp_i64(base ? base : all);
}

/* 0 where nothing is divided. */
static int64_t divisor_of(const struct growing *g, uint32_t sample)
{
    return g->mean ? value_of(g->p, sample, 0) : 0;
}

static uint64_t weigh_lineless(const struct profile *p, uint32_t type)
{
    uint32_t first = 0;
    uint64_t sum = 0;
    while (first < p->location_count && p->locations[first].line_count)
        first++;
    if (first == p->location_count)
        return 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t k = profile_loc_first(p, i);
        while (k < p->sample_loc_end[i] && p->locations[p->loc_refs[k]].line_count)
            k++;
        sum += k < p->sample_loc_end[i] ? magnitude(value_of(p, i, type)) : 0;
    }
    return sum;
}

static uint32_t bucket_of(uint64_t weight)
{
    if (weight < 256)
        return (uint32_t)weight;
    uint32_t top = 63 - (uint32_t)__builtin_clzll(weight);
    return (top - 7) * 256 + (uint32_t)(weight >> (top - 8) & 255);
}

/* ---- what functions cost ---- */

/* Only reads the profile and the names: a large profile's tree may grow at the same time. */
static void *add_functions(void *arg)
{
    const struct growing *g = arg;
    const struct flame_stacks *stacks = &g->stacks;
    uint32_t locations = g->p->location_count, functions = g->f->function_count;
    struct arena scratch;
    arena_init(&scratch);
    uint32_t *items = arena_array(&scratch, stacks->first[locations], sizeof *items);
    for (uint32_t i = 0; i < locations; i++)
        for (uint32_t n = stacks->first[i], end = stacks->first[i + 1], k = 0; n + k < end; k++)
            items[n + k] = stacks->lines[end - 1 - k].function;
    int64_t *sums = arena_zarray(&scratch, 4 * (size_t)functions, sizeof *sums);
    struct stack_sums out = {
        .flat = sums,
        .cum = sums + functions,
        .flat_div = sums + 2 * (size_t)functions,
        .cum_div = sums + 3 * (size_t)functions,
    };
    stack_sums_add(&out, g->p, &(struct stack_items){stacks->first, items, functions},
                   &(struct stack_sums_options){.type = g->type, .mean = g->mean});
    for (uint32_t i = 0; i < functions; i++) {
        struct flame_function *f = &g->f->functions[i];
        f->flat = out.flat[i];
        f->cum = out.cum[i];
        f->flat_div = out.flat_div[i];
        f->cum_div = out.cum_div[i];
    }
    arena_free(&scratch);
    return NULL;
}

/* ---- growing ---- */

static uint32_t next_location(const struct growing *g, const struct cursor *c)
{
    return g->p->loc_refs[g->up ? c->at : c->at - 1];
}

/* The sample's next frame, FLAME_NONE at its end. */
static inline uint32_t step(const struct growing *g, struct cursor *c)
{
    uint32_t frame;
    do {
        if (!c->locations_left)
            return FLAME_NONE;
        frame = g->frame_of[next_location(g, c)];
        if (frame != NOWHERE)
            break;
        c->at = g->up ? c->at + 1 : c->at - 1;
        c->locations_left--;
    } while (true);
    if (frame & MANY) {
        const uint32_t *many = &g->many[frame & ~MANY];
        uint32_t done = c->line++;
        frame = many[g->up ? many[0] - done : done + 1];
        if (c->line < many[0])
            return frame;
        c->line = 0;
    }
    c->at = g->up ? c->at + 1 : c->at - 1;
    c->locations_left--;
    return frame;
}

/* Takes the walks of the node's samples LEVELS steps further. */
static void fill_columns(struct growing *g, const struct node *n)
{
    const uint32_t *samples = g->order + n->first;
    for (uint32_t i = 0; i < n->count; i++) {
        struct cursor *cursor = &g->cursors[samples[i]];
        if (n->count - i > 2 * AHEAD)
            __builtin_prefetch(&g->cursors[samples[i + 2 * AHEAD]]);
        if (n->count - i > AHEAD)
            __builtin_prefetch(&g->p->loc_refs[g->cursors[samples[i + AHEAD]].at]);
        for (unsigned level = 0; level < LEVELS; level++)
            g->columns[level][samples[i]] = step(g, cursor);
    }
}

static void wait_to_open(struct growing *g, uint32_t number)
{
    uint32_t bucket = bucket_of(g->nodes[number].weight);
    g->nodes[number].next = g->buckets[bucket];
    g->buckets[bucket] = number;
    g->waiting++;
}

/* The heaviest node that waits. Children are never heavier than their parent, so that the highest
 * bucket in use only ever goes down. */
static uint32_t heaviest_waiting(struct growing *g)
{
    while (g->buckets[g->top_bucket] == FLAME_NONE)
        g->top_bucket--;
    uint32_t number = g->buckets[g->top_bucket];
    g->buckets[g->top_bucket] = g->nodes[number].next;
    g->waiting--;
    return number;
}

static uint32_t child_of(struct growing *g, uint32_t number, uint32_t frame)
{
    struct group *group = &g->groups[frame];
    if (group->opened != number + 1) {
        *group = (struct group){number + 1, g->count};
        g->nodes[g->count++] =
            (struct node){.parent = number, .frame = frame, .depth = g->nodes[number].depth + 1};
    }
    return group->child;
}

/* Finds the child that each of the node's samples goes to, FLAME_NONE if it ends here; returns how
 * many do. */
static uint32_t find_children(struct growing *g, uint32_t number, uint32_t *child)
{
    struct node *n = &g->nodes[number];
    const uint32_t *samples = g->order + n->first, *column = g->columns[n->depth % LEVELS];
    uint32_t ended = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->count - i > AHEAD) {
            __builtin_prefetch(&g->values[samples[i + AHEAD]]);
            __builtin_prefetch(&column[samples[i + AHEAD]]);
        }
        int64_t v = g->values[samples[i]];
        uint32_t frame = column[samples[i]];
        if (frame == FLAME_NONE) {
            child[i] = FLAME_NONE;
            add(&n->self, v);
            add(&n->self_div, divisor_of(g, samples[i]));
            n->own_weight += magnitude(v);
            ended++;
            continue;
        }
        child[i] = child_of(g, number, frame);
        g->nodes[child[i]].weight += magnitude(v);
        g->nodes[child[i]].count++;
    }
    return ended;
}

/* Parts the node's samples by their next frame: each group is a child, those that end are its own.
 * Children may be as many as samples, which is why the limit is looked at before. */
static void open_node(struct growing *g, uint32_t number)
{
    struct node *n = &g->nodes[number];
    uint32_t *samples = g->order + n->first, *child = g->parted, *sorted = g->parted + n->count;
    uint32_t first_child = g->count;
    n->open = true;
    if (n->depth % LEVELS == 0)
        fill_columns(g, n);
    uint32_t ended = find_children(g, number, child), at = n->first + ended;
    for (uint32_t c = first_child; c < g->count; c++) {
        g->nodes[c].first = at;
        at += g->nodes[c].count;
        wait_to_open(g, c);
    }
    if (ended == 0 && g->count == first_child + 1)
        return; /* all go the same way: they stand right */
    for (uint32_t c = first_child; c < g->count; c++)
        g->nodes[c].count = 0; /* counted again as they are put in place */
    for (uint32_t i = 0; i < n->count; i++) {
        if (child[i] == FLAME_NONE)
            continue;
        struct node *c = &g->nodes[child[i]];
        sorted[c->first - n->first + c->count++] = samples[i];
    }
    memcpy(samples + ended, sorted + ended, (n->count - ended) * sizeof *samples);
}

/* Whether a walk that columns do not hold yet is over. */
static bool is_over(const struct growing *g, uint32_t sample)
{
    struct cursor ahead = g->cursors[sample];
    return step(g, &ahead) == FLAME_NONE;
}

/* A node that stays closed: what ends in it is its own, what goes on is left out. */
static void close_node(struct growing *g, uint32_t number)
{
    struct node *n = &g->nodes[number];
    unsigned level = n->depth % LEVELS;
    for (uint32_t i = n->first; i < n->first + n->count; i++) {
        uint32_t sample = g->order[i];
        int64_t v = g->values[sample];
        bool ends = level ? g->columns[level][sample] == FLAME_NONE : is_over(g, sample);
        add(ends ? &n->self : &n->rest, v);
        add(ends ? &n->self_div : &n->rest_div, divisor_of(g, sample));
        n->own_weight += ends ? magnitude(v) : 0;
    }
    g->f->left_out_count += n->own_weight != n->weight;
}

/* Puts the cursor behind the function's outermost call in the sample; false if it has none. */
static bool find_call(const struct growing *g, uint32_t sample, struct cursor *c)
{
    const struct profile *p = g->p;
    uint64_t first = profile_loc_first(p, sample), end = p->sample_loc_end[sample];
    for (uint64_t k = end; k-- > first;) {
        uint32_t line = g->stacks.first[p->loc_refs[k]];
        uint32_t last = g->stacks.first[p->loc_refs[k] + 1], lines = last - line;
        while (line < last && g->stacks.lines[line].function != g->function)
            line++;
        if (line == last)
            continue;
        uint32_t inside = last - 1 - line; /* lines of the location that are nearer to the leaf */
        c->line = g->up ? inside + 1 : lines - inside;
        bool whole = c->line == lines; /* the location is done */
        if (whole)
            c->line = 0;
        if (g->up) {
            c->at = k + whole;
            c->locations_left = (uint32_t)(end - c->at);
        } else {
            c->at = k + !whole;
            c->locations_left = (uint32_t)(c->at - first);
        }
        return true;
    }
    return false;
}

static bool begin_walk(const struct growing *g, uint32_t sample, struct cursor *c)
{
    uint64_t first = profile_loc_first(g->p, sample), end = g->p->sample_loc_end[sample];
    *c = (struct cursor){.at = g->up ? first : end, .locations_left = (uint32_t)(end - first)};
    if (g->walk == FLAME_CALLEES || g->walk == FLAME_CALLERS)
        return g->function != FLAME_NONE && find_call(g, sample, c);
    return true;
}

static void place_frames(struct growing *g)
{
    uint32_t locations = g->p->location_count, count = 0;
    g->frame_of = arena_array(&g->scratch, locations, sizeof *g->frame_of);
    g->many = arena_array(&g->scratch, 2 * (size_t)g->stacks.first[locations], sizeof *g->many);
    for (uint32_t i = 0; i < locations; i++) {
        uint32_t first = g->stacks.first[i], lines = g->stacks.first[i + 1] - first;
        g->frame_of[i] = !g->p->locations[i].line_count ? NOWHERE
                         : lines == 1                   ? g->stacks.lines[first].frame
                                                        : MANY | count;
        if (lines == 1)
            continue;
        g->many[count++] = lines;
        for (uint32_t n = 0; n < lines; n++)
            g->many[count++] = g->stacks.lines[first + n].frame;
    }
}

static void plant(struct growing *g)
{
    const struct profile *p = g->p;
    struct arena *a = &g->scratch;
    size_t samples = p->sample_count, frames = g->f->frame_count;
    g->order = arena_array(a, samples, sizeof *g->order);
    g->cursors = arena_array(a, samples, sizeof *g->cursors);
    g->values = arena_array(a, samples, sizeof *g->values);
    g->parted = arena_array(a, 2 * samples, sizeof *g->parted);
    for (unsigned level = 0; level < LEVELS; level++)
        g->columns[level] = arena_array(a, samples, sizeof *g->columns[level]);
    g->groups = arena_zarray(a, frames, sizeof *g->groups);
    g->buckets = arena_array(a, BUCKETS, sizeof *g->buckets);
    memset(g->buckets, 0xff, BUCKETS * sizeof *g->buckets);
    place_frames(g);
    /* The last node that is opened may add as many as there are frames. */
    g->nodes = arena_array(a, (size_t)g->limit + frames + 1, sizeof *g->nodes);
    struct node root = {.parent = 0, .frame = FLAME_NONE};
    for (uint32_t i = 0; i < p->sample_count; i++) {
        int64_t v = value_of(p, i, g->type);
        if ((!v && !divisor_of(g, i)) || !begin_walk(g, i, &g->cursors[i]))
            continue;
        g->values[i] = v;
        g->order[root.count++] = i;
        root.weight += magnitude(v);
        g->negative |= v < 0;
    }
    g->nodes[g->count++] = root;
    g->top_bucket = BUCKETS - 1;
    wait_to_open(g, 0);
}

/* Every node that stays closed may have a child for what is left out: it is counted beforehand. */
static void grow_tree(struct growing *g)
{
    plant(g);
    while (g->waiting && g->count + g->waiting < g->limit)
        open_node(g, heaviest_waiting(g));
    for (uint32_t i = 0; i < g->count; i++)
        if (!g->nodes[i].open)
            close_node(g, i);
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
        sort_list(s, n, sizeof *s, compare_siblings);
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

/* The children of every node, by parent: those of i are at first[i] .. first[i + 1]. */
static struct sibling *group_by_parent(struct growing *g, uint32_t **first_out)
{
    uint32_t n = g->count;
    const uint32_t *rank = rank_frames(g);
    uint32_t *first = arena_zarray(&g->scratch, (size_t)n + 2, sizeof *first);
    for (uint32_t i = 1; i < n; i++)
        first[g->nodes[i].parent + 2]++;
    for (uint32_t i = 2; i < n + 2; i++)
        first[i] += first[i - 1];
    struct sibling *children = arena_array(&g->scratch, n, sizeof *children);
    for (uint32_t i = 1; i < n; i++)
        children[first[g->nodes[i].parent + 1]++] =
            (struct sibling){g->nodes[i].weight, rank[g->nodes[i].frame], i};
    for (uint32_t i = 0; i < n; i++)
        sort_siblings(children + first[i], first[i + 1] - first[i]);
    *first_out = first;
    return children;
}

/* What a node has by itself. */
struct own {
    int64_t self, div;
    uint64_t weight;
};

static void put_node(struct flame *f, uint32_t parent, uint32_t frame, struct own own)
{
    uint32_t i = f->node_count++;
    f->node_parent[i] = parent;
    f->node_frame[i] = frame;
    f->node_self[i] = own.self;
    if (f->node_weight)
        f->node_weight[i] = own.weight;
    if (f->node_div)
        f->node_div[i] = own.div;
}

static struct own own_of(const struct node *n)
{
    return (struct own){n->self, n->self_div, n->own_weight};
}

static struct own rest_of(const struct node *n)
{
    return (struct own){n->rest, n->rest_div, n->weight - n->own_weight};
}

static void number_anew(struct growing *g)
{
    struct flame *f = g->f;
    uint32_t *first;
    const struct sibling *children = group_by_parent(g, &first);
    uint32_t max = g->count + f->left_out_count;
    f->node_parent = arena_array(&f->arena, max, sizeof *f->node_parent);
    f->node_frame = arena_array(&f->arena, max, sizeof *f->node_frame);
    f->node_self = arena_array(&f->arena, max, sizeof *f->node_self);
    if (g->negative)
        f->node_weight = arena_array(&f->arena, max, sizeof *f->node_weight);
    if (g->mean)
        f->node_div = arena_array(&f->arena, max, sizeof *f->node_div);
    uint32_t *old = arena_array(&g->scratch, max, sizeof *old);
    old[0] = 0;
    put_node(f, 0, g->root_frame, own_of(&g->nodes[0]));
    for (uint32_t i = 0; i < f->node_count; i++) {
        if (f->node_frame[i] == FLAME_LEFT_OUT)
            continue;
        const struct node *n = &g->nodes[old[i]];
        for (uint32_t k = first[old[i]]; k < first[old[i] + 1]; k++) {
            const struct node *c = &g->nodes[children[k].node];
            old[f->node_count] = children[k].node;
            put_node(f, i, c->frame, own_of(c));
        }
        if (!n->open && n->own_weight != n->weight)
            put_node(f, i, FLAME_LEFT_OUT, rest_of(n));
    }
}

/* The number of the function and one of its frames, where the walk is about one. */
static void find_function(struct growing *g, struct profile_str name)
{
    g->function = g->root_frame = FLAME_NONE;
    if (g->walk == FLAME_FROM_ROOT || g->walk == FLAME_FROM_LEAF)
        return;
    for (uint32_t i = 0; i < g->f->function_count && g->function == FLAME_NONE; i++)
        if (!compare_str(g->f->functions[i].name, name))
            g->function = i;
    for (uint32_t i = g->f->frame_count; i-- > 0;)
        if (g->f->frames[i].function == g->function)
            g->root_frame = i;
}

void flame_build_walk(struct flame *f, const struct profile *p, const struct flame_options *o)
{
    *f = (struct flame){0};
    struct growing g = {.p = p, .f = f, .type = o->type, .limit = o->node_limit, .walk = o->walk};
    g.mean = o->mean;
    g.up = o->walk == FLAME_FROM_LEAF || o->walk == FLAME_CALLERS;
    flame_frames_build(f, p, o->by_rows, &g.scratch, &g.stacks);
    find_function(&g, o->function);
    f->total = p->sample_count ? flame_total(p, o->type) : 0;
    f->lineless = weigh_lineless(p, o->type);
    pthread_t helper;
    bool helped = p->loc_ref_count >= LARGE && !pthread_create(&helper, NULL, add_functions, &g);
    if (!helped)
        add_functions(&g);
    grow_tree(&g);
    if (helped)
        pthread_join(helper, NULL);
    number_anew(&g);
    arena_free(&g.scratch);
}

void flame_build(struct flame *f, const struct profile *p, uint32_t type, uint32_t node_limit)
{
    struct flame_options o = {.type = type, .node_limit = node_limit};
    flame_build_walk(f, p, &o);
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
