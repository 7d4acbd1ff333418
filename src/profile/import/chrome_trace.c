/* SPDX-License-Identifier: MIT
 *
 * Traces in the Trace Event Format (chrome://tracing, DevTools' Performance panel, node
 * --trace-events, clang -ftime-trace, and all that writes it): a list of events, or an object with
 * one. Slices (B and E, X) of each thread nest, so a slice's own time is what its inner slices
 * leave; each chain of names is a stack. A slice that outlasts the one around it ends with it; one
 * that was never ended ends with the last event of its thread. Profile and ProfileChunk events
 * are V8's samples: values of their own, beside the slices'. Times are microseconds, with decimals
 * that are kept. */
#include "profile/import/cpuprofile.h"

#include "base/limits.h"
#include "base/sort.h"

/* Times beyond 73 years either way are no times: sums of them could not be told. */
#define TIME_MAX_NS (INT64_MAX / 4)

struct thread {
    uint32_t pid, tid;           /* strings, as they are written */
    uint32_t name, process_name; /* strings; 0: not told */
};

struct slice {
    int64_t start, end; /* ns */
    uint32_t thread, location;
    uint32_t order; /* in the file */
    char phase;
};

/* One CPU profile of V8. */
struct chunks {
    const struct trace *trace;
    uint32_t pid, id; /* strings */
    uint32_t thread;
    struct v8_profile v8;
    int64_t start_us, end_us;
};

struct trace {
    struct import *im;
    struct thread *threads;
    struct slice *slices;
    struct chunks **profiles;
    uint32_t thread_count, thread_cap, slice_count, slice_cap, profile_count, profile_cap;
    struct map by_thread, by_profile;
    uint32_t events_at, samples_at; /* values of slices and of V8's samples */
};

/* The fields of an event that are looked at. */
struct event {
    const struct jsondoc *phase, *name, *at, *duration, *pid, *tid, *id, *args;
};

static void take_fields(const struct jsondoc *object, struct event *e)
{
    static const struct {
        const char *key;
        size_t field;
    } fields[] = {
        {"ph", offsetof(struct event, phase)}, {"name", offsetof(struct event, name)},
        {"ts", offsetof(struct event, at)},    {"dur", offsetof(struct event, duration)},
        {"pid", offsetof(struct event, pid)},  {"tid", offsetof(struct event, tid)},
        {"id", offsetof(struct event, id)},    {"args", offsetof(struct event, args)},
    };
    *e = (struct event){0};
    const struct jsondoc *end = object + object->skip;
    for (const struct jsondoc *key = object + 1; key < end; key += 1 + key[1].skip)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (jsondoc_equals(key, fields[i].key))
                memcpy((char *)e + fields[i].field, &(const struct jsondoc *){key + 1}, sizeof key);
}

static uint32_t string_of(struct import *im, const struct jsondoc *v)
{
    struct text t = import_json_text(im, v);
    return t.n ? import_string(im, t) : 0;
}

static uint32_t find_thread(struct trace *t, const struct event *e)
{
    uint32_t pid = string_of(t->im, e->pid), tid = string_of(t->im, e->tid);
    uint64_t hash = hash_mix(pid, tid);
    struct map_probe at = map_find(&t->by_thread, hash);
    uint32_t i;
    while ((i = map_next(&t->by_thread, &at)) != MAP_NONE)
        if (t->threads[i].pid == pid && t->threads[i].tid == tid)
            return i;
    t->threads =
        import_grow(t->im, t->threads, t->thread_count, &t->thread_cap, sizeof *t->threads);
    t->threads[t->thread_count] = (struct thread){.pid = pid, .tid = tid};
    map_put(&t->by_thread, hash, t->thread_count);
    return t->thread_count++;
}

/* ---- the events, one function for a kind ---- */

