/* SPDX-License-Identifier: MIT
 *
 * The ways to the kernel that go past libc's own functions: syscall(2) with a number that matters
 * here, _Fork and clone. A child that they make is a process or a thread like any other, and an
 * image that is started by number is sampled like one that is started by name.
 *
 * syscall is a few instructions of assembly that jump on to libc's: it takes its arguments where
 * they are and leaves no frame, because a caller may return twice from it (clone, vfork). */
#include "runtime/interpose.h"

#include "base/sigsafe.h"
#include "runtime/http.h"
#include "runtime/say.h"
#include "runtime/waits.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- syscall(2) ---- */

void *runtime_libc_syscall __attribute__((visibility("hidden")));

__attribute__((constructor)) static void find_syscall(void)
{
    runtime_libc_syscall = real_function("syscall");
}

static long to_libc(long r)
{
    if (r < 0 && r > -4096) {
        errno = (int)-r;
        return -1;
    }
    return r;
}

/* The kernel's struct sigaction (asm/signal.h). */
struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

/* Programs reset all handlers by number between fork and exec (Chromium does): the default action
 * for our signal would kill them at its next tick. It goes the way of sigaction(3). */
static long set_our_action(long sig, const struct kernel_action *act, struct kernel_action *old)
{
    struct sigaction to = {0}, before;
    if (act) {
        to.sa_sigaction = (void (*)(int, siginfo_t *, void *))act->handler;
        to.sa_flags = (int)act->flags;
        __builtin_memcpy(&to.sa_mask, &act->mask, sizeof act->mask);
    }
    if (sigaction((int)sig, act ? &to : NULL, &before) != 0)
        return -1;
    if (old) {
        *old = (struct kernel_action){.handler = (void *)before.sa_sigaction,
                                      .flags = (unsigned long)before.sa_flags};
        __builtin_memcpy(&old->mask, &before.sa_mask, sizeof old->mask);
    }
    return 0;
}

static bool futex_waits(long op)
{
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_LOCK_PI: return true;
    default: return false;
    }
}

/* A value that is not as expected, or a lock that is free, is no wait. */
static enum waits_outcome futex_outcome(long r)
{
    return r == 0 || r == -ETIMEDOUT || r == -EINTR ? WAITS_GOT : WAITS_FAILED;
}

/* What the assembly below sends here, and everything until the constructor above has run. */
long runtime_syscall(long nr, long a, long b, long c, long d, long e, long f)
    __attribute__((visibility("hidden")));

long runtime_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    switch (nr) {
    case SYS_execve: return execve((const char *)a, (char *const *)b, (char *const *)c);
    case SYS_execveat:
        return execveat((int)a, (const char *)b, (char *const *)c, (char *const *)d, (int)e);
    case SYS_rt_sigaction:
        if (a == rt.signo && runtime_is_sampling() && runtime_pid() == rt.pid)
            return set_our_action(a, (const struct kernel_action *)b, (struct kernel_action *)c);
        break;
    case SYS_prctl:
        if (a == PR_SET_SECCOMP)
            sandbox_begins(b == SECCOMP_MODE_STRICT, (const struct sock_fprog *)c, false);
        break;
    case SYS_seccomp:
        if (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER)
            sandbox_begins(a == SECCOMP_SET_MODE_STRICT, (const struct sock_fprog *)c,
                           b & SECCOMP_FILTER_FLAG_TSYNC);
        break;
    }
    struct wait w;
    w.t = NULL;
    if (nr == SYS_futex && futex_waits(b)) {
        waits_begin(&w, WAITS_FUTEX, (const void *)a);
        w.by_frame = true; /* which returns to the frame of `syscall` below */
    }
    long r = sigsafe_syscall6(nr, a, b, c, d, e, f);
    waits_leave(&w, __builtin_return_address(0), futex_outcome(r));
    if (r == 0 && (nr == SYS_clone
#ifdef SYS_fork
                   || nr == SYS_fork
#endif
                   ))
        runtime_forked();
    return to_libc(r);
}

#if defined(__x86_64__)
/* 202 futex, 13 rt_sigaction, 56 clone, 57 fork, 59 execve, 157 prctl, 317 seccomp, 322 execveat. A
 * clone that shares memory (CLONE_VM, bit 8) returns on another stack: it is left to libc. For a
 * futex it calls instead of jumping, so that the stack of a wait has a frame of its name. */
