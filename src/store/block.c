/* SPDX-License-Identifier: MIT
 *
 * The codec of stored samples. Like things stand together, so that zstd finds them: all times, all
 * counts, all keys, all values of one type. Three observations make a sample about one byte: the
 * stacks of ten minutes are few, so a sample names its stack by a small index; within a profile the
 * indexes ascend, so their differences are smaller still; and the nanoseconds of a CPU profile are
 * its counts times the period, so that they need no bytes at all. */
#include "store/block.h"
#include "base/limits.h"
#include "store/varint.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

enum { SEAL_PLAIN, SEAL_ZSTD, ZSTD_LEVEL = 3, COMPRESS_FROM = 128 };

/* How a column of values is written. */
enum { COLUMN_OWN, COLUMN_LIKE_FIRST };

/* ---- seals: u32 checksum of what follows, kind, [inflated size], bytes ---- */

static void put_u32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void seal(struct buf *out, const struct buf *raw, bool compress)
{
    size_t start = out->len;
    buf_append(out, "\0\0\0\0", 4);
    size_t bound = ZSTD_compressBound(raw->len);
    if (compress && raw->len >= COMPRESS_FROM) {
        buf_putc(out, SEAL_ZSTD);
        varint_put(out, raw->len);
        char *to = buf_reserve(out, bound);
        size_t n = to ? ZSTD_compress(to, bound, raw->data, raw->len, ZSTD_LEVEL) : 0;
        if (to && !ZSTD_isError(n) && n < raw->len) {
            out->len += n;
            goto sum;
        }
        out->len = start + 4;
    }
    buf_putc(out, SEAL_PLAIN);
    if (raw->len)
        buf_append(out, raw->data, raw->len);
sum:
    if (!out->failed)
        put_u32((uint8_t *)out->data + start,
                XXH32(out->data + start + 4, out->len - start - 4, 0));
}

static int unseal(struct varint_reader *r, const void *p, size_t size, struct arena *a)
{
    const uint8_t *bytes = p;
    *r = (struct varint_reader){0};
    if (size < 5 || get_u32(bytes) != XXH32(bytes + 4, size - 4, 0))
        return -EBADMSG;
    *r = (struct varint_reader){.at = bytes + 5, .end = bytes + size};
    if (bytes[4] == SEAL_PLAIN)
        return 0;
    uint64_t raw = varint_get(r);
    if (bytes[4] != SEAL_ZSTD || r->failed)
        return -EBADMSG;
    if (raw > LIMIT_STORE_SECTION)
        return -EFBIG;
    /* The claim is checked against the frame's own before memory is taken for it. */
    if (ZSTD_getFrameContentSize(r->at, (size_t)(r->end - r->at)) != raw)
        return -EBADMSG;
    uint8_t *to = arena_alloc(a, raw);
    size_t n = ZSTD_decompress(to, raw, r->at, (size_t)(r->end - r->at));
    if (ZSTD_isError(n) || n != raw)
        return -EBADMSG;
    *r = (struct varint_reader){.at = to, .end = to + raw};
    return 0;
}

static int finished(const struct varint_reader *r)
{
    return r->failed || r->at != r->end ? -EBADMSG : 0;
}

/* ---- columns of values ---- */

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

/* What all values of a column are multiples of; 1 at least, and small enough to be signed. */
static int64_t common_divisor(const int64_t *v, uint64_t n, uint32_t stride)
{
    uint64_t g = 0;
    for (uint64_t i = 0; i < n && g != 1; i++) {
        uint64_t b = magnitude(v[i * stride]);
        while (b) {
            uint64_t t = g % b;
            g = b;
            b = t;
        }
    }
    return g == 0 || g > INT64_MAX ? 1 : (int64_t)g;
}

static bool like_first(const int64_t *v, uint64_t n, uint32_t types, uint32_t t, const int64_t *g)
{
    for (uint64_t i = 0; i < n; i++)
        if (v[i * types + t] / g[t] != v[i * types] / g[0])
            return false;
    return true;
}

static void write_values(struct buf *out, const int64_t *v, uint64_t n, uint32_t types)
{
    int64_t g[LIMIT_PROFILE_SAMPLE_TYPES];
    for (uint32_t t = 0; t < types; t++) {
        g[t] = common_divisor(v + t, n, types);
        bool like = t > 0 && like_first(v, n, types, t, g);
        buf_putc(out, like ? COLUMN_LIKE_FIRST : COLUMN_OWN);
        varint_put(out, (uint64_t)g[t]);
        for (uint64_t i = 0; !like && i < n; i++)
            varint_put_signed(out, v[i * types + t] / g[t]);
    }
}

