/* SPDX-License-Identifier: MIT
 *
 * Finds and opens the sampling clock. perf_event's task-clock is an hrtimer, exact at any rate, but
 * its signal must never reach a thread that is about to sleep, or the sleep fails with EINTR: only
 * SIGTRAP queued by task_work (kernel 6.11 and later) or the exclusion of kernel time guarantee
 * that, so a back end is used only where one of the two holds. Everything here but the probe is
 * raw system calls, because libstrobe runs it in new threads before the program's code does. */
#include "base/taskclock.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

int taskclock_open(const struct taskclock *clock, uint32_t tid, uint64_t first_ns, uint64_t data)
{
    struct perf_event_attr attr;
    sigsafe_zero(&attr, sizeof attr);
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof attr;
    attr.config = PERF_COUNT_SW_TASK_CLOCK;
    attr.sample_period = first_ns;
    attr.exclude_hv = 1;
    attr.wakeup_events = 1;
    if (clock->backend == SHM_BACKEND_SIGTRAP) {
        attr.exclude_kernel = clock->exclude_kernel;
        attr.sigtrap = 1;
        attr.remove_on_exec = 1;
        attr.sig_data = data;
    } else {
        attr.exclude_kernel = 1; /* or the signal could end a system call with EINTR */
        attr.disabled = 1;
    }
    return (int)sigsafe_syscall6(SYS_perf_event_open, (long)&attr, (long)tid, -1, -1,
                                 PERF_FLAG_FD_CLOEXEC, 0);
}

static bool kernel_at_least(int major, int minor)
{
    struct utsname u;
    int a = 0, b = 0;
    if (uname(&u) != 0 || sscanf(u.release, "%d.%d", &a, &b) != 2)
        return false;
    return a > major || (a == major && b >= minor);
}

bool taskclock_is_traced(void)
{
    char text[2048];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strstr(text, "TracerPid:");
    return at && atoi(at + 10) != 0;
}

static bool opens(const struct taskclock *clock)
{
    int fd = taskclock_open(clock, 0, 1000000000, 0);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static volatile sig_atomic_t traps;

static void count_trap(int sig)
{
    (void)sig;
    traps++;
}

/* Burns CPU and sleeps in turn under a 20 kHz event: with signals sent from an interrupt about one
 * sleep in thirty fails. Runs in a child of its own. */
static bool sigtrap_is_clean(const struct taskclock *clock)
{
    struct sigaction sa = {.sa_handler = count_trap};
    sigaction(SIGTRAP, &sa, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int fd = taskclock_open(clock, 0, 50000, 0);
    if (fd < 0)
        return false;
    int interrupted = 0;
    for (int i = 0; i < 150; i++) {
        uint64_t end = sigsafe_clock_ns(CLOCK_MONOTONIC) + 20000 + (uint64_t)(i % 16) * 6000;
        while (sigsafe_clock_ns(CLOCK_MONOTONIC) < end)
            ;
        struct timespec ts = {0, 20000};
        interrupted += ppoll(NULL, 0, &ts, NULL) < 0 && errno == EINTR;
    }
    close(fd);
    return traps > 10 && interrupted == 0;
}

static bool passes_in_child(const struct taskclock *clock)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(sigtrap_is_clean(clock) ? 0 : 1);
    int status = 1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool sigtrap_usable(struct taskclock *clock, bool forced, bool thorough)
{
    clock->backend = SHM_BACKEND_SIGTRAP;
    if (taskclock_is_traced() || (!forced && !kernel_at_least(6, 11)))
        return false;
    clock->exclude_kernel = false;
    if (!opens(clock)) {
        clock->exclude_kernel = true;
        if (!opens(clock))
            return false;
    }
    return forced || !thorough || passes_in_child(clock);
}

/* A sandbox may not know of timers, and each takes one of the signals that RLIMIT_SIGPENDING lets
 * this user queue. */
static bool makes_timers(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_NONE};
    int id;
    if (sigsafe_syscall3(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &ev, &id) < 0)
        return false;
    sigsafe_syscall1(SYS_timer_delete, id);
    return true;
}

struct taskclock taskclock_probe(enum shm_backend want, bool thorough)
{
    struct taskclock clock = {0};
    if (want == SHM_BACKEND_AUTO || want == SHM_BACKEND_SIGTRAP)
        if (sigtrap_usable(&clock, want == SHM_BACKEND_SIGTRAP, thorough))
            return clock;
    if (want != SHM_BACKEND_TIMER && want != SHM_BACKEND_ITIMER) {
        clock = (struct taskclock){SHM_BACKEND_SIGNAL, true};
        if (opens(&clock))
            return clock;
    }
    bool timers = want != SHM_BACKEND_ITIMER && makes_timers();
    return (struct taskclock){timers ? SHM_BACKEND_TIMER : SHM_BACKEND_ITIMER, false};
}

/* A signal that the thread sends to itself takes the way of ours but for the timer's interrupt and
 * the overflow, which were 2.4 times as much where both were measured at leisure (Linux 6.18, a
 * virtual machine). The shortest of many counts, because others share the machine; measuring the
 * whole way needs milliseconds without them, which a start has not. */
uint32_t taskclock_measure_ns(void)
{
    enum { TRIES = 300, LEAST_NS = 1000, MOST_NS = 8000 };
    struct sigaction sa = {.sa_handler = count_trap}, old;
    uint64_t least = MOST_NS, pid = (uint64_t)getpid(), tid = (uint64_t)syscall(SYS_gettid);
    if (sigaction(SIGTRAP, &sa, &old) != 0)
        return TASKCLOCK_INTERRUPT_NS;
    for (int i = 0; i < TRIES; i++) {
        uint64_t start = sigsafe_clock_ns(CLOCK_MONOTONIC);
        sigsafe_syscall3(SYS_tgkill, pid, tid, SIGTRAP);
        uint64_t ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - start;
        least = ns < least ? ns : least;
    }
    sigaction(SIGTRAP, &old, NULL);
    uint64_t ns = least * 34 / 10;
    return (uint32_t)(ns < LEAST_NS ? LEAST_NS : ns > MOST_NS ? MOST_NS : ns);
}

int taskclock_cost_parse(const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    if (end == text || !(percent >= 0 && percent <= 100) || (*end && strcmp(end, "%") != 0))
        return -1;
    return (int)(percent * 10000 + 0.5);
}

static const char *const names[SHM_BACKEND_COUNT][2] = {
    [SHM_BACKEND_AUTO] = {"auto", "not chosen"},
    [SHM_BACKEND_SIGTRAP] = {"sigtrap", "perf_event task-clock, SIGTRAP"},
    [SHM_BACKEND_SIGNAL] = {"signal", "perf_event task-clock, signal in user mode"},
    [SHM_BACKEND_TIMER] = {"timer", "CPU-time timers on the scheduler's tick"},
    [SHM_BACKEND_ITIMER] = {"itimer", "the process's one profiling timer, SIGPROF on the "
                                      "scheduler's tick"},
};

const char *taskclock_backend_name(enum shm_backend backend)
{
    return names[backend < SHM_BACKEND_COUNT ? backend : 0][1];
}

int taskclock_backend_parse(const char *name)
{
    for (int i = 0; i < SHM_BACKEND_COUNT; i++)
        if (strcmp(names[i][0], name) == 0)
            return i;
    return -1;
}
