/* SPDX-License-Identifier: MIT
 *
 * Where a report goes: a descriptor, or memory, behind a buffer. Writing never fails loudly; the
 * first error is kept, later writes do nothing, and out_finish tells. Reports of any size need the
 * same memory, and their first bytes leave when the first buffer is full. */
#ifndef REPORT_OUT_H
#define REPORT_OUT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum { OUT_SIZE = 1 << 16 };

struct out {
    int fd;                     /* -1 until `open` is called */
    int (*open)(void *context); /* a descriptor or a negative errno; NULL when fd is given */
    void *context;
    struct buf *text; /* where it goes instead of a descriptor, or NULL */
    int error;        /* 0 or a positive errno */
    size_t len;
    char data[OUT_SIZE];
};

void out_init(struct out *o, int fd);
/* Opened by the first write that leaves the buffer, so that a report which fails leaves no file. */
void out_init_late(struct out *o, int (*open)(void *context), void *context);
/* Into memory: `text` has all of it after out_finish. */
void out_init_text(struct out *o, struct buf *text);
void out_write(struct out *o, const char *s, size_t len);
void out_puts(struct out *o, const char *s);
void out_flush(struct out *o);

/* Room for `n` bytes, fewer than OUT_SIZE, which the caller fills, at least in part, and then
 * takes: for loops over millions of short pieces, which are copied in one size, the largest. */
static inline char *out_room(struct out *o, size_t n)
{
    if (OUT_SIZE - o->len <= n)
        out_flush(o);
    return o->data + o->len;
}

static inline void out_take(struct out *o, size_t n)
{
    o->len += n;
}

void out_putc(struct out *o, char c);
void out_spaces(struct out *o, size_t count);
/* At the right of a field of `width` characters (runes, as Go counts), as Go's %10s. */
void out_right(struct out *o, const char *s, size_t len, size_t width);
void out_int(struct out *o, int64_t v, size_t width);
void out_unsigned(struct out *o, uint64_t v, size_t width);
void out_hex(struct out *o, uint64_t v); /* 0x and lower case digits, 0x0 for 0 */
void out_printf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes what is left. 0 or a negative errno: of this or any earlier write. */
int out_finish(struct out *o);

#endif
