/* SPDX-License-Identifier: MIT
 *
 * Walking over a series' profiles: the one place that knows they are partly fresh rows and partly
 * blocks. A block that lies in the range as a whole is given out by its sum, one that the range
 * cuts, profile by profile; one that was downsampled has only its sum, and is taken whole when the
 * range holds at least half of its profiles. What cannot be read is counted and passed over. */
#include "store/sqlite_internal.h"
#include "store/varint.h"

#include <inttypes.h>
#include <string.h>

struct row { /* of a block */
    int64_t id, slot, first_ns, last_ns;
    uint32_t schema;
    int layout; /* of the data section; 0: there is none */
};

static int64_t slot_of(int64_t time_ns)
{
    int64_t slot = time_ns / SQLITE_SLOT_NS;
    return slot - (time_ns % SQLITE_SLOT_NS < 0);
}

static void damaged(struct scan *sc, const char *what, int64_t id)
{
    sc->damaged++;
    sqlite_damaged(sc->store, "%s %" PRId64 " of series %016" PRIx64 " in %s cannot be read", what,
                   id, sc->series->hash, sc->store->path);
}

/* An error in the middle of a walk: damage is passed over, all else ends it. */
static int ended(struct scan *sc, int rc, const char *what)
{
    int primary = rc & 0xff;
    if (rc == SQLITE_DONE || rc == SQLITE_ROW)
        return SQLITE_OK;
    if (primary != SQLITE_CORRUPT && primary != SQLITE_IOERR && primary != SQLITE_NOTADB)
        return rc;
    damaged(sc, what, -1);
    return SQLITE_OK;
}

static size_t bytes_of(sqlite3_stmt *st, int column)
{
    return (size_t)sqlite3_column_bytes(st, column);
}

/* ---- blocks ---- */

/* Layout, sum, meta and data from `column` on. */
int sqlite_read_block(struct block *b, sqlite3_stmt *st, int column, bool *has_data,
                      struct arena *a)
{
    struct block_summary summary;
    int layout = sqlite3_column_int(st, column++);
    const void *p = sqlite3_column_blob(st, column);
    int rc = block_read_sum(&b->sum, &summary, p, bytes_of(st, column), a);
    p = sqlite3_column_blob(st, column + 1);
    if (rc == 0)
        rc = block_read_meta(b, p, bytes_of(st, column + 1), a);
    if (rc == 0 && b->types != b->sum.types)
        rc = -1;
    p = sqlite3_column_blob(st, column + 2);
    *has_data = layout > 0;
    if (rc == 0 && *has_data)
        rc = (layout == 1 ? block_read_data_1 : block_read_data)(b, p, bytes_of(st, column + 2), a);
    return rc;
}

static bool in_range(const struct scan *sc, const struct block_profile *p)
{
    return p->time_ns >= sc->from_ns && p->time_ns < sc->until_ns &&
           (!sc->only || (p->content == sc->only->content && p->time_ns == sc->only->time_ns));
}

static uint32_t count_in_range(const struct scan *sc, const struct block *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->profile_count; i++)
        n += in_range(sc, &b->profiles[i]);
    return n;
}

/* The sum is the first column of `st`, or what follows the layout. */
static bool give_sum(struct scan *sc, const struct row *row, sqlite3_stmt *st, struct arena *a)
{
    int column = sqlite3_column_count(st) > 1;
    struct scan_part part = {.schema = row->schema, .is_sum = true};
    if (block_read_sum(&part.samples, &part.summary, sqlite3_column_blob(st, column),
                       bytes_of(st, column), a) != 0) {
        damaged(sc, "block", row->id);
        return true;
    }
    part.rounded = row->first_ns < sc->from_ns || row->last_ns >= sc->until_ns;
    return sc->each(sc->arg, &part);
}

