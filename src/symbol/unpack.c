/* SPDX-License-Identifier: MIT
 *
 * Unpacks what linkers and distributions pack debug information with: sections with zlib or zstd
 * (gABI, "Compressed Sections"), a whole small ELF file with xz (.gnu_debugdata). libelf could do
 * the first, with zlib at a third of libdeflate's speed; Debian 12's knows no zstd. */
#include "symbol/unpack.h"

#include "base/limits.h"

#include <libdeflate.h>
#include <lzma.h>
#include <stdint.h>
#include <zstd.h>

bool unpack_zlib(const void *in, size_t in_size, void *out, size_t out_size)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    bool good =
        d && libdeflate_zlib_decompress(d, in, in_size, out, out_size, NULL) == LIBDEFLATE_SUCCESS;
    libdeflate_free_decompressor(d);
    return good;
}

bool unpack_zstd(const void *in, size_t in_size, void *out, size_t out_size)
{
    return ZSTD_decompress(out, out_size, in, in_size) == out_size;
}

/* The size is at the file's end, in an index that a damaged file need not have: the bytes are
 * unpacked piece by piece instead, and only what came out is believed. */
char *unpack_xz(const void *in, size_t in_size, struct arena *a, size_t *out_size)
{
    lzma_stream s = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&s, LIMIT_XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
        return NULL;
    size_t room = 0, len = 0;
    char *out = NULL;
    lzma_ret ret = LZMA_OK;
    s.next_in = in;
    s.avail_in = in_size;
    while (ret == LZMA_OK && len < LIMIT_ELF_DEBUGDATA) {
        if (len == room) {
            size_t more = room ? 2 * room : 1 << 20;
            out = arena_grow(a, out, room, more);
            room = more;
        }
        s.next_out = (uint8_t *)out + len;
        s.avail_out = room - len;
        ret = lzma_code(&s, LZMA_FINISH);
        len = room - s.avail_out;
    }
    lzma_end(&s);
    *out_size = len;
    return ret == LZMA_STREAM_END && len ? out : NULL;
}
