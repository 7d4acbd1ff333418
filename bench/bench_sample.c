/* SPDX-License-Identifier: MIT
 *
 * bench_sample [--short]: what one CPU sample costs the sampled thread, without the interrupt that
 * brings it. The thread queues libstrobe's own signal to itself, as the kernel's timer would, at
 * the depths 8, 33 and 103; beside it the same signal to an empty handler (the floor: kernel entry,
 * signal frame, sigreturn) and to a handler that calls glibc's backtrace(), as profilers do.
 * Rounds are interleaved; the table has the fastest round of each. */
#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { METHODS = 4, CALLS = 2000 };

static struct thread *self;
static bool on_time; /* the thread's signals come once a period: its clock need not be read */

static void empty(int sig, siginfo_t *si, void *context)
{
    (void)sig, (void)si, (void)context;
}

static void glibc(int sig, siginfo_t *si, void *context)
{
    static void *frames[LIMIT_STACK_DEPTH];
    backtrace(frames, LIMIT_STACK_DEPTH);
    empty(sig, si, context);
}

static const struct {
    const char *name;
    void (*handler)(int, siginfo_t *, void *);
} methods[METHODS] = {{"empty handler", empty},
                      {"strobe, on time", runtime_handler},
                      {"strobe, on ticks", runtime_handler},
                      {"glibc backtrace()", glibc}};

/* A timer's signal, as timer_create would send it: the entry of the thread is its value. */
static void send_signals(void)
{
    siginfo_t si;
    memset(&si, 0, sizeof si);
    si.si_signo = rt.signo;
    si.si_code = SI_TIMER;
    si.si_value.sival_ptr = self;
    for (int i = 0; i < CALLS; i++) {
        self->next_point_ns = 1;        /* points have always passed: every signal is a sample */
        self->trust = on_time ? 16 : 0; /* a thread of a perf event, after some signals */
        sigsafe_syscall4(SYS_rt_tgsigqueueinfo, getpid(), self->tid, rt.signo, &si);
    }
}

static double ns_per_signal(void)
{
    uint64_t start = sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    send_signals();
    return (double)(sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / CALLS;
}

static __attribute__((noinline)) double at_depth(int depth)
{
    volatile char frame[64];
    frame[0] = (char)depth;
    double ns = depth > 0 ? at_depth(depth - 1) : ns_per_signal();
    return ns + frame[0] * 0;
}

static void use(int method)
{
    struct sigaction sa = {.sa_sigaction = methods[method].handler,
                           .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigfillset(&sa.sa_mask);
    on_time = method == 1;
    self->timer = method == 1 ? -1 : 0; /* no timer, but a thread of the timer back end */
    /* libc's own: ours would keep libstrobe's handler in its place. */
    int (*real)(int, const struct sigaction *, struct sigaction *) = real_function("sigaction");
    real(rt.signo, &sa, NULL);
}

static int discard(void *ctx, const void *bytes, size_t size)
{
    (void)ctx, (void)bytes, (void)size;
    return 0;
}

int main(int argc, char **argv)
{
    static const int depths[] = {8, 33, 103};
    int rounds = argc > 1 && !strcmp(argv[1], "--short") ? 5 : 50;
    setenv("STROBE_BACKEND", "timer", 1);
    strobe_cpu_set_rate(1);
    if (strobe_cpu_start_writer(discard, NULL) != 0) {
        fprintf(stderr, "%s\n", strobe_last_error());
        return 1;
    }
    self = runtime_self();
    runtime_disarm(self);
    rt.ticks_a_period = UINT64_MAX / 4;
    printf("one CPU sample, ns of the thread's CPU, the interrupt aside\n%-20s", "depth");
    double best[3][METHODS];
    for (int d = 0; d < 3; d++)
        for (int m = 0; m < METHODS; m++)
            best[d][m] = 1e12;
    for (int r = 0; r < rounds; r++)
        for (int d = 0; d < 3; d++)
            for (int m = 0; m < METHODS; m++) {
                use(m);
                double ns = at_depth(depths[d] - 4); /* main and what is below it */
                best[d][m] = ns < best[d][m] ? ns : best[d][m];
            }
    for (int d = 0; d < 3; d++)
        printf("%12d", depths[d]);
    for (int m = 0; m < METHODS; m++) {
        printf("\n%-20s", methods[m].name);
        for (int d = 0; d < 3; d++)
            printf("%12.0f", best[d][m]);
    }
    for (int m = 1; m < 3; m++) {
        printf("\n%-20s", m == 1 ? "over floor, on time" : "over floor, on ticks");
        for (int d = 0; d < 3; d++)
            printf("%12.0f", best[d][m] - best[d][0]);
    }
    printf("\n");
    return 0;
}