static int64_t *read_values(struct varint_reader *r, uint64_t n, uint32_t types, struct arena *a)
{
    int64_t *v = arena_array(a, n, types * sizeof *v);
    uint64_t first = 1;
    for (uint32_t t = 0; t < types; t++) {
        uint32_t how = varint_get_below(r, 2);
        uint64_t g = varint_get(r);
        first = t == 0 ? g : first;
        if (r->failed || g == 0 || g > INT64_MAX || (t == 0 && how != COLUMN_OWN)) {
            r->failed = true;
            return v;
        }
        if (how == COLUMN_LIKE_FIRST)
            for (uint64_t i = 0; i < n; i++)
                v[i * types + t] = (int64_t)((uint64_t)(v[i * types] / (int64_t)first) * g);
        else
            for (uint64_t i = 0; i < n; i++)
                v[i * types + t] = (int64_t)((uint64_t)varint_get_signed(r) * g);
    }
    return v;
}

/* ---- keys with values ---- */

static void write_keyed(struct buf *out, const struct block_samples *s)
{
    uint32_t last = 0;
    bool labelled = false;
    varint_put(out, s->types);
    varint_put(out, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        varint_put(out, s->keys[i].stack - last);
        last = s->keys[i].stack;
        labelled = labelled || s->keys[i].labels;
    }
    buf_putc(out, labelled);
    for (uint32_t i = 0; labelled && i < s->count; i++)
        varint_put(out, s->keys[i].labels);
    write_values(out, s->values, s->count, s->types);
}

static bool ascending(const struct block_samples *s)
{
    for (uint32_t i = 1; i < s->count; i++) {
        struct block_key a = s->keys[i - 1], b = s->keys[i];
        if (b.stack < a.stack || (b.stack == a.stack && b.labels <= a.labels))
            return false;
    }
    return true;
}

static int read_keyed(struct block_samples *s, struct varint_reader *r, struct arena *a)
{
    uint64_t at = 0;
    s->types = varint_get_below(r, LIMIT_PROFILE_SAMPLE_TYPES + 1);
    s->count = varint_get_count(r);
    if (r->failed)
        return -EBADMSG;
    s->keys = arena_array(a, s->count, sizeof *s->keys);
    for (uint32_t i = 0; i < s->count; i++) {
        at += varint_get_below(r, UINT32_MAX);
        if (at > UINT32_MAX)
            return -EBADMSG;
        s->keys[i] = (struct block_key){.stack = (uint32_t)at};
    }
    bool labelled = varint_get_below(r, 2);
    for (uint32_t i = 0; labelled && i < s->count; i++)
        s->keys[i].labels = varint_get_below(r, UINT32_MAX);
    if (r->failed || !ascending(s))
        return -EBADMSG;
    s->values = read_values(r, s->count, s->types, a);
    return r->failed ? -EBADMSG : 0;
}

void block_write_samples(struct buf *out, const struct block_samples *s)
{
    struct buf raw;
    buf_init(&raw, out->arena);
    write_keyed(&raw, s);
    seal(out, &raw, s->count > 1024);
}

int block_read_samples(struct block_samples *s, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    *s = (struct block_samples){0};
    int rc = unseal(&r, p, size, a);
    if (rc == 0)
        rc = read_keyed(s, &r, a);
    return rc ? rc : finished(&r);
}

/* ---- sum ---- */

