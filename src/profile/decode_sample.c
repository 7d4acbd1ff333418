/* SPDX-License-Identifier: MIT
 *
 * Samples: nearly all of the bytes of a large profile, and so nearly all of the time of reading it.
 * They are counted first (a location costs its last byte a look), the arrays are made in one piece,
 * and the second walk writes straight into them. There is no allocation and no copy per sample. */
#include "profile/decode_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

enum { F_SAMPLE = 2, S_LOCATION = 1, S_VALUE = 2, S_LABEL = 3 };
enum { GIVE_BACK_STEP = 8 << 20 };

struct totals {
    uint64_t locations, values, labels;
};

/* The next sample of the file; scan has seen that it is well formed. */
static bool next_sample(struct wire *range, struct wire *sample)
{
    struct wire_field f;
    while (range->at < range->end) {
        wire_next(range, &f);
        if (f.number == F_SAMPLE) {
            *sample = f.bytes;
            return true;
        }
    }
    return false;
}

static int count_sample(struct decoder *d, struct wire w, struct totals *t)
{
    struct wire_field f;
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        const char *wrong = wire_next(&w, &f);
        if (wrong)
            return decode_malformed(d, start, wrong);
        if (f.number == 0 || f.number > S_LABEL)
            continue;
        if (f.type != WIRE_BYTES && (f.type != WIRE_VARINT || f.number == S_LABEL))
            return decode_malformed(d, start, "type mismatch");
        uint64_t n = f.type == WIRE_BYTES && f.number != S_LABEL ? wire_count_varints(f.bytes) : 1;
        if (f.number == S_LOCATION)
            t->locations += n;
        else if (f.number == S_VALUE)
            t->values += n;
        else
            t->labels++;
    }
    return 0;
}

/* -EINVAL without a sentence: see examine. */
static int count_samples(struct decoder *d, struct totals *t)
{
    struct wire range = d->range[F_SAMPLE], sample;
    uint32_t types = d->p->sample_type_count;
    for (uint32_t i = 0; next_sample(&range, &sample); i++) {
        struct totals before = *t;
        int rc = count_sample(d, sample, t);
        if (rc != 0)
            return rc;
        uint64_t values = t->values - before.values, depth = t->locations - before.locations;
        if (types == 0 || values != types)
            return -EINVAL;
        if (depth > LIMIT_STACK_DEPTH_READ)
            return err_set(d->e, -EFBIG, "sample %u has %" PRIu64 " locations; at most %u are read",
                           i, depth, LIMIT_STACK_DEPTH_READ);
    }
    return 0;
}

/* One location id: its index goes to the end of loc_refs. -EINVAL without a sentence. */
static inline int add_location(struct decoder *d, uint64_t id)
{
    uint32_t index = idmap_find(&d->locations, id);
    if (index == PROFILE_NONE)
        return -EINVAL;
    d->p->loc_refs[d->p->loc_ref_count++] = index;
    return 0;
}

static int packed_locations_slow(struct decoder *d, struct wire w)
{
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        uint64_t id;
        if (wire_varint(&w, &id) != 0)
            return decode_malformed(d, start, "bad varint");
        int rc = add_location(d, id);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Ids of the result of wire_small_varints to indexes, in place; false: one does not exist. */
static bool to_indexes(const struct idmap *m, uint32_t *refs, uint64_t n)
{
    uint32_t worst = 0;
    if (m->dense_count == 0) {
        for (uint64_t i = 0; i < n; i++) {
            refs[i]--; /* id 0 becomes the largest */
            worst = refs[i] > worst ? refs[i] : worst;
        }
        return n == 0 || worst < m->count;
    }
    for (uint64_t i = 0; i < n; i++) {
        refs[i] = idmap_find_slow(m, refs[i]);
        worst = refs[i] > worst ? refs[i] : worst;
    }
    return worst != PROFILE_NONE;
}

/* The usual stack has small ids, all of which exist; any other is read again, with care. */
static int packed_locations(struct decoder *d, struct wire w)
{
    struct profile *p = d->p;
    uint32_t *refs = p->loc_refs + p->loc_ref_count;
    int64_t n = wire_small_varints(w, d->end, refs);
    if (n < 0 || !to_indexes(&d->locations, refs, (uint64_t)n))
        return packed_locations_slow(d, w);
    p->loc_ref_count += (uint64_t)n;
    return 0;
}

static int packed_values(struct decoder *d, struct wire w, int64_t **value)
{
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        uint64_t v;
        if (wire_varint(&w, &v) != 0)
            return decode_malformed(d, start, "bad varint");
        *(*value)++ = (int64_t)v;
    }
    return 0;
}

