/* SPDX-License-Identifier: MIT
 *
 * What heap_pair and lock_pair share: nanoseconds of CPU for a pair of calls, by one thread and by
 * several at once. The least of some rounds counts: what disturbs a round only adds to it. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <pthread.h>
#include <time.h>

enum { PAIR_DEFAULT = 1 << 20, PAIR_ROUNDS = 9, PAIR_THREADS = 4, PAIR_THREAD_ROUNDS = 3 };

static inline double pair_now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Of the calling thread, which does `pairs` of them in run(ctx, pairs). */
static inline double pair_alone_ns(void (*run)(void *ctx, long pairs), void *ctx, long pairs)
{
    double least = 1e18;
    for (int i = 0; i < PAIR_ROUNDS; i++) {
        double began = pair_now_ns(CLOCK_THREAD_CPUTIME_ID);
        run(ctx, pairs);
        double took = (pair_now_ns(CLOCK_THREAD_CPUTIME_ID) - began) / (double)pairs;
        least = took < least ? took : least;
    }
    return least;
}

struct pair_share {
    void (*run)(void *ctx, long pairs);
    void *ctx;
    long pairs;
};

static inline void *pair_thread(void *share)
{
    const struct pair_share *s = share;
    s->run(s->ctx, s->pairs);
    return NULL;
}

/* Of PAIR_THREADS threads at once, each of which does `pairs`. */
static inline double pair_together_ns(void (*run)(void *ctx, long pairs), void *ctx, long pairs)
{
    struct pair_share share = {run, ctx, pairs};
    pthread_t t[PAIR_THREADS];
    double least = 1e18;
    for (int round = 0; round < PAIR_THREAD_ROUNDS; round++) {
        double began = pair_now_ns(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < PAIR_THREADS; i++)
            pthread_create(&t[i], NULL, pair_thread, &share);
        for (int i = 0; i < PAIR_THREADS; i++)
            pthread_join(t[i], NULL);
        double took = pair_now_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
        took /= (double)pairs * PAIR_THREADS;
        least = took < least ? took : least;
    }
    return least;
}

#endif
