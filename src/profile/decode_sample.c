/* SPDX-License-Identifier: MIT
 *
 * Samples: nearly all of the bytes of a large profile, and so nearly all of the time of reading it.
 * They are counted first (a location costs its last byte a look), the arrays are made in one piece,
 * and the second walk writes straight into them, each processor from another sample on. There is no
 * allocation and no copy per sample. */
#include "base/parallel.h"
#include "profile/decode_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

enum { F_SAMPLE = 2, S_LOCATION = 1, S_VALUE = 2, S_LABEL = 3 };
/* Keys on the wire of fields of bytes. */
enum { K_SAMPLE = 0x12, K_LOCATION = 0x0a, K_VALUE = 0x12, K_LABEL = 0x1a };
enum { GIVE_BACK_STEP = 8 << 20 };
enum { PART_BYTES = 1 << 20 }; /* less is not worth a thread */

struct totals {
    uint64_t locations, values, labels;
};

/* The next sample of the file; scan has seen that it is well formed. */
static bool next_sample(struct wire *range, struct wire *sample)
{
    struct wire_field f;
    if (wire_next_bytes(range, K_SAMPLE, sample))
        return true;
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
        if (wire_next_bytes(&w, K_LOCATION, &f.bytes)) {
            t->locations += d->varints->count(f.bytes, d->end);
            continue;
        }
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

/* A run of samples that is read by one thread: where it begins, and what was before it. */
struct part {
    struct wire range;
    uint32_t first, count; /* samples */
    struct totals before;
    struct profile filled; /* the profile with its arrays from here on, and counts of this part */
    struct err error;
    int rc;
};

struct parts {
    const struct decoder *d;
    struct part part[PARALLEL_MAX];
    unsigned count;
};

static void begin_parts(struct decoder *d, struct parts *parts)
{
    size_t size = (size_t)(d->range[F_SAMPLE].end - d->range[F_SAMPLE].at);
    unsigned most = size < 2 * PART_BYTES ? 1 : parallel_ways();
    *parts = (struct parts){.d = d, .count = size / PART_BYTES < most ? size / PART_BYTES : most};
    if (parts->count == 0)
        parts->count = 1;
    for (unsigned k = 0; k < parts->count; k++)
        parts->part[k].range = d->range[F_SAMPLE];
}

/* Counts, and parts the samples into runs of about as many bytes. -EINVAL without a sentence: see
 * examine. */
static int count_samples(struct decoder *d, struct totals *t, struct parts *parts)
{
    struct wire range = d->range[F_SAMPLE], sample;
    const uint8_t *first = range.at;
    size_t size = (size_t)(range.end - first);
    uint32_t types = d->p->sample_type_count, i = 0;
    unsigned k = 1;
    begin_parts(d, parts);
    for (; next_sample(&range, &sample); i++) {
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
        for (; k < parts->count && (size_t)(range.at - first) >= size / parts->count * k; k++) {
            parts->part[k - 1].range.end = parts->part[k].range.at = range.at;
            parts->part[k].first = i + 1;
            parts->part[k].before = *t;
        }
    }
    for (k = 0; k < parts->count; k++)
        parts->part[k].count =
            (k + 1 < parts->count ? parts->part[k + 1].first : i) - parts->part[k].first;
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

/* Ids less one to indexes, in place; false: one does not exist. */
static bool to_indexes(const struct idmap *m, uint32_t *refs, uint64_t n)
{
    uint32_t worst = 0;
    for (uint64_t i = 0; i < n; i++) {
        refs[i] = idmap_find_slow(m, refs[i] + 1); /* wraps to 0 */
        worst = refs[i] > worst ? refs[i] : worst;
    }
    return worst != PROFILE_NONE;
}

/* The usual stack has small ids, all of which exist; any other is read again, with care. */
static int packed_locations(struct decoder *d, struct wire w)
{
    struct profile *p = d->p;
    uint32_t *refs = p->loc_refs + p->loc_ref_count, largest = 0;
    int64_t n = d->varints->read(w, d->end, refs, &largest);
    bool in_order = d->locations.dense_count == 0;
    if (n < 0 ||
        (in_order ? largest >= d->locations.count : !to_indexes(&d->locations, refs, (uint64_t)n)))
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
        if (wire_next_bytes(&w, K_LOCATION, &f.bytes)) {
            rc = packed_locations(d, f.bytes);
            continue;
        }
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

/* Examines samples, the first of which is the i-th; `first` gets what is the first to be wrong,
 * unless something was before. */
static int examine_run(struct decoder *d, struct wire range, uint32_t i, struct err *first)
{
    struct examined s = {.number = i};
    while (next_sample(&range, &s.bytes)) {
        struct totals t = {0};
        struct err e;
        s.nil = false;
        int rc = count_sample(d, s.bytes, &t);
        if (rc == 0)
            rc = examine_sample(d, s.bytes, &s.nil);
        if (rc != 0)
            return rc;
        s.values = t.values;
        if (!first->code && judge(d, &s, &e))
            *first = e;
        s.number++;
    }
    return 0;
}

/* Something is wrong, with a sample of a part or with a table. pprof reads all of the file first,
 * so that what cannot be read anywhere is its error; then it judges samples, then tables. What a
 * part has read before it stopped is good, and may be gone. */
static int examine(struct decoder *d, const struct parts *parts)
{
    struct err first = {0};
    int rc = 0;
    d->p->labels = arena_array(&d->scratch, 1, sizeof *d->p->labels);
    for (unsigned k = 0; k < parts->count && rc == 0; k++) {
        const struct part *part = &parts->part[k];
        if (part->rc == -EINVAL)
            rc = examine_run(d, part->range, part->first, &first);
        else if (part->rc != 0)
            rc = err_set(d->e, part->rc, "%s", part->error.msg);
    }
    if (rc == 0 && !first.code)
        first = d->invalid;
    return rc == 0 && first.code ? err_set(d->e, first.code, "%s", first.msg) : rc;
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

/* The samples of one part, into the arrays of `d->p`, which begin with it. */
static int fill_part(struct decoder *d, struct part *part)
{
    struct profile *p = d->p;
    struct wire range = part->range, sample;
    const uint8_t *kept = range.at;
    bool consume = d->input == PROFILE_INPUT_CONSUMED;
    for (uint32_t i = 0; next_sample(&range, &sample); i++) {
        uint64_t label_first = p->label_count;
        int rc = decode_sample(d, sample, p->values + (uint64_t)i * p->sample_type_count);
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
        part->range.at = range.at;
    }
    return 0;
}

static void fill_one(void *context, unsigned number)
{
    struct parts *parts = context;
    struct part *part = &parts->part[number];
    struct decoder d = *parts->d;
    struct profile *p = &part->filled;
    *p = *d.p;
    p->sample_loc_end += part->first;
    p->sample_label_end += part->first;
    p->values += (uint64_t)part->first * p->sample_type_count;
    p->loc_refs += part->before.locations;
    p->labels += part->before.labels;
    d.p = p;
    d.e = &part->error;
    arena_init(&d.scratch);
    part->rc = fill_part(&d, part);
    part->first += part->rc ? p->sample_count : 0; /* where it stopped */
    arena_free(&d.scratch);
}

/* Makes ends of this part, which count from its begin, those of the profile. Labels that say
 * nothing were left out, so what comes after them moves up. */
static void join_part(struct profile *p, const struct part *part)
{
    const struct profile *filled = &part->filled;
    for (uint32_t i = part->first; i < part->first + part->count; i++) {
        p->sample_loc_end[i] += p->loc_ref_count;
        p->sample_label_end[i] += p->label_count;
    }
    if (p->label_count != part->before.labels && filled->label_count)
        memmove(p->labels + p->label_count, filled->labels,
                filled->label_count * sizeof *p->labels);
    p->sample_count += filled->sample_count;
    p->loc_ref_count += filled->loc_ref_count;
    p->label_count += filled->label_count;
}

static int fill_samples(struct decoder *d, struct parts *parts)
{
    parallel_run(fill_one, parts, parts->count);
    for (unsigned k = 0; k < parts->count; k++)
        if (parts->part[k].rc != 0)
            return examine(d, parts);
    for (unsigned k = 0; k < parts->count; k++)
        join_part(d->p, &parts->part[k]);
    return 0;
}

int decode_samples(struct decoder *d)
{
    struct profile *p = d->p;
    struct totals t = {0};
    struct parts parts;
    int rc = d->invalid.code ? -EINVAL : count_samples(d, &t, &parts);
    if (rc == -EINVAL)
        return examine(d, &(struct parts){.count = 1, .part[0] = {d->range[F_SAMPLE], .rc = rc}});
    if (rc != 0)
        return rc;
    uint64_t n = d->count[F_SAMPLE];
    p->sample_loc_end = arena_array(&p->arena, n, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_array(&p->arena, n, sizeof *p->sample_label_end);
    p->loc_refs = arena_array(&p->arena, t.locations, sizeof *p->loc_refs);
    p->values = arena_array(&p->arena, t.values, sizeof *p->values);
    p->labels = arena_array(&p->arena, t.labels, sizeof *p->labels);
    return fill_samples(d, &parts);
}
