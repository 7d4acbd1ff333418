/* SPDX-License-Identifier: MIT
 *
 * The inner loop of every merge: a block's keys come in, each is found or appended, its values are
 * added. It knows numbers only, and does not look up what they stand for. */
#include "store/sums.h"

#include <string.h>

enum { DENSE_MAX = 1 << 26 };

void sums_init(struct sums *s, uint32_t types)
{
    *s = (struct sums){.types = types};
    map_init(&s->others, &s->arena, 0);
    s->others.arena = &s->arena;
}

void sums_free(struct sums *s)
{
    arena_free(&s->arena);
}

static uint32_t append(struct sums *s, struct block_key key)
{
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 256;
        s->keys = arena_grow(&s->arena, s->keys, s->cap * sizeof *s->keys, cap * sizeof *s->keys);
        s->values = arena_grow(&s->arena, s->values, (size_t)s->cap * s->types * sizeof *s->values,
                               (size_t)cap * s->types * sizeof *s->values);
        s->cap = cap;
    }
    s->keys[s->count] = key;
    memset(s->values + (size_t)s->count * s->types, 0, s->types * sizeof *s->values);
    return s->count++;
}

static void grow_dense(struct sums *s, uint32_t stack)
{
    uint32_t count = s->dense_count ? s->dense_count : 4096;
    while (count <= stack)
        count *= 2;
    s->dense = arena_grow(&s->arena, s->dense, s->dense_count * sizeof *s->dense,
                          count * sizeof *s->dense);
    memset(s->dense + s->dense_count, 0, (count - s->dense_count) * sizeof *s->dense);
    s->dense_count = count;
}

static uint32_t place_of(struct sums *s, struct block_key key)
{
    if (key.labels == 0 && key.stack < DENSE_MAX) {
        if (key.stack >= s->dense_count)
            grow_dense(s, key.stack);
        if (s->dense[key.stack])
            return s->dense[key.stack] - 1;
        uint32_t at = append(s, key);
        s->dense[key.stack] = at + 1;
        return at;
    }
    uint64_t hash = hash_mix(0, (uint64_t)key.stack << 32 | key.labels);
    struct map_probe probe = map_find(&s->others, hash);
    uint32_t i;
    while ((i = map_next(&s->others, &probe)) != MAP_NONE)
        if (s->keys[i].stack == key.stack && s->keys[i].labels == key.labels)
            return i;
    map_put(&s->others, hash, s->count);
    return append(s, key);
}

static inline void add(struct sums *s, uint32_t at, const int64_t *from)
{
    int64_t *to = s->values + (size_t)at * s->types;
    for (uint32_t t = 0; t < s->types; t++)
        to[t] = (int64_t)((uint64_t)to[t] + (uint64_t)from[t]);
}

void sums_add(struct sums *s, const struct block_samples *more)
{
    for (uint32_t i = 0; i < more->count; i++) {
        struct block_key key = more->keys[i];
        uint32_t known = key.labels == 0 && key.stack < s->dense_count ? s->dense[key.stack] : 0;
        add(s, known ? known - 1 : place_of(s, key), more->values + (size_t)i * s->types);
    }
}

void sums_add_places(struct sums *s, const struct block_samples *more, uint32_t *places)
{
    for (uint32_t i = 0; i < more->count; i++) {
        places[i] = place_of(s, more->keys[i]);
        add(s, places[i], more->values + (size_t)i * s->types);
    }
}

static int64_t rounded(__int128 sum, uint64_t n)
{
    __int128 half = (__int128)(n / 2);
    return (int64_t)((sum < 0 ? sum - half : sum + half) / (__int128)n);
}

void sums_average(struct sums *s, const bool *levels, uint64_t n)
{
    for (uint32_t t = 0; n > 1 && t < s->types; t++) {
        __int128 sum = 0;
        int64_t given = 0;
        for (uint32_t i = 0; levels[t] && i < s->count; i++) {
            int64_t *v = &s->values[(size_t)i * s->types + t];
            sum += *v;
            int64_t now = rounded(sum, n);
            *v = (int64_t)((uint64_t)now - (uint64_t)given);
            given = now;
        }
    }
}
