/* SPDX-License-Identifier: MIT
 *
 * Sorting a list that may be empty.
 *
 * An empty list has no memory here (its pointer is NULL), and qsort's first argument may not be
 * NULL even when there is nothing to sort: the sanitizers stop a program for it. Every list of
 * ours is sorted by this one function. */
#ifndef STROBE_BASE_SORT_H
#define STROBE_BASE_SORT_H

#include <stdlib.h>

/* Sorts COUNT items of SIZE bytes at LIST by COMPARE, as qsort does (not stable). LIST may be NULL
 * when COUNT is 0. */
static inline void sort_list(void *list, size_t count, size_t size,
                             int (*compare)(const void *, const void *))
{
    if (count > 1)
        qsort(list, count, size, compare);
}

#endif
