/* SPDX-License-Identifier: MIT
 *
 * Inside store/: how bytes are closed before they go into the file. A seal is a checksum of what
 * follows, a kind, and the bytes, by zstd where that makes them smaller. A stream is a part of a
 * sealed section which zstd gets alone, so that its letters are not mixed with others'. Readers
 * trust nothing: -EBADMSG, or -EFBIG beyond LIMIT_STORE_SECTION. */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "base/arena.h"
#include "store/varint.h"

static inline void seal_put_u32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static inline uint32_t seal_get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Appends to `out`. */
void seal_write(struct buf *out, const struct buf *raw, bool compress);
/* *r reads the bytes of the seal, which are in `a` or where they were. */
int seal_read(struct varint_reader *r, const void *p, size_t size, struct arena *a);

void stream_write(struct buf *out, const struct buf *raw);
/* Takes a stream off `r`; *stream reads it. */
int stream_read(struct varint_reader *stream, struct varint_reader *r, struct arena *a);

#endif
