/* SPDX-License-Identifier: MIT
 *
 * Checksums and zstd. A thread keeps its compressor and decompressor: making one costs more than
 * the few kilobytes it is then used for. */
#include "store/seal.h"
#include "base/limits.h"

#include <errno.h>
#include <pthread.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

enum { SEAL_PLAIN, SEAL_ZSTD, ZSTD_LEVEL = 3, COMPRESS_FROM = 128, STREAM_FROM = 64 };

/* ---- contexts of a thread ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t compressors, decompressors;

static void free_compressor(void *c)
{
    ZSTD_freeCCtx(c);
}

static void free_decompressor(void *d)
{
    ZSTD_freeDCtx(d);
}

static void make_keys(void)
{
    pthread_key_create(&compressors, free_compressor);
    pthread_key_create(&decompressors, free_decompressor);
}

/* 0: it did not become smaller, or there was no memory for it. */
static size_t compress(char *to, size_t room, const struct buf *raw)
{
    pthread_once(&once, make_keys);
    ZSTD_CCtx *c = pthread_getspecific(compressors);
    if (!c) {
        c = ZSTD_createCCtx();
        pthread_setspecific(compressors, c);
    }
    size_t n = c && to ? ZSTD_compressCCtx(c, to, room, raw->data, raw->len, ZSTD_LEVEL) : 0;
    return ZSTD_isError(n) || n >= raw->len ? 0 : n;
}

static int decompress(struct varint_reader *out, const uint8_t *p, size_t size, uint64_t raw,
                      struct arena *a)
{
    if (raw > LIMIT_STORE_SECTION)
        return -EFBIG;
    /* The claim is checked against the frame's own before memory is taken for it. */
    if (ZSTD_getFrameContentSize(p, size) != raw)
        return -EBADMSG;
    pthread_once(&once, make_keys);
    ZSTD_DCtx *d = pthread_getspecific(decompressors);
    if (!d) {
        d = ZSTD_createDCtx();
        pthread_setspecific(decompressors, d);
    }
    uint8_t *to = arena_alloc_aligned(a, raw, 1);
    size_t n = d ? ZSTD_decompressDCtx(d, to, raw, p, size) : 0;
    if (!d || ZSTD_isError(n) || n != raw)
        return d ? -EBADMSG : -ENOMEM;
    *out = (struct varint_reader){.at = to, .end = to + raw};
    return 0;
}

/* ---- seals: u32 checksum of what follows, kind, [inflated size], bytes ---- */

static bool put_compressed(struct buf *out, const struct buf *raw)
{
    size_t start = out->len, bound = ZSTD_compressBound(raw->len);
    buf_putc(out, SEAL_ZSTD);
    varint_put(out, raw->len);
    size_t n = compress(buf_reserve(out, bound), bound, raw);
    out->len = n ? out->len + n : start;
    return n > 0;
}

void seal_write(struct buf *out, const struct buf *raw, bool small)
{
    size_t start = out->len;
    buf_append(out, "\0\0\0\0", 4);
    if (!small || raw->len < COMPRESS_FROM || !put_compressed(out, raw)) {
        buf_putc(out, SEAL_PLAIN);
        if (raw->len)
            buf_append(out, raw->data, raw->len);
    }
    if (!out->failed)
        seal_put_u32((uint8_t *)out->data + start,
                     XXH32(out->data + start + 4, out->len - start - 4, 0));
}

int seal_read(struct varint_reader *r, const void *p, size_t size, struct arena *a)
{
    const uint8_t *bytes = p;
    *r = (struct varint_reader){0};
    if (size < 5 || seal_get_u32(bytes) != XXH32(bytes + 4, size - 4, 0))
        return -EBADMSG;
    *r = (struct varint_reader){.at = bytes + 5, .end = bytes + size};
    if (bytes[4] == SEAL_PLAIN)
        return 0;
    uint64_t raw = varint_get(r);
    if (bytes[4] != SEAL_ZSTD || r->failed)
        return -EBADMSG;
    return decompress(r, r->at, (size_t)(r->end - r->at), raw, a);
}

/* ---- streams: inflated size, size as it stands or 0 when it is plain, bytes ---- */

void stream_write(struct buf *out, const struct buf *raw)
{
    struct buf packed;
    size_t bound = ZSTD_compressBound(raw->len), n = 0;
    buf_init(&packed, out->arena);
    if (raw->len >= STREAM_FROM)
        n = compress(buf_reserve(&packed, bound), bound, raw);
    varint_put(out, raw->len);
    varint_put(out, n);
    if (raw->len)
        buf_append(out, n ? packed.data : raw->data, n ? n : raw->len);
}

int stream_read(struct varint_reader *stream, struct varint_reader *r, struct arena *a)
{
    uint64_t raw = varint_get(r), packed = varint_get(r), size = packed ? packed : raw;
    *stream = (struct varint_reader){0};
    if (r->failed || size > (uint64_t)(r->end - r->at))
        return -EBADMSG;
    const uint8_t *p = r->at;
    r->at += size;
    if (packed)
        return decompress(stream, p, size, raw, a);
    *stream = (struct varint_reader){.at = p, .end = p + raw};
    return 0;
}
