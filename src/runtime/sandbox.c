/* SPDX-License-Identifier: MIT
 *
 * Programs that lock themselves in. A seccomp filter may kill the process for a system call that
 * the program would never have made, but that we would: so each filter is asked before the kernel
 * gets it, by running its (classic BPF) program on the calls that libstrobe makes. What it would
 * not let pass is not done any more: new threads are not sampled, the clock is taken from the
 * period of the signals, or, where not even a signal handler may return, sampling ends here and the
 * profile says so. Rights only shrink, as filters do.
 *
 * The calls stand in one table, by what they are for. Source of the filter language:
 * linux/filter.h, linux/seccomp.h, kernel/seccomp.c (seccomp_check_filter). */
#include "base/sigsafe.h"
#include "runtime/debug.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/runtime.h"
#include "runtime/thread_record.h"
#include "runtime/tree.h"
#include "runtime/waits.h"
#include "runtime/wall.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

enum { MEMORY_WORDS = BPF_MEMWORDS, STEPS_MAX = BPF_MAXINSNS };

/* A call we make, and whether an error from it does no harm. */
static const struct use {
    int nr;
    int arg0;
    uint32_t need; /* enum runtime_need */
    bool may_fail;
} uses[] = {
    {SYS_rt_sigreturn, 0, NEED_RETURN, false},
    {SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, NEED_CLOCK, false},
    {SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, NEED_CLOCK, false},
    {SYS_clock_gettime, -2, NEED_CLOCK, true}, /* another thread's */
    {SYS_clock_gettime, CLOCK_MONOTONIC, NEED_CLOCK, true},
    {SYS_getpid, 0, NEED_IDS, false},
    {SYS_gettid, 0, NEED_IDS, false},
    {SYS_process_vm_readv, 0, NEED_COPY, true},
    {SYS_perf_event_open, 0, NEED_ARM, true},
    {SYS_fcntl, 0, NEED_ARM, true},
    {SYS_ioctl, 0, NEED_ARM, true},
    {SYS_close, 0, NEED_ARM, true},
    {SYS_mmap, 0, NEED_ARM, true},
    {SYS_munmap, 0, NEED_ARM, true},
    {SYS_mprotect, 0, NEED_ARM, true},
    {SYS_getrlimit, 0, NEED_ARM, true},
    {SYS_getrandom, 0, NEED_ARM, true},
    {SYS_timer_create, 0, NEED_ARM, true},
    {SYS_timer_settime, 0, NEED_ARM, true},
    {SYS_timer_delete, 0, NEED_ARM, true},
    {SYS_setitimer, 0, NEED_ARM, true},
    {SYS_getitimer, 0, NEED_ARM, true},
    {SYS_sigaltstack, 0, NEED_ARM, true},
    {SYS_rt_sigprocmask, 0, NEED_ARM, true},
    {SYS_rt_sigaction, 0, NEED_ARM, true},
    {SYS_sched_yield, 0, NEED_ARM, true},
    {SYS_openat, 0, NEED_FILE, true},
    {SYS_newfstatat, 0, NEED_FILE, true},
    {SYS_read, 0, NEED_FILE, true},
    {SYS_pread64, 0, NEED_FILE, true},
    {SYS_write, 0, NEED_FILE, true},
    {SYS_lseek, 0, NEED_FILE, true},
    {SYS_ftruncate, 0, NEED_FILE, true},
    {SYS_fstat, 0, NEED_FILE, true},
    {SYS_ppoll, 0, NEED_SAY, true},
    {SYS_rt_sigtimedwait, 0, NEED_SAY, true},
    {SYS_unlink, 0, NEED_SAY, true},
    {SYS_setrlimit, 0, NEED_SAY, true},
    {SYS_socket, 0, NEED_DOOR, true},
    {SYS_sendto, 0, NEED_DOOR, true},
    {SYS_clone, 0, NEED_LOOK, true},
    {SYS_futex, 0, NEED_LOOK, true},
    {SYS_wait4, 0, NEED_LOOK, true},
    {SYS_madvise, 0, NEED_LOOK, true},
};

/* ---- classic BPF ---- */

struct machine {
    uint32_t a, x, memory[MEMORY_WORDS];
    const struct seccomp_data *data;
};

static uint32_t alu(uint16_t code, uint32_t a, uint32_t b)
{
    switch (BPF_OP(code)) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return b ? a / b : 0;
    case BPF_AND: return a & b;
    case BPF_OR: return a | b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return b < 32 ? a << b : 0;
    case BPF_RSH: return b < 32 ? a >> b : 0;
    default: return -a; /* BPF_NEG */
    }
}

static bool jumps(uint16_t code, uint32_t a, uint32_t b)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return (a & b) != 0; /* BPF_JSET */
    }
}

