/* SPDX-License-Identifier: MIT
 *
 * Symbols that nothing refers to any more. When enough profiles were deleted, a sweep goes through
 * the file once: it marks what blocks and profiles use, then, from stacks down to texts, removes
 * what has no mark and marks what the rest refers to. It does so in steps of milliseconds between
 * which everything else goes on; what is appended meanwhile marks what it uses (symbol_mark), and
 * what is compacted likewise. A number of a symbol is not given out again while we run.
 *
 * A hash is removed before its body, so that an append either finds both, and its mark keeps them,
 * or neither. A part that cannot be read might use anything: then the sweep is given up. */
#include "store/sqlite_internal.h"
#include "store/varint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_A_STEP = 16, PROFILES_A_STEP = 200, HASHES_A_STEP = 2000, SWEEP_AFTER_S = 6 * 3600 };

enum phase_kind { MARK_BLOCKS, MARK_PROFILES, SWEEP_HASHES, SWEEP_BODIES, MARK_REFERRED };

static const struct phase {
    enum phase_kind kind;
    enum symbol_table table;
} phases[] = {
    {MARK_BLOCKS, 0},
    {MARK_PROFILES, 0},
    {SWEEP_HASHES, SYMBOL_STACK},
    {SWEEP_BODIES, SYMBOL_STACK},
    {SWEEP_HASHES, SYMBOL_LABELS},
    {SWEEP_BODIES, SYMBOL_LABELS},
    {SWEEP_HASHES, SYMBOL_SCHEMA},
    {SWEEP_BODIES, SYMBOL_SCHEMA},
    {SWEEP_HASHES, SYMBOL_HEADER},
    {SWEEP_BODIES, SYMBOL_HEADER},
    {MARK_REFERRED, SYMBOL_STACK},
    {SWEEP_HASHES, SYMBOL_LOCATION},
    {SWEEP_BODIES, SYMBOL_LOCATION},
    {MARK_REFERRED, SYMBOL_LOCATION},
    {MARK_REFERRED, SYMBOL_HEADER},
    {SWEEP_HASHES, SYMBOL_FUNCTION},
    {SWEEP_BODIES, SYMBOL_FUNCTION},
    {SWEEP_HASHES, SYMBOL_MAPPING},
    {SWEEP_BODIES, SYMBOL_MAPPING},
    {MARK_REFERRED, SYMBOL_FUNCTION},
    {MARK_REFERRED, SYMBOL_MAPPING},
    {MARK_REFERRED, SYMBOL_LABELS},
    {MARK_REFERRED, SYMBOL_SCHEMA},
    {SWEEP_HASHES, SYMBOL_STRING},
    {SWEEP_BODIES, SYMBOL_STRING},
};

struct sweep {
    uint32_t phase;
    int64_t at[3]; /* where the phase is: a row's key */
    uint64_t garbage;
    struct symbol_reader reader; /* on the writer's connection */
};

static void mark(struct sqlite_store *s, enum symbol_table t, uint64_t id)
{
    if (id <= UINT32_MAX)
        symbol_mark(&s->symbols, t, (uint32_t)id);
}

static bool is_marked(const struct sqlite_store *s, enum symbol_table t, uint64_t id)
{
    const struct symbol_writer *w = &s->symbols;
    return id >= w->marked[t] || w->marks[t][id >> 3] >> (id & 7) & 1;
}

/* ---- beginning and end ---- */

/* A sixteenth of all, or anything at all once in a while. */
bool sqlite_sweep_is_due_locked(struct sqlite_store *s)
{
    int64_t left = 0;
    if (s->sweep || s->garbage == 0)
        return s->sweep != NULL;
    if (sqlite_now_ns(CLOCK_MONOTONIC) - s->swept_ns > SWEEP_AFTER_S * 1000000000ll)
        return true;
    sqlite_get_number(s->db,
                      "SELECT (SELECT coalesce(sum(profiles), 0) FROM block INDEXED BY"
                      " block_series) + (SELECT count(*) FROM profile)",
                      &left);
    return s->garbage >= (uint64_t)left / 16;
}

