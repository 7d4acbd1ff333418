/* SPDX-License-Identifier: MIT
 *
 * heap_pair: what one malloc and its free cost in this process, whoever stands before them, in
 * nanoseconds: one object at a time, 1024 at a time, and by four threads; best of several rounds.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 1024, ROUNDS = 7, PAIRS = 1 << 20, THREADS = 4 };

static double now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *volatile sink;

static void single(size_t size, long pairs)
{
    for (long i = 0; i < pairs; i++) {
        sink = malloc(size);
        free(sink);
    }
}

static void batches(size_t size, long pairs)
{
    static __thread void *kept[BATCH];
    for (long i = 0; i < pairs; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            kept[k] = malloc(size);
        for (int k = 0; k < BATCH; k++)
            free(kept[k]);
    }
}

static double best(void (*run)(size_t, long), size_t size, long pairs)
{
    double least = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        double began = now_ns(CLOCK_THREAD_CPUTIME_ID);
        run(size, pairs);
        double took = (now_ns(CLOCK_THREAD_CPUTIME_ID) - began) / (double)pairs;
        least = took < least ? took : least;
    }
    return least;
}

static long thread_pairs;

static void *thread(void *unused)
{
    batches(16, thread_pairs);
    return unused;
}

/* CPU time of all threads for one pair. */
static double threads(long pairs)
{
    pthread_t t[THREADS];
    double least = 1e18;
    thread_pairs = pairs;
    for (int round = 0; round < 3; round++) {
        double began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < THREADS; i++)
            pthread_create(&t[i], NULL, thread, NULL);
        for (int i = 0; i < THREADS; i++)
            pthread_join(t[i], NULL);
        double took = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - began) / (double)pairs / THREADS;
        least = took < least ? took : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    long pairs = argc > 1 ? atol(argv[1]) : PAIRS;
    printf("%.1f %.1f %.1f %.1f\n", best(single, 16, pairs), best(batches, 16, pairs),
           best(batches, 1024, pairs), threads(pairs));
    return 0;
}
