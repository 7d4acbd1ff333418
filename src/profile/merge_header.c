/* SPDX-License-Identifier: MIT
 *
 * What must agree before profiles can be added up, and the header of their sum. pprof changes its
 * sources for this; ours stay as they are and are read through a view. */
#include "profile/merge_internal.h"
#include "profile/unit.h"

#include <errno.h>
#include <math.h>

/* printf arguments for "%.*s" */
#define STR(s) (int)(s).len, (s).ptr

static struct profile_str type_name(const struct profile *p, uint32_t i)
{
    return p->strings[p->sample_types[i].type];
}

static uint32_t find_type(const struct profile *p, struct profile_str name)
{
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        if (profile_str_equal(type_name(p, i), name))
            return i;
    return PROFILE_NONE;
}

/* ---- sample types common to all ---- */

/* pprof counts occurrences, so a type that one profile has twice is dropped: kept as it is. */
static uint32_t common_types(struct profile *const *in, uint32_t count, struct profile_str *names)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < in[0]->sample_type_count; i++) {
        struct profile_str name = type_name(in[0], i);
        uint32_t seen = 0;
        for (uint32_t k = 0; k < count; k++)
            for (uint32_t t = 0; t < in[k]->sample_type_count; t++)
                seen += profile_str_equal(type_name(in[k], t), name);
        if (seen == count)
            names[n++] = name;
    }
    return n;
}

static void allocate_view(struct merge_view *v, uint32_t types, struct arena *scratch)
{
    const struct profile *p = v->src;
    v->types = types;
    v->type_index = arena_array(scratch, types, sizeof *v->type_index);
    v->ratio = arena_array(scratch, types, sizeof *v->ratio);
    v->unit = arena_array(scratch, types, sizeof *v->unit);
    v->default_sample_type = p->strings[p->default_sample_type];
    v->period_unit = p->strings[p->period_type.unit];
    v->period = p->period;
}

static int choose_types(struct merge_view *v, const struct profile_str *names, struct err *e)
{
    const struct profile *p = v->src;
    bool has_default = false;
    v->retyped = v->types != p->sample_type_count;
    for (uint32_t i = 0; i < v->types; i++) {
        uint32_t at = find_type(p, names[i]);
        if (at == PROFILE_NONE)
            return err_set(e, -EINVAL, "\"%.*s\" sample type is not found in profile",
                           STR(names[i]));
        has_default = has_default || profile_str_equal(names[i], v->default_sample_type);
        v->retyped = v->retyped || at != i;
        v->type_index[i] = at;
        v->ratio[i] = 1;
        v->unit[i] = p->strings[p->sample_types[at].unit];
    }
    if (v->retyped && !has_default)
        v->default_sample_type = names[0];
    return 0;
}

void merge_plain_view(struct merge_view *v, const struct profile *src, struct arena *scratch)
{
    v->src = src;
    allocate_view(v, src->sample_type_count, scratch);
    for (uint32_t i = 0; i < v->types; i++) {
        v->type_index[i] = i;
        v->ratio[i] = 1;
        v->unit[i] = src->strings[src->sample_types[i].unit];
    }
}

/* ---- one unit for all ---- */

struct value_type {
    struct profile_str type, unit;
};

/* Types that differ by a final s only are the same to pprof, units of one family convertible. */
static bool compatible(struct value_type a, struct value_type b)
{
    a.type.len -= a.type.len > 0 && a.type.ptr[a.type.len - 1] == 's';
    b.type.len -= b.type.len > 0 && b.type.ptr[b.type.len - 1] == 's';
    if (!profile_str_equal(a.type, b.type))
        return false;
    struct unit u = unit_find(a.unit);
    return profile_str_equal(a.unit, b.unit) ||
           (u.family != UNIT_NONE && u.family == unit_find(b.unit).family);
}

