/* SPDX-License-Identifier: MIT
 *
 * Sets of labels, each kept once under a number: what a handler can put into a sample in one word.
 * A set is text: "key\0value\0" for each label, sorted by key (bytewise), no key twice. Equal sets
 * have, but for a race of two threads that add one at once, the same number.
 *
 *   1 <= number <= LABELTAB_SETS;  0 is the empty set;  a number's set never changes or goes away
 *
 * The table is lock-free: adding allocates nothing, waits for nobody and may be interrupted, killed
 * or forked anywhere. Zeroed memory is an empty table. */
#ifndef BASE_LABELTAB_H
#define BASE_LABELTAB_H

#include "base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABELTAB_SETS  65536u     /* a power of two */
#define LABELTAB_BYTES (8u << 20) /* of text; touched as it is used */

struct labeltab_entry {
    _Atomic uint64_t hash;  /* 0 = empty; taken by compare-and-swap */
    _Atomic uint32_t ready; /* 1 once first and size are written (release) */
    uint32_t first, size;   /* of its text */
    _Atomic uint32_t image; /* the owner's: for which recording it was written down */
};

struct labeltab {
    _Atomic uint64_t used; /* bytes of text */
    _Atomic uint64_t lost; /* sets that could not be kept */
    struct labeltab_entry entries[LABELTAB_SETS];
    char text[LABELTAB_BYTES];
};

struct label_text {
    const char *key, *value;
};

/* Writes to `out`, which has room for LIMIT_LABELS_BYTES, the set of `size` bytes at `set` with
 * `key` changed to `value` or added; NULL: without it. A value longer than LIMIT_LABEL_VALUE is cut
 * there, between two characters of UTF-8. Returns its size, or -1: it would have too many labels or
 * bytes. `key` is not empty. */
int labelset_with(char *out, const char *set, size_t size, const char *key, const char *value);
/* The next label after `*at`, which begins with 0; false at the end. */
bool labelset_next(const char *set, size_t size, size_t *at, struct label_text *label);
/* Whether these bytes, read from somewhere, are a set. */
bool labelset_check(const char *set, size_t size);

/* The number of a set, added if it is new; 0: it is empty, or (counted) there is no room. */
uint32_t labeltab_add(struct labeltab *t, const char *set, size_t size);
/* The set of a number, and its size; NULL: there is none. */
const char *labeltab_get(const struct labeltab *t, uint32_t number, size_t *size);

#endif
