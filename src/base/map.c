/* SPDX-License-Identifier: MIT
 *
 * The hash table of indexes. It owns nothing but its slots, which come from the caller's arena;
 * growing leaves the old slots there, and they sum to less than the new ones. Part of libstrobe:
 * libc only (xxhash is compiled in, and its allocating half is never called). */
#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <string.h>

enum { SLOTS_MIN = 16 };

static int make_slots(struct map *m, uint64_t count)
{
    struct map_slot *slots = arena_array(m->arena, count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    m->slots = memset(slots, 0xff, count * sizeof *slots); /* every index MAP_NONE */
    m->mask = (uint32_t)(count - 1);
    return 0;
}

int map_init(struct map *m, struct arena *arena, uint32_t expected)
{
    uint64_t count = SLOTS_MIN;
    while (count < 2ull * expected)
        count *= 2;
    *m = (struct map){.arena = arena};
    return make_slots(m, count);
}

static void place(struct map *m, struct map_slot s)
{
    uint32_t i = s.tag & m->mask;
    while (m->slots[i].index != MAP_NONE)
        i = (i + 1) & m->mask;
    m->slots[i] = s;
}

static int grow(struct map *m)
{
    struct map_slot *old = m->slots;
    uint64_t old_count = (uint64_t)m->mask + 1;
    int rc = make_slots(m, old_count * 2);
    for (uint64_t i = 0; rc == 0 && i < old_count; i++)
        if (old[i].index != MAP_NONE)
            place(m, old[i]);
    return rc;
}

int map_put(struct map *m, uint64_t hash, uint32_t index)
{
    if (2 * ((uint64_t)m->count + 1) > (uint64_t)m->mask + 1 && grow(m) != 0)
        return -ENOMEM;
    place(m, (struct map_slot){.tag = (uint32_t)(hash ^ hash >> 32), .index = index});
    m->count++;
    return 0;
}

uint64_t hash_bytes(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}
