/* SPDX-License-Identifier: MIT
 *
 * What the files of the SQLite engine share, by the file that defines it. docs/store.md has the
 * layout of the file.
 *
 * Threads. One connection writes, under `lock`; the transaction stays open while profiles come in,
 * and the committer thread ends it: that is the group commit. Questions are answered by readers,
 * each a connection with a cache of its own that one thread has at a time; WAL lets them read while
 * we write. The list of series is under `lock`. */
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include "base/limits.h"
#include "base/map.h"
#include "store/block.h"
#include "store/content.h"
#include "store/libsqlite3.h"
#include "store/query.h"
#include "store/store_engine.h"

#include <pthread.h>

enum {
    SQLITE_SCHEMA_VERSION = 2,
    SQLITE_READERS = 4,
    SYMBOL_PAGE_SHIFT = 10,
    SYMBOL_PAGE = 1 << SYMBOL_PAGE_SHIFT,
};
#define SQLITE_SLOT_NS (600ll * 1000000000) /* ten minutes */

enum symbol_table {
    SYMBOL_STRING,
    SYMBOL_FUNCTION,
    SYMBOL_MAPPING,
    SYMBOL_LOCATION,
    SYMBOL_STACK,
    SYMBOL_LABELS,
    SYMBOL_SCHEMA,
    SYMBOL_HEADER,
    SYMBOL_TABLES
};
extern const char *const symbol_names[SYMBOL_TABLES];

/* ---- sqlite_symbols.c: symbols being written ---- */

struct symbol_ids { /* hash -> id; malloc'ed, open addressing, at most half full */
    struct {
        uint64_t hash;
        uint32_t id;
    } * slots;
    uint32_t mask, count;
};

struct symbol_writer {
    sqlite3_stmt *find[SYMBOL_TABLES], *insert[SYMBOL_TABLES], *insert_hash[SYMBOL_TABLES];
    struct symbol_ids ids[SYMBOL_TABLES];
    uint32_t next[SYMBOL_TABLES];   /* the number of the next new one */
    uint32_t packed[SYMBOL_TABLES]; /* pages below this one are packed */
    uint8_t *marks[SYMBOL_TABLES];  /* while unused symbols are looked for: see sqlite_sweep.c */
    uint32_t marked[SYMBOL_TABLES]; /* numbers that have a mark */
    struct arena scratch;
    sqlite3 *db;
};

static inline void symbol_mark(struct symbol_writer *w, int t, uint32_t id)
{
    if (id < w->marked[t])
        w->marks[t][id >> 3] |= (uint8_t)(1u << (id & 7));
}

int symbol_writer_open(struct symbol_writer *w, sqlite3 *db);
void symbol_writer_close(struct symbol_writer *w);
/* After a rollback nothing that was remembered is certain. */
void symbol_writer_forget(struct symbol_writer *w);
/* This one is no longer in the file. */
void symbol_writer_forget_one(struct symbol_writer *w, enum symbol_table t, uint64_t hash);

/* What a profile's row refers to. Ids are > 0; 0 or an SQLite code. */
int symbol_put_stack(struct symbol_writer *w, const struct content *c,
                     const struct content_sample *s, struct block_key *key);
int symbol_put_header(struct symbol_writer *w, const struct content *c, uint32_t *schema,
                      uint32_t *header);

/* ---- sqlite_resolve.c: symbols being read ---- */

struct symbol_body {
    const uint8_t *ptr; /* NULL: there is none of that number */
    uint32_t len;
};

struct symbol_reader {
    sqlite3 *db;
    sqlite3_stmt *range[SYMBOL_TABLES], *packed;
    struct symbol_body **pages[SYMBOL_TABLES];
    uint32_t page_count[SYMBOL_TABLES];
    struct arena arena;
    uint64_t bytes;
};