/* The finer of the finest so far and the next one. */
static int take_finer(struct value_type *finest, struct value_type next, const char *what,
                      struct err *e)
{
    if (!compatible(*finest, next))
        return err_set(e, -EINVAL, "%s: incompatible types: {%.*s %.*s 0 0} {%.*s %.*s 0 0}", what,
                       STR(finest->type), STR(finest->unit), STR(next.type), STR(next.unit));
    if (unit_convert(1, unit_find(next.unit), unit_find(finest->unit)) < 1)
        *finest = next;
    return 0;
}

/* Go's conversion of a double to int64 on amd64: what does not fit is the smallest one. */
static int64_t to_int64(double v)
{
    return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
}

static int unify_period(struct merge_view *views, uint32_t count, struct err *e)
{
    struct value_type finest = {{0}};
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < count; k++) {
        const struct profile *p = views[k].src;
        struct value_type t = {p->strings[p->period_type.type], views[k].period_unit};
        if (k == 0)
            finest = t;
        else
            rc = take_finer(&finest, t, "period type", e);
    }
    for (uint32_t k = 0; rc == 0 && k < count; k++) {
        struct unit from = unit_find(views[k].period_unit), to = unit_find(finest.unit);
        views[k].period = to_int64(unit_convert(views[k].period, from, to));
        views[k].period_unit = finest.unit;
    }
    return rc;
}

static int unify_type(struct merge_view *views, uint32_t count, uint32_t i, struct err *e)
{
    struct value_type finest = {{0}};
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < count; k++) {
        struct value_type t = {type_name(views[k].src, views[k].type_index[i]), views[k].unit[i]};
        if (k == 0)
            finest = t;
        else
            rc = take_finer(&finest, t, "sample types", e);
    }
    for (uint32_t k = 0; rc == 0 && k < count; k++) {
        struct merge_view *v = &views[k];
        v->ratio[i] = unit_convert(1, unit_find(v->unit[i]), unit_find(finest.unit));
        v->scaled = v->scaled || v->ratio[i] != 1;
        v->unit[i] = finest.unit;
    }
    return rc;
}

int merge_make_views(struct merge_view *views, struct profile *const *in, uint32_t count,
                     struct arena *scratch, struct err *e)
{
    struct profile_str *names = arena_array(scratch, in[0]->sample_type_count, sizeof *names);
    uint32_t types = common_types(in, count, names);
    int rc = 0;
    if (types > LIMIT_PROFILE_SAMPLE_TYPES)
        return err_set(e, -EFBIG, "the profiles have %u sample types; at most %u are merged", types,
                       LIMIT_PROFILE_SAMPLE_TYPES);
    if (types == 0)
        return err_set(e, -EINVAL, "profiles have empty common sample type list");
    for (uint32_t k = 0; rc == 0 && k < count; k++) {
        views[k].src = in[k];
        allocate_view(&views[k], types, scratch);
        rc = choose_types(&views[k], names, e);
    }
    if (count == 1 || rc != 0)
        return rc;
    rc = unify_period(views, count, e);
    for (uint32_t i = 0; rc == 0 && i < types; i++)
        rc = unify_type(views, count, i, e);
    return rc;
}

bool merge_values(const struct merge_view *v, uint32_t i, int64_t *out)
{
    const int64_t *values = v->src->values + (uint64_t)i * v->src->sample_type_count;
    bool keep = !v->scaled;
    for (uint32_t t = 0; t < v->types; t++) {
        out[t] = values[v->type_index[t]];
        if (v->ratio[t] == 1)
            continue;
        out[t] = to_int64(round((double)out[t] * v->ratio[t]));
        keep = keep || out[t] != 0;
    }
    return keep;
}

/* ---- header ---- */

uint32_t merge_string(struct profile *out, struct profile_str s)
{
    return profile_intern(out, s.ptr, s.len);
}

static int check_period_types(const struct merge_view *views, uint32_t count, struct err *e)
{
    const struct profile *a = views[0].src;
    struct profile_str type = a->strings[a->period_type.type];
    for (uint32_t k = 1; k < count; k++) {
        const struct profile *b = views[k].src;
        struct profile_str other = b->strings[b->period_type.type];
        if (!profile_str_equal(type, other))
            return err_set(
                e, -EINVAL, "incompatible period types &{%.*s %.*s 0 0} and &{%.*s %.*s 0 0}",
                STR(type), STR(views[0].period_unit), STR(other), STR(views[k].period_unit));
    }
    return 0;
}