/* ---- labels ---- */

/* A string of a label for which index 0 means "not there": an empty string that is named by another
 * index is there, and stays so. */
static int optional_string(struct decoder *d, const uint8_t *at, uint64_t index, uint32_t *out)
{
    int rc = decode_string(d, at, index, out);
    if (rc == 0 && *out == 0 && index != 0)
        *out = profile_empty_twin(d->p);
    return rc;
}

/* As postDecode: a label with a string is that string, whatever else it has; one with neither
 * string, number nor unit is dropped. */
static int decode_label(struct decoder *d, struct wire msg)
{
    uint64_t v[5];
    struct profile *p = d->p;
    struct profile_label *l = &p->labels[p->label_count];
    int rc = decode_scalars(d, msg, v, 5);
    if (rc != 0)
        return rc;
    *l = (struct profile_label){0};
    rc = decode_string(d, msg.at, v[1], &l->key);
    if (rc != 0 || (v[2] == 0 && v[3] == 0 && v[4] == 0))
        return rc;
    if (v[2] != 0) {
        rc = optional_string(d, msg.at, v[2], &l->str);
    } else {
        l->num = (int64_t)v[3];
        rc = optional_string(d, msg.at, v[4], &l->num_unit);
    }
    p->label_count++;
    return rc;
}

/* ---- one sample ---- */

static int decode_sample(struct decoder *d, struct wire w, int64_t *value)
{
    struct wire_field f;
    int rc = 0;
    while (rc == 0 && w.at < w.end) {
        wire_next(&w, &f); /* count_sample has seen that it is well formed */
        if (f.number == S_LOCATION)
            rc = f.type == WIRE_BYTES ? packed_locations(d, f.bytes) : add_location(d, f.value);
        else if (f.number == S_VALUE && f.type == WIRE_BYTES)
            rc = packed_values(d, f.bytes, &value);
        else if (f.number == S_VALUE)
            *value++ = (int64_t)f.value;
        else if (f.number == S_LABEL)
            rc = decode_label(d, f.bytes);
    }
    return rc;
}

/* ---- what is wrong ---- */

/* Reads a packed list that is thrown away. *nil is set if it is of locations and one is none. */
static int examine_packed(struct decoder *d, struct wire w, bool *nil)
{
    while (w.at < w.end) {
        const uint8_t *start = w.at;
        uint64_t id;
        if (wire_varint(&w, &id) != 0)
            return decode_malformed(d, start, "bad varint");
        if (nil && idmap_find(&d->locations, id) == PROFILE_NONE)
            *nil = true;
    }
    return 0;
}

/* The same for a sample that count_sample takes. */
static int examine_sample(struct decoder *d, struct wire w, bool *nil)
{
    struct wire_field f;
    int rc = 0;
    while (rc == 0 && w.at < w.end) {
        wire_next(&w, &f);
        bool is_location = f.number == S_LOCATION;
        d->p->label_count = 0;
        if (f.number == S_LABEL)
            rc = decode_label(d, f.bytes);
        else if ((is_location || f.number == S_VALUE) && f.type == WIRE_BYTES)
            rc = examine_packed(d, f.bytes, is_location ? nil : NULL);
        else if (is_location)
            *nil |= idmap_find(&d->locations, f.value) == PROFILE_NONE;
    }
    return rc;
}

/* A sample that was examined. */
struct examined {
    uint32_t number;
    struct wire bytes;
    uint64_t values;
    bool nil; /* it has a location that there is not */
};

