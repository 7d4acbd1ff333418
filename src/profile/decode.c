/* SPDX-License-Identifier: MIT
 *
 * profile.proto from its inflated bytes into the arrays of struct profile. The file is walked once
 * to see what it holds and where (fields may come in any order), then each table is made in one
 * piece and filled from its part of the file: strings, functions and mappings first, locations,
 * samples last, so that every id is known when it is met. Samples, the bulk, are decode_sample.c.
 *
 * What is accepted and refused follows google/pprof: its wire reader (profile/proto.go), postDecode
 * (profile/encode.go) and CheckValid (profile/profile.go). Files come from anywhere: every length
 * is checked against what is there, and no allocation is larger than a multiple of the input. */
#include "profile/decode_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum field {
    F_SAMPLE_TYPE = 1,
    F_SAMPLE = 2,
    F_MAPPING = 3,
    F_LOCATION = 4,
    F_FUNCTION = 5,
    F_STRING = 6,
    F_DROP_FRAMES = 7,
    F_KEEP_FRAMES = 8,
    F_TIME_NANOS = 9,
    F_DURATION_NANOS = 10,
    F_PERIOD_TYPE = 11,
    F_PERIOD = 12,
    F_COMMENT = 13,
    F_DEFAULT_SAMPLE_TYPE = 14,
    F_DOC_URL = 15,
};

int decode_malformed(struct decoder *d, const uint8_t *at, const char *what)
{
    return err_set(d->e, -EPROTO, "unrecognized profile format: %s at byte %zu", what,
                   (size_t)(at - d->base));
}

void decode_invalid(struct decoder *d, const char *fmt, ...)
{
    va_list ap;
    if (d->invalid.code)
        return;
    d->invalid.code = -EINVAL;
    va_start(ap, fmt);
    vsnprintf(d->invalid.msg, sizeof d->invalid.msg, fmt, ap);
    va_end(ap);
}

int decode_scalars(struct decoder *d, struct wire msg, uint64_t *v, unsigned count)
{
    struct wire_field f;
    memset(v, 0, count * sizeof *v);
    while (msg.at < msg.end) {
        const uint8_t *start = msg.at;
        const char *wrong = wire_next(&msg, &f);
        if (wrong)
            return decode_malformed(d, start, wrong);
        if (f.number == 0 || f.number >= count)
            continue;
        if (f.type != WIRE_VARINT)
            return decode_malformed(d, start, "type mismatch");
        v[f.number] = f.value;
    }
    return 0;
}

int decode_string(struct decoder *d, const uint8_t *at, uint64_t index, uint32_t *out)
{
    if (index >= d->p->string_count)
        return decode_malformed(d, at, "string index out of range");
    *out = d->canonical ? d->canonical[index] : (uint32_t)index;
    return 0;
}

/* ---- ids ---- */

uint32_t idmap_find_slow(const struct idmap *m, uint64_t id)
{
    if (id < m->dense_count)
        return m->dense[id];
    if (!m->sparse.slots)
        return PROFILE_NONE;
    struct map_probe at = map_find(&m->sparse, hash_mix(0, id));
    uint32_t i;
    while ((i = map_next(&m->sparse, &at)) != MAP_NONE)
        if (m->ids[i] == id)
            return i;
    return PROFILE_NONE;
}

/* Makes the map of `ids`. Returns the first that is 0 or was there before, or the count. */
static uint32_t build_idmap(struct decoder *d, struct idmap *m, const uint64_t *ids)
{
    uint64_t max = 0, in_order = 0, n = m->count;
    uint32_t bad = m->count;
    m->ids = ids;
    for (uint32_t i = 0; i < n; i++) {
        in_order += ids[i] == (uint64_t)i + 1;
        max = ids[i] > max ? ids[i] : max;
    }
    if (in_order == n)
        return bad;
    m->dense_count = max < 4 * n + 1024 ? max + 1 : 1;
    m->dense = arena_array(&d->scratch, m->dense_count, sizeof *m->dense);
    memset(m->dense, 0xff, m->dense_count * sizeof *m->dense);
    if (m->dense_count <= max)
        map_init(&m->sparse, &d->scratch, (uint32_t)n);
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] == 0 || idmap_find_slow(m, ids[i]) != PROFILE_NONE)
            bad = i < bad ? i : bad;
        else if (ids[i] < m->dense_count)
            m->dense[ids[i]] = i;
        else
            map_put(&m->sparse, hash_mix(0, ids[i]), i);
    }
    return bad;
}

