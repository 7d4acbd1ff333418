/* SPDX-License-Identifier: MIT
 *
 * Appending, and the group commit. Threads that append hash their profile on their own, then put it
 * into the one open transaction under the lock, and wait. The committer thread ends the transaction
 * as soon as it gets the lock; what came in meanwhile shares its fsync. Nobody is told "stored"
 * before the commit returned, with synchronous=FULL: the log is on the disk by then.
 *
 * When anything fails, all of the transaction is undone, everyone in it hears so, and whatever we
 * remembered of the file is forgotten: a profile is stored whole or not at all. */
#include "store/sqlite_internal.h"
#include "base/sort.h"
#include "store/varint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINGER_NS = 4000000, UPKEEP_S = 10 };

/* ---- the transaction ---- */

int sqlite_begin_locked(struct sqlite_store *s)
{
    if (s->in_transaction)
        return SQLITE_OK;
    int rc = sqlite_run(s->db, "BEGIN IMMEDIATE");
    s->in_transaction = rc == SQLITE_OK;
    return rc;
}

static void settle(struct sqlite_store *s, const struct err *why)
{
    for (uint32_t i = 0; i < s->pending_count; i++) {
        struct pending *p = &s->pending[i];
        if (why)
            s->counters.failed++;
        else if (p->rc == 0)
            s->counters.appended++;
        else
            s->counters.duplicates++;
        p->done(p->arg, why ? why->code : p->rc, &p->id, why);
    }
    s->pending_count = 0;
    pthread_cond_broadcast(&s->settled);
}

void sqlite_rollback_locked(struct sqlite_store *s, const struct err *why)
{
    if (s->in_transaction && !sqlite3_get_autocommit(s->db))
        sqlite_run(s->db, "ROLLBACK");
    s->in_transaction = false;
    sqlite_sweep_stop_locked(s); /* what it had removed may be there again */
    symbol_writer_forget(&s->symbols);
    sqlite_load_series(s, NULL);
    settle(s, why);
}

int sqlite_commit_locked(struct sqlite_store *s, struct err *e)
{
    struct err why = {0};
    if (!s->in_transaction) {
        settle(s, NULL);
        return 0;
    }
    errno = 0;
    int rc = sqlite_run(s->db, "COMMIT");
    if (rc != SQLITE_OK) {
        sqlite_error(s, s->db, rc, "storing", &why);
        sqlite_rollback_locked(s, &why);
        if (e)
            *e = why;
        return why.code;
    }
    s->in_transaction = false;
    s->counters.commits++;
    settle(s, NULL);
    return 0;
}

void *sqlite_committer(void *arg)
{
    struct sqlite_store *s = arg;
    int64_t next_ns = sqlite_now_ns(CLOCK_MONOTONIC) + UPKEEP_S * 1000000000ll;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->closing && !s->pending_count && sqlite_now_ns(CLOCK_MONOTONIC) < next_ns) {
            struct timespec t = {next_ns / 1000000000, next_ns % 1000000000};
            pthread_cond_timedwait(&s->work, &s->lock, &t);
        }
        if (s->pending_count) {
            /* A moment for others to come along; it is small beside the fsync they then share. */
            pthread_mutex_unlock(&s->lock);
            nanosleep(&(struct timespec){.tv_nsec = LINGER_NS}, NULL);
            pthread_mutex_lock(&s->lock);
            sqlite_commit_locked(s, NULL);
        }
        if (s->closing)
            break;
        if (sqlite_now_ns(CLOCK_MONOTONIC) >= next_ns) {
            pthread_mutex_unlock(&s->lock);
            if (!s->options.no_background)
                sqlite_maintain(&s->base, 0, NULL);
            next_ns = sqlite_now_ns(CLOCK_MONOTONIC) + UPKEEP_S * 1000000000ll;
            pthread_mutex_lock(&s->lock);
        }
    }
    sqlite_commit_locked(s, NULL);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- one profile ---- */

struct incoming {
    const struct store_append *a;
    struct content content;
    struct store_profile_id id;
    int64_t series, lost;
    uint32_t schema, header;
    struct buf body, totals, comments;
};