static bool load(struct machine *m, const struct sock_filter *f, uint32_t *to)
{
    switch (BPF_MODE(f->code)) {
    case BPF_IMM: *to = f->k; return true;
    case BPF_LEN: *to = sizeof *m->data; return true;
    case BPF_MEM: *to = f->k < MEMORY_WORDS ? m->memory[f->k] : 0; return true;
    case BPF_ABS:
        if (f->k % 4 || f->k > sizeof *m->data - 4)
            return false;
        memcpy(to, (const char *)m->data + f->k, 4);
        return true;
    default: return false;
    }
}

/* What the filter says of a call; SECCOMP_RET_KILL_PROCESS if it makes no sense. */
static uint32_t run(const struct sock_fprog *p, const struct seccomp_data *data)
{
    struct machine m = {.data = data};
    uint32_t at = 0;
    for (int steps = 0; steps < STEPS_MAX && at < p->len; steps++) {
        const struct sock_filter *f = &p->filter[at++];
        uint32_t operand = BPF_SRC(f->code) == BPF_X ? m.x : f->k;
        switch (BPF_CLASS(f->code)) {
        case BPF_LD:
            if (!load(&m, f, &m.a))
                return SECCOMP_RET_KILL_PROCESS;
            break;
        case BPF_LDX:
            if (!load(&m, f, &m.x))
                return SECCOMP_RET_KILL_PROCESS;
            break;
        case BPF_ST: m.memory[f->k % MEMORY_WORDS] = m.a; break;
        case BPF_STX: m.memory[f->k % MEMORY_WORDS] = m.x; break;
        case BPF_ALU: m.a = alu(f->code, m.a, operand); break;
        case BPF_JMP:
            at += BPF_OP(f->code) == BPF_JA ? f->k : jumps(f->code, m.a, operand) ? f->jt : f->jf;
            break;
        case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
        default:
            if (BPF_MISCOP(f->code) == BPF_TAX)
                m.x = m.a;
            else
                m.a = m.x;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* What the server's thread cannot do without; an error from poll or accept would make it spin. */
static const int server_calls[] = {
    SYS_poll, SYS_accept4, SYS_recvfrom,      SYS_sendto, SYS_close,
    SYS_mmap, SYS_munmap,  SYS_clock_gettime, SYS_exit,   SYS_futex,
};

static bool passes(const struct sock_fprog *p, const struct use *u)
{
    struct seccomp_data data = {.nr = u->nr, .args = {(uint64_t)(int64_t)u->arg0}};
#if defined(__x86_64__)
    data.arch = AUDIT_ARCH_X86_64;
#else
    data.arch = AUDIT_ARCH_AARCH64;
#endif
    uint32_t action = run(p, &data) & SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ||
           (action == SECCOMP_RET_ERRNO && u->may_fail);
}

uint32_t sandbox_denies(const struct sock_fprog *p)
{
    uint32_t denied = 0;
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (!passes(p, &uses[i]))
            denied |= uses[i].need;
    return denied;
}

bool sandbox_lets_serve(const struct sock_fprog *p)
{
    for (size_t i = 0; i < sizeof server_calls / sizeof *server_calls; i++) {
        struct use u = {.nr = server_calls[i], .arg0 = CLOCK_MONOTONIC};
        if (!passes(p, &u))
            return false;
    }
    return true;
}

void sandbox_begins(bool strict, const struct sock_fprog *p, bool all_threads)
{
    tree_shut();
    bool serves = strict || !all_threads || !p || !p->filter || sandbox_lets_serve(p);
    /* What is left in strict mode ends its thread alone: the program would wait for ours. */
    if (atomic_load(&rt.server_tid) && (strict || !serves))
        http_server_stop();
    uint32_t denied = strict || !p || !p->filter ? ~0u : sandbox_denies(p);
    int saved = errno;
    if (denied & (NEED_FILE | NEED_CLOCK)) { /* what cannot be written later is written now */
        heap_end(false);
        waits_end(false);
        debug_trace_end();
    }
    if (denied & (NEED_FILE | NEED_COPY | NEED_ARM | NEED_IDS | NEED_RETURN)) {
        file_end_counts(); /* threads can be looked at for the last time */
        thread_record_end();
    }
    wall_sandboxed(denied);
    /* A profile that can neither be sampled further nor written later is written now. */
    bool unwritable = !rt.shm && (denied & (NEED_FILE | NEED_CLOCK));
    /* The process's timer does not say whose time it counted. */
    bool unweighed = rt.clock.backend == SHM_BACKEND_ITIMER && (denied & NEED_CLOCK);
    bool cannot_go_on = (denied & NEED_RETURN) || strict || unwritable || unweighed;
    if (cannot_go_on && runtime_is_sampling())
        runtime_give_up();
    atomic_fetch_or(&rt.denied, denied);
    errno = saved;
}
