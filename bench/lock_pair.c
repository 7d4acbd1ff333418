/* SPDX-License-Identifier: MIT
 *
 * lock_pair: what a lock and its unlock cost in this process, whoever stands before them, in
 * nanoseconds of CPU: a mutex that is free, a read-write lock that is free (read), both in a
 * program with another thread; and a mutex that four threads want all the time, per pair. Best of
 * several rounds. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int guarded;

static void mutexes(void *unused, long pairs)
{
    (void)unused;
    for (long i = 0; i < pairs; i++) {
        pthread_mutex_lock(&mutex);
        guarded++;
        pthread_mutex_unlock(&mutex);
    }
}

static void rwlocks(void *unused, long pairs)
{
    (void)unused;
    for (long i = 0; i < pairs; i++) {
        pthread_rwlock_rdlock(&rwlock);
        guarded++;
        pthread_rwlock_unlock(&rwlock);
    }
}

static void *thread(void *unused)
{
    mutexes(NULL, 1);
    return unused;
}

int main(int argc, char **argv)
{
    long pairs = argc > 1 ? atol(argv[1]) : PAIR_DEFAULT;
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    printf("%.1f %.1f %.1f\n", pair_alone_ns(mutexes, NULL, pairs),
           pair_alone_ns(rwlocks, NULL, pairs), pair_together_ns(mutexes, NULL, pairs / 4));
    return 0;
}
