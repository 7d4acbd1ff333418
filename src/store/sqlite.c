/* SPDX-License-Identifier: MIT
 *
 * The embedded engine: one SQLite file. This file owns opening and closing: the lock that keeps
 * other processes out, the schema and its version, the connections. It may not know what a profile
 * is. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 10000, RECYCLE_BYTES = 32 << 20 };

/* ---- errors ---- */

int sqlite_error(struct sqlite_store *s, sqlite3 *db, int code, const char *what, struct err *e)
{
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return err_set(e, -ENOSPC, "%s: the disk of %s is full; nothing of it was kept; make room",
                       what, s->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return err_set(e, -EIO,
                       "%s: %s is damaged (%s); move it away, and save what can be read with "
                       "sqlite3's .recover",
                       what, s->path, text);
    case SQLITE_IOERR:
        return err_set(e, errno == ENOSPC || errno == EFBIG ? -ENOSPC : -EIO,
                       "%s: %s cannot be read or written (%s%s%s); look at the disk and its free "
                       "space",
                       what, s->path, text, errno ? ": " : "", errno ? strerror(errno) : "");
    case SQLITE_NOMEM: return err_set(e, -ENOMEM, "%s: out of memory", what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return err_set(e, -EACCES, "%s: %s cannot be opened for writing (%s)", what, s->path, text);
    default: return err_set(e, -EIO, "%s: %s: %s", what, s->path, text);
    }
}

int sqlite_run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

void sqlite_damaged(struct sqlite_store *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&s->lock);
    s->counters.damaged++;
    vsnprintf(s->counters.last_damage, sizeof s->counters.last_damage, fmt, ap);
    pthread_mutex_unlock(&s->lock);
    va_end(ap);
}

int64_t sqlite_now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the lock: a file beside the store, which says who holds it ---- */

static int take_lock(struct sqlite_store *s, struct err *e)
{
    char path[4096], holder[160] = "";
    snprintf(path, sizeof path, "%s.lock", s->path);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return err_set(e, -errno, "the store's lock %s cannot be opened: %s", path,
                       strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(s->lock_fd, holder, sizeof holder - 1, 0);
        holder[n > 0 ? n : 0] = 0;
        holder[strcspn(holder, "\n")] = 0;
        return err_set(e, -EBUSY, "%s is in use by %s; stop it, or send the profiles to it",
                       s->path, *holder ? holder : "another process");
    }
    int n = snprintf(holder, sizeof holder, "%s (process %d)\n", s->holder, (int)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, holder, (size_t)n, 0) != n)
        return 0; /* held, if namelessly: on a full disk the store can still be read */
    return 0;
}

/* ---- connections ---- */

static int set_up(sqlite3 *db)
{
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite_run(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                          "PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY");
}

static int open_connection(struct sqlite_store *s, sqlite3 **db, int flags)
{
    int rc = sqlite3_open_v2(s->path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    return rc == SQLITE_OK ? set_up(*db) : rc;
}

int sqlite_get_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static int prepare(struct sqlite_store *s)
{
    static const char *const sql[WRITE_STATEMENTS] = {
        [WRITE_PROFILE] = ("INSERT INTO profile(series, time, content, duration, schema, header,"
                           " samples, lost, totals, comments, body)"
                           " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
        [WRITE_FIND_PROFILE] = ("SELECT content FROM profile WHERE series = ?1 AND time = ?2"),
        [WRITE_FIND_BLOCKS] = ("SELECT meta FROM block WHERE series = ?1 AND slot = ?2"
                               " AND first <= ?3 AND last >= ?3"),
        [WRITE_NEWEST] = ("SELECT max(t) FROM (SELECT max(time) AS t FROM profile WHERE series = ?1"
                          " UNION ALL SELECT max(last) FROM block INDEXED BY block_series"
                          " WHERE series = ?1)"),
        [WRITE_SERIES] = "INSERT INTO series(hash, kind, labels, types) VALUES(?1, ?2, ?3, ?4)",
        [WRITE_SERIES_TYPES] = "UPDATE series SET types = ?2 WHERE id = ?1",
    };
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < WRITE_STATEMENTS; i++)
        rc = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                                NULL);
    return rc == SQLITE_OK ? symbol_writer_open(&s->symbols, s->db) : rc;
}

