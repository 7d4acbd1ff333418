/* SPDX-License-Identifier: MIT
 *
 * The numbers of stored blobs: LEB128, signed ones zigzag'ed. A reader fails once and for all when
 * it runs out of bytes, so that a decoder may ask at its end. */
#ifndef STORE_VARINT_H
#define STORE_VARINT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct varint_reader {
    const uint8_t *at, *end;
    bool failed;
};

static inline uint64_t varint_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t varint_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static inline void varint_put(struct buf *out, uint64_t v)
{
    uint8_t *p = (uint8_t *)buf_reserve(out, 10);
    size_t n = 0;
    if (!p)
        return;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    out->len += n;
}

static inline void varint_put_signed(struct buf *out, int64_t v)
{
    varint_put(out, varint_zigzag(v));
}

/* For what has more than two bytes, or too few. */
static inline uint64_t varint_get_long(struct varint_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t b = *r->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    r->failed = true;
    r->at = r->end;
    return 0;
}

static inline uint64_t varint_get(struct varint_reader *r)
{
    const uint8_t *p = r->at;
    if (r->end - p >= 2) { /* nearly all are short */
        if (p[0] < 0x80) {
            r->at = p + 1;
            return p[0];
        }
        if (p[1] < 0x80) {
            r->at = p + 2;
            return (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
        }
    }
    return varint_get_long(r);
}

static inline int64_t varint_get_signed(struct varint_reader *r)
{
    return varint_unzigzag(varint_get(r));
}

/* A number that must be below `limit`. */
static inline uint32_t varint_get_below(struct varint_reader *r, uint64_t limit)
{
    uint64_t v = varint_get(r);
    if (v >= limit || v > UINT32_MAX) {
        r->failed = true;
        r->at = r->end;
        return 0;
    }
    return (uint32_t)v;
}

/* A count of things that take at least one byte each, so that no table is larger than its input. */
static inline uint32_t varint_get_count(struct varint_reader *r)
{
    uint64_t left = (uint64_t)(r->end - r->at);
    return varint_get_below(r, left + 1);
}

static inline const char *varint_get_bytes(struct varint_reader *r, uint64_t n)
{
    const uint8_t *p = r->at;
    if (n > (uint64_t)(r->end - r->at)) {
        r->failed = true;
        r->at = r->end;
        return "";
    }
    r->at += n;
    return (const char *)p;
}

#endif