/* CheckValid on a sample; `e` becomes what it says first. */
static bool judge(const struct decoder *d, const struct examined *s, struct err *e)
{
    uint32_t types = d->p->sample_type_count;
    size_t at = (size_t)(s->bytes.at - d->base);
    if (types == 0)
        err_set(e, -EINVAL, "missing sample type information");
    else if (s->values != types)
        err_set(e, -EINVAL,
                "mismatch: sample has %" PRIu64 " values vs. %u types (sample %u, at byte %zu)",
                s->values, types, s->number, at);
    else if (s->nil)
        err_set(e, -EINVAL, "sample has nil location (sample %u, at byte %zu)", s->number, at);
    else
        return false;
    return true;
}

/* Something is wrong, with a sample from the i-th on or with a table. pprof reads all of the file
 * first, so that what cannot be read anywhere is its error; then it judges samples, then tables. */
static int examine(struct decoder *d, struct wire range, uint32_t i)
{
    struct err first = d->invalid;
    struct examined s = {.number = i};
    bool found = false;
    d->p->labels = arena_array(&d->scratch, 1, sizeof *d->p->labels);
    for (; next_sample(&range, &s.bytes); s.number++) {
        struct totals t = {0};
        s.nil = false;
        int rc = count_sample(d, s.bytes, &t);
        if (rc == 0)
            rc = examine_sample(d, s.bytes, &s.nil);
        if (rc != 0)
            return rc;
        s.values = t.values;
        if (!found)
            found = judge(d, &s, &first);
    }
    return first.code ? err_set(d->e, first.code, "%s", first.msg) : 0;
}

/* ---- all of them ---- */

/* Gives the pages between two places of the input back; returns where what is kept begins. Pages of
 * 2 MiB are given back whole, since the system would keep all of one that is needed in part. */
static const uint8_t *give_back(const uint8_t *from, const uint8_t *to)
{
    uintptr_t page = 2 << 20, first = ((uintptr_t)from + page - 1) & ~(page - 1);
    uintptr_t end = (uintptr_t)to & ~(page - 1);
    if (first >= end)
        return from;
    madvise((void *)first, end - first, MADV_DONTNEED);
    return (const uint8_t *)end;
}

static int fill_samples(struct decoder *d)
{
    struct profile *p = d->p;
    struct wire range = d->range[F_SAMPLE], sample;
    const uint8_t *kept = range.at, *start = range.at;
    bool consume = d->input == PROFILE_INPUT_CONSUMED;
    for (uint32_t i = 0; next_sample(&range, &sample); i++) {
        uint64_t label_first = p->label_count;
        int rc = decode_sample(d, sample, p->values + (uint64_t)i * p->sample_type_count);
        if (rc == -EINVAL)
            return examine(d, (struct wire){start, range.end}, i);
        if (rc != 0)
            return rc;
        if (p->label_count - label_first > 1)
            profile_sort_labels(p, p->labels + label_first, p->label_count - label_first,
                                &d->scratch);
        p->sample_loc_end[i] = p->loc_ref_count;
        p->sample_label_end[i] = p->label_count;
        p->sample_count++;
        if (consume && range.at - kept >= GIVE_BACK_STEP)
            kept = give_back(kept, range.at);
        start = range.at;
    }
    return 0;
}

int decode_samples(struct decoder *d)
{
    struct profile *p = d->p;
    struct totals t = {0};
    int rc = d->invalid.code ? -EINVAL : count_samples(d, &t);
    if (rc == -EINVAL)
        return examine(d, d->range[F_SAMPLE], 0);
    if (rc != 0)
        return rc;
    uint64_t n = d->count[F_SAMPLE];
    p->sample_loc_end = arena_array(&p->arena, n, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_array(&p->arena, n, sizeof *p->sample_label_end);
    p->loc_refs = arena_array(&p->arena, t.locations, sizeof *p->loc_refs);
    p->values = arena_array(&p->arena, t.values, sizeof *p->values);
    p->labels = arena_array(&p->arena, t.labels, sizeof *p->labels);
    return fill_samples(d);
}