static int add_slice(struct trace *t, const struct event *e)
{
    struct import *im = t->im;
    struct slice s = {.thread = find_thread(t, e), .order = t->slice_count};
    int64_t duration = 0;
    s.phase = e->phase->s[0];
    if (!jsondoc_decimal(e->at, 3, &s.start) || s.start < -TIME_MAX_NS || s.start > TIME_MAX_NS)
        return import_fail(im, "malformed trace: slice %u has no time", t->slice_count);
    if (jsondoc_is(e->duration, JSONDOC_NUMBER) &&
        (!jsondoc_decimal(e->duration, 3, &duration) || duration < 0 || duration > TIME_MAX_NS))
        return import_fail(im, "malformed trace: slice %u has an odd duration", t->slice_count);
    if (t->slice_count == LIMIT_PROFILE_TABLE)
        return import_fail(im, "the trace has more than %u slices", LIMIT_PROFILE_TABLE);
    s.end = s.phase == 'X' ? s.start + duration : s.start;
    if (s.phase != 'E') {
        struct text name = import_json_text(im, e->name);
        if (!name.n)
            name = (struct text){"(unnamed)", 9};
        s.location = import_line(im, import_function(im, name, (struct text){"", 0}), 0);
    }
    t->slices = import_grow(im, t->slices, t->slice_count, &t->slice_cap, sizeof s);
    t->slices[t->slice_count++] = s;
    return 0;
}

static int add_metadata(struct trace *t, const struct event *e)
{
    uint32_t name = string_of(t->im, jsondoc_get(e->args, "name"));
    if (jsondoc_equals(e->name, "thread_name")) {
        uint32_t thread = find_thread(t, e);
        t->threads[thread].name = name;
    } else if (jsondoc_equals(e->name, "process_name")) {
        uint32_t thread = find_thread(t, e);
        t->threads[thread].process_name = name;
    }
    return 0;
}

static struct chunks *find_profile(struct trace *t, const struct event *e)
{
    uint32_t pid = string_of(t->im, e->pid), id = string_of(t->im, e->id);
    uint64_t hash = hash_mix(pid, id);
    struct map_probe at = map_find(&t->by_profile, hash);
    uint32_t i;
    while ((i = map_next(&t->by_profile, &at)) != MAP_NONE)
        if (t->profiles[i]->pid == pid && t->profiles[i]->id == id)
            return t->profiles[i];
    map_put(&t->by_profile, hash, t->profile_count);
    t->profiles =
        import_grow(t->im, t->profiles, t->profile_count, &t->profile_cap, sizeof *t->profiles);
    struct chunks *c = arena_zalloc(&t->im->scratch, sizeof *c);
    c->trace = t;
    c->pid = pid;
    c->id = id;
    c->thread = find_thread(t, e);
    v8_init(&c->v8, t->im);
    return t->profiles[t->profile_count++] = c;
}

/* "Profile" comes from the thread that is sampled, its chunks from the one that samples. */
static int add_samples(struct trace *t, const struct event *e)
{
    bool chunk = jsondoc_equals(e->name, "ProfileChunk");
    if (!chunk && !jsondoc_equals(e->name, "Profile"))
        return 0;
    const struct jsondoc *data = jsondoc_get(e->args, "data"),
                         *profile = jsondoc_get(data, "cpuProfile");
    struct chunks *c = find_profile(t, e);
    if (!chunk) {
        c->thread = find_thread(t, e);
        c->start_us = jsondoc_integer(jsondoc_get(data, "startTime"), 0);
    }
    const struct jsondoc *end = jsondoc_get(data, "endTime");
    if (!end)
        end = jsondoc_get(profile, "endTime");
    c->end_us = jsondoc_integer(end, c->end_us);
    int rc = v8_add_nodes(&c->v8, jsondoc_get(profile, "nodes"));
    if (rc)
        return rc;
    return v8_add_samples(&c->v8, jsondoc_get(profile, "samples"), jsondoc_get(data, "timeDeltas"));
}

