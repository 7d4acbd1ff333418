/* SPDX-License-Identifier: MIT
 *
 * A profile under construction. Samples hold their frames and labels as spans of two growing
 * arrays; what pprof does to them afterwards (a frame dropped, locations put in order) is done
 * there, before import.c makes the profile's arrays of them. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Room for one more element of an array in `arena`. */
static void *grow(struct arena *arena, void *array, uint64_t count, uint64_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    uint64_t more = *cap ? 2 * *cap : 64;
    array = arena_grow(arena, array, *cap * size, more * size);
    *cap = more;
    return array;
}

static void *grow32(struct arena *arena, void *array, uint32_t count, uint32_t *cap, size_t size)
{
    uint64_t wide = *cap;
    array = grow(arena, array, count, &wide, size);
    *cap = (uint32_t)wide;
    return array;
}

void *import_grow(struct import *im, void *array, uint32_t count, uint32_t *cap, size_t size)
{
    return grow32(&im->scratch, array, count, cap, size);
}

int import_fail(struct import *im, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char text[sizeof im->e->msg];
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(im->e, -EPROTO, "%s", text);
}

uint32_t import_string(struct import *im, struct text t)
{
    return profile_intern(im->p, t.s, t.n);
}

void import_sample_type(struct import *im, const char *type, const char *unit)
{
    struct profile *p = im->p;
    if (!p->sample_types)
        p->sample_types = arena_array(&p->arena, IMPORT_VALUES_MAX, sizeof *p->sample_types);
    uint32_t name = profile_intern_cstr(p, type), unit_name = profile_intern_cstr(p, unit);
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){name, unit_name};
}

void import_period(struct import *im, const char *type, const char *unit, int64_t period)
{
    im->p->period_type.type = profile_intern_cstr(im->p, type);
    im->p->period_type.unit = profile_intern_cstr(im->p, unit);
    im->p->period = period;
}

static uint32_t add_location(struct import *im, uint64_t address)
{
    im->locations = grow32(&im->scratch, im->locations, im->location_count, &im->location_cap,
                           sizeof *im->locations);
    im->locations[im->location_count] = (struct profile_location){
        .id = im->location_count + 1, .address = address, .mapping = PROFILE_NONE};
    return im->location_count++;
}

uint32_t import_location(struct import *im, uint64_t address)
{
    uint64_t hash = hash_mix(0, address);
    struct map_probe at = map_find(&im->by_address, hash);
    uint32_t i;
    while ((i = map_next(&im->by_address, &at)) != MAP_NONE)
        if (im->locations[i].address == address)
            return i;
    i = add_location(im, address);
    map_put(&im->by_address, hash, i);
    return i;
}

uint32_t import_function(struct import *im, struct text name, struct text file)
{
    struct profile *p = im->p;
    uint32_t name_string = import_string(im, name), file_string = import_string(im, file);
    uint64_t hash = hash_mix(name_string, file_string);
    struct map_probe at = map_find(&im->by_function, hash);
    uint32_t i;
    while ((i = map_next(&im->by_function, &at)) != MAP_NONE)
        if (p->functions[i].name == name_string && p->functions[i].file == file_string)
            return i;
    p->functions =
        grow32(&p->arena, p->functions, p->function_count, &im->function_cap, sizeof *p->functions);
    i = p->function_count++;
    p->functions[i] = (struct profile_function){
        .id = i + 1, .name = name_string, .system_name = name_string, .file = file_string};
    map_put(&im->by_function, hash, i);
    return i;
}

void import_add_line(struct import *im, uint32_t location, uint32_t function, int64_t line)
{
    struct profile *p = im->p;
    struct profile_location *l = &im->locations[location];
    /* The lines of a location stand together: those of one that is not the last are copied. */
    if (l->line_count && l->line_first + l->line_count != p->line_count) {
        uint32_t first = p->line_count;
        for (uint32_t k = 0; k < l->line_count; k++) {
            p->lines = grow32(&p->arena, p->lines, p->line_count, &im->line_cap, sizeof *p->lines);
            p->lines[p->line_count++] = p->lines[l->line_first + k];
        }
        l->line_first = first;
    }
    p->lines = grow32(&p->arena, p->lines, p->line_count, &im->line_cap, sizeof *p->lines);
    if (!l->line_count)
        l->line_first = p->line_count;
    p->lines[p->line_count++] = (struct profile_line){.line = line, .function = function};
    l->line_count++;
}

uint32_t import_line_in(struct import *im, uint32_t function, int64_t line, uint32_t mapping)
{
    const struct profile *p = im->p;
    uint64_t hash = hash_mix(hash_mix(function, (uint64_t)line), mapping);
    struct map_probe at = map_find(&im->by_line, hash);
    uint32_t i;
    while ((i = map_next(&im->by_line, &at)) != MAP_NONE) {
        const struct profile_line *l = &p->lines[im->locations[i].line_first];
        if (l->function == function && l->line == line && im->locations[i].mapping == mapping)
            return i;
    }
    i = add_location(im, 0);
    im->locations[i].mapping = mapping;
    import_add_line(im, i, function, line);
    map_put(&im->by_line, hash, i);
    return i;
}

