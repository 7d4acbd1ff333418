/* SPDX-License-Identifier: MIT
 *
 * What is done in the background: fresh profiles into blocks, old blocks down to their sums, and
 * deletion by age and size; and deletion when it is asked for. In short transactions, so that
 * appending never waits long.
 *
 * A clock that is wrong must not cost history: nothing is older than the newest profile makes it.
 * A clock that steps back only makes fresh profiles wait. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_NS = 20000000, STEPS_NS = 500000000, SETTLE_S = 120 };
#define DAY_NS  (86400ll * 1000000000)
#define HOUR_NS (3600ll * 1000000000)

static int64_t slot_of(int64_t time_ns)
{
    int64_t slot = time_ns / SQLITE_SLOT_NS;
    return slot - (time_ns % SQLITE_SLOT_NS < 0);
}

static int64_t minus(int64_t a, int64_t b)
{
    return a < INT64_MIN + b ? INT64_MIN : a - b;
}

/* ---- statements with numbers ---- */

static int run(struct sqlite_store *s, const char *sql, const int64_t *numbers, int count)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(st, i + 1, numbers[i]);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int64_t ask(struct sqlite_store *s, const char *sql, const int64_t *numbers, int count)
{
    sqlite3_stmt *st = NULL;
    int64_t v = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK) {
        for (int i = 0; i < count; i++)
            sqlite3_bind_int64(st, i + 1, numbers[i]);
        if (sqlite3_step(st) == SQLITE_ROW)
            v = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return v;
}

/* Ends the transaction if `rc` is good, else undoes it. */
static int finish(struct sqlite_store *s, int rc, const char *what, struct err *e)
{
    struct err why = {0};
    if (rc == SQLITE_OK)
        return sqlite_commit_locked(s, e);
    sqlite_error(s, s->db, rc, what, &why);
    sqlite_rollback_locked(s, &why);
    if (e)
        *e = why;
    return why.code;
}

/* ---- deleting ---- */

/* Slots with blocks that the range cuts and which can be cut. */
static int cut_blocks(struct sqlite_store *s, int64_t series, int64_t from_ns, int64_t until_ns,
                      uint64_t *deleted)
{
    const int64_t edges[] = {slot_of(from_ns), slot_of(until_ns - 1)};
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < 2; i++) {
        sqlite3_stmt *st;
        uint32_t schemas[64], count = 0;
        if (i == 1 && edges[0] == edges[1])
            break;
        rc = sqlite3_prepare_v2(s->db,
                                "SELECT DISTINCT schema FROM block WHERE series = ?1 AND slot = ?2"
                                " AND has_data > 0",
                                -1, &st, NULL);
        if (rc != SQLITE_OK)
            return rc;
        sqlite3_bind_int64(st, 1, series);
        sqlite3_bind_int64(st, 2, edges[i]);
        while (count < 64 && sqlite3_step(st) == SQLITE_ROW)
            schemas[count++] = (uint32_t)sqlite3_column_int64(st, 0);
        sqlite3_finalize(st);
        for (uint32_t k = 0; rc == SQLITE_OK && k < count; k++) {
            struct slot_job job = {series, edges[i], schemas[k], from_ns, until_ns};
            rc = sqlite_compact_locked(s, &job, deleted);
        }
    }
    return rc;
}

int sqlite_delete_locked(struct sqlite_store *s, int64_t series, int64_t from_ns, int64_t until_ns,
                         uint64_t *deleted)
{
    if (from_ns >= until_ns)
        return SQLITE_OK;
    const int64_t range[] = {series, from_ns, until_ns, slot_of(from_ns), slot_of(until_ns - 1)};
    *deleted +=
        (uint64_t)ask(s,
                      "SELECT sum(profiles) FROM block WHERE series = ?1 AND slot BETWEEN ?4 AND ?5"
                      " AND first >= ?2 AND last < ?3",
                      range, 5);
    int rc = run(s,
                 "DELETE FROM block WHERE series = ?1 AND slot BETWEEN ?4 AND ?5"
                 " AND first >= ?2 AND last < ?3",
                 range, 5);
    if (rc == SQLITE_OK)
        rc = run(s, "DELETE FROM profile WHERE series = ?1 AND time >= ?2 AND time < ?3", range, 3);
    if (rc == SQLITE_OK)
        *deleted += (uint64_t)sqlite3_changes(s->db);
    return rc == SQLITE_OK ? cut_blocks(s, series, from_ns, until_ns, deleted) : rc;
}

/* The symbols of what was deleted may now be unused. */
static int note_garbage(struct sqlite_store *s, uint64_t deleted)
{
    const int64_t number = (int64_t)(s->garbage += deleted);
    return deleted ? run(s, "INSERT OR REPLACE INTO meta VALUES('garbage', ?1)", &number, 1)
                   : SQLITE_OK;
}

