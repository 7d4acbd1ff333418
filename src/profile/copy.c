/* SPDX-License-Identifier: MIT
 *
 * An independent copy of a profile: each array in one piece, all strings in another. Numbers of
 * strings and all ids stay. The sum of one profile is such a copy, since pprof neither merges nor
 * renumbers a single source; only its sample types may be chosen anew. */
#include "profile/merge_internal.h"

static void *copy_array(struct arena *a, const void *from, uint64_t n, size_t size)
{
    void *to = arena_array(a, n, size);
    return n ? memcpy(to, from, n * size) : to;
}

static void copy_strings(struct profile *out, const struct profile *p)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p->string_count; i++)
        bytes += p->strings[i].len;
    char *to = arena_alloc_aligned(&out->arena, bytes, 1);
    out->strings = copy_array(&out->arena, p->strings, p->string_count, sizeof *p->strings);
    for (uint32_t i = 0; i < p->string_count; to += out->strings[i++].len)
        out->strings[i].ptr =
            out->strings[i].len ? memcpy(to, out->strings[i].ptr, out->strings[i].len) : to;
}

void profile_copy(struct profile *out, const struct profile *p)
{
    struct arena arena;
    arena_init(&arena);
    *out = *p;
    out->arena = arena;
    out->interns = NULL;
    struct arena *a = &out->arena;
    copy_strings(out, p);
    uint64_t n = p->sample_count;
    out->sample_types =
        copy_array(a, p->sample_types, p->sample_type_count, sizeof *p->sample_types);
    out->comments = copy_array(a, p->comments, p->comment_count, sizeof *p->comments);
    out->mappings = copy_array(a, p->mappings, p->mapping_count, sizeof *p->mappings);
    out->functions = copy_array(a, p->functions, p->function_count, sizeof *p->functions);
    out->lines = copy_array(a, p->lines, p->line_count, sizeof *p->lines);
    out->locations = copy_array(a, p->locations, p->location_count, sizeof *p->locations);
    out->sample_loc_end = copy_array(a, p->sample_loc_end, n, sizeof *p->sample_loc_end);
    out->sample_label_end = copy_array(a, p->sample_label_end, n, sizeof *p->sample_label_end);
    out->loc_refs = copy_array(a, p->loc_refs, p->loc_ref_count, sizeof *p->loc_refs);
    out->labels = copy_array(a, p->labels, p->label_count, sizeof *p->labels);
    out->values = copy_array(a, p->values, n * p->sample_type_count, sizeof *p->values);
}

void merge_copy(struct profile *out, const struct merge_view *view)
{
    profile_copy(out, view->src);
    if (!view->retyped)
        return;
    struct profile_value_type types[LIMIT_PROFILE_SAMPLE_TYPES];
    for (uint32_t i = 0; i < view->types; i++)
        types[i] = out->sample_types[view->type_index[i]];
    memcpy(out->sample_types, types, view->types * sizeof *types);
    out->sample_type_count = view->types;
    out->default_sample_type = merge_string(out, view->default_sample_type);
    /* There are never more types than before, so values only move towards the front. */
    for (uint32_t i = 0; i < out->sample_count; i++) {
        int64_t values[LIMIT_PROFILE_SAMPLE_TYPES];
        merge_values(view, i, values);
        memcpy(out->values + (uint64_t)i * view->types, values, view->types * sizeof *values);
    }
}