static bool same_text(struct block_text a, struct block_text b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void write_text(struct buf *out, struct block_text t)
{
    varint_put(out, t.len);
    if (t.len)
        buf_append(out, t.ptr, t.len);
}

static struct block_text read_text(struct varint_reader *r, struct arena *a)
{
    uint32_t len = varint_get_count(r);
    const char *p = varint_get_bytes(r, len);
    if (r->failed || (len && p[len - 1] != 0)) {
        r->failed = true;
        return (struct block_text){"", 0};
    }
    return (struct block_text){arena_strndup(a, p, len), len};
}

/* Headers and comments that differ from the profile's before them: nearly always one. */
static void write_distinct(struct buf *out, const struct block *b)
{
    struct buf headers, comments;
    uint32_t header_count = 0, comment_count = 0;
    buf_init(&headers, out->arena);
    buf_init(&comments, out->arena);
    for (uint32_t i = 0; i < b->profile_count; i++) {
        const struct block_profile *p = &b->profiles[i];
        if (i == 0 || p->header != p[-1].header) {
            varint_put(&headers, p->header);
            header_count++;
        }
        if (i == 0 || !same_text(p->comments, p[-1].comments)) {
            write_text(&comments, p->comments);
            comment_count++;
        }
    }
    varint_put(out, header_count);
    if (headers.len)
        buf_append(out, headers.data, headers.len);
    varint_put(out, comment_count);
    if (comments.len)
        buf_append(out, comments.data, comments.len);
}

void block_write_sum(struct buf *out, const struct block *b)
{
    struct buf raw;
    int64_t duration = 0, lost = 0;
    buf_init(&raw, out->arena);
    for (uint32_t i = 0; i < b->profile_count; i++) {
        duration = (int64_t)((uint64_t)duration + (uint64_t)b->profiles[i].duration_ns);
        lost += b->profiles[i].lost_samples > 0 ? b->profiles[i].lost_samples : 0;
    }
    varint_put(&raw, b->profile_count);
    varint_put_signed(&raw, b->profile_count ? b->profiles[0].time_ns : 0);
    varint_put_signed(&raw, b->profile_count ? b->profiles[b->profile_count - 1].time_ns : 0);
    varint_put_signed(&raw, duration);
    varint_put_signed(&raw, lost);
    write_distinct(&raw, b);
    write_keyed(&raw, &b->sum);
    seal(out, &raw, true);
}

static int read_summary(struct block_summary *m, struct varint_reader *r, struct arena *a)
{
    m->profile_count = varint_get_below(r, UINT32_MAX);
    m->first_ns = varint_get_signed(r);
    m->last_ns = varint_get_signed(r);
    m->duration_ns = varint_get_signed(r);
    m->lost_samples = varint_get_signed(r);
    m->header_count = varint_get_count(r);
    m->headers = arena_array(a, m->header_count, sizeof *m->headers);
    for (uint32_t i = 0; i < m->header_count; i++)
        m->headers[i] = varint_get_below(r, UINT32_MAX);
    m->comment_count = varint_get_count(r);
    m->comments = arena_array(a, m->comment_count, sizeof *m->comments);
    for (uint32_t i = 0; i < m->comment_count; i++)
        m->comments[i] = read_text(r, a);
    return r->failed ? -EBADMSG : 0;
}

int block_read_sum(struct block_samples *s, struct block_summary *summary, const void *p,
                   size_t size, struct arena *a)
{
    struct varint_reader r;
    *s = (struct block_samples){0};
    *summary = (struct block_summary){0};
    int rc = unseal(&r, p, size, a);
    if (rc == 0)
        rc = read_summary(summary, &r, a);
    if (rc == 0)
        rc = read_keyed(s, &r, a);
    return rc ? rc : finished(&r);
}

/* ---- meta ---- */

static void write_totals(struct buf *out, const struct block *b)
{
    uint64_t n = b->profile_count;
    int64_t *v = arena_array(out->arena, n, b->types * sizeof *v);
    for (uint64_t i = 0; i < n; i++)
        memcpy(v + i * b->types, b->profiles[i].totals, b->types * sizeof *v);
    write_values(out, v, n, b->types);
}

void block_write_meta(struct buf *out, const struct block *b)
{
    struct buf raw;
    const struct block_profile *p = b->profiles;
    uint32_t n = b->profile_count;
    buf_init(&raw, out->arena);
    varint_put(&raw, b->types);
    varint_put(&raw, n);
    for (uint32_t i = 0; i < n; i++)
        varint_put_signed(&raw,
                          (int64_t)((uint64_t)p[i].time_ns - (i ? (uint64_t)p[i - 1].time_ns : 0)));
    for (uint32_t i = 0; i < n; i++)
        varint_put_signed(
            &raw, (int64_t)((uint64_t)p[i].duration_ns - (i ? (uint64_t)p[i - 1].duration_ns : 0)));
    for (uint32_t i = 0; i < n; i++)
        varint_put_signed(&raw, p[i].lost_samples);
    for (uint32_t i = 0; i < n; i++)
        varint_put_signed(&raw, (int64_t)p[i].header - (i ? (int64_t)p[i - 1].header : 0));
    for (uint32_t i = 0; i < n; i++)
        varint_put(&raw, p[i].sample_count);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t bytes[4];
        put_u32(bytes, p[i].content);
        buf_append(&raw, bytes, 4);
    }
    write_totals(&raw, b);
    for (uint32_t i = 0; i < n; i++) {
        bool same = i && same_text(p[i].comments, p[i - 1].comments);
        buf_putc(&raw, same);
        if (!same)
            write_text(&raw, p[i].comments);
    }
    seal(out, &raw, true);
}

