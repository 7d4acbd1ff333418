/* SPDX-License-Identifier: MIT
 *
 * The places where a profiler of waits breaks programs: wait_stress MODE [N]. `kinds` prints what
 * locks of every kind answer, `cancelled` what threads waited that were cancelled, in the form of
 * wait.c; the others print "ok". */
#include "wait.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static pthread_rwlock_t rwlock;
static sem_t sem;
static pthread_barrier_t both;
static long hold_ms = 20;

static void *sleeper(void *arg)
{
    rest(hold_ms);
    return arg;
}

/* ---- what locks of each kind answer: the same as without us ---- */

static int answers; /* printed, and compared by the test with those of a plain run */

static void say(const char *what, int r)
{
    printf("%s %d\n", what, r);
    answers++;
}

static void *take_and_die(void *m)
{
    pthread_mutex_lock(m);
    return NULL;
}

static _Atomic int let_go;

static void *hold_awhile(void *m)
{
    pthread_mutex_lock(m);
    pthread_barrier_wait(&both);
    while (!let_go)
        rest(1);
    rest(hold_ms);
    pthread_mutex_unlock(m);
    return NULL;
}

static void try_kind(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    pthread_t t;
    struct timespec soon, wrong = {0, -1};
    say("init", pthread_mutex_init(m, attr));
    say("lock", pthread_mutex_lock(m));
    int kind;
    pthread_mutexattr_gettype(attr, &kind);
    bool knows_owner = kind == PTHREAD_MUTEX_RECURSIVE || kind == PTHREAD_MUTEX_ERRORCHECK;
    if (knows_owner) {
        int again = pthread_mutex_lock(m);
        say("lock again", again);
        if (again == 0)
            say("unlock again", pthread_mutex_unlock(m));
        soon = after(CLOCK_REALTIME, 1);
        again = pthread_mutex_timedlock(m, &soon);
        say("timedlock again", again);
        if (again == 0)
            pthread_mutex_unlock(m);
    }
    say("unlock", pthread_mutex_unlock(m));
    if (knows_owner)
        say("unlock of a free one", pthread_mutex_unlock(m));
    say("timedlock, wrong time", pthread_mutex_timedlock(m, &wrong));
    say("unlock", pthread_mutex_unlock(m));
    say("clocklock, wrong clock", pthread_mutex_clocklock(m, 99, &wrong));
    let_go = 0;
    pthread_create(&t, NULL, hold_awhile, m);
    pthread_barrier_wait(&both);
    soon = after(CLOCK_REALTIME, 2);
    say("timedlock, too late", pthread_mutex_timedlock(m, &soon));
    say("timedlock, wrong time, taken", pthread_mutex_timedlock(m, &wrong));
    let_go = 1;
    say("lock, waited", pthread_mutex_lock(m));
    say("unlock", pthread_mutex_unlock(m));
    pthread_join(t, NULL);
    int robust;
    pthread_mutexattr_getrobust(attr, &robust);
    if (robust == PTHREAD_MUTEX_ROBUST) {
        pthread_create(&t, NULL, take_and_die, m);
        pthread_join(t, NULL);
        say("owner died", pthread_mutex_lock(m));
        say("consistent", pthread_mutex_consistent(m));
        say("unlock", pthread_mutex_unlock(m));
        pthread_create(&t, NULL, take_and_die, m);
        pthread_join(t, NULL);
        say("owner died", pthread_mutex_lock(m));
        say("unlock, not made consistent", pthread_mutex_unlock(m));
        say("not recoverable", pthread_mutex_lock(m));
    }
    say("destroy", pthread_mutex_destroy(m));
}

