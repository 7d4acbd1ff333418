/* SPDX-License-Identifier: MIT
 *
 * Lists of profiles and their totals over time: what charts show. Only metas are read, no samples.
 * A series' values are brought to one unit, the one it was first seen with. */
#include "store/sqlite_internal.h"
#include "base/sort.h"
#include "profile/unit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where a sample type stands in the profiles of a schema, and what makes its unit the series'. */
struct type_place {
    uint32_t schema;
    uint32_t index; /* PROFILE_NONE: not there */
    double ratio;
};

static struct type_place find_place(struct reader *r, uint32_t schema, const struct store_type *t)
{
    struct type_place place = {schema, PROFILE_NONE, 1};
    struct schema s;
    struct arena a;
    if (symbol_get_schema(&r->symbols, schema, &s) != 0)
        return place;
    arena_init(&a);
    for (uint32_t i = 0; i < s.types && place.index == PROFILE_NONE; i++) {
        if (strcmp(symbol_get_text(&r->symbols, s.type[i], &a), t->name) != 0)
            continue;
        const char *unit = symbol_get_text(&r->symbols, s.unit[i], &a);
        struct profile_str from = {unit, (uint32_t)strlen(unit)};
        struct profile_str to = {t->unit, (uint32_t)strlen(t->unit)};
        struct unit u = unit_find(from), v = unit_find(to);
        place.index = i;
        if (u.family != UNIT_NONE && u.family == v.family)
            place.ratio = unit_convert(1, u, v);
    }
    arena_free(&a);
    return place;
}

/* ---- profiles ---- */

struct listing {
    struct reader *reader;
    const struct series *series;
    const struct store_type *type;
    struct type_place place;
    struct arena *a;
    struct store_profile_list *out;
    uint32_t cap, limit;
};

static int by_time(const void *a, const void *b)
{
    const struct store_profile *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->id.series != y->id.series)
        return x->id.series < y->id.series ? -1 : 1;
    return (x->id.content > y->id.content) - (x->id.content < y->id.content);
}

/* Keeps the newest `limit`. */
static void cut(struct listing *l)
{
    struct store_profile_list *out = l->out;
    if (out->count)
        sort_list(out->profiles, out->count, sizeof *out->profiles, by_time);
    if (out->count <= l->limit)
        return;
    memmove(out->profiles, out->profiles + (out->count - l->limit),
            l->limit * sizeof *out->profiles);
    out->count = l->limit;
    out->more = true;
}

