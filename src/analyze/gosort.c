/* SPDX-License-Identifier: MIT
 *
 * Pattern-defeating quicksort (Orson Peters, arXiv 2106.05123) with the constants and the choices
 * of Go's sort package: insertion below 13 elements, a ninther from 50 on, heapsort after too many
 * bad pivots. Which element is compared and swapped when decides where equal ones end, so nothing
 * here may be improved on. */
#include "analyze/gosort.h"

#include <stdint.h>
#include <string.h>

typedef ptrdiff_t place; /* of an element; Go's int */

enum {
    INSERTION_MAX = 12,
    NINTHER_MIN = 50,
    SWAPS_MAX = 12, /* of a ninther: every pair was out of order */
    PARTIAL_STEPS = 5,
    PARTIAL_MIN = 50,
};

static bool less(const struct gosort *s, place a, place b)
{
    return s->less(s->data + (size_t)a * s->size, s->data + (size_t)b * s->size, s->context);
}

static void swap(const struct gosort *s, place a, place b)
{
    char kept[GOSORT_SIZE_MAX], *x = s->data + (size_t)a * s->size,
                                *y = s->data + (size_t)b * s->size;
    if (x == y)
        return;
    memcpy(kept, x, s->size);
    memcpy(x, y, s->size);
    memcpy(y, kept, s->size);
}

static void insertion_sort(const struct gosort *s, place from, place to)
{
    for (place i = from + 1; i < to; i++)
        for (place j = i; j > from && less(s, j, j - 1); j--)
            swap(s, j, j - 1);
}

static void sift_down(const struct gosort *s, place root, place count, place first)
{
    for (place child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && less(s, first + child, first + child + 1))
            child++;
        if (!less(s, first + root, first + child))
            return;
        swap(s, first + root, first + child);
    }
}

static void heap_sort(const struct gosort *s, place from, place to)
{
    place count = to - from;
    for (place i = (count - 1) / 2; i >= 0; i--)
        sift_down(s, i, count, from);
    for (place i = count - 1; i >= 0; i--) {
        swap(s, from, from + i);
        sift_down(s, 0, i, from);
    }
}

/* ---- the pivot ---- */

/* Puts two places in the order of their elements. */
static void order(const struct gosort *s, place *a, place *b, int *swaps)
{
    if (less(s, *b, *a)) {
        place kept = *a;
        *a = *b;
        *b = kept;
        ++*swaps;
    }
}

static place median(const struct gosort *s, const place at[3], int *swaps)
{
    place a = at[0], b = at[1], c = at[2];
    order(s, &a, &b, swaps);
    order(s, &b, &c, swaps);
    order(s, &a, &b, swaps);
    return b;
}

static place choose_pivot(const struct gosort *s, place from, place to, int *swaps)
{
    place quarter = (to - from) / 4;
    place at[3] = {from + quarter, from + quarter * 2, from + quarter * 3};
    for (int i = 0; to - from >= NINTHER_MIN && i < 3; i++)
        at[i] = median(s, (place[]){at[i] - 1, at[i], at[i] + 1}, swaps);
    return median(s, at, swaps);
}

/* ---- partitions ---- */

/* Elements less than the pivot's to the left; where the pivot's ends. */
static place partition(const struct gosort *s, place from, place to, place pivot, bool *was_done)
{
    swap(s, from, pivot);
    place i = from + 1, j = to - 1;
    for (*was_done = true;; *was_done = false) {
        while (i <= j && less(s, i, from))
            i++;
        while (i <= j && !less(s, j, from))
            j--;
        if (i > j)
            break;
        swap(s, i++, j--);
    }
    swap(s, j, from);
    return j;
}

/* Elements equal to the pivot's to the left, when none is less; where the others begin. */
static place partition_equal(const struct gosort *s, place from, place to, place pivot)
{
    swap(s, from, pivot);
    for (place i = from + 1, j = to - 1;;) {
        while (i <= j && !less(s, from, i))
            i++;
        while (i <= j && less(s, from, j))
            j--;
        if (i > j)
            return i;
        swap(s, i++, j--);
    }
}

/* A few pairs that are out of order are mended; true when all is sorted then. */
static bool partial_insertion_sort(const struct gosort *s, place from, place to)
{
    place i = from + 1;
    for (int step = 0; step < PARTIAL_STEPS; step++) {
        while (i < to && !less(s, i, i - 1))
            i++;
        if (i == to)
            return true;
        if (to - from < PARTIAL_MIN)
            return false;
        swap(s, i, i - 1);
        if (i - from >= 2)
            for (place j = i - 1; j >= 1 && less(s, j, j - 1); j--)
                swap(s, j, j - 1);
        if (to - i >= 2)
            for (place j = i + 1; j < to && less(s, j, j - 1); j++)
                swap(s, j, j - 1);
    }
    return false;
}

static int bit_length(uint64_t v)
{
    return v ? 64 - __builtin_clzll(v) : 0;
}

/* Moves three elements of the middle elsewhere, by a generator seeded with the length. */
static void break_patterns(const struct gosort *s, place from, place to)
{
    uint64_t length = (uint64_t)(to - from), random = length;
    uint64_t mask = ((uint64_t)1 << bit_length(length)) - 1;
    place middle = from + (to - from) / 4 * 2;
    for (place i = middle - 1; i <= middle + 1; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t other = random & mask;
        swap(s, i, from + (place)(other >= length ? other - length : other));
    }
}

static void reverse(const struct gosort *s, place from, place to)
{
    for (to--; from < to; from++, to--)
        swap(s, from, to);
}

static void sort(const struct gosort *s, place from, place to, int bad_left)
{
    bool balanced = true, done = true;
    while (to - from > INSERTION_MAX) {
        place length = to - from;
        int swaps = 0;
        if (!bad_left) {
            heap_sort(s, from, to);
            return;
        }
        if (!balanced) {
            break_patterns(s, from, to);
            bad_left--;
        }
        place pivot = choose_pivot(s, from, to, &swaps);
        if (swaps == SWAPS_MAX) {
            reverse(s, from, to);
            pivot = to - 1 - (pivot - from);
            swaps = 0;
        }
        if (balanced && done && !swaps && partial_insertion_sort(s, from, to))
            return;
        if (from > 0 && !less(s, from - 1, pivot)) {
            from = partition_equal(s, from, to, pivot);
            continue;
        }
        place middle = partition(s, from, to, pivot, &done);
        place left = middle - from, right = to - middle;
        balanced = (left < right ? left : right) >= length / 8;
        if (left < right) {
            sort(s, from, middle, bad_left);
            from = middle + 1;
        } else {
            sort(s, middle + 1, to, bad_left);
            to = middle;
        }
    }
    insertion_sort(s, from, to);
}

void gosort(const struct gosort *s, size_t count)
{
    if (count > 1)
        sort(s, 0, (place)count, bit_length(count));
}