static int kinds(long n)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    pthread_mutex_t *m =
        mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrier_init(&both, NULL, 2);
    hold_ms = n;
    for (int i = 0; i < 4 * 2 * 2 * 2; i++) {
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, types[i % 4]);
        pthread_mutexattr_setrobust(&attr, i & 4 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
        pthread_mutexattr_setprotocol(&attr, i & 8 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
        pthread_mutexattr_setpshared(&attr,
                                     i & 16 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
        if (types[i % 4] == PTHREAD_MUTEX_ADAPTIVE_NP && i & 8)
            continue;
        printf("kind %d\n", i);
        try_kind(m, &attr);
    }
    pthread_rwlock_init(&rwlock, NULL);
    struct timespec wrong = {0, -1}, soon = after(CLOCK_REALTIME, 2);
    say("wrlock", pthread_rwlock_wrlock(&rwlock));
    say("rdlock by the writer", pthread_rwlock_rdlock(&rwlock));
    say("wrlock by the writer", pthread_rwlock_wrlock(&rwlock));
    say("unlock", pthread_rwlock_unlock(&rwlock));
    say("timedrdlock, wrong time", pthread_rwlock_timedrdlock(&rwlock, &wrong));
    say("rdlock", pthread_rwlock_rdlock(&rwlock));
    say("rdlock again", pthread_rwlock_rdlock(&rwlock));
    say("timedwrlock by a reader", pthread_rwlock_timedwrlock(&rwlock, &soon));
    sem_init(&sem, 0, 1);
    errno = 77;
    say("sem_timedwait, wrong time", sem_timedwait(&sem, &wrong));
    say("errno", errno);
    errno = 77;
    say("sem_wait", sem_wait(&sem));
    say("errno", errno);
    say("sem_timedwait, too late", sem_timedwait(&sem, &soon));
    say("errno", errno);
    say("join of oneself", pthread_join(pthread_self(), NULL));
    return !answers;
}

/* ---- a thread that is cancelled in a wait: its handlers run, and the wait is counted ---- */

static _Atomic int cleaned, at_it;
static int pipe_fds[2];

static void clean(void *locked)
{
    cleaned++;
    if (locked)
        pthread_mutex_unlock(&mutex);
}

KNOWN static void cancelled_cond(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(clean, &mutex);
    at_it = 1;
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
}

KNOWN static void cancelled_sem(void)
{
    pthread_cleanup_push(clean, NULL);
    at_it = 1;
    sem_wait(&sem);
    pthread_cleanup_pop(0);
    KEEP;
}

KNOWN static void cancelled_join(void)
{
    static pthread_t t;
    pthread_create(&t, NULL, sleeper, NULL);
    pthread_cleanup_push(clean, NULL);
    at_it = 1;
    pthread_join(t, NULL);
    pthread_cleanup_pop(0);
    KEEP;
}

KNOWN static void cancelled_read(void)
{
    char c;
    pthread_cleanup_push(clean, NULL);
    at_it = 1;
    if (read(pipe_fds[0], &c, 1) < 0)
        abort();
    pthread_cleanup_pop(0);
    KEEP;
}

KNOWN static void cancelled_sleep(void)
{
    pthread_cleanup_push(clean, NULL);
    at_it = 1;
    rest(100000);
    pthread_cleanup_pop(0);
    KEEP;
}

static void *run_cancelled(void *arg)
{
    (*(void (**)(void))arg)();
    return NULL;
}

static int cancelled(long n)
{
    static void (*const all[])(void) = {cancelled_cond, cancelled_sem, cancelled_join,
                                        cancelled_read, cancelled_sleep};
    static const char *const names[] = {"cancelled_cond", "cancelled_sem", "cancelled_join",
                                        "cancelled_read", "cancelled_sleep"};
    hold_ms = 100000;
    pthread_mutex_init(&mutex, NULL);
    pthread_cond_init(&cond, NULL);
    sem_init(&sem, 0, 0);
    if (pipe(pipe_fds) != 0)
        return 1;
    for (int i = 0; i < 5; i++) {
        uint64_t ns = 0;
        for (long k = 0; k < n; k++) {
            pthread_t t;
            void *result;
            at_it = 0;
            pthread_create(&t, NULL, run_cancelled, (void *)&all[i]);
            while (!at_it)
                rest(1);
            uint64_t began = now();
            rest(30);
            pthread_cancel(t);
            pthread_join(t, &result);
            ns += now() - began;
            if (result != PTHREAD_CANCELED)
                return puts("not cancelled"), 1;
        }
        printf("block %s %ld %llu\n", names[i], n, (unsigned long long)ns);
    }
    if (cleaned != 5 * n || pthread_mutex_trylock(&mutex) != 0)
        return puts("a handler did not run"), 1;
    _exit(0); /* threads still sleep that nobody joined */
}

/* ---- fork while others wait and unlock; children go on waiting ---- */

static _Atomic int stop;

static void *contend(void *arg)
{
    while (!stop) {
        pthread_mutex_lock(&mutex);
        usleep(10);
        pthread_mutex_unlock(&mutex);
        if (arg)
            pthread_cond_signal(&cond);
    }
    return NULL;
}

static void *child_thread(void *arg)
{
    static pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&mine);
        usleep(10);
        pthread_mutex_unlock(&mine);
    }
    return arg;
}

