/* SPDX-License-Identifier: MIT
 *
 * speedscope's files (its file-format-schema.json): a list of frames, and profiles that name them:
 * stacks with weights ("sampled", root first) or openings and closings of frames with their times
 * ("evented"). Every unit is a sample type: times in nanoseconds, else bytes or counts. Several
 * profiles of a file are told apart by the label "profile". */
#include "profile/import/import_internal.h"

#include "base/limits.h"

struct reader {
    struct import *im;
    uint32_t *frames; /* locations */
    uint32_t frame_count;
    struct call_tree tree;
    struct text name; /* of the profile; label it when there are several */
};

static const struct {
    const char *name, *type, *unit;
    int scale; /* power of ten from one to the other */
} units[] = {
    {"none", "weight", "count", 0},
    {"bytes", "space", "bytes", 0},
    {"nanoseconds", "time", "nanoseconds", 0},
    {"microseconds", "time", "nanoseconds", 3},
    {"milliseconds", "time", "nanoseconds", 6},
    {"seconds", "time", "nanoseconds", 9},
};

static void read_frames(struct reader *r, const struct jsondoc *frames)
{
    struct import *im = r->im;
    r->frames = arena_array(&im->scratch, jsondoc_count(frames), sizeof *r->frames);
    for (const struct jsondoc *f = jsondoc_first(frames); f; f = jsondoc_next(frames, f)) {
        struct text name = import_json_text(im, jsondoc_get(f, "name"));
        struct text file = import_json_text(im, jsondoc_get(f, "file"));
        int64_t line = jsondoc_integer(jsondoc_get(f, "line"), 0);
        if (!name.n)
            name = (struct text){"(anonymous)", 11};
        if (!file.s)
            file = (struct text){"", 0};
        r->frames[r->frame_count++] =
            import_line(im, import_function(im, name, file), line > 0 ? line : 0);
    }
}

static int find_frame(const struct reader *r, const struct jsondoc *v, uint32_t *location)
{
    int64_t i = jsondoc_integer(v, -1);
    if (i < 0 || i >= r->frame_count)
        return import_fail(r->im, "malformed speedscope file: no frame %lld", (long long)i);
    *location = r->frames[i];
    return 0;
}

static int read_sampled(struct reader *r, const struct jsondoc *profile, int scale)
{
    const struct jsondoc *samples = jsondoc_get(profile, "samples"), *stack;
    const struct jsondoc *weights = jsondoc_get(profile, "weights"),
                         *weight = jsondoc_first(weights);
    for (stack = jsondoc_first(samples); stack; stack = jsondoc_next(samples, stack)) {
        uint32_t node = CALL_TREE_ROOT, location = 0;
        int64_t value = 0;
        for (const struct jsondoc *f = jsondoc_first(stack); f; f = jsondoc_next(stack, f)) {
            int rc = find_frame(r, f, &location);
            if (rc)
                return rc;
            node = call_tree_call(&r->tree, node, location);
        }
        if (!weight || !jsondoc_decimal(weight, scale, &value))
            return import_fail(r->im, "malformed speedscope file: a sample without a weight");
        weight = jsondoc_next(weights, weight);
        if (node == CALL_TREE_ROOT)
            continue; /* nothing ran */
        r->tree.nodes[node].hits++;
        r->tree.nodes[node].value =
            (int64_t)((uint64_t)r->tree.nodes[node].value + (uint64_t)value);
    }
    return 0;
}

