/* SPDX-License-Identifier: MIT
 *
 * A profile to its wire form, the one google/pprof's encoder writes for it (profile/encode.go):
 * strings numbered in order of first use, equal strings once, labels sorted by key with strings
 * before numbers, scalars of value 0 left out, lists of more than two numbers packed. So our files
 * are, once inflated, byte for byte what pprof would write.
 *
 * Part of libstrobe: libc only, memory from the buffer's arena only, no recursion. Lengths of
 * messages are computed before they are written, so that nothing is moved afterwards. */
#include "profile/profile_internal.h"

#include <errno.h>

#define STRING_NEW UINT32_MAX

enum { VARINT_MAX = 10 };

struct encoder {
    const struct profile *p;
    struct buf *out;
    struct arena *arena;
    uint32_t *renumber; /* by string of p; STRING_NEW: not used yet */
    uint32_t *used;     /* strings of p in their new order */
    uint32_t used_count;
    struct map by_content; /* indexes into p->strings, of strings in `used` */
    struct profile_label *sorted;
    uint64_t sorted_cap;
    char *ids; /* of one sample, on the wire */
    uint64_t ids_cap;
    bool ids_are_places; /* the id of each location is its index + 1 */
    bool failed;
};

/* ---- varints and fields ---- */

static uint32_t varint_size(uint64_t v)
{
    return (uint32_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static char *put_varint(char *at, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *at++ = (char)(v | 128);
    *at++ = (char)v;
    return at;
}

/* All field numbers are below 16, so a key is one byte. */
static char *put_field(char *at, unsigned number, uint64_t v)
{
    *at++ = (char)(number << 3);
    return put_varint(at, v);
}

static char *put_optional(char *at, unsigned number, uint64_t v)
{
    return v ? put_field(at, number, v) : at;
}

static char *put_length(char *at, unsigned number, uint64_t n)
{
    *at++ = (char)(number << 3 | 2);
    return put_varint(at, n);
}

/* A message of scalar fields: v[i] is field i + 1, left out when 0. */
static size_t scalars_size(const uint64_t *v, unsigned count)
{
    size_t n = 0;
    for (unsigned i = 0; i < count; i++)
        n += v[i] ? 1 + varint_size(v[i]) : 0;
    return n;
}

static size_t message_size(size_t body)
{
    return 1 + varint_size(body) + body;
}

static char *put_message(char *at, unsigned number, const uint64_t *v, unsigned count)
{
    at = put_length(at, number, scalars_size(v, count));
    for (unsigned i = 0; i < count; i++)
        at = put_optional(at, i + 1, v[i]);
    return at;
}

static void write_message(struct encoder *en, unsigned number, const uint64_t *v, unsigned count)
{
    char *at = buf_reserve(en->out, message_size(scalars_size(v, count)));
    if (at)
        en->out->len += (size_t)(put_message(at, number, v, count) - at);
}

static void write_optional(struct encoder *en, unsigned number, uint64_t v)
{
    char *at = buf_reserve(en->out, 11);
    if (at)
        en->out->len += (size_t)(put_optional(at, number, v) - at);
}

/* ---- strings ---- */

/* The new number of a string, given at its first use. */
static uint64_t str(struct encoder *en, uint32_t s)
{
    if (en->renumber[s] != STRING_NEW)
        return en->renumber[s];
    struct profile_str text = en->p->strings[s];
    uint64_t hash = hash_bytes(text.ptr, text.len);
    uint32_t same = profile_find_string(en->p, &en->by_content, hash, text);
    if (same != PROFILE_NONE)
        return en->renumber[s] = en->renumber[same];
    if (map_put(&en->by_content, hash, s) != 0) {
        en->failed = true;
        return 0;
    }
    en->used[en->used_count] = s;
    return en->renumber[s] = en->used_count++;
}

static int start_strings(struct encoder *en)
{
    uint32_t n = en->p->string_count;
    en->renumber = arena_array(en->arena, n, sizeof *en->renumber);
    en->used = arena_array(en->arena, n, sizeof *en->used);
    if (!en->renumber || !en->used || map_init(&en->by_content, en->arena, 64) != 0)
        return -ENOMEM;
    memset(en->renumber, 0xff, n * sizeof *en->renumber);
    str(en, 0);
    return en->failed ? -ENOMEM : 0;
}

/* ---- labels ---- */

/* The labels of sample i in order: where they are, when they are sorted already (they are after
 * decode and merge), else a sorted copy. */
static const struct profile_label *sorted_labels(struct encoder *en, uint32_t i, uint64_t *count)
{
    const struct profile *p = en->p;
    uint64_t n = p->sample_label_end[i] - profile_label_first(p, i);
    const struct profile_label *from = n ? p->labels + profile_label_first(p, i) : NULL;
    *count = n;
    if (n < 2 || profile_labels_sorted(p, from, n))
        return from;
    if (n > en->sorted_cap) {
        en->sorted = arena_array(en->arena, n * 2, sizeof *en->sorted);
        en->sorted_cap = en->sorted ? n * 2 : 0;
    }
    if (en->sorted)
        memcpy(en->sorted, from, n * sizeof *from);
    if (en->sorted && profile_sort_labels(p, en->sorted, n, en->arena) == 0)
        return en->sorted;
    en->failed = true;
    *count = 0;
    return from;
}

/* Fields 1..4 of a label message; pprof writes either the string or the number with its unit. */
static void label_fields(struct encoder *en, const struct profile_label *l, uint64_t v[4])
{
    bool number = l->str == 0;
    v[0] = str(en, l->key);
    v[1] = number ? 0 : str(en, l->str);
    v[2] = number ? (uint64_t)l->num : 0;
    v[3] = number ? str(en, l->num_unit) : 0;
}

/* ---- messages ---- */

static void write_value_type(struct encoder *en, unsigned number, struct profile_value_type t)
{
    write_message(en, number, (uint64_t[]){str(en, t.type), str(en, t.unit)}, 2);
}

/* Size of a repeated number field: packed when it has more than two elements. */
static size_t repeated_size(size_t count, size_t payload)
{
    if (count > 2)
        return 1 + varint_size(payload) + payload;
    return count + payload;
}

/* One id behind another, however many bytes each takes: what is below 2^28 is spread over four
 * bytes at once, of which as many count as are needed, because a branch on the length of each is
 * guessed wrong every other time. Writes up to four bytes behind what it returns. */
static inline char *put_id(char *at, uint64_t v)
{
    if (v >> 28)
        return put_varint(at, v);
    uint32_t size = varint_size(v), x = (uint32_t)v;
    x = (x & 0x7f) | (x & 0x3f80) << 1 | (x & 0x1fc000) << 2 | (x & 0xfe00000) << 3;
    x |= 0x80808080u & ((1u << 8 * (size - 1)) - 1);
    for (uint32_t i = 0; i < 4; i++)
        at[i] = (char)(x >> 8 * i);
    return at + size;
}

/* The ids of a sample's locations as varints, in a buffer that the next sample takes. NULL when
 * memory is out. */
static const char *write_ids(struct encoder *en, uint32_t i, size_t *size)
{
    const struct profile *p = en->p;
    const uint32_t *ref = p->loc_refs + profile_loc_first(p, i);
    uint64_t n = p->sample_loc_end[i] - profile_loc_first(p, i);
    if (n > en->ids_cap) {
        en->ids_cap = 2 * n + 64;
        en->ids = arena_array(en->arena, en->ids_cap, VARINT_MAX);
        if (!en->ids) {
            en->ids_cap = 0;
            en->failed = true;
            return NULL;
        }
    }
    char *at = en->ids;
    if (en->ids_are_places)
        for (uint64_t k = 0; k < n; k++)
            at = put_id(at, (uint64_t)ref[k] + 1);
    else
        for (uint64_t k = 0; k < n; k++)
            at = put_id(at, p->locations[ref[k]].id);
    *size = (size_t)(at - en->ids);
    return en->ids;
}

/* The location ids of a sample: `size` bytes of varints. */
static char *put_ids(const struct profile *p, uint32_t i, char *at, const char *ids, size_t size)
{
    uint64_t first = profile_loc_first(p, i), end = p->sample_loc_end[i];
    if (end - first > 2) {
        at = put_length(at, 1, size);
        memcpy(at, ids, size);
        return at + size;
    }
    for (uint64_t k = first; k < end; k++)
        at = put_field(at, 1, p->locations[p->loc_refs[k]].id);
    return at;
}

static char *put_values(const struct profile *p, uint32_t i, char *at, size_t payload)
{
    uint32_t n = p->sample_type_count;
    const int64_t *values = p->values + (uint64_t)i * n;
    if (n > 2)
        at = put_length(at, 2, payload);
    for (uint32_t k = 0; k < n; k++)
        at = n > 2 ? put_varint(at, (uint64_t)values[k]) : put_field(at, 2, (uint64_t)values[k]);
    return at;
}

static void write_sample(struct encoder *en, uint32_t i)
{
    const struct profile *p = en->p;
    uint64_t first = profile_loc_first(p, i), end = p->sample_loc_end[i], label_count;
    size_t ids_size = 0, values = 0, labels = 0;
    const char *ids = first < end ? write_ids(en, i, &ids_size) : NULL;
    for (uint32_t k = 0; k < p->sample_type_count; k++)
        values += varint_size((uint64_t)p->values[(uint64_t)i * p->sample_type_count + k]);
    const struct profile_label *l = sorted_labels(en, i, &label_count);
    uint64_t v[4];
    for (uint64_t k = 0; k < label_count; k++) {
        label_fields(en, &l[k], v);
        labels += message_size(scalars_size(v, 4));
    }
    size_t size =
        repeated_size(end - first, ids_size) + repeated_size(p->sample_type_count, values) + labels;
    char *from = buf_reserve(en->out, size + 11);
    if (!from || en->failed)
        return;
    char *at = put_length(from, 2, size);
    at = put_ids(p, i, at, ids, ids_size);
    at = put_values(p, i, at, values);
    for (uint64_t k = 0; k < label_count; k++) {
        label_fields(en, &l[k], v);
        at = put_message(at, 3, v, 4);
    }
    en->out->len += (size_t)(at - from);
}

static void write_mapping(struct encoder *en, const struct profile_mapping *m)
{
    uint64_t file = str(en, m->file), build_id = str(en, m->build_id);
    write_message(en, 3,
                  (uint64_t[]){m->id, m->start, m->limit, m->offset, file, build_id,
                               m->has_functions, m->has_filenames, m->has_line_numbers,
                               m->has_inline_frames},
                  10);
}

static void line_fields(const struct profile *p, const struct profile_line *l, uint64_t v[3])
{
    v[0] = l->function == PROFILE_NONE ? 0 : p->functions[l->function].id;
    v[1] = (uint64_t)l->line;
    v[2] = (uint64_t)l->column;
}

static void write_location(struct encoder *en, const struct profile_location *l)
{
    const struct profile *p = en->p;
    const struct profile_line *lines = l->line_count ? p->lines + l->line_first : NULL;
    uint64_t mapping = l->mapping == PROFILE_NONE ? 0 : p->mappings[l->mapping].id, v[3];
    const uint64_t head[] = {l->id, mapping, l->address};
    size_t size = scalars_size(head, 3) + (l->is_folded ? 2 : 0);
    for (uint32_t k = 0; k < l->line_count; k++) {
        line_fields(p, &lines[k], v);
        size += message_size(scalars_size(v, 3));
    }
    char *from = buf_reserve(en->out, message_size(size));
    if (!from)
        return;
    char *at = put_length(from, 4, size);
    for (unsigned i = 0; i < 3; i++)
        at = put_optional(at, i + 1, head[i]);
    for (uint32_t k = 0; k < l->line_count; k++) {
        line_fields(p, &lines[k], v);
        at = put_message(at, 4, v, 3);
    }
    at = put_optional(at, 5, l->is_folded);
    en->out->len += (size_t)(at - from);
}

static void write_function(struct encoder *en, const struct profile_function *f)
{
    uint64_t name = str(en, f->name), system_name = str(en, f->system_name);
    uint64_t file = str(en, f->file);
    write_message(en, 5, (uint64_t[]){f->id, name, system_name, file, (uint64_t)f->start_line}, 5);
}

static void write_comments(struct encoder *en, const uint64_t *comments)
{
    uint32_t n = en->p->comment_count;
    size_t payload = 0;
    for (uint32_t i = 0; i < n; i++)
        payload += varint_size(comments[i]);
    char *from = buf_reserve(en->out, repeated_size(n, payload)), *at = from;
    if (!from)
        return;
    if (n > 2)
        at = put_length(at, 13, payload);
    for (uint32_t i = 0; i < n; i++)
        at = n > 2 ? put_varint(at, comments[i]) : put_field(at, 13, comments[i]);
    en->out->len += (size_t)(at - from);
}

/* The strings after the tables, then the fields 7..15. The table comes before the header's fields
 * on the wire, so they are numbered first. */
static void write_rest(struct encoder *en)
{
    const struct profile *p = en->p;
    uint64_t drop = str(en, p->drop_frames), keep = str(en, p->keep_frames);
    const uint64_t period_type[] = {str(en, p->period_type.type), str(en, p->period_type.unit)};
    uint64_t *comments = arena_array(en->arena, p->comment_count, sizeof *comments);
    if (!comments) {
        en->failed = true;
        return;
    }
    for (uint32_t i = 0; i < p->comment_count; i++)
        comments[i] = str(en, p->comments[i]);
    uint64_t default_type = str(en, p->default_sample_type), doc_url = str(en, p->doc_url);
    for (uint32_t i = 0; i < en->used_count; i++) {
        struct profile_str s = p->strings[en->used[i]];
        char *at = buf_reserve(en->out, message_size(s.len));
        if (!at)
            return;
        en->out->len += (size_t)(put_length(at, 6, s.len) - at);
        buf_append(en->out, s.ptr, s.len);
    }
    write_optional(en, 7, drop);
    write_optional(en, 8, keep);
    write_optional(en, 9, (uint64_t)p->time_nanos);
    write_optional(en, 10, (uint64_t)p->duration_nanos);
    if (period_type[0] || period_type[1])
        write_message(en, 11, period_type, 2);
    write_optional(en, 12, (uint64_t)p->period);
    write_comments(en, comments);
    char *at = buf_reserve(en->out, 11); /* field 14 is written even when it is 0, as pprof does */
    if (at)
        en->out->len += (size_t)(put_field(at, 14, default_type) - at);
    write_optional(en, 15, doc_url);
}

static bool ids_are_places(const struct profile *p)
{
    uint32_t i = 0;
    while (i < p->location_count && p->locations[i].id == i + 1ull)
        i++;
    return i == p->location_count;
}

int profile_encode(const struct profile *p, struct buf *out)
{
    struct encoder en = {
        .p = p, .out = out, .arena = out->arena, .ids_are_places = ids_are_places(p)};
    if (start_strings(&en) != 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        write_value_type(&en, 1, p->sample_types[i]);
    for (uint32_t i = 0; i < p->sample_count && !en.failed; i++)
        write_sample(&en, i);
    for (uint32_t i = 0; i < p->mapping_count; i++)
        write_mapping(&en, &p->mappings[i]);
    for (uint32_t i = 0; i < p->location_count; i++)
        write_location(&en, &p->locations[i]);
    for (uint32_t i = 0; i < p->function_count; i++)
        write_function(&en, &p->functions[i]);
    write_rest(&en);
    return en.failed || out->failed ? -ENOMEM : 0;
}