/* CheckValid's words for an id that build_idmap refuses. */
static void refuse_id(struct decoder *d, uint64_t id, const char *what)
{
    if (id == 0)
        decode_invalid(d, "found %s with reserved %s=0", what, what[0] == 'l' ? "id" : "ID");
    else
        decode_invalid(d, "multiple %ss with same id: %" PRIu64, what, id);
}

/* ---- the first walk ---- */

static uint32_t expected_type(uint64_t number)
{
    return number <= F_STRING || number == F_PERIOD_TYPE ? WIRE_BYTES : WIRE_VARINT;
}

static int see_field(struct decoder *d, const uint8_t *start, const struct wire_field *f)
{
    if (f->number == F_TIME_NANOS && d->p->time_nanos != 0)
        return err_set(d->e, -EPROTO, "concatenated profiles detected");
    bool is_list = f->number == F_COMMENT && f->type == WIRE_BYTES;
    if (f->type != expected_type(f->number) && !is_list)
        return decode_malformed(d, start, "type mismatch");
    switch (f->number) {
    case F_STRING:
        if (d->count[F_STRING] == 0 && f->bytes.at < f->bytes.end)
            return decode_malformed(d, start, "string_table[0] must be ''");
        break;
    case F_TIME_NANOS: d->p->time_nanos = (int64_t)f->value; break;
    case F_DURATION_NANOS: d->p->duration_nanos = (int64_t)f->value; break;
    case F_PERIOD: d->p->period = (int64_t)f->value; break;
    default: break;
    }
    return 0;
}

static int scan(struct decoder *d, struct wire w)
{
    struct wire_field f;
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        const char *wrong = wire_next(&w, &f);
        if (wrong)
            return decode_malformed(d, start, wrong);
        if (f.number == 0 || f.number >= PROFILE_FIELDS)
            continue;
        int rc = see_field(d, start, &f);
        if (rc != 0)
            return rc;
        if (d->count[f.number] == 0)
            d->range[f.number].at = start;
        d->range[f.number].end = w.at;
        d->count[f.number] +=
            f.number == F_COMMENT && f.type == WIRE_BYTES ? wire_count_varints(f.bytes) : 1;
    }
    return 0;
}

/* The next field `number` of the file, already seen by scan. */
static bool next_of(struct wire *range, uint64_t number, struct wire_field *f)
{
    while (range->at < range->end) {
        wire_next(range, f);
        if (f->number == number)
            return true;
    }
    return false;
}

