/* SPDX-License-Identifier: MIT
 *
 * heap_pair: what one malloc and its free cost in this process, whoever stands before them, in
 * nanoseconds: one object at a time, 1024 at a time, and by four threads; best of several rounds.
 */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 1024 };

static void *volatile sink;

static void single(void *size, long pairs)
{
    size_t n = *(const size_t *)size;
    for (long i = 0; i < pairs; i++) {
        sink = malloc(n);
        free(sink);
    }
}

static void batches(void *size, long pairs)
{
    static __thread void *kept[BATCH];
    size_t n = *(const size_t *)size;
    for (long i = 0; i < pairs; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            kept[k] = malloc(n);
        for (int k = 0; k < BATCH; k++)
            free(kept[k]);
    }
}

int main(int argc, char **argv)
{
    long pairs = argc > 1 ? atol(argv[1]) : PAIR_DEFAULT;
    size_t small = 16, large = 1024;
    printf("%.1f %.1f %.1f %.1f\n", pair_alone_ns(single, &small, pairs),
           pair_alone_ns(batches, &small, pairs), pair_alone_ns(batches, &large, pairs),
           pair_together_ns(batches, &small, pairs));
    return 0;
}