/* "1234 samples, 5 lost, …": what strobe's own profiles say. */
static int64_t lost_in_comments(const struct profile *p)
{
    for (uint32_t i = 0; i < p->comment_count; i++) {
        struct profile_str s = p->strings[p->comments[i]];
        char line[128];
        long long samples, lost;
        snprintf(line, sizeof line, "%.*s", (int)(s.len < 100 ? s.len : 100), s.ptr);
        if (sscanf(line, "%lld samples, %lld lost", &samples, &lost) == 2 && lost >= 0)
            return lost;
    }
    return -1;
}

static void prepare(struct sqlite_store *s, struct incoming *in)
{
    const struct profile *p = in->a->profile;
    content_make(&in->content, p, s->seed);
    buf_init(&in->comments, &in->content.arena);
    buf_init(&in->totals, &in->content.arena);
    buf_init(&in->body, &in->content.arena);
    for (uint32_t i = 0; i < p->comment_count; i++) {
        struct profile_str c = p->strings[p->comments[i]];
        size_t n = strnlen(c.ptr, c.len); /* a NUL would end it */
        if (n)
            buf_append(&in->comments, c.ptr, n);
        buf_putc(&in->comments, 0);
    }
    for (uint32_t t = 0; t < p->sample_type_count; t++)
        varint_put_signed(&in->totals, in->content.totals[t]);
    in->lost = in->a->lost_samples >= 0 ? in->a->lost_samples : lost_in_comments(p);
    in->id.content = (uint32_t)in->content.hash;
    in->id.time_ns = in->a->time_ns ? in->a->time_ns : p->time_nanos;
    if (in->id.time_ns == 0)
        in->id.time_ns = sqlite_now_ns(CLOCK_REALTIME);
}

static int64_t slot_of(int64_t time_ns)
{
    int64_t slot = time_ns / SQLITE_SLOT_NS;
    return slot - (time_ns % SQLITE_SLOT_NS < 0);
}

/* Whether the series may have a profile of this time: usually time goes on, and nothing needs to be
 * looked for. */
static bool may_be_there(struct sqlite_store *s, struct series *one, int64_t time_ns)
{
    if (!one->newest_known) {
        sqlite3_stmt *st = s->statements[WRITE_NEWEST];
        sqlite3_bind_int64(st, 1, one->id);
        int rc = sqlite3_step(st);
        bool none = rc == SQLITE_ROW && sqlite3_column_type(st, 0) == SQLITE_NULL;
        one->newest_ns = none ? INT64_MIN : sqlite3_column_int64(st, 0);
        one->newest_known = rc == SQLITE_ROW;
        sqlite3_reset(st);
    }
    return !one->newest_known || time_ns <= one->newest_ns;
}

/* 1: the same profile is there. */
static int look_for(struct sqlite_store *s, const struct incoming *in, struct arena *a)
{
    sqlite3_stmt *st = s->statements[WRITE_FIND_PROFILE];
    int there = 0;
    sqlite3_bind_int64(st, 1, in->series);
    sqlite3_bind_int64(st, 2, in->id.time_ns);
    while (!there && sqlite3_step(st) == SQLITE_ROW)
        there = (uint32_t)sqlite3_column_int64(st, 0) == in->id.content;
    sqlite3_reset(st);
    st = s->statements[WRITE_FIND_BLOCKS];
    sqlite3_bind_int64(st, 1, in->series);
    sqlite3_bind_int64(st, 2, slot_of(in->id.time_ns));
    sqlite3_bind_int64(st, 3, in->id.time_ns);
    while (!there && sqlite3_step(st) == SQLITE_ROW) {
        struct block b = {0};
        const void *meta = sqlite3_column_blob(st, 0);
        block_read_meta(&b, meta, (size_t)sqlite3_column_bytes(st, 0), a);
        for (uint32_t i = 0; !there && i < b.profile_count; i++)
            there =
                b.profiles[i].time_ns == in->id.time_ns && b.profiles[i].content == in->id.content;
    }
    sqlite3_reset(st);
    return there;
}

static int compare_keys(const void *a, const void *b)
{
    const struct block_key *x = a, *y = b;
    if (x->stack != y->stack)
        return x->stack < y->stack ? -1 : 1;
    return (x->labels > y->labels) - (x->labels < y->labels);
}

