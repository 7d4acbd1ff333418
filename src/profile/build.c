/* SPDX-License-Identifier: MIT
 *
 * The maker of profiles. Everything is appended to the profile's own arrays, which double in its
 * arena; maps from hashes to indexes find what is there already. It runs inside host programs, in
 * the last moments of a process at times, so it allocates from the arena alone and never exits. */
#include "profile/build.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes room for one more element of `size` bytes; false when memory is out. */
static bool grow(struct profile_build *b, void *array, uint64_t count, uint64_t *cap, size_t size)
{
    void **data = array;
    if (count < *cap)
        return true;
    uint64_t want = *cap ? *cap * 2 : 64;
    while (want <= count)
        want *= 2;
    void *grown = arena_grow(&b->p->arena, *data, *cap * size, want * size);
    if (!grown) {
        b->failed = 1;
        return false;
    }
    *data = grown;
    *cap = want;
    return true;
}

static bool grow32(struct profile_build *b, void *array, uint32_t count, uint32_t *cap, size_t size)
{
    uint64_t wide = *cap;
    bool ok = count < PROFILE_NONE - 1 && grow(b, array, count, &wide, size);
    *cap = (uint32_t)wide;
    b->failed |= !ok;
    return ok;
}

static uint32_t intern(struct profile_build *b, const char *s, size_t len)
{
    uint32_t i = profile_intern(b->p, s, len);
    if (i == PROFILE_NONE) {
        b->failed = 1;
        return 0;
    }
    return i;
}

/* The maps, and sample types by name and unit, in turn. */
static void begin(struct profile_build *b, struct profile *p, const char *const *types, uint32_t n)
{
    *b = (struct profile_build){.p = p};
    b->failed = map_init(&b->locations, &p->arena, 256) != 0 ||
                map_init(&b->samples, &p->arena, 256) != 0 ||
                map_init(&b->functions, &p->arena, 64) != 0 ||
                map_init(&b->mappings, &p->arena, 32) != 0;
    p->sample_types = arena_array(&p->arena, n, sizeof *p->sample_types);
    if (!p->sample_types || b->failed) {
        b->failed = 1;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *type = types[2 * i], *unit = types[2 * i + 1];
        p->sample_types[i].type = intern(b, type, strlen(type));
        p->sample_types[i].unit = intern(b, unit, strlen(unit));
    }
    p->sample_type_count = n;
}

/* Samples at points `period_ns` apart on the clock that `name` says. */
static void begin_time(struct profile_build *b, struct profile *p, const char *name,
                       int64_t period_ns)
{
    const char *const types[] = {"samples", "count", name, "nanoseconds"};
    begin(b, p, types, 2);
    p->period_type.type = intern(b, name, strlen(name));
    p->period_type.unit = intern(b, "nanoseconds", 11);
    p->period = period_ns;
}

void profile_build_cpu(struct profile_build *b, struct profile *p, int64_t period_ns)
{
    begin_time(b, p, "cpu", period_ns);
}

void profile_build_wall(struct profile_build *b, struct profile *p, int64_t period_ns)
{
    begin_time(b, p, "wall", period_ns);
}

/* What allocators and the wrappers around them are called; readers drop these frames and all that
 * they call, so that a stack begins with the code that wanted the memory. */
static const char allocators[] =
    "(__libc_)?(malloc|calloc|realloc|reallocarray|memalign|valloc|pvalloc|free)|posix_memalign|"
    "aligned_alloc|(je_|tc_)?(malloc|calloc|realloc|memalign)|[mr]allocx|(__)?strn?dup|"
    "tc_new.*|operator new(\\[\\])?|"
    "(__gnu_cxx::|std::)(__)?new_allocator(<.*>)?::allocate|std::allocator_traits.*::allocate|"
    "std::allocator(<.*>)?::allocate";

void profile_build_heap(struct profile_build *b, struct profile *p, int64_t rate_bytes)
{
    static const char *const types[] = {"alloc_objects", "count", "alloc_space", "bytes",
                                        "inuse_objects", "count", "inuse_space", "bytes"};
    begin(b, p, types, 4);
    p->period_type.type = intern(b, "space", 5);
    p->period_type.unit = intern(b, "bytes", 5);
    p->period = rate_bytes;
    p->drop_frames = intern(b, allocators, sizeof allocators - 1);
}

void profile_build_contention(struct profile_build *b, struct profile *p)
{
    static const char *const types[] = {"contentions", "count", "delay", "nanoseconds"};
    begin(b, p, types, 2);
    p->period_type.type = intern(b, "contentions", 11);
    p->period_type.unit = intern(b, "count", 5);
    p->period = 1;
}

