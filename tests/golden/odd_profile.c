/* SPDX-License-Identifier: MIT
 *
 * Each odd thing is one feature, on or off by the seed, so that a difference can be traced to few
 * of them; texts come from lists of what has its own rule somewhere: in quoting, in shortening of
 * names, in units, in paths. */
#include "odd_profile.h"

#include "../unit/profile_support.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Longer than a column of any report. */
#define LONG_NAME                                                                                  \
    "very_long_name_very_long_name_very_long_name_very_long_name_"                                 \
    "very_long_name_very_long_name_very_long_name_very_long_name"

static const char *const names[] = {
    "main.main",
    "runtime.mallocgc",
    "example.com/acme/v3/orders.(*Tree[...]).Insert",
    "github.com/long-org/very.long/lib/v12/codec.Encode.func1",
    "std::vector<int>::push_back(int&&)",
    "ns::(anonymous namespace)::Class::method<A, B>(C::D)",
    "(anonymous namespace)::helper()",
    "ns::Class::~Class",
    "_Internal::__Cls::operator()",
    "java.util.HashMap.put(Object)",
    "com.acme.Outer$Inner.<init>",
    "org.Cls.lambda$run$0",
    "say \"hello\" \\ world",
    "two\nlines",
    "日本語.関数",
    "caf\xc3\xa9::\xff\xfe",
    "",
    "a",
    "a b c",
    "[kernel]",
    "0",
    "-dash",
    "x.y/z.w",
    "operator new(unsigned long)",
    "f<a::b>::g",
    "core::ptr::drop_in_place<T>",
    "<impl at src/lib.rs:3:1>::run",
    "namespace::func",
    "::global",
    LONG_NAME,
};

static const char *const files[] = {
    "",
    "/src/main.go",
    "/proc/self/cwd/./lib/a.cc",
    "/proc/self/cwd/b/../c.h",
    "rel/./path//d.c",
    "/a \"b\"/c\\d.cc",
    "日本/ファイル.rs",
    "C:\\win\\x.cpp",
    "../up.c",
    "/",
    "//x//y/",
    "no_ext",
};

static const char *const types[] = {
    "samples",     "cpu",   "alloc_space", "inuse_space", "inuse_objects", "delay",
    "contentions", "space", "objects",     "wall time",   "日本",
};

static const char *const units[] = {
    "count",   "nanoseconds", "bytes",        "",         "kilobytes", "MB",
    "seconds", "us",          "ms",           "GCU",      "bogus",     "cycles",
    "hr",      "Nanoseconds", "microseconds", "milligcu", "\xce\xbcs",
};

static const char *const keys[] = {
    "bytes",          "tenant", "request", "alignment",   "size",       "stage",
    "key with blank", "日本",   "a=b",     "pprof::base", "latency_ms",
};

static const char *const values[] = {
    "alpha", "beta", "", "true", "a:b", "x\ny", "quote\"d", "日本", "1kb", "back\\slash",
};

static const char *const label_units[] = {"", "bytes", "kilobytes", "ms", "bogus", "requests"};

static const char *const mapping_files[] = {
    "",       "/usr/bin/server",    "/usr/lib/libc.so.6",
    "[vdso]", "relative.bin",       "/path with blank/b\"in",
    "//anon", "/memfd:x (deleted)", "[kernel.kallsyms]",
};

enum feature {
    NO_SAMPLES,
    NO_MAPPINGS,
    NO_LINES,
    NEGATIVE,
    HUGE_VALUES,
    SMALL_VALUES,
    RECURSIVE,
    INLINED,
    LABELS,
    NUMBERS,
    MANY_BYTES,
    COLUMNS,
    DROPPED,
    COMMENTS,
    TIMES,
    DEFAULT_TYPE,
    ADDRESSES,
    EMPTY_STACKS,
    ZEROS,
    DEEP,
    FEATURES
};

struct odd {
    struct profile *p;
    uint64_t state;
    bool has[FEATURES];
};

static uint32_t below(struct odd *o, size_t n)
{
    return (uint32_t)((random_next(&o->state) >> 20) % n);
}