void sqlite_sweep_stop_locked(struct sqlite_store *s)
{
    if (!s->sweep)
        return;
    for (int t = 0; t < SYMBOL_TABLES; t++) {
        free(s->symbols.marks[t]);
        s->symbols.marks[t] = NULL;
        s->symbols.marked[t] = 0;
    }
    symbol_reader_close(&s->sweep->reader);
    free(s->sweep);
    s->sweep = NULL;
    s->swept_ns = sqlite_now_ns(CLOCK_MONOTONIC);
}

static void reset_cursor(struct sweep *w)
{
    w->at[0] = w->at[1] = w->at[2] = INT64_MIN;
    if (w->phase < sizeof phases / sizeof *phases &&
        (phases[w->phase].kind == SWEEP_BODIES || phases[w->phase].kind == MARK_REFERRED))
        w->at[0] = 0; /* a page */
}

static int start(struct sqlite_store *s)
{
    struct symbol_writer *w = &s->symbols;
    s->sweep = calloc(1, sizeof *s->sweep);
    if (!s->sweep)
        return SQLITE_NOMEM;
    for (int t = 0; t < SYMBOL_TABLES; t++) {
        w->marks[t] = calloc(w->next[t] / 8 + 1, 1);
        w->marked[t] = w->marks[t] ? w->next[t] : 0; /* without marks all are kept */
    }
    s->sweep->garbage = s->garbage;
    reset_cursor(s->sweep);
    return symbol_reader_open(&s->sweep->reader, s->db);
}

static int end(struct sqlite_store *s)
{
    char sql[128];
    s->garbage -= s->sweep->garbage;
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('garbage', %lld)",
             (long long)s->garbage);
    sqlite_sweep_stop_locked(s);
    return sqlite_run(s->db, sql);
}

/* ---- marking what blocks and profiles use ---- */

static void mark_samples(struct sqlite_store *s, const struct block_samples *samples)
{
    for (uint32_t i = 0; i < samples->count; i++) {
        mark(s, SYMBOL_STACK, samples->keys[i].stack);
        mark(s, SYMBOL_LABELS, samples->keys[i].labels);
    }
}

void sqlite_sweep_block_locked(struct sqlite_store *s, const struct block *b, uint32_t schema)
{
    if (!s->sweep)
        return;
    mark(s, SYMBOL_SCHEMA, schema);
    mark_samples(s, &b->sum);
    for (uint32_t i = 0; i < b->profile_count; i++)
        mark(s, SYMBOL_HEADER, b->profiles[i].header);
}