/* What passed since the last event is the open frame's. */
static int read_evented(struct reader *r, const struct jsondoc *profile, int scale)
{
    struct call_tree *tree = &r->tree;
    const struct jsondoc *events = jsondoc_get(profile, "events");
    uint32_t node = CALL_TREE_ROOT;
    int64_t last = 0, at;
    for (const struct jsondoc *e = jsondoc_first(events); e;
         e = jsondoc_next(events, e), last = at) {
        const struct jsondoc *type = jsondoc_get(e, "type");
        uint32_t location = 0;
        int rc = find_frame(r, jsondoc_get(e, "frame"), &location);
        if (rc)
            return rc;
        if (!jsondoc_decimal(jsondoc_get(e, "at"), scale, &at) || (at < last && e != events + 1))
            return import_fail(r->im, "malformed speedscope file: an event goes back in time");
        if (node != CALL_TREE_ROOT)
            tree->nodes[node].value =
                (int64_t)((uint64_t)tree->nodes[node].value + (uint64_t)at - (uint64_t)last);
        if (jsondoc_equals(type, "O")) {
            node = call_tree_call(tree, node, location);
            tree->nodes[node].hits++;
        } else if (jsondoc_equals(type, "C") && node != CALL_TREE_ROOT &&
                   tree->nodes[node].location == location) {
            node = tree->nodes[node].caller;
        } else {
            return import_fail(r->im,
                               "malformed speedscope file: an event closes what is not open");
        }
    }
    return 0;
}

static void label_profile(struct import *im, const void *of)
{
    import_label(im, "profile", *(const struct text *)of);
}

/* The place of a type among the profile's values, made when it is first asked for. */
static uint32_t value_of(struct import *im, const char *type, const char *unit)
{
    struct profile *p = im->p;
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str s = p->strings[p->sample_types[i].type];
        if (text_is((struct text){s.ptr, s.len}, type))
            return i;
    }
    import_sample_type(im, type, unit);
    return p->sample_type_count - 1;
}

static int read_profile(struct reader *r, const struct jsondoc *profile, bool labelled)
{
    struct import *im = r->im;
    const struct jsondoc *unit = jsondoc_get(profile, "unit"), *type = jsondoc_get(profile, "type");
    bool evented = jsondoc_equals(type, "evented");
    size_t u = 0;
    while (u < sizeof units / sizeof *units && !jsondoc_equals(unit, units[u].name))
        u++;
    if (u == sizeof units / sizeof *units)
        return import_fail(im, "malformed speedscope file: a profile without a unit that is known");
    if (!evented && !jsondoc_equals(type, "sampled"))
        return import_fail(im, "malformed speedscope file: a profile that is neither sampled nor "
                               "evented");
    int rc = (evented ? read_evented : read_sampled)(r, profile, units[u].scale);
    if (rc)
        return rc;
    struct call_tree_samples as = {.hits_at = 0, .of = &r->name};
    r->name = import_json_text(im, jsondoc_get(profile, "name"));
    as.value_at = value_of(im, units[u].type, units[u].unit);
    as.label = labelled && r->name.n ? label_profile : NULL;
    call_tree_finish(&r->tree, &as);
    int64_t start, end, duration;
    if (!strcmp(units[u].unit, "nanoseconds") &&
        jsondoc_decimal(jsondoc_get(profile, "startValue"), units[u].scale, &start) &&
        jsondoc_decimal(jsondoc_get(profile, "endValue"), units[u].scale, &end) &&
        !__builtin_sub_overflow(end, start, &duration) && duration > im->p->duration_nanos)
        im->p->duration_nanos = duration;
    return 0;
}

int import_speedscope(struct import *im)
{
    struct reader r = {.im = im};
    const struct jsondoc *root;
    int rc = import_json(im, "\"profiles\"", &root);
    if (rc)
        return rc;
    const struct jsondoc *profiles = jsondoc_get(root, "profiles");
    const struct jsondoc *frames = jsondoc_get(jsondoc_get(root, "shared"), "frames");
    if (!jsondoc_is(profiles, JSONDOC_ARRAY) || !jsondoc_is(frames, JSONDOC_ARRAY))
        return IMPORT_UNKNOWN;
    import_string(im, (struct text){"", 0});
    import_sample_type(im, "samples", "count");
    import_period(im, "samples", "count", 1);
    call_tree_init(&r.tree, im);
    read_frames(&r, frames);
    bool labelled = jsondoc_count(profiles) > 1;
    for (const struct jsondoc *p = jsondoc_first(profiles); p && !rc; p = jsondoc_next(profiles, p))
        rc = read_profile(&r, p, labelled);
    return rc;
}
