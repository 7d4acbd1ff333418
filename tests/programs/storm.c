/* SPDX-License-Identifier: MIT
 *
 * Eight threads that sleep in the four ways a signal can cut short, thousands of times a second,
 * and count how often one was: "eintr N" in the output. Under a profiler that keeps its promise it
 * is 0.
 *
 * With --control it profiles itself in the way that does break the promise (perf_event's signal
 * with the kernel included, 5 kHz), so that a test can see that the storm would find a broken one.
 * It also checks that errno is never changed behind the program's back.
 *
 * usage: storm SECONDS [--control]; exits 77 where the control cannot run. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, CALLS = 4, CONTROL_HZ = 5000, MARK = 4242 };

static const char *const call_names[CALLS] = {"nanosleep", "poll", "epoll_wait", "sem_timedwait"};

static struct {
    unsigned long calls[CALLS], eintr[CALLS], errno_changed, signals;
} seen;

static int control;
static double seconds;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void count_signal(int signal)
{
    (void)signal;
    __atomic_fetch_add(&seen.signals, 1, __ATOMIC_RELAXED);
}

static int profile_this_thread_badly(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = 1000000000 / CONTROL_HZ,
        .wakeup_events = 1,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -1;
    struct f_owner_ex owner = {F_OWNER_TID, (pid_t)syscall(SYS_gettid)};
    if (fcntl(fd, F_SETFL, O_ASYNC) != 0 || fcntl(fd, F_SETSIG, SIGUSR2) != 0 ||
        fcntl(fd, F_SETOWN_EX, &owner) != 0)
        return -1;
    return fd;
}

static int sleep_once(int call, int epoll, sem_t *sem)
{
    struct timespec t = {0, 200000};
    switch (call) {
    case 0: return nanosleep(&t, NULL);
    case 1: return poll(NULL, 0, 1);
    case 2: {
        struct epoll_event event;
        return epoll_wait(epoll, &event, 1, 1);
    }
    default:
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 200000;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        return sem_timedwait(sem, &t);
    }
}

/* A computation without a system call: errno must be as it was. */
static void burn(unsigned rounds)
{
    errno = MARK;
    for (volatile unsigned i = 0; i < rounds; i++)
        continue;
    if (errno != MARK)
        __atomic_fetch_add(&seen.errno_changed, 1, __ATOMIC_RELAXED);
}

static void *blow(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    sem_t sem;
    sem_init(&sem, 0, 0);
    if (control && profile_this_thread_badly() < 0) {
        printf("the control needs perf_event: %s\n", strerror(errno));
        fflush(stdout);
        _exit(77);
    }
    for (double end = now_s() + seconds; now_s() < end;) {
        burn((unsigned)rand_r(&seed) % 60000);
        int call = rand_r(&seed) % CALLS;
        errno = 0;
        int result = sleep_once(call, epoll, &sem);
        __atomic_fetch_add(&seen.calls[call], 1, __ATOMIC_RELAXED);
        if (result < 0 && errno == EINTR)
            __atomic_fetch_add(&seen.eintr[call], 1, __ATOMIC_RELAXED);
    }
    close(epoll);
    sem_destroy(&sem);
    return NULL;
}

int main(int argc, char **argv)
{
    seconds = argc > 1 ? atof(argv[1]) : 2;
    control = argc > 2 && strcmp(argv[2], "--control") == 0;
    if (control) {
        struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
        sigaction(SIGUSR2, &action, NULL);
    }
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, blow, (void *)(i + 1)) != 0)
            return 3;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    unsigned long calls = 0, eintr = 0;
    for (int i = 0; i < CALLS; i++) {
        printf("%s %lu of %lu\n", call_names[i], seen.eintr[i], seen.calls[i]);
        calls += seen.calls[i];
        eintr += seen.eintr[i];
    }
    printf("calls %lu\neintr %lu\nerrno %lu\nsignals %lu\n", calls, eintr, seen.errno_changed,
           seen.signals);
    return 0;
}
