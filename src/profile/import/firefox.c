/* SPDX-License-Identifier: MIT
 *
 * Profiles as the Firefox Profiler keeps them and samply writes them (the "processed profile
 * format", of all versions so far): threads with tables in columns. A sample names a stack, a stack
 * its caller and a frame, a frame a function and a line; a function's name is a string of a list,
 * and its resource leads to the library it is in. Since version 56 what threads have in common may
 * stand in "shared". Samples weigh as the file says: 1, a count, milliseconds, or bytes.
 *
 * samply leaves the names to whoever shows the profile: a function is called as its address in its
 * library then. Such a frame is made an address, and each library a mapping with its build id, so
 * that it is named from the binary, as the addresses of any other profile. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

/* Libraries lie one after another, at distances that no library reaches. */
#define LIBRARY_BYTES (1ull << 40)

/* A column of a table: numbers, -1 where there is none. */
struct column {
    int64_t *at;
    uint32_t count;
};

struct tables {
    struct column stack_prefix, stack_frame, stack_category;
    struct column frame_func, frame_line, frame_address, frame_category;
    struct column func_name, func_file, func_source, func_resource;
    struct column resource_lib, source_file;
    struct column strings;   /* strings of the profile */
    struct column locations; /* of frames; -1: not made yet */
};

struct reader {
    struct import *im;
    const struct jsondoc *root, *shared;
    struct tables common;     /* those of "shared" */
    struct column categories; /* their names, strings of the profile */
    int64_t default_category; /* -1: there are no categories */
    int64_t interval_ns;
    uint32_t library_count; /* mappings */
    bool *has_unnamed;      /* of each library: it waits for its names */
    int64_t cpu_unit_ns;    /* of "threadCPUDelta"; 0: no time */
    /* Places among the values; 0: nothing of the kind is in the profile. */
    uint32_t time_at, space_at, cpu_at;
    int64_t first_ns, last_ns;
};

static int64_t cell(const struct column *c, int64_t i)
{
    return i >= 0 && i < c->count ? c->at[i] : -1;
}

static struct column make_column(struct import *im, uint32_t count)
{
    return (struct column){arena_array(&im->scratch, count, sizeof(int64_t)), count};
}

static struct column read_numbers(struct import *im, const struct jsondoc *list)
{
    struct column c = make_column(im, jsondoc_count(list));
    uint32_t i = 0;
    for (const struct jsondoc *v = jsondoc_first(list); v; v = jsondoc_next(list, v))
        c.at[i++] = jsondoc_integer(v, -1);
    return c;
}

static struct column read_strings(struct import *im, const struct jsondoc *list)
{
    struct column c = make_column(im, jsondoc_count(list));
    uint32_t i = 0;
    for (const struct jsondoc *v = jsondoc_first(list); v; v = jsondoc_next(list, v)) {
        struct text t = import_json_text(im, v);
        c.at[i++] = t.n ? import_string(im, t) : 0;
    }
    return c;
}

/* ---- tables ---- */

static const struct {
    const char *table, *column;
    size_t field;
} columns[] = {
    {"stackTable", "prefix", offsetof(struct tables, stack_prefix)},
    {"stackTable", "frame", offsetof(struct tables, stack_frame)},
    {"stackTable", "category", offsetof(struct tables, stack_category)},
    {"frameTable", "func", offsetof(struct tables, frame_func)},
    {"frameTable", "line", offsetof(struct tables, frame_line)},
    {"frameTable", "address", offsetof(struct tables, frame_address)},
    {"frameTable", "category", offsetof(struct tables, frame_category)},
    {"funcTable", "name", offsetof(struct tables, func_name)},
    {"funcTable", "fileName", offsetof(struct tables, func_file)},
    {"funcTable", "source", offsetof(struct tables, func_source)},
    {"funcTable", "resource", offsetof(struct tables, func_resource)},
    {"resourceTable", "lib", offsetof(struct tables, resource_lib)},
    {"sources", "filename", offsetof(struct tables, source_file)},
};

/* The tables of `from`, a thread or "shared"; what it has not, stays as it is in `t`. */
static void read_tables(struct import *im, const struct jsondoc *from, struct tables *t)
{
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const struct jsondoc *table = jsondoc_get(from, columns[i].table);
        struct column c = {0};
        if (!table)
            continue;
        c = read_numbers(im, jsondoc_get(table, columns[i].column));
        memcpy((char *)t + columns[i].field, &c, sizeof c);
    }
    const struct jsondoc *strings = jsondoc_get(from, "stringArray");
    if (!strings)
        strings = jsondoc_get(from, "stringTable");
    if (strings)
        t->strings = read_strings(im, strings);
    if (jsondoc_get(from, "frameTable") || jsondoc_get(from, "funcTable") || strings) {
        t->locations = make_column(im, t->frame_func.count);
        memset(t->locations.at, 0xff, t->locations.count * sizeof *t->locations.at);
    }
}