static int64_t period_of(struct reader *r, uint32_t header)
{
    struct symbol_body b = symbol_get(&r->symbols, SYMBOL_HEADER, header);
    uint64_t v = 0;
    for (uint32_t i = 0; i < b.len && i < 10; i++) {
        v |= (uint64_t)(b.ptr[i] & 0x7f) << 7 * i;
        if (b.ptr[i] < 0x80)
            break;
    }
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static bool list_one(void *arg, const struct scan_part *part)
{
    struct listing *l = arg;
    struct store_profile_list *out = l->out;
    const struct block_profile *p = part->profile;
    if (l->place.schema != part->schema)
        l->place = find_place(l->reader, part->schema, l->type);
    if (l->place.index == PROFILE_NONE)
        return true;
    if (out->count >= 2 * (uint64_t)l->limit)
        cut(l);
    if (out->count == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 256;
        out->profiles = arena_grow(l->a, out->profiles, l->cap * sizeof *out->profiles,
                                   cap * sizeof *out->profiles);
        l->cap = cap;
    }
    out->profiles[out->count++] = (struct store_profile){
        .id = {l->series->hash, p->time_ns, p->content},
        .time_ns = p->time_ns,
        .duration_ns = p->duration_ns,
        .period = period_of(l->reader, p->header),
        .sample_count = p->sample_count,
        .lost_samples = p->lost_samples,
        .total = llround((double)p->totals[l->place.index] * l->place.ratio),
        .only_sum = part->rounded,
    };
    if (l->place.ratio == 1)
        out->profiles[out->count - 1].total = p->totals[l->place.index];
    return true;
}

int sqlite_list_profiles(struct store *base, const struct store_query *q, uint32_t limit,
                         struct arena *a, struct store_profile_list *out, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct listing l = {.a = a, .out = out, .limit = limit};
    struct series_set set;
    int rc = sqlite_match(s, q, a, &set, e);
    if (rc != 0)
        return rc;
    struct err why = {0};
    l.reader = sqlite_take_reader(s, &why);
    if (!l.reader)
        return e ? (*e = why, why.code) : why.code;
    for (uint32_t i = 0; rc == SQLITE_OK && i < set.count; i++) {
        struct scan sc = {.store = s,
                          .reader = l.reader,
                          .series = set.list[i],
                          .from_ns = q->from_ns,
                          .until_ns = q->until_ns,
                          .each = list_one,
                          .arg = &l};
        l.series = set.list[i];
        l.type = &l.series->types[sqlite_type_of(l.series, q->type)];
        l.place.schema = 0;
        rc = sqlite_scan(&sc);
        out->damaged += sc.damaged;
    }
    cut(&l);
    rc = rc == SQLITE_OK ? 0 : sqlite_error(s, l.reader->db, rc, "listing profiles", e);
    sqlite_put_reader(s, l.reader);
    return rc;
}

/* ---- timeline ---- */

struct timing {
    struct reader *reader;
    const struct store_type *type;
    struct type_place place;
    const struct store_timeline *out;
    double *values; /* of the series alone, by bucket */
    uint32_t *profiles;
    int64_t *duration_ns;
};

static bool time_one(void *arg, const struct scan_part *part)
{
    struct timing *t = arg;
    const struct block_profile *p = part->profile;
    if (t->place.schema != part->schema)
        t->place = find_place(t->reader, part->schema, t->type);
    if (t->place.index == PROFILE_NONE)
        return true;
    uint64_t since = (uint64_t)p->time_ns - (uint64_t)t->out->from_ns;
    uint64_t bucket = since / (uint64_t)t->out->step_ns;
    t->values[bucket] += (double)p->totals[t->place.index] * t->place.ratio;
    t->profiles[bucket]++;
    t->duration_ns[bucket] += p->duration_ns;
    return true;
}

static const char *label_of(const struct series *s, const char *name)
{
    for (uint32_t i = 0; i < s->label_count; i++)
        if (strcmp(s->labels[i].name, name) == 0)
            return s->labels[i].value;
    return "";
}

/* The line a series belongs to, made if new. Lines have room for one a series. */
static struct store_line *line_of(struct store_timeline *out, const struct series *s,
                                  const struct store_timeline_options *o, struct arena *a)
{
    const char *name = o->total      ? ""
                       : o->group_by ? label_of(s, o->group_by)
                                     : label_of(s, "service_name");
    bool own = !o->total && !o->group_by;
    for (uint32_t i = 0; !own && i < out->line_count; i++)
        if (strcmp(out->lines[i].name, name) == 0)
            return &out->lines[i];
    struct store_line *l = &out->lines[out->line_count++];
    *l = (struct store_line){.series = own ? s->hash : 0, .name = arena_strdup(a, name)};
    l->values = arena_zarray(a, out->buckets, sizeof *l->values);
    l->profiles = arena_zarray(a, out->buckets, sizeof *l->profiles);
    l->duration_ns = arena_zarray(a, out->buckets, sizeof *l->duration_ns);
    return l;
}

/* Levels are averaged over the profiles of the series, then added like rates; other units than the
 * first series' are converted where they can be. */
static void add_line(struct store_line *l, struct timing *t, double ratio)
{
    for (uint32_t i = 0; i < t->out->buckets; i++) {
        double v = t->values[i] * ratio;
        if (t->type->mode == STORE_LEVEL && t->profiles[i])
            v /= t->profiles[i];
        l->values[i] += v;
        l->profiles[i] += t->profiles[i];
        l->duration_ns[i] += t->duration_ns[i];
    }
}

static int by_sum(const void *a, const void *b, void *arg)
{
    const struct store_line *x = a, *y = b;
    const uint32_t *buckets = arg;
    double p = 0, q = 0;
    for (uint32_t i = 0; i < *buckets; i++) {
        p += x->values[i];
        q += y->values[i];
    }
    return p != q ? (p < q) - (p > q) : strcmp(x->name, y->name);
}

static double unit_ratio(const char *from, const char *to)
{
    struct unit u = unit_find((struct profile_str){from, (uint32_t)strlen(from)});
    struct unit v = unit_find((struct profile_str){to, (uint32_t)strlen(to)});
    return u.family != UNIT_NONE && u.family == v.family ? unit_convert(1, u, v) : 1;
}

static int time_series(struct sqlite_store *s, struct timing *t, const struct series *one,
                       const struct store_query *q, uint64_t *damaged)
{
    struct scan sc = {.store = s,
                      .reader = t->reader,
                      .series = one,
                      .from_ns = q->from_ns,
                      .until_ns = q->until_ns,
                      .each = time_one,
                      .arg = t};
    memset(t->values, 0, t->out->buckets * sizeof *t->values);
    memset(t->profiles, 0, t->out->buckets * sizeof *t->profiles);
    memset(t->duration_ns, 0, t->out->buckets * sizeof *t->duration_ns);
    t->type = &one->types[sqlite_type_of(one, q->type)];
    t->place.schema = 0;
    int rc = sqlite_scan(&sc);
    *damaged += sc.damaged;
    return rc;
}

int sqlite_timeline(struct store *base, const struct store_query *q,
                    const struct store_timeline_options *o, struct arena *a,
                    struct store_timeline *out, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct series_set set;
    struct err why = {0};
    int rc = sqlite_match(s, q, a, &set, e);
    if (rc != 0)
        return rc;
    struct timing t = {.reader = sqlite_take_reader(s, &why), .out = out};
    if (!t.reader)
        return e ? (*e = why, why.code) : why.code;
    uint64_t width = (uint64_t)q->until_ns - (uint64_t)q->from_ns;
    out->from_ns = q->from_ns;
    out->step_ns = o->step_ns;
    out->buckets = (uint32_t)((width - 1) / (uint64_t)o->step_ns) + 1;
    out->lines = arena_array(a, set.count, sizeof *out->lines);
    out->unit = "";
    t.values = arena_array(a, out->buckets, sizeof *t.values);
    t.profiles = arena_array(a, out->buckets, sizeof *t.profiles);
    t.duration_ns = arena_array(a, out->buckets, sizeof *t.duration_ns);
    for (uint32_t i = 0; rc == SQLITE_OK && i < set.count; i++) {
        rc = time_series(s, &t, set.list[i], q, &out->damaged);
        if (i == 0) {
            out->unit = arena_strdup(a, t.type->unit);
            out->mode = t.type->mode;
        }
        add_line(line_of(out, set.list[i], o, a), &t, unit_ratio(t.type->unit, out->unit));
    }
    if (out->line_count)
        qsort_r(out->lines, out->line_count, sizeof *out->lines, by_sum, &out->buckets);
    rc = rc == SQLITE_OK ? 0 : sqlite_error(s, t.reader->db, rc, "reading totals", e);
    sqlite_put_reader(s, t.reader);
    return rc;
}