/* Keys of all samples, then both sorted by key: their place is carried along behind the key. */
static int put_samples(struct sqlite_store *s, struct incoming *in)
{
    struct content *c = &in->content;
    uint32_t types = c->p->sample_type_count, n = c->sample_count;
    struct {
        struct block_key key;
        uint32_t values;
    } *list = arena_array(&c->arena, n, sizeof *list);
    struct block_samples out = {.types = types, .count = n};
    int rc = SQLITE_OK;
    for (uint32_t i = 0; rc == SQLITE_OK && i < n; i++) {
        rc = symbol_put_stack(&s->symbols, c, &c->samples[i], &list[i].key);
        list[i].values = c->samples[i].values;
    }
    if (rc != SQLITE_OK)
        return rc;
    if (n)
        sort_list(list, n, sizeof *list, compare_keys);
    out.keys = arena_array(&c->arena, n, sizeof *out.keys);
    out.values = arena_array(&c->arena, n, types * sizeof *out.values);
    for (uint32_t i = 0; i < n; i++) {
        out.keys[i] = list[i].key;
        memcpy(out.values + (size_t)i * types, c->values + list[i].values,
               types * sizeof *out.values);
    }
    block_write_samples(&in->body, &out);
    return SQLITE_OK;
}

static int insert(struct sqlite_store *s, const struct incoming *in)
{
    sqlite3_stmt *st = s->statements[WRITE_PROFILE];
    const int64_t numbers[] = {
        in->series, in->id.time_ns, in->id.content,           in->a->profile->duration_nanos,
        in->schema, in->header,     in->content.sample_count, in->lost};
    for (int i = 0; i < 8; i++)
        sqlite3_bind_int64(st, i + 1, numbers[i]);
    sqlite3_bind_blob64(st, 9, in->totals.data, in->totals.len, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 10, in->comments.len ? in->comments.data : "", in->comments.len,
                        SQLITE_STATIC);
    sqlite3_bind_blob64(st, 11, in->body.data, in->body.len, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Into the open transaction. *there: nothing had to be written. */
static int put(struct sqlite_store *s, struct incoming *in, int *there)
{
    struct series *series;
    int rc = sqlite_begin_locked(s);
    if (rc == SQLITE_OK)
        rc = sqlite_put_series_locked(s, in->a, &series);
    if (rc != SQLITE_OK)
        return rc;
    in->series = series->id;
    in->id.series = series->hash;
    bool is_newest = !may_be_there(s, series, in->id.time_ns);
    *there = !is_newest && look_for(s, in, &in->content.arena);
    if (*there)
        return SQLITE_OK;
    rc = put_samples(s, in);
    if (rc == SQLITE_OK)
        rc = symbol_put_header(&s->symbols, &in->content, &in->schema, &in->header);
    if (rc == SQLITE_OK && is_newest)
        series->newest_ns = in->id.time_ns;
    return rc == SQLITE_OK ? insert(s, in) : rc;
}

static bool has_room(struct sqlite_store *s)
{
    if (s->pending_count < s->pending_cap)
        return true;
    uint32_t cap = s->pending_cap ? s->pending_cap * 2 : 64;
    struct pending *grown = realloc(s->pending, cap * sizeof *grown);
    if (!grown)
        return false;
    s->pending = grown;
    s->pending_cap = cap;
    return true;
}

int sqlite_append(struct store *base, const struct store_append *a, store_done *done, void *arg,
                  struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct incoming in = {.a = a};
    struct err why = {0};
    int there = 0;
    prepare(s, &in);
    pthread_mutex_lock(&s->lock);
    while (s->pending_count >= LIMIT_STORE_QUEUE)
        pthread_cond_wait(&s->settled, &s->lock);
    errno = 0;
    int rc = has_room(s) ? put(s, &in, &there) : SQLITE_NOMEM;
    arena_free(&s->symbols.scratch);
    if (rc == SQLITE_OK) {
        s->pending[s->pending_count++] = (struct pending){done, arg, in.id, there};
        if (s->pending_count == 1)
            pthread_cond_signal(&s->work);
    } else {
        sqlite_error(s, s->db, rc, "storing a profile", &why);
        s->counters.failed++;
        sqlite_rollback_locked(s, &why);
    }
    pthread_mutex_unlock(&s->lock);
    content_free(&in.content);
    if (rc != SQLITE_OK && e)
        *e = why;
    return why.code;
}
