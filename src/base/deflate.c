/* SPDX-License-Identifier: MIT
 *
 * LZ77 over hash chains with one step of lazy matching, then each block with its own Huffman code
 * or, where that is smaller, as plain bytes. Matches shorter than four bytes are not looked for:
 * they gain little on profiles. Tables of length and distance codes are computed, not stored: they
 * are regular (RFC 1951, 3.2.5). May run in signal handlers: nothing is called but memset, memcpy
 * and the sink. */
#include "base/deflate.h"

#include <stdbool.h>
#include <string.h>

enum {
    MATCH_MIN = 4,
    MATCH_MAX = 258,
    CHAIN_MAX = 24, /* candidates looked at */
    LAZY_MAX = 32,  /* matches that long are taken at once */
    END_OF_BLOCK = 256,
    CODE_MAX = 15, /* longest code of literals and distances */
    LENGTH_CODES = 19,
    LENGTH_CODE_MAX = 7,
    MEMBER_MAX = 1 << 30,
};

/* ---- bits ---- */

static void flush_buffer(struct deflate *d)
{
    if (d->error == 0 && d->buffered > 0)
        d->error = d->sink(d->context, d->buffer, d->buffered);
    d->buffered = 0;
}

static void put_byte(struct deflate *d, unsigned byte)
{
    if (d->buffered == sizeof d->buffer)
        flush_buffer(d);
    d->buffer[d->buffered++] = (uint8_t)byte;
}

/* At most 32 bits, the lowest first. */
static void put_bits(struct deflate *d, uint32_t value, unsigned count)
{
    d->bits |= (uint64_t)value << d->bit_count;
    d->bit_count += count;
    while (d->bit_count >= 8) {
        put_byte(d, (unsigned)(d->bits & 0xff));
        d->bits >>= 8;
        d->bit_count -= 8;
    }
}

static void put_32(struct deflate *d, uint32_t value)
{
    put_bits(d, value, 32);
}

static void align_to_byte(struct deflate *d)
{
    if (d->bit_count > 0)
        put_bits(d, 0, 8 - d->bit_count);
}

/* ---- checksum ---- */

static void make_crc_table(struct deflate *d)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        d->crc_table[i] = c;
    }
}

static uint32_t crc32_of(const struct deflate *d)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < d->size; i++)
        c = d->crc_table[(c ^ d->in[i]) & 0xff] ^ c >> 8;
    return c ^ 0xffffffffu;
}

/* ---- codes of lengths and distances ---- */

struct symbol {
    unsigned code, extra_bits, extra;
};

/* Both tables of the RFC have this shape: after the first `plain` values each group of 1 << group
 * codes has one extra bit more than the last group. `v` counts from 0. */
static struct symbol regular(unsigned v, unsigned group)
{
    if (v < 2u << group)
        return (struct symbol){v, 0, 0};
    unsigned extra_bits = 31u - (unsigned)__builtin_clz(v) - group;
    return (struct symbol){(extra_bits << group) + (v >> extra_bits), extra_bits,
                           v & ((1u << extra_bits) - 1)};
}

static struct symbol length_symbol(unsigned length)
{
    if (length == MATCH_MAX)
        return (struct symbol){285, 0, 0};
    struct symbol s = regular(length - 3, 2);
    s.code += 257;
    return s;
}

static struct symbol distance_symbol(unsigned distance)
{
    return regular(distance - 1, 1);
}

/* ---- Huffman codes ---- */

/* Symbols in order of their counts, those used. Insertion: at most 286, nearly sorted never, once a
 * block of 16 K tokens. */
static unsigned sort_symbols(const uint32_t *count, unsigned symbols, uint16_t *order)
{
    unsigned n = 0;
    for (unsigned s = 0; s < symbols; s++) {
        if (count[s] == 0)
            continue;
        unsigned at = n++;
        for (; at > 0 && count[order[at - 1]] > count[s]; at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)s;
    }
    return n;
}

/* Depths of a Huffman tree over n >= 2 sorted weights, in place: Moffat and Katajainen, In-place
 * calculation of minimum-redundancy codes, 1995. On return w[i] is the depth of leaf i. */
