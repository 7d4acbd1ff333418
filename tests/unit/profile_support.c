/* SPDX-License-Identifier: MIT
 *
 * Helpers of the profile tests. Equality is written from the meaning of the fields, not by encoding
 * and comparing bytes, so that it can judge the encoder. */
#include "profile_support.h"

#include <stdio.h>
#include <string.h>

static bool same(const struct profile *a, uint32_t s, const struct profile *b, uint32_t t)
{
    struct profile_str x = a->strings[s], y = b->strings[t];
    return x.len == y.len && memcmp(x.ptr, y.ptr, x.len) == 0;
}

#define DIFFER(cond, what)                                                                         \
    do {                                                                                           \
        if (cond)                                                                                  \
            return what;                                                                           \
    } while (0)

static const char *header_difference(const struct profile *a, const struct profile *b)
{
    DIFFER(a->sample_type_count != b->sample_type_count, "number of sample types");
    for (uint32_t i = 0; i < a->sample_type_count; i++)
        DIFFER(!same(a, a->sample_types[i].type, b, b->sample_types[i].type) ||
                   !same(a, a->sample_types[i].unit, b, b->sample_types[i].unit),
               "sample type");
    DIFFER(!same(a, a->period_type.type, b, b->period_type.type) ||
               !same(a, a->period_type.unit, b, b->period_type.unit),
           "period type");
    DIFFER(a->period != b->period, "period");
    DIFFER(a->time_nanos != b->time_nanos, "time");
    DIFFER(a->duration_nanos != b->duration_nanos, "duration");
    DIFFER(!same(a, a->default_sample_type, b, b->default_sample_type), "default sample type");
    DIFFER(!same(a, a->drop_frames, b, b->drop_frames), "drop frames");
    DIFFER(!same(a, a->keep_frames, b, b->keep_frames), "keep frames");
    DIFFER(!same(a, a->doc_url, b, b->doc_url), "doc url");
    DIFFER(a->comment_count != b->comment_count, "number of comments");
    for (uint32_t i = 0; i < a->comment_count; i++)
        DIFFER(!same(a, a->comments[i], b, b->comments[i]), "comment");
    return NULL;
}

static const char *table_difference(const struct profile *a, const struct profile *b)
{
    DIFFER(a->mapping_count != b->mapping_count, "number of mappings");
    for (uint32_t i = 0; i < a->mapping_count; i++) {
        const struct profile_mapping *m = &a->mappings[i], *n = &b->mappings[i];
        DIFFER(m->id != n->id || m->start != n->start || m->limit != n->limit ||
                   m->offset != n->offset || !same(a, m->file, b, n->file) ||
                   !same(a, m->build_id, b, n->build_id) || m->has_functions != n->has_functions ||
                   m->has_filenames != n->has_filenames ||
                   m->has_line_numbers != n->has_line_numbers ||
                   m->has_inline_frames != n->has_inline_frames,
               "mapping");
    }
    DIFFER(a->function_count != b->function_count, "number of functions");
    for (uint32_t i = 0; i < a->function_count; i++) {
        const struct profile_function *f = &a->functions[i], *g = &b->functions[i];
        DIFFER(f->id != g->id || f->start_line != g->start_line || !same(a, f->name, b, g->name) ||
                   !same(a, f->system_name, b, g->system_name) || !same(a, f->file, b, g->file),
               "function");
    }
    DIFFER(a->location_count != b->location_count, "number of locations");
    for (uint32_t i = 0; i < a->location_count; i++) {
        const struct profile_location *l = &a->locations[i], *m = &b->locations[i];
        DIFFER(l->id != m->id || l->address != m->address || l->mapping != m->mapping ||
                   l->is_folded != m->is_folded || l->line_count != m->line_count,
               "location");
        for (uint32_t k = 0; k < l->line_count; k++) {
            const struct profile_line *x = &a->lines[l->line_first + k];
            const struct profile_line *y = &b->lines[m->line_first + k];
            DIFFER(x->line != y->line || x->column != y->column || x->function != y->function,
                   "line");
        }
    }
    return NULL;
}