static int read_event(struct trace *t, const struct jsondoc *object)
{
    struct event e;
    if (!jsondoc_is(object, JSONDOC_OBJECT))
        return 0;
    take_fields(object, &e);
    if (!jsondoc_is(e.phase, JSONDOC_STRING) || e.phase->n != 1)
        return 0;
    switch (e.phase->s[0]) {
    case 'B':
    case 'E':
    case 'X': return add_slice(t, &e);
    case 'M': return add_metadata(t, &e);
    case 'P': return add_samples(t, &e);
    default: return 0; /* instants, counters, flows, what is asynchronous */
    }
}

/* ---- from slices to stacks ---- */

static int by_thread_and_time(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Outer slices before inner ones that begin with them. */
static int by_nesting(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Gives the B slices of one thread their ends and takes out the E's; the new count. */
static uint32_t match_ends(struct slice *s, uint32_t count, uint32_t *open)
{
    uint32_t depth = 0, kept = 0;
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < count; i++)
        last = s[i].end > last ? s[i].end : last;
    for (uint32_t i = 0; i < count; i++) {
        if (s[i].phase == 'B')
            open[depth++] = i;
        else if (s[i].phase == 'E' && depth)
            s[open[--depth]].end = s[i].start;
    }
    while (depth)
        s[open[--depth]].end = last;
    for (uint32_t i = 0; i < count; i++)
        if (s[i].phase != 'E')
            s[kept++] = s[i];
    return kept;
}

static void label_thread(struct import *im, const void *of)
{
    const struct thread *thread = of;
    static const char *const numbers[] = {"pid", "tid"}, *const names[] = {"process", "thread"};
    const uint32_t ids[] = {thread->pid, thread->tid};
    const uint32_t texts[] = {thread->process_name, thread->name};
    for (int i = 0; i < 2; i++) {
        struct profile_str id = im->p->strings[ids[i]], name = im->p->strings[texts[i]];
        int64_t number;
        if (name.len)
            import_label(im, names[i], (struct text){name.ptr, name.len});
        if (import_int(im, (struct text){id.ptr, id.len}, 10, &number))
            import_number(im, numbers[i], number);
        else if (id.len)
            import_label(im, numbers[i], (struct text){id.ptr, id.len});
    }
}

/* The slices of one thread, sorted by time. */
static void add_thread(struct trace *t, struct slice *s, uint32_t count)
{
    struct import *im = t->im;
    struct open {
        uint32_t node;
        int64_t end;
    } *open = arena_array(&im->scratch, count, sizeof *open);
    struct call_tree tree;
    uint32_t depth = 0;
    call_tree_init(&tree, im);
    count = match_ends(s, count, arena_array(&im->scratch, count, sizeof(uint32_t)));
    sort_list(s, count, sizeof *s, by_nesting);
    for (uint32_t i = 0; i < count; i++) {
        while (depth && open[depth - 1].end <= s[i].start)
            depth--;
        uint32_t caller = depth ? open[depth - 1].node : CALL_TREE_ROOT;
        int64_t end = depth && open[depth - 1].end < s[i].end ? open[depth - 1].end : s[i].end;
        uint32_t node = call_tree_call(&tree, caller, s[i].location);
        tree.nodes[node].hits++;
        tree.nodes[node].value += end - s[i].start;
        if (depth)
            tree.nodes[caller].value -= end - s[i].start;
        open[depth++] = (struct open){node, end};
    }
    call_tree_finish(&tree, &(struct call_tree_samples){t->events_at, t->events_at + 1,
                                                        label_thread, &t->threads[s->thread]});
}

static const struct thread *named_thread(const struct trace *t, const struct map *by_pid,
                                         uint32_t pid)
{
    struct map_probe at = map_find(by_pid, hash_mix(0, pid));
    uint32_t i;
    while ((i = map_next(by_pid, &at)) != MAP_NONE)
        if (t->threads[i].pid == pid)
            return &t->threads[i];
    return NULL;
}

/* A process' name is told once, for one of its threads. */
static void spread_process_names(struct trace *t)
{
    struct map by_pid;
    map_init(&by_pid, &t->im->scratch, 0);
    for (uint32_t i = 0; i < t->thread_count; i++)
        if (t->threads[i].process_name && !named_thread(t, &by_pid, t->threads[i].pid))
            map_put(&by_pid, hash_mix(0, t->threads[i].pid), i);
    for (uint32_t i = 0; i < t->thread_count; i++) {
        const struct thread *named = named_thread(t, &by_pid, t->threads[i].pid);
        if (named)
            t->threads[i].process_name = named->process_name;
    }
}

static void add_slices(struct trace *t)
{
    struct profile *p = t->im->p;
    t->events_at = p->sample_type_count;
    import_sample_type(t->im, "events", "count");
    import_sample_type(t->im, "wall", "nanoseconds");
    sort_list(t->slices, t->slice_count, sizeof *t->slices, by_thread_and_time);
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0, n; i < t->slice_count; i += n) {
        for (n = 0; i + n < t->slice_count && t->slices[i + n].thread == t->slices[i].thread; n++) {
            const struct slice *s = &t->slices[i + n];
            first = s->start < first ? s->start : first;
            last = s->end > last ? s->end : last;
        }
        add_thread(t, &t->slices[i], n);
    }
    p->duration_nanos = last - first;
}

