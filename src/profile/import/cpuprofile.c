/* SPDX-License-Identifier: MIT
 *
 * V8's CPU profiles (`node --cpu-prof`, Chrome's developer tools): JSON with a tree of calls, the
 * node that each sample hit, and the time between samples. A node's time is what passed from its
 * samples to the next ones. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

#include <jansson.h>

/* A node of the tree, by its id. */
struct node {
    int64_t id;
    uint32_t location;
    uint32_t parent; /* UINT32_MAX: the root, which is no frame */
    int64_t hits, microseconds;
};

struct tree {
    struct import *im;
    struct node *nodes;
    uint32_t count;
    struct map by_id;
};

static struct node *find_node(const struct tree *t, int64_t id)
{
    struct map_probe at = map_find(&t->by_id, hash_mix(0, (uint64_t)id));
    uint32_t i;
    while ((i = map_next(&t->by_id, &at)) != MAP_NONE)
        if (t->nodes[i].id == id)
            return &t->nodes[i];
    return NULL;
}

static struct text string_of(const json_t *object, const char *key)
{
    const json_t *s = json_object_get(object, key);
    return (struct text){json_string_value(s), json_string_length(s)};
}

static int64_t integer_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_real(v) ? import_int64(json_real_value(v)) : json_integer_value(v);
}

/* Lines and columns are counted from 0 there. */
static uint32_t make_location(struct import *im, const json_t *node)
{
    const json_t *frame = json_object_get(node, "callFrame");
    struct text name = string_of(frame, "functionName"), url = string_of(frame, "url");
    if (!name.n)
        name = (struct text){"(anonymous)", 11};
    if (!url.s)
        url = (struct text){"", 0};
    if (text_starts(url, "file://"))
        url = text_from(url, 7);
    int64_t line = integer_of(frame, "lineNumber");
    return import_line(im, import_function(im, name, url), line < 0 ? 0 : line + 1);
}

static int read_nodes(struct tree *t, const json_t *nodes)
{
    struct import *im = t->im;
    size_t count = json_array_size(nodes), i;
    if (count > LIMIT_PROFILE_TABLE)
        return import_fail(im, "the profile has more than %u nodes", LIMIT_PROFILE_TABLE);
    t->nodes = arena_zarray(&im->scratch, count, sizeof *t->nodes);
    json_t *node, *child;
    json_array_foreach(nodes, i, node)
    {
        int64_t id = integer_of(node, "id");
        if (!json_is_object(node) || find_node(t, id))
            return import_fail(im, "malformed CPU profile: node %zu has no id of its own", i);
        map_put(&t->by_id, hash_mix(0, (uint64_t)id), t->count);
        t->nodes[t->count++] =
            (struct node){id, make_location(im, node), UINT32_MAX, integer_of(node, "hitCount"), 0};
    }
    json_array_foreach(nodes, i, node)
    {
        size_t k;
        json_array_foreach(json_object_get(node, "children"), k, child)
        {
            struct node *n = find_node(t, json_integer_value(child));
            /* Parents come before their children: then there is no ring. */
            if (!n || (size_t)(n - t->nodes) <= i)
                return import_fail(im, "malformed CPU profile: a child of node %zu is not there",
                                   i);
            n->parent = (uint32_t)i;
        }
    }
    return 0;
}

/* With the samples themselves hits are counted anew; without, what the nodes say counts. */
static int read_samples(struct tree *t, const json_t *root)
{
    const json_t *samples = json_object_get(root, "samples");
    const json_t *deltas = json_object_get(root, "timeDeltas");
    int64_t span = integer_of(root, "endTime") - integer_of(root, "startTime");
    size_t count = json_array_size(samples), i;
    int64_t passed = 0;
    if (!count)
        return 0;
    for (uint32_t k = 0; k < t->count; k++)
        t->nodes[k].hits = 0;
    for (i = 0; i < count; i++) {
        struct node *n = find_node(t, json_integer_value(json_array_get(samples, i)));
        if (!n)
            return import_fail(t->im, "malformed CPU profile: sample %zu is of no node", i);
        int64_t before = json_integer_value(json_array_get(deltas, i));
        int64_t after = i + 1 < count ? json_integer_value(json_array_get(deltas, i + 1))
                                      : span - passed - before;
        passed = (int64_t)((uint64_t)passed + (uint64_t)before);
        n->hits++;
        if (after > 0 && after < INT64_MAX / 1000000000)
            n->microseconds += after;
    }
    return 0;
}

static void add_samples(struct tree *t, int64_t microseconds_each)
{
    struct import *im = t->im;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct node *n = &t->nodes[i];
        if (!n->hits)
            continue;
        struct import_sample *s = import_sample(im);
        int64_t us = n->microseconds ? n->microseconds : n->hits * microseconds_each;
        s->values[0] = n->hits;
        s->values[1] = us * 1000;
        uint32_t depth = 0;
        for (; n->parent != UINT32_MAX && depth < LIMIT_STACK_DEPTH_READ; depth++) {
            import_frame(im, n->location);
            n = &t->nodes[n->parent];
        }
        if (!depth)
            import_frame(im, n->location);
    }
}

static int read_root(struct import *im, const json_t *root)
{
    struct tree t = {.im = im};
    int64_t start = integer_of(root, "startTime"), end = integer_of(root, "endTime");
    map_init(&t.by_id, &im->scratch, 0);
    import_sample_type(im, "samples", "count");
    import_sample_type(im, "cpu", "nanoseconds");
    int rc = read_nodes(&t, json_object_get(root, "nodes"));
    if (!rc)
        rc = read_samples(&t, root);
    int64_t hits = 0;
    for (uint32_t i = 0; !rc && i < t.count; i++) {
        if (t.nodes[i].hits < 0 || t.nodes[i].hits > LIMIT_PROFILE_TABLE)
            return import_fail(im, "malformed CPU profile: node %u has %lld hits", i,
                               (long long)t.nodes[i].hits);
        hits += t.nodes[i].hits;
    }
    bool span = end > start && start >= 0 && end < INT64_MAX / 1000;
    int64_t each = span && hits ? (end - start) / hits : 0;
    import_period(im, "cpu", "nanoseconds", each * 1000);
    im->p->duration_nanos = span ? (end - start) * 1000 : 0;
    if (!rc)
        add_samples(&t, each);
    return rc;
}

int import_cpuprofile(struct import *im)
{
    struct text t = text_trim(im->input);
    if (!t.n || t.s[0] != '{' || !text_contains(t, "\"callFrame\"") ||
        !text_contains(t, "\"nodes\""))
        return IMPORT_UNKNOWN;
    json_error_t error;
    json_t *root = json_loadb(t.s, t.n, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return import_fail(im, "malformed CPU profile: %s at byte %d", error.text, error.position);
    int rc = json_is_array(json_object_get(root, "nodes")) ? read_root(im, root) : IMPORT_UNKNOWN;
    json_decref(root);
    return rc;
}
