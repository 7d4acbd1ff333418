/* SPDX-License-Identifier: MIT
 *
 * lock_pair: what a lock and its unlock cost in this process, whoever stands before them, in
 * nanoseconds of CPU: a mutex that is free, a read-write lock that is free (read), both in a
 * program with another thread; and a mutex that four threads want all the time, per pair. Best of
 * several rounds. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9, PAIRS = 1 << 20, THREADS = 4 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int guarded;
static long thread_pairs;

static double now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void mutexes(long pairs)
{
    for (long i = 0; i < pairs; i++) {
        pthread_mutex_lock(&mutex);
        guarded++;
        pthread_mutex_unlock(&mutex);
    }
}

static void rwlocks(long pairs)
{
    for (long i = 0; i < pairs; i++) {
        pthread_rwlock_rdlock(&rwlock);
        guarded++;
        pthread_rwlock_unlock(&rwlock);
    }
}

static double best(void (*run)(long), long pairs)
{
    double least = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        double began = now_ns(CLOCK_THREAD_CPUTIME_ID);
        run(pairs);
        double took = (now_ns(CLOCK_THREAD_CPUTIME_ID) - began) / (double)pairs;
        least = took < least ? took : least;
    }
    return least;
}

static void *thread(void *unused)
{
    mutexes(thread_pairs);
    return unused;
}

/* CPU time of all threads for one pair. */
static double contended(long pairs)
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
    pthread_t other;
    thread_pairs = 1;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    printf("%.1f %.1f %.1f\n", best(mutexes, pairs), best(rwlocks, pairs), contended(pairs / 4));
    return 0;
}
