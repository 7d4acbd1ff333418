/* SPDX-License-Identifier: MIT
 *
 * From keys and values back to a pprof profile: each number that occurs is looked up once and put
 * into the profile's tables where it is first met, as pprof's merge numbers them. A sample any part
 * of which cannot be read is left out whole and counted. */
#include "store/sqlite_internal.h"
#include "store/varint.h"

#include <string.h>

/* Index + 1 in the profile by number of the store. */
struct places {
    uint32_t *at, count;
};

struct maker {
    struct profile *p;
    struct symbol_reader *r;
    struct arena scratch;
    struct places strings, functions, mappings, locations, starts_known;
    uint64_t *starts; /* of mappings, in the order of starts_known */
    uint32_t start_count, start_cap;
    uint32_t mapping_cap, function_cap, location_cap, line_cap;
    uint64_t ref_cap, label_cap;
    bool again;
};

static uint32_t *place(struct maker *m, struct places *t, uint32_t id)
{
    if (id >= t->count) {
        uint32_t count = t->count ? t->count : 1024;
        while (count <= id && count < 1u << 31)
            count *= 2;
        count = count <= id ? UINT32_MAX : count;
        t->at = arena_grow(&m->scratch, t->at, t->count * sizeof *t->at, count * sizeof *t->at);
        memset(t->at + t->count, 0, (count - t->count) * sizeof *t->at);
        t->count = count;
    }
    return &t->at[id];
}

/* Room for one more of an array in the profile's arena. */
#define ROOM(m, array, count, cap, more)                                                           \
    do {                                                                                           \
        uint64_t want_ = (uint64_t)(count) + (more);                                               \
        if (want_ > (cap)) {                                                                       \
            uint64_t next_ = (cap) ? (uint64_t)(cap)*2 : 64;                                       \
            next_ = next_ < want_ ? want_ : next_;                                                 \
            (array) = arena_grow(&(m)->p->arena, (array), (cap) * sizeof *(array),                 \
                                 next_ * sizeof *(array));                                         \
            (cap) = (typeof(cap))next_;                                                            \
        }                                                                                          \
    } while (0)

static struct varint_reader open_body(struct maker *m, enum symbol_table t, uint32_t id)
{
    struct symbol_body b = symbol_get(m->r, t, id);
    return (struct varint_reader){.at = b.ptr, .end = b.ptr + b.len, .failed = !b.ptr};
}

static uint32_t get_id(struct varint_reader *v)
{
    return varint_get_below(v, UINT32_MAX);
}

/* Each of these returns an index, or PROFILE_NONE where the store is damaged. */

static uint32_t make_string(struct maker *m, uint32_t id)
{
    uint32_t *at = place(m, &m->strings, id);
    if (*at)
        return *at - 1;
    struct symbol_body b = symbol_get(m->r, SYMBOL_STRING, id);
    if (!b.ptr)
        return PROFILE_NONE;
    uint32_t i = profile_intern(m->p, (const char *)b.ptr, b.len);
    *at = i + 1;
    return i;
}

static uint32_t make_function(struct maker *m, uint32_t id)
{
    uint32_t *at = place(m, &m->functions, id);
    if (*at)
        return *at - 1;
    struct varint_reader v = open_body(m, SYMBOL_FUNCTION, id);
    uint32_t name = get_id(&v), system_name = get_id(&v), file = get_id(&v);
    struct profile_function f = {.id = m->p->function_count + 1ull};
    f.start_line = varint_get_signed(&v);
    if (v.failed || v.at != v.end)
        return PROFILE_NONE;
    f.name = make_string(m, name);
    f.system_name = make_string(m, system_name);
    f.file = make_string(m, file);
    if (f.name == PROFILE_NONE || f.system_name == PROFILE_NONE || f.file == PROFILE_NONE)
        return PROFILE_NONE;
    ROOM(m, m->p->functions, m->p->function_count, m->function_cap, 1);
    m->p->functions[m->p->function_count] = f;
    *place(m, &m->functions, id) = ++m->p->function_count;
    return m->p->function_count - 1;
}

static uint32_t make_mapping(struct maker *m, uint32_t id)
{
    uint32_t *at = place(m, &m->mappings, id);
    if (*at)
        return *at - 1;
    struct varint_reader v = open_body(m, SYMBOL_MAPPING, id);
    uint64_t size = varint_get(&v), offset = varint_get(&v);
    uint32_t file = get_id(&v), build_id = get_id(&v), flags = varint_get_below(&v, 16);
    if (v.failed || v.at != v.end)
        return PROFILE_NONE;
    uint32_t known = *place(m, &m->starts_known, id);
    struct profile_mapping x = {.id = m->p->mapping_count + 1ull,
                                .start = known ? m->starts[known - 1] : 0,
                                .offset = offset,
                                .file = make_string(m, file),
                                .build_id = make_string(m, build_id),
                                .has_functions = flags & 1,
                                .has_filenames = flags >> 1 & 1,
                                .has_line_numbers = flags >> 2 & 1,
                                .has_inline_frames = flags >> 3 & 1};
    if (x.file == PROFILE_NONE || x.build_id == PROFILE_NONE)
        return PROFILE_NONE;
    x.limit = x.start + size;
    ROOM(m, m->p->mappings, m->p->mapping_count, m->mapping_cap, 1);
    m->p->mappings[m->p->mapping_count] = x;
    *place(m, &m->mappings, id) = ++m->p->mapping_count;
    return m->p->mapping_count - 1;
}

