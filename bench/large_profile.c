/* SPDX-License-Identifier: MIT
 *
 * Makes the large profile of bench/ from a xorshift generator with a fixed seed. */
#include "large_profile.h"
#include "profile/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SOURCE_LINES = 1000, REQUESTS = 40 };

static uint32_t below(uint64_t *s, uint32_t n)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return (uint32_t)((*s >> 32) * n >> 32);
}

static void make_tables(struct profile *p, const struct large_profile *size, const char *source)
{
    uint32_t file = profile_intern_cstr(p, source);
    p->sample_types = arena_zarray(&p->arena, 2, sizeof *p->sample_types);
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){
        profile_intern_cstr(p, "samples"), profile_intern_cstr(p, "count")};
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){
        profile_intern_cstr(p, "cpu"), profile_intern_cstr(p, "nanoseconds")};
    p->mappings = arena_zarray(&p->arena, 1, sizeof *p->mappings);
    p->mappings[p->mapping_count++] =
        (struct profile_mapping){.id = 1, .start = 0x400000, .limit = 0x40000000};
    p->functions = arena_zarray(&p->arena, size->functions, sizeof *p->functions);
    for (; p->function_count < size->functions; p->function_count++) {
        char name[64];
        snprintf(name, sizeof name, "namespace%u::function_with_a_name_%u", p->function_count % 99,
                 p->function_count);
        uint32_t s = profile_intern_cstr(p, name);
        p->functions[p->function_count] = (struct profile_function){
            .id = p->function_count + 1u, .name = s, .system_name = s, .file = file};
    }
    p->locations = arena_zarray(&p->arena, size->locations, sizeof *p->locations);
    p->lines = arena_zarray(&p->arena, size->locations, sizeof *p->lines);
    for (uint32_t i = 0; i < size->locations; i++) {
        p->lines[i] = (struct profile_line){.line = 10 + i % 900, .function = i % size->functions};
        p->locations[i] = (struct profile_location){
            .id = i + 1u, .address = 0x400000 + i * 16u, .line_first = i, .line_count = 1};
    }
    p->line_count = p->location_count = size->locations;
}

/* One sample in ten has a request's name and size. */
static void add_labels(struct profile *p, const uint32_t texts[], uint32_t keys[2], uint64_t *s)
{
    if (below(s, 10) == 0) {
        p->labels[p->label_count++] =
            (struct profile_label){.key = keys[0], .str = texts[below(s, REQUESTS)]};
        p->labels[p->label_count++] =
            (struct profile_label){.key = keys[1], .num = 1 << below(s, 16)};
    }
    p->sample_label_end[p->sample_count] = p->label_count;
}

static void make_samples(struct profile *p, const struct large_profile *size)
{
    uint32_t count = size->samples, locations = size->locations;
    uint64_t s = 88172645463325252ull;
    uint32_t texts[REQUESTS];
    uint32_t keys[2] = {profile_intern_cstr(p, "request"), profile_intern_cstr(p, "bytes")};
    for (uint32_t i = 0; i < REQUESTS; i++) {
        char text[32];
        snprintf(text, sizeof text, "GET /item/%u", i);
        texts[i] = profile_intern_cstr(p, text);
    }
    p->labels = arena_array(&p->arena, 2ul * count, sizeof *p->labels);
    p->sample_loc_end = arena_array(&p->arena, count, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(&p->arena, count, sizeof *p->sample_label_end);
    p->values = arena_array(&p->arena, 2ul * count, sizeof *p->values);
    p->loc_refs = arena_array(&p->arena, 60ul * count, sizeof *p->loc_refs);
    for (; p->sample_count < count; p->sample_count++) {
        uint32_t depth = 30 + below(&s, 31), at = below(&s, 16);
        uint32_t *stack = p->loc_refs + p->loc_ref_count;
        for (uint32_t k = depth; k > 0; k--) { /* each location calls one of four, the first most */
            stack[k - 1] = at;
            uint64_t callee = at * 4ul + (below(&s, 100) < 55 ? 0 : 1 + below(&s, 3));
            at = below(&s, 12) == 0 ? below(&s, locations)
                                    : (uint32_t)(callee * 0x9e3779b97f4a7c15ull >> 32) % locations;
        }
        p->sample_loc_end[p->sample_count] = p->loc_ref_count += depth;
        add_labels(p, texts, keys, &s);
        p->values[2ul * p->sample_count] = 1 + below(&s, 3);
        p->values[2ul * p->sample_count + 1] = p->values[2ul * p->sample_count] * 10000000;
    }
}

static void write_source(const char *path)
{
    FILE *f = fopen(path, "w");
    for (int i = 0; f && i < SOURCE_LINES; i++)
        fprintf(f, "    statement(%d); /* of a function that was made up */\n", i);
    if (f)
        fclose(f);
}

void large_profile_remove(const char *path)
{
    char source[4096];
    snprintf(source, sizeof source, "%s.c", path);
    unlink(source);
    unlink(path);
}

void large_profile_write(const char *path, const struct large_profile *size)
{
    struct profile p;
    struct err e;
    char source[4096];
    profile_init(&p);
    snprintf(source, sizeof source, "%s.c", path);
    write_source(source);
    profile_intern_cstr(&p, "");
    make_tables(&p, size, source);
    make_samples(&p, size);
    if (profile_write_file(&p, path, &e) != 0) {
        fprintf(stderr, "bench: %s\n", e.msg);
        exit(1);
    }
    profile_free(&p);
}