static int check_limits(struct decoder *d)
{
    static const struct {
        unsigned number;
        uint32_t limit;
        const char *what;
    } rows[] = {
        {F_SAMPLE_TYPE, LIMIT_PROFILE_SAMPLE_TYPES, "sample types"},
        {F_SAMPLE, LIMIT_PROFILE_TABLE, "samples"},
        {F_MAPPING, LIMIT_PROFILE_TABLE, "mappings"},
        {F_LOCATION, LIMIT_PROFILE_TABLE, "locations"},
        {F_FUNCTION, LIMIT_PROFILE_TABLE, "functions"},
        {F_STRING, LIMIT_PROFILE_STRINGS, "strings"},
        {F_COMMENT, LIMIT_PROFILE_TABLE, "comments"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (d->count[rows[i].number] > rows[i].limit)
            return err_set(d->e, -EFBIG, "the profile has %" PRIu64 " %s; at most %u are read",
                           d->count[rows[i].number], rows[i].what, rows[i].limit);
    return 0;
}

/* ---- strings ---- */

static void find_canonical(struct decoder *d)
{
    struct profile *p = d->p;
    const struct map *map = &p->interns->map;
    if (map->count == p->string_count)
        return;
    d->canonical = arena_array(&d->scratch, p->string_count, sizeof *d->canonical);
    for (uint32_t i = 0; i < p->string_count; i++) {
        struct profile_str s = p->strings[i];
        d->canonical[i] = profile_find_string(p, map, hash_bytes(s.ptr, s.len), s);
    }
}

static int decode_strings(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_STRING];
    struct wire_field f;
    if (d->count[F_STRING] == 0)
        return err_set(d->e, -EPROTO, "unrecognized profile format: it has no string table");
    struct profile_str *strings = arena_array(&p->arena, d->count[F_STRING], sizeof *strings);
    uint64_t bytes = 0;
    uint32_t n = 0;
    while (next_of(&range, F_STRING, &f)) {
        uint64_t len = (uint64_t)(f.bytes.end - f.bytes.at);
        if (len >= UINT32_MAX)
            return decode_malformed(d, f.bytes.at, "string of 4 GiB or more");
        strings[n++] = (struct profile_str){(const char *)f.bytes.at, (uint32_t)len};
        bytes += len;
    }
    if (d->input != PROFILE_INPUT_BORROWED) {
        char *copy = arena_alloc_aligned(&p->arena, bytes, 1);
        for (uint32_t i = 0; i < n; copy += strings[i++].len)
            strings[i].ptr = memcpy(copy, strings[i].ptr, strings[i].len);
    }
    p->strings = strings;
    p->string_count = n;
    profile_make_interns(p);
    find_canonical(d);
    return 0;
}

/* ---- tables ---- */

static int decode_value_type(struct decoder *d, struct wire msg, struct profile_value_type *t)
{
    uint64_t v[3];
    int rc = decode_scalars(d, msg, v, 3);
    if (rc == 0)
        rc = decode_string(d, msg.at, v[1], &t->type);
    return rc ? rc : decode_string(d, msg.at, v[2], &t->unit);
}

static int decode_sample_types(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_SAMPLE_TYPE];
    struct wire_field f;
    int rc = 0;
    p->sample_types = arena_zarray(&p->arena, d->count[F_SAMPLE_TYPE], sizeof *p->sample_types);
    while (rc == 0 && next_of(&range, F_SAMPLE_TYPE, &f))
        rc = decode_value_type(d, f.bytes, &p->sample_types[p->sample_type_count++]);
    return rc;
}

static int decode_mapping(struct decoder *d, struct wire msg, struct profile_mapping *m)
{
    uint64_t v[11];
    int rc = decode_scalars(d, msg, v, 11);
    if (rc != 0)
        return rc;
    *m = (struct profile_mapping){
        .id = v[1],
        .start = v[2],
        .limit = v[3],
        .offset = v[4],
        .has_functions = v[7] != 0,
        .has_filenames = v[8] != 0,
        .has_line_numbers = v[9] != 0,
        .has_inline_frames = v[10] != 0,
    };
    rc = decode_string(d, msg.at, v[5], &m->file);
    return rc ? rc : decode_string(d, msg.at, v[6], &m->build_id);
}

static int decode_mappings(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_MAPPING];
    struct wire_field f;
    uint32_t n = (uint32_t)d->count[F_MAPPING];
    p->mappings = arena_array(&p->arena, n, sizeof *p->mappings);
    uint64_t *ids = arena_array(&d->scratch, n, sizeof *ids);
    for (; next_of(&range, F_MAPPING, &f); p->mapping_count++) {
        int rc = decode_mapping(d, f.bytes, &p->mappings[p->mapping_count]);
        if (rc != 0)
            return rc;
        ids[p->mapping_count] = p->mappings[p->mapping_count].id;
    }
    d->mappings.count = n;
    uint32_t bad = build_idmap(d, &d->mappings, ids);
    if (bad < n)
        refuse_id(d, ids[bad], "mapping");
    return 0;
}