/* More than one profile of a thread at a time is told apart by its id. */
static void label_profile(struct import *im, const void *of)
{
    const struct chunks *c = of;
    struct profile_str id = im->p->strings[c->id];
    label_thread(im, &c->trace->threads[c->thread]);
    if (c->trace->profile_count > 1 && id.len)
        import_label(im, "profile", (struct text){id.ptr, id.len});
}

static void add_profiles(struct trace *t)
{
    struct import *im = t->im;
    int64_t samples = 0, span_us = 0;
    t->samples_at = im->p->sample_type_count;
    import_sample_type(im, "samples", "count");
    import_sample_type(im, "cpu", "nanoseconds");
    for (uint32_t i = 0; i < t->profile_count; i++) {
        struct chunks *c = t->profiles[i];
        int64_t span = 0, last;
        for (uint32_t k = 0; k < c->v8.sample_count; k++)
            if (__builtin_add_overflow(span, c->v8.samples[k].delta_us, &span))
                span = 0;
        /* Without an end the last sample is it. */
        if (c->end_us > 0 && !__builtin_sub_overflow(c->end_us, c->start_us, &last) && last > span)
            span = last;
        samples += c->v8.sample_count;
        if (span > 0 && span < INT64_MAX / 1000 - span_us)
            span_us += span;
        if (span < INT64_MAX / 1000 && span * 1000 > im->p->duration_nanos)
            im->p->duration_nanos = span * 1000;
        v8_finish(&c->v8, span,
                  &(struct call_tree_samples){t->samples_at, t->samples_at + 1, label_profile, c});
    }
    import_period(im, "cpu", "nanoseconds", samples ? span_us / samples * 1000 : 0);
}

int import_chrome_trace(struct import *im)
{
    struct trace t = {.im = im};
    const struct jsondoc *root;
    int rc = import_json(im, "\"ph\"", &root);
    if (rc)
        return rc;
    const struct jsondoc *events =
        jsondoc_is(root, JSONDOC_ARRAY) ? root : jsondoc_get(root, "traceEvents");
    const struct jsondoc *first = jsondoc_first(events);
    if (!jsondoc_is(events, JSONDOC_ARRAY) || (events == root && !jsondoc_get(first, "ph")))
        return IMPORT_UNKNOWN;
    import_string(im, (struct text){"", 0});
    map_init(&t.by_thread, &im->scratch, 0);
    map_init(&t.by_profile, &im->scratch, 0);
    for (const struct jsondoc *e = first; e && !rc; e = jsondoc_next(events, e))
        rc = read_event(&t, e);
    if (rc)
        return rc;
    if (!t.slice_count && !t.profile_count)
        return import_fail(im, "the trace has neither slices (B, E and X events) nor a CPU "
                               "profile: there are no stacks in it");
    spread_process_names(&t);
    if (t.slice_count)
        add_slices(&t);
    import_period(im, "wall", "nanoseconds", 1);
    if (t.profile_count)
        add_profiles(&t);
    return 0;
}
