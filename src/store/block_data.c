/* SPDX-License-Identifier: MIT
 *
 * The data section of a block: which stacks each of its profiles has, and their values. This is
 * nine tenths of what the store keeps, so it is where bytes are saved:
 *
 * A profile's stacks are named by rank, the place of a key when the sum's keys are ordered by
 * value: what is often on the CPU has a small number. The order follows from the sum, and costs
 * nothing. Ranks ascend within a profile and are written as gaps. How large a gap is likely to be
 * depends on where one is: next to nothing among the first ranks, hundreds among the last. So gaps
 * are divided into streams by the magnitude of the rank before them, each with letters of its own
 * for zstd, which brings them within a tenth of what the choice of stacks weighs in theory. Values
 * likewise: they are 1 but for the first ranks.
 *
 * A section of few samples has one stream each, since a stream costs some bytes as well. */
#include "store/block.h"
#include "base/limits.h"
#include "base/sort.h"
#include "store/block_values.h"
#include "store/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPLIT_FROM = 1024, /* samples */
    GAP_STREAMS = 11,
    VALUE_STREAMS = 3,
    GAP_LONG = 255, /* more follows */
};

static unsigned magnitude_of(uint32_t v)
{
    return v ? 32 - (unsigned)__builtin_clz(v) : 0;
}

/* Which stream has the gap after `next` - 1. */
static unsigned gap_stream(uint32_t next, bool split)
{
    unsigned m = magnitude_of(next);
    return !split ? 0 : m < GAP_STREAMS ? m : GAP_STREAMS - 1;
}

static unsigned value_stream(uint32_t rank, bool split)
{
    unsigned m = magnitude_of(rank) / 2;
    return !split ? 0 : m < VALUE_STREAMS ? m : VALUE_STREAMS - 1;
}

/* ---- ranks ---- */

struct ranked {
    uint64_t weight;
    uint32_t key;
};