int symbol_reader_open(struct symbol_reader *r, sqlite3 *db);
void symbol_reader_close(struct symbol_reader *r);
/* Between questions: gives the memory back when it is much. */
void symbol_reader_trim(struct symbol_reader *r);
/* All of one page, in r->arena; what is there already stays. An SQLite code; SQLITE_CORRUPT as well
 * for a packed page that cannot be read. */
int symbol_read_page(struct symbol_reader *r, enum symbol_table t, uint32_t page,
                     struct symbol_body *bodies);
struct symbol_body symbol_get(struct symbol_reader *r, enum symbol_table table, uint32_t id);

struct schema {
    uint32_t types;
    uint32_t type[LIMIT_PROFILE_SAMPLE_TYPES], unit[LIMIT_PROFILE_SAMPLE_TYPES]; /* string ids */
    uint32_t period_type, period_unit;
};
int symbol_get_schema(struct symbol_reader *r, uint32_t id, struct schema *out);
/* The name, NUL-terminated in the arena; "" if it is damaged. */
const char *symbol_get_text(struct symbol_reader *r, uint32_t id, struct arena *a);

/* ---- sqlite_pack.c: a thousand symbols as one row ---- */

/* `bodies` are SYMBOL_PAGE, those that are not there with ptr NULL. */
void symbol_page_write(struct buf *out, const struct symbol_body *bodies);
/* Fills those that are NULL; 0, -EBADMSG or -EFBIG. */
int symbol_page_read(struct symbol_body *bodies, const void *p, size_t size, struct arena *a);
int64_t symbol_page_row(enum symbol_table t, uint32_t page);

/* ---- the engine ---- */

struct series {
    int64_t id; /* row */
    uint64_t hash;
    const char *kind;
    struct store_label *labels; /* by name */
    uint32_t label_count;
    struct store_type types[LIMIT_PROFILE_SAMPLE_TYPES];
    uint32_t type_count, default_type;
    bool gone;
    bool newest_known; /* under the lock, as newest_ns: what is newer cannot be there twice */
    int64_t newest_ns;
};

struct pending { /* an append whose transaction is not yet on disk */
    store_done *done;
    void *arg;
    struct store_profile_id id;
    int rc;
};

struct reader {
    sqlite3 *db;
    sqlite3_stmt *blocks, *sum, *meta, *whole, *fresh; /* sqlite_scan's */
    struct symbol_reader symbols;
    bool taken;
};

enum write_statement {
    WRITE_PROFILE,
    WRITE_FIND_PROFILE,
    WRITE_FIND_BLOCKS,
    WRITE_NEWEST,
    WRITE_SERIES,
    WRITE_SERIES_TYPES,
    WRITE_STATEMENTS
};

struct sqlite_store {
    struct store base;
    char *path;
    struct store_options options;
    char holder[128];
    int lock_fd;
    uint64_t seed;

    pthread_mutex_t lock;         /* all of the below, but for the readers */
    pthread_cond_t work, settled; /* for the committer; for those who wait for a commit */
    sqlite3 *db;
    sqlite3_stmt *statements[WRITE_STATEMENTS];
    struct symbol_writer symbols;
    bool in_transaction, closing;
    struct pending *pending;
    uint32_t pending_count, pending_cap;
    struct series **series;
    uint32_t series_count, series_cap;
    struct map series_by_hash;
    struct arena series_arena;
    struct sweep *sweep;         /* NULL: none is going on */
    uint64_t garbage;            /* profiles deleted since symbols were last swept, as in meta */
    int64_t swept_ns;            /* monotonic */
    struct store_stats counters; /* those "since it was opened" */
    pthread_t committer;
    bool has_committer;

    pthread_mutex_t readers_lock;
    pthread_cond_t reader_free;
    struct reader readers[SQLITE_READERS];
};

static inline struct sqlite_store *sqlite_of(struct store *s)
{
    return (struct sqlite_store *)s;
}

/* ---- sqlite.c ---- */

