/* SPDX-License-Identifier: MIT
 *
 * A growing byte buffer on an arena: what encoders and report writers append to. Errors are sticky:
 * after a failed growth (nullable arenas only) every append does nothing and `failed` stays 1, so a
 * writer checks once at its end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* not NUL-terminated; owned by the arena */
    size_t len; /* <= cap */
    size_t cap;
    int failed;
    struct arena *arena;
};

void buf_init(struct buf *b, struct arena *arena);
/* Makes room for `n` more bytes and returns where they go (len is not moved), or NULL if failed. */
char *buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends a NUL that is not counted in len, and returns data ("" if failed). */
const char *buf_cstr(struct buf *b);

#endif