static struct text text_at(const struct reader *r, const struct tables *t, int64_t string)
{
    int64_t i = cell(&t->strings, string);
    struct profile_str s = r->im->p->strings[i > 0 ? i : 0];
    return (struct text){s.ptr, s.len};
}

/* ---- libraries ---- */

static int read_libraries(struct reader *r, const struct jsondoc *libs)
{
    struct import *im = r->im;
    if (jsondoc_count(libs) >= UINT64_MAX / LIBRARY_BYTES)
        return import_fail(im, "malformed Firefox profile: too many libraries");
    r->has_unnamed = arena_zarray(&im->scratch, jsondoc_count(libs), sizeof *r->has_unnamed);
    for (const struct jsondoc *lib = jsondoc_first(libs); lib; lib = jsondoc_next(libs, lib)) {
        struct text path = import_json_text(im, jsondoc_get(lib, "path"));
        struct text build_id = import_json_text(im, jsondoc_get(lib, "codeId"));
        struct profile_mapping m = {0};
        if (!path.n)
            path = import_json_text(im, jsondoc_get(lib, "name"));
        m.file = path.n ? import_string(im, path) : 0;
        m.build_id = build_id.n ? import_string(im, build_id) : 0;
        m.start = ++r->library_count * LIBRARY_BYTES;
        m.limit = m.start;
        import_mapping(im, &m);
    }
    return 0;
}

/* ---- frames ---- */

/* "0x1234", which is the frame's address: nobody has named it yet. */
static bool is_unnamed(struct text name, int64_t address)
{
    uint64_t v;
    return text_starts(name, "0x") && import_hex(text_from(name, 2), &v) && v == (uint64_t)address;
}

static uint32_t make_location(struct reader *r, const struct tables *t, int64_t frame)
{
    struct import *im = r->im;
    int64_t func = cell(&t->frame_func, frame), address = cell(&t->frame_address, frame);
    int64_t lib = cell(&t->resource_lib, cell(&t->func_resource, func));
    int64_t line = cell(&t->frame_line, frame);
    int64_t file = cell(&t->func_file, func);
    uint32_t mapping = lib >= 0 && lib < r->library_count ? (uint32_t)lib : PROFILE_NONE;
    struct text name = text_at(r, t, cell(&t->func_name, func));
    if (file < 0)
        file = cell(&t->source_file, cell(&t->func_source, func));
    if (mapping != PROFILE_NONE && address >= 0 && (uint64_t)address < LIBRARY_BYTES - 4096 &&
        is_unnamed(name, address)) {
        struct profile_mapping *m = &im->p->mappings[mapping];
        uint64_t end = m->start + ((uint64_t)address / 4096 + 1) * 4096;
        uint32_t location = import_location(im, m->start + (uint64_t)address);
        m->limit = end > m->limit ? end : m->limit;
        r->has_unnamed[mapping] = true;
        im->locations[location].mapping = mapping;
        return location;
    }
    if (mapping != PROFILE_NONE)
        im->p->mappings[mapping].has_functions = true;
    if (!name.n)
        name = (struct text){"(unnamed)", 9};
    return import_line_in(im, import_function(im, name, text_at(r, t, file)), line > 0 ? line : 0,
                          mapping);
}

static uint32_t location_of(struct reader *r, struct tables *t, int64_t frame)
{
    if (cell(&t->locations, frame) < 0)
        t->locations.at[frame] = make_location(r, t, frame);
    return (uint32_t)t->locations.at[frame];
}

/* The category of a stack is that of its frame, else its caller's. */
static int64_t category_of(const struct reader *r, const struct tables *t, int64_t stack)
{
    for (uint32_t i = 0; stack >= 0 && i < LIMIT_STACK_DEPTH_READ; i++) {
        int64_t c = cell(&t->stack_category, stack);
        if (c < 0)
            c = cell(&t->frame_category, cell(&t->stack_frame, stack));
        if (c >= 0)
            return c;
        stack = cell(&t->stack_prefix, stack);
    }
    return r->default_category;
}

static int add_stack(struct reader *r, struct tables *t, int64_t stack)
{
    struct import *im = r->im;
    for (uint32_t depth = 0; stack >= 0 && depth < LIMIT_STACK_DEPTH_READ; depth++) {
        int64_t frame = cell(&t->stack_frame, stack), caller = cell(&t->stack_prefix, stack);
        if (frame < 0 || frame >= t->locations.count || caller >= stack)
            return import_fail(im, "malformed Firefox profile: stack %lld leads nowhere",
                               (long long)stack);
        import_frame(im, location_of(r, t, frame));
        stack = caller;
    }
    return 0;
}

