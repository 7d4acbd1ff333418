/* SPDX-License-Identifier: MIT
 *
 * Java's heapz and contentionz as text, and the list of locations that its CPU profiles end in too
 * (legacy_java_profile.go). Addresses are only names of locations there: they are dropped. */
#include "profile/import/import_internal.h"

#include "base/gotext.h"

#define SPACE "[\\t\\n\\f\\r ]"

static const struct import_pattern attribute_line = {
    "([0-9A-Za-z_ \\t\\n\\f\\r]+)=([0-9A-Za-z_ \\t\\n\\f\\r]+)", 11};
static const struct import_pattern sample_line = {" *([0-9]+) +([0-9]+) +@ +([ x0-9a-f]*)", 12};
static const struct import_pattern location_line = {
    "^" SPACE "*0x([[:xdigit:]]+)" SPACE "+(.*)" SPACE "*$", 13};
static const struct import_pattern location_file_line = {"^(.*)" SPACE "+\\((.+):(-?[0-9]+)\\)$",
                                                         14};
static const struct import_pattern location_path = {"^(.*)" SPACE "+\\((.*)\\)$", 15};

enum { HEAP_SAMPLING_RATE = 524288 };

enum kind { KIND_HEAP, KIND_CONTENTION };

/* The next line that ends in a newline, trimmed; `t` stands behind it then. A last line without an
 * end is no line to pprof. */
static bool peek_line(struct text t, struct text *line, struct text *rest)
{
    if (!text_cut(t, '\n', line, rest))
        return false;
    *line = text_trim(*line);
    return true;
}

static int set_number(struct import *im, struct text line, struct text value, int64_t *out)
{
    if (import_int(im, value, 0, out))
        return 0;
    return import_fail(im, "failed to parse attribute %.*s: %s", (int)line.n, line.s,
                       im->number_error);
}

static int read_attribute(struct import *im, enum kind kind, struct text line, struct text g[])
{
    struct text name = text_trim(g[1]), value = text_trim(g[2]);
    struct profile *p = im->p;
    if (text_is(name, "format"))
        return text_is(value, "java") ? 0 : IMPORT_UNKNOWN;
    if (text_is(name, "resolution")) {
        p->sample_type_count = 0;
        import_sample_type(im, kind == KIND_HEAP ? "inuse_objects" : "contentions", "count");
        import_sample_type(im, kind == KIND_HEAP ? "inuse_space" : "delay",
                           arena_strndup(&im->scratch, value.s, value.n));
        return 0;
    }
    if (kind == KIND_CONTENTION && text_is(name, "sampling period")) {
        import_period(im, "contentions", "count", 0);
        return set_number(im, line, value, &p->period);
    }
    if (kind == KIND_CONTENTION && text_is(name, "ms since reset")) {
        int64_t ms;
        int rc = set_number(im, line, value, &ms);
        if (!rc)
            p->duration_nanos = (int64_t)((uint64_t)ms * 1000000);
        return rc;
    }
    return IMPORT_UNKNOWN;
}

static int read_header(struct import *im, enum kind kind, struct text *t)
{
    struct text g[IMPORT_GROUPS_MAX], line, rest;
    while (peek_line(*t, &line, &rest)) {
        if (line.n && !import_match(im, &attribute_line, line, g))
            return 0;
        int rc = line.n ? read_attribute(im, kind, line, g) : 0;
        if (rc)
            return rc;
        *t = rest;
    }
    return 0;
}

static int scale(struct import *im, enum kind kind, struct text line, int64_t *values)
{
    int64_t period = im->p->period;
    if (kind == KIND_HEAP) {
        if (!values[0])
            return import_fail(im, "parsing sample %.*s: second value must be non-zero",
                               (int)line.n, line.s);
        import_number(im, "bytes", values[1] / values[0]);
        import_scale_heap(&values[0], &values[1], HEAP_SAMPLING_RATE);
    } else if (period) {
        values[0] = (int64_t)((uint64_t)values[0] * (uint64_t)period);
        values[1] = (int64_t)((uint64_t)values[1] * (uint64_t)period);
    }
    return 0;
}