static int decode_function(struct decoder *d, struct wire msg, struct profile_function *fn)
{
    uint64_t v[6];
    int rc = decode_scalars(d, msg, v, 6);
    if (rc != 0)
        return rc;
    fn->id = v[1];
    fn->start_line = (int64_t)v[5];
    rc = decode_string(d, msg.at, v[2], &fn->name);
    if (rc == 0)
        rc = decode_string(d, msg.at, v[3], &fn->system_name);
    return rc ? rc : decode_string(d, msg.at, v[4], &fn->file);
}

static int decode_functions(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_FUNCTION];
    struct wire_field f;
    uint32_t n = (uint32_t)d->count[F_FUNCTION];
    p->functions = arena_array(&p->arena, n, sizeof *p->functions);
    uint64_t *ids = arena_array(&d->scratch, n, sizeof *ids);
    for (; next_of(&range, F_FUNCTION, &f); p->function_count++) {
        int rc = decode_function(d, f.bytes, &p->functions[p->function_count]);
        if (rc != 0)
            return rc;
        ids[p->function_count] = p->functions[p->function_count].id;
    }
    d->functions.count = n;
    uint32_t bad = build_idmap(d, &d->functions, ids);
    if (bad < n)
        refuse_id(d, ids[bad], "function");
    return 0;
}

/* ---- locations and their lines ---- */

/* The fields of a location; its lines are only counted. */
static int location_fields(struct decoder *d, struct wire msg, uint64_t v[6], uint64_t *line_count)
{
    struct wire_field f;
    memset(v, 0, 6 * sizeof *v);
    while (msg.at < msg.end) {
        const uint8_t *start = msg.at;
        const char *wrong = wire_next(&msg, &f);
        if (wrong)
            return decode_malformed(d, start, wrong);
        if (f.number == 0 || f.number > 5)
            continue;
        if (f.type != (f.number == 4 ? WIRE_BYTES : WIRE_VARINT))
            return decode_malformed(d, start, "type mismatch");
        if (f.number == 4)
            ++*line_count;
        else
            v[f.number] = f.value;
    }
    return 0;
}

/* Sets *nil if a line has a function that is none. */
static int decode_lines(struct decoder *d, struct wire msg, bool *nil)
{
    struct profile *p = d->p;
    struct wire_field f;
    while (next_of(&msg, 4, &f)) {
        uint64_t v[4];
        int rc = decode_scalars(d, f.bytes, v, 4);
        if (rc != 0)
            return rc;
        uint32_t function = idmap_find(&d->functions, v[1]);
        *nil |= function == PROFILE_NONE;
        p->lines[p->line_count++] = (struct profile_line){
            .line = (int64_t)v[2], .column = (int64_t)v[3], .function = function};
    }
    return 0;
}

/* *bad becomes the first location with such a line. */
static int decode_all_lines(struct decoder *d, uint32_t *bad)
{
    struct wire range = d->range[F_LOCATION];
    struct wire_field f;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && next_of(&range, F_LOCATION, &f); i++) {
        bool nil = false;
        rc = decode_lines(d, f.bytes, &nil);
        *bad = nil && i < *bad ? i : *bad;
    }
    return rc;
}