/* ---- threads ---- */

struct thread {
    const struct jsondoc *json, *samples;
    struct tables tables;
    uint32_t *sample_of; /* by stack; UINT32_MAX: none yet */
    bool is_time, is_space;
};

static void label_sample(struct reader *r, const struct thread *t, int64_t stack)
{
    static const char *const names[][2] = {{"processName", "process"}, {"name", "thread"}};
    static const char *const numbers[] = {"pid", "tid"};
    struct import *im = r->im;
    int64_t category = category_of(r, &t->tables, stack), number;
    if (cell(&r->categories, category) > 0) {
        struct profile_str s = im->p->strings[r->categories.at[category]];
        import_label(im, "category", (struct text){s.ptr, s.len});
    }
    for (int i = 0; i < 2; i++) {
        struct text name = import_json_text(im, jsondoc_get(t->json, names[i][0]));
        struct text id = import_json_text(im, jsondoc_get(t->json, numbers[i]));
        if (name.n)
            import_label(im, names[i][1], name);
        if (import_int(im, id, 10, &number))
            import_number(im, numbers[i], number);
        else if (id.n)
            import_label(im, numbers[i], id);
    }
}

static void add_to(int64_t *sum, int64_t value)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

/* Adds one row of the samples to the sample of its stack. */
static int add_row(struct reader *r, struct thread *t, int64_t stack, const struct jsondoc *weight,
                   int64_t cpu)
{
    struct import *im = r->im;
    int64_t number = 1, scaled = 0;
    if (stack < 0)
        return 0; /* nothing ran */
    if (stack >= t->tables.stack_frame.count)
        return import_fail(im, "malformed Firefox profile: there is no stack %lld",
                           (long long)stack);
    if (t->sample_of[stack] == UINT32_MAX) {
        t->sample_of[stack] = im->sample_count;
        import_sample(im);
        int rc = add_stack(r, &t->tables, stack);
        if (rc)
            return rc;
        label_sample(r, t, stack);
    }
    int64_t *values = im->samples[t->sample_of[stack]].values;
    if (t->is_time || t->is_space) {
        jsondoc_decimal(weight, t->is_time ? 6 : 0, &scaled);
        add_to(&values[t->is_time ? r->time_at : r->space_at], scaled);
    } else {
        number = jsondoc_integer(weight, 1);
        if (r->time_at)
            add_to(&values[r->time_at], (int64_t)((uint64_t)number * (uint64_t)r->interval_ns));
    }
    add_to(&values[0], number);
    if (r->cpu_at && cpu > 0)
        add_to(&values[r->cpu_at], (int64_t)((uint64_t)cpu * (uint64_t)r->cpu_unit_ns));
    return 0;
}

static void note_times(struct reader *r, const struct jsondoc *samples)
{
    const struct jsondoc *times = jsondoc_get(samples, "time");
    const struct jsondoc *deltas = times ? NULL : jsondoc_get(samples, "timeDeltas");
    const struct jsondoc *list = times ? times : deltas;
    int64_t at = 0, ns;
    for (const struct jsondoc *v = jsondoc_first(list); v; v = jsondoc_next(list, v)) {
        if (!jsondoc_decimal(v, 6, &ns) || (deltas && __builtin_add_overflow(at, ns, &ns)))
            continue;
        at = ns;
        r->first_ns = at < r->first_ns ? at : r->first_ns;
        r->last_ns = at > r->last_ns ? at : r->last_ns;
    }
}

static int read_thread(struct reader *r, const struct jsondoc *json)
{
    struct import *im = r->im;
    struct thread t = {.json = json, .samples = jsondoc_get(json, "samples"), .tables = r->common};
    const struct jsondoc *stacks = jsondoc_get(t.samples, "stack");
    const struct jsondoc *weights = jsondoc_get(t.samples, "weight"), *w = jsondoc_first(weights);
    const struct jsondoc *cpus = jsondoc_get(t.samples, "threadCPUDelta"), *c = jsondoc_first(cpus);
    const struct jsondoc *type = jsondoc_get(t.samples, "weightType");
    if (!jsondoc_is(stacks, JSONDOC_ARRAY))
        return 0;
    read_tables(im, json, &t.tables);
    t.is_time = jsondoc_equals(type, "tracing-ms");
    t.is_space = jsondoc_equals(type, "bytes");
    t.sample_of = arena_array(&im->scratch, t.tables.stack_frame.count, sizeof *t.sample_of);
    memset(t.sample_of, 0xff, t.tables.stack_frame.count * sizeof *t.sample_of);
    note_times(r, t.samples);
    for (const struct jsondoc *s = jsondoc_first(stacks); s; s = jsondoc_next(stacks, s)) {
        int rc = add_row(r, &t, jsondoc_integer(s, -1), w, jsondoc_integer(c, 0));
        if (rc)
            return rc;
        w = w ? jsondoc_next(weights, w) : NULL;
        c = c ? jsondoc_next(cpus, c) : NULL;
        if (im->has_too_many)
            break;
    }
    return 0;
}

