/* SPDX-License-Identifier: MIT
 *
 * Inflating into one buffer whose size is a guess: a member's trailer holds its size modulo 4 GiB,
 * of the last member only and only if the file is whole. The guess costs address space, not memory,
 * and a member that does not fit is inflated again into twice the room. libdeflate says only that
 * data is bad; zlib then reads it once more to say why and where. */
#include "base/gzip.h"
#include "base/limits.h"

#include <libdeflate.h>
#include <zlib.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint64_t allowed_bytes(size_t in_size)
{
    uint64_t by_ratio = in_size > LIMIT_PROFILE_BYTES / LIMIT_PROFILE_RATIO
                            ? LIMIT_PROFILE_BYTES
                            : (uint64_t)in_size * LIMIT_PROFILE_RATIO;
    uint64_t allowed = by_ratio < LIMIT_PROFILE_RATIO_FROM ? LIMIT_PROFILE_RATIO_FROM : by_ratio;
    return allowed < LIMIT_PROFILE_BYTES ? allowed : LIMIT_PROFILE_BYTES;
}

static size_t first_guess(const uint8_t *in, size_t in_size, uint64_t allowed)
{
    uint64_t guess = 4 * (uint64_t)in_size;
    if (in_size >= 18) {
        uint32_t size;
        memcpy(&size, in + in_size - 4, 4);
        if (size >= in_size / 2 && size <= (uint64_t)in_size * 1040)
            guess = size;
    }
    return guess < allowed ? guess + 1 : allowed;
}

/* The bytes before a member's compressed data (RFC 1952 §2.3). Go's flate counts from there. */
static size_t header_size(const uint8_t *in, size_t size)
{
    enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16 };
    size_t at = 10;
    if (size < at)
        return 0;
    if (in[3] & FEXTRA && size - at >= 2)
        at += 2 + in[at] + 256u * in[at + 1];
    for (unsigned text = FNAME; text <= FCOMMENT; text *= 2) {
        if (!(in[3] & text))
            continue;
        while (at < size && in[at])
            at++;
        at++;
    }
    return in[3] & FHCRC ? at + 2 : at;
}

/* What zlib thinks of a member that libdeflate refused. */
static int explain(const uint8_t *in, size_t in_size, struct err *e)
{
    static const size_t step = 1u << 30; /* avail_in is an unsigned int */
    unsigned char sink[16384];
    z_stream z = {0};
    size_t fed = 0;
    if (in_size < 10)
        return err_set(e, -EBADMSG, "unexpected EOF");
    if (!gzip_is(in, in_size) || in[2] != 8)
        return err_set(e, -EBADMSG, "gzip: invalid header");
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return err_set(e, -ENOMEM, "out of memory in zlib");
    int rc = Z_OK;
    while (rc == Z_OK || (rc == Z_BUF_ERROR && fed < in_size)) {
        if (z.avail_in == 0) {
            z.next_in = (unsigned char *)in + fed;
            z.avail_in = (unsigned)(in_size - fed < step ? in_size - fed : step);
            fed += z.avail_in;
        }
        z.next_out = sink;
        z.avail_out = sizeof sink;
        rc = inflate(&z, Z_NO_FLUSH);
    }
    size_t at = fed - z.avail_in;
    bool checksum = z.msg && strstr(z.msg, "check");
    inflateEnd(&z);
    if (rc == Z_BUF_ERROR)
        return err_set(e, -EBADMSG, "unexpected EOF");
    if (checksum)
        return err_set(e, -EBADMSG, "gzip: invalid checksum");
    size_t header = header_size(in, in_size);
    return err_set(e, -EBADMSG, "flate: corrupt input before offset %zu",
                   at > header ? at - header : 0);
}

struct inflating {
    struct arena *arena;
    struct libdeflate_decompressor *libdeflate;
    uint8_t *out;
    size_t cap, len;
    uint64_t allowed;
    const char *by_ratio; /* why it is so, for the message */
    bool has_copy;        /* of the input */
};

