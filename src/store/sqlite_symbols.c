/* SPDX-License-Identifier: MIT
 *
 * Symbols on their way in: what is new of a profile gets a number and a row, once for each content.
 * A stack that is known costs one probe of a table in memory; only a stack never seen makes us look
 * at its locations, a new location at its functions, and so on down to texts. Under the store's
 * lock. */
#include "store/sqlite_internal.h"
#include "store/varint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_MAX = 1 << 23 }; /* remembered of one table; then it starts anew from the file */

const char *const symbol_names[SYMBOL_TABLES] = {"string", "function", "mapping", "location",
                                                 "stack",  "labels",   "schema",  "header"};

/* ---- hash -> id ---- */

static uint32_t ids_find(const struct symbol_ids *t, uint64_t hash)
{
    if (!t->slots)
        return 0;
    uint32_t at = (uint32_t)hash & t->mask;
    for (; t->slots[at].id; at = (at + 1) & t->mask)
        if (t->slots[at].hash == hash)
            return t->slots[at].id;
    return 0;
}

static void ids_forget(struct symbol_ids *t)
{
    free(t->slots);
    *t = (struct symbol_ids){0};
}

static bool ids_grow(struct symbol_ids *t)
{
    struct symbol_ids bigger = {.mask = t->slots ? t->mask * 2 + 1 : 1023};
    bigger.slots = calloc((size_t)bigger.mask + 1, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (uint32_t i = 0; t->slots && i <= t->mask; i++) {
        uint32_t at = (uint32_t)t->slots[i].hash & bigger.mask;
        if (!t->slots[i].id || !t->slots[i].hash)
            continue;
        while (bigger.slots[at].id)
            at = (at + 1) & bigger.mask;
        bigger.slots[at] = t->slots[i];
    }
    bigger.count = t->count;
    free(t->slots);
    *t = bigger;
    return true;
}

static void ids_put(struct symbol_ids *t, uint64_t hash, uint32_t id)
{
    if (t->count >= IDS_MAX)
        ids_forget(t);
    if ((!t->slots || t->count * 2 >= t->mask) && !ids_grow(t))
        return; /* not remembered: the file still knows */
    uint32_t at = (uint32_t)hash & t->mask;
    while (t->slots[at].id)
        at = (at + 1) & t->mask;
    t->slots[at].hash = hash;
    t->slots[at].id = id;
    t->count++;
}

/* ---- one symbol ---- */

/* The number after the largest that was ever packed or is there. */
static int find_next(struct symbol_writer *w, int t)
{
    char sql[160];
    int64_t row = 0, page = -1;
    snprintf(sql, sizeof sql, "SELECT coalesce(max(id), 0) FROM %s", symbol_names[t]);
    int rc = sqlite_get_number(w->db, sql, &row);
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(id), -1) FROM symbol_page WHERE id >= %d * 4294967296"
             " AND id < %d * 4294967296",
             t, t + 1);
    if (rc == SQLITE_OK)
        rc = sqlite_get_number(w->db, sql, &page);
    int64_t packed = page < 0 ? 0 : ((page & UINT32_MAX) + 1) << SYMBOL_PAGE_SHIFT;
    int64_t next = row + 1 > packed ? row + 1 : packed;
    w->packed[t] = (uint32_t)(packed >> SYMBOL_PAGE_SHIFT);
    w->next[t] = next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
    return rc;
}

int symbol_writer_open(struct symbol_writer *w, sqlite3 *db)
{
    char sql[128];
    int rc = SQLITE_OK;
    w->db = db;
    for (int t = 0; rc == SQLITE_OK && t < SYMBOL_TABLES; t++) {
        snprintf(sql, sizeof sql, "SELECT id FROM %s_hash WHERE hash = ?1", symbol_names[t]);
        rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &w->find[t], NULL);
        snprintf(sql, sizeof sql, "INSERT INTO %s(id, body) VALUES(?1, ?2)", symbol_names[t]);
        if (rc == SQLITE_OK)
            rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &w->insert[t], NULL);
        snprintf(sql, sizeof sql, "INSERT INTO %s_hash(hash, id) VALUES(?1, ?2)", symbol_names[t]);
        if (rc == SQLITE_OK)
            rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &w->insert_hash[t],
                                    NULL);
        if (rc == SQLITE_OK)
            rc = find_next(w, t);
    }
    return rc;
}

