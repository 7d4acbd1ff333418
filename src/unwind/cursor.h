/* SPDX-License-Identifier: MIT
 *
 * Bounded reading of DWARF data. Errors are sticky: a read past the end sets `bad`, yields 0 and
 * moves to the end, so that callers check once. */
#ifndef UNWIND_CURSOR_H
#define UNWIND_CURSOR_H

#include "unwind/rawmem.h"

#include <stdint.h>

struct cursor {
    const uint8_t *at, *end; /* at <= end */
    int bad;
};

static inline int cursor_has(struct cursor *c, uint64_t n)
{
    if (likely((uint64_t)(c->end - c->at) >= n))
        return 1;
    c->bad = 1;
    c->at = c->end;
    return 0;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    return cursor_has(c, 1) ? *c->at++ : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
    if (!cursor_has(c, 2))
        return 0;
    c->at += 2;
    return *(const raw_u16 *)(c->at - 2);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    if (!cursor_has(c, 4))
        return 0;
    c->at += 4;
    return *(const raw_u32 *)(c->at - 4);
}

static inline uint64_t cursor_u64(struct cursor *c)
{
    if (!cursor_has(c, 8))
        return 0;
    c->at += 8;
    return *(const raw_u64 *)(c->at - 8);
}

/* Bits beyond the 64th are dropped; more than ten bytes of continuation are an error. */
static inline uint64_t cursor_uleb(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t b = cursor_u8(c);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    c->bad = 1;
    return 0;
}

static inline int64_t cursor_sleb(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70;) {
        uint8_t b = cursor_u8(c);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
        if (!(b & 0x80)) {
            if ((b & 0x40) && shift < 64)
                v |= ~0ull << shift;
            return (int64_t)v;
        }
    }
    c->bad = 1;
    return 0;
}

static inline void cursor_skip(struct cursor *c, uint64_t n)
{
    if (cursor_has(c, n))
        c->at += n;
}

#endif
