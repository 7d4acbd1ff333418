/* SPDX-License-Identifier: MIT
 *
 * Symbols on their way out: the body of a number, by pages of a thousand neighbours, since stacks
 * that are asked for together came in together. Each reader has its own cache, so none needs a
 * lock; it is thrown away between questions when it has become large. */
#include "store/sqlite_internal.h"
#include "store/varint.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_SHIFT = SYMBOL_PAGE_SHIFT, PAGE = SYMBOL_PAGE, CACHE_BYTES = 192 << 20 };

int symbol_reader_open(struct symbol_reader *r, sqlite3 *db)
{
    char sql[128];
    int rc = SQLITE_OK;
    r->db = db;
    for (int t = 0; rc == SQLITE_OK && t < SYMBOL_TABLES; t++) {
        snprintf(sql, sizeof sql, "SELECT id, body FROM %s WHERE id BETWEEN ?1 AND ?2",
                 symbol_names[t]);
        rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &r->range[t], NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(db, "SELECT body FROM symbol_page WHERE id = ?1", -1,
                                SQLITE_PREPARE_PERSISTENT, &r->packed, NULL);
    return rc;
}

static void forget(struct symbol_reader *r)
{
    arena_free(&r->arena);
    memset(r->pages, 0, sizeof r->pages);
    memset(r->page_count, 0, sizeof r->page_count);
    r->bytes = 0;
}

void symbol_reader_close(struct symbol_reader *r)
{
    for (int t = 0; t < SYMBOL_TABLES; t++)
        sqlite3_finalize(r->range[t]);
    sqlite3_finalize(r->packed);
    forget(r);
    *r = (struct symbol_reader){0};
}

void symbol_reader_trim(struct symbol_reader *r)
{
    if (r->arena.mapped_bytes > CACHE_BYTES)
        forget(r);
}

int symbol_read_page(struct symbol_reader *r, enum symbol_table t, uint32_t page,
                     struct symbol_body *bodies)
{
    sqlite3_stmt *st = r->packed;
    int rc, bad = 0;
    sqlite3_bind_int64(st, 1, symbol_page_row(t, page));
    if ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const void *p = sqlite3_column_blob(st, 0);
        bad = symbol_page_read(bodies, p, (size_t)sqlite3_column_bytes(st, 0), &r->arena);
    }
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    st = r->range[t];
    sqlite3_bind_int64(st, 1, (int64_t)page << PAGE_SHIFT);
    sqlite3_bind_int64(st, 2, ((int64_t)page << PAGE_SHIFT) + PAGE - 1);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct symbol_body *b = &bodies[sqlite3_column_int64(st, 0) & (PAGE - 1)];
        const void *p = sqlite3_column_blob(st, 1);
        if (b->ptr)
            continue;
        b->len = (uint32_t)sqlite3_column_bytes(st, 1);
        b->ptr = (const uint8_t *)arena_strndup(&r->arena, p ? p : "", b->len);
    }
    sqlite3_reset(st);
    return bad ? SQLITE_CORRUPT : rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void load_page(struct symbol_reader *r, enum symbol_table t, uint32_t page)
{
    struct symbol_body *bodies = r->pages[t][page];
    if (!bodies)
        bodies = r->pages[t][page] = arena_zarray(&r->arena, PAGE, sizeof *bodies);
    symbol_read_page(r, t, page, bodies); /* what is missing the caller counts as damage */
}

struct symbol_body symbol_get(struct symbol_reader *r, enum symbol_table t, uint32_t id)
{
    uint32_t page = id >> PAGE_SHIFT;
    if (page >= r->page_count[t]) {
        uint32_t count = page + page / 2 + 8;
        r->pages[t] = arena_grow(&r->arena, r->pages[t], r->page_count[t] * sizeof *r->pages[t],
                                 count * sizeof *r->pages[t]);
        memset(r->pages[t] + r->page_count[t], 0, (count - r->page_count[t]) * sizeof *r->pages[t]);
        r->page_count[t] = count;
    }
    if (!r->pages[t][page] || !r->pages[t][page][id & (PAGE - 1)].ptr)
        load_page(r, t, page);
    return r->pages[t][page][id & (PAGE - 1)];
}

int symbol_get_schema(struct symbol_reader *r, uint32_t id, struct schema *out)
{
    struct symbol_body b = symbol_get(r, SYMBOL_SCHEMA, id);
    struct varint_reader v = {.at = b.ptr, .end = b.ptr + b.len};
    if (!b.ptr)
        return -1;
    out->types = varint_get_below(&v, LIMIT_PROFILE_SAMPLE_TYPES + 1);
    for (uint32_t t = 0; t < out->types; t++) {
        out->type[t] = varint_get_below(&v, UINT32_MAX);
        out->unit[t] = varint_get_below(&v, UINT32_MAX);
    }
    out->period_type = varint_get_below(&v, UINT32_MAX);
    out->period_unit = varint_get_below(&v, UINT32_MAX);
    return v.failed || v.at != v.end ? -1 : 0;
}

const char *symbol_get_text(struct symbol_reader *r, uint32_t id, struct arena *a)
{
    struct symbol_body b = symbol_get(r, SYMBOL_STRING, id);
    return b.ptr ? arena_strndup(a, (const char *)b.ptr, b.len) : "";
}