void symbol_writer_close(struct symbol_writer *w)
{
    for (int t = 0; t < SYMBOL_TABLES; t++) {
        sqlite3_finalize(w->find[t]);
        sqlite3_finalize(w->insert[t]);
        sqlite3_finalize(w->insert_hash[t]);
    }
    symbol_writer_forget(w);
    arena_free(&w->scratch);
}

void symbol_writer_forget(struct symbol_writer *w)
{
    for (int t = 0; t < SYMBOL_TABLES; t++)
        ids_forget(&w->ids[t]);
}

void symbol_writer_forget_one(struct symbol_writer *w, enum symbol_table t, uint64_t hash)
{
    struct symbol_ids *ids = &w->ids[t];
    if (!ids->slots)
        return;
    uint32_t at = (uint32_t)hash & ids->mask;
    for (; ids->slots[at].id; at = (at + 1) & ids->mask)
        if (ids->slots[at].hash == hash)
            ids->slots[at].hash = 0; /* no symbol has this hash; growing drops the place */
}

/* *id is 0 when the symbol has to be inserted. */
static int find(struct symbol_writer *w, enum symbol_table t, uint64_t hash, uint32_t *id)
{
    *id = ids_find(&w->ids[t], hash);
    if (*id) {
        symbol_mark(w, t, *id);
        return SQLITE_OK;
    }
    sqlite3_bind_int64(w->find[t], 1, (int64_t)hash);
    int rc = sqlite3_step(w->find[t]);
    if (rc == SQLITE_ROW) {
        *id = (uint32_t)sqlite3_column_int64(w->find[t], 0);
        ids_put(&w->ids[t], hash, *id);
        symbol_mark(w, t, *id);
    }
    sqlite3_reset(w->find[t]);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int insert(struct symbol_writer *w, enum symbol_table t, uint64_t hash,
                  const struct buf *body, uint32_t *id)
{
    sqlite3_stmt *st = w->insert[t], *numbers = w->insert_hash[t];
    if (w->next[t] == UINT32_MAX)
        return SQLITE_FULL;
    *id = w->next[t]++;
    sqlite3_bind_int64(st, 1, *id);
    sqlite3_bind_blob64(st, 2, body->len ? body->data : "", body->len, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    if (rc != SQLITE_DONE)
        return rc;
    sqlite3_bind_int64(numbers, 1, (int64_t)hash);
    sqlite3_bind_int64(numbers, 2, *id);
    rc = sqlite3_step(numbers);
    sqlite3_reset(numbers);
    if (rc != SQLITE_DONE)
        return rc;
    ids_put(&w->ids[t], hash, *id);
    return SQLITE_OK;
}

/* ---- each table: first what it refers to, then itself ---- */

static int put_string(struct symbol_writer *w, const struct content *c, uint32_t i, uint32_t *id)
{
    struct profile_str s = c->p->strings[i];
    int rc = find(w, SYMBOL_STRING, content_string(c, i), id);
    if (rc != SQLITE_OK || *id)
        return rc;
    struct buf body = {.len = s.len};
    body.data = s.len ? arena_strndup(&w->scratch, s.ptr, s.len) : NULL;
    return insert(w, SYMBOL_STRING, content_string(c, i), &body, id);
}

static int put_function(struct symbol_writer *w, const struct content *c, uint32_t i, uint32_t *id)
{
    const struct profile_function *f = &c->p->functions[i];
    uint32_t name, system_name, file;
    struct buf body;
    int rc = find(w, SYMBOL_FUNCTION, c->functions[i], id);
    if (rc != SQLITE_OK || *id)
        return rc;
    rc = put_string(w, c, f->name, &name);
    if (rc == SQLITE_OK)
        rc = put_string(w, c, f->system_name, &system_name);
    if (rc == SQLITE_OK)
        rc = put_string(w, c, f->file, &file);
    if (rc != SQLITE_OK)
        return rc;
    buf_init(&body, &w->scratch);
    varint_put(&body, name);
    varint_put(&body, system_name);
    varint_put(&body, file);
    varint_put_signed(&body, f->start_line);
    return insert(w, SYMBOL_FUNCTION, c->functions[i], &body, id);
}

static int put_mapping(struct symbol_writer *w, const struct content *c, uint32_t i, uint32_t *id)
{
    const struct profile_mapping *m = &c->p->mappings[i];
    uint32_t file, build_id;
    struct buf body;
    int rc = find(w, SYMBOL_MAPPING, c->mappings[i], id);
    if (rc != SQLITE_OK || *id)
        return rc;
    rc = put_string(w, c, m->file, &file);
    if (rc == SQLITE_OK)
        rc = put_string(w, c, m->build_id, &build_id);
    if (rc != SQLITE_OK)
        return rc;
    buf_init(&body, &w->scratch);
    varint_put(&body, m->limit - m->start);
    varint_put(&body, m->offset);
    varint_put(&body, file);
    varint_put(&body, build_id);
    varint_put(&body, (uint64_t)m->has_functions | (uint64_t)m->has_filenames << 1 |
                          (uint64_t)m->has_line_numbers << 2 | (uint64_t)m->has_inline_frames << 3);
    return insert(w, SYMBOL_MAPPING, c->mappings[i], &body, id);
}

static int put_location(struct symbol_writer *w, const struct content *c, uint32_t i, uint32_t *id)
{
    const struct profile *p = c->p;
    const struct profile_location *l = &p->locations[i];
    bool mapped = l->mapping != PROFILE_NONE;
    uint32_t mapping = 0;
    struct buf body;
    int rc = find(w, SYMBOL_LOCATION, c->locations[i], id);
    if (rc != SQLITE_OK || *id)
        return rc;
    if (mapped)
        rc = put_mapping(w, c, l->mapping, &mapping);
    buf_init(&body, &w->scratch);
    varint_put(&body, mapping);
    varint_put(&body, l->address - (mapped ? p->mappings[l->mapping].start : 0));
    varint_put(&body, (uint64_t)l->line_count << 1 | l->is_folded);
    for (uint32_t k = 0; rc == SQLITE_OK && k < l->line_count; k++) {
        const struct profile_line *line = &p->lines[l->line_first + k];
        uint32_t function = 0;
        rc = put_function(w, c, line->function, &function);
        varint_put(&body, function);
        varint_put_signed(&body, line->line);
        varint_put_signed(&body, line->column);
    }
    return rc == SQLITE_OK ? insert(w, SYMBOL_LOCATION, c->locations[i], &body, id) : rc;
}

static int put_stack(struct symbol_writer *w, const struct content *c,
                     const struct content_sample *s, uint32_t *id)
{
    const struct profile *p = c->p;
    uint32_t last = 0;
    struct buf body;
    int rc = find(w, SYMBOL_STACK, s->stack, id);
    if (rc != SQLITE_OK || *id)
        return rc;
    buf_init(&body, &w->scratch);
    uint64_t first = profile_loc_first(p, s->sample), end = p->sample_loc_end[s->sample];
    for (uint64_t k = first; rc == SQLITE_OK && k < end; k++) {
        uint32_t location = 0;
        rc = put_location(w, c, p->loc_refs[k], &location);
        varint_put_signed(&body, (int64_t)location - last);
        last = location;
    }
    return rc == SQLITE_OK ? insert(w, SYMBOL_STACK, s->stack, &body, id) : rc;
}

static int put_labels(struct symbol_writer *w, const struct content *c,
                      const struct content_sample *s, uint32_t *id)
{
    const struct profile *p = c->p;
    struct buf body;
    int rc = find(w, SYMBOL_LABELS, s->labels, id);
    if (rc != SQLITE_OK || *id)
        return rc;
    buf_init(&body, &w->scratch);
    uint64_t end = p->sample_label_end[s->sample];
    for (uint64_t k = profile_label_first(p, s->sample); rc == SQLITE_OK && k < end; k++) {
        const struct profile_label *l = &p->labels[k];
        uint32_t key = 0, text = 0;
        rc = put_string(w, c, l->key, &key);
        if (rc == SQLITE_OK)
            rc = put_string(w, c, l->str ? l->str : l->num_unit, &text);
        varint_put(&body, key);
        buf_putc(&body, l->str != 0);
        varint_put(&body, text);
        if (!l->str)
            varint_put_signed(&body, l->num);
    }
    return rc == SQLITE_OK ? insert(w, SYMBOL_LABELS, s->labels, &body, id) : rc;
}

int symbol_put_stack(struct symbol_writer *w, const struct content *c,
                     const struct content_sample *s, struct block_key *key)
{
    key->labels = 0;
    int rc = put_stack(w, c, s, &key->stack);
    return rc == SQLITE_OK && s->labels ? put_labels(w, c, s, &key->labels) : rc;
}

/* ---- what many profiles share beside their samples ---- */

static int put_strings(struct symbol_writer *w, const struct content *c, struct buf *body,
                       const uint32_t *strings, uint32_t count)
{
    int rc = SQLITE_OK;
    for (uint32_t i = 0; rc == SQLITE_OK && i < count; i++) {
        uint32_t id = 0;
        rc = put_string(w, c, strings[i], &id);
        varint_put(body, id);
    }
    return rc;
}

/* A blob whose hash is that of its bytes: they name only what has a number already. */
static int put_blob(struct symbol_writer *w, enum symbol_table t, const struct content *c,
                    const struct buf *body, uint32_t *id)
{
    uint64_t hash = content_hash(c->seed, body->data, body->len);
    int rc = find(w, t, hash, id);
    return rc != SQLITE_OK || *id ? rc : insert(w, t, hash, body, id);
}

int symbol_put_header(struct symbol_writer *w, const struct content *c, uint32_t *schema,
                      uint32_t *header)
{
    const struct profile *p = c->p;
    const uint32_t period[] = {p->period_type.type, p->period_type.unit};
    const uint32_t texts[] = {p->default_sample_type, p->drop_frames, p->keep_frames, p->doc_url};
    struct buf body;
    buf_init(&body, &w->scratch);
    varint_put(&body, p->sample_type_count);
    int rc = SQLITE_OK;
    for (uint32_t t = 0; rc == SQLITE_OK && t < p->sample_type_count; t++)
        rc = put_strings(w, c, &body,
                         (uint32_t[]){p->sample_types[t].type, p->sample_types[t].unit}, 2);
    if (rc == SQLITE_OK)
        rc = put_strings(w, c, &body, period, 2);
    if (rc == SQLITE_OK)
        rc = put_blob(w, SYMBOL_SCHEMA, c, &body, schema);
    buf_init(&body, &w->scratch);
    varint_put_signed(&body, p->period);
    if (rc == SQLITE_OK)
        rc = put_strings(w, c, &body, texts, 4);
    varint_put(&body, p->mapping_count);
    for (uint32_t i = 0; rc == SQLITE_OK && i < p->mapping_count; i++) {
        uint32_t id = 0;
        rc = put_mapping(w, c, i, &id);
        varint_put(&body, id);
        varint_put(&body, p->mappings[i].start);
    }
    return rc == SQLITE_OK ? put_blob(w, SYMBOL_HEADER, c, &body, header) : rc;
}