/* ---- the whole ---- */

static void read_meta(struct reader *r, const struct jsondoc *meta)
{
    struct import *im = r->im;
    const struct jsondoc *list = jsondoc_get(meta, "categories"),
                         *units = jsondoc_get(meta, "sampleUnits");
    const struct jsondoc *cpu = jsondoc_get(units, "threadCPUDelta");
    uint32_t i = 0;
    r->categories = make_column(im, jsondoc_count(list));
    r->default_category = -1;
    for (const struct jsondoc *c = jsondoc_first(list); c; c = jsondoc_next(list, c), i++) {
        struct text name = import_json_text(im, jsondoc_get(c, "name"));
        r->categories.at[i] = name.n ? import_string(im, name) : 0;
        if (r->default_category < 0 && jsondoc_equals(jsondoc_get(c, "color"), "grey"))
            r->default_category = i;
    }
    r->cpu_unit_ns = jsondoc_equals(cpu, "ns")                                      ? 1
                     : jsondoc_equals(cpu, "µs") || jsondoc_equals(cpu, "\\u00b5s") ? 1000
                                                                                    : 0;
    if (!jsondoc_decimal(jsondoc_get(meta, "interval"), 6, &r->interval_ns) || r->interval_ns < 0 ||
        jsondoc_equals(jsondoc_get(units, "time"), "bytes"))
        r->interval_ns = 0;
    int64_t start;
    if (jsondoc_decimal(jsondoc_get(meta, "startTime"), 6, &start))
        im->p->time_nanos = start;
}

/* What the threads' samples are measured in: values stand in the order samples, time, space, cpu.
 */
static void make_types(struct reader *r, const struct jsondoc *threads)
{
    struct import *im = r->im;
    bool time = false, space = false, cpu = false;
    for (const struct jsondoc *t = jsondoc_first(threads); t; t = jsondoc_next(threads, t)) {
        const struct jsondoc *samples = jsondoc_get(t, "samples"),
                             *type = jsondoc_get(samples, "weightType");
        bool bytes = jsondoc_equals(type, "bytes");
        space |= bytes;
        time |= jsondoc_equals(type, "tracing-ms") || (!bytes && r->interval_ns);
        cpu |= r->cpu_unit_ns && jsondoc_first(jsondoc_get(samples, "threadCPUDelta"));
    }
    import_sample_type(im, "samples", "count");
    if (time) {
        r->time_at = im->p->sample_type_count;
        import_sample_type(im, "time", "nanoseconds");
    }
    if (space) {
        r->space_at = im->p->sample_type_count;
        import_sample_type(im, "space", "bytes");
    }
    if (cpu) {
        r->cpu_at = im->p->sample_type_count;
        import_sample_type(im, "cpu", "nanoseconds");
    }
    if (r->interval_ns)
        import_period(im, "time", "nanoseconds", r->interval_ns);
}

int import_firefox(struct import *im)
{
    struct reader r = {.im = im, .first_ns = INT64_MAX, .last_ns = INT64_MIN};
    int rc = import_json(im, "\"stackTable\"", &r.root);
    if (rc)
        return rc;
    const struct jsondoc *meta = jsondoc_get(r.root, "meta"),
                         *threads = jsondoc_get(r.root, "threads");
    if (!jsondoc_is(meta, JSONDOC_OBJECT) || !jsondoc_is(threads, JSONDOC_ARRAY))
        return IMPORT_UNKNOWN;
    if (jsondoc_get(jsondoc_get(jsondoc_get(jsondoc_first(threads), "samples"), "schema"), "stack"))
        return import_fail(im, "this is a profile as Firefox itself writes it; open it at "
                               "profiler.firefox.com and save it there, which gives it the form "
                               "that is read");
    import_string(im, (struct text){"", 0});
    read_meta(&r, meta);
    make_types(&r, threads);
    rc = read_libraries(&r, jsondoc_get(r.root, "libs"));
    r.shared = jsondoc_get(r.root, "shared");
    if (r.shared)
        read_tables(im, r.shared, &r.common);
    for (const struct jsondoc *t = jsondoc_first(threads); t && !rc; t = jsondoc_next(threads, t))
        rc = read_thread(&r, t);
    for (uint32_t i = 0; i < r.library_count; i++)
        im->p->mappings[i].has_functions &= !r.has_unnamed[i];
    if (r.last_ns > r.first_ns &&
        __builtin_sub_overflow(r.last_ns, r.first_ns, &im->p->duration_nanos))
        im->p->duration_nanos = 0;
    return rc;
}
