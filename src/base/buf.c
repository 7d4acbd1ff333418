/* SPDX-License-Identifier: MIT
 *
 * The growing buffer of every writer. It doubles inside its arena; the copies it leaves behind are
 * at most as large as itself and go with the arena. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, struct arena *arena)
{
    *b = (struct buf){.arena = arena};
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->cap - b->len) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap - b->len < n && cap <= SIZE_MAX / 2)
            cap *= 2;
        /* A size that no doubling reaches is asked of the arena as it is, which refuses it. */
        if (cap - b->len < n)
            cap = SIZE_MAX;
        char *data = arena_grow(b->arena, b->data, b->cap, cap);
        if (!data) {
            b->failed = 1;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    char *at = buf_reserve(b, n);
    if (!at || !n)
        return;
    memcpy(at, p, n);
    b->len += n;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *at = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (at) {
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

const char *buf_cstr(struct buf *b)
{
    char *at = buf_reserve(b, 1);
    if (!at)
        return "";
    *at = 0;
    return b->data;
}