static int more_room(struct inflating *g, struct err *e)
{
    if (g->cap >= g->allowed)
        return err_set(e, -EFBIG, "inflating it gives more than %llu MiB%s: refused",
                       (unsigned long long)(g->allowed >> 20), g->by_ratio);
    size_t cap = g->cap * 2 < g->allowed ? g->cap * 2 : g->allowed;
    uint8_t *out = arena_alloc(g->arena, cap);
    if (!out)
        return err_set(e, -ENOMEM, "out of memory inflating");
    if (g->len)
        memcpy(out, g->out, g->len);
    g->out = out;
    g->cap = cap;
    return 0;
}

/* Inflates one member at `in`, and says in *used how long it was. */
static int inflate_member(struct inflating *g, const uint8_t *in, size_t in_size, size_t *used,
                          struct err *e)
{
    for (;;) {
        size_t got = 0;
        switch (libdeflate_gzip_decompress_ex(g->libdeflate, in, in_size, g->out + g->len,
                                              g->cap - g->len, used, &got)) {
        case LIBDEFLATE_SUCCESS: g->len += got; return 0;
        case LIBDEFLATE_INSUFFICIENT_SPACE: {
            int rc = more_room(g, e);
            if (rc != 0)
                return rc;
            break;
        }
        default: return explain(in, in_size, e);
        }
    }
}

int gzip_inflate(struct arena *a, const void *in, size_t in_size, void **out, size_t *out_size,
                 struct err *e)
{
    struct gzip_input input = {in, in_size, 0};
    return gzip_inflate_input(a, &input, out, out_size, e);
}

/* Go takes no notice of a header's reserved flags, which libdeflate and zlib refuse: from the first
 * member on that has some, the input becomes a copy, in which they are cleared. */
static int clear_reserved(struct inflating *g, const uint8_t **at, const uint8_t **end,
                          struct err *e)
{
    enum { RESERVED = 0xe0, FLAGS = 3 };
    size_t size = (size_t)(*end - *at);
    if (size <= FLAGS || !((*at)[FLAGS] & RESERVED))
        return 0;
    if (!g->has_copy) {
        uint8_t *copy = arena_alloc(g->arena, size);
        if (!copy)
            return err_set(e, -ENOMEM, "out of memory inflating");
        *at = memcpy(copy, *at, size);
        *end = copy + size;
        g->has_copy = true;
    }
    ((uint8_t *)(uintptr_t)*at)[FLAGS] &= (uint8_t)~RESERVED;
    return 0;
}

int gzip_inflate_input(struct arena *a, const struct gzip_input *input, void **out,
                       size_t *out_size, struct err *e)
{
    const uint8_t *in = input->bytes, *at = in, *end = at + input->size;
    size_t in_size = input->size;
    struct inflating g = {
        .arena = a, .allowed = allowed_bytes(in_size), .by_ratio = ", over 256 times its size"};
    if (input->limit && input->limit <= g.allowed) {
        g.allowed = input->limit;
        g.by_ratio = "";
    }
    g.libdeflate = libdeflate_alloc_decompressor();
    g.cap = first_guess(in, in_size, g.allowed);
    g.out = arena_alloc(a, g.cap);
    int rc = g.libdeflate && g.out ? 0 : err_set(e, -ENOMEM, "out of memory inflating");
    do {
        size_t used = 0;
        if (rc == 0)
            rc = clear_reserved(&g, &at, &end, e);
        if (rc == 0)
            rc = inflate_member(&g, at, (size_t)(end - at), &used, e);
        at += used;
    } while (rc == 0 && at < end);
    libdeflate_free_decompressor(g.libdeflate);
    *out = g.out;
    *out_size = g.len;
    return rc;
}

int gzip_deflate(struct buf *out, const void *in, size_t in_size, int level, struct err *e)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    size_t bound = c ? libdeflate_gzip_compress_bound(c, in_size) : 0;
    char *at = c ? buf_reserve(out, bound) : NULL;
    size_t n = at ? libdeflate_gzip_compress(c, in, in_size, at, bound) : 0;
    libdeflate_free_compressor(c);
    if (n == 0)
        return err_set(e, -ENOMEM, "out of memory compressing %zu bytes", in_size);
    out->len += n;
    return 0;
}