static const char *sample_difference(const struct profile *a, const struct profile *b)
{
    DIFFER(a->sample_count != b->sample_count, "number of samples");
    for (uint32_t i = 0; i < a->sample_count; i++) {
        uint64_t af = profile_loc_first(a, i), bf = profile_loc_first(b, i);
        uint64_t n = a->sample_loc_end[i] - af, types = a->sample_type_count;
        DIFFER(n != b->sample_loc_end[i] - bf ||
                   (n && memcmp(a->loc_refs + af, b->loc_refs + bf, n * sizeof *a->loc_refs) != 0),
               "stack of a sample");
        DIFFER(memcmp(a->values + i * types, b->values + i * types, types * sizeof *a->values) != 0,
               "values of a sample");
        af = profile_label_first(a, i);
        bf = profile_label_first(b, i);
        n = a->sample_label_end[i] - af;
        DIFFER(n != b->sample_label_end[i] - bf, "number of labels");
        for (uint64_t k = 0; k < n; k++) {
            const struct profile_label *l = &a->labels[af + k], *m = &b->labels[bf + k];
            DIFFER(!same(a, l->key, b, m->key) || !same(a, l->str, b, m->str) ||
                       !same(a, l->num_unit, b, m->num_unit) || l->num != m->num ||
                       (l->str == 0) != (m->str == 0),
                   "label");
        }
    }
    return NULL;
}

const char *profile_difference(const struct profile *a, const struct profile *b)
{
    const char *d = header_difference(a, b);
    if (!d)
        d = table_difference(a, b);
    return d ? d : sample_difference(a, b);
}

/* ---- random profiles ---- */

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

static uint32_t below(uint64_t *s, uint32_t n)
{
    return n ? (uint32_t)(random_next(s) >> 33) % n : 0;
}

/* Numbers of every length, negative ones too. */
static uint64_t any_number(uint64_t *s)
{
    return random_next(s) >> below(s, 64);
}

static uint32_t any_string(struct profile *p, uint64_t *s, const char *prefix, uint32_t n)
{
    char text[64];
    uint32_t k = below(s, n + 1);
    if (k == 0)
        return 0;
    int len = snprintf(text, sizeof text, "%s%u", prefix, k);
    return profile_intern(p, text, (size_t)len);
}

static uint64_t any_id(const struct random_profile *o, uint32_t i)
{
    return o->sparse_ids ? (uint64_t)(i + 1) * 0x9e3779b97f4a7c15ull | 1 : (uint64_t)i + 1;
}

static void make_tables(struct profile *p, const struct random_profile *o, uint64_t *s)
{
    p->mappings = arena_zarray(&p->arena, o->mappings, sizeof *p->mappings);
    for (; p->mapping_count < o->mappings; p->mapping_count++)
        p->mappings[p->mapping_count] = (struct profile_mapping){
            .id = any_id(o, p->mapping_count),
            .start = 0x400000ull * (p->mapping_count + 1),
            .offset = below(s, 3) * 4096ull,
            .file = any_string(p, s, "/lib/lib", o->mappings),
            .build_id = any_string(p, s, "build", o->mappings),
            .has_functions = below(s, 2),
            .has_inline_frames = below(s, 2),
        };
    for (uint32_t i = 0; i < o->mappings; i++) { /* loaded anywhere, a few pages, not all full */
        p->mappings[i].start += below(s, 3) * 0x70000000ull;
        p->mappings[i].limit = p->mappings[i].start + 0x1000 * (1 + below(s, 3)) - below(s, 2) * 99;
    }
    p->functions = arena_zarray(&p->arena, o->functions, sizeof *p->functions);
    for (; p->function_count < o->functions; p->function_count++)
        p->functions[p->function_count] = (struct profile_function){
            .id = any_id(o, p->function_count),
            .start_line = below(s, 100),
            .name = any_string(p, s, "function", o->functions),
            .system_name = any_string(p, s, "_Zfunction", o->functions),
            .file = any_string(p, s, "file", 7),
        };
    p->locations = arena_zarray(&p->arena, o->locations, sizeof *p->locations);
    p->lines = arena_zarray(&p->arena, o->locations * 3ul, sizeof *p->lines);
    for (; p->location_count < o->locations; p->location_count++) {
        struct profile_location *l = &p->locations[p->location_count];
        l->id = any_id(o, p->location_count);
        l->mapping = below(s, 5) ? below(s, o->mappings) : PROFILE_NONE;
        l->address = below(s, 4) == 0 ? any_number(s) : below(s, 16) * 16;
        if (l->mapping != PROFILE_NONE)
            l->address += p->mappings[l->mapping].start;
        l->line_first = p->line_count;
        l->line_count = below(s, 4);
        l->is_folded = below(s, 9) == 0;
        for (uint32_t k = 0; k < l->line_count; k++)
            p->lines[p->line_count++] =
                (struct profile_line){below(s, 1000), below(s, 3), below(s, o->functions)};
    }
}

