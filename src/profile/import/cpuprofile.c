/* SPDX-License-Identifier: MIT
 *
 * V8's CPU profiles (`node --cpu-prof`, Chrome's developer tools): JSON with a tree of calls, the
 * node that each sample hit, and the time between samples. A node's time is what passed from its
 * samples to the next ones. In a trace (chrome_trace.c) the same comes in pieces. */
#include "profile/import/cpuprofile.h"

#include "base/limits.h"

void v8_init(struct v8_profile *v, struct import *im)
{
    *v = (struct v8_profile){.im = im};
    map_init(&v->by_id, &im->scratch, 0);
    call_tree_init(&v->tree, im);
}

static struct v8_node *find_node(const struct v8_profile *v, int64_t id)
{
    struct map_probe at = map_find(&v->by_id, hash_mix(0, (uint64_t)id));
    uint32_t i;
    while ((i = map_next(&v->by_id, &at)) != MAP_NONE)
        if (v->nodes[i].id == id)
            return &v->nodes[i];
    return NULL;
}

static struct text string_of(struct import *im, const struct jsondoc *object, const char *key)
{
    const struct jsondoc *s = jsondoc_get(object, key);
    return jsondoc_is(s, JSONDOC_STRING) ? import_json_text(im, s) : (struct text){"", 0};
}

static uint32_t make_location(struct import *im, const struct jsondoc *node)
{
    const struct jsondoc *frame = jsondoc_get(node, "callFrame");
    struct text name = string_of(im, frame, "functionName"), url = string_of(im, frame, "url");
    if (!name.n)
        name = (struct text){"(anonymous)", 11};
    if (text_starts(url, "file://"))
        url = text_from(url, 7);
    int64_t line = jsondoc_integer(jsondoc_get(frame, "lineNumber"), -1);
    return import_line(im, import_function(im, name, url), line < 0 ? 0 : line + 1);
}

/* One more node; its parent is told by itself (in traces) or by the parent. */
static int add_node(struct v8_profile *v, const struct jsondoc *node)
{
    struct import *im = v->im;
    int64_t id = jsondoc_integer(jsondoc_get(node, "id"), 0);
    int64_t parent_id = jsondoc_integer(jsondoc_get(node, "parent"), 0);
    const struct v8_node *parent = parent_id ? find_node(v, parent_id) : NULL;
    if (!jsondoc_is(node, JSONDOC_OBJECT) || find_node(v, id))
        return import_fail(im, "malformed CPU profile: node %u has no id of its own", v->count);
    if (v->count == LIMIT_PROFILE_TABLE)
        return import_fail(im, "the profile has more than %u nodes", LIMIT_PROFILE_TABLE);
    if (parent_id && !parent)
        return import_fail(im, "malformed CPU profile: the parent of node %u is not there",
                           v->count);
    uint32_t place = parent ? (uint32_t)(parent - v->nodes) : V8_ROOT;
    v->nodes = import_grow(im, v->nodes, v->count, &v->cap, sizeof *v->nodes);
    map_put(&v->by_id, hash_mix(0, (uint64_t)id), v->count);
    v->nodes[v->count++] = (struct v8_node){id, place, 0};
    return 0;
}

/* Parents come before their children: then there is no ring. */
static int find_children(struct v8_profile *v, const struct jsondoc *node, uint32_t parent)
{
    const struct jsondoc *list = jsondoc_get(node, "children");
    for (const struct jsondoc *c = jsondoc_first(list); c; c = jsondoc_next(list, c)) {
        struct v8_node *child = find_node(v, jsondoc_integer(c, 0));
        if (!child || (size_t)(child - v->nodes) <= parent)
            return import_fail(v->im, "malformed CPU profile: a child of node %u is not there",
                               parent);
        child->parent = parent;
    }
    return 0;
}

int v8_add_nodes(struct v8_profile *v, const struct jsondoc *nodes)
{
    uint32_t first = v->count, i = first;
    int rc = 0;
    for (const struct jsondoc *n = jsondoc_first(nodes); n && !rc; n = jsondoc_next(nodes, n))
        rc = add_node(v, n);
    for (const struct jsondoc *n = jsondoc_first(nodes); n && !rc; n = jsondoc_next(nodes, n))
        rc = find_children(v, n, i++);
    i = first;
    for (const struct jsondoc *n = jsondoc_first(nodes); n && !rc;
         n = jsondoc_next(nodes, n), i++) {
        uint32_t parent = v->nodes[i].parent, caller = CALL_TREE_ROOT;
        if (parent != V8_ROOT && v->nodes[parent].parent != V8_ROOT)
            caller = v->nodes[parent].call; /* the root is no frame */
        v->nodes[i].call = call_tree_call(&v->tree, caller, make_location(v->im, n));
        int64_t hits = jsondoc_integer(jsondoc_get(n, "hitCount"), 0);
        if (hits < 0 || hits > LIMIT_PROFILE_TABLE)
            return import_fail(v->im, "malformed CPU profile: node %u has %lld hits", i,
                               (long long)hits);
        v->tree.nodes[v->nodes[i].call].hits += hits;
    }
    return rc;
}