static int forks(long n)
{
    pthread_t t[4];
    long bad = 0;
    pthread_mutex_init(&mutex, NULL);
    pthread_cond_init(&cond, NULL);
    for (long i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, contend, (void *)(i % 2));
    for (long i = 0; i < n; i++) {
        pid_t pid = i % 2 ? fork() : _Fork();
        if (pid == 0) {
            if (i % 2) {
                for (long k = 0; k < 2; k++)
                    pthread_create(&t[k], NULL, child_thread, NULL);
                for (long k = 0; k < 2; k++)
                    pthread_join(t[k], NULL);
            } else {
                pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
                struct timespec soon = after(CLOCK_REALTIME, 1);
                pthread_mutex_lock(&own);
                pthread_mutex_timedlock(&own, &soon);
            }
            _exit(7);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 7;
    }
    stop = 1;
    for (long i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    puts(bad ? "children died" : "ok");
    return bad != 0;
}

/* ---- many short threads, all of which wait ---- */

static void *brief(void *arg)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return arg;
}

static int churn(long n)
{
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 16384);
    pthread_mutex_init(&mutex, NULL);
    for (long i = 0; i < n; i += 4) {
        pthread_t t[4];
        pthread_mutex_lock(&mutex);
        for (int k = 0; k < 4; k++)
            if (pthread_create(&t[k], &a, brief, NULL) != 0)
                return puts("no thread"), 1;
        if (i % 64 == 0)
            rest(1);
        pthread_mutex_unlock(&mutex);
        for (int k = 0; k < 4; k++)
            pthread_join(t[k], NULL);
    }
    puts("ok");
    return 0;
}

/* ---- out of a wait by longjmp, and waits in handlers ---- */

static sigjmp_buf back;
static volatile sig_atomic_t jumps;

static void jump(int sig)
{
    (void)sig;
    if (jumps)
        siglongjmp(back, 1);
    usleep(2000); /* a wait in a wait */
}

static int leave(long n)
{
    char c;
    struct itimerval soon = {.it_value = {0, 5000}};
    signal(SIGALRM, jump);
    if (pipe(pipe_fds) != 0)
        return 1;
    for (volatile long i = 0; i < n; i++) {
        jumps = i % 2;
        if (sigsetjmp(back, 1) == 0) {
            setitimer(ITIMER_REAL, &soon, NULL);
            struct timespec t = {0, 20000000};
            if (jumps && read(pipe_fds[0], &c, 1) >= 0)
                return puts("read something"), 1;
            if (!jumps && (nanosleep(&t, NULL) == 0 || errno != EINTR))
                return puts("not interrupted"), 1;
        }
    }
    pthread_mutex_init(&mutex, NULL);
    return churn(16);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(long n);
    } modes[] = {{"kinds", kinds},
                 {"cancelled", cancelled},
                 {"forks", forks},
                 {"churn", churn},
                 {"leave", leave}};
    long n = argc > 2 ? atol(argv[2]) : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name) && n > 0)
            return modes[i].run(n);
    fputs("usage: wait_stress MODE [N]\n", stderr);
    return 2;
}
