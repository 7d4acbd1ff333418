/* SPDX-License-Identifier: MIT
 *
 * Texts by dense numbers: equal texts have equal numbers, 0 is the empty text. A profile's own
 * string indexes cannot be compared so, because a foreign profile may hold a text twice. */
#ifndef ANALYZE_NAMES_H
#define ANALYZE_NAMES_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

struct names_item {
    const char *ptr; /* not NUL-terminated; as it was given, not copied */
    uint32_t len;
};

struct names {
    struct arena *arena;
    struct names_item *items;
    uint32_t *slots; /* item numbers by hash, UINT32_MAX when free */
    uint32_t count, cap, slot_mask;
};

void names_init(struct names *n, struct arena *arena);
/* The text must live as long as `n`: it is not copied. */
uint32_t names_intern(struct names *n, const char *s, size_t len);
/* The number of a text that is there, else UINT32_MAX. */
uint32_t names_find(const struct names *n, const char *s, size_t len);

#endif
