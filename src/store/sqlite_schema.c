/* SPDX-License-Identifier: MIT
 *
 * The tables of the file, their version, and how a file of the version before becomes one of this.
 * docs/store.md says what is in them. A file is brought up to date in one transaction, so that it
 * is either as it was or as it should be. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

enum { APPLICATION_ID = 0x7374726f }; /* "stro" */

/* Profiles of a series stand together: they are read, compacted and deleted together. */
#define PROFILE_TABLE                                                                              \
    "CREATE TABLE profile(series INTEGER NOT NULL, time INTEGER NOT NULL,"                         \
    " content INTEGER NOT NULL, duration INTEGER NOT NULL, schema INTEGER NOT NULL,"               \
    " header INTEGER NOT NULL, samples INTEGER NOT NULL, lost INTEGER NOT NULL,"                   \
    " totals BLOB NOT NULL, comments BLOB NOT NULL, body BLOB NOT NULL,"                           \
    " PRIMARY KEY(series, time, content)) STRICT, WITHOUT ROWID;"
#define PAGE_TABLE "CREATE TABLE symbol_page(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"

static const char schema_sql[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE series(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, kind TEXT NOT NULL,"
    " labels BLOB NOT NULL, types BLOB NOT NULL) STRICT;" PROFILE_TABLE
    "CREATE TABLE block(id INTEGER PRIMARY KEY, series INTEGER NOT NULL, schema INTEGER NOT NULL,"
    " slot INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " profiles INTEGER NOT NULL, samples INTEGER NOT NULL, has_data INTEGER NOT NULL,"
    " sum BLOB NOT NULL, meta BLOB NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE INDEX block_series ON block(series, slot, first, last, profiles, samples, has_data);"
    "CREATE TABLE run(id TEXT PRIMARY KEY, program TEXT NOT NULL, input TEXT NOT NULL,"
    " kind TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,"
    " metrics TEXT NOT NULL, profiles TEXT NOT NULL) STRICT;"
    "CREATE INDEX run_started ON run(started);"
    "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;" PAGE_TABLE;

/* %1$s is the table: bodies by number, and numbers by hash. */
static const char symbol_sql[] = "CREATE TABLE %1$s(id INTEGER PRIMARY KEY, body BLOB NOT NULL)"
                                 " STRICT;"
                                 "CREATE TABLE %1$s_hash(hash INTEGER PRIMARY KEY,"
                                 " id INTEGER NOT NULL) STRICT;";

static int run_for_symbols(sqlite3 *db, const char *format)
{
    char sql[1024];
    int rc = SQLITE_OK;
    for (int t = 0; rc == SQLITE_OK && t < SYMBOL_TABLES; t++) {
        snprintf(sql, sizeof sql, format, symbol_names[t]);
        rc = sqlite_run(db, sql);
    }
    return rc;
}

static int set_version(sqlite3 *db)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", SQLITE_SCHEMA_VERSION);
    return sqlite_run(db, sql);
}

static int make(sqlite3 *db)
{
    char sql[256];
    uint64_t seed = 0;
    int rc = sqlite_run(db, schema_sql);
    if (rc == SQLITE_OK)
        rc = run_for_symbols(db, symbol_sql);
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)sqlite_now_ns(CLOCK_REALTIME);
    snprintf(sql, sizeof sql,
             "INSERT INTO meta VALUES('seed', %" PRId64 "); PRAGMA application_id = %d",
             (int64_t)seed, APPLICATION_ID);
    return rc == SQLITE_OK ? sqlite_run(db, sql) : rc;
}

/* Version 1 had a row number for profiles, the hash beside each symbol and an index on it. Its
 * blocks are read as they are (has_data says which layout their data section has). */
static int update_from_1(sqlite3 *db)
{
    static const char columns[] =
        "series, time, content, duration, schema, header, samples, lost, totals, comments, body";
    char sql[1024];
    snprintf(sql, sizeof sql,
             "DROP INDEX profile_series; ALTER TABLE profile RENAME TO profile_1;" PROFILE_TABLE
             "INSERT OR IGNORE INTO profile(%s) SELECT %s FROM profile_1 ORDER BY series, time;"
             "DROP TABLE profile_1;" PAGE_TABLE,
             columns, columns);
    int rc = sqlite_run(db, sql);
    if (rc == SQLITE_OK)
        rc = run_for_symbols(db, "DROP INDEX %1$s_hash; ALTER TABLE %1$s RENAME TO %1$s_1");
    if (rc == SQLITE_OK)
        rc = run_for_symbols(db, symbol_sql);
    if (rc == SQLITE_OK)
        rc = run_for_symbols(
            db, "INSERT INTO %1$s(id, body) SELECT id, body FROM %1$s_1 ORDER BY id;"
                "INSERT INTO %1$s_hash(hash, id) SELECT hash, id FROM %1$s_1 ORDER BY hash;"
                "DROP TABLE %1$s_1");
    return rc;
}

static int make_or_update(sqlite3 *db, int64_t version, bool empty)
{
    if (!empty && version == SQLITE_SCHEMA_VERSION)
        return SQLITE_OK;
    int rc = sqlite_run(db, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = empty ? make(db) : update_from_1(db);
    if (rc == SQLITE_OK)
        rc = set_version(db);
    return rc == SQLITE_OK ? sqlite_run(db, "COMMIT") : rc;
}

int sqlite_check_owner(struct sqlite_store *s, int64_t *layout, bool *empty, struct err *e)
{
    int64_t version = 0, application = 0, tables = 0;
    int rc = sqlite_get_number(s->db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = sqlite_get_number(s->db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = sqlite_get_number(s->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return sqlite_error(s, s->db, rc, "opening the store", e);
    if (tables > 0 && application != APPLICATION_ID)
        return err_set(e, -EINVAL, "%s is a database of another program; name another file",
                       s->path);
    if (version > SQLITE_SCHEMA_VERSION)
        return err_set(e, -EPROTONOSUPPORT,
                       "%s was written by a newer strobe (layout %" PRId64 ", this one knows %d); "
                       "use that strobe, or another file",
                       s->path, version, SQLITE_SCHEMA_VERSION);
    if (tables > 0 && version < SQLITE_SCHEMA_VERSION - 1)
        return err_set(e, -EPROTONOSUPPORT,
                       "%s has layout %" PRId64 ", and this strobe knows %d and the one before; "
                       "open it once with the strobe between",
                       s->path, version, SQLITE_SCHEMA_VERSION);
    *layout = version;
    *empty = tables == 0;
    return 0;
}

int sqlite_make_or_update(struct sqlite_store *s, int64_t layout, bool empty, struct err *e)
{
    int rc = make_or_update(s->db, layout, empty);
    if (rc == SQLITE_OK)
        rc = sqlite_get_number(s->db, "SELECT value FROM meta WHERE key = 'seed'",
                               (int64_t *)&s->seed);
    int64_t garbage = 0;
    if (rc == SQLITE_OK)
        rc = sqlite_get_number(
            s->db, "SELECT coalesce((SELECT value FROM meta WHERE key = 'garbage'), 0)", &garbage);
    s->garbage = garbage > 0 ? (uint64_t)garbage : 0;
    return rc == SQLITE_OK ? 0 : sqlite_error(s, s->db, rc, "opening the store", e);
}