static int decode_locations(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_LOCATION];
    struct wire_field f;
    uint32_t n = (uint32_t)d->count[F_LOCATION];
    uint64_t line_total = 0, v[6];
    int rc = 0;
    p->locations = arena_array(&p->arena, n, sizeof *p->locations);
    uint64_t *ids = arena_array(&d->scratch, n, sizeof *ids);
    for (; next_of(&range, F_LOCATION, &f); p->location_count++) {
        uint64_t first = line_total;
        rc = location_fields(d, f.bytes, v, &line_total);
        if (rc != 0)
            return rc;
        ids[p->location_count] = v[1];
        p->locations[p->location_count] = (struct profile_location){
            .id = v[1],
            .address = v[3],
            .mapping = idmap_find(&d->mappings, v[2]),
            .line_first = (uint32_t)first,
            .line_count = (uint32_t)(line_total - first),
            .is_folded = v[5] != 0,
        };
        if (line_total > LIMIT_PROFILE_TABLE)
            return err_set(d->e, -EFBIG, "the profile has more than %u lines", LIMIT_PROFILE_TABLE);
    }
    p->lines = arena_array(&p->arena, line_total, sizeof *p->lines);
    d->locations.count = n;
    uint32_t bad = build_idmap(d, &d->locations, ids), bad_line = n;
    rc = decode_all_lines(d, &bad_line);
    if (bad < n && bad <= bad_line)
        refuse_id(d, ids[bad], "location");
    else if (bad_line < n)
        decode_invalid(d, "location id: %" PRIu64 " has a line with nil function", ids[bad_line]);
    return rc;
}

/* ---- the rest ---- */

static int decode_comments(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_COMMENT];
    struct wire_field f;
    p->comments = arena_array(&p->arena, d->count[F_COMMENT], sizeof *p->comments);
    while (next_of(&range, F_COMMENT, &f)) {
        int rc = 0;
        if (f.type == WIRE_VARINT)
            rc = decode_string(d, range.at, f.value, &p->comments[p->comment_count++]);
        while (rc == 0 && f.bytes.at < f.bytes.end) {
            if (wire_varint(&f.bytes, &f.value) != 0)
                return decode_malformed(d, f.bytes.at, "bad varint");
            rc = decode_string(d, f.bytes.at, f.value, &p->comments[p->comment_count++]);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The last one of a header field that is a string. */
static int decode_header_string(struct decoder *d, unsigned number, uint32_t *out)
{
    struct wire range = d->range[number];
    struct wire_field f;
    uint64_t index = 0;
    while (next_of(&range, number, &f))
        index = f.value;
    return decode_string(d, d->count[number] ? d->range[number].at : d->base, index, out);
}

static int decode_header(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_PERIOD_TYPE];
    struct wire_field f;
    int rc = 0;
    while (rc == 0 && next_of(&range, F_PERIOD_TYPE, &f))
        rc = decode_value_type(d, f.bytes, &p->period_type);
    if (rc == 0)
        rc = decode_header_string(d, F_DROP_FRAMES, &p->drop_frames);
    if (rc == 0)
        rc = decode_header_string(d, F_KEEP_FRAMES, &p->keep_frames);
    if (rc == 0)
        rc = decode_header_string(d, F_DEFAULT_SAMPLE_TYPE, &p->default_sample_type);
    if (rc == 0)
        rc = decode_header_string(d, F_DOC_URL, &p->doc_url);
    return rc ? rc : decode_comments(d);
}

static int decode_all(struct decoder *d, struct wire w)
{
    static int (*const steps[])(struct decoder *) = {
        check_limits,    decode_strings,   decode_header,    decode_sample_types,
        decode_mappings, decode_functions, decode_locations, decode_samples,
    };
    int rc = scan(d, w);
    for (size_t i = 0; rc == 0 && i < sizeof steps / sizeof *steps; i++)
        rc = steps[i](d);
    return rc;
}

int profile_decode_plain(struct profile *p, const void *bytes, size_t size,
                         enum profile_input input, struct err *e)
{
    struct decoder d = {.p = p, .e = e, .base = bytes, .input = input};
    if (size == 0)
        return err_set(e, -ENODATA, "empty input file");
    d.end = d.base + size;
    d.varints = varints_best();
    arena_init(&d.scratch);
    d.range[F_SAMPLE] = d.range[F_STRING] = (struct wire){bytes, bytes};
    int rc = decode_all(&d, (struct wire){bytes, (const uint8_t *)bytes + size});
    arena_free(&d.scratch);
    if (rc != 0)
        profile_free(p);
    return rc;
}
