/* SPDX-License-Identifier: MIT
 *
 * The clock of last resort, where the kernel gives neither perf_event nor timers (a sandbox that
 * knows of neither, RLIMIT_SIGPENDING of 0): setitimer(ITIMER_PROF), one for the whole process. Its
 * signal goes to the thread that runs when the scheduler's tick finds it expired, and that thread's
 * own CPU clock says what the sample weighs; so threads share the ticks, not the weights.
 *
 * A process has only one such timer, and it is the program's first: where one runs already, nothing
 * is started, and when the program sets it, ours gives way and the rest of the program's time is
 * [threads not sampled]. It survives execve, where its signal would kill: so it stands still while
 * one is tried. Runs in handlers: raw system calls only. */
#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <sys/time.h>

enum { ITIMER_STOPPED, ITIMER_OURS, ITIMER_THEIRS };

static _Atomic int state;

static long set(uint64_t interval_ns)
{
    struct itimerval v = {.it_interval = {0, (long)(interval_ns / 1000)},
                          .it_value = {0, (long)(interval_ns / 1000)}};
    return sigsafe_syscall3(SYS_setitimer, ITIMER_PROF, &v, NULL);
}

bool itimer_start(void)
{
    int expected = ITIMER_STOPPED;
    if (!atomic_compare_exchange_strong(&state, &expected, ITIMER_OURS))
        return expected == ITIMER_OURS;
    struct itimerval now;
    sigsafe_zero(&now, sizeof now);
    if (sigsafe_syscall2(SYS_getitimer, ITIMER_PROF, &now) < 0 || now.it_value.tv_sec ||
        now.it_value.tv_usec || now.it_interval.tv_sec || now.it_interval.tv_usec) {
        atomic_store(&state, ITIMER_THEIRS); /* an image before this one set it */
        return false;
    }
    if (set(runtime_tick_ns()) == 0)
        return true;
    atomic_store(&state, ITIMER_STOPPED);
    return false;
}

void itimer_stop(void)
{
    int expected = ITIMER_OURS;
    if (atomic_compare_exchange_strong(&state, &expected, ITIMER_STOPPED))
        set(0);
}

void itimer_forget(void)
{
    atomic_store(&state, ITIMER_STOPPED);
}

bool itimer_is_theirs(void)
{
    return atomic_load_explicit(&state, memory_order_relaxed) == ITIMER_THEIRS;
}

bool itimer_is_ours(void)
{
    return atomic_load(&state) == ITIMER_OURS;
}

void itimer_give_way(void)
{
    itimer_stop();
    atomic_store(&state, ITIMER_THEIRS);
    atomic_fetch_add(&rt.threads_lost, 1);
    if (rt.process)
        atomic_fetch_add(&rt.process->threads_lost, 1);
}
