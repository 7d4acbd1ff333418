/* SPDX-License-Identifier: MIT
 *
 * Small tables: runs of the suite, settings, and the figures of the store itself. A write is
 * committed before it returns. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* One statement with texts and numbers bound by the caller, and the commit. */
static int write_one(struct sqlite_store *s, sqlite3_stmt *st, const char *what, struct err *e)
{
    struct err why = {0};
    int rc = sqlite_begin_locked(s);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    int changed = sqlite3_changes(s->db);
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return sqlite_commit_locked(s, e) ? (e ? e->code : -EIO) : changed;
    sqlite_error(s, s->db, rc, what, &why);
    sqlite_rollback_locked(s, &why);
    if (e)
        *e = why;
    return why.code;
}

static sqlite3_stmt *prepare(struct sqlite_store *s, sqlite3 *db, const char *sql, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        sqlite_error(s, db, rc, "reading the store", e);
    return st;
}

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
    sqlite3_bind_text(st, i, text ? text : "", -1, SQLITE_TRANSIENT);
}

int sqlite_put_run(struct store *base, const struct store_run *run, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct arena a;
    struct buf ids;
    struct err why = {0};
    arena_init(&a);
    buf_init(&ids, &a);
    for (uint32_t i = 0; i < run->profile_count; i++) {
        char text[STORE_ID_TEXT_MAX];
        store_id_format(run->profiles[i], text);
        buf_printf(&ids, "%s%s", i ? " " : "", text);
    }
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = prepare(s, s->db,
                               "INSERT OR REPLACE INTO run(id, program, input, kind, status,"
                               " started, ended, metrics, profiles)"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                               &why);
    int rc = why.code;
    if (st) {
        const char *const texts[] = {run->id, run->program, run->input, run->kind, run->status};
        for (int i = 0; i < 5; i++)
            bind_text(st, i + 1, texts[i]);
        sqlite3_bind_int64(st, 6, run->started_ns);
        sqlite3_bind_int64(st, 7, run->ended_ns);
        bind_text(st, 8, run->metrics);
        bind_text(st, 9, buf_cstr(&ids));
        rc = write_one(s, st, "storing a run", &why);
    }
    pthread_mutex_unlock(&s->lock);
    arena_free(&a);
    if (rc < 0 && e)
        *e = why;
    return rc < 0 ? rc : 0;
}

static const char *text_of(sqlite3_stmt *st, int column, struct arena *a)
{
    const char *t = (const char *)sqlite3_column_text(st, column);
    return arena_strdup(a, t ? t : "");
}

static void read_ids(struct store_run *run, const char *text, struct arena *a)
{
    struct store_profile_id *ids = arena_array(a, strlen(text) / 2 + 1, sizeof *ids);
    while (*text) {
        size_t n = strcspn(text, " ");
        char one[STORE_ID_TEXT_MAX] = "";
        memcpy(one, text, n < sizeof one ? n : sizeof one - 1);
        if (store_id_parse(one, &ids[run->profile_count], NULL) == 0)
            run->profile_count++;
        text += n + (text[n] == ' ');
    }
    run->profiles = ids;
}

int sqlite_list_runs(struct store *base, const struct store_run_query *q, struct arena *a,
                     struct store_run_list *out, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    const char *const wanted[] = {q->id, q->program, q->input, q->kind};
    struct err why = {0};
    uint32_t limit = q->limit ? q->limit : 100, cap = 0;
    struct reader *r = sqlite_take_reader(s, &why);
    sqlite3_stmt *st = !r ? NULL
                          : prepare(s, r->db,
                                    "SELECT id, program, input, kind, status, started, ended,"
                                    " metrics, profiles FROM run WHERE (?1 IS NULL OR id = ?1)"
                                    " AND (?2 IS NULL OR program = ?2)"
                                    " AND (?3 IS NULL OR input = ?3) AND (?4 IS NULL OR kind = ?4)"
                                    " ORDER BY started DESC, id DESC LIMIT ?5",
                                    &why);
    int rc = SQLITE_DONE;
    for (int i = 0; st && i < 4; i++)
        if (wanted[i])
            bind_text(st, i + 1, wanted[i]);
    if (st)
        sqlite3_bind_int64(st, 5, limit);
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (out->count == cap) {
            uint32_t more = cap ? cap * 2 : 16;
            out->runs = arena_grow(a, out->runs, cap * sizeof *out->runs, more * sizeof *out->runs);
            cap = more;
        }
        struct store_run *run = &out->runs[out->count++];
        *run = (struct store_run){.id = text_of(st, 0, a),
                                  .program = text_of(st, 1, a),
                                  .input = text_of(st, 2, a),
                                  .kind = text_of(st, 3, a),
                                  .status = text_of(st, 4, a),
                                  .started_ns = sqlite3_column_int64(st, 5),
                                  .ended_ns = sqlite3_column_int64(st, 6),
                                  .metrics = text_of(st, 7, a)};
        read_ids(run, text_of(st, 8, a), a);
    }
    if (st && rc != SQLITE_DONE)
        sqlite_error(s, r->db, rc, "listing runs", &why);
    sqlite3_finalize(st);
    if (r)
        sqlite_put_reader(s, r);
    if (why.code && e)
        *e = why;
    return why.code;
}

