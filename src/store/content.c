/* SPDX-License-Identifier: MIT
 *
 * Hashing a profile bottom up. It needs no lock and no store, so that threads that append do this
 * part, which is most of the work, side by side. */
#include "store/content.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t content_hash(uint64_t seed, const void *p, size_t n)
{
    uint64_t h = XXH3_64bits_withSeed(p, n, seed);
    return h ? h : 1; /* 0 means "none" */
}

static void hash_tables(struct content *c)
{
    const struct profile *p = c->p;
    for (uint32_t i = 0; i < p->function_count; i++) {
        const struct profile_function *f = &p->functions[i];
        uint64_t words[] = {1, content_string(c, f->name), content_string(c, f->system_name),
                            content_string(c, f->file), (uint64_t)f->start_line};
        c->functions[i] = content_hash(c->seed, words, sizeof words);
    }
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct profile_mapping *m = &p->mappings[i];
        uint64_t flags = (uint64_t)m->has_functions | (uint64_t)m->has_filenames << 1 |
                         (uint64_t)m->has_line_numbers << 2 | (uint64_t)m->has_inline_frames << 3;
        uint64_t words[] = {2,         m->limit - m->start,
                            m->offset, content_string(c, m->file),
                            flags,     content_string(c, m->build_id)};
        c->mappings[i] = content_hash(c->seed, words, sizeof words);
    }
}

static void hash_locations(struct content *c)
{
    const struct profile *p = c->p;
    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *l = &p->locations[i];
        bool mapped = l->mapping != PROFILE_NONE;
        uint64_t words[] = {3, mapped ? c->mappings[l->mapping] : 0,
                            l->address - (mapped ? p->mappings[l->mapping].start : 0),
                            l->is_folded};
        uint64_t h = content_hash(c->seed, words, sizeof words);
        for (uint32_t k = 0; k < l->line_count; k++) {
            const struct profile_line *line = &p->lines[l->line_first + k];
            uint64_t more[] = {h, c->functions[line->function], (uint64_t)line->line,
                               (uint64_t)line->column};
            h = content_hash(c->seed, more, sizeof more);
        }
        c->locations[i] = h;
    }
}

static uint64_t hash_stack(const struct content *c, uint32_t i, uint64_t *scratch)
{
    const struct profile *p = c->p;
    uint64_t first = profile_loc_first(p, i), n = p->sample_loc_end[i] - first;
    scratch[0] = 4;
    for (uint64_t k = 0; k < n; k++)
        scratch[k + 1] = c->locations[p->loc_refs[first + k]];
    return content_hash(c->seed, scratch, (n + 1) * sizeof *scratch);
}

static uint64_t hash_labels(const struct content *c, uint32_t i)
{
    const struct profile *p = c->p;
    uint64_t first = p->sample_label_end ? profile_label_first(p, i) : 0;
    uint64_t end = p->sample_label_end ? p->sample_label_end[i] : 0, h = 0;
    for (uint64_t k = first; k < end; k++) {
        const struct profile_label *l = &p->labels[k];
        uint64_t words[] = {h,
                            5,
                            l->str != 0,
                            content_string(c, l->key),
                            content_string(c, l->str),
                            (uint64_t)l->num,
                            content_string(c, l->num_unit)};
        h = content_hash(c->seed, words, sizeof words);
    }
    return h;
}

static int compare(const void *a, const void *b)
{
    const struct content_sample *x = a, *y = b;
    if (x->stack != y->stack)
        return x->stack < y->stack ? -1 : 1;
    if (x->labels != y->labels)
        return x->labels < y->labels ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static bool all_zero(const int64_t *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i])
            return false;
    return true;
}

/* Adds up equal samples and leaves out what is zero before (as pprof's merge does) or after. */
static void add_equal(struct content *c, uint32_t count)
{
    uint32_t types = c->p->sample_type_count, n = 0;
    c->values = arena_array(&c->arena, count, types * sizeof *c->values);
    for (uint32_t i = 0; i < count;) {
        int64_t *sum = c->values + (size_t)n * types;
        struct content_sample s = c->samples[i];
        memset(sum, 0, types * sizeof *sum);
        for (; i < count && c->samples[i].stack == s.stack && c->samples[i].labels == s.labels; i++)
            for (uint32_t t = 0; t < types; t++)
                sum[t] =
                    (int64_t)((uint64_t)sum[t] +
                              (uint64_t)c->p->values[(size_t)c->samples[i].sample * types + t]);
        if (all_zero(sum, types))
            continue;
        s.values = n * types;
        c->samples[n++] = s;
    }
    c->sample_count = n;
}

static void hash_all(struct content *c)
{
    uint32_t types = c->p->sample_type_count;
    XXH3_state_t *state = XXH3_createState();
    XXH3_64bits_reset_withSeed(state, c->seed);
    for (uint32_t t = 0; t < types; t++) {
        uint64_t words[] = {content_string(c, c->p->sample_types[t].type),
                            content_string(c, c->p->sample_types[t].unit)};
        XXH3_64bits_update(state, words, sizeof words);
    }
    for (uint32_t i = 0; i < c->sample_count; i++) {
        uint64_t words[] = {c->samples[i].stack, c->samples[i].labels};
        const int64_t *v = c->values + c->samples[i].values;
        XXH3_64bits_update(state, words, sizeof words);
        XXH3_64bits_update(state, v, types * sizeof *v);
        for (uint32_t t = 0; t < types; t++)
            c->totals[t] = (int64_t)((uint64_t)c->totals[t] + (uint64_t)v[t]);
    }
    c->hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
}

static uint64_t deepest(const struct profile *p)
{
    uint64_t depth = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t n = p->sample_loc_end[i] - profile_loc_first(p, i);
        depth = n > depth ? n : depth;
    }
    return depth;
}

void content_make(struct content *c, const struct profile *p, uint64_t seed)
{
    *c = (struct content){.p = p, .seed = seed};
    c->strings = arena_zarray(&c->arena, p->string_count, sizeof *c->strings);
    c->functions = arena_array(&c->arena, p->function_count, sizeof *c->functions);
    c->mappings = arena_array(&c->arena, p->mapping_count, sizeof *c->mappings);
    c->locations = arena_array(&c->arena, p->location_count, sizeof *c->locations);
    c->samples = arena_array(&c->arena, p->sample_count, sizeof *c->samples);
    c->totals = arena_zarray(&c->arena, p->sample_type_count, sizeof *c->totals);
    uint64_t *scratch = arena_array(&c->arena, deepest(p) + 1, sizeof *scratch);
    hash_tables(c);
    hash_locations(c);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->sample_count; i++)
        if (!all_zero(p->values + (size_t)i * p->sample_type_count, p->sample_type_count))
            c->samples[n++] = (struct content_sample){
                .stack = hash_stack(c, i, scratch), .labels = hash_labels(c, i), .sample = i};
    if (n)
        sort_list(c->samples, n, sizeof *c->samples, compare);
    add_equal(c, n);
    hash_all(c);
}

void content_free(struct content *c)
{
    arena_free(&c->arena);
}
