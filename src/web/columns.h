/* SPDX-License-Identifier: MIT
 *
 * The body of a profile as the page reads it: names and facts as JSON, numbers as raw columns which
 * a browser views as typed arrays without parsing. Web format "strobe columns 1":
 *
 *   bytes 0..7   "strobeC1"
 *   bytes 8..11  length of the JSON, little endian, padding included
 *   bytes 12..15 0
 *   the JSON     padded with blanks to a multiple of 8
 *   the columns  each little endian at a multiple of 8 bytes from the end of the JSON
 *
 * JSON, beside the facts (see body.h): "columns": [{"name", "type": "i32" | "f64", "offset",
 * "count"}]. An f64 column holds integers, exact up to 2^53. For a tree of a million nodes this is
 * 16 MB and a few milliseconds to read, where nested JSON is 47 MB and 1.5 s. */
#ifndef WEB_COLUMNS_H
#define WEB_COLUMNS_H

#include "web/json.h"

#define COLUMNS_TYPE "application/vnd.strobe.columns"

enum column_type { COLUMN_I32, COLUMN_F64 };

struct column {
    const char *name;
    enum column_type type;
    uint32_t count;
    void *data; /* int32_t or double, in the arena of columns_init */
};

enum { COLUMNS_MAX = 24 };

struct columns {
    struct arena *arena;
    struct column column[COLUMNS_MAX];
    uint32_t count;
};

void columns_init(struct columns *c, struct arena *arena);
/* Adds a column of `count` values and returns it for the caller to fill. */
int32_t *columns_i32(struct columns *c, const char *name, uint32_t count);
double *columns_f64(struct columns *c, const char *name, uint32_t count);

/* Writes the key "columns" into the open object of `j`. */
void columns_describe(const struct columns *c, struct json *j);
/* Appends the whole body to `out`: the JSON in `json`, then the columns. */
void columns_write(const struct columns *c, const struct buf *json, struct buf *out);

#endif
