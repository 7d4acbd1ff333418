/* SPDX-License-Identifier: MIT
 *
 * A library to preload, which does nothing but be interrupted: STROBE_HZ signals a second of CPU
 * time, sent as libstrobe's best clock sends them (a task-clock event with sigtrap, for all
 * threads), to a handler that returns at once. What a program loses under it, every profiler that
 * samples from inside takes from it; the rest is the profiler's own. */
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void handle(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)info, (void)context;
}

__attribute__((constructor)) static void start(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct perf_event_attr attr = {.size = sizeof attr,
                                   .type = PERF_TYPE_SOFTWARE,
                                   .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .sigtrap = 1,
                                   .remove_on_exec = 1,
                                   .inherit = 1,
                                   .inherit_thread = 1};
    const char *hz = getenv("STROBE_HZ");
    int n = hz ? atoi(hz) : 0;
    attr.sample_period = 1000000000u / (unsigned)(n > 0 ? n : 100);
    sigaction(SIGTRAP, &action, NULL);
    if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0)
        perror("perf_event_open");
}