void profile_build_count(struct profile_build *b, struct profile *p, const char *type)
{
    const char *const types[] = {type, "count"};
    begin(b, p, types, 1);
    p->period_type.type = intern(b, type, strlen(type));
    p->period_type.unit = intern(b, "count", 5);
    p->period = 1;
}

/* ---- mappings, functions, locations ---- */

static uint32_t build_id_string(struct profile_build *b, const uint8_t *id, uint32_t len)
{
    char hex[128];
    if (len > sizeof hex / 2)
        len = sizeof hex / 2;
    for (uint32_t i = 0; i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[id[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
    }
    return intern(b, hex, 2 * len);
}

uint32_t profile_build_mapping(struct profile_build *b, const struct profile_build_mapping *m)
{
    struct profile *p = b->p;
    if (b->failed)
        return PROFILE_NONE;
    uint32_t file = intern(b, m->file, m->file_len);
    uint32_t id = build_id_string(b, m->build_id, m->build_id_len);
    uint64_t size = m->limit - m->start;
    uint64_t hash = hash_mix(hash_mix(hash_mix(size, m->offset), file), id);
    struct map_probe at = map_find(&b->mappings, hash);
    for (uint32_t i; (i = map_next(&b->mappings, &at)) != MAP_NONE;) {
        const struct profile_mapping *x = &p->mappings[i];
        if (x->file == file && x->build_id == id && x->offset == m->offset &&
            x->limit - x->start == size)
            return i;
    }
    if (!grow32(b, &p->mappings, p->mapping_count, &b->mapping_cap, sizeof *p->mappings) ||
        map_put(&b->mappings, hash, p->mapping_count) != 0) {
        b->failed = 1;
        return PROFILE_NONE;
    }
    p->mappings[p->mapping_count] = (struct profile_mapping){.id = p->mapping_count + 1ull,
                                                             .start = m->start,
                                                             .limit = m->limit,
                                                             .offset = m->offset,
                                                             .file = file,
                                                             .build_id = id};
    return p->mapping_count++;
}

uint32_t profile_build_location(struct profile_build *b, uint32_t mapping, uint64_t address)
{
    struct profile *p = b->p;
    if (b->failed)
        return PROFILE_NONE;
    uint64_t hash = hash_mix(hash_mix(1, mapping), address);
    struct map_probe at = map_find(&b->locations, hash);
    for (uint32_t i; (i = map_next(&b->locations, &at)) != MAP_NONE;)
        if (p->locations[i].address == address && p->locations[i].mapping == mapping)
            return i;
    if (!grow32(b, &p->locations, p->location_count, &b->location_cap, sizeof *p->locations) ||
        map_put(&b->locations, hash, p->location_count) != 0) {
        b->failed = 1;
        return PROFILE_NONE;
    }
    p->locations[p->location_count] = (struct profile_location){
        .id = p->location_count + 1ull, .address = address, .mapping = mapping};
    return p->location_count++;
}

static uint32_t function_of(struct profile_build *b, const char *name, size_t len)
{
    struct profile *p = b->p;
    uint32_t s = intern(b, name, len);
    uint64_t hash = hash_mix(2, s);
    struct map_probe at = map_find(&b->functions, hash);
    for (uint32_t i; (i = map_next(&b->functions, &at)) != MAP_NONE;)
        if (p->functions[i].name == s)
            return i;
    if (!grow32(b, &p->functions, p->function_count, &b->function_cap, sizeof *p->functions) ||
        map_put(&b->functions, hash, p->function_count) != 0) {
        b->failed = 1;
        return PROFILE_NONE;
    }
    p->functions[p->function_count] =
        (struct profile_function){.id = p->function_count + 1ull, .name = s, .system_name = s};
    return p->function_count++;
}

void profile_build_name(struct profile_build *b, uint32_t location, const char *name, size_t len)
{
    struct profile *p = b->p;
    if (b->failed || location == PROFILE_NONE)
        return;
    uint32_t f = function_of(b, name, len);
    if (f == PROFILE_NONE || !grow32(b, &p->lines, p->line_count, &b->line_cap, sizeof *p->lines))
        return;
    p->lines[p->line_count] = (struct profile_line){.function = f};
    p->locations[location].line_first = p->line_count++;
    p->locations[location].line_count = 1;
}

uint32_t profile_build_pseudo(struct profile_build *b, const char *name)
{
    /* Without mapping and address; kept apart from others by the hash of its name. */
    if (b->failed)
        return PROFILE_NONE;
    uint64_t hash = hash_mix(3, hash_bytes(name, strlen(name)));
    struct profile *p = b->p;
    struct map_probe at = map_find(&b->locations, hash);
    for (uint32_t i; (i = map_next(&b->locations, &at)) != MAP_NONE;) {
        const struct profile_location *l = &p->locations[i];
        if (l->address || l->mapping != PROFILE_NONE || !l->line_count)
            continue;
        struct profile_str s = p->strings[p->functions[p->lines[l->line_first].function].name];
        if (profile_str_is(s, name))
            return i;
    }
    if (!grow32(b, &p->locations, p->location_count, &b->location_cap, sizeof *p->locations) ||
        map_put(&b->locations, hash, p->location_count) != 0) {
        b->failed = 1;
        return PROFILE_NONE;
    }
    p->locations[p->location_count] =
        (struct profile_location){.id = p->location_count + 1ull, .mapping = PROFILE_NONE};
    profile_build_name(b, p->location_count, name, strlen(name));
    return p->location_count++;
}

/* ---- samples ---- */

static bool same_sample(const struct profile *p, uint32_t i, const struct profile_build_sample *s)
{
    uint64_t first = profile_loc_first(p, i), label = profile_label_first(p, i);
    if (p->sample_loc_end[i] - first != s->location_count ||
        p->sample_label_end[i] - label != s->label_count ||
        (s->location_count &&
         memcmp(p->loc_refs + first, s->locations, s->location_count * sizeof *s->locations) != 0))
        return false;
    for (uint32_t k = 0; k < s->label_count; k++)
        if (p->labels[label + k].key != s->labels[k].key ||
            p->labels[label + k].str != s->labels[k].str ||
            p->labels[label + k].num != s->labels[k].num)
            return false;
    return true;
}

static bool grow_samples(struct profile_build *b)
{
    struct profile *p = b->p;
    uint32_t values = b->sample_cap, labels = b->sample_cap; /* all three grow together */
    if (p->sample_count < b->sample_cap)
        return true;
    return grow32(b, &p->values, p->sample_count, &values,
                  p->sample_type_count * sizeof(int64_t)) &&
           grow32(b, &p->sample_label_end, p->sample_count, &labels, sizeof(uint64_t)) &&
           grow32(b, &p->sample_loc_end, p->sample_count, &b->sample_cap, sizeof(uint64_t));
}

static void append_sample(struct profile_build *b, const struct profile_build_sample *s)
{
    struct profile *p = b->p;
    uint64_t refs = p->loc_ref_count + s->location_count, labels = p->label_count + s->label_count;
    if (!grow_samples(b) || !grow(b, &p->loc_refs, refs, &b->ref_cap, sizeof *p->loc_refs) ||
        !grow(b, &p->labels, labels, &b->label_cap, sizeof *p->labels))
        return;
    if (s->location_count)
        memcpy(p->loc_refs + p->loc_ref_count, s->locations,
               s->location_count * sizeof *s->locations);
    if (s->label_count)
        memcpy(p->labels + p->label_count, s->labels, s->label_count * sizeof *s->labels);
    p->loc_ref_count = refs;
    p->label_count = labels;
    p->sample_loc_end[p->sample_count] = refs;
    p->sample_label_end[p->sample_count] = labels;
    for (uint32_t k = 0; k < p->sample_type_count; k++)
        p->values[(uint64_t)p->sample_type_count * p->sample_count + k] = s->values[k];
    p->sample_count++;
}

void profile_build_add(struct profile_build *b, const struct profile_build_sample *s)
{
    struct profile *p = b->p;
    if (b->failed)
        return;
    uint64_t hash = s->location_count;
    for (uint32_t i = 0; i < s->location_count; i++)
        hash = hash_mix(hash, s->locations[i]);
    for (uint32_t i = 0; i < s->label_count; i++)
        hash = hash_mix(hash_mix(hash, s->labels[i].key),
                        s->labels[i].str ? s->labels[i].str : (uint64_t)s->labels[i].num);
    struct map_probe at = map_find(&b->samples, hash);
    for (uint32_t i; (i = map_next(&b->samples, &at)) != MAP_NONE;)
        if (same_sample(p, i, s)) {
            for (uint32_t k = 0; k < p->sample_type_count; k++)
                p->values[(uint64_t)p->sample_type_count * i + k] += s->values[k];
            return;
        }
    if (map_put(&b->samples, hash, p->sample_count) != 0)
        b->failed = 1;
    else
        append_sample(b, s);
}

void profile_build_comment(struct profile_build *b, const char *fmt, ...)
{
    struct profile *p = b->p;
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (b->failed || n < 0)
        return;
    size_t old = p->comment_count * sizeof *p->comments;
    uint32_t *grown = arena_grow(&p->arena, p->comments, old, old + sizeof *p->comments);
    if (!grown) {
        b->failed = 1;
        return;
    }
    p->comments = grown;
    p->comments[p->comment_count++] =
        intern(b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

int profile_build_finish(struct profile_build *b)
{
    return b->failed ? -ENOMEM : 0;
}
