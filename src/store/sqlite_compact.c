/* SPDX-License-Identifier: MIT
 *
 * From fresh rows to a block: the profiles of one series, schema and ten minutes are read, put in
 * order and written as columns, with their sum. Late ones join the block that is there. The same
 * rewriting deletes a part of a block. All of it happens within one transaction, under the lock, so
 * that a reader sees each profile once. */
#include "store/sqlite_internal.h"
#include "base/sort.h"
#include "store/sums.h"
#include "store/varint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    struct block_profile profile;
    struct block_samples samples;
};

struct gathered {
    struct sqlite_store *s;
    const struct slot_job *job;
    struct arena a;
    struct piece *pieces;
    uint32_t count, cap, types;
    uint64_t samples, dropped;
    int64_t last_time, last_content; /* fresh ones up to this one are taken */
    int64_t *blocks;                 /* rows to be replaced */
    uint32_t block_count, fresh_count;
};

static bool is_dropped(const struct gathered *g, int64_t time_ns)
{
    return time_ns >= g->job->drop_from_ns && time_ns < g->job->drop_until_ns;
}

static void add(struct gathered *g, const struct piece *p)
{
    if (is_dropped(g, p->profile.time_ns)) {
        g->dropped++;
        return;
    }
    if (g->count == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : 64;
        g->pieces =
            arena_grow(&g->a, g->pieces, g->cap * sizeof *g->pieces, cap * sizeof *g->pieces);
        g->cap = cap;
    }
    g->pieces[g->count++] = *p;
    g->samples += p->samples.count;
}

static void damaged(struct gathered *g, const char *what)
{
    g->s->counters.damaged++;
    snprintf(g->s->counters.last_damage, sizeof g->s->counters.last_damage,
             "a %s in %s could not be read when it was compacted", what, g->s->path);
}

/* ---- reading ---- */

static void add_block(struct gathered *g, sqlite3_stmt *st)
{
    struct block b = {0};
    bool has_data;
    int rc = sqlite_read_block(&b, st, 1, &has_data, &g->a);
    if (rc != 0 || !has_data || (g->types && b.types != g->types)) {
        if (rc != 0)
            damaged(g, "block"); /* stays where it is, for whoever can save it */
        return;
    }
    g->types = b.types;
    struct block_key *keys = arena_array(&g->a, b.sample_count, sizeof *keys);
    for (uint64_t i = 0; i < b.sample_count; i++)
        keys[i] = b.sum.keys[b.sample_keys[i]];
    for (uint64_t i = 0, at = 0; i < b.profile_count; i++) {
        struct piece p = {
            b.profiles[i],
            {b.types, b.profiles[i].sample_count, keys + at, b.values + at * b.types}};
        add(g, &p);
        at += b.profiles[i].sample_count;
    }
    g->blocks[g->block_count++] = sqlite3_column_int64(st, 0);
}