static bool give_metas(struct scan *sc, const struct row *row, sqlite3_stmt *st, struct arena *a)
{
    struct block b = {0};
    bool more = true;
    if (block_read_meta(&b, sqlite3_column_blob(st, 0), bytes_of(st, 0), a) != 0) {
        damaged(sc, "block", row->id);
        return true;
    }
    for (uint32_t i = 0; more && i < b.profile_count; i++) {
        struct scan_part part = {.schema = row->schema, .profile = &b.profiles[i]};
        part.samples.types = b.types;
        part.rounded = !row->layout;
        if (in_range(sc, part.profile))
            more = sc->each(sc->arg, &part);
    }
    return more;
}

static bool give_profiles(struct scan *sc, const struct row *row, sqlite3_stmt *st, struct arena *a)
{
    struct block b = {0};
    bool has_data, more = true;
    if (sqlite_read_block(&b, st, 0, &has_data, a) != 0) {
        damaged(sc, "block", row->id);
        return true;
    }
    if (!has_data) {
        uint32_t n = count_in_range(sc, &b);
        return n && n * 2ull >= b.profile_count && !sc->only ? give_sum(sc, row, st, a) : true;
    }
    struct block_key *keys = arena_array(a, b.sum.count, sizeof *keys);
    for (uint64_t i = 0, at = 0; more && i < b.profile_count; i++) {
        struct scan_part part = {.schema = row->schema, .profile = &b.profiles[i]};
        uint32_t n = part.profile->sample_count;
        if (in_range(sc, part.profile)) {
            for (uint32_t k = 0; k < n; k++)
                keys[k] = b.sum.keys[b.sample_keys[at + k]];
            part.samples = (struct block_samples){b.types, n, keys, b.values + at * b.types};
            more = sc->each(sc->arg, &part);
        }
        at += n;
    }
    return more;
}

/* Only what is needed of a block's row is read: its sections lie one behind the other. */
static int give_block(struct scan *sc, const struct row *row, struct arena *a, bool *more)
{
    bool whole = row->first_ns >= sc->from_ns && row->last_ns < sc->until_ns;
    bool sum = sc->want_samples && whole && !sc->by_profile && !sc->only;
    sqlite3_stmt *st = sum                ? sc->reader->sum
                       : sc->want_samples ? sc->reader->whole
                                          : sc->reader->meta;
    sqlite3_bind_int64(st, 1, row->id);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *more = (sum ? give_sum : sc->want_samples ? give_profiles : give_metas)(sc, row, st, a);
    sqlite3_reset(st);
    return ended(sc, rc, "block");
}

static int scan_blocks(struct scan *sc, bool *more)
{
    sqlite3_stmt *st = sc->reader->blocks;
    struct arena a;
    int rc = SQLITE_DONE, bad = SQLITE_OK;
    sqlite3_bind_int64(st, 1, sc->series->id);
    sqlite3_bind_int64(st, 2, slot_of(sc->from_ns));
    sqlite3_bind_int64(st, 3, slot_of(sc->until_ns - 1));
    arena_init(&a);
    while (*more && bad == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct row row = {.id = sqlite3_column_int64(st, 0),
                          .slot = sqlite3_column_int64(st, 1),
                          .first_ns = sqlite3_column_int64(st, 2),
                          .last_ns = sqlite3_column_int64(st, 3),
                          .schema = (uint32_t)sqlite3_column_int64(st, 4),
                          .layout = sqlite3_column_int(st, 5)};
        if (row.last_ns < sc->from_ns || row.first_ns >= sc->until_ns)
            continue;
        bad = give_block(sc, &row, &a, more);
        arena_free(&a);
    }
    rc = ended(sc, rc, "blocks");
    sqlite3_reset(st);
    return bad != SQLITE_OK ? bad : rc;
}

/* ---- fresh rows ---- */