static uint32_t pick(struct odd *o, const char *const *list, size_t n)
{
    return profile_intern_cstr(o->p, list[below(o, n)]);
}

static int64_t any_value(struct odd *o)
{
    int64_t v = o->has[SMALL_VALUES]  ? 1 + below(o, 5)
                : o->has[HUGE_VALUES] ? (int64_t)(random_next(&o->state) >> below(o, 40))
                                      : 10000000 * (int64_t)(1 + below(o, 400));
    if (o->has[ZEROS] && !below(o, 3))
        v = 0;
    return o->has[NEGATIVE] && below(o, 2) ? -v : v;
}

static void make_header(struct odd *o)
{
    struct profile *p = o->p;
    uint32_t n = 1 + below(o, 4);
    p->sample_types = arena_array(&p->arena, n, sizeof *p->sample_types);
    for (uint32_t i = 0; i < n; i++)
        p->sample_types[i] = (struct profile_value_type){
            profile_intern_cstr(p, types[(below(o, 3) + i * 3) % COUNT(types)]),
            pick(o, units, COUNT(units))};
    p->sample_type_count = n;
    if (o->has[DEFAULT_TYPE])
        p->default_sample_type =
            below(o, 4) ? p->sample_types[below(o, n)].type : profile_intern_cstr(p, "nosuch");
    if (o->has[TIMES]) {
        p->time_nanos = 1700000000000000000 + (int64_t)below(o, 1000000) * 123456789;
        p->duration_nanos = (int64_t)(random_next(&o->state) >> (20 + below(o, 30)));
        p->period = below(o, 3) ? 10000000 : -5;
        p->period_type = p->sample_types[0];
    }
    if (o->has[DROPPED]) {
        p->drop_frames = profile_intern_cstr(p, below(o, 4) ? "runtime\\..*|f<.*" : "(");
        p->keep_frames = below(o, 2) ? profile_intern_cstr(p, "main.*") : 0;
    }
    if (o->has[COMMENTS]) {
        p->comments = arena_array(&p->arena, 3, sizeof *p->comments);
        p->comments[0] = profile_intern_cstr(p, "a comment");
        p->comments[1] = profile_intern_cstr(p, "#hidden");
        p->comments[2] = profile_intern_cstr(p, below(o, 2) ? "two\nlines \"quoted\"" : "");
        p->comment_count = 3;
        p->doc_url = profile_intern_cstr(p, "https://example.com/doc?a=b");
    }
}

static void make_mappings(struct odd *o)
{
    struct profile *p = o->p;
    uint32_t n = o->has[NO_MAPPINGS] ? 0 : 1 + below(o, 4);
    p->mappings = arena_zarray(&p->arena, n, sizeof *p->mappings);
    for (uint32_t i = 0; i < n; i++)
        p->mappings[i] = (struct profile_mapping){
            .id = i + 1,
            .start = 0x1000000ull * (i + 1),
            .limit = 0x1000000ull * (i + 1) + 0x800000,
            .offset = below(o, 2) * 0x1000,
            .file = pick(o, mapping_files, COUNT(mapping_files)),
            .build_id = below(o, 2) ? 0 : profile_intern_cstr(p, "abcdef0123456789"),
            .has_functions = true,
            .has_filenames = below(o, 2),
            .has_line_numbers = below(o, 2),
            .has_inline_frames = below(o, 2)};
    p->mapping_count = n;
}

static void make_functions(struct odd *o, uint32_t n)
{
    struct profile *p = o->p;
    p->functions = arena_zarray(&p->arena, n, sizeof *p->functions);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t name = pick(o, names, COUNT(names));
        p->functions[i] = (struct profile_function){.id = i + 1,
                                                    .name = name,
                                                    .system_name = below(o, 3) ? name : 0,
                                                    .file = pick(o, files, COUNT(files)),
                                                    .start_line = below(o, 50)};
    }
    p->function_count = n;
}