static void add_comments(struct profile *out, const struct profile *p, struct map *seen,
                         uint32_t *room)
{
    for (uint32_t i = 0; i < p->comment_count; i++) {
        uint32_t s = merge_string(out, p->strings[p->comments[i]]), same;
        struct map_probe at = map_find(seen, hash_mix(0, s));
        while ((same = map_next(seen, &at)) != MAP_NONE && same != s)
            continue;
        if (same != MAP_NONE)
            continue;
        if (out->comment_count == *room) {
            size_t size = *room * sizeof *out->comments;
            out->comments = arena_grow(&out->arena, out->comments, size, 2 * size + 64);
            *room = (uint32_t)((2 * size + 64) / sizeof *out->comments);
        }
        map_put(seen, hash_mix(0, s), s);
        out->comments[out->comment_count++] = s;
    }
}

static void merge_sample_types(struct profile *out, const struct merge_view *v)
{
    out->sample_type_count = v->types;
    out->sample_types = arena_array(&out->arena, v->types, sizeof *out->sample_types);
    for (uint32_t i = 0; i < v->types; i++)
        out->sample_types[i] = (struct profile_value_type){
            merge_string(out, type_name(v->src, v->type_index[i])), merge_string(out, v->unit[i])};
}

int merge_header_start(struct profile *out, const struct merge_view *views, uint32_t count,
                       struct err *e)
{
    const struct profile *first = views[0].src;
    int rc = check_period_types(views, count, e);
    if (rc != 0)
        return rc;
    out->drop_frames = merge_string(out, first->strings[first->drop_frames]);
    out->keep_frames = merge_string(out, first->strings[first->keep_frames]);
    out->period_type.type = merge_string(out, first->strings[first->period_type.type]);
    out->period_type.unit = merge_string(out, views[0].period_unit);
    merge_sample_types(out, &views[0]);
    return 0;
}

void merge_header_add(struct profile *out, const struct merge_view *view, struct map *seen,
                      uint32_t *room)
{
    const struct profile *p = view->src;
    if (out->time_nanos == 0 || p->time_nanos < out->time_nanos)
        out->time_nanos = p->time_nanos;
    out->duration_nanos = (int64_t)((uint64_t)out->duration_nanos + (uint64_t)p->duration_nanos);
    if (out->period == 0 || out->period < view->period)
        out->period = view->period;
    if (out->default_sample_type == 0)
        out->default_sample_type = merge_string(out, view->default_sample_type);
    if (out->doc_url == 0)
        out->doc_url = merge_string(out, p->strings[p->doc_url]);
    add_comments(out, p, seen, room);
}

/* ---- sources that come one by one ---- */

static bool same_string(const struct profile *a, uint32_t i, const struct profile *b, uint32_t k)
{
    return profile_str_equal(a->strings[i], b->strings[k]);
}

bool merge_is_alike(const struct profile *sum, const struct profile *p)
{
    uint32_t n = sum->sample_type_count;
    if (p->sample_type_count != n || n == 0 || n > LIMIT_PROFILE_SAMPLE_TYPES ||
        !same_string(sum, sum->period_type.type, p, p->period_type.type) ||
        !same_string(sum, sum->period_type.unit, p, p->period_type.unit))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!same_string(sum, sum->sample_types[i].type, p, p->sample_types[i].type) ||
            !same_string(sum, sum->sample_types[i].unit, p, p->sample_types[i].unit) ||
            find_type(p, type_name(p, i)) != i)
            return false;
    return true;
}

void merge_alike_view(struct merge_view *v, const struct profile *src, struct arena *scratch)
{
    merge_plain_view(v, src, scratch);
    struct unit unit = unit_find(v->period_unit);
    v->period = to_int64(unit_convert(v->period, unit, unit));
}