static int mark_blocks(struct sqlite_store *s, bool *over)
{
    sqlite3_stmt *st;
    struct arena a;
    int count = 0;
    int rc = sqlite3_prepare_v2(s->db,
                                "SELECT id, schema, sum FROM block WHERE id > ?1 ORDER BY id"
                                " LIMIT ?2",
                                -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(st, 1, s->sweep->at[0]);
    sqlite3_bind_int64(st, 2, BLOCKS_A_STEP);
    arena_init(&a);
    for (; (rc = sqlite3_step(st)) == SQLITE_ROW; count++) {
        struct block_samples sum;
        struct block_summary summary;
        s->sweep->at[0] = sqlite3_column_int64(st, 0);
        mark(s, SYMBOL_SCHEMA, (uint64_t)sqlite3_column_int64(st, 1));
        /* Without its sum a block names nothing, so that nothing is kept for its sake. */
        if (block_read_sum(&sum, &summary, sqlite3_column_blob(st, 2),
                           (size_t)sqlite3_column_bytes(st, 2), &a) != 0)
            continue;
        mark_samples(s, &sum);
        for (uint32_t i = 0; i < summary.header_count; i++)
            mark(s, SYMBOL_HEADER, summary.headers[i]);
    }
    arena_free(&a);
    sqlite3_finalize(st);
    *over = count < BLOCKS_A_STEP;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int mark_profiles(struct sqlite_store *s, bool *over)
{
    sqlite3_stmt *st;
    struct arena a;
    int count = 0;
    int rc = sqlite3_prepare_v2(s->db,
                                "SELECT series, time, content, schema, header, body FROM profile"
                                " WHERE (series, time, content) > (?1, ?2, ?3)"
                                " ORDER BY series, time, content LIMIT ?4",
                                -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(st, i + 1, s->sweep->at[i]);
    sqlite3_bind_int64(st, 4, PROFILES_A_STEP);
    arena_init(&a);
    for (; (rc = sqlite3_step(st)) == SQLITE_ROW; count++) {
        struct block_samples samples;
        for (int i = 0; i < 3; i++)
            s->sweep->at[i] = sqlite3_column_int64(st, i);
        mark(s, SYMBOL_SCHEMA, (uint64_t)sqlite3_column_int64(st, 3));
        mark(s, SYMBOL_HEADER, (uint64_t)sqlite3_column_int64(st, 4));
        if (block_read_samples(&samples, sqlite3_column_blob(st, 5),
                               (size_t)sqlite3_column_bytes(st, 5), &a) == 0)
            mark_samples(s, &samples);
    }
    arena_free(&a);
    sqlite3_finalize(st);
    *over = count < PROFILES_A_STEP;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- marking what symbols refer to: the bodies of docs/store.md ---- */

static void mark_next(struct sqlite_store *s, enum symbol_table t, struct varint_reader *v)
{
    mark(s, t, varint_get(v));
}

static void mark_location(struct sqlite_store *s, struct varint_reader *v)
{
    mark_next(s, SYMBOL_MAPPING, v);
    varint_get(v);
    for (uint64_t n = varint_get(v) >> 1; n > 0 && v->at < v->end; n--) {
        mark_next(s, SYMBOL_FUNCTION, v);
        varint_get(v);
        varint_get(v);
    }
}

static void mark_label(struct sqlite_store *s, struct varint_reader *v)
{
    mark_next(s, SYMBOL_STRING, v);
    bool is_text = varint_get(v);
    mark_next(s, SYMBOL_STRING, v);
    if (!is_text)
        varint_get(v);
}

static void mark_header(struct sqlite_store *s, struct varint_reader *v)
{
    varint_get(v);
    for (int i = 0; i < 4; i++)
        mark_next(s, SYMBOL_STRING, v);
    varint_get(v);
    while (v->at < v->end) {
        mark_next(s, SYMBOL_MAPPING, v);
        varint_get(v);
    }
}

static void mark_body(struct sqlite_store *s, enum symbol_table t, struct symbol_body b)
{
    struct varint_reader v = {.at = b.ptr, .end = b.ptr + b.len};
    int64_t location = 0;
    switch (t) {
    case SYMBOL_STACK:
        while (v.at < v.end) {
            location += varint_get_signed(&v);
            mark(s, SYMBOL_LOCATION, (uint64_t)location);
        }
        break;
    case SYMBOL_LOCATION: mark_location(s, &v); break;
    case SYMBOL_FUNCTION:
        for (int i = 0; i < 3; i++)
            mark_next(s, SYMBOL_STRING, &v);
        break;
    case SYMBOL_MAPPING:
        varint_get(&v);
        varint_get(&v);
        mark_next(s, SYMBOL_STRING, &v);
        mark_next(s, SYMBOL_STRING, &v);
        break;
    case SYMBOL_LABELS:
        while (v.at < v.end)
            mark_label(s, &v);
        break;
    case SYMBOL_SCHEMA:
        varint_get(&v);
        while (v.at < v.end)
            mark_next(s, SYMBOL_STRING, &v);
        break;
    case SYMBOL_HEADER: mark_header(s, &v); break;
    default: break;
    }
}

/* ---- pages and hashes ---- */

static int read_page(struct sqlite_store *s, enum symbol_table t, struct symbol_body *bodies)
{
    memset(bodies, 0, SYMBOL_PAGE * sizeof *bodies);
    arena_free(&s->sweep->reader.arena);
    return symbol_read_page(&s->sweep->reader, t, (uint32_t)s->sweep->at[0], bodies);
}

static bool next_page(struct sqlite_store *s, enum symbol_table t)
{
    return (uint64_t)++s->sweep->at[0] << SYMBOL_PAGE_SHIFT >= s->symbols.next[t];
}

static int mark_referred(struct sqlite_store *s, enum symbol_table t, bool *over)
{
    struct symbol_body bodies[SYMBOL_PAGE];
    int rc = read_page(s, t, bodies);
    for (uint32_t i = 0; rc == SQLITE_OK && i < SYMBOL_PAGE; i++)
        if (bodies[i].ptr)
            mark_body(s, t, bodies[i]);
    *over = next_page(s, t);
    return rc;
}

static int delete_row(struct sqlite_store *s, enum symbol_table t, uint64_t id)
{
    char sql[96];
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id = %llu", symbol_names[t],
             (unsigned long long)id);
    return sqlite_run(s->db, sql);
}

static int sweep_bodies(struct sqlite_store *s, enum symbol_table t, bool *over)
{
    struct symbol_body bodies[SYMBOL_PAGE];
    uint32_t page = (uint32_t)s->sweep->at[0], removed = 0;
    bool packed = page < s->symbols.packed[t];
    int rc = read_page(s, t, bodies);
    for (uint32_t i = 0; rc == SQLITE_OK && i < SYMBOL_PAGE; i++) {
        uint64_t id = ((uint64_t)page << SYMBOL_PAGE_SHIFT) + i;
        if (!bodies[i].ptr || is_marked(s, t, id))
            continue;
        removed++;
        bodies[i].ptr = NULL;
        if (!packed)
            rc = delete_row(s, t, id);
    }
    if (rc == SQLITE_OK && packed && removed)
        rc = symbol_put_page(s, t, page, bodies);
    *over = next_page(s, t);
    return rc;
}

static int sweep_hashes(struct sqlite_store *s, enum symbol_table t, bool *over)
{
    sqlite3_stmt *st;
    int64_t *dead = malloc(HASHES_A_STEP * sizeof *dead);
    uint32_t count = 0, dead_count = 0;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT hash, id FROM %s_hash WHERE hash > ?1 ORDER BY hash LIMIT %d",
             symbol_names[t], HASHES_A_STEP);
    int rc = dead ? sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) : SQLITE_NOMEM;
    if (rc != SQLITE_OK)
        return free(dead), rc;
    sqlite3_bind_int64(st, 1, s->sweep->at[0]);
    for (; (rc = sqlite3_step(st)) == SQLITE_ROW; count++) {
        s->sweep->at[0] = sqlite3_column_int64(st, 0);
        if (!is_marked(s, t, (uint64_t)sqlite3_column_int64(st, 1)))
            dead[dead_count++] = s->sweep->at[0];
    }
    sqlite3_finalize(st);
    rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    for (uint32_t i = 0; rc == SQLITE_OK && i < dead_count; i++) {
        snprintf(sql, sizeof sql, "DELETE FROM %s_hash WHERE hash = %lld", symbol_names[t],
                 (long long)dead[i]);
        rc = sqlite_run(s->db, sql);
        symbol_writer_forget_one(&s->symbols, t, (uint64_t)dead[i]);
    }
    free(dead);
    *over = count < HASHES_A_STEP;
    return rc;
}

/* ---- steps ---- */

static int step(struct sqlite_store *s, bool *over)
{
    struct phase p = phases[s->sweep->phase];
    switch (p.kind) {
    case MARK_BLOCKS: return mark_blocks(s, over);
    case MARK_PROFILES: return mark_profiles(s, over);
    case MARK_REFERRED: return mark_referred(s, p.table, over);
    case SWEEP_HASHES: return sweep_hashes(s, p.table, over);
    case SWEEP_BODIES: return sweep_bodies(s, p.table, over);
    }
    return SQLITE_INTERNAL;
}

int sqlite_sweep_step_locked(struct sqlite_store *s, bool *done)
{
    bool over = false;
    int rc = s->sweep ? SQLITE_OK : start(s);
    if (rc == SQLITE_OK)
        rc = step(s, &over);
    if (rc == SQLITE_OK && over) {
        s->sweep->phase++;
        reset_cursor(s->sweep);
    }
    *done = rc != SQLITE_OK || s->sweep->phase == sizeof phases / sizeof *phases;
    if (rc != SQLITE_OK)
        sqlite_sweep_stop_locked(s);
    return rc == SQLITE_OK && *done ? end(s) : rc;
}