static int read_samples(struct import *im, enum kind kind, struct text *t)
{
    struct text g[IMPORT_GROUPS_MAX], line, rest;
    for (; peek_line(*t, &line, &rest); *t = rest) {
        if (!line.n)
            continue;
        if (!import_match(im, &sample_line, line, g))
            return 0;
        struct import_sample *s = import_sample(im);
        int rc = import_addresses(im, g[3], IMPORT_LEAF_AS_IS, line);
        if (rc)
            return rc;
        /* Bytes come before objects here, and delays before contentions. */
        if (!import_int(im, g[2], 0, &s->values[0]) || !import_int(im, g[1], 0, &s->values[1]))
            return import_fail(im, "parsing sample %.*s: %s", (int)line.n, line.s,
                               im->number_error);
        rc = scale(im, kind, line, s->values);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- locations ---- */

static void name_location(struct import *im, uint32_t location, struct text what)
{
    struct text g[IMPORT_GROUPS_MAX], name = what, file = {NULL, 0};
    struct profile_location *l = &im->locations[location];
    int64_t line = 0;
    if (import_match(im, &location_file_line, what, g)) {
        name = g[1];
        file = g[2];
        if (!import_int(im, g[3], 10, &line) || line < 0)
            line = 0;
    } else if (import_match(im, &location_path, what, g)) {
        name = g[1];
        file.s = gotext_base(g[2].s, g[2].n, &file.n);
    } else if (text_contains(what, "generated stub/JIT")) {
        name = (struct text){"STUB", 4};
    }
    /* One function a name, whose file is the first that came with it. Until all are known the file
     * stands in start_line, for functions are found by their name and an empty file. */
    uint32_t function = import_function(im, name, (struct text){NULL, 0});
    if (!im->p->functions[function].start_line)
        im->p->functions[function].start_line = 1 + (int64_t)import_string(im, file);
    l->line_count = 0;
    import_add_line(im, location, function, line);
}

static bool find_location(const struct import *im, uint64_t address, uint32_t *location)
{
    struct map_probe at = map_find(&im->by_address, hash_mix(0, address));
    while ((*location = map_next(&im->by_address, &at)) != MAP_NONE)
        if (im->locations[*location].address == address)
            return true;
    return false;
}

/* Keeps the functions that locations name, in their order. */
static void order_functions(struct import *im)
{
    struct profile *p = im->p;
    uint32_t *place = arena_array(&im->scratch, p->function_count, sizeof *place);
    struct profile_function *ordered = arena_array(&p->arena, p->function_count, sizeof *ordered);
    uint32_t count = 0;
    memset(place, 0xff, p->function_count * sizeof *place);
    for (uint32_t i = 0; i < im->location_count; i++) {
        if (!im->locations[i].line_count)
            continue;
        struct profile_line *l = &p->lines[im->locations[i].line_first];
        if (place[l->function] == UINT32_MAX) {
            ordered[count] = p->functions[l->function];
            ordered[count].id = count + 1;
            ordered[count].file = (uint32_t)(ordered[count].start_line - 1);
            ordered[count].start_line = 0;
            place[l->function] = count++;
        }
        l->function = place[l->function];
    }
    p->functions = ordered;
    p->function_count = count;
}

/* Only the lines that locations have: one was named twice. */
static void drop_stale_lines(struct import *im)
{
    struct profile *p = im->p;
    struct profile_line *kept = arena_array(&p->arena, im->location_count, sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < im->location_count; i++) {
        struct profile_location *l = &im->locations[i];
        if (!l->line_count)
            continue;
        kept[count] = p->lines[l->line_first];
        l->line_first = count++;
    }
    p->lines = kept;
    p->line_count = count;
}

int import_java_locations(struct import *im, struct text t)
{
    struct text g[IMPORT_GROUPS_MAX], line;
    while (t.n) {
        if (!text_cut(t, '\n', &line, &t)) {
            line = t;
            t.n = 0;
        }
        line = text_trim(line);
        uint64_t address;
        uint32_t location;
        if (!import_match(im, &location_line, line, g))
            continue;
        if (!import_hex(g[1], &address))
            return import_fail(im,
                               "parsing sample %.*s: strconv.ParseUint: parsing \"%.*s\": value "
                               "out of range",
                               (int)line.n, line.s, (int)g[1].n, g[1].s);
        if (find_location(im, address, &location))
            name_location(im, location, g[2]);
    }
    for (uint32_t i = 0; i < im->location_count; i++)
        if (im->locations[i].line_count)
            im->locations[i].address = 0;
    import_order_locations(im);
    drop_stale_lines(im);
    order_functions(im);
    maps_assign(im);
    for (uint32_t i = 0; i < im->location_count; i++)
        im->locations[i].address = 0;
    return 0;
}

int import_legacy_java(struct import *im)
{
    struct text line, rest;
    if (!peek_line(im->input, &line, &rest))
        return IMPORT_UNKNOWN;
    enum kind kind = KIND_HEAP;
    if (text_is(line, "--- contentionz 1 ---"))
        kind = KIND_CONTENTION;
    else if (!text_is(line, "--- heapz 1 ---"))
        return IMPORT_UNKNOWN;
    int rc = read_header(im, kind, &rest);
    if (!rc)
        rc = read_samples(im, kind, &rest);
    if (rc)
        return rc;
    if (!im->p->sample_type_count && im->sample_count)
        return import_fail(im, "missing sample type information");
    return import_java_locations(im, rest);
}