static void make_locations(struct odd *o, uint32_t n)
{
    struct profile *p = o->p;
    p->locations = arena_zarray(&p->arena, n, sizeof *p->locations);
    p->lines = arena_zarray(&p->arena, (size_t)n * 4, sizeof *p->lines);
    for (uint32_t i = 0; i < n; i++) {
        struct profile_location *l = &p->locations[i];
        l->id = i + 1;
        l->mapping = p->mapping_count && below(o, 8) ? below(o, p->mapping_count) : PROFILE_NONE;
        l->address = o->has[ADDRESSES] || !below(o, 3)
                         ? 0x1000000ull * (below(o, 4) + 1) + below(o, 4096)
                         : 0;
        l->line_first = p->line_count;
        bool bare = o->has[NO_LINES] && below(o, 3);
        l->line_count = bare ? 0 : 1 + (o->has[INLINED] ? below(o, 4) : 0);
        for (uint32_t k = 0; k < l->line_count; k++)
            p->lines[p->line_count++] =
                (struct profile_line){.line = below(o, 5) ? 1 + below(o, 60) : 0,
                                      .column = o->has[COLUMNS] ? below(o, 20) : 0,
                                      .function = below(o, p->function_count)};
    }
    p->location_count = n;
}

static void add_label(struct odd *o, bool number)
{
    struct profile *p = o->p;
    struct profile_label *l = &p->labels[p->label_count++];
    *l = (struct profile_label){.key = pick(o, keys, COUNT(keys))};
    if (o->has[MANY_BYTES] && number)
        l->key = profile_intern_cstr(p, "bytes");
    if (number) {
        l->num = (int64_t)(random_next(&o->state) >> (40 + below(o, 23))) - 2 * below(o, 2);
        l->num_unit = below(o, 2) ? pick(o, label_units, COUNT(label_units)) : 0;
        if (!l->num && !l->num_unit)
            l->num = 1; /* else it is a text's label, to pprof */
    } else {
        l->str = pick(o, values, COUNT(values));
        if (!l->str)
            l->str = profile_intern_cstr(p, "gamma");
    }
}

static void make_samples(struct odd *o)
{
    enum { LABELS_MAX = 6 };
    struct profile *p = o->p;
    uint32_t n = o->has[NO_SAMPLES] ? 0 : 1 + below(o, 120), depth = o->has[DEEP] ? 60 : 8;
    p->sample_loc_end = arena_array(&p->arena, n, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_array(&p->arena, n, sizeof *p->sample_label_end);
    p->loc_refs = arena_array(&p->arena, (size_t)n * depth, sizeof *p->loc_refs);
    p->values = arena_array(&p->arena, (size_t)n * p->sample_type_count, sizeof *p->values);
    p->labels = arena_array(&p->arena, (size_t)n * LABELS_MAX, sizeof *p->labels);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t frames = o->has[EMPTY_STACKS] && !below(o, 4) ? 0 : 1 + below(o, depth);
        for (uint32_t k = 0, last = 0; k < frames; k++) {
            if (!o->has[RECURSIVE] || !k || below(o, 2))
                last = (below(o, p->location_count) + k) % p->location_count;
            p->loc_refs[p->loc_ref_count++] = last;
        }
        p->sample_loc_end[i] = p->loc_ref_count;
        for (uint32_t t = 0; t < p->sample_type_count; t++)
            p->values[(size_t)i * p->sample_type_count + t] = any_value(o);
        for (uint32_t k = o->has[LABELS] ? below(o, 4) : 0; k; k--)
            add_label(o, false);
        for (uint32_t k = o->has[NUMBERS] ? below(o, 3) : 0; k; k--)
            add_label(o, true);
        p->sample_label_end[i] = p->label_count;
    }
    p->sample_count = n;
}

void odd_profile(struct profile *p, uint64_t seed)
{
    struct odd o = {.p = p, .state = seed * 0x9e3779b97f4a7c15ull + 1};
    profile_init(p);
    for (int i = 0; i < 8; i++)
        random_next(&o.state);
    for (int i = 0; i < FEATURES; i++)
        o.has[i] = below(&o, 3) == 0;
    o.has[NO_SAMPLES] = below(&o, 20) == 0;
    make_header(&o);
    make_mappings(&o);
    make_functions(&o, 1 + below(&o, 25));
    make_locations(&o, 1 + below(&o, 40));
    make_samples(&o);
}