static void make_samples(struct profile *p, const struct random_profile *o, uint64_t *s)
{
    enum { DEPTH = 40, LABELS = 4 };
    uint32_t types = p->sample_type_count, n = o->samples;
    p->sample_loc_end = arena_zarray(&p->arena, n, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(&p->arena, n, sizeof *p->sample_label_end);
    p->loc_refs = arena_zarray(&p->arena, (size_t)n * DEPTH, sizeof *p->loc_refs);
    p->values = arena_zarray(&p->arena, (size_t)n * types, sizeof *p->values);
    p->labels = arena_zarray(&p->arena, (size_t)n * LABELS, sizeof *p->labels);
    for (; p->sample_count < n; p->sample_count++) {
        uint32_t i = p->sample_count;
        for (uint32_t depth = below(s, DEPTH); depth > 0; depth--)
            p->loc_refs[p->loc_ref_count++] = below(s, o->locations);
        for (uint32_t k = 0; k < types; k++)
            p->values[i * types + k] = below(s, 4) ? (int64_t)any_number(s) >> 20 : 0;
        /* One key a label, in order: decoding sorts them. */
        for (uint32_t k = 0; k < LABELS; k++) {
            struct profile_label l = {.key = profile_intern(p, &"abcd"[k], 1)};
            if (below(s, 3) == 0)
                continue;
            if (k < 2)
                l.str = any_string(p, s, "value", 5);
            else
                l.num = (int64_t)any_number(s), l.num_unit = any_string(p, s, "unit", 2);
            if (l.str || l.num || l.num_unit)
                p->labels[p->label_count++] = l;
        }
        p->sample_loc_end[i] = p->loc_ref_count;
        p->sample_label_end[i] = p->label_count;
    }
}

void profile_random(struct profile *p, struct random_profile o)
{
    uint64_t s = o.seed * 0x9e3779b97f4a7c15ull | 1;
    profile_init(p);
    p->sample_type_count = 1 + below(&s, 3);
    p->sample_types = arena_zarray(&p->arena, p->sample_type_count, sizeof *p->sample_types);
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        static const char *const types[] = {"samples", "cpu", "space"};
        static const char *const of[][3] = {
            {"count", "count", "count"}, {"nanoseconds", "us", "ms"}, {"bytes", "kB", "megabyte"}};
        p->sample_types[i].type = profile_intern_cstr(p, types[i]);
        p->sample_types[i].unit = profile_intern_cstr(p, of[i][below(&s, 3)]);
    }
    p->period_type = p->sample_types[0];
    p->period = (int64_t)any_number(&s);
    p->time_nanos = (int64_t)any_number(&s);
    p->duration_nanos = (int64_t)any_number(&s);
    p->drop_frames = any_string(p, &s, "drop", 1);
    p->doc_url = any_string(p, &s, "https://example.com/", 1);
    p->default_sample_type = p->sample_types[0].type;
    p->comments = arena_zarray(&p->arena, 5, sizeof *p->comments);
    p->comment_count = below(&s, 6);
    for (uint32_t i = 0; i < p->comment_count; i++)
        p->comments[i] = any_string(p, &s, "comment", 3);
    make_tables(p, &o, &s);
    make_samples(p, &o, &s);
}
