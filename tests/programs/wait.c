/* SPDX-License-Identifier: MIT
 *
 * Programs for the tests of block and mutex profiles: wait MODE [N]. `truth` waits in every way for
 * known locks and measures each wait itself: it prints, a line each, the profile it belongs to, the
 * function that waited (block) or let others wait (mutex), how often, and how many nanoseconds. */
#include "wait.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

/* ---- truth: one lock, one who holds it and one who waits, in turn ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    mtx_t mtx;
    sem_t sem;
    pthread_cond_t cond;
    cnd_t cnd;
    pthread_barrier_t barrier;
} x;
static pthread_barrier_t both; /* of the two threads: a round begins, a round ends */
static int told;
static uint64_t waited_ns, waited_count;
static long rounds = 5, hold_ms = 20;

/* Measures a call: `waited_ns` grows by what it took. */
#define MEASURED(call)                                                                             \
    do {                                                                                           \
        uint64_t began = now();                                                                    \
        call;                                                                                      \
        waited_ns += now() - began;                                                                \
        waited_count++;                                                                            \
    } while (0)

KNOWN static void wait_mutex(void)
{
    MEASURED(pthread_mutex_lock(&x.mutex));
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void wait_timedlock(void)
{
    struct timespec t = after(CLOCK_REALTIME, 5000);
    MEASURED(pthread_mutex_timedlock(&x.mutex, &t));
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void wait_clocklock(void)
{
    struct timespec t = after(CLOCK_MONOTONIC, 5000);
    MEASURED(pthread_mutex_clocklock(&x.mutex, CLOCK_MONOTONIC, &t));
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void hold_mutex(void)
{
    pthread_mutex_lock(&x.mutex);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void hold_twice(void)
{
    pthread_mutex_lock(&x.mutex);
    pthread_mutex_lock(&x.mutex);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    pthread_mutex_unlock(&x.mutex);
    rest(hold_ms);
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void wait_mtx(void)
{
    MEASURED(mtx_lock(&x.mtx));
    mtx_unlock(&x.mtx);
    KEEP;
}

KNOWN static void wait_mtx_timed(void)
{
    struct timespec t = after(CLOCK_REALTIME, 5000);
    MEASURED(mtx_timedlock(&x.mtx, &t));
    mtx_unlock(&x.mtx);
    KEEP;
}

KNOWN static void hold_mtx(void)
{
    mtx_lock(&x.mtx);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    mtx_unlock(&x.mtx);
    KEEP;
}

KNOWN static void wait_read(void)
{
    MEASURED(pthread_rwlock_rdlock(&x.rwlock));
    pthread_rwlock_unlock(&x.rwlock);
    KEEP;
}

KNOWN static void wait_read_timed(void)
{
    struct timespec t = after(CLOCK_REALTIME, 5000);
    MEASURED(pthread_rwlock_timedrdlock(&x.rwlock, &t));
    pthread_rwlock_unlock(&x.rwlock);
    KEEP;
}

KNOWN static void hold_write(void)
{
    pthread_rwlock_wrlock(&x.rwlock);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    pthread_rwlock_unlock(&x.rwlock);
    KEEP;
}

KNOWN static void wait_write(void)
{
    MEASURED(pthread_rwlock_wrlock(&x.rwlock));
    pthread_rwlock_unlock(&x.rwlock);
    KEEP;
}

KNOWN static void wait_write_clock(void)
{
    struct timespec t = after(CLOCK_MONOTONIC, 5000);
    MEASURED(pthread_rwlock_clockwrlock(&x.rwlock, CLOCK_MONOTONIC, &t));
    pthread_rwlock_unlock(&x.rwlock);
    KEEP;
}

KNOWN static void hold_read(void)
{
    pthread_rwlock_rdlock(&x.rwlock);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    pthread_rwlock_unlock(&x.rwlock);
    KEEP;
}

KNOWN static void wait_sem(void)
{
    MEASURED(sem_wait(&x.sem));
    KEEP;
}

KNOWN static void wait_sem_timed(void)
{
    struct timespec t = after(CLOCK_REALTIME, 5000);
    MEASURED(sem_timedwait(&x.sem, &t));
    KEEP;
}

KNOWN static void wait_sem_clock(void)
{
    struct timespec t = after(CLOCK_MONOTONIC, 5000);
    MEASURED(sem_clockwait(&x.sem, CLOCK_MONOTONIC, &t));
    KEEP;
}

static void post(void)
{
    pthread_barrier_wait(&both);
    rest(hold_ms);
    sem_post(&x.sem);
}

KNOWN static void wait_cond(void)
{
    pthread_mutex_lock(&x.mutex);
    while (!told)
        MEASURED(pthread_cond_wait(&x.cond, &x.mutex));
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void wait_cond_timed(void)
{
    struct timespec t = after(CLOCK_REALTIME, 5000);
    pthread_mutex_lock(&x.mutex);
    while (!told)
        MEASURED(pthread_cond_timedwait(&x.cond, &x.mutex, &t));
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void wait_cond_clock(void)
{
    struct timespec t = after(CLOCK_MONOTONIC, 5000);
    pthread_mutex_lock(&x.mutex);
    while (!told)
        MEASURED(pthread_cond_clockwait(&x.cond, &x.mutex, CLOCK_MONOTONIC, &t));
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

static void tell(void)
{
    pthread_mutex_lock(&x.mutex);
    told = 0;
    pthread_mutex_unlock(&x.mutex);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    pthread_mutex_lock(&x.mutex);
    told = 1;
    pthread_cond_broadcast(&x.cond);
    pthread_mutex_unlock(&x.mutex);
}

KNOWN static void wait_cnd(void)
{
    mtx_lock(&x.mtx);
    while (!told)
        MEASURED(cnd_wait(&x.cnd, &x.mtx));
    mtx_unlock(&x.mtx);
    KEEP;
}

KNOWN static void wait_cnd_timed(void)
{
    struct timespec t = after(CLOCK_REALTIME, 5000);
    mtx_lock(&x.mtx);
    while (!told)
        MEASURED(cnd_timedwait(&x.cnd, &x.mtx, &t));
    mtx_unlock(&x.mtx);
    KEEP;
}

static void tell_c11(void)
{
    mtx_lock(&x.mtx);
    told = 0;
    mtx_unlock(&x.mtx);
    pthread_barrier_wait(&both);
    rest(hold_ms);
    mtx_lock(&x.mtx);
    told = 1;
    cnd_broadcast(&x.cnd);
    mtx_unlock(&x.mtx);
}

KNOWN static void wait_barrier(void)
{
    MEASURED(pthread_barrier_wait(&x.barrier));
    KEEP;
}

static void arrive(void)
{
    pthread_barrier_wait(&both);
    rest(hold_ms);
    pthread_barrier_wait(&x.barrier);
}

static void *sleeper(void *arg)
{
    rest(hold_ms);
    return arg;
}

static int c11_sleeper(void *arg)
{
    rest(hold_ms);
    return (int)(intptr_t)arg;
}

KNOWN static void wait_join(void)
{
    pthread_t t;
    void *result = NULL;
    pthread_create(&t, NULL, sleeper, (void *)7);
    MEASURED(pthread_join(t, &result));
    if (result != (void *)7)
        abort();
    KEEP;
}

KNOWN static void wait_join_timed(void)
{
    pthread_t t;
    struct timespec until = after(CLOCK_REALTIME, 5000);
    pthread_create(&t, NULL, sleeper, NULL);
    MEASURED(pthread_timedjoin_np(t, NULL, &until));
    KEEP;
}

KNOWN static void wait_thrd_join(void)
{
    thrd_t t;
    int result = 0;
    thrd_create(&t, c11_sleeper, (void *)9);
    MEASURED(thrd_join(t, &result));
    if (result != 9)
        abort();
    KEEP;
}

static pthread_once_t once;
static once_flag flag;

static void init(void)
{
    pthread_barrier_wait(&both);
    rest(hold_ms);
}

KNOWN static void wait_once(void)
{
    MEASURED(pthread_once(&once, init));
    KEEP;
}

KNOWN static void wait_call_once(void)
{
    MEASURED(call_once(&flag, init));
    KEEP;
}

static void run_once(void)
{
    once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init);
}

static void run_call_once(void)
{
    flag = (once_flag)ONCE_FLAG_INIT;
    call_once(&flag, init);
}

static void nobody(void)
{
    pthread_barrier_wait(&both);
}

static const struct scene {
    const char *name, *holder; /* holder: who is charged in the mutex profile, or NULL */
    void (*wait)(void), (*hold)(void);
    int kind; /* of the mutex */
} scenes[] = {
    {"wait_mutex", "hold_mutex", wait_mutex, hold_mutex, PTHREAD_MUTEX_NORMAL},
    {"wait_timedlock", "hold_mutex", wait_timedlock, hold_mutex, PTHREAD_MUTEX_ERRORCHECK},
    {"wait_clocklock", "hold_twice", wait_clocklock, hold_twice, PTHREAD_MUTEX_RECURSIVE},
    {"wait_mtx", "hold_mtx", wait_mtx, hold_mtx, 0},
    {"wait_mtx_timed", "hold_mtx", wait_mtx_timed, hold_mtx, 0},
    {"wait_read", "hold_write", wait_read, hold_write, 0},
    {"wait_read_timed", "hold_write", wait_read_timed, hold_write, 0},
    {"wait_write", "hold_read", wait_write, hold_read, 0},
    {"wait_write_clock", "hold_read", wait_write_clock, hold_read, 0},
    {"wait_sem", NULL, wait_sem, post, 0},
    {"wait_sem_timed", NULL, wait_sem_timed, post, 0},
    {"wait_sem_clock", NULL, wait_sem_clock, post, 0},
    {"wait_cond", NULL, wait_cond, tell, 0},
    {"wait_cond_timed", NULL, wait_cond_timed, tell, 0},
    {"wait_cond_clock", NULL, wait_cond_clock, tell, 0},
    {"wait_cnd", NULL, wait_cnd, tell_c11, 0},
    {"wait_cnd_timed", NULL, wait_cnd_timed, tell_c11, 0},
    {"wait_barrier", NULL, wait_barrier, arrive, 0},
    {"wait_join", NULL, wait_join, nobody, 0},
    {"wait_join_timed", NULL, wait_join_timed, nobody, 0},
    {"wait_thrd_join", NULL, wait_thrd_join, nobody, 0},
    {"wait_once", NULL, wait_once, run_once, 0},
    {"wait_call_once", NULL, wait_call_once, run_call_once, 0},
};
enum { SCENES = sizeof scenes / sizeof *scenes };
static const struct scene *scene;

static void *holder(void *arg)
{
    for (long i = 0; i < rounds; i++) {
        scene->hold();
        pthread_barrier_wait(&both);
    }
    return arg;
}

static void play(void)
{
    pthread_t t;
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, scene->kind);
    pthread_mutex_init(&x.mutex, &attr);
    waited_ns = waited_count = 0;
    pthread_create(&t, NULL, holder, NULL);
    for (long i = 0; i < rounds; i++) {
        pthread_barrier_wait(&both); /* the lock is held from here on */
        scene->wait();
        pthread_barrier_wait(&both);
    }
    pthread_join(t, NULL);
    printf("block %s %llu %llu\n", scene->name, (unsigned long long)waited_count,
           (unsigned long long)waited_ns);
    if (scene->holder)
        printf("mutex %s %llu %llu\n", scene->holder, (unsigned long long)waited_count,
               (unsigned long long)waited_ns);
}

static int truth(long n)
{
    rounds = n;
    pthread_barrier_init(&both, NULL, 2);
    pthread_barrier_init(&x.barrier, NULL, 2);
    pthread_rwlock_init(&x.rwlock, NULL);
    mtx_init(&x.mtx, mtx_timed);
    sem_init(&x.sem, 0, 0);
    pthread_cond_init(&x.cond, NULL);
    cnd_init(&x.cnd);
    for (scene = scenes; scene < scenes + SCENES; scene++)
        play();
    return 0;
}

/* ---- many threads at one lock: all that they wait is charged, to one of two holders ---- */

static _Atomic uint64_t crowd_ns;

KNOWN static void quick(void)
{
    uint64_t began = now();
    pthread_mutex_lock(&x.mutex);
    crowd_ns += now() - began;
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

KNOWN static void slow(void)
{
    uint64_t began = now();
    pthread_mutex_lock(&x.mutex);
    crowd_ns += now() - began;
    rest(2);
    pthread_mutex_unlock(&x.mutex);
    KEEP;
}

static void *crowd_member(void *arg)
{
    for (int i = 0; i < 40; i++) {
        if ((uintptr_t)arg % 4)
            quick();
        else
            slow();
    }
    return NULL;
}

static int crowd(long n)
{
    pthread_t t[64];
    n = n < 64 ? n : 64;
    pthread_mutex_init(&x.mutex, NULL);
    for (long i = 0; i < n; i++)
        pthread_create(&t[i], NULL, crowd_member, (void *)i);
    for (long i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    printf("crowd %llu\n", (unsigned long long)crowd_ns);
    return 0;
}

/* ---- sampled: N waits of 2 ms, of which each is shorter than the rate that is asked for ---- */

static void *poster(void *arg)
{
    for (long i = 0; i < (long)(intptr_t)arg; i++) {
        uint64_t until = now() + 300000;
        while (now() < until)
            ;
        sem_post(&x.sem);
        sem_wait((sem_t *)&x.cnd);
    }
    return NULL;
}

KNOWN static void short_wait(void)
{
    MEASURED(sem_wait(&x.sem));
    KEEP;
}

static int sampled(long n)
{
    pthread_t t;
    sem_init(&x.sem, 0, 0);
    sem_init((sem_t *)&x.cnd, 0, 0);
    pthread_create(&t, NULL, poster, (void *)(intptr_t)n);
    for (long i = 0; i < n; i++) {
        short_wait();
        sem_post((sem_t *)&x.cnd);
    }
    pthread_join(t, NULL);
    printf("block short_wait %llu %llu\n", (unsigned long long)waited_count,
           (unsigned long long)waited_ns);
    return 0;
}

/* ---- open: waits that never end, up to the program's ---- */

enum { OPEN_CONDS = 2 };

static _Atomic uint64_t open_since_ns[OPEN_CONDS + 1];

KNOWN static void open_lock(void)
{
    atomic_store(&open_since_ns[OPEN_CONDS], now());
    pthread_mutex_lock(&x.mutex);
    KEEP;
}

KNOWN static void open_cond(int i)
{
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    atomic_store(&open_since_ns[i], now());
    pthread_cond_wait(&x.cond, &own);
    KEEP;
}

static void *open_thread(void *n)
{
    if ((intptr_t)n == OPEN_CONDS)
        open_lock();
    else
        open_cond((int)(intptr_t)n);
    return NULL;
}

/* For n tenths of a second. */
static int open_waits(long n)
{
    pthread_t t;
    uint64_t conds_ns = 0;
    pthread_mutex_init(&x.mutex, NULL);
    pthread_cond_init(&x.cond, NULL);
    pthread_mutex_lock(&x.mutex);
    for (intptr_t i = 0; i <= OPEN_CONDS; i++)
        pthread_create(&t, NULL, open_thread, (void *)i);
    rest(n * 100);
    for (int i = 0; i < OPEN_CONDS; i++)
        conds_ns += now() - atomic_load(&open_since_ns[i]);
    printf("block open_cond %d %llu\n", OPEN_CONDS, (unsigned long long)conds_ns);
    printf("block open_lock 1 %llu\n",
           (unsigned long long)(now() - atomic_load(&open_since_ns[OPEN_CONDS])));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(long n);
    } modes[] = {{"truth", truth}, {"crowd", crowd}, {"sampled", sampled}, {"open", open_waits}};
    long n = argc > 2 ? atol(argv[2]) : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name) && n > 0)
            return modes[i].run(n);
    fputs("usage: wait MODE [N]\n", stderr);
    return 2;
}
