/* SPDX-License-Identifier: MIT
 *
 * What the files of profile/ share and nobody else includes. */
#ifndef PROFILE_PROFILE_INTERNAL_H
#define PROFILE_PROFILE_INTERNAL_H

#include "base/limits.h"
#include "base/map.h"
#include "profile/profile.h"

#include <string.h>

/* The strings of a profile by content, and the capacity of its strings array. */
struct profile_interns {
    struct map map;
    uint32_t cap;
    uint32_t empty_twin; /* an empty string other than string 0, or 0 */
};

static inline bool profile_str_equal(struct profile_str a, struct profile_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* Go's order of strings: by bytes, then the shorter one first. */
static inline int profile_str_compare(struct profile_str a, struct profile_str b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* The string of `p` that equals `key` among those in `map`, or PROFILE_NONE. */
static inline uint32_t profile_find_string(const struct profile *p, const struct map *map,
                                           uint64_t hash, struct profile_str key)
{
    struct map_probe at = map_find(map, hash);
    uint32_t i;
    while ((i = map_next(map, &at)) != MAP_NONE)
        if (profile_str_equal(p->strings[i], key))
            return i;
    return PROFILE_NONE;
}

/* Makes p->interns from the strings that are there; of equal ones the first is entered. NULL when
 * memory is out. */
struct profile_interns *profile_make_interns(struct profile *p);

/* An empty string whose index is not 0: what a label with an empty string value has, since 0 means
 * that it has none. PROFILE_NONE when memory is out. */
uint32_t profile_empty_twin(struct profile *p);

/* pprof's order of a sample's labels: those with strings by key, then numbers by key, stable. */
bool profile_labels_sorted(const struct profile *p, const struct profile_label *l, uint64_t n);
/* Sorts in place; 0, or -ENOMEM when the scratch arena of a large sort is out of memory. */
int profile_sort_labels(const struct profile *p, struct profile_label *l, uint64_t n,
                        struct arena *scratch);

/* What becomes of the bytes a profile is decoded from. */
enum profile_input {
    PROFILE_INPUT_COPIED,   /* strings are copied out of them */
    PROFILE_INPUT_BORROWED, /* strings stay where they are */
    PROFILE_INPUT_CONSUMED, /* copied, and whole pages are given back to the system when read: the
                               bytes are private anonymous memory that nobody reads afterwards */
};

/* profile_decode for inflated bytes, into an empty profile whose arena may have a spare. */
int profile_decode_plain(struct profile *p, const void *bytes, size_t size,
                         enum profile_input input, struct err *e);

#endif
