/* SPDX-License-Identifier: MIT
 *
 * See labeltab.h. A number is a place in an open hash table, taken by compare-and-swap of the
 * hash. Whoever meets a set that is just being written does not wait for it, because who writes may
 * be interrupted, or may not exist in this forked child: it takes another place, and the set has
 * two numbers, which whoever reads the text does not notice. */
#include "base/labeltab.h"

#include <string.h>

enum { PROBES = 64 };

/* ---- sets ---- */

bool labelset_next(const char *set, size_t size, size_t *at, struct label_text *label)
{
    if (*at >= size)
        return false;
    label->key = set + *at;
    label->value = label->key + strlen(label->key) + 1;
    *at = (size_t)(label->value - set) + strlen(label->value) + 1;
    return true;
}

bool labelset_check(const char *set, size_t size)
{
    const char *before = NULL;
    uint32_t count = 0;
    if (!size)
        return true;
    if (size > LIMIT_LABELS_BYTES || set[size - 1])
        return false;
    for (size_t at = 0; at < size; count++) {
        const char *key = set + at;
        const char *value = memchr(key, 0, size - at);
        if (!*key || value + 1 >= set + size || (before && strcmp(before, key) >= 0))
            return false;
        at = (size_t)(value + 1 - set) + strlen(value + 1) + 1;
        before = key;
    }
    return count <= LIMIT_LABELS;
}

static size_t cut_value(const char *value)
{
    size_t n = strnlen(value, LIMIT_LABEL_VALUE + 1);
    if (n <= LIMIT_LABEL_VALUE)
        return n;
    for (n = LIMIT_LABEL_VALUE; n && ((unsigned char)value[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

struct writer {
    char *out;
    size_t len;
    uint32_t count;
    bool full;
};

static void put(struct writer *w, const char *key, const char *value, size_t value_len)
{
    size_t key_len = strlen(key) + 1;
    if (w->full || w->count == LIMIT_LABELS || key_len > LIMIT_LABELS_BYTES ||
        w->len + key_len + value_len + 1 > LIMIT_LABELS_BYTES) {
        w->full = true;
        return;
    }
    memcpy(w->out + w->len, key, key_len);
    memcpy(w->out + w->len + key_len, value, value_len);
    w->len += key_len + value_len + 1;
    w->out[w->len - 1] = 0;
    w->count++;
}

int labelset_with(char *out, const char *set, size_t size, const char *key, const char *value)
{
    struct writer w = {.out = out};
    struct label_text l;
    bool done = !value;
    for (size_t at = 0; labelset_next(set, size, &at, &l);) {
        int order = strcmp(l.key, key);
        if (!done && order >= 0) {
            put(&w, key, value, cut_value(value));
            done = true;
        }
        if (order)
            put(&w, l.key, l.value, strlen(l.value));
    }
    if (!done)
        put(&w, key, value, cut_value(value));
    return w.full ? -1 : (int)w.len;
}

/* ---- the table ---- */

static uint64_t hash_of(const char *set, size_t size)
{
    uint64_t h = 0xcbf29ce484222325ull ^ size; /* FNV-1a, and a finish that spreads it */
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)set[i]) * 0x100000001b3ull;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    h ^= h >> 32;
    return h ? h : 1;
}

static bool is_set(const struct labeltab *t, const struct labeltab_entry *e, const char *set,
                   size_t size)
{
    return atomic_load_explicit(&e->ready, memory_order_acquire) && e->size == size &&
           !memcmp(t->text + e->first, set, size);
}

/* Writes the set of an entry that this caller has taken; without room it is never ready. */
static bool publish(struct labeltab *t, struct labeltab_entry *e, const char *set, size_t size)
{
    uint64_t first = atomic_fetch_add_explicit(&t->used, size, memory_order_relaxed);
    if (first + size > LABELTAB_BYTES)
        return false;
    memcpy(t->text + first, set, size);
    e->first = (uint32_t)first;
    e->size = (uint32_t)size;
    atomic_store_explicit(&e->ready, 1, memory_order_release);
    return true;
}

uint32_t labeltab_add(struct labeltab *t, const char *set, size_t size)
{
    uint64_t hash = hash_of(set, size);
    if (!size)
        return 0;
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        uint32_t i = (uint32_t)(hash + probe) & (LABELTAB_SETS - 1);
        struct labeltab_entry *e = &t->entries[i];
        uint64_t seen = atomic_load_explicit(&e->hash, memory_order_relaxed);
        /* Where the text is full, the places that are left are not used up for nothing. */
        if (!seen && atomic_load_explicit(&t->used, memory_order_relaxed) + size > LABELTAB_BYTES)
            break;
        if (!seen && atomic_compare_exchange_strong_explicit(
                         &e->hash, &seen, hash, memory_order_relaxed, memory_order_relaxed)) {
            if (publish(t, e, set, size))
                return i + 1;
            break;
        }
        if (seen == hash && is_set(t, e, set, size))
            return i + 1;
    }
    atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
    return 0;
}

const char *labeltab_get(const struct labeltab *t, uint32_t number, size_t *size)
{
    if (!number || number > LABELTAB_SETS)
        return NULL;
    const struct labeltab_entry *e = &t->entries[number - 1];
    if (!atomic_load_explicit(&e->ready, memory_order_acquire))
        return NULL;
    *size = e->size;
    return t->text + e->first;
}
