/* SPDX-License-Identifier: MIT
 *
 * Stored blobs: whatever the bytes, a decoder says no or gives arrays that keep their invariants,
 * and what it gave survives being written and read again. The first byte chooses the section; the
 * rest is sealed here, since a fuzzer does not guess checksums, unless the byte's top bit says that
 * the seal itself is under test. */
#include "store/block.h"
#include "store/sqlite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_store_block: %s\n", what);
    abort();
}

static void check_samples(const struct block_samples *s, struct arena *a)
{
    struct block_samples again;
    struct buf out;
    for (uint32_t i = 1; i < s->count; i++)
        require(s->keys[i - 1].stack < s->keys[i].stack ||
                    (s->keys[i - 1].stack == s->keys[i].stack &&
                     s->keys[i - 1].labels < s->keys[i].labels),
                "keys do not ascend");
    buf_init(&out, a);
    block_write_samples(&out, s);
    require(block_read_samples(&again, out.data, out.len, a) == 0, "samples do not come back");
    require(again.count == s->count && again.types == s->types, "other samples come back");
    size_t values = (size_t)s->count * s->types * sizeof *s->values;
    require(s->count == 0 || (memcmp(again.keys, s->keys, s->count * sizeof *s->keys) == 0 &&
                              (values == 0 || memcmp(again.values, s->values, values) == 0)),
            "samples come back changed");
}

static void check_meta(struct block *b, struct arena *a)
{
    struct block again = {0};
    struct buf out;
    buf_init(&out, a);
    block_write_meta(&out, b);
    require(block_read_meta(&again, out.data, out.len, a) == 0, "meta does not come back");
    require(again.profile_count == b->profile_count, "another number of profiles comes back");
    for (uint32_t i = 0; i < b->profile_count; i++) {
        const struct block_profile *p = &b->profiles[i], *q = &again.profiles[i];
        require(p->time_ns == q->time_ns && p->duration_ns == q->duration_ns &&
                    p->header == q->header && p->content == q->content &&
                    p->sample_count == q->sample_count && p->comments.len == q->comments.len,
                "meta comes back changed");
    }
}

/* A block of two profiles, its data section being the input; what was read survives being written.
 * Large ones have their samples in several streams. */
static void check_data(const void *p, size_t size, bool large, bool layout_1, struct arena *a)
{
    uint32_t n = large ? 700 : 3, keys = large ? 900 : 4;
    struct block_profile profiles[2] = {{.sample_count = n}, {.sample_count = n - 1}};
    struct block b = {
        .types = 2, .profile_count = 2, .profiles = profiles, .sum = {.types = 2, .count = keys}};
    struct buf out;
    b.sum.keys = arena_array(a, keys, sizeof *b.sum.keys);
    b.sum.values = arena_zarray(a, keys, 2 * sizeof *b.sum.values);
    for (uint32_t i = 0; i < keys; i++) {
        b.sum.keys[i] = (struct block_key){i / 2 + 1, i % 2};
        b.sum.values[2 * i] = large ? i * 7919 % 1000 : 0; /* ranks are not keys */
    }
    if ((layout_1 ? block_read_data_1 : block_read_data)(&b, p, size, a) != 0)
        return;
    require(b.sample_count == 2 * n - 1, "another number of samples");
    for (uint32_t i = 0; i < 2 * n - 1; i++)
        require(b.sample_keys[i] < keys, "a sample without a key");
    struct block again = b;
    buf_init(&out, a);
    block_write_data(&out, &b);
    require(block_read_data(&again, out.data, out.len, a) == 0, "data does not come back");
    require(layout_1 || (memcmp(again.values, b.values, (2 * n - 1) * 2 * sizeof *b.values) == 0 &&
                         memcmp(again.sample_keys, b.sample_keys,
                                (2 * n - 1) * sizeof *b.sample_keys) == 0),
            "data comes back changed");
}

static void check_page(const void *p, size_t size, struct arena *a)
{
    struct symbol_body bodies[SYMBOL_PAGE] = {{0}}, again[SYMBOL_PAGE] = {{0}};
    struct buf out;
    if (symbol_page_read(bodies, p, size, a) != 0)
        return;
    buf_init(&out, a);
    symbol_page_write(&out, bodies);
    require(symbol_page_read(again, out.data, out.len, a) == 0, "a page does not come back");
    for (uint32_t i = 0; i < SYMBOL_PAGE; i++)
        require(!again[i].ptr == !bodies[i].ptr && again[i].len == bodies[i].len &&
                    (!bodies[i].len || memcmp(again[i].ptr, bodies[i].ptr, bodies[i].len) == 0),
                "a page comes back changed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    if (size < 6)
        return 0;
    arena_init(&a);
    uint8_t *blob = arena_alloc(&a, size - 1);
    memcpy(blob, data + 1, size - 1);
    if (!(data[0] & 0x80)) {
        uint32_t sum = XXH32(blob + 4, size - 5, 0);
        for (int i = 0; i < 4; i++)
            blob[i] = (uint8_t)(sum >> 8 * i);
    }
    struct block_samples s;
    struct block_summary summary;
    struct block b = {0};
    switch (data[0] & 7) {
    case 0:
        if (block_read_samples(&s, blob, size - 1, &a) == 0)
            check_samples(&s, &a);
        break;
    case 1:
        if (block_read_sum(&s, &summary, blob, size - 1, &a) == 0)
            check_samples(&s, &a);
        break;
    case 2:
        if (block_read_meta(&b, blob, size - 1, &a) == 0)
            check_meta(&b, &a);
        break;
    case 3: check_data(blob, size - 1, false, true, &a); break;
    case 4: check_data(blob, size - 1, false, false, &a); break;
    case 5: check_data(blob, size - 1, true, false, &a); break;
    default: check_page(blob, size - 1, &a);
    }
    arena_free(&a);
    return 0;
}