uint32_t import_line(struct import *im, uint32_t function, int64_t line)
{
    return import_line_in(im, function, line, PROFILE_NONE);
}

struct profile_mapping *import_mapping(struct import *im, const struct profile_mapping *m)
{
    struct profile *p = im->p;
    p->mappings =
        grow32(&p->arena, p->mappings, p->mapping_count, &im->mapping_cap, sizeof *p->mappings);
    struct profile_mapping *added = &p->mappings[p->mapping_count++];
    *added = *m;
    added->id = p->mapping_count;
    return added;
}

/* ---- samples ---- */

struct import_sample *import_sample(struct import *im)
{
    im->samples =
        grow32(&im->scratch, im->samples, im->sample_count, &im->sample_cap, sizeof *im->samples);
    struct import_sample *s = &im->samples[im->sample_count++];
    *s = (struct import_sample){.ref_first = im->ref_count, .label_first = im->label_count};
    return s;
}

void import_frame(struct import *im, uint32_t location)
{
    if (im->ref_count == LIMIT_PROFILE_FRAMES) {
        im->has_too_many = true;
        return;
    }
    im->refs = grow(&im->scratch, im->refs, im->ref_count, &im->ref_cap, sizeof *im->refs);
    im->refs[im->ref_count++] = location;
    im->samples[im->sample_count - 1].ref_count++;
}

static void add_label(struct import *im, struct profile_label label)
{
    im->labels =
        grow(&im->scratch, im->labels, im->label_count, &im->label_cap, sizeof *im->labels);
    im->labels[im->label_count++] = label;
    im->samples[im->sample_count - 1].label_count++;
}

void import_label(struct import *im, const char *key, struct text value)
{
    uint32_t name = profile_intern_cstr(im->p, key);
    add_label(im, (struct profile_label){.key = name, .str = import_string(im, value)});
}

void import_number(struct import *im, const char *key, int64_t value)
{
    add_label(im, (struct profile_label){.key = profile_intern_cstr(im->p, key), .num = value});
}

void import_drop_frame(struct import *im, struct import_sample *s, uint32_t at)
{
    uint32_t *refs = im->refs + s->ref_first;
    s->ref_count--;
    memmove(refs + at, refs + at + 1, (s->ref_count - at) * sizeof *refs);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* 0x[0-9a-f]+, each of them in turn. */
int import_addresses(struct import *im, struct text t, enum import_leaf leaf, struct text line)
{
    uint32_t count = 0;
    for (size_t i = 0; i + 2 < t.n;) {
        if (t.s[i] != '0' || t.s[i + 1] != 'x' || !is_hex(t.s[i + 2])) {
            i++;
            continue;
        }
        size_t end = i + 2;
        while (end < t.n && is_hex(t.s[end]))
            end++;
        uint64_t address;
        if (!import_hex((struct text){t.s + i + 2, end - i - 2}, &address))
            return import_fail(im,
                               "malformed sample: %.*s: failed to parse as hex 64-bit number: %.*s",
                               (int)line.n, line.s, (int)(end - i), t.s + i);
        bool call = leaf == IMPORT_LEAF_IS_CALL || (leaf == IMPORT_LEAF_IS_PC && count);
        import_frame(im, import_location(im, address - call));
        count++;
        i = end;
    }
    return 0;
}

void import_order_locations(struct import *im)
{
    uint32_t *place = arena_array(&im->scratch, im->location_count, sizeof *place);
    struct profile_location *ordered =
        arena_array(&im->scratch, im->location_count, sizeof *ordered);
    uint32_t count = 0;
    memset(place, 0xff, im->location_count * sizeof *place);
    for (uint32_t i = 0; i < im->sample_count && im->refs; i++) {
        uint32_t *refs = im->refs + im->samples[i].ref_first;
        for (uint32_t k = 0; k < im->samples[i].ref_count; k++) {
            if (place[refs[k]] == UINT32_MAX) {
                ordered[count] = im->locations[refs[k]];
                ordered[count].id = count + 1;
                place[refs[k]] = count++;
            }
            refs[k] = place[refs[k]];
        }
    }
    im->locations = ordered;
    im->location_count = im->location_cap = count;
}

/* ---- values ---- */

int64_t import_int64(double v)
{
    return v >= -9223372036854775808.0 && v < 9223372036854775808.0 ? (int64_t)v : INT64_MIN;
}

void import_scale_heap(int64_t *count, int64_t *size, int64_t rate)
{
    if (!*count || !*size) {
        *count = *size = 0;
        return;
    }
    if (rate <= 1)
        return;
    double average = (double)*size / (double)*count;
    double scale = 1 / (1 - exp(-average / (double)rate));
    *count = import_int64((double)*count * scale);
    *size = import_int64((double)*size * scale);
}
