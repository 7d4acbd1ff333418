/* SPDX-License-Identifier: MIT
 *
 * An open-addressed table over texts it does not own. It grows by doubling at half load and never
 * forgets, which is all that aggregation needs. */
#define XXH_INLINE_ALL
#include "analyze/names.h"

#include <string.h>
#include <xxhash.h>

enum { FIRST_SLOTS = 1024 };

static uint32_t *find_slot(const struct names *n, const char *s, size_t len)
{
    uint32_t at = (uint32_t)XXH3_64bits(s, len) & n->slot_mask;
    for (;; at = (at + 1) & n->slot_mask) {
        uint32_t item = n->slots[at];
        if (item == UINT32_MAX ||
            (n->items[item].len == len && !memcmp(n->items[item].ptr, s, len)))
            return &n->slots[at];
    }
}

static void make_slots(struct names *n, uint32_t count)
{
    n->slots = arena_array(n->arena, count, sizeof *n->slots);
    memset(n->slots, 0xff, (size_t)count * sizeof *n->slots);
    n->slot_mask = count - 1;
    for (uint32_t i = 0; i < n->count; i++)
        *find_slot(n, n->items[i].ptr, n->items[i].len) = i;
}

void names_init(struct names *n, struct arena *arena)
{
    *n = (struct names){.arena = arena};
    make_slots(n, FIRST_SLOTS);
    names_intern(n, "", 0);
}

uint32_t names_find(const struct names *n, const char *s, size_t len)
{
    return *find_slot(n, s, len);
}

uint32_t names_intern(struct names *n, const char *s, size_t len)
{
    uint32_t *slot = find_slot(n, s, len);
    if (*slot != UINT32_MAX)
        return *slot;
    if (n->count == n->cap) {
        uint32_t cap = n->cap ? n->cap * 2 : 256;
        n->items =
            arena_grow(n->arena, n->items, n->cap * sizeof *n->items, cap * sizeof *n->items);
        n->cap = cap;
    }
    n->items[n->count] = (struct names_item){s, (uint32_t)len};
    *slot = n->count++;
    if (n->count > n->slot_mask / 2)
        make_slots(n, (n->slot_mask + 1) * 2);
    return n->count - 1;
}