int sqlite_delete_run(struct store *base, const char *id, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct err why = {0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = prepare(s, s->db, "DELETE FROM run WHERE id = ?1", &why);
    int rc = why.code;
    if (st) {
        bind_text(st, 1, id);
        rc = write_one(s, st, "deleting a run", &why);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        return err_set(e, -ENOENT, "there is no run %.200s", id);
    if (rc < 0 && e)
        *e = why;
    return rc < 0 ? rc : 0;
}

int sqlite_put_setting(struct store *base, const char *key, const char *value, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct err why = {0};
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = prepare(s, s->db,
                               value ? "INSERT OR REPLACE INTO setting(key, value) VALUES(?1, ?2)"
                                     : "DELETE FROM setting WHERE key = ?1",
                               &why);
    int rc = why.code;
    if (st) {
        bind_text(st, 1, key);
        if (value)
            bind_text(st, 2, value);
        rc = write_one(s, st, "storing a setting", &why);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc < 0 && e)
        *e = why;
    return rc < 0 ? rc : 0;
}

int sqlite_get_setting(struct store *base, const char *key, struct arena *a, const char **value,
                       struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct err why = {0};
    struct reader *r = sqlite_take_reader(s, &why);
    sqlite3_stmt *st =
        r ? prepare(s, r->db, "SELECT value FROM setting WHERE key = ?1", &why) : NULL;
    if (st) {
        bind_text(st, 1, key);
        int rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            *value = text_of(st, 0, a);
        else if (rc != SQLITE_DONE)
            sqlite_error(s, r->db, rc, "reading a setting", &why);
    }
    sqlite3_finalize(st);
    if (r)
        sqlite_put_reader(s, r);
    if (why.code && e)
        *e = why;
    return why.code;
}

/* ---- figures ---- */

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static uint64_t file_size(const char *path, const char *suffix, struct arena *a)
{
    struct stat st;
    return stat(arena_printf(a, "%s%s", path, suffix), &st) == 0 ? (uint64_t)st.st_size : 0;
}

int sqlite_stats(struct store *base, struct store_stats *out, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct err why = {0};
    struct arena a;
    struct reader *r = sqlite_take_reader(s, &why);
    if (!r)
        return e ? (*e = why, why.code) : why.code;
    arena_init(&a);
    pthread_mutex_lock(&s->lock);
    *out = s->counters;
    out->queued = s->pending_count;
    out->series = s->series_count;
    pthread_mutex_unlock(&s->lock);
    out->bytes = file_size(s->path, "", &a) + file_size(s->path, "-wal", &a);
    out->bytes_free =
        (uint64_t)(number(r->db, "PRAGMA freelist_count") * number(r->db, "PRAGMA page_size"));
    out->retain_bytes = s->options.retain_bytes > 0 ? (uint64_t)s->options.retain_bytes : 0;
    out->retain_ns = s->options.retain_ns;
    out->downsample_ns = s->options.downsample_ns;
    out->fresh_profiles = (uint64_t)number(r->db, "SELECT count(*) FROM profile");
    out->blocks = (uint64_t)number(r->db, "SELECT count(*) FROM block");
    out->profiles =
        out->fresh_profiles +
        (uint64_t)number(r->db, "SELECT sum(profiles) FROM block INDEXED BY block_series");
    out->samples =
        (uint64_t)(number(r->db, "SELECT sum(samples) FROM block INDEXED BY block_series") +
                   number(r->db, "SELECT sum(samples) FROM profile"));
    out->stacks = (uint64_t)number(r->db, "SELECT count(*) FROM stack_hash");
    out->functions = (uint64_t)number(r->db, "SELECT count(*) FROM function_hash");
    out->strings = (uint64_t)number(r->db, "SELECT count(*) FROM string_hash");
    out->first_ns = number(
        r->db, "SELECT min(t) FROM (SELECT"
               " (SELECT min(time) FROM profile WHERE profile.series = s.id) AS t"
               " FROM series AS s UNION ALL SELECT min(first) FROM block INDEXED BY block_series)");
    out->last_ns = number(
        r->db, "SELECT max(t) FROM (SELECT"
               " (SELECT max(time) FROM profile WHERE profile.series = s.id) AS t"
               " FROM series AS s UNION ALL SELECT max(last) FROM block INDEXED BY block_series)");
    arena_free(&a);
    sqlite_put_reader(s, r);
    return 0;
}
