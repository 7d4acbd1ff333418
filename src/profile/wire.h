/* SPDX-License-Identifier: MIT
 *
 * Protobuf's wire format, the reading half: varints and fields, with the leniencies of
 * google/pprof's own reader (profile/proto.go): at most ten bytes to a varint, bits beyond 64
 * dropped, any field number. Private to profile/. */
#ifndef PROFILE_WIRE_H
#define PROFILE_WIRE_H

#include <stdbool.h>
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

/* The usual field of bytes: whether `key` (its number and type, one byte) is next, with a length of
 * one or two bytes; then it is read. Otherwise wire_next has to look. */
static inline bool wire_next_bytes(struct wire *w, uint8_t key, struct wire *bytes)
{
    const uint8_t *at = w->at;
    if (w->end - at < 3 || at[0] != key)
        return false;
    uint32_t head = 2, size = at[1];
    if (size >= 0x80) {
        if (at[2] >= 0x80)
            return false;
        size = (size & 0x7f) | (uint32_t)at[2] << 7;
        head = 3;
    }
    if ((size_t)(w->end - at) < head + size)
        return false;
    *bytes = (struct wire){at + head, at + head + size};
    w->at = bytes->end;
    return true;
}

#endif