static int gather_blocks(struct gathered *g)
{
    sqlite3_stmt *st;
    int rc =
        sqlite3_prepare_v2(g->s->db,
                           "SELECT id, has_data, sum, meta, data FROM block WHERE series = ?1 AND"
                           " slot = ?2 AND schema = ?3 AND has_data > 0 AND samples < ?4"
                           " LIMIT 16",
                           -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    g->blocks = arena_array(&g->a, 16, sizeof *g->blocks);
    sqlite3_bind_int64(st, 1, g->job->series);
    sqlite3_bind_int64(st, 2, g->job->slot);
    sqlite3_bind_int64(st, 3, g->job->schema);
    /* A deletion has to open blocks of any size. */
    sqlite3_bind_int64(st, 4,
                       g->job->drop_from_ns < g->job->drop_until_ns ? INT64_MAX
                                                                    : LIMIT_STORE_BLOCK_SAMPLES);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        add_block(g, st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool add_fresh(struct gathered *g, sqlite3_stmt *st)
{
    struct piece p = {.profile = {.time_ns = sqlite3_column_int64(st, 1),
                                  .duration_ns = sqlite3_column_int64(st, 2),
                                  .header = (uint32_t)sqlite3_column_int64(st, 3),
                                  .lost_samples = sqlite3_column_int64(st, 4),
                                  .content = (uint32_t)sqlite3_column_int64(st, 5)}};
    const void *body = sqlite3_column_blob(st, 8);
    if (block_read_samples(&p.samples, body, (size_t)sqlite3_column_bytes(st, 8), &g->a) != 0 ||
        (g->types && p.samples.types != g->types))
        return false;
    g->types = p.samples.types;
    const uint8_t *totals = sqlite3_column_blob(st, 6);
    struct varint_reader v = {.at = totals, .end = totals + sqlite3_column_bytes(st, 6)};
    p.profile.totals = arena_array(&g->a, g->types, sizeof *p.profile.totals);
    for (uint32_t t = 0; t < g->types; t++)
        p.profile.totals[t] = varint_get_signed(&v);
    uint32_t len = (uint32_t)sqlite3_column_bytes(st, 7);
    const char *comments = sqlite3_column_blob(st, 7);
    if (v.failed || (len && comments[len - 1]))
        return false;
    p.profile.comments = (struct block_text){arena_strndup(&g->a, len ? comments : "", len), len};
    p.profile.sample_count = p.samples.count;
    add(g, &p);
    return true;
}

static int64_t slot_end(int64_t slot)
{
    return slot >= INT64_MAX / SQLITE_SLOT_NS ? INT64_MAX : (slot + 1) * SQLITE_SLOT_NS - 1;
}

static int64_t slot_start(int64_t slot)
{
    return slot <= INT64_MIN / SQLITE_SLOT_NS ? INT64_MIN : slot * SQLITE_SLOT_NS;
}

/* Damaged rows are deleted once they are reported: they would be met again for ever. */
static int gather_fresh(struct gathered *g)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(g->s->db,
                                "SELECT time, time, duration, header, lost, content, totals,"
                                " comments, body FROM profile WHERE series = ?1 AND"
                                " time BETWEEN ?2 AND ?3 AND schema = ?4"
                                " ORDER BY time, content",
                                -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(st, 1, g->job->series);
    sqlite3_bind_int64(st, 2, slot_start(g->job->slot));
    sqlite3_bind_int64(st, 3, slot_end(g->job->slot));
    sqlite3_bind_int64(st, 4, g->job->schema);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && g->samples < LIMIT_STORE_BLOCK_SAMPLES) {
        if (!add_fresh(g, st))
            damaged(g, "profile");
        g->last_time = sqlite3_column_int64(st, 1);
        g->last_content = sqlite3_column_int64(st, 5);
        g->fresh_count++;
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* ---- building ---- */

static int by_time(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->profile.time_ns != y->profile.time_ns)
        return x->profile.time_ns < y->profile.time_ns ? -1 : 1;
    return (x->profile.content > y->profile.content) - (x->profile.content < y->profile.content);
}

static int compare_keys(const void *a, const void *b)
{
    const struct block_key *x = a, *y = b;
    if (x->stack != y->stack)
        return x->stack < y->stack ? -1 : 1;
    return (x->labels > y->labels) - (x->labels < y->labels);
}

static int compare_places(const void *a, const void *b, void *keys)
{
    const struct block_key *k = keys;
    return compare_keys(&k[*(const uint32_t *)a], &k[*(const uint32_t *)b]);
}

/* The sum in order of keys, and where each sample's key is in it. */
static void build_sum(struct block *b, const struct gathered *g, struct arena *a)
{
    struct sums all;
    uint32_t *places = b->sample_keys;
    sums_init(&all, g->types);
    for (uint32_t i = 0; i < g->count; places += g->pieces[i++].samples.count)
        sums_add_places(&all, &g->pieces[i].samples, places);
    uint32_t *order = arena_array(a, all.count, sizeof *order);
    uint32_t *index = arena_array(a, all.count, sizeof *index);
    for (uint32_t i = 0; i < all.count; i++)
        order[i] = i;
    if (all.count)
        qsort_r(order, all.count, sizeof *order, compare_places, all.keys);
    b->sum = (struct block_samples){.types = g->types, .count = all.count};
    b->sum.keys = arena_array(a, all.count, sizeof *b->sum.keys);
    b->sum.values = arena_array(a, all.count, g->types * sizeof *b->sum.values);
    for (uint32_t i = 0; i < all.count; i++) {
        index[order[i]] = i;
        b->sum.keys[i] = all.keys[order[i]];
        memcpy(b->sum.values + (size_t)i * g->types, all.values + (size_t)order[i] * g->types,
               g->types * sizeof *b->sum.values);
    }
    for (uint64_t i = 0; i < g->samples; i++)
        b->sample_keys[i] = index[b->sample_keys[i]];
    sums_free(&all);
}

static void build(struct block *b, struct gathered *g, struct arena *a)
{
    uint64_t at = 0;
    sort_list(g->pieces, g->count, sizeof *g->pieces, by_time);
    *b = (struct block){.types = g->types, .profile_count = g->count, .sample_count = g->samples};
    b->profiles = arena_array(a, g->count, sizeof *b->profiles);
    b->sample_keys = arena_array(a, g->samples, sizeof *b->sample_keys);
    b->values = arena_array(a, g->samples, g->types * sizeof *b->values);
    build_sum(b, g, a);
    for (uint32_t i = 0; i < g->count; i++) {
        const struct block_samples *s = &g->pieces[i].samples;
        b->profiles[i] = g->pieces[i].profile;
        if (s->count)
            memcpy(b->values + at * g->types, s->values,
                   (size_t)s->count * g->types * sizeof *b->values);
        at += s->count;
    }
}

static int write_block(struct gathered *g)
{
    struct block b;
    struct buf sum, meta, data;
    sqlite3_stmt *st;
    build(&b, g, &g->a);
    sqlite_sweep_block_locked(g->s, &b, g->job->schema);
    buf_init(&sum, &g->a);
    buf_init(&meta, &g->a);
    buf_init(&data, &g->a);
    block_write_sum(&sum, &b);
    block_write_meta(&meta, &b);
    block_write_data(&data, &b);
    int rc = sqlite3_prepare_v2(g->s->db,
                                "INSERT INTO block(series, schema, slot, first, last, profiles,"
                                " samples, has_data, sum, meta, data)"
                                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 2, ?8, ?9, ?10)",
                                -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    const int64_t numbers[] = {g->job->series,
                               g->job->schema,
                               g->job->slot,
                               b.profiles[0].time_ns,
                               b.profiles[b.profile_count - 1].time_ns,
                               b.profile_count,
                               (int64_t)b.sample_count};
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(st, i + 1, numbers[i]);
    sqlite3_bind_blob64(st, 8, sum.data, sum.len, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 9, meta.data, meta.len, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 10, data.data, data.len, SQLITE_STATIC);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int delete_row(sqlite3 *db, const char *sql, const int64_t *numbers, int count)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(st, i + 1, numbers[i]);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int delete_sources(struct gathered *g)
{
    const int64_t fresh[] = {g->job->series, slot_start(g->job->slot), g->last_time,
                             g->last_content, g->job->schema};
    int rc = SQLITE_OK;
    for (uint32_t i = 0; rc == SQLITE_OK && i < g->block_count; i++)
        rc = delete_row(g->s->db, "DELETE FROM block WHERE id = ?1", &g->blocks[i], 1);
    if (rc == SQLITE_OK && g->fresh_count)
        rc = delete_row(g->s->db,
                        "DELETE FROM profile WHERE series = ?1 AND time BETWEEN ?2 AND ?3"
                        " AND (time < ?3 OR content <= ?4) AND schema = ?5",
                        fresh, 5);
    return rc;
}

int sqlite_compact_locked(struct sqlite_store *s, const struct slot_job *job, uint64_t *dropped)
{
    struct gathered g = {.s = s, .job = job};
    bool more = true;
    int rc = gather_blocks(&g);
    if (rc == SQLITE_OK)
        rc = gather_fresh(&g);
    if (rc == SQLITE_OK && g.count == 0)
        rc = delete_sources(&g);
    else if (rc == SQLITE_OK && (g.fresh_count || g.dropped)) {
        rc = delete_sources(&g);
        rc = rc == SQLITE_OK ? write_block(&g) : rc;
    }
    more = g.samples >= LIMIT_STORE_BLOCK_SAMPLES && g.fresh_count;
    if (dropped)
        *dropped += g.dropped;
    arena_free(&g.a);
    /* What did not fit makes the next block; each round takes at least one profile. */
    return rc == SQLITE_OK && more ? sqlite_compact_locked(s, job, dropped) : rc;
}