int sqlite_forget_empty_locked(struct sqlite_store *s)
{
    int rc = run(s,
                 "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM profile WHERE"
                 " profile.series = series.id) AND NOT EXISTS (SELECT 1 FROM block WHERE"
                 " block.series = series.id)",
                 NULL, 0);
    if (rc == SQLITE_OK && sqlite3_changes(s->db) > 0)
        sqlite_load_series(s, NULL);
    return rc;
}

int sqlite_delete(struct store *base, const struct store_query *q, uint64_t *deleted, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct series_set set;
    struct arena a;
    arena_init(&a);
    int rc = sqlite_match(s, q, &a, &set, e);
    for (uint32_t i = 0; rc == 0 && i < set.count; i++) {
        uint64_t before = *deleted;
        pthread_mutex_lock(&s->lock);
        rc = sqlite_begin_locked(s);
        if (rc == SQLITE_OK)
            rc = sqlite_delete_locked(s, set.list[i]->id, q->from_ns, q->until_ns, deleted);
        if (rc == SQLITE_OK)
            rc = note_garbage(s, *deleted - before);
        if (rc == SQLITE_OK && i + 1 == set.count)
            rc = sqlite_forget_empty_locked(s);
        rc = finish(s, rc, "deleting", e);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_lock(&s->lock);
    s->counters.deleted += *deleted;
    pthread_mutex_unlock(&s->lock);
    arena_free(&a);
    return rc;
}

/* ---- compaction ---- */

struct jobs {
    struct slot_job *list;
    uint32_t count, cap;
};

/* All slots that are over and have fresh profiles. */
static int find_jobs(struct sqlite_store *s, int64_t before_ns, struct arena *a, struct jobs *jobs)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(s->db,
                                "SELECT series, time, schema FROM profile WHERE time < ?1"
                                " ORDER BY series, time",
                                -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(st, 1, before_ns);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct slot_job job = {.series = sqlite3_column_int64(st, 0),
                               .slot = slot_of(sqlite3_column_int64(st, 1)),
                               .schema = (uint32_t)sqlite3_column_int64(st, 2)};
        struct slot_job *last = jobs->count ? &jobs->list[jobs->count - 1] : NULL;
        if (last && last->series == job.series && last->slot == job.slot &&
            last->schema == job.schema)
            continue;
        if (jobs->count == jobs->cap) {
            uint32_t cap = jobs->cap ? jobs->cap * 2 : 256;
            jobs->list = arena_grow(a, jobs->list, jobs->cap * sizeof job, cap * sizeof job);
            jobs->cap = cap;
        }
        jobs->list[jobs->count++] = job;
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int compact(struct sqlite_store *s, int64_t now_ns, struct err *e)
{
    struct jobs jobs = {0};
    struct arena a;
    arena_init(&a);
    pthread_mutex_lock(&s->lock);
    int64_t over = slot_of(minus(now_ns, SETTLE_S * 1000000000ll));
    int rc = find_jobs(s, over * SQLITE_SLOT_NS, &a, &jobs);
    rc = rc == SQLITE_OK ? 0 : finish(s, rc, "compacting", e);
    for (uint32_t i = 0; rc == 0 && i < jobs.count && !s->closing;) {
        int64_t start = sqlite_now_ns(CLOCK_MONOTONIC);
        int code = sqlite_begin_locked(s);
        while (code == SQLITE_OK && i < jobs.count &&
               sqlite_now_ns(CLOCK_MONOTONIC) - start < BATCH_NS)
            code = sqlite_compact_locked(s, &jobs.list[i++], NULL);
        rc = finish(s, code, "compacting", e);
        pthread_mutex_unlock(&s->lock); /* whoever waits to append goes first */
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    arena_free(&a);
    return rc;
}

/* ---- retention ---- */

static int64_t newest(struct sqlite_store *s)
{
    return ask(s,
               "SELECT max(t) FROM (SELECT"
               " (SELECT max(time) FROM profile WHERE profile.series = s.id) AS t FROM series AS s"
               " UNION ALL SELECT max(last) FROM block INDEXED BY block_series)",
               NULL, 0);
}

static int64_t oldest(struct sqlite_store *s)
{
    return ask(s,
               "SELECT min(t) FROM (SELECT"
               " (SELECT min(time) FROM profile WHERE profile.series = s.id) AS t FROM series AS s"
               " UNION ALL SELECT min(first) FROM block INDEXED BY block_series)",
               NULL, 0);
}

static int64_t used_bytes(struct sqlite_store *s)
{
    int64_t pages = ask(s, "PRAGMA page_count", NULL, 0) - ask(s, "PRAGMA freelist_count", NULL, 0);
    return pages * ask(s, "PRAGMA page_size", NULL, 0);
}

static int delete_before(struct sqlite_store *s, int64_t cutoff)
{
    uint64_t deleted = 0;
    int rc = SQLITE_OK;
    /* Whole slots: blocks that the cutoff cuts go ten minutes later. */
    cutoff = slot_of(cutoff) * SQLITE_SLOT_NS;
    for (uint32_t i = 0; rc == SQLITE_OK && i < s->series_count; i++)
        rc = sqlite_delete_locked(s, s->series[i]->id, INT64_MIN, cutoff, &deleted);
    s->counters.deleted += deleted;
    if (rc == SQLITE_OK)
        rc = note_garbage(s, deleted);
    return rc == SQLITE_OK && deleted ? sqlite_forget_empty_locked(s) : rc;
}

static int downsample(struct sqlite_store *s, int64_t cutoff)
{
    int rc = SQLITE_OK;
    for (uint32_t i = 0; rc == SQLITE_OK && i < s->series_count; i++) {
        const int64_t numbers[] = {s->series[i]->id, slot_of(cutoff)};
        rc = run(s,
                 "UPDATE block SET data = x'', has_data = 0 WHERE series = ?1 AND slot < ?2"
                 " AND has_data > 0",
                 numbers, 2);
    }
    return rc;
}

/* The oldest hours go until the rest fits, with a little room, so that it is not each time. When
 * much has gone, what it leaves unused goes first: history must not be deleted for its sake. */
static int shrink(struct sqlite_store *s)
{
    int64_t limit = s->options.retain_bytes, goal = limit - limit / 20;
    int rc = SQLITE_OK;
    if (limit < 0 || used_bytes(s) <= limit)
        return SQLITE_OK;
    for (int64_t step = HOUR_NS; rc == SQLITE_OK && used_bytes(s) > goal; step *= 2) {
        int64_t first = oldest(s), last = newest(s);
        if (first >= last || step <= 0 || sqlite_sweep_is_due_locked(s))
            break;
        int64_t cutoff = first > last - step ? last : first + step;
        if (slot_of(cutoff) == slot_of(first))
            break; /* ten minutes alone are larger than the limit */
        rc = delete_before(s, cutoff);
    }
    return rc;
}

static int retain(struct sqlite_store *s, int64_t now_ns, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int64_t last = newest(s), now = last < now_ns - DAY_NS ? last + DAY_NS : now_ns;
    int rc = sqlite_begin_locked(s);
    if (rc == SQLITE_OK && s->options.downsample_ns >= 0)
        rc = downsample(s, minus(now, s->options.downsample_ns));
    if (rc == SQLITE_OK && s->options.retain_ns >= 0)
        rc = delete_before(s, minus(now, s->options.retain_ns));
    if (rc == SQLITE_OK)
        rc = shrink(s);
    rc = finish(s, rc, "deleting what is old", e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- symbols, and the file's size ---- */

/* Steps of `one` in transactions that are short, until it is done or, where others wait for us, the
 * time is up. */
static int in_steps(struct sqlite_store *s, int (*one)(struct sqlite_store *s, bool *done),
                    struct err *e)
{
    int64_t begin = sqlite_now_ns(CLOCK_MONOTONIC);
    bool done = false;
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (rc == 0 && !done && !s->closing) {
        int64_t start = sqlite_now_ns(CLOCK_MONOTONIC);
        int code = sqlite_begin_locked(s);
        while (code == SQLITE_OK && !done && sqlite_now_ns(CLOCK_MONOTONIC) - start < BATCH_NS)
            code = one(s, &done);
        rc = finish(s, code, "tidying symbols", e);
        if (!s->options.no_background && sqlite_now_ns(CLOCK_MONOTONIC) - begin > STEPS_NS)
            break;
        pthread_mutex_unlock(&s->lock); /* whoever waits to append goes first */
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int pack(struct sqlite_store *s, bool *done)
{
    bool more;
    int rc = sqlite_pack_locked(s, &more);
    *done = !more;
    return rc;
}

/* Space that was freed is used again by what comes; beyond an eighth of the file it is given back,
 * a little each time. */
static void give_back(struct sqlite_store *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t pages = ask(s, "PRAGMA page_count", NULL, 0);
    int64_t unused = ask(s, "PRAGMA freelist_count", NULL, 0), kept = pages / 8;
    char sql[64];
    if (unused > kept + 256) {
        snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%lld)",
                 (long long)(unused - kept < 2000 ? unused - kept : 2000));
        if (!s->in_transaction)
            sqlite_run(s->db, sql);
    }
    pthread_mutex_unlock(&s->lock);
}

static bool sweep_is_due(struct sqlite_store *s)
{
    pthread_mutex_lock(&s->lock);
    bool due = sqlite_sweep_is_due_locked(s);
    pthread_mutex_unlock(&s->lock);
    return due;
}

int sqlite_maintain(struct store *base, int64_t now_ns, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    bool swept;
    if (now_ns == 0)
        now_ns = sqlite_now_ns(CLOCK_REALTIME);
    int rc = compact(s, now_ns, e);
    if (rc == 0)
        rc = in_steps(s, pack, e);
    do { /* a sweep may show that nothing more has to be deleted, or that there is */
        if (rc == 0)
            rc = retain(s, now_ns, e);
        swept = rc == 0 && sweep_is_due(s);
        if (swept)
            rc = in_steps(s, sqlite_sweep_step_locked, e);
    } while (rc == 0 && swept && s->options.no_background);
    give_back(s);
    return rc;
}