static int open_writer(struct sqlite_store *s, struct err *e)
{
    int64_t layout = 0;
    bool empty = false;
    mode_t before = umask(0077);
    int rc = open_connection(s, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    umask(before);
    if (rc != SQLITE_OK)
        return sqlite_error(s, s->db, rc, "opening the store", e);
    /* The settings below write to the file: not before it is known to be ours. */
    rc = sqlite_check_owner(s, &layout, &empty, e);
    if (rc != 0)
        return rc;
    rc = SQLITE_OK;
    if (empty)
        rc = sqlite_run(s->db, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL");
    if (rc == SQLITE_OK)
        rc = sqlite_run(s->db, "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
                               "PRAGMA journal_size_limit = 67108864");
    if (rc != SQLITE_OK)
        return sqlite_error(s, s->db, rc, "opening the store", e);
    rc = sqlite_make_or_update(s, layout, empty, e);
    if (rc != 0)
        return rc;
    int code = prepare(s);
    if (code != SQLITE_OK)
        return sqlite_error(s, s->db, code, "opening the store", e);
    return sqlite_load_series(s, e);
}

/* ---- readers ---- */

static int open_reader(struct sqlite_store *s, struct reader *r)
{
    int rc = open_connection(s, &r->db, SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK)
        rc = sqlite_run(r->db, "PRAGMA query_only = ON");
    if (rc == SQLITE_OK)
        rc = sqlite_scan_open(r);
    return rc == SQLITE_OK ? symbol_reader_open(&r->symbols, r->db) : rc;
}

static void close_reader(struct reader *r)
{
    symbol_reader_close(&r->symbols);
    sqlite_scan_close(r);
    sqlite3_close(r->db);
    r->db = NULL;
}

struct reader *sqlite_take_reader(struct sqlite_store *s, struct err *e)
{
    struct reader *r = NULL;
    pthread_mutex_lock(&s->readers_lock);
    while (!r) {
        for (int i = 0; !r && i < SQLITE_READERS; i++)
            if (!s->readers[i].taken)
                r = &s->readers[i];
        if (!r)
            pthread_cond_wait(&s->reader_free, &s->readers_lock);
    }
    r->taken = true;
    pthread_mutex_unlock(&s->readers_lock);
    int rc = r->db ? SQLITE_OK : open_reader(s, r);
    if (rc == SQLITE_OK)
        rc = sqlite_run(r->db, "BEGIN");
    if (rc == SQLITE_OK)
        return r;
    sqlite_error(s, r->db, rc, "reading the store", e);
    close_reader(r);
    sqlite_put_reader(s, r);
    return NULL;
}

void sqlite_put_reader(struct sqlite_store *s, struct reader *r)
{
    if (r->db) {
        sqlite_run(r->db, "COMMIT");
        symbol_reader_trim(&r->symbols);
    }
    pthread_mutex_lock(&s->readers_lock);
    r->taken = false;
    pthread_cond_signal(&s->reader_free);
    pthread_mutex_unlock(&s->readers_lock);
}

/* ---- opening and closing ---- */

static void sqlite_close(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->has_committer) {
        pthread_mutex_lock(&s->lock);
        s->closing = true;
        pthread_cond_broadcast(&s->work);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->committer, NULL);
    }
    for (int i = 0; i < SQLITE_READERS; i++)
        close_reader(&s->readers[i]);
    sqlite_sweep_stop_locked(s);
    symbol_writer_close(&s->symbols);
    for (int i = 0; i < WRITE_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->readers_lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->settled);
    pthread_cond_destroy(&s->reader_free);
    arena_free(&s->series_arena);
    free(s->pending);
    free(s->series);
    free(s->path);
    free(s);
}

static int sqlite_open(struct store **out, const char *path, const struct store_options *o,
                       struct err *e)
{
    int rc = libsqlite3_load(e);
    if (rc != 0)
        return rc;
    struct sqlite_store *s = calloc(1, sizeof *s);
    pthread_condattr_t monotonic;
    if (!s || !(s->path = strdup(path)))
        return free(s), err_set(e, -ENOMEM, "opening the store: out of memory");
    arena_recycle(RECYCLE_BYTES); /* every append and every question makes some */
    s->base.engine = &store_sqlite;
    s->options = *o;
    s->options.holder = s->holder;
    snprintf(s->holder, sizeof s->holder, "%s", o->holder ? o->holder : "strobe");
    s->lock_fd = -1;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->readers_lock, NULL);
    pthread_cond_init(&s->work, &monotonic);
    pthread_cond_init(&s->settled, NULL);
    pthread_cond_init(&s->reader_free, NULL);
    pthread_condattr_destroy(&monotonic);
    rc = *path ? take_lock(s, e) : err_set(e, -EINVAL, "a store needs a path: sqlite:PATH");
    if (rc == 0)
        rc = open_writer(s, e);
    if (rc == 0 && pthread_create(&s->committer, NULL, sqlite_committer, s) != 0)
        rc = err_set(e, -EAGAIN, "opening the store: no thread could be started");
    if (rc != 0) {
        sqlite_close(&s->base);
        return rc;
    }
    s->has_committer = true;
    *out = &s->base;
    return 0;
}

const struct store_engine store_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .append = sqlite_append,
    .list_series = sqlite_list_series,
    .list_profiles = sqlite_list_profiles,
    .timeline = sqlite_timeline,
    .top = sqlite_top,
    .trend = sqlite_trend,
    .merge = sqlite_merge,
    .delete_range = sqlite_delete,
    .maintain = sqlite_maintain,
    .stats = sqlite_stats,
    .put_run = sqlite_put_run,
    .list_runs = sqlite_list_runs,
    .delete_run = sqlite_delete_run,
    .put_setting = sqlite_put_setting,
    .get_setting = sqlite_get_setting,
};
