/* SPDX-License-Identifier: MIT
 *
 * Protobuf's wire format, the reading half: varints and fields, with the leniencies of
 * google/pprof's own reader (profile/proto.go): at most ten bytes to a varint, bits beyond 64
 * dropped, any field number. Private to profile/. */
#ifndef PROFILE_WIRE_H
#define PROFILE_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A part of the input that is still to be read. */
struct wire {
    const uint8_t *at, *end;
};

struct wire_field {
    uint64_t number;
    uint32_t type;
    uint64_t value;    /* of a varint or a fixed number */
    struct wire bytes; /* of WIRE_BYTES */
};

/* 0 and moves on, or -1: longer than ten bytes or cut off. */
static inline int wire_varint_slow(struct wire *w, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 10 && w->at + i < w->end; i++) {
        uint8_t b = w->at[i];
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *out = v;
            w->at += i + 1;
            return 0;
        }
    }
    return -1;
}

static inline int wire_varint(struct wire *w, uint64_t *out)
{
    if (w->at < w->end && *w->at < 0x80) {
        *out = *w->at++;
        return 0;
    }
    return wire_varint_slow(w, out);
}

/* Reads one field. NULL, or what is wrong with it (then w is where it started). */
static inline const char *wire_next(struct wire *w, struct wire_field *f)
{
    struct wire at = *w;
    uint64_t key;
    if (wire_varint(&at, &key) != 0)
        return "bad varint";
    f->number = key >> 3;
    f->type = key & 7;
    f->value = 0;
    f->bytes = (struct wire){at.at, at.at};
    switch (f->type) {
    case WIRE_VARINT:
        if (wire_varint(&at, &f->value) != 0)
            return "bad varint";
        break;
    case WIRE_BYTES:
        if (wire_varint(&at, &key) != 0)
            return "bad varint";
        if (key > (uint64_t)(at.end - at.at))
            return "length beyond the end";
        f->bytes = (struct wire){at.at, at.at + key};
        at.at += key;
        break;
    case WIRE_64:
    case WIRE_32: {
        ptrdiff_t n = f->type == WIRE_64 ? 8 : 4;
        if (at.end - at.at < n)
            return "number beyond the end";
        at.at += n; /* no field of a profile has a fixed size: skipped, or refused by its type */
        break;
    }
    default: return "unknown wire type";
    }
    w->at = at.at;
    return NULL;
}

static inline uint64_t wire_load(const uint8_t *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    return v;
}

/* How many varints end in `w`: how many complete ones it holds. */
static inline uint64_t wire_count_varints(struct wire w)
{
    const uint64_t tops = 0x8080808080808080ull, ones = 0x0101010101010101ull;
    uint64_t n = 0;
    for (; w.end - w.at >= 8; w.at += 8) {
        uint64_t v = wire_load(w.at);
        n += (((~v & tops) >> 7) * ones) >> 56;
    }
    for (; w.at < w.end; w.at++)
        n += *w.at < 0x80;
    return n;
}

/* Bit i is set when a varint ends in byte i of the 64 at `p`. The multiplication gathers the top
 * bits of eight bytes in one. */
static inline uint64_t wire_ends(const uint8_t *p)
{
    uint64_t ends = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t tops = (~wire_load(p + 8 * i) & 0x8080808080808080ull) >> 7;
        ends |= (tops * 0x0102040810204080ull >> 56) << (8 * i);
    }
    return ends;
}

/* Reads the varints of `w`, each of at most four bytes, into `out`, and returns their number; -1 if
 * one is longer or cut, or if `w` is within 72 bytes of the end of the input. Where varints end is
 * found for 64 bytes at a time, so that their values do not wait for each other's lengths. */
static inline int64_t wire_small_varints(struct wire w, const uint8_t *input_end, uint32_t *out)
{
    uint32_t *to = out;
    const uint8_t *start = w.at;
    if (input_end - w.end < 72)
        return -1;
    for (const uint8_t *block = w.at; block < w.end; block += 64) {
        uint64_t ends = wire_ends(block);
        if (w.end - block < 64)
            ends &= (1ull << (w.end - block)) - 1;
        for (; ends; ends &= ends - 1) {
            const uint8_t *next = block + __builtin_ctzll(ends) + 1;
            unsigned length = (unsigned)(next - start);
            if (length > 4)
                return -1;
            uint32_t v = (uint32_t)wire_load(start) & UINT32_MAX >> (32 - 8 * length);
            *to++ = (v & 0x7f) | (v >> 1 & 0x3f80) | (v >> 2 & 0x1fc000) | (v >> 3 & 0xfe00000);
            start = next;
        }
    }
    return start == w.end ? to - out : -1;
}

#endif