static bool make_lines(struct maker *m, struct varint_reader *v, struct profile_location *l)
{
    ROOM(m, m->p->lines, m->p->line_count, m->line_cap, l->line_count);
    l->line_first = m->p->line_count;
    for (uint32_t i = 0; i < l->line_count; i++) {
        struct profile_line *line = &m->p->lines[l->line_first + i];
        line->function = make_function(m, get_id(v));
        line->line = varint_get_signed(v);
        line->column = varint_get_signed(v);
        if (line->function == PROFILE_NONE || v->failed)
            return false;
        /* pprof's key of a location has the last line's column only. */
        m->again = m->again || (line->column && i + 1 < l->line_count);
    }
    return true;
}

static uint32_t make_location(struct maker *m, uint32_t id)
{
    uint32_t *at = place(m, &m->locations, id);
    if (*at)
        return *at - 1;
    struct varint_reader v = open_body(m, SYMBOL_LOCATION, id);
    uint32_t mapping = get_id(&v);
    struct profile_location l = {.id = m->p->location_count + 1ull, .mapping = PROFILE_NONE};
    l.address = varint_get(&v);
    uint64_t lines = varint_get(&v);
    l.is_folded = lines & 1;
    l.line_count = (uint32_t)(lines >> 1);
    if (v.failed || lines >> 1 > (uint64_t)(v.end - v.at))
        return PROFILE_NONE;
    if (mapping) {
        l.mapping = make_mapping(m, mapping);
        if (l.mapping == PROFILE_NONE)
            return PROFILE_NONE;
        l.address += m->p->mappings[l.mapping].start;
    }
    if (!make_lines(m, &v, &l) || v.at != v.end)
        return PROFILE_NONE;
    m->p->line_count += l.line_count;
    ROOM(m, m->p->locations, m->p->location_count, m->location_cap, 1);
    m->p->locations[m->p->location_count] = l;
    *place(m, &m->locations, id) = ++m->p->location_count;
    return m->p->location_count - 1;
}

static bool make_stack(struct maker *m, uint32_t id)
{
    struct profile *p = m->p;
    struct varint_reader v = open_body(m, SYMBOL_STACK, id);
    uint64_t n = p->loc_ref_count;
    int64_t at = 0;
    if (v.failed)
        return false;
    ROOM(m, p->loc_refs, n, m->ref_cap, (uint64_t)(v.end - v.at));
    while (v.at < v.end) {
        at += varint_get_signed(&v);
        if (v.failed || at <= 0 || at >= UINT32_MAX)
            return false;
        uint32_t known = at < m->locations.count ? m->locations.at[at] : 0;
        p->loc_refs[n] = known ? known - 1 : make_location(m, (uint32_t)at);
        if (p->loc_refs[n++] == PROFILE_NONE)
            return false;
    }
    p->loc_ref_count = n;
    return true;
}

static bool make_labels(struct maker *m, uint32_t id)
{
    struct profile *p = m->p;
    uint64_t n = p->label_count;
    if (!id)
        return true;
    struct varint_reader v = open_body(m, SYMBOL_LABELS, id);
    while (v.at < v.end && !v.failed) {
        struct profile_label l = {.key = make_string(m, get_id(&v))};
        bool is_text = varint_get_below(&v, 2);
        uint32_t text = make_string(m, get_id(&v));
        if (is_text)
            l.str = text;
        else {
            l.num_unit = text;
            l.num = varint_get_signed(&v);
        }
        if (l.key == PROFILE_NONE || text == PROFILE_NONE)
            return false;
        if (is_text && text == 0)
            continue; /* a label that says nothing, which pprof does not write either */
        ROOM(m, p->labels, n, m->label_cap, 1);
        p->labels[n++] = l;
    }
    if (!v.failed)
        p->label_count = n;
    return !v.failed;
}

/* ---- header ---- */

static bool read_header(struct maker *m, uint32_t id, bool first)
{
    struct profile *p = m->p;
    struct varint_reader v = open_body(m, SYMBOL_HEADER, id);
    int64_t period = varint_get_signed(&v);
    uint32_t texts[4], n;
    for (int i = 0; i < 4; i++)
        texts[i] = get_id(&v);
    n = varint_get_count(&v);
    if (v.failed)
        return false;
    p->period = p->period == 0 || p->period < period ? period : p->period;
    uint32_t *const into[] = {&p->default_sample_type, &p->drop_frames, &p->keep_frames,
                              &p->doc_url};
    for (int i = 0; i < 4; i++) {
        bool once = i == 1 || i == 2; /* pprof takes the first profile's, whatever they are */
        uint32_t s = (once ? first : *into[i] == 0) ? make_string(m, texts[i]) : PROFILE_NONE;
        *into[i] = s == PROFILE_NONE ? *into[i] : s;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t mapping = get_id(&v);
        uint64_t start = varint_get(&v);
        if (v.failed)
            return false;
        uint32_t *known = place(m, &m->starts_known, mapping);
        if (*known)
            continue;
        if (m->start_count == m->start_cap) {
            uint32_t cap = m->start_cap ? m->start_cap * 2 : 64;
            m->starts = arena_grow(&m->scratch, m->starts, m->start_cap * sizeof *m->starts,
                                   cap * sizeof *m->starts);
            m->start_cap = cap;
        }
        m->starts[m->start_count] = start;
        *known = ++m->start_count;
        if (first && i == 0)
            make_mapping(m, mapping); /* it stands for the main program */
    }
    return true;
}

