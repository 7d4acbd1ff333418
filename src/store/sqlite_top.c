/* SPDX-License-Identifier: MIT
 *
 * Functions over time: the top ones of a range, and one alone. Names and numbers are those of
 * pprof's reports at granularity "functions": a function is its name, a recursive one counts once a
 * sample, and a frame without function is its binary in brackets. A stack is resolved once a
 * question, to the list of its functions; after that, samples are additions. */
#include "store/sqlite_internal.h"
#include "base/gotext.h"
#include "base/sort.h"
#include "store/sums.h"
#include "store/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stack_functions { /* flat is the first; each once */
    uint32_t *functions, count;
};

struct resolver {
    struct symbol_reader *r;
    struct arena a;
    struct map names, stacks;
    const char **texts;
    uint32_t text_count, text_cap;
    struct stack_functions *lists;
    uint32_t *list_stack, list_count, list_cap;
    struct stack_functions *locations; /* by number; without functions: not yet known */
    uint32_t location_count;
};

enum { LOCATIONS_MAX = 1 << 24 }; /* of these the functions are remembered */

/* ---- from stacks to functions ---- */

static uint32_t name_index(struct resolver *x, const char *text, size_t len)
{
    uint64_t hash = hash_bytes(text, len);
    struct map_probe at = map_find(&x->names, hash);
    uint32_t i;
    while ((i = map_next(&x->names, &at)) != MAP_NONE)
        if (strlen(x->texts[i]) == len && memcmp(x->texts[i], text, len) == 0)
            return i;
    if (x->text_count == x->text_cap) {
        uint32_t cap = x->text_cap ? x->text_cap * 2 : 256;
        x->texts =
            arena_grow(&x->a, x->texts, x->text_cap * sizeof *x->texts, cap * sizeof *x->texts);
        x->text_cap = cap;
    }
    x->texts[x->text_count] = arena_strndup(&x->a, text, len);
    map_put(&x->names, hash, x->text_count);
    return x->text_count++;
}

static struct varint_reader open_body(struct resolver *x, enum symbol_table t, uint32_t id)
{
    struct symbol_body b = symbol_get(x->r, t, id);
    return (struct varint_reader){.at = b.ptr, .end = b.ptr + b.len, .failed = !b.ptr};
}

static uint32_t nameless(struct resolver *x, uint32_t mapping)
{
    struct varint_reader v = open_body(x, SYMBOL_MAPPING, mapping);
    varint_get(&v);
    varint_get(&v);
    struct symbol_body file = {0};
    if (mapping && !v.failed)
        file = symbol_get(x->r, SYMBOL_STRING, varint_get_below(&v, UINT32_MAX));
    if (!file.ptr || !file.len)
        return name_index(x, "<unknown>", 9);
    size_t len;
    const char *base = gotext_base((const char *)file.ptr, file.len, &len);
    const char *text = arena_printf(&x->a, "[%.*s]", (int)len, base);
    return name_index(x, text, strlen(text));
}

static uint32_t function_name(struct resolver *x, uint32_t function, uint32_t mapping)
{
    struct varint_reader v = open_body(x, SYMBOL_FUNCTION, function);
    uint32_t name = varint_get_below(&v, UINT32_MAX);
    struct symbol_body text = {0};
    if (!v.failed)
        text = symbol_get(x->r, SYMBOL_STRING, name);
    return text.ptr && text.len ? name_index(x, (const char *)text.ptr, text.len)
                                : nameless(x, mapping);
}

static void add_function(struct resolver *x, struct stack_functions *s, uint32_t *cap, uint32_t f)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->functions[i] == f)
            return;
    if (s->count == *cap) {
        s->functions = arena_grow(&x->a, s->functions, *cap * sizeof *s->functions,
                                  (*cap + 16) * 2 * sizeof *s->functions);
        *cap = (*cap + 16) * 2;
    }
    s->functions[s->count++] = f;
}

static void read_location(struct resolver *x, struct stack_functions *s, uint32_t id)
{
    uint32_t room = 0, *cap = &room;
    struct varint_reader v = open_body(x, SYMBOL_LOCATION, id);
    uint32_t mapping = varint_get_below(&v, UINT32_MAX);
    varint_get(&v);
    uint64_t lines = varint_get(&v) >> 1;
    if (lines == 0 || v.failed)
        add_function(x, s, cap, nameless(x, v.failed ? 0 : mapping));
    for (uint64_t i = 0; i < lines && !v.failed; i++) {
        uint32_t function = varint_get_below(&v, UINT32_MAX);
        varint_get(&v);
        varint_get(&v);
        add_function(x, s, cap, function_name(x, function, mapping));
    }
}