static void tree_depths(uint32_t *w, unsigned n)
{
    unsigned root = 0, leaf = 0, next;
    for (next = 0; next < n - 1; next++) { /* w[next]: weight, then parent, of inner nodes */
        uint32_t sum = 0;
        for (int k = 0; k < 2; k++) {
            if (leaf >= n || (root < next && w[root] < w[leaf])) {
                sum += w[root];
                w[root++] = next;
            } else {
                sum += w[leaf++];
            }
        }
        w[next] = sum;
    }
    w[n - 2] = 0;
    for (unsigned i = n - 2; i-- > 0;) /* parents to depths */
        w[i] = w[w[i]] + 1;
    unsigned available = 1, used = 0, depth = 0, inner = n - 1;
    next = n;
    while (available > 0) { /* depths of inner nodes to depths of leaves */
        while (inner > 0 && w[inner - 1] == depth) {
            used++;
            inner--;
        }
        for (; available > used; available--)
            w[--next] = depth;
        available = 2 * used;
        depth++;
        used = 0;
    }
}

/* How many codes there are of each length, none longer than `max`: too long ones are cut, and the
 * room that takes is made by lengthening others (Kraft's sum stays 1). */
static void limit_lengths(const uint32_t *depth, unsigned n, unsigned max, unsigned *per_length)
{
    uint32_t room = 0;
    memset(per_length, 0, (CODE_MAX + 1) * sizeof *per_length);
    for (unsigned i = 0; i < n; i++)
        per_length[depth[i] < max ? depth[i] : max]++;
    for (unsigned l = 1; l <= max; l++)
        room += per_length[l] << (max - l);
    for (; room > 1u << max; room--) {
        unsigned l = max - 1;
        while (per_length[l] == 0)
            l--;
        per_length[l]--;
        per_length[l + 1] += 2;
        per_length[max]--;
    }
}

/* Canonical codes from lengths (RFC 1951, 3.2.2). */
static void assign_bits(struct deflate_code *c, unsigned symbols)
{
    unsigned next = 0;
    for (unsigned l = 1; l <= CODE_MAX; l++) {
        for (unsigned s = 0; s < symbols; s++) {
            if (c->length[s] != l)
                continue;
            unsigned reversed = 0;
            for (unsigned b = 0; b < l; b++)
                reversed |= (next >> b & 1) << (l - 1 - b);
            c->bits[s] = (uint16_t)reversed;
            next++;
        }
        next <<= 1;
    }
}

/* Some readers want at least two codes, so two symbols are given a count. */
static void make_code(struct deflate_code *c, uint32_t *count, unsigned symbols, unsigned max)
{
    uint16_t order[DEFLATE_LITERALS];
    uint32_t weight[DEFLATE_LITERALS];
    unsigned per_length[CODE_MAX + 1], n;
    for (unsigned s = 0; (n = sort_symbols(count, symbols, order)) < 2; s++)
        count[s] += count[s] == 0;
    for (unsigned i = 0; i < n; i++)
        weight[i] = count[order[i]];
    tree_depths(weight, n);
    limit_lengths(weight, n, max, per_length);
    memset(c->length, 0, sizeof c->length);
    unsigned i = 0;
    for (unsigned l = max; l > 0; l--) /* the rarest are first, and get the longest */
        for (unsigned k = 0; k < per_length[l]; k++)
            c->length[order[i++]] = (uint8_t)l;
    assign_bits(c, symbols);
}

/* ---- the header of a dynamic block ---- */

struct code_lengths {
    uint8_t symbol[DEFLATE_LITERALS + DEFLATE_DISTANCES]; /* 0..15 a length, 16..18 a run */
    uint8_t extra[DEFLATE_LITERALS + DEFLATE_DISTANCES];
    unsigned n, literals, distances, order_count;
};

static const uint8_t length_order[LENGTH_CODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                   11, 4,  12, 3, 13, 2, 14, 1, 15};
static const uint8_t run_bits[3] = {2, 3, 7}; /* extra bits of symbols 16, 17, 18 */

static unsigned used_length(const struct deflate_code *c, unsigned symbols, unsigned least)
{
    while (symbols > least && c->length[symbols - 1] == 0)
        symbols--;
    return symbols;
}

static void add_run(struct code_lengths *h, unsigned symbol, unsigned extra)
{
    h->symbol[h->n] = (uint8_t)symbol;
    h->extra[h->n++] = (uint8_t)extra;
}

/* Runs of zeros are 17 and 18, repeats of another length 16. */
static void encode_lengths(struct code_lengths *h, const uint8_t *length, unsigned n)
{
    for (unsigned i = 0, run; i < n; i += run) {
        unsigned value = length[i], most = value ? 7 : 138;
        for (run = 1; i + run < n && length[i + run] == value && run < most;)
            run++;
        if (value == 0 && run >= 11) {
            add_run(h, 18, run - 11);
        } else if (value == 0 && run >= 3) {
            add_run(h, 17, run - 3);
        } else {
            add_run(h, value, 0);
            if (run >= 4)
                add_run(h, 16, run - 4);
            else
                run = 1;
        }
    }
}

