/* SPDX-License-Identifier: MIT
 *
 * Multiplying values and marking samples (google/pprof profile/profile.go ScaleN, SetLabel and
 * profile/merge.go Normalize): what -base, -diff_base and -normalize are made of. */
#include "analyze/refine.h"
#include "analyze/samples.h"

#include <errno.h>
#include <math.h>

/* Go's conversion on amd64: what does not fit is the smallest integer. */
static int64_t to_int64(double v)
{
    return v >= -9223372036854775808.0 && v < 9223372036854775808.0 ? (int64_t)v : INT64_MIN;
}

/* Scales one sample's values; whether any scaled one is non-zero. */
static bool scale_values(int64_t *values, const double *ratios, uint32_t types)
{
    bool keep = false;
    for (uint32_t t = 0; t < types; t++) {
        if (ratios[t] == 1)
            continue;
        values[t] = to_int64(round((double)values[t] * ratios[t]));
        keep |= values[t] != 0;
    }
    return keep;
}

void refine_scale(struct profile *p, const double *ratios)
{
    bool all_ones = true;
    for (uint32_t t = 0; t < p->sample_type_count; t++)
        all_ones &= ratios[t] == 1;
    if (all_ones)
        return;
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        int64_t *values = p->values + (size_t)(e.next - 1) * p->sample_type_count;
        if (!scale_values(values, ratios, p->sample_type_count))
            continue;
        samples_push_locs(&e, e.loc_first, e.loc_last);
        samples_push_labels(&e, e.label_first, e.label_last);
        samples_commit(&e);
    }
    samples_end(&e);
}

static bool same_string(const struct profile *a, uint32_t x, const struct profile *b, uint32_t y)
{
    struct profile_str s = a->strings[x], t = b->strings[y];
    return s.len == t.len && !memcmp(s.ptr, t.ptr, s.len);
}

static bool same_type(const struct profile *a, struct profile_value_type x, const struct profile *b,
                      struct profile_value_type y)
{
    return same_string(a, x.type, b, y.type) && same_string(a, x.unit, b, y.unit);
}

/* A sum per sample type. */
static int64_t *sum_values(const struct profile *p, struct arena *arena)
{
    int64_t *sums = arena_zarray(arena, p->sample_type_count, sizeof *sums);
    for (uint32_t i = 0; i < p->sample_count; i++)
        for (uint32_t t = 0; t < p->sample_type_count; t++)
            sums[t] += p->values[(size_t)i * p->sample_type_count + t];
    return sums;
}

static void print_type(struct buf *out, const struct profile *p, struct profile_value_type t)
{
    buf_printf(out, "{%.*s %.*s 0 0}", (int)p->strings[t.type].len, p->strings[t.type].ptr,
               (int)p->strings[t.unit].len, p->strings[t.unit].ptr);
}

int refine_normalize(struct profile *p, const struct profile *base, struct err *e)
{
    if (!same_type(p, p->period_type, base, base->period_type)) {
        struct buf a, b;
        buf_init(&a, &p->arena);
        buf_init(&b, &p->arena);
        print_type(&a, p, p->period_type);
        print_type(&b, base, base->period_type);
        return err_set(e, -EINVAL, "incompatible period types &%s and &%s", buf_cstr(&a),
                       buf_cstr(&b));
    }
    if (p->sample_type_count != base->sample_type_count)
        return err_set(e, -EINVAL, "incompatible sample types: %u and %u of them",
                       p->sample_type_count, base->sample_type_count);
    for (uint32_t t = 0; t < p->sample_type_count; t++)
        if (!same_type(p, p->sample_types[t], base, base->sample_types[t]))
            return err_set(e, -EINVAL, "incompatible sample types: number %u differs", t);
    int64_t *sums = sum_values(p, &p->arena), *base_sums = sum_values(base, &p->arena);
    double *ratios = arena_array(&p->arena, p->sample_type_count, sizeof *ratios);
    for (uint32_t t = 0; t < p->sample_type_count; t++)
        ratios[t] = sums[t] ? (double)base_sums[t] / (double)sums[t] : 0;
    refine_scale(p, ratios);
    return 0;
}

void refine_set_label(struct profile *p, const char *key, const char *value)
{
    uint32_t key_string = profile_intern_cstr(p, key);
    uint32_t value_string = profile_intern_cstr(p, value);
    struct profile_label *labels =
        arena_array(&p->arena, p->label_count + p->sample_count, sizeof *labels);
    uint64_t out = 0, first = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t last = p->sample_label_end[i];
        labels[out++] = (struct profile_label){.key = key_string, .str = value_string};
        for (; first < last; first++) {
            struct profile_label l = p->labels[first];
            if (!l.str || !profile_str_is(p->strings[l.key], key))
                labels[out++] = l;
        }
        p->sample_label_end[i] = out;
    }
    p->labels = labels;
    p->label_count = out;
}

bool refine_is_base(const struct profile *p, uint32_t sample)
{
    if (!p->sample_label_end)
        return false;
    for (uint64_t k = profile_label_first(p, sample); k < p->sample_label_end[sample]; k++)
        if (p->labels[k].str && profile_str_is(p->strings[p->labels[k].key], "pprof::base") &&
            profile_str_is(p->strings[p->labels[k].str], "true"))
            return true;
    return false;
}
