/* SPDX-License-Identifier: MIT
 *
 * Symbols by the thousand. A new symbol is a row; once a thousand numbers have been given out their
 * rows become one packed page, which zstd makes half as large, and which a question needs as a
 * whole anyway: what came in together is asked for together. */
#include "store/seal.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <stdio.h>

void symbol_page_write(struct buf *out, const struct symbol_body *bodies)
{
    struct buf raw;
    uint32_t count = 0, last = 0;
    buf_init(&raw, out->arena);
    for (uint32_t i = 0; i < SYMBOL_PAGE; i++)
        count += bodies[i].ptr != NULL;
    varint_put(&raw, count);
    for (uint32_t i = 0; i < SYMBOL_PAGE; i++) {
        if (!bodies[i].ptr)
            continue;
        varint_put(&raw, i - last);
        varint_put(&raw, bodies[i].len);
        last = i;
    }
    for (uint32_t i = 0; i < SYMBOL_PAGE; i++)
        if (bodies[i].ptr && bodies[i].len)
            buf_append(&raw, bodies[i].ptr, bodies[i].len);
    seal_write(out, &raw, true);
}

int symbol_page_read(struct symbol_body *bodies, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    uint32_t place[SYMBOL_PAGE], len[SYMBOL_PAGE];
    int rc = size ? seal_read(&r, p, size, a) : -EBADMSG;
    if (rc != 0)
        return rc;
    uint32_t count = varint_get_below(&r, SYMBOL_PAGE + 1);
    for (uint32_t i = 0, at = 0; i < count; i++) {
        at += varint_get_below(&r, SYMBOL_PAGE);
        place[i] = at;
        len[i] = varint_get_below(&r, UINT32_MAX);
        if (at >= SYMBOL_PAGE)
            return -EBADMSG;
    }
    uint64_t left = (uint64_t)(r.end - r.at);
    /* A plain page lies in SQLite's memory, which does not last. */
    const uint8_t *at = (const uint8_t *)arena_strndup(a, (const char *)r.at, left);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        if (len[i] > left)
            return -EBADMSG;
        if (!bodies[place[i]].ptr)
            bodies[place[i]] = (struct symbol_body){at, len[i]};
        at += len[i];
        left -= len[i];
    }
    return r.failed || left ? -EBADMSG : 0;
}

int64_t symbol_page_row(enum symbol_table t, uint32_t page)
{
    return (int64_t)t << 32 | page;
}

/* ---- writing pages ---- */

int symbol_put_page(struct sqlite_store *s, enum symbol_table t, uint32_t page,
                    const struct symbol_body *bodies)
{
    sqlite3_stmt *st;
    struct arena a;
    struct buf out;
    char sql[128];
    arena_init(&a);
    buf_init(&out, &a);
    symbol_page_write(&out, bodies);
    int rc = sqlite3_prepare_v2(
        s->db, "INSERT OR REPLACE INTO symbol_page(id, body) VALUES(?1, ?2)", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, symbol_page_row(t, page));
        sqlite3_bind_blob64(st, 2, out.data, out.len, SQLITE_STATIC);
        rc = sqlite3_step(st);
        sqlite3_finalize(st);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    arena_free(&a);
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id BETWEEN %lld AND %lld", symbol_names[t],
             (long long)page << SYMBOL_PAGE_SHIFT,
             ((long long)page << SYMBOL_PAGE_SHIFT) + SYMBOL_PAGE - 1);
    return rc == SQLITE_OK ? sqlite_run(s->db, sql) : rc;
}

int sqlite_pack_locked(struct sqlite_store *s, bool *more)
{
    struct symbol_writer *w = &s->symbols;
    *more = false;
    for (int t = 0; t < SYMBOL_TABLES; t++) {
        if ((uint64_t)(w->packed[t] + 1) << SYMBOL_PAGE_SHIFT > w->next[t])
            continue;
        struct symbol_reader r = {0};
        struct symbol_body bodies[SYMBOL_PAGE] = {{0}};
        int rc = symbol_reader_open(&r, s->db);
        if (rc == SQLITE_OK)
            rc = symbol_read_page(&r, t, w->packed[t], bodies);
        if (rc == SQLITE_OK)
            rc = symbol_put_page(s, t, w->packed[t], bodies);
        symbol_reader_close(&r);
        if (rc == SQLITE_OK)
            w->packed[t]++;
        *more = true;
        return rc;
    }
    return SQLITE_OK;
}