int v8_add_samples(struct v8_profile *v, const struct jsondoc *samples,
                   const struct jsondoc *deltas)
{
    const struct jsondoc *delta = jsondoc_first(deltas);
    for (const struct jsondoc *s = jsondoc_first(samples); s; s = jsondoc_next(samples, s)) {
        const struct v8_node *n = find_node(v, jsondoc_integer(s, 0));
        if (!n)
            return import_fail(v->im, "malformed CPU profile: sample %u is of no node",
                               v->sample_count);
        v->samples =
            import_grow(v->im, v->samples, v->sample_count, &v->sample_cap, sizeof *v->samples);
        v->samples[v->sample_count++] =
            (struct v8_sample){n->call, delta ? jsondoc_integer(delta, 0) : 0};
        delta = delta ? jsondoc_next(deltas, delta) : NULL;
    }
    return 0;
}

/* With the samples themselves hits are counted anew; without, what the nodes say counts. */
static void sum(struct v8_profile *v, int64_t span_us)
{
    struct call_node *nodes = v->tree.nodes;
    int64_t passed = 0, hits = 0;
    for (uint32_t i = 0; i < v->tree.count; i++)
        hits += nodes[i].hits;
    int64_t each = hits ? span_us / hits : 0;
    for (uint32_t i = 0; i < v->tree.count; i++) {
        nodes[i].value = v->sample_count ? 0 : nodes[i].hits * each * 1000;
        nodes[i].hits = v->sample_count ? 0 : nodes[i].hits;
    }
    for (uint32_t i = 0; i < v->sample_count; i++) {
        const struct v8_sample *s = &v->samples[i];
        passed = (int64_t)((uint64_t)passed + (uint64_t)s->delta_us);
        int64_t after = i + 1 < v->sample_count ? s[1].delta_us
                                                : (int64_t)((uint64_t)span_us - (uint64_t)passed);
        nodes[s->call].hits++;
        if (after > 0 && after < INT64_MAX / 1000000000)
            nodes[s->call].value += after * 1000;
    }
}

void v8_finish(struct v8_profile *v, int64_t span_us, const struct call_tree_samples *as)
{
    sum(v, span_us);
    call_tree_finish(&v->tree, as);
}

static int read_root(struct import *im, const struct jsondoc *root)
{
    struct v8_profile v;
    int64_t start = jsondoc_integer(jsondoc_get(root, "startTime"), 0);
    int64_t end = jsondoc_integer(jsondoc_get(root, "endTime"), 0);
    v8_init(&v, im);
    import_sample_type(im, "samples", "count");
    import_sample_type(im, "cpu", "nanoseconds");
    int rc = v8_add_nodes(&v, jsondoc_get(root, "nodes"));
    if (!rc)
        rc = v8_add_samples(&v, jsondoc_get(root, "samples"), jsondoc_get(root, "timeDeltas"));
    if (rc)
        return rc;
    bool span = end > start && start >= 0 && end < INT64_MAX / 1000;
    int64_t hits = v.sample_count;
    for (uint32_t i = 0; !v.sample_count && i < v.tree.count; i++)
        hits += v.tree.nodes[i].hits;
    int64_t each = span && hits ? (end - start) / hits : 0;
    import_period(im, "cpu", "nanoseconds", each * 1000);
    im->p->duration_nanos = span ? (end - start) * 1000 : 0;
    v8_finish(&v, span ? end - start : 0, &(struct call_tree_samples){.hits_at = 0, .value_at = 1});
    return 0;
}

int import_cpuprofile(struct import *im)
{
    const struct jsondoc *root;
    int rc = import_json(im, "\"callFrame\"", &root);
    if (rc)
        return rc;
    return jsondoc_is(jsondoc_get(root, "nodes"), JSONDOC_ARRAY) ? read_root(im, root)
                                                                 : IMPORT_UNKNOWN;
}