static int heavier(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

/* Keys by rank. */
static uint32_t *rank_keys(const struct block_samples *sum, struct arena *a)
{
    struct ranked *list = arena_array(a, sum->count, sizeof *list);
    uint32_t *keys = arena_array(a, sum->count, sizeof *keys);
    for (uint32_t i = 0; i < sum->count; i++) {
        int64_t v = sum->types ? sum->values[(size_t)i * sum->types] : 0;
        list[i] = (struct ranked){v < 0 ? 0 - (uint64_t)v : (uint64_t)v, i};
    }
    if (sum->count)
        sort_list(list, sum->count, sizeof *list, heavier);
    for (uint32_t i = 0; i < sum->count; i++)
        keys[i] = list[i].key;
    return keys;
}

/* ---- writing ---- */

static int by_rank(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The samples in order of profile and rank: rank << 32 | sample. */
static uint64_t *order_samples(const struct block *b, struct arena *a)
{
    uint32_t *keys = rank_keys(&b->sum, a), *ranks = arena_array(a, b->sum.count, sizeof *ranks);
    uint64_t *order = arena_array(a, b->sample_count, sizeof *order), at = 0;
    for (uint32_t i = 0; i < b->sum.count; i++)
        ranks[keys[i]] = i;
    for (uint32_t i = 0; i < b->profile_count; i++) {
        uint32_t n = b->profiles[i].sample_count;
        for (uint32_t k = 0; k < n; k++)
            order[at + k] = (uint64_t)ranks[b->sample_keys[at + k]] << 32 | (uint32_t)(at + k);
        if (n)
            sort_list(order + at, n, sizeof *order, by_rank);
        at += n;
    }
    return order;
}

static void write_gaps(struct buf *out, const struct block *b, const uint64_t *order, bool split)
{
    struct buf streams[GAP_STREAMS];
    unsigned count = split ? GAP_STREAMS : 1;
    for (unsigned i = 0; i < count; i++)
        buf_init(&streams[i], out->arena);
    for (uint32_t i = 0; i < b->profile_count; i++) {
        uint32_t next = 0;
        for (uint32_t k = 0; k < b->profiles[i].sample_count; k++, order++) {
            uint32_t rank = (uint32_t)(*order >> 32), gap = rank - next;
            struct buf *to = &streams[gap_stream(next, split)];
            buf_putc(to, (char)(gap < GAP_LONG ? gap : GAP_LONG));
            if (gap >= GAP_LONG)
                varint_put(to, gap - GAP_LONG);
            next = rank + 1;
        }
    }
    for (unsigned i = 0; i < count; i++)
        stream_write(out, &streams[i]);
}

static void write_column(struct buf *out, const struct block *b, const uint64_t *order,
                         struct block_column c, bool split)
{
    struct buf streams[VALUE_STREAMS];
    unsigned count = split ? VALUE_STREAMS : 1;
    for (unsigned i = 0; i < count; i++)
        buf_init(&streams[i], out->arena);
    for (uint64_t i = 0; i < b->sample_count; i++) {
        int64_t v = b->values[(size_t)(uint32_t)order[i] * b->types + c.type];
        varint_put_signed(&streams[value_stream((uint32_t)(order[i] >> 32), split)], v / c.divisor);
    }
    for (unsigned i = 0; i < count; i++)
        stream_write(out, &streams[i]);
}

void block_write_data(struct buf *out, const struct block *b)
{
    struct buf raw;
    struct block_column columns[LIMIT_PROFILE_SAMPLE_TYPES];
    bool split = b->sample_count >= SPLIT_FROM;
    uint64_t *order = order_samples(b, out->arena);
    buf_init(&raw, out->arena);
    varint_put(&raw, b->sample_count);
    buf_putc(&raw, split);
    write_gaps(&raw, b, order, split);
    block_plan_values(columns, b->values, b->sample_count, b->types);
    for (uint32_t t = 0; t < b->types; t++) {
        buf_putc(&raw, (char)columns[t].how);
        varint_put(&raw, (uint64_t)columns[t].divisor);
        if (columns[t].how == COLUMN_OWN)
            write_column(&raw, b, order, columns[t], split);
    }
    seal_write(out, &raw, false);
}

/* ---- reading ---- */

static int open_streams(struct varint_reader *streams, unsigned count, struct varint_reader *r,
                        struct arena *a)
{
    int rc = 0;
    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = stream_read(&streams[i], r, a);
    return rc;
}

static int all_read(const struct varint_reader *streams, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (streams[i].failed || streams[i].at != streams[i].end)
            return -EBADMSG;
    return 0;
}

/* Makes b->sample_keys, of ranks. */
static int read_gaps(struct block *b, struct varint_reader *r, bool split, struct arena *a)
{
    struct varint_reader streams[GAP_STREAMS];
    unsigned count = split ? GAP_STREAMS : 1;
    int rc = open_streams(streams, count, r, a);
    if (rc != 0)
        return rc;
    uint64_t bytes = 0; /* a sample takes one at least: no table is larger than its input */
    for (unsigned i = 0; i < count; i++)
        bytes += (uint64_t)(streams[i].end - streams[i].at);
    if (bytes < b->sample_count)
        return -EBADMSG;
    uint32_t *out = b->sample_keys = arena_array(a, b->sample_count, sizeof *out);
    for (uint32_t i = 0; i < b->profile_count; i++) {
        uint64_t next = 0;
        for (uint32_t k = 0; k < b->profiles[i].sample_count; k++) {
            struct varint_reader *s = &streams[gap_stream((uint32_t)next, split)];
            if (s->at == s->end)
                return -EBADMSG;
            uint64_t gap = *s->at++;
            if (gap == GAP_LONG)
                gap += varint_get_below(s, UINT32_MAX);
            next += gap;
            if (s->failed || next >= b->sum.count)
                return -EBADMSG;
            *out++ = (uint32_t)next++;
        }
    }
    return all_read(streams, count);
}

static int read_column(struct block *b, struct varint_reader *r, struct block_column c, bool split,
                       struct arena *a)
{
    struct varint_reader streams[VALUE_STREAMS];
    unsigned count = split ? VALUE_STREAMS : 1;
    int rc = open_streams(streams, count, r, a);
    if (rc != 0)
        return rc;
    for (uint64_t i = 0; i < b->sample_count; i++) {
        struct varint_reader *s = &streams[value_stream(b->sample_keys[i], split)];
        b->values[i * b->types + c.type] =
            (int64_t)((uint64_t)varint_get_signed(s) * (uint64_t)c.divisor);
    }
    return all_read(streams, count);
}

static int read_columns(struct block *b, struct varint_reader *r, bool split, struct arena *a)
{
    int64_t first = 1;
    for (uint32_t t = 0; t < b->types; t++) {
        struct block_column c = {.type = t};
        int rc = block_read_column(&c, r);
        first = t == 0 ? c.divisor : first;
        if (rc == 0 && c.how == COLUMN_LIKE_FIRST)
            block_like_first(b->values, b->sample_count, b->types, c, first);
        else if (rc == 0)
            rc = read_column(b, r, c, split, a);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int block_read_data(struct block *b, const void *p, size_t size, struct arena *a)
{
    struct varint_reader r;
    uint64_t want = 0;
    int rc = seal_read(&r, p, size, a);
    if (rc != 0)
        return rc;
    b->sample_count = varint_get(&r);
    bool split = varint_get_below(&r, 2);
    for (uint32_t i = 0; i < b->profile_count; i++)
        want += b->profiles[i].sample_count;
    if (r.failed || want != b->sample_count || b->sum.types != b->types)
        return -EBADMSG;
    rc = read_gaps(b, &r, split, a);
    if (rc != 0)
        return rc;
    b->values = arena_array(a, want, b->types * sizeof *b->values);
    rc = read_columns(b, &r, split, a);
    if (rc != 0 || r.at != r.end)
        return rc ? rc : -EBADMSG;
    uint32_t *keys = rank_keys(&b->sum, a);
    for (uint64_t i = 0; i < want; i++)
        b->sample_keys[i] = keys[b->sample_keys[i]];
    return 0;
}