/* Stacks share their locations: each is looked up once. */
static void add_location(struct resolver *x, struct stack_functions *s, uint32_t *cap, uint32_t id)
{
    struct stack_functions none = {0}, *l = &none;
    if (id >= x->location_count && id < LOCATIONS_MAX) {
        uint32_t count = x->location_count ? x->location_count : 1024;
        while (count <= id)
            count *= 2;
        x->locations = arena_grow(&x->a, x->locations, x->location_count * sizeof *x->locations,
                                  count * sizeof *x->locations);
        memset(x->locations + x->location_count, 0,
               (count - x->location_count) * sizeof *x->locations);
        x->location_count = count;
    }
    if (id < x->location_count)
        l = &x->locations[id];
    if (!l->functions)
        read_location(x, l, id);
    for (uint32_t i = 0; i < l->count; i++)
        add_function(x, s, cap, l->functions[i]);
}

static const struct stack_functions *functions_of(struct resolver *x, uint32_t stack)
{
    uint64_t hash = hash_mix(0, stack);
    struct map_probe at = map_find(&x->stacks, hash);
    uint32_t i, cap = 0;
    while ((i = map_next(&x->stacks, &at)) != MAP_NONE)
        if (x->list_stack[i] == stack)
            return &x->lists[i];
    if (x->list_count == x->list_cap) {
        uint32_t more = x->list_cap ? x->list_cap * 2 : 256;
        x->lists =
            arena_grow(&x->a, x->lists, x->list_cap * sizeof *x->lists, more * sizeof *x->lists);
        x->list_stack = arena_grow(&x->a, x->list_stack, x->list_cap * sizeof *x->list_stack,
                                   more * sizeof *x->list_stack);
        x->list_cap = more;
    }
    struct stack_functions s = {0};
    struct varint_reader v = open_body(x, SYMBOL_STACK, stack);
    int64_t location = 0;
    while (v.at < v.end && !v.failed) {
        location += varint_get_signed(&v);
        if (!v.failed && location > 0 && location < UINT32_MAX)
            add_location(x, &s, &cap, (uint32_t)location);
    }
    x->list_stack[x->list_count] = stack;
    x->lists[x->list_count] = s;
    map_put(&x->stacks, hash, x->list_count);
    return &x->lists[x->list_count++];
}

static void resolver_init(struct resolver *x, struct symbol_reader *r)
{
    *x = (struct resolver){.r = r};
    map_init(&x->names, &x->a, 0);
    map_init(&x->stacks, &x->a, 0);
}

/* ---- adding up by function and bucket ---- */

struct cell {
    int64_t flat, cum;
};

/* Cells of functions [0, functions) by bucket; of the series at hand, then of all. */
struct table {
    struct sqlite_store *store;
    struct reader *reader;
    const struct store_query *q;
    struct resolver x;
    struct arena a;
    const struct series *series;
    uint32_t schema, type; /* where the sample type stands; PROFILE_NONE: nowhere */
    int64_t step_ns;
    uint32_t buckets, functions;
    const uint32_t *row_of; /* by function: its row + 1, 0 none; NULL: the function itself */
    uint32_t row_of_count;
    struct cell *own, *all;
    int64_t *own_total, *all_total;
    uint64_t *own_profiles;
    uint64_t damaged;
};

static void find_type(struct table *t, uint32_t schema)
{
    const struct store_type *want = &t->series->types[sqlite_type_of(t->series, t->q->type)];
    struct schema s;
    t->schema = schema;
    t->type = PROFILE_NONE;
    if (symbol_get_schema(t->x.r, schema, &s) != 0)
        return;
    for (uint32_t i = 0; i < s.types && t->type == PROFILE_NONE; i++)
        if (strcmp(symbol_get_text(t->x.r, s.type[i], &t->a), want->name) == 0)
            t->type = i;
}

static void grow_rows(struct table *t, uint32_t want)
{
    if (want <= t->functions)
        return;
    uint32_t rows = t->functions ? t->functions : 512;
    while (rows < want)
        rows *= 2;
    size_t old = (size_t)t->functions * t->buckets, size = (size_t)rows * t->buckets;
    t->own = arena_grow(&t->a, t->own, old * sizeof *t->own, size * sizeof *t->own);
    t->all = arena_grow(&t->a, t->all, old * sizeof *t->all, size * sizeof *t->all);
    memset(t->own + old, 0, (size - old) * sizeof *t->own);
    memset(t->all + old, 0, (size - old) * sizeof *t->all);
    t->functions = rows;
}