static void read_meta_numbers(struct varint_reader *r, struct block_profile *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        p[i].time_ns =
            (int64_t)((uint64_t)varint_get_signed(r) + (i ? (uint64_t)p[i - 1].time_ns : 0));
    for (uint32_t i = 0; i < n; i++)
        p[i].duration_ns =
            (int64_t)((uint64_t)varint_get_signed(r) + (i ? (uint64_t)p[i - 1].duration_ns : 0));
    for (uint32_t i = 0; i < n; i++)
        p[i].lost_samples = varint_get_signed(r);
    for (uint32_t i = 0; i < n; i++)
        p[i].header =
            (uint32_t)((uint64_t)varint_get_signed(r) + (i ? (uint64_t)p[i - 1].header : 0));
    for (uint32_t i = 0; i < n; i++)
        p[i].sample_count = varint_get_below(r, LIMIT_STORE_SAMPLES + 1ul);
    for (uint32_t i = 0; i < n; i++) {
        const char *bytes = varint_get_bytes(r, 4);
        p[i].content = r->failed ? 0 : get_u32((const uint8_t *)bytes);
    }
}

int block_read_meta(struct block *b, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    int rc = unseal(&r, p, size, a);
    b->profile_count = 0;
    if (rc != 0)
        return rc;
    b->types = varint_get_below(&r, LIMIT_PROFILE_SAMPLE_TYPES + 1);
    uint32_t n = varint_get_count(&r);
    b->profiles = arena_zarray(a, n, sizeof *b->profiles);
    read_meta_numbers(&r, b->profiles, n);
    if (r.failed)
        return -EBADMSG;
    int64_t *totals = read_values(&r, n, b->types, a);
    for (uint32_t i = 0; i < n && !r.failed; i++) {
        struct block_profile *q = &b->profiles[i];
        bool same = varint_get_below(&r, 2);
        q->totals = totals + (uint64_t)i * b->types;
        if (same && i == 0)
            return -EBADMSG;
        q->comments = same ? q[-1].comments : read_text(&r, a);
    }
    b->profile_count = n;
    return finished(&r);
}

/* ---- data ---- */

void block_write_data(struct buf *out, const struct block *b)
{
    struct buf raw;
    const uint32_t *key = b->sample_keys;
    buf_init(&raw, out->arena);
    varint_put(&raw, b->sample_count);
    for (uint32_t i = 0; i < b->profile_count; i++) {
        uint32_t last = 0;
        for (uint32_t k = 0; k < b->profiles[i].sample_count; k++, key++) {
            varint_put(&raw, *key - last);
            last = *key;
        }
    }
    write_values(&raw, b->values, b->sample_count, b->types);
    seal(out, &raw, true);
}

int block_read_data(struct block *b, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    uint64_t want = 0;
    int rc = unseal(&r, p, size, a);
    if (rc != 0)
        return rc;
    b->sample_count = varint_get_count(&r);
    for (uint32_t i = 0; i < b->profile_count; i++)
        want += b->profiles[i].sample_count;
    if (r.failed || want != b->sample_count || b->sum.types != b->types)
        return -EBADMSG;
    uint32_t *key = b->sample_keys = arena_array(a, want, sizeof *key);
    for (uint32_t i = 0; i < b->profile_count; i++) {
        uint64_t at = 0;
        for (uint32_t k = 0; k < b->profiles[i].sample_count; k++) {
            at += varint_get_below(&r, UINT32_MAX);
            if (at >= b->sum.count)
                return -EBADMSG;
            *key++ = (uint32_t)at;
        }
    }
    b->values = read_values(&r, b->sample_count, b->types, a);
    return finished(&r);
}