__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "        .cfi_startproc\n"
        "        endbr64\n"
        "        movq runtime_libc_syscall(%rip), %rax\n"
        "        testq %rax, %rax\n"
        "        je 1f\n"
        "        cmpl $202, %edi\n"
        "        je 4f\n"
        "        cmpl $13, %edi\n"
        "        je 1f\n"
        "        cmpl $56, %edi\n"
        "        je 2f\n"
        "        cmpl $57, %edi\n"
        "        je 1f\n"
        "        cmpl $59, %edi\n"
        "        je 1f\n"
        "        cmpl $157, %edi\n"
        "        je 1f\n"
        "        cmpl $317, %edi\n"
        "        je 1f\n"
        "        cmpl $322, %edi\n"
        "        je 1f\n"
        "3:      jmp *%rax\n"
        "2:      testl $0x100, %esi\n"
        "        jne 3b\n"
        "1:      jmp runtime_syscall\n"
        "4:      cmpl $0, waits_look_at_futex(%rip)\n"
        "        je 3b\n"
        "        pushq 8(%rsp)\n"
        "        .cfi_adjust_cfa_offset 8\n"
        "        call runtime_syscall\n"
        "        addq $8, %rsp\n"
        "        .cfi_adjust_cfa_offset -8\n"
        "        ret\n"
        "        .cfi_endproc\n"
        ".size syscall, . - syscall\n");
#endif

/* ---- processes ---- */

INTERPOSE pid_t _Fork(void)
{
    REAL(_Fork, pid_t(*)(void));
    pid_t pid = real();
    if (pid == 0)
        runtime_forked();
    return pid;
}

/* ---- clone ---- */

typedef int (*clone_fn)(int (*)(void *), void *, int, void *, ...);

/* On the creator's stack, of which the child has a copy. */
struct forked {
    int (*fn)(void *);
    void *arg;
};

static int run_forked(void *p)
{
    struct forked f = *(struct forked *)p;
    runtime_forked();
    return f.fn(f.arg);
}

INTERPOSE int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    REAL(clone, clone_fn);
    va_list ap;
    va_start(ap, arg);
    void *parent_tid = va_arg(ap, void *), *tls = va_arg(ap, void *);
    void *child_tid = va_arg(ap, void *);
    va_end(ap);
    struct thread *t = NULL;
    struct forked forked = {fn, arg};
    if (flags & CLONE_THREAD) {
        t = threads_adopt(&fn, &arg, stack);
    } else if (!(flags & CLONE_VM)) {
        fn = run_forked;
        arg = &forked;
    }
    int r = real(fn, stack, flags, arg, parent_tid, tls, child_tid);
    if (r < 0 && t)
        runtime_thread_release(t);
    return r;
}

/* Capabilities are a thread's own, and libc ends the process where setuid succeeds in one thread
 * and not in another: so a program that is about to part them may have no thread of ours. */
static void stop_serving(void)
{
    static const char text[] = "libstrobe: STROBE_HTTP is not served from here on, because the "
                               "program changes its capabilities\n";
    if (!atomic_load(&rt.server_tid) || runtime_pid() != rt.pid)
        return;
    http_server_stop();
    say_text(text, sizeof text - 1);
}

int capset(void *head, const void *data);
INTERPOSE int capset(void *head, const void *data)
{
    REAL(capset, int (*)(void *, const void *));
    stop_serving();
    return real(head, data);
}

INTERPOSE int prctl(int option, ...)
{
    REAL(prctl, int (*)(int, ...));
    va_list ap;
    va_start(ap, option);
    unsigned long a = va_arg(ap, unsigned long), b = va_arg(ap, unsigned long);
    unsigned long c = va_arg(ap, unsigned long), d = va_arg(ap, unsigned long);
    va_end(ap);
    if ((option == PR_SET_KEEPCAPS && a) || option == PR_SET_SECUREBITS)
        stop_serving();
    if (option == PR_SET_SECCOMP)
        sandbox_begins(a == SECCOMP_MODE_STRICT, (const struct sock_fprog *)b, false);
    return real(option, a, b, c, d);
}

INTERPOSE long ptrace(enum __ptrace_request request, ...)
{
    REAL(ptrace, long (*)(enum __ptrace_request, ...));
    va_list ap;
    va_start(ap, request);
    pid_t pid = va_arg(ap, pid_t);
    void *address = va_arg(ap, void *), *data = va_arg(ap, void *);
    va_end(ap);
    if (request == PTRACE_TRACEME)
        runtime_traced();
    return real(request, pid, address, data);
}