static void add_sample(struct table *t, uint32_t stack, int64_t v, uint32_t bucket)
{
    const struct stack_functions *s = functions_of(&t->x, stack);
    if (!t->row_of)
        grow_rows(t, t->x.text_count);
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t row = s->functions[i];
        if (t->row_of) {
            row = row < t->row_of_count ? t->row_of[row] : 0;
            if (row-- == 0)
                continue;
        }
        struct cell *c = &t->own[(size_t)row * t->buckets + bucket];
        c->cum = (int64_t)((uint64_t)c->cum + (uint64_t)v);
        if (i == 0)
            c->flat = (int64_t)((uint64_t)c->flat + (uint64_t)v);
    }
    t->own_total[bucket] = (int64_t)((uint64_t)t->own_total[bucket] + (uint64_t)v);
}

static bool table_part(void *arg, const struct scan_part *part)
{
    struct table *t = arg;
    int64_t time = part->is_sum ? part->summary.first_ns : part->profile->time_ns;
    uint32_t bucket = 0;
    if (part->schema != t->schema)
        find_type(t, part->schema);
    if (t->type == PROFILE_NONE || t->type >= part->samples.types)
        return true;
    if (t->step_ns && time > t->q->from_ns)
        bucket = (uint32_t)(((uint64_t)time - (uint64_t)t->q->from_ns) / (uint64_t)t->step_ns);
    t->own_profiles[bucket] += part->is_sum ? part->summary.profile_count : 1;
    for (uint32_t i = 0; i < part->samples.count; i++)
        add_sample(t, part->samples.keys[i].stack,
                   part->samples.values[(size_t)i * part->samples.types + t->type], bucket);
    return true;
}

static int64_t divide(int64_t v, uint64_t n)
{
    int64_t half = (int64_t)(n / 2);
    return n > 1 ? (v < 0 ? v - half : v + half) / (int64_t)n : v;
}

static void end_series(struct table *t)
{
    bool level = t->series->types[sqlite_type_of(t->series, t->q->type)].mode == STORE_LEVEL;
    for (uint32_t b = 0; b < t->buckets; b++) {
        uint64_t n = level ? t->own_profiles[b] : 1;
        for (uint32_t f = 0; f < t->functions; f++) {
            struct cell *own = &t->own[(size_t)f * t->buckets + b];
            struct cell *all = &t->all[(size_t)f * t->buckets + b];
            all->flat += divide(own->flat, n);
            all->cum += divide(own->cum, n);
            *own = (struct cell){0};
        }
        t->all_total[b] += divide(t->own_total[b], n);
        t->own_total[b] = 0;
        t->own_profiles[b] = 0;
    }
}

/* Fills the cells of all functions (row_of NULL) or of some. */
static int fill(struct table *t, const struct series_set *set)
{
    int rc = SQLITE_OK;
    t->own = t->all = NULL;
    uint32_t rows = t->functions;
    t->functions = 0;
    if (rows)
        grow_rows(t, rows);
    t->own_total = arena_zarray(&t->a, t->buckets, sizeof *t->own_total);
    t->all_total = arena_zarray(&t->a, t->buckets, sizeof *t->all_total);
    t->own_profiles = arena_zarray(&t->a, t->buckets, sizeof *t->own_profiles);
    for (uint32_t i = 0; rc == SQLITE_OK && i < set->count; i++) {
        struct scan sc = {.store = t->store,
                          .reader = t->reader,
                          .series = set->list[i],
                          .from_ns = t->q->from_ns,
                          .until_ns = t->q->until_ns,
                          .want_samples = true,
                          .by_profile = t->step_ns > 0,
                          .each = table_part,
                          .arg = t};
        t->series = set->list[i];
        t->schema = 0;
        rc = sqlite_scan(&sc);
        t->damaged += sc.damaged;
        end_series(t);
    }
    return rc;
}

