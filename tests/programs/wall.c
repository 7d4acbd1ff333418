/* SPDX-License-Identifier: MIT
 *
 * Spends wall time in known ways, and says how much: "function seconds pieces" (truth). With `waits
 * N`, N threads wait in polls and one runs, until standard input ends, and says how many calls were
 * interrupted. With `ends N`, N threads wait when it ends. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define KNOWN __attribute__((noinline, noclone))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int interrupted;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_ms(int ms)
{
    if (poll(NULL, 0, ms) < 0 && errno == EINTR)
        __atomic_add_fetch(&interrupted, 1, __ATOMIC_SEQ_CST);
    __asm__ volatile("");
}

KNOWN static void sleep_here(int ms)
{
    wait_ms(ms);
    __asm__ volatile("");
}

KNOWN static void sleep_there(int ms)
{
    wait_ms(ms);
    __asm__ volatile("");
}

KNOWN static void burn(double until)
{
    while (now() < until)
        __asm__ volatile("");
}

KNOWN static void lock_here(void)
{
    pthread_mutex_lock(&mutex);
    __asm__ volatile("");
}

KNOWN static void hold(int ms)
{
    pthread_mutex_lock(&mutex);
    wait_ms(ms);
    pthread_mutex_unlock(&mutex);
}

/* ---- truth ---- */

enum { ROUNDS = 30 };

static double lock_s;

static void *lock_often(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        double from = now();
        lock_here();
        lock_s += now() - from;
        pthread_mutex_unlock(&mutex);
        wait_ms(23);
    }
    return unused;
}

static void *hold_often(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        hold(19);
        wait_ms(3);
    }
    return unused;
}

static int truth(void)
{
    pthread_t t[2];
    double here_s = 0, there_s = 0, burn_s = 0;
    pthread_create(&t[0], NULL, lock_often, NULL);
    pthread_create(&t[1], NULL, hold_often, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        double from = now();
        sleep_here(17);
        here_s += now() - from;
        from = now();
        sleep_there(5);
        there_s += now() - from;
        from = now();
        burn(from + 0.011);
        burn_s += now() - from;
    }
    double from = now();
    sleep_here(400);
    here_s += now() - from;
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    printf("sleep_here %f %d\nsleep_there %f %d\nburn %f %d\nlock_here %f %d\n", here_s, ROUNDS,
           there_s, ROUNDS, burn_s, ROUNDS, lock_s, ROUNDS);
    return 0;
}

/* ---- waits ---- */

static void *wait_often(void *number)
{
    for (;;)
        sleep_here((long)number % 2 ? 10000 : 50);
    return NULL;
}

static void *run(void *unused)
{
    for (;;)
        burn(now() + 1);
    return unused;
}

KNOWN static void *wait_here(void *unused)
{
    poll(NULL, 0, -1);
    return unused;
}

KNOWN static int make(int n, void *(*what)(void *))
{
    pthread_t t;
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 65536);
    for (long i = 0; i < n; i++)
        if (pthread_create(&t, &a, what, (void *)i))
            return -1;
    return 0;
}

int main(int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[2]) : 10;
    if (argc > 1 && !strcmp(argv[1], "truth"))
        return truth();
    if (argc > 1 && !strcmp(argv[1], "ends")) {
        if (make(n, wait_here))
            return 1;
        wait_ms(300);
        return 0;
    }
    if (make(n, wait_often) || make(1, run))
        return 1;
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    printf("%d interrupted\n", interrupted);
    return 0;
}