static void make_header(struct deflate *d, struct code_lengths *h)
{
    uint8_t all[DEFLATE_LITERALS + DEFLATE_DISTANCES];
    uint32_t count[LENGTH_CODES] = {0};
    h->n = 0;
    h->literals = used_length(&d->literals, DEFLATE_LITERALS, 257);
    h->distances = used_length(&d->distances, DEFLATE_DISTANCES, 1);
    memcpy(all, d->literals.length, h->literals);
    memcpy(all + h->literals, d->distances.length, h->distances);
    encode_lengths(h, all, h->literals + h->distances);
    for (unsigned i = 0; i < h->n; i++)
        count[h->symbol[i]]++;
    make_code(&d->lengths, count, LENGTH_CODES, LENGTH_CODE_MAX);
    h->order_count = LENGTH_CODES;
    while (h->order_count > 4 && d->lengths.length[length_order[h->order_count - 1]] == 0)
        h->order_count--;
}

static uint64_t header_bits(const struct deflate *d, const struct code_lengths *h)
{
    uint64_t bits = 14 + 3ull * h->order_count;
    for (unsigned i = 0; i < h->n; i++)
        bits += d->lengths.length[h->symbol[i]] +
                (h->symbol[i] >= 16 ? run_bits[h->symbol[i] - 16] : 0u);
    return bits;
}

static void put_header(struct deflate *d, const struct code_lengths *h)
{
    put_bits(d, h->literals - 257, 5);
    put_bits(d, h->distances - 1, 5);
    put_bits(d, h->order_count - 4, 4);
    for (unsigned i = 0; i < h->order_count; i++)
        put_bits(d, d->lengths.length[length_order[i]], 3);
    for (unsigned i = 0; i < h->n; i++) {
        unsigned s = h->symbol[i];
        put_bits(d, d->lengths.bits[s], d->lengths.length[s]);
        if (s >= 16)
            put_bits(d, h->extra[i], run_bits[s - 16]);
    }
}

/* ---- blocks ---- */

static uint64_t body_bits(const struct deflate *d, const struct deflate_code *literals,
                          const struct deflate_code *distances)
{
    uint64_t bits = 0;
    for (unsigned s = 0; s < DEFLATE_LITERALS; s++) {
        unsigned extra = s >= 265 && s < 285 ? (s - 261) / 4 : 0;
        bits += (uint64_t)d->literal_count[s] * (literals->length[s] + extra);
    }
    for (unsigned s = 0; s < DEFLATE_DISTANCES; s++) {
        unsigned extra = s >= 4 ? s / 2 - 1 : 0;
        bits += (uint64_t)d->distance_count[s] * (distances->length[s] + extra);
    }
    return bits;
}

static void put_body(struct deflate *d)
{
    const struct deflate_code *literals = &d->literals, *distances = &d->distances;
    for (uint32_t i = 0; i < d->token_count; i++) {
        uint32_t token = d->tokens[i];
        if (token < 256) {
            put_bits(d, literals->bits[token], literals->length[token]);
            continue;
        }
        struct symbol length = length_symbol(token & 0xffff);
        struct symbol distance = distance_symbol(token >> 16);
        put_bits(d, literals->bits[length.code], literals->length[length.code]);
        put_bits(d, length.extra, length.extra_bits);
        put_bits(d, distances->bits[distance.code], distances->length[distance.code]);
        put_bits(d, distance.extra, distance.extra_bits);
    }
    put_bits(d, literals->bits[END_OF_BLOCK], literals->length[END_OF_BLOCK]);
}

static void put_stored(struct deflate *d, size_t end, bool last)
{
    size_t at = d->block_start;
    do {
        uint32_t n = end - at < 0xffff ? (uint32_t)(end - at) : 0xffff;
        put_bits(d, last && at + n == end, 3); /* type 0 */
        align_to_byte(d);
        put_32(d, n | (n ^ 0xffff) << 16);
        for (uint32_t i = 0; i < n; i++)
            put_byte(d, d->in[at + i]);
        at += n;
    } while (at < end);
}

/* Writes the block of input [block_start, end), whose tokens have been gathered. */
static void end_block(struct deflate *d, size_t end, bool last)
{
    struct code_lengths header;
    d->literal_count[END_OF_BLOCK]++;
    make_code(&d->literals, d->literal_count, DEFLATE_LITERALS, CODE_MAX);
    make_code(&d->distances, d->distance_count, DEFLATE_DISTANCES, CODE_MAX);
    make_header(d, &header);
    uint64_t dynamic = header_bits(d, &header) + body_bits(d, &d->literals, &d->distances);
    uint64_t size = end - d->block_start, stored = 8 * (size + 5 * (size / 0xffff + 1));
    if (stored <= dynamic) {
        put_stored(d, end, last);
    } else {
        put_bits(d, last | 2 << 1, 3);
        put_header(d, &header);
        put_body(d);
    }
    memset(d->literal_count, 0, sizeof d->literal_count);
    memset(d->distance_count, 0, sizeof d->distance_count);
    d->token_count = 0;
    d->block_start = end;
}

