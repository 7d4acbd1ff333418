/* SPDX-License-Identifier: MIT
 *
 * The codec of stored samples, but for the data section of a block (block_data.c). Like things
 * stand together, so that zstd finds them: all times, all counts, all keys, all values of one type.
 * The nanoseconds of a CPU profile are its counts times the period, and need no bytes at all. */
#include "store/block.h"
#include "base/limits.h"
#include "store/block_values.h"
#include "store/seal.h"

#include <errno.h>
#include <string.h>

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

static bool like_first(const int64_t *v, uint64_t n, uint32_t types, const struct block_column *c)
{
    for (uint64_t i = 0; i < n; i++)
        if (v[i * types + c->type] / c->divisor != v[i * types] / c[-(ptrdiff_t)c->type].divisor)
            return false;
    return true;
}

void block_plan_values(struct block_column *columns, const int64_t *v, uint64_t n, uint32_t types)
{
    for (uint32_t t = 0; t < types; t++) {
        columns[t] = (struct block_column){.type = t, .divisor = common_divisor(v + t, n, types)};
        columns[t].how =
            t > 0 && like_first(v, n, types, &columns[t]) ? COLUMN_LIKE_FIRST : COLUMN_OWN;
    }
}

int block_read_column(struct block_column *c, struct varint_reader *r)
{
    c->how = (int)varint_get_below(r, 2);
    uint64_t divisor = varint_get(r);
    c->divisor = (int64_t)divisor;
    return r->failed || divisor == 0 || divisor > INT64_MAX ||
                   (c->type == 0 && c->how != COLUMN_OWN)
               ? -EBADMSG
               : 0;
}

void block_like_first(int64_t *v, uint64_t n, uint32_t types, struct block_column c, int64_t first)
{
    for (uint64_t i = 0; first == 1 && i < n; i++) /* counts: nothing to divide by */
        v[i * types + c.type] = (int64_t)((uint64_t)v[i * types] * (uint64_t)c.divisor);
    for (uint64_t i = 0; first != 1 && i < n; i++)
        v[i * types + c.type] = (int64_t)((uint64_t)(v[i * types] / first) * (uint64_t)c.divisor);
}

static void write_values(struct buf *out, const int64_t *v, uint64_t n, uint32_t types)
{
    struct block_column columns[LIMIT_PROFILE_SAMPLE_TYPES];
    block_plan_values(columns, v, n, types);
    for (uint32_t t = 0; t < types; t++) {
        buf_putc(out, (char)columns[t].how);
        varint_put(out, (uint64_t)columns[t].divisor);
        for (uint64_t i = 0; columns[t].how == COLUMN_OWN && i < n; i++)
            varint_put_signed(out, v[i * types + t] / columns[t].divisor);
    }
}

static int64_t *read_values(struct varint_reader *r, uint64_t n, uint32_t types, struct arena *a)
{
    int64_t *v = arena_array(a, n, types * sizeof *v), first = 1;
    for (uint32_t t = 0; t < types; t++) {
        struct block_column c = {.type = t};
        if (block_read_column(&c, r) != 0) {
            r->failed = true;
            return v;
        }
        first = t == 0 ? c.divisor : first;
        if (c.how == COLUMN_LIKE_FIRST)
            block_like_first(v, n, types, c, first);
        else
            for (uint64_t i = 0; i < n; i++)
                v[i * types + t] = (int64_t)((uint64_t)varint_get_signed(r) * (uint64_t)c.divisor);
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
    seal_write(out, &raw, s->count > 1024);
}

int block_read_samples(struct block_samples *s, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    *s = (struct block_samples){0};
    int rc = seal_read(&r, p, size, a);
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
    seal_write(out, &raw, true);
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
    int rc = seal_read(&r, p, size, a);
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
        seal_put_u32(bytes, p[i].content);
        buf_append(&raw, bytes, 4);
    }
    write_totals(&raw, b);
    for (uint32_t i = 0; i < n; i++) {
        bool same = i && same_text(p[i].comments, p[i - 1].comments);
        buf_putc(&raw, same);
        if (!same)
            write_text(&raw, p[i].comments);
    }
    seal_write(out, &raw, true);
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
        p[i].content = r->failed ? 0 : seal_get_u32((const uint8_t *)bytes);
    }
}

int block_read_meta(struct block *b, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    int rc = seal_read(&r, p, size, a);
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

int block_read_data_1(struct block *b, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    uint64_t want = 0;
    int rc = seal_read(&r, p, size, a);
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
            uint32_t gap = varint_get_below(&r, UINT32_MAX);
            at += gap;
            if (at >= b->sum.count || (k > 0 && gap == 0))
                return -EBADMSG;
            *key++ = (uint32_t)at;
        }
    }
    b->values = read_values(&r, b->sample_count, b->types, a);
    return finished(&r);
}