static int start(struct table *t, struct sqlite_store *s, const struct store_query *q,
                 struct series_set *set, struct err *e)
{
    struct err why = {0};
    *t = (struct table){.store = s, .q = q, .buckets = 1};
    int rc = sqlite_match(s, q, &t->a, set, e);
    if (rc != 0)
        return rc;
    t->reader = sqlite_take_reader(s, &why);
    if (!t->reader)
        return e ? (*e = why, why.code) : why.code;
    resolver_init(&t->x, &t->reader->symbols);
    return 0;
}

static void finish(struct table *t)
{
    arena_free(&t->x.a);
    arena_free(&t->a);
    if (t->reader)
        sqlite_put_reader(t->store, t->reader);
}

static uint32_t count_buckets(const struct store_query *q, int64_t step_ns)
{
    uint64_t width = (uint64_t)q->until_ns - (uint64_t)q->from_ns;
    return step_ns ? (uint32_t)((width - 1) / (uint64_t)step_ns) + 1 : 1;
}

/* ---- top ---- */

struct ranked {
    const char *name;
    uint32_t function;
    uint64_t weight;
    struct cell cell;
};

static int by_weight(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return strcmp(x->name, y->name);
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

/* The first `n` functions and their cells; the heaviest first, unless they were asked for. */
static struct ranked *rank(struct table *t, const struct store_top_options *o, uint32_t n)
{
    struct ranked *list = arena_array(&t->a, n, sizeof *list);
    grow_rows(t, n);
    for (uint32_t i = 0; i < n; i++)
        list[i] = (struct ranked){t->x.texts[i], i,
                                  magnitude(o->by_cum ? t->all[i].cum : t->all[i].flat), t->all[i]};
    if (n && !o->only_count)
        sort_list(list, n, sizeof *list, by_weight);
    return list;
}

/* Functions that are asked for by name get the first numbers, and only they get rows. */
static void ask_for(struct table *t, const struct store_top_options *o)
{
    for (uint32_t i = 0; i < o->only_count; i++)
        name_index(&t->x, o->only[i], strlen(o->only[i]));
    uint32_t n = t->x.text_count, *row_of = arena_array(&t->a, n, sizeof *row_of);
    for (uint32_t i = 0; i < n; i++)
        row_of[i] = i + 1;
    t->row_of = row_of;
    t->row_of_count = t->functions = n;
}

static void give_function(struct store_top_function *f, const struct ranked *r,
                          const struct table *t, uint32_t row, struct arena *a)
{
    f->name = arena_strdup(a, r->name);
    f->flat = r->cell.flat;
    f->cum = r->cell.cum;
    f->flat_values = arena_array(a, t->buckets, sizeof *f->flat_values);
    f->cum_values = arena_array(a, t->buckets, sizeof *f->cum_values);
    for (uint32_t b = 0; b < t->buckets; b++) {
        struct cell c = t->step_ns ? t->all[(size_t)row * t->buckets + b] : r->cell;
        f->flat_values[b] = c.flat;
        f->cum_values[b] = c.cum;
    }
}

int sqlite_top(struct store *base, const struct store_query *q, const struct store_top_options *o,
               struct arena *a, struct store_top *out, struct err *e)
{
    struct table t;
    struct series_set set;
    int rc = start(&t, sqlite_of(base), q, &set, e);
    if (rc != 0) {
        finish(&t);
        return rc;
    }
    if (o->only_count)
        ask_for(&t, o);
    rc = fill(&t, &set);
    uint32_t n = o->only_count ? t.row_of_count : t.x.text_count;
    uint32_t limit = o->only_count ? n : o->limit ? o->limit : 20;
    struct ranked *list = rank(&t, o, n);
    out->function_count = n < limit ? n : limit;
    out->total = t.all_total[0];
    uint32_t *row_of = arena_zarray(&t.a, n, sizeof *row_of);
    for (uint32_t i = 0; i < out->function_count; i++)
        row_of[list[i].function] = i + 1;
    if (rc == SQLITE_OK && o->step_ns) {
        t.step_ns = o->step_ns;
        t.buckets = count_buckets(q, o->step_ns);
        t.functions = out->function_count;
        t.row_of = row_of;
        t.row_of_count = n;
        t.damaged = 0;
        rc = fill(&t, &set);
    }
    out->from_ns = q->from_ns;
    out->step_ns = o->step_ns;
    out->buckets = t.buckets;
    out->unit = "";
    if (set.count)
        out->unit = arena_strdup(a, set.list[0]->types[sqlite_type_of(set.list[0], q->type)].unit);
    out->functions = arena_array(a, out->function_count, sizeof *out->functions);
    for (uint32_t i = 0; i < out->function_count; i++)
        give_function(&out->functions[i], &list[i], &t, i, a);
    out->totals = arena_array(a, t.buckets, sizeof *out->totals);
    memcpy(out->totals, t.all_total, t.buckets * sizeof *out->totals);
    out->damaged = t.damaged;
    rc = rc == SQLITE_OK ? 0 : sqlite_error(t.store, t.reader->db, rc, "finding the top", e);
    finish(&t);
    return rc;
}

/* ---- trend ---- */

struct trending {
    struct table *t;
    struct store_trend *out;
    struct arena *a;
    uint32_t cap, function;
};

/* One point a profile: the table's one cell is emptied after each. */
static bool trend_part(void *arg, const struct scan_part *part)
{
    struct trending *d = arg;
    struct table *t = d->t;
    struct store_trend *out = d->out;
    if (!table_part(t, part) || t->type == PROFILE_NONE)
        return true;
    if (out->count == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 64;
        out->points =
            arena_grow(d->a, out->points, d->cap * sizeof *out->points, cap * sizeof *out->points);
        d->cap = cap;
    }
    uint64_t n = part->is_sum && part->summary.profile_count ? part->summary.profile_count : 1;
    out->points[out->count++] = (struct store_trend_point){
        .time_ns = part->is_sum ? part->summary.first_ns : part->profile->time_ns,
        .flat = divide(t->own[0].flat, n),
        .cum = divide(t->own[0].cum, n),
        .total = divide(t->own_total[0], n)};
    t->own[0] = (struct cell){0};
    t->own_total[0] = 0;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct store_trend_point *x = a, *y = b;
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static int trend_by_profile(struct table *t, const struct series_set *set, uint32_t last,
                            struct arena *a, struct store_trend *out)
{
    struct trending d = {.t = t, .out = out, .a = a};
    int rc = SQLITE_OK;
    for (uint32_t i = 0; rc == SQLITE_OK && i < set->count; i++) {
        struct scan sc = {.store = t->store,
                          .reader = t->reader,
                          .series = set->list[i],
                          .from_ns = t->q->from_ns,
                          .until_ns = t->q->until_ns,
                          .want_samples = true,
                          .by_profile = true,
                          .each = trend_part,
                          .arg = &d};
        t->series = set->list[i];
        t->schema = 0;
        rc = sqlite_scan(&sc);
        t->damaged += sc.damaged;
    }
    if (out->count)
        sort_list(out->points, out->count, sizeof *out->points, by_time);
    if (last && out->count > last) {
        out->points += out->count - last;
        out->count = last;
    }
    return rc;
}

static void give_buckets(const struct table *t, struct arena *a, struct store_trend *out)
{
    out->points = arena_array(a, t->buckets, sizeof *out->points);
    for (uint32_t b = 0; b < t->buckets; b++)
        out->points[out->count++] = (struct store_trend_point){
            t->q->from_ns + b * t->step_ns, t->all[b].flat, t->all[b].cum, t->all_total[b]};
}

int sqlite_trend(struct store *base, const struct store_query *q,
                 const struct store_trend_options *o, struct arena *a, struct store_trend *out,
                 struct err *e)
{
    struct table t;
    struct series_set set;
    struct store_query near = *q;
    struct store_profile_list list = {0};
    uint32_t row = 1;
    if (o->last && !o->step_ns) { /* where the last N begin, so that no older samples are read */
        int rc = sqlite_list_profiles(base, q, o->last, a, &list, e);
        if (rc != 0)
            return rc;
        if (list.count)
            near.from_ns = list.profiles[0].time_ns;
    }
    int rc = start(&t, sqlite_of(base), &near, &set, e);
    if (rc != 0) {
        finish(&t);
        return rc;
    }
    name_index(&t.x, o->function, strlen(o->function)); /* number 0 */
    t.row_of = &row;
    t.row_of_count = 1;
    t.step_ns = o->step_ns;
    t.buckets = count_buckets(&near, o->step_ns);
    t.functions = 1;
    if (o->step_ns) {
        rc = fill(&t, &set);
        give_buckets(&t, a, out);
    } else {
        rc = fill(&t, &(struct series_set){0});
        rc = trend_by_profile(&t, &set, o->last, a, out);
    }
    out->damaged = t.damaged;
    rc = rc == SQLITE_OK ? 0 : sqlite_error(t.store, t.reader->db, rc, "following a function", e);
    finish(&t);
    return rc;
}