/* ---- matches ---- */

static uint32_t hash_at(const struct deflate *d, size_t at)
{
    uint32_t v;
    memcpy(&v, d->in + at, 4);
    return v * 2654435761u >> (32 - DEFLATE_HASH_BITS);
}

/* Enters all positions below `end` into the chains. */
static void insert_until(struct deflate *d, size_t end)
{
    size_t last = d->size < MATCH_MIN ? 0 : d->size - MATCH_MIN + 1;
    for (end = end < last ? end : last; d->next_insert < end; d->next_insert++) {
        uint32_t h = hash_at(d, d->next_insert);
        d->prev[d->next_insert % DEFLATE_WINDOW] = d->head[h];
        d->head[h] = (uint32_t)d->next_insert + 1;
    }
}

static unsigned common_length(const uint8_t *a, const uint8_t *b, unsigned most)
{
    unsigned n = 0;
    while (n + 8 <= most) {
        uint64_t x, y;
        memcpy(&x, a + n, 8);
        memcpy(&y, b + n, 8);
        if (x != y)
            break;
        n += 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* The longest match at `at` as distance << 16 | length, or 0. Positions below `at` are in. */
static uint32_t find_match(const struct deflate *d, size_t at)
{
    size_t left = d->size - at;
    unsigned most = left < MATCH_MAX ? (unsigned)left : MATCH_MAX, best = MATCH_MIN - 1;
    uint32_t found = 0;
    if (most < MATCH_MIN)
        return 0;
    uint32_t next = d->head[hash_at(d, at)];
    for (int i = 0; i < CHAIN_MAX && next > 0; i++) {
        size_t candidate = next - 1;
        if (at - candidate >= DEFLATE_WINDOW)
            break;
        if (d->in[candidate + best] == d->in[at + best]) {
            unsigned n = common_length(d->in + candidate, d->in + at, most);
            if (n > best) {
                best = n;
                found = (uint32_t)(at - candidate) << 16 | n;
                if (n == most)
                    break;
            }
        }
        next = d->prev[candidate % DEFLATE_WINDOW];
    }
    return found;
}

static void add_token(struct deflate *d, uint32_t token)
{
    d->tokens[d->token_count++] = token;
    if (token < 256) {
        d->literal_count[token]++;
        return;
    }
    d->literal_count[length_symbol(token & 0xffff).code]++;
    d->distance_count[distance_symbol(token >> 16).code]++;
}

static void compress(struct deflate *d)
{
    size_t at = 0;
    while (at < d->size && d->error == 0) {
        insert_until(d, at);
        uint32_t match = find_match(d, at);
        if (match && (match & 0xffff) < LAZY_MAX) {
            insert_until(d, at + 1);
            uint32_t later = find_match(d, at + 1);
            if ((later & 0xffff) > (match & 0xffff))
                match = 0; /* a literal, and the longer one at the next round */
        }
        add_token(d, match ? match : d->in[at]);
        at += match ? match & 0xffff : 1;
        if (d->token_count == DEFLATE_TOKENS)
            end_block(d, at, false);
    }
    end_block(d, at, true);
}

static void write_member(struct deflate *d)
{
    static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; /* no time, any OS */
    memset(d->head, 0, sizeof d->head);
    memset(d->literal_count, 0, sizeof d->literal_count);
    memset(d->distance_count, 0, sizeof d->distance_count);
    d->next_insert = d->block_start = 0;
    d->token_count = 0;
    for (size_t i = 0; i < sizeof header; i++)
        put_byte(d, header[i]);
    compress(d);
    align_to_byte(d);
    put_32(d, crc32_of(d));
    put_32(d, (uint32_t)d->size);
}

int deflate_gzip(struct deflate *d, const void *in, size_t size, deflate_sink *sink, void *context)
{
    const uint8_t *at = in;
    d->sink = sink;
    d->context = context;
    d->error = 0;
    d->bits = d->bit_count = 0;
    d->buffered = 0;
    make_crc_table(d);
    do {
        d->in = at;
        d->size = size < MEMBER_MAX ? size : MEMBER_MAX;
        write_member(d);
        at += d->size;
        size -= d->size;
    } while (size > 0 && d->error == 0);
    flush_buffer(d);
    return d->error;
}
