/* SPDX-License-Identifier: MIT
 *
 * Differences of scrapes, by profile_merge with the earlier one negated, so that stacks are matched
 * by the same rules as everywhere. Nothing is guessed over a restart: what a program did between
 * the last scrape of its old life and the first of its new one is not known, and left out. */
#include "server/delta.h"

#include <string.h>

bool delta_is_cumulative(struct profile_str type)
{
    static const char *const names[] = {"alloc_space", "alloc_objects", "contentions", "delay"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (profile_str_is(type, names[i]))
            return true;
    return false;
}

static bool is_cumulative(const struct profile *p, uint32_t type)
{
    return delta_is_cumulative(profile_string(p, p->sample_types[type].type));
}

static uint32_t count_cumulative(const struct profile *p)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < p->sample_type_count; t++)
        n += is_cumulative(p, t);
    return n;
}

static bool same_text(const struct profile *a, uint32_t x, const struct profile *b, uint32_t y)
{
    struct profile_str s = profile_string(a, x), t = profile_string(b, y);
    return s.len == t.len && !memcmp(s.ptr, t.ptr, s.len);
}

static bool same_types(const struct profile *a, const struct profile *b)
{
    if (a->sample_type_count != b->sample_type_count)
        return false;
    for (uint32_t t = 0; t < a->sample_type_count; t++)
        if (!same_text(a, a->sample_types[t].type, b, b->sample_types[t].type) ||
            !same_text(a, a->sample_types[t].unit, b, b->sample_types[t].unit))
            return false;
    return true;
}

/* The program is the first mapping. Loaded elsewhere, it was started anew. */
static bool same_start(const struct profile *a, const struct profile *b)
{
    if (!a->mapping_count || !b->mapping_count)
        return true;
    const struct profile_mapping *m = &a->mappings[0], *n = &b->mappings[0];
    return m->start == n->start && same_text(a, m->build_id, b, n->build_id);
}

/* A copy with cumulative values negated, and levels 0. */
static void negate(struct profile *out, const struct profile *p)
{
    uint32_t types = p->sample_type_count;
    profile_copy(out, p);
    for (uint32_t t = 0; t < types; t++) {
        bool counts = is_cumulative(p, t);
        for (uint32_t i = 0; i < p->sample_count; i++) {
            int64_t *v = &out->values[(size_t)i * types + t];
            *v = counts && *v != INT64_MIN ? -*v : 0;
        }
    }
}

static bool any_negative(const struct profile *p)
{
    uint32_t types = p->sample_type_count;
    for (uint32_t t = 0; t < types; t++)
        for (uint32_t i = 0; is_cumulative(p, t) && i < p->sample_count; i++)
            if (p->values[(size_t)i * types + t] < 0)
                return true;
    return false;
}

static bool subtract(struct profile *out, struct profile *now, const struct profile *last)
{
    struct profile base;
    negate(&base, last);
    struct profile *both[] = {now, &base};
    int rc = profile_merge(out, both, 2, NULL);
    profile_free(&base);
    if (rc)
        return false;
    if (any_negative(out)) {
        profile_free(out);
        return false;
    }
    int64_t span = now->time_nanos - last->time_nanos;
    out->time_nanos = now->time_nanos;
    out->duration_nanos = now->time_nanos && last->time_nanos && span > 0 ? span : 0;
    return true;
}

/* A copy with cumulative values 0. Their sample types stay, so that all profiles of a series have
 * the same ones and can be merged. */
static void copy_levels(struct profile *out, const struct profile *p)
{
    uint32_t types = p->sample_type_count;
    profile_copy(out, p);
    for (uint32_t t = 0; t < types; t++)
        for (uint32_t i = 0; is_cumulative(p, t) && i < p->sample_count; i++)
            out->values[(size_t)i * types + t] = 0;
}

enum delta_result delta_take(struct delta *d, struct profile *now, struct profile *out,
                             bool *restarted)
{
    uint32_t cumulative = count_cumulative(now);
    enum delta_result result = DELTA_WHOLE;
    *restarted = false;
    if (!cumulative) {
        *out = *now;
        profile_init(now);
        return DELTA_WHOLE;
    }
    bool had_last = d->has_last;
    if (!had_last || !same_types(now, &d->last) || !same_start(now, &d->last) ||
        !subtract(out, now, &d->last)) {
        *restarted = had_last;
        result = cumulative < now->sample_type_count ? DELTA_LEVELS : DELTA_NOTHING;
        if (result == DELTA_LEVELS)
            copy_levels(out, now);
        else
            profile_init(out);
    }
    delta_free(d);
    d->last = *now;
    d->has_last = true;
    profile_init(now);
    return result;
}

void delta_free(struct delta *d)
{
    if (d->has_last)
        profile_free(&d->last);
    d->has_last = false;
}
