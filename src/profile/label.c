/* SPDX-License-Identifier: MIT
 *
 * The order of a sample's labels. pprof keeps them in maps and prints and writes them sorted; we
 * keep them sorted, so that equal samples are equal bytes. Part of libstrobe: libc only. A sample
 * of a foreign profile may have any number of labels, so large ones are merge-sorted. */
#include "profile/profile_internal.h"

#include <errno.h>

enum { INSERTION_MAX = 16 };

/* Labels with strings before numbers, then by key; equal keys keep their order. */
static bool before(const struct profile *p, const struct profile_label *a,
                   const struct profile_label *b)
{
    if ((a->str == 0) != (b->str == 0))
        return b->str == 0;
    return a->key != b->key && profile_str_compare(p->strings[a->key], p->strings[b->key]) < 0;
}

bool profile_labels_sorted(const struct profile *p, const struct profile_label *l, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++)
        if (before(p, &l[i], &l[i - 1]))
            return false;
    return true;
}

static void insertion_sort(const struct profile *p, struct profile_label *l, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++) {
        struct profile_label moved = l[i];
        uint64_t to = i;
        for (; to > 0 && before(p, &moved, &l[to - 1]); to--)
            l[to] = l[to - 1];
        l[to] = moved;
    }
}

/* Merges from[0..half) and from[half..n) into `to`; the first part wins ties. */
static void merge(const struct profile *p, struct profile_label *to,
                  const struct profile_label *from, uint64_t half, uint64_t n)
{
    uint64_t a = 0, b = half;
    for (uint64_t i = 0; i < n; i++)
        to[i] = b == n || (a < half && !before(p, &from[b], &from[a])) ? from[a++] : from[b++];
}

int profile_sort_labels(const struct profile *p, struct profile_label *l, uint64_t n,
                        struct arena *scratch)
{
    if (profile_labels_sorted(p, l, n))
        return 0;
    if (n <= INSERTION_MAX) {
        insertion_sort(p, l, n);
        return 0;
    }
    struct profile_label *other = arena_array(scratch, n, sizeof *other), *from = l, *to = other;
    if (!other)
        return -ENOMEM;
    for (uint64_t run = 1; run < n; run *= 2) {
        for (uint64_t i = 0; i < n; i += 2 * run) {
            uint64_t rest = n - i, part = rest < 2 * run ? rest : 2 * run;
            merge(p, to + i, from + i, part < run ? part : run, part);
        }
        struct profile_label *swap = from;
        from = to;
        to = swap;
    }
    if (from != l)
        memcpy(l, from, n * sizeof *l);
    return 0;
}
