/* SPDX-License-Identifier: MIT
 *
 * A thread that runs walks its own stack, in the handler of a one-shot timer on its CPU clock. Such
 * a timer expires only while the thread runs, so that it interrupts no wait. One thread is asked at
 * a time; an answer that comes too late finds the question gone. thread_answer runs in the handler:
 * base/sigsafe.h and the unwinder only. */
#include "runtime/thread_ask.h"

#include "base/sigsafe.h"

#include <time.h>

enum { ASK_IDLE, ASK_OPEN, ASK_BUSY, ASK_DONE };
enum { WAIT_MS = 30, RED_ZONE = 128 };

static struct {
    _Atomic uint32_t state;
    uint32_t tid;
    uint32_t depth;
    enum unwind_end end;
    uint64_t pcs[LIMIT_STACK_DEPTH];
} question;

bool thread_answer(const siginfo_t *si, const void *context)
{
    if (si->si_code != SI_TIMER || si->si_value.sival_ptr != &question)
        return false;
    uint32_t open = ASK_OPEN;
    if (question.tid != (uint32_t)sigsafe_syscall0(SYS_gettid) ||
        !atomic_compare_exchange_strong(&question.state, &open, ASK_BUSY))
        return true; /* too late */
    struct unwind_regs regs;
    unwind_regs_from_ucontext(&regs, context);
    uint64_t sp = regs.r[UNWIND_SP];
    struct unwind_bounds b = {.lo = sp - RED_ZONE, .hi = runtime_stack_end(sp)};
    struct unwind_trace to = {.pcs = question.pcs, .max = LIMIT_STACK_DEPTH};
    if (b.hi > sp)
        unwind_walk(rt.cache, &regs, &b, &to);
    question.depth = to.depth;
    question.end = to.depth ? to.end : UNWIND_TRUNCATED;
    atomic_store_explicit(&question.state, ASK_DONE, memory_order_release);
    return true;
}

static struct timespec milliseconds(int ms)
{
    return (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
}

/* Waits for the answer, or takes the question back. */
static bool wait_for_answer(void)
{
    struct timespec one = milliseconds(1);
    for (int i = 0; i < WAIT_MS; i++) {
        if (atomic_load_explicit(&question.state, memory_order_acquire) == ASK_DONE)
            return true;
        sigsafe_syscall2(SYS_nanosleep, &one, NULL);
    }
    uint32_t open = ASK_OPEN;
    if (atomic_compare_exchange_strong(&question.state, &open, ASK_IDLE))
        return false;
    while (atomic_load_explicit(&question.state, memory_order_acquire) != ASK_DONE)
        sigsafe_syscall2(SYS_nanosleep, &one, NULL); /* it is at it */
    return true;
}

bool thread_ask(uint32_t tid, struct unwind_trace *to)
{
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = rt.signo};
    int timer;
    e.sigev_value.sival_ptr = &question;
    e._sigev_un._tid = (pid_t)tid;
    if (atomic_load(&rt.denied) & (NEED_ARM | NEED_RETURN))
        return false;
    if (sigsafe_syscall3(SYS_timer_create, taskclock_of_thread(tid), &e, &timer) < 0)
        return false;
    question.tid = tid;
    atomic_store_explicit(&question.state, ASK_OPEN, memory_order_release);
    struct itimerspec soon = {.it_value = {0, 1}};
    sigsafe_syscall4(SYS_timer_settime, timer, 0, &soon, NULL);
    bool answered = wait_for_answer();
    sigsafe_syscall1(SYS_timer_delete, timer);
    if (answered) {
        to->depth = question.depth;
        to->end = question.end;
        for (uint32_t i = 0; i < to->depth; i++)
            to->pcs[i] = question.pcs[i];
    }
    atomic_store(&question.state, ASK_IDLE);
    return answered;
}
