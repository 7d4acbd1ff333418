/* SPDX-License-Identifier: MIT
 *
 * Adds up samples by label. Equal texts are one here even where a foreign profile holds them twice,
 * because a filter could not tell them apart. Numbers are left out: they are measures, such as
 * sizes, of which a page could at best offer thousands. */
#include "web/labels.h"
#include "analyze/names.h"
#include "analyze/pair_index.h"
#include "base/limits.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

struct tally {
    uint32_t key, value; /* numbers of names */
    uint64_t sum;
};

struct tallies {
    struct arena arena;
    struct names names;
    struct pair_index index; /* of (key, value) */
    struct tally *list;      /* by their numbers */
    uint32_t cap;
};

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static void add(struct tallies *t, struct profile_str key, struct profile_str value,
                uint64_t weight)
{
    uint32_t known = t->index.count;
    uint32_t k = names_intern(&t->names, key.ptr, key.len);
    uint32_t v = names_intern(&t->names, value.ptr, value.len);
    uint32_t number = pair_index_put(&t->index, k, v);
    if (number == UINT32_MAX)
        return;
    if (number >= t->cap) {
        uint32_t cap = t->cap ? 2 * t->cap : 256;
        t->list = arena_grow(&t->arena, t->list, t->cap * sizeof *t->list, cap * sizeof *t->list);
        t->cap = cap;
    }
    if (number == known)
        t->list[number] = (struct tally){.key = k, .value = v};
    t->list[number].sum += weight;
}

static int by_key_then_sum(const void *pa, const void *pb)
{
    const struct tally *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->sum != b->sum)
        return a->sum > b->sum ? -1 : 1;
    return a->value < b->value ? -1 : a->value > b->value;
}

static void write_name(struct json *j, const char *key, const struct tallies *t, uint32_t number)
{
    json_string(j, key, t->names.items[number].ptr, t->names.items[number].len);
}

static void write_key(struct json *j, const struct tallies *t, const struct tally *first,
                      uint32_t count)
{
    json_object(j, NULL);
    write_name(j, "key", t, first->key);
    json_int(j, "count", count);
    json_array(j, "values");
    for (uint32_t i = 0; i < count && i < LIMIT_PAGE_LABEL_VALUES; i++) {
        json_object(j, NULL);
        write_name(j, "value", t, first[i].value);
        json_int(j, "sum", first[i].sum > INT64_MAX ? INT64_MAX : (int64_t)first[i].sum);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

static void write_all(struct json *j, struct tallies *t)
{
    uint32_t n = t->index.count, keys = 0;
    if (n)
        sort_list(t->list, n, sizeof *t->list, by_key_then_sum);
    for (uint32_t first = 0, end; first < n && keys < LIMIT_PAGE_LABEL_KEYS; first = end, keys++) {
        for (end = first + 1; end < n && t->list[end].key == t->list[first].key; end++)
            ;
        write_key(j, t, t->list + first, end - first);
    }
}

void labels_write(struct json *j, const struct profile *p, uint32_t type)
{
    struct tallies t = {0};
    names_init(&t.names, &t.arena);
    pair_index_init(&t.index, &t.arena);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t weight = magnitude(p->values[(size_t)i * p->sample_type_count + type]);
        for (uint64_t l = profile_label_first(p, i); weight && l < p->sample_label_end[i]; l++) {
            const struct profile_label *label = &p->labels[l];
            if (label->str)
                add(&t, profile_string(p, label->key), profile_string(p, label->str), weight);
        }
    }
    json_array(j, "labels");
    write_all(j, &t);
    json_array_end(j);
    arena_free(&t.arena);
}