static bool read_totals(struct block_profile *p, uint32_t types, sqlite3_stmt *st, struct arena *a)
{
    const uint8_t *at = sqlite3_column_blob(st, 7);
    struct varint_reader r = {.at = at, .end = at + bytes_of(st, 7)};
    p->totals = arena_zarray(a, types, sizeof *p->totals);
    for (uint32_t t = 0; at && t < types; t++)
        p->totals[t] = varint_get_signed(&r);
    return at && !r.failed && r.at == r.end;
}

static bool give_fresh(struct scan *sc, sqlite3_stmt *st, struct arena *a)
{
    struct block_profile p = {.time_ns = sqlite3_column_int64(st, 1),
                              .duration_ns = sqlite3_column_int64(st, 2),
                              .header = (uint32_t)sqlite3_column_int64(st, 4),
                              .sample_count = (uint32_t)sqlite3_column_int64(st, 5),
                              .lost_samples = sqlite3_column_int64(st, 6),
                              .content = (uint32_t)sqlite3_column_int64(st, 9)};
    struct scan_part part = {.schema = (uint32_t)sqlite3_column_int64(st, 3), .profile = &p};
    const char *comments = sqlite3_column_blob(st, 8);
    struct schema schema;
    uint32_t len = (uint32_t)bytes_of(st, 8);
    bool good = symbol_get_schema(&sc->reader->symbols, part.schema, &schema) == 0 &&
                read_totals(&p, schema.types, st, a) && (len == 0 || comments[len - 1] == 0);
    p.comments = (struct block_text){comments, len};
    part.samples.types = schema.types;
    if (good && sc->want_samples)
        good = block_read_samples(&part.samples, sqlite3_column_blob(st, 10), bytes_of(st, 10),
                                  a) == 0 &&
               part.samples.types == schema.types;
    if (!good) {
        damaged(sc, "the profile of time", sqlite3_column_int64(st, 0));
        return true;
    }
    return in_range(sc, &p) ? sc->each(sc->arg, &part) : true;
}

static int scan_fresh(struct scan *sc, bool *more)
{
    sqlite3_stmt *st = sc->reader->fresh;
    struct arena a;
    int rc = SQLITE_DONE;
    sqlite3_bind_int64(st, 1, sc->series->id);
    sqlite3_bind_int64(st, 2, sc->from_ns);
    sqlite3_bind_int64(st, 3, sc->until_ns);
    arena_init(&a);
    while (*more && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        *more = give_fresh(sc, st, &a);
        if (a.mapped_bytes > 1 << 20)
            arena_free(&a);
    }
    arena_free(&a);
    rc = ended(sc, rc, "profiles");
    sqlite3_reset(st);
    return rc;
}

int sqlite_scan_open(struct reader *r)
{
    const struct {
        sqlite3_stmt **st;
        const char *sql;
    } all[] = {
        {&r->blocks, "SELECT id, slot, first, last, schema, has_data FROM block"
                     " WHERE series = ?1 AND slot BETWEEN ?2 AND ?3 ORDER BY slot"},
        {&r->sum, "SELECT sum FROM block WHERE id = ?1"},
        {&r->meta, "SELECT meta FROM block WHERE id = ?1"},
        {&r->whole, "SELECT has_data, sum, meta, data FROM block WHERE id = ?1"},
        {&r->fresh, "SELECT time, time, duration, schema, header, samples, lost, totals, comments,"
                    " content, body FROM profile WHERE series = ?1 AND time >= ?2 AND time < ?3"
                    " ORDER BY time"},
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof all / sizeof *all; i++)
        rc = sqlite3_prepare_v3(r->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].st, NULL);
    return rc;
}

void sqlite_scan_close(struct reader *r)
{
    sqlite3_stmt **all[] = {&r->blocks, &r->sum, &r->meta, &r->whole, &r->fresh};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
}

int sqlite_scan(struct scan *sc)
{
    bool more = true;
    if (sc->from_ns >= sc->until_ns)
        return SQLITE_OK;
    int rc = scan_blocks(sc, &more);
    return rc == SQLITE_OK && more ? scan_fresh(sc, &more) : rc;
}
