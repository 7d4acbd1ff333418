/* SPDX-License-Identifier: MIT
 *
 * Profiles in a zstd frame, as heaptrack writes its files. Their size is bounded as gzip's is. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

#include <zstd.h>

int import_unpack(struct import *im)
{
    static const unsigned char magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    if (im->input.n < sizeof magic || memcmp(im->input.s, magic, sizeof magic) != 0)
        return 0;
    ZSTD_DStream *stream = ZSTD_createDStream();
    struct buf out;
    buf_init(&out, &im->scratch);
    ZSTD_inBuffer in = {im->input.s, im->input.n, 0};
    size_t left = stream ? 1 : 0;
    while (left && !ZSTD_isError(left) && out.len <= LIMIT_PROFILE_BYTES) {
        char *to = buf_reserve(&out, 1 << 18);
        ZSTD_outBuffer piece = {to, 1 << 18, 0};
        left = ZSTD_decompressStream(stream, &piece, &in);
        out.len += piece.pos;
        if (in.pos == in.size && piece.pos < piece.size)
            break;
        bool bomb =
            out.len > LIMIT_PROFILE_RATIO_FROM && out.len / LIMIT_PROFILE_RATIO > im->input.n;
        if (bomb)
            left = (size_t)-1;
    }
    bool good = stream && !ZSTD_isError(left) && out.len <= LIMIT_PROFILE_BYTES;
    ZSTD_freeDStream(stream);
    /* A file whose end is missing (a program that was killed) is read as far as it goes. */
    if (!good)
        return import_fail(im, "the zstd data of the profile is damaged");
    im->input = (struct text){out.data, out.len};
    return 0;
}
