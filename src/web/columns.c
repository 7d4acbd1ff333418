/* SPDX-License-Identifier: MIT
 *
 * Lays out the binary body of a profile. The columns are filled by their owner in the machine's own
 * byte order and written as little endian, which is what typed arrays are on every browser. */
#include "web/columns.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t width(const struct column *c)
{
    return c->type == COLUMN_I32 ? 4 : 8;
}

void columns_init(struct columns *c, struct arena *arena)
{
    *c = (struct columns){.arena = arena};
}

static void *add_column(struct columns *c, const char *name, enum column_type type, uint32_t count)
{
    assert(c->count < COLUMNS_MAX);
    struct column *column = &c->column[c->count++];
    *column = (struct column){.name = name, .type = type, .count = count};
    column->data = arena_array(c->arena, count, width(column));
    return column->data;
}

int32_t *columns_i32(struct columns *c, const char *name, uint32_t count)
{
    return add_column(c, name, COLUMN_I32, count);
}

double *columns_f64(struct columns *c, const char *name, uint32_t count)
{
    return add_column(c, name, COLUMN_F64, count);
}

void columns_describe(const struct columns *c, struct json *j)
{
    size_t offset = 0;
    json_array(j, "columns");
    for (uint32_t i = 0; i < c->count; i++) {
        const struct column *column = &c->column[i];
        json_object(j, NULL);
        json_cstr(j, "name", column->name);
        json_cstr(j, "type", column->type == COLUMN_I32 ? "i32" : "f64");
        json_int(j, "offset", (int64_t)offset);
        json_int(j, "count", column->count);
        json_object_end(j);
        offset += padded(column->count * width(column));
    }
    json_array_end(j);
}

static void append_u32(struct buf *out, uint32_t v)
{
    v = htole32(v);
    buf_append(out, &v, sizeof v);
}

static void append_padding(struct buf *out, size_t len, char pad)
{
    for (size_t n = padded(len); n > len; n--)
        buf_putc(out, pad);
}

static void append_column(struct buf *out, const struct column *c)
{
    size_t bytes = c->count * width(c);
    char *at = buf_reserve(out, bytes);
    if (at && bytes) {
        memcpy(at, c->data, bytes);
#if __BYTE_ORDER == __BIG_ENDIAN
        for (size_t i = 0; i < bytes; i += width(c))
            for (size_t k = 0; k < width(c); k++)
                at[i + k] = ((const char *)c->data)[i + width(c) - 1 - k];
#endif
        out->len += bytes;
    }
    append_padding(out, bytes, 0);
}

void columns_write(const struct columns *c, const struct buf *json, struct buf *out)
{
    size_t size = 16 + padded(json->len);
    for (uint32_t i = 0; i < c->count; i++)
        size += padded(c->column[i].count * width(&c->column[i]));
    buf_reserve(out, size);
    buf_append(out, "strobeC1", 8);
    append_u32(out, (uint32_t)padded(json->len));
    append_u32(out, 0);
    buf_append(out, json->data, json->len);
    append_padding(out, json->len, ' ');
    for (uint32_t i = 0; i < c->count; i++)
        append_column(out, &c->column[i]);
}
