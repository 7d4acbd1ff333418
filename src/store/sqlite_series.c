/* SPDX-License-Identifier: MIT
 *
 * The list of series, all of it in memory: there are thousands at most, every append and every
 * question needs it, and a label index would only repeat it. Rows are written when a series is new
 * or shows a sample type for the first time. */
#include "store/sqlite_internal.h"
#include "base/sort.h"
#include "store/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Processes come and go: their numbers say nothing about what a series is. */
static bool is_left_out(const char *name)
{
    static const char *const names[] = {"pid",       "tid",       "process.pid", "process_pid",
                                        "thread.id", "thread_id", "service_name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int compare_labels(const void *a, const void *b)
{
    const struct store_label *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* ---- rows ---- */

static void write_labels(struct buf *out, const struct store_label *l, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_append(out, l[i].name, strlen(l[i].name) + 1);
        buf_append(out, l[i].value, strlen(l[i].value) + 1);
    }
}

static void write_types(struct buf *out, const struct series *s)
{
    buf_putc(out, (char)s->default_type);
    for (uint32_t i = 0; i < s->type_count; i++) {
        buf_putc(out, s->types[i].mode == STORE_LEVEL ? 'l' : 'r');
        buf_append(out, s->types[i].name, strlen(s->types[i].name) + 1);
        buf_append(out, s->types[i].unit, strlen(s->types[i].unit) + 1);
    }
}

/* The next NUL-ended text, or NULL. */
static const char *next_text(const char **at, const char *end, struct arena *a)
{
    size_t n = strnlen(*at, (size_t)(end - *at));
    if (*at + n >= end)
        return NULL;
    const char *s = arena_strndup(a, *at, n);
    *at += n + 1;
    return s;
}

static bool read_labels(struct series *s, const char *at, const char *end, struct arena *a)
{
    s->labels = arena_array(a, LIMIT_STORE_LABELS + 1, sizeof *s->labels);
    while (at < end && s->label_count <= LIMIT_STORE_LABELS) {
        struct store_label l;
        l.name = next_text(&at, end, a);
        l.value = l.name ? next_text(&at, end, a) : NULL;
        if (!l.value)
            return false;
        s->labels[s->label_count++] = l;
    }
    return at == end;
}

static bool read_types(struct series *s, const char *at, const char *end, struct arena *a)
{
    s->default_type = at < end ? (uint8_t)*at++ : 0;
    while (at < end && s->type_count < LIMIT_PROFILE_SAMPLE_TYPES) {
        struct store_type t = {.mode = *at++ == 'l' ? STORE_LEVEL : STORE_RATE};
        t.name = next_text(&at, end, a);
        t.unit = t.name ? next_text(&at, end, a) : NULL;
        if (!t.unit)
            return false;
        s->types[s->type_count++] = t;
    }
    return at == end && s->default_type < s->type_count;
}

static struct series *add(struct sqlite_store *s, uint64_t hash)
{
    if (s->series_count == s->series_cap) {
        uint32_t cap = s->series_cap ? s->series_cap * 2 : 64;
        struct series **grown = realloc(s->series, cap * sizeof *grown);
        if (!grown)
            return NULL;
        s->series = grown;
        s->series_cap = cap;
    }
    struct series *one = arena_zalloc(&s->series_arena, sizeof *one);
    one->hash = hash;
    map_put(&s->series_by_hash, hash, s->series_count);
    return s->series[s->series_count++] = one;
}

/* Fills the list anew. Structs of before stay where they are, for those who are reading them. */
int sqlite_load_series(struct sqlite_store *s, struct err *e)
{
    sqlite3_stmt *st;
    s->series_count = 0;
    map_init(&s->series_by_hash, &s->series_arena, 0);
    int rc = sqlite3_prepare_v2(s->db, "SELECT id, hash, kind, labels, types FROM series", -1, &st,
                                NULL);
    if (rc != SQLITE_OK)
        return sqlite_error(s, s->db, rc, "reading the list of series", e);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct series *one = add(s, (uint64_t)sqlite3_column_int64(st, 1));
        const char *labels = sqlite3_column_blob(st, 3), *types = sqlite3_column_blob(st, 4);
        const char *kind = (const char *)sqlite3_column_text(st, 2);
        if (!one)
            break;
        one->id = sqlite3_column_int64(st, 0);
        one->kind = arena_strdup(&s->series_arena, kind ? kind : "");
        if (!labels || !types ||
            !read_labels(one, labels, labels + sqlite3_column_bytes(st, 3), &s->series_arena) ||
            !read_types(one, types, types + sqlite3_column_bytes(st, 4), &s->series_arena)) {
            s->counters.damaged++;
            one->gone = true; /* its profiles cannot be named */
        }
    }
    if (rc != SQLITE_DONE)
        s->counters.damaged++;
    sqlite3_finalize(st);
    return 0;
}

/* ---- appending ---- */

static struct series *find(struct sqlite_store *s, uint64_t hash)
{
    struct map_probe at = map_find(&s->series_by_hash, hash);
    uint32_t i;
    while ((i = map_next(&s->series_by_hash, &at)) != MAP_NONE)
        if (s->series[i]->hash == hash && !s->series[i]->gone)
            return s->series[i];
    return NULL;
}

struct series *sqlite_series_of(struct sqlite_store *s, uint64_t hash)
{
    pthread_mutex_lock(&s->lock);
    struct series *one = find(s, hash);
    pthread_mutex_unlock(&s->lock);
    return one;
}

static uint32_t sorted_labels(const struct store_append *a, struct store_label *out)
{
    uint32_t n = 0;
    out[n++] = (struct store_label){"service_name", a->service_name};
    for (uint32_t i = 0; i < a->label_count; i++)
        if (!is_left_out(a->labels[i].name) && *a->labels[i].value)
            out[n++] = a->labels[i];
    sort_list(out, n, sizeof *out, compare_labels);
    return n;
}

static int insert(struct sqlite_store *s, struct series *one)
{
    sqlite3_stmt *st = s->statements[WRITE_SERIES];
    struct buf labels, types;
    buf_init(&labels, &s->symbols.scratch);
    buf_init(&types, &s->symbols.scratch);
    write_labels(&labels, one->labels, one->label_count);
    write_types(&types, one);
    sqlite3_bind_int64(st, 1, (int64_t)one->hash);
    sqlite3_bind_text(st, 2, one->kind, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 3, labels.data, labels.len, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 4, types.data, types.len, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    one->id = sqlite3_last_insert_rowid(s->db);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static char *copy_string(struct sqlite_store *s, const struct profile *p, uint32_t i)
{
    return arena_strndup(&s->series_arena, p->strings[i].ptr, p->strings[i].len);
}

static bool has_type(const struct series *one, struct profile_str name)
{
    for (uint32_t i = 0; i < one->type_count; i++)
        if (strlen(one->types[i].name) == name.len &&
            memcmp(one->types[i].name, name.ptr, name.len) == 0)
            return true;
    return false;
}

/* Types the series has not shown before. Readers see the count last. */
static bool add_types(struct sqlite_store *s, struct series *one, const struct store_append *a)
{
    const struct profile *p = a->profile;
    uint32_t before = one->type_count;
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        if (has_type(one, p->strings[p->sample_types[i].type]) ||
            one->type_count == LIMIT_PROFILE_SAMPLE_TYPES)
            continue;
        struct store_type *t = &one->types[one->type_count];
        t->name = copy_string(s, p, p->sample_types[i].type);
        t->unit = copy_string(s, p, p->sample_types[i].unit);
        t->mode = a->modes ? a->modes[i] : store_mode_of(a->kind, t->name, t->unit);
        if (before == 0 &&
            (p->default_sample_type == 0 || p->sample_types[i].type == p->default_sample_type))
            one->default_type = one->type_count;
        one->type_count++;
    }
    return one->type_count > before;
}

static struct series *make(struct sqlite_store *s, const struct store_append *a, uint64_t hash,
                           const struct store_label *labels, uint32_t count)
{
    struct series *one = add(s, hash);
    if (!one)
        return NULL;
    one->kind = arena_strdup(&s->series_arena, a->kind);
    one->labels = arena_array(&s->series_arena, count, sizeof *one->labels);
    one->label_count = count;
    for (uint32_t i = 0; i < count; i++)
        one->labels[i] = (struct store_label){arena_strdup(&s->series_arena, labels[i].name),
                                              arena_strdup(&s->series_arena, labels[i].value)};
    return one;
}

int sqlite_put_series_locked(struct sqlite_store *s, const struct store_append *a,
                             struct series **out)
{
    struct store_label labels[LIMIT_STORE_LABELS + 1];
    uint32_t count = sorted_labels(a, labels);
    struct buf key;
    buf_init(&key, &s->symbols.scratch);
    buf_append(&key, a->kind, strlen(a->kind) + 1);
    write_labels(&key, labels, count);
    uint64_t hash = content_hash(0, key.data, key.len);
    struct series *one = find(s, hash);
    *out = one;
    if (one && !add_types(s, one, a))
        return SQLITE_OK;
    if (!one) {
        *out = one = make(s, a, hash, labels, count);
        if (!one)
            return SQLITE_NOMEM;
        add_types(s, one, a);
        return insert(s, one);
    }
    sqlite3_stmt *st = s->statements[WRITE_SERIES_TYPES];
    struct buf types;
    buf_init(&types, &s->symbols.scratch);
    write_types(&types, one);
    sqlite3_bind_int64(st, 1, one->id);
    sqlite3_bind_blob64(st, 2, types.data, types.len, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- asking ---- */

static int compare_series(const void *a, const void *b)
{
    const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;
    for (uint32_t i = 0; i < x->label_count && i < y->label_count; i++) {
        int c = strcmp(x->labels[i].name, y->labels[i].name);
        if (c == 0)
            c = strcmp(x->labels[i].value, y->labels[i].value);
        if (c != 0)
            return c;
    }
    if (x->label_count != y->label_count)
        return x->label_count < y->label_count ? -1 : 1;
    return strcmp(x->kind, y->kind);
}

int sqlite_match(struct sqlite_store *s, const struct store_query *q, struct arena *a,
                 struct series_set *out, struct err *e)
{
    struct matcher m;
    *out = (struct series_set){0};
    int rc = matcher_make(&m, q, a, e);
    pthread_mutex_lock(&s->lock);
    out->list = arena_array(a, s->series_count, sizeof *out->list);
    for (uint32_t i = 0; rc == 0 && i < s->series_count; i++) {
        struct series *one = s->series[i];
        if (!one->gone && matcher_matches(&m, one->kind, one->labels, one->label_count) &&
            (!q->type || sqlite_type_of(one, q->type) != PROFILE_NONE))
            out->list[out->count++] = one;
    }
    pthread_mutex_unlock(&s->lock);
    matcher_free(&m);
    if (out->count)
        sort_list(out->list, out->count, sizeof *out->list, compare_series);
    return rc;
}

uint32_t sqlite_type_of(const struct series *s, const char *type)
{
    if (!type)
        return s->default_type;
    for (uint32_t i = 0; i < s->type_count; i++)
        if (strcmp(s->types[i].name, type) == 0)
            return i;
    return PROFILE_NONE;
}

static bool has_range(const struct store_query *q)
{
    return q->from_ns != q->until_ns;
}

/* First and last time and number of profiles; the range's slots decide whether it is listed. */
static int count_profiles(sqlite3_stmt *st, const struct series *one, struct store_series *out)
{
    sqlite3_bind_int64(st, 1, one->id);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        out->profile_count = (uint64_t)sqlite3_column_int64(st, 0);
        out->first_ns = sqlite3_column_int64(st, 1);
        out->last_ns = sqlite3_column_int64(st, 2);
    }
    sqlite3_reset(st);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void describe(const struct series *one, struct store_series *out, struct arena *a)
{
    struct store_type *types = arena_array(a, one->type_count, sizeof *types);
    out->id = one->hash;
    out->kind = arena_strdup(a, one->kind);
    struct store_label *labels = arena_array(a, one->label_count, sizeof *labels);
    for (uint32_t i = 0; i < one->label_count; i++) {
        labels[i].name = arena_strdup(a, one->labels[i].name);
        labels[i].value = arena_strdup(a, one->labels[i].value);
        if (strcmp(labels[i].name, "service_name") == 0)
            out->service_name = labels[i].value;
    }
    for (uint32_t i = 0; i < one->type_count; i++)
        types[i] = (struct store_type){arena_strdup(a, one->types[i].name),
                                       arena_strdup(a, one->types[i].unit), one->types[i].mode};
    out->labels = labels;
    out->label_count = one->label_count;
    out->types = types;
    out->type_count = one->type_count;
    out->default_type = one->default_type;
}

int sqlite_list_series(struct store *base, const struct store_query *q, struct arena *a,
                       struct store_series_list *out, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct series_set set;
    sqlite3_stmt *st = NULL;
    int rc = sqlite_match(s, q, a, &set, e);
    struct reader *r = rc == 0 ? sqlite_take_reader(s, e) : NULL;
    if (!r)
        return rc ? rc : e ? e->code : -EIO;
    rc = sqlite3_prepare_v2(
        r->db,
        "SELECT sum(n), min(f), max(l) FROM (SELECT sum(profiles) AS n, min(first) AS f,"
        " max(last) AS l FROM block INDEXED BY block_series WHERE series = ?1 UNION ALL"
        " SELECT count(*), min(time), max(time) FROM profile WHERE series = ?1)",
        -1, &st, NULL);
    out->series = arena_zarray(a, set.count, sizeof *out->series);
    for (uint32_t i = 0; rc == SQLITE_OK && i < set.count; i++) {
        struct store_series *one = &out->series[out->count];
        *one = (struct store_series){0};
        rc = count_profiles(st, set.list[i], one);
        if (rc == SQLITE_OK && one->profile_count > 0 &&
            (!has_range(q) || (one->first_ns < q->until_ns && one->last_ns >= q->from_ns))) {
            describe(set.list[i], one, a);
            out->count++;
        }
    }
    rc = rc == SQLITE_OK ? 0 : sqlite_error(s, r->db, rc, "listing series", e);
    sqlite3_finalize(st);
    sqlite_put_reader(s, r);
    return rc;
}
