/* SPDX-License-Identifier: MIT
 *
 * gzip for the tool: libdeflate on whole buffers. (libstrobe has base/deflate.h.) */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool gzip_is(const void *p, size_t size)
{
    const uint8_t *b = p;
    return size >= 2 && b[0] == 0x1f && b[1] == 0x8b;
}

/* Inflates all concatenated members of `in` into the arena. Checksums are verified. More than
 * LIMIT_PROFILE_BYTES, or more than LIMIT_PROFILE_RATIO times the input, is refused before it is
 * inflated: -EFBIG. Other failures are -EBADMSG with Go's words: "unexpected EOF",
 * "gzip: invalid checksum", "flate: corrupt input before offset N", "gzip: invalid header".
 * *out is NULL-terminated nowhere; it may be NULL when *out_size is 0. */
int gzip_inflate(struct arena *a, const void *in, size_t in_size, void **out, size_t *out_size,
                 struct err *e);

/* The same with a limit of the caller's on what comes out; 0 is none but those above. */
struct gzip_input {
    const void *bytes;
    size_t size;
    uint64_t limit;
};
int gzip_inflate_input(struct arena *a, const struct gzip_input *in, void **out, size_t *out_size,
                       struct err *e);

/* Appends `in` as one gzip member, without a time stamp: equal input, equal output. level 1..12. */
int gzip_deflate(struct buf *out, const void *in, size_t in_size, int level, struct err *e);

#endif