static void add_comments(struct maker *m, const struct summed *in)
{
    struct profile *p = m->p;
    struct places seen = {0};
    uint32_t cap = 0;
    for (uint32_t i = 0; i < in->comment_count; i++) {
        const char *at = in->comments[i].ptr, *end = at + in->comments[i].len;
        for (; at < end && p->comment_count < LIMIT_STORE_COMMENTS; at += strlen(at) + 1) {
            uint32_t s = profile_intern_cstr(p, at);
            uint32_t *known = place(m, &seen, s);
            if (*known)
                continue;
            *known = 1;
            ROOM(m, p->comments, p->comment_count, cap, 1);
            p->comments[p->comment_count++] = s;
        }
    }
}

static bool make_header(struct maker *m, const struct summed *in, uint64_t *damaged)
{
    struct profile *p = m->p;
    struct schema s;
    if (symbol_get_schema(m->r, in->schema, &s) != 0 || s.types != in->samples.types)
        return false;
    p->sample_types = arena_array(&p->arena, s.types, sizeof *p->sample_types);
    for (uint32_t t = 0; t < s.types; t++) {
        struct profile_value_type v = {make_string(m, s.type[t]), make_string(m, s.unit[t])};
        if (v.type == PROFILE_NONE || v.unit == PROFILE_NONE)
            return false;
        p->sample_types[p->sample_type_count++] = v;
    }
    p->period_type.type = make_string(m, s.period_type);
    p->period_type.unit = make_string(m, s.period_unit);
    if (p->period_type.type == PROFILE_NONE || p->period_type.unit == PROFILE_NONE)
        return false;
    p->time_nanos = in->time_ns;
    p->duration_nanos = in->duration_ns;
    for (uint32_t i = 0; i < in->header_count; i++)
        *damaged += !read_header(m, in->headers[i], i == 0);
    add_comments(m, in);
    return true;
}

/* ---- samples ---- */

static bool all_zero(const int64_t *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i])
            return false;
    return true;
}

static void make_samples(struct maker *m, const struct block_samples *in, uint64_t *damaged)
{
    struct profile *p = m->p;
    uint32_t types = in->types;
    p->sample_loc_end = arena_array(&p->arena, in->count, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_array(&p->arena, in->count, sizeof *p->sample_label_end);
    p->values = arena_array(&p->arena, in->count, types * sizeof *p->values);
    /* Usual numbers, so that large arrays are not copied again and again as they grow. */
    ROOM(m, p->loc_refs, 0, m->ref_cap, in->count * 32ull);
    ROOM(m, p->locations, p->location_count, m->location_cap, in->count);
    ROOM(m, p->lines, p->line_count, m->line_cap, in->count);
    for (uint32_t i = 0; i < in->count; i++) {
        const int64_t *v = in->values + (size_t)i * types;
        uint64_t refs = p->loc_ref_count;
        if (all_zero(v, types))
            continue;
        if (!make_stack(m, in->keys[i].stack) || !make_labels(m, in->keys[i].labels)) {
            p->loc_ref_count = refs;
            ++*damaged;
            continue;
        }
        memcpy(p->values + (size_t)p->sample_count * types, v, types * sizeof *v);
        p->sample_loc_end[p->sample_count] = p->loc_ref_count;
        p->sample_label_end[p->sample_count++] = p->label_count;
    }
}

/* Whether pprof takes two of the mappings for one: see mapping_key in profile/merge.c. */
static bool has_twin_mappings(const struct profile *p)
{
    if (p->mapping_count > 1000)
        return true; /* merging once more is cheaper than finding out */
    for (uint32_t i = 0; i < p->mapping_count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct profile_mapping *a = &p->mappings[i], *b = &p->mappings[k];
            if (a->offset == b->offset &&
                (a->limit - a->start + 0xfff) / 0x1000 == (b->limit - b->start + 0xfff) / 0x1000 &&
                (a->build_id ? a->build_id : a->file) == (b->build_id ? b->build_id : b->file))
                return true;
        }
    return false;
}

int sqlite_make_profile(struct profile *out, struct symbol_reader *r, const struct summed *in,
                        uint64_t *damaged, bool *again)
{
    struct maker m = {.p = out, .r = r};
    bool good = make_header(&m, in, damaged);
    if (good)
        make_samples(&m, &in->samples, damaged);
    *again = m.again || has_twin_mappings(out);
    arena_free(&m.scratch);
    return good ? 0 : -1;
}
