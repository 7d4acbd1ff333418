/* SPDX-License-Identifier: MIT
 *
 * Buffered output of reports, with the few forms that are written millions of times done without
 * printf. */
#include "report/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void out_init(struct out *o, int fd)
{
    o->fd = fd;
    o->open = NULL;
    o->context = NULL;
    o->text = NULL;
    o->error = 0;
    o->len = 0;
}

void out_init_late(struct out *o, int (*open)(void *context), void *context)
{
    out_init(o, -1);
    o->open = open;
    o->context = context;
}

void out_init_text(struct out *o, struct buf *text)
{
    out_init(o, -1);
    o->text = text;
}

void out_flush(struct out *o)
{
    size_t at = 0;
    if (o->text) {
        buf_append(o->text, o->data, o->len);
        o->len = 0;
        return;
    }
    if (o->fd < 0 && !o->error) {
        o->fd = o->open(o->context);
        o->error = o->fd < 0 ? -o->fd : 0;
    }
    while (at < o->len && !o->error) {
        ssize_t n = write(o->fd, o->data + at, o->len - at);
        if (n >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            o->error = errno;
    }
    o->len = 0;
}

void out_write(struct out *o, const char *s, size_t len)
{
    while (len) {
        size_t room = OUT_SIZE - o->len, n = len < room ? len : room;
        memcpy(o->data + o->len, s, n);
        o->len += n;
        s += n;
        len -= n;
        if (o->len == OUT_SIZE)
            out_flush(o);
    }
}

void out_puts(struct out *o, const char *s)
{
    out_write(o, s, strlen(s));
}

void out_putc(struct out *o, char c)
{
    o->data[o->len++] = c;
    if (o->len == OUT_SIZE)
        out_flush(o);
}

void out_spaces(struct out *o, size_t count)
{
    while (count--)
        out_putc(o, ' ');
}

void out_right(struct out *o, const char *s, size_t len, size_t width)
{
    size_t runes = 0;
    for (size_t i = 0; i < len; i++)
        runes += ((unsigned char)s[i] & 0xc0) != 0x80;
    if (runes < width)
        out_spaces(o, width - runes);
    out_write(o, s, len);
}

static void out_digits(struct out *o, uint64_t v, int negative, size_t width)
{
    char text[24];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    if (negative)
        text[--at] = '-';
    size_t len = sizeof text - at;
    if (len < width)
        out_spaces(o, width - len);
    out_write(o, text + at, len);
}

void out_int(struct out *o, int64_t v, size_t width)
{
    out_digits(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, width);
}

void out_unsigned(struct out *o, uint64_t v, size_t width)
{
    out_digits(o, v, 0, width);
}

void out_hex(struct out *o, uint64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "0x%llx", (unsigned long long)v);
    out_write(o, text, (size_t)n);
}

void out_printf(struct out *o, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    out_write(o, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

int out_finish(struct out *o)
{
    out_flush(o);
    return -o->error;
}
