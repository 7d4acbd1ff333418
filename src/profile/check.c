/* SPDX-License-Identifier: MIT
 *
 * The invariants of profile.h as code, and google/pprof's CheckValid with its words. Linear in the
 * size of the profile. Decode does not call it (its own checks imply it, and the tests say so);
 * merge, tests and fuzzers do. */
#include "profile/profile_internal.h"

#include <errno.h>
#include <inttypes.h>

#define FAIL(...) return err_set(e, -EINVAL, __VA_ARGS__)

/* ---- strings ---- */

static bool is_string(const struct profile *p, uint32_t s)
{
    return s < p->string_count;
}

static int check_header_strings(const struct profile *p, struct err *e)
{
    if (p->string_count == 0 || p->strings[0].len != 0)
        FAIL("string 0 is not \"\"");
    const uint32_t header[] = {p->default_sample_type, p->drop_frames,
                               p->keep_frames,         p->doc_url,
                               p->period_type.type,    p->period_type.unit};
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        if (!is_string(p, header[i]))
            FAIL("a header field names string %u of %u", header[i], p->string_count);
    for (uint32_t i = 0; i < p->comment_count; i++)
        if (!is_string(p, p->comments[i]))
            FAIL("comment %u is string %u of %u", i, p->comments[i], p->string_count);
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        if (!is_string(p, p->sample_types[i].type) || !is_string(p, p->sample_types[i].unit))
            FAIL("sample type %u names a string beyond %u", i, p->string_count);
    return 0;
}

static int check_table_strings(const struct profile *p, struct err *e)
{
    for (uint32_t i = 0; i < p->mapping_count; i++)
        if (!is_string(p, p->mappings[i].file) || !is_string(p, p->mappings[i].build_id))
            FAIL("mapping %u names a string beyond %u", i, p->string_count);
    for (uint32_t i = 0; i < p->function_count; i++) {
        const struct profile_function *f = &p->functions[i];
        if (!is_string(p, f->name) || !is_string(p, f->system_name) || !is_string(p, f->file))
            FAIL("function %u names a string beyond %u", i, p->string_count);
    }
    for (uint64_t i = 0; i < p->label_count; i++) {
        const struct profile_label *l = &p->labels[i];
        if (!is_string(p, l->key) || !is_string(p, l->str) || !is_string(p, l->num_unit))
            FAIL("label %" PRIu64 " names a string beyond %u", i, p->string_count);
    }
    return 0;
}

/* ---- samples ---- */

static int check_samples(const struct profile *p, struct err *e)
{
    uint64_t locations = 0, labels = 0;
    if (p->sample_count > 0 && p->sample_type_count == 0)
        FAIL("missing sample type information");
    for (uint32_t i = 0; i < p->sample_count; i++) {
        if (p->sample_loc_end[i] < locations || p->sample_label_end[i] < labels)
            FAIL("sample %u ends before it begins", i);
        locations = p->sample_loc_end[i];
        labels = p->sample_label_end[i];
    }
    if (locations > p->loc_ref_count || labels > p->label_count)
        FAIL("the samples have more locations or labels than there are");
    for (uint64_t k = 0; k < p->loc_ref_count; k++)
        if (p->loc_refs[k] >= p->location_count)
            FAIL("sample has nil location (reference %" PRIu64 ")", k);
    return 0;
}

/* ---- ids ---- */

struct id_column {
    const char *what, *word; /* pprof writes "ID" for two tables and "id" for the third */
    const void *first;       /* the first record, which begins with its id */
    size_t stride;
    uint32_t count;
};

_Static_assert(offsetof(struct profile_mapping, id) == 0 &&
                   offsetof(struct profile_function, id) == 0 &&
                   offsetof(struct profile_location, id) == 0,
               "records begin with their ids");

static uint64_t id_at(const struct id_column *c, uint32_t i)
{
    uint64_t id;
    memcpy(&id, (const char *)c->first + i * c->stride, sizeof id);
    return id;
}

static int check_ids(const struct id_column *c, struct err *e)
{
    bool ascending = true;
    for (uint32_t i = 0; i < c->count; i++) {
        if (id_at(c, i) == 0)
            FAIL("found %s with reserved %s=0", c->what, c->word);
        ascending = ascending && (i == 0 || id_at(c, i) > id_at(c, i - 1));
    }
    if (ascending)
        return 0;
    struct arena scratch;
    struct map map;
    uint64_t twice = 0;
    arena_init(&scratch);
    map_init(&map, &scratch, c->count);
    for (uint32_t i = 0, k; i < c->count && !twice; i++) {
        uint64_t id = id_at(c, i), hash = hash_mix(0, id);
        struct map_probe at = map_find(&map, hash);
        while ((k = map_next(&map, &at)) != MAP_NONE)
            twice = id_at(c, k) == id ? id : twice;
        map_put(&map, hash, i);
    }
    arena_free(&scratch);
    if (twice)
        FAIL("multiple %ss with same id: %" PRIu64, c->what, twice);
    return 0;
}

/* ---- locations ---- */

static int check_locations(const struct profile *p, struct err *e)
{
    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *l = &p->locations[i];
        if (l->line_count > p->line_count || l->line_first > p->line_count - l->line_count)
            FAIL("location id: %" PRIu64 " has lines beyond %u", l->id, p->line_count);
        if (l->mapping != PROFILE_NONE && l->mapping >= p->mapping_count)
            FAIL("location id: %" PRIu64 " has mapping %u of %u", l->id, l->mapping,
                 p->mapping_count);
        for (uint32_t k = 0; k < l->line_count; k++) {
            uint32_t f = p->lines[l->line_first + k].function;
            if (f == PROFILE_NONE)
                FAIL("location id: %" PRIu64 " has a line with nil function", l->id);
            if (f >= p->function_count)
                FAIL("location id: %" PRIu64 " has function %u of %u", l->id, f, p->function_count);
        }
    }
    return 0;
}

int profile_check(const struct profile *p, struct err *e)
{
    const struct id_column columns[] = {
        {"mapping", "ID", p->mappings, sizeof *p->mappings, p->mapping_count},
        {"function", "ID", p->functions, sizeof *p->functions, p->function_count},
        {"location", "id", p->locations, sizeof *p->locations, p->location_count},
    };
    int rc = check_header_strings(p, e);
    if (rc == 0)
        rc = check_table_strings(p, e);
    if (rc == 0)
        rc = check_samples(p, e);
    for (size_t i = 0; rc == 0 && i < sizeof columns / sizeof *columns; i++)
        rc = check_ids(&columns[i], e);
    return rc ? rc : check_locations(p, e);
}