/* Sets `e` from an SQLite result: what failed on which file, and what to do. */
int sqlite_error(struct sqlite_store *s, sqlite3 *db, int code, const char *what, struct err *e);
int sqlite_run(sqlite3 *db, const char *sql);
int sqlite_get_number(sqlite3 *db, const char *sql, int64_t *out);
/* Counts damage and remembers the sentence; any thread, `lock` not held. */
void sqlite_damaged(struct sqlite_store *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A reader for one question, in a read transaction; waits for a free one. NULL and `e` set if the
 * file cannot be opened. */
struct reader *sqlite_take_reader(struct sqlite_store *s, struct err *e);
void sqlite_put_reader(struct sqlite_store *s, struct reader *r);

int64_t sqlite_now_ns(clockid_t clock);

/* ---- sqlite_schema.c ---- */

/* Whether the file is one that we may write to: of ours, with this layout or the one before, or
 * empty. It only reads. */
int sqlite_check_owner(struct sqlite_store *s, int64_t *layout, bool *empty, struct err *e);
/* Makes the tables of an empty file, or brings an older layout up to date, and reads the settings
 * of the file. */
int sqlite_make_or_update(struct sqlite_store *s, int64_t layout, bool empty, struct err *e);

/* ---- sqlite_write.c; `lock` is held for those named _locked ---- */

int sqlite_append(struct store *s, const struct store_append *a, store_done *done, void *arg,
                  struct err *e);
int sqlite_begin_locked(struct sqlite_store *s);
/* Ends the transaction and tells those who wait. On failure all of it is undone. */
int sqlite_commit_locked(struct sqlite_store *s, struct err *e);
void sqlite_rollback_locked(struct sqlite_store *s, const struct err *why);
void *sqlite_committer(void *arg);

/* ---- sqlite_series.c ---- */

int sqlite_load_series(struct sqlite_store *s, struct err *e);
/* The series of this append, made if new; with all its types. 0 or an SQLite code. */
int sqlite_put_series_locked(struct sqlite_store *s, const struct store_append *a,
                             struct series **out);
/* The series that match, or with ids those that are named by them: pointers that stay valid. */
struct series_set {
    struct series **list;
    uint32_t count;
};
int sqlite_match(struct sqlite_store *s, const struct store_query *q, struct arena *a,
                 struct series_set *out, struct err *e);
struct series *sqlite_series_of(struct sqlite_store *s, uint64_t hash);
/* Which sample type a question is about; PROFILE_NONE if the series has none of that name. */
uint32_t sqlite_type_of(const struct series *s, const char *type);
int sqlite_list_series(struct store *s, const struct store_query *q, struct arena *a,
                       struct store_series_list *out, struct err *e);

/* ---- sqlite_scan.c: the profiles of a series, in order of time slot ---- */

/* A part of a series' profiles: whole blocks by their sum, or profiles one by one. */
struct scan_part {
    uint32_t schema;
    bool is_sum;  /* summary holds; else profile, and fresh samples or block ones */
    bool rounded; /* a downsampled block that the range cuts */
    struct block_summary summary;
    struct block_profile *profile;
    struct block_samples samples; /* of the sum, or of the profile; empty in scans of metas */
};

struct scan {
    struct sqlite_store *store;
    struct reader *reader;
    const struct series *series;
    int64_t from_ns, until_ns;
    bool want_samples; /* else metas: every profile alone, without samples */
    bool by_profile;   /* no sums: every profile alone, with samples; downsampled ones as sums */
    const struct store_profile_id *only;                   /* one profile */
    bool (*each)(void *arg, const struct scan_part *part); /* false: enough */
    void *arg;
    uint64_t damaged;
};

int sqlite_scan_open(struct reader *r);
void sqlite_scan_close(struct reader *r);
/* Calls `each` for what is in the range. Parts live until it returns. 0 or an SQLite code; what is
 * damaged is passed over and counted. */
int sqlite_scan(struct scan *sc);
/* Reads has_data, sum, meta and data of a block's row, from `first_column` on: data is left empty
 * when there is none. */
int sqlite_read_block(struct block *b, sqlite3_stmt *row, int first_column, bool *has_data,
                      struct arena *a);

/* ---- sqlite_list.c, sqlite_top.c, sqlite_merge.c, sqlite_compact.c,
 *      sqlite_upkeep.c, sqlite_runs.c ---- */

int sqlite_list_profiles(struct store *s, const struct store_query *q, uint32_t limit,
                         struct arena *a, struct store_profile_list *out, struct err *e);
int sqlite_timeline(struct store *s, const struct store_query *q,
                    const struct store_timeline_options *o, struct arena *a,
                    struct store_timeline *out, struct err *e);
int sqlite_top(struct store *s, const struct store_query *q, const struct store_top_options *o,
               struct arena *a, struct store_top *out, struct err *e);
int sqlite_trend(struct store *s, const struct store_query *q, const struct store_trend_options *o,
                 struct arena *a, struct store_trend *out, struct err *e);
int sqlite_merge(struct store *s, const struct store_query *q, const struct store_merge_options *o,
                 struct profile *out, struct store_merge_info *info, struct err *e);
int sqlite_delete(struct store *s, const struct store_query *q, uint64_t *deleted, struct err *e);
/* The fresh profiles and blocks of a slot become one block, without those in [drop_from,
 * drop_until). Within the open transaction. */
struct slot_job {
    int64_t series, slot;
    uint32_t schema;
    int64_t drop_from_ns, drop_until_ns;
};
int sqlite_compact_locked(struct sqlite_store *s, const struct slot_job *job, uint64_t *dropped);
/* Deletes the profiles of one series in a range, within the open transaction. */
int sqlite_delete_locked(struct sqlite_store *s, int64_t series, int64_t from_ns, int64_t until_ns,
                         uint64_t *deleted);
/* Writes a page and deletes the rows of its numbers. */
int symbol_put_page(struct sqlite_store *s, enum symbol_table t, uint32_t page,
                    const struct symbol_body *bodies);
/* Packs one page, if one is full; then there may be `more`. */
int sqlite_pack_locked(struct sqlite_store *s, bool *more);
/* sqlite_sweep.c: symbols that nothing uses. One short step within the open transaction; *done when
 * there is no sweep, or it came to its end. */
int sqlite_sweep_step_locked(struct sqlite_store *s, bool *done);
bool sqlite_sweep_is_due_locked(struct sqlite_store *s);
void sqlite_sweep_stop_locked(struct sqlite_store *s);
/* What a new block refers to. */
void sqlite_sweep_block_locked(struct sqlite_store *s, const struct block *b, uint32_t schema);
int sqlite_forget_empty_locked(struct sqlite_store *s);
int sqlite_maintain(struct store *s, int64_t now_ns, struct err *e);
int sqlite_stats(struct store *s, struct store_stats *out, struct err *e);
int sqlite_put_run(struct store *s, const struct store_run *run, struct err *e);
int sqlite_list_runs(struct store *s, const struct store_run_query *q, struct arena *a,
                     struct store_run_list *out, struct err *e);
int sqlite_delete_run(struct store *s, const char *id, struct err *e);
int sqlite_put_setting(struct store *s, const char *key, const char *value, struct err *e);
int sqlite_get_setting(struct store *s, const char *key, struct arena *a, const char **value,
                       struct err *e);

/* ---- sqlite_profile.c: from summed keys to a profile ---- */

struct summed { /* of one schema */
    uint32_t schema;
    struct block_samples samples; /* keys in any order */
    const uint32_t *headers;      /* distinct, in order of time */
    uint32_t header_count;
    const struct block_text *comments;
    uint32_t comment_count;
    int64_t time_ns, duration_ns;
};
/* Fills the empty `out`; what is damaged is left out and counted. `again` is set when pprof's rules
 * may see more things as equal than content does: the caller then merges the result once more. */
int sqlite_make_profile(struct profile *out, struct symbol_reader *r, const struct summed *in,
                        uint64_t *damaged, bool *again);

#endif
