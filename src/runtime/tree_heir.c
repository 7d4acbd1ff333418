/* SPDX-License-Identifier: MIT
 *
 * Who serves when the process that served is gone. A daemon forks and its first process ends: what
 * is left of it is in a session of its own. A process of the tree that enters another session than
 * the first server's, or is forked in one while that server is young, or is forked when it is gone
 * already, gets a thread that waits for the server's end, takes its address, and serves; if the
 * server stays, the thread goes after some seconds. No other process gets one: a single-threaded
 * program is slower with a second thread, and nothing of ours runs in one that sleeps.
 *
 * Where the server ends later on, by SIGKILL too, the kernel says so in a word of the segment,
 * which is on the robust list of the thread that serves (get_robust_list(2)). The other processes
 * look at the word before they sleep (poll and its kin, nanosleep): that costs them one load, and
 * the first that does so takes the address. What sleeps all the time cannot be woken without its
 * noticing: by a signal its system call would fail with EINTR, and only a thread or a process of
 * ours that sleeps beside each could wait instead of it. */
#include "runtime/tree.h"

#include "base/sigsafe.h"
#include "runtime/http.h"
#include "runtime/interpose.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { YOUNG_MS = 3000, WAIT_MS = 4000, WAIT_AT_START_MS = 70000, LOOK_MS = 100, YIELD_MS = 500 };
enum { AGAIN_MS = 10000 };

static _Atomic bool is_start; /* the heir waits from its program's start */

static uint64_t now_ns(void)
{
    return sigsafe_clock_ns(CLOCK_MONOTONIC);
}

/* The kernel walks this when the thread ends, however it does (linux/futex.h). */
static void note_end_in(_Atomic uint32_t *word)
{
    static struct robust_list entry;
    static struct robust_list_head head;
    entry.next = &head.list;
    head.list.next = &entry;
    head.futex_offset = (long)((intptr_t)word - (intptr_t)&entry);
    head.list_op_pending = NULL;
    atomic_store(word, (uint32_t)sigsafe_syscall0(SYS_gettid));
    sigsafe_syscall2(SYS_set_robust_list, &head, sizeof head);
}

void tree_served(void)
{
    struct tree_server *s = tree_server();
    int fd = tree_descriptor();
    if (!s)
        return;
    note_end_in(&s->thread);
    /* What who served before has opened, nobody else closes. */
    atomic_store(&tree_gate->counts, 0);
    atomic_store(&tree_gate->turn, 0);
    atomic_store(&s->pid, rt.pid);
    atomic_store(&s->since_ns, now_ns());
    if (fd >= 0)
        snprintf(s->note, sizeof s->note, "/proc/%u/task/%u/fd/%d:%u", rt.pid,
                 atomic_load(&rt.server_tid), fd, s->session);
    else
        snprintf(s->note, sizeof s->note, "1:%u", s->session);
}

void tree_note(void)
{
    char note[sizeof((struct tree_server *)0)->note];
    const struct tree_server *s = tree_server();
    if (!s || !s->note[0])
        return;
    memcpy(note, s->note, sizeof note);
    note[sizeof note - 1] = 0;
    environ_note_served(note);
}

static bool is_young(const struct tree_server *s)
{
    return now_ns() < atomic_load(&s->since_ns) + YOUNG_MS * 1000000ull;
}

static bool is_gone(uint32_t pid)
{
    return !pid || sigsafe_syscall2(SYS_kill, pid, 0) == -ESRCH;
}

void tree_consider_heir(bool at_start)
{
    struct tree_server *s = tree_server();
    if (!s || !tree_is_member() || atomic_load(&s->pid) == rt.pid ||
        (atomic_load(&rt.denied) & (NEED_ARM | NEED_FILE)))
        return;
    bool elsewhere = (uint32_t)sigsafe_syscall1(SYS_getsid, 0) != s->session;
    if (!is_gone(atomic_load(&s->pid)) && (!elsewhere || (!at_start && !is_young(s))))
        return;
    atomic_store(&is_start, at_start);
    http_server_inherit(s->address);
}

/* A change of the program's user interrupts every thread. */
static void sleep_ms(uint64_t ms)
{
    uint64_t until = now_ns() + ms * 1000000;
    for (uint64_t now; (now = now_ns()) < until;) {
        struct timespec t = {(time_t)((until - now) / 1000000000),
                             (long)((until - now) % 1000000000)};
        sigsafe_syscall2(SYS_nanosleep, &t, NULL);
    }
}

/* Also one that nobody has waited for yet is gone. */
static bool has_ended(uint32_t pid, int wait_ms)
{
    long fd = pid ? sigsafe_syscall2(SYS_pidfd_open, pid, 0) : -1;
    struct pollfd p = {.fd = (int)fd, .events = POLLIN};
    struct timespec look = {0, wait_ms * 1000000};
    if (fd < 0) {
        sleep_ms(pid ? (uint64_t)wait_ms : 0);
        return is_gone(pid);
    }
    bool ended = sigsafe_syscall6(SYS_ppoll, (long)&p, 1, (long)&look, 0, 0, 0) > 0;
    sigsafe_syscall1(SYS_close, fd);
    return ended;
}

void tree_take_over(void)
{
    struct tree_server *s = tree_server();
    int saved = errno;
    uint32_t word = s ? atomic_load(&s->thread) : 0;
    /* Where the process lives on it executes another program, which may serve itself. */
    if (!(word & FUTEX_OWNER_DIED) || runtime_pid() != rt.pid || !tree_is_member() ||
        atomic_load(&rt.denied) || now_ns() < atomic_load(&s->again_ns) ||
        !atomic_compare_exchange_strong(&s->thread, &word, 0))
        return;
    if (has_ended(atomic_load(&s->pid), 0)) {
        atomic_store(&is_start, false);
        http_server_inherit(s->address);
    }
    errno = saved;
}

void tree_not_served(void)
{
    struct tree_server *s = tree_server();
    if (!s)
        return;
    atomic_store(&s->again_ns, now_ns() + AGAIN_MS * 1000000ull);
    atomic_store(&s->pid, 0);
    atomic_store(&s->thread, FUTEX_OWNER_DIED);
}

/* A parent in the same session, such as the master of the workers, outlives its children and may
 * look at them. */
static bool parent_may_serve(void)
{
    long parent = sigsafe_syscall1(SYS_getppid, 0);
    return parent > 1 && sigsafe_syscall1(SYS_getsid, parent) == sigsafe_syscall1(SYS_getsid, 0);
}

bool tree_wait_for_server(const _Atomic bool *stops)
{
    struct tree_server *s = tree_server();
    if (!s)
        return true; /* it is not known who serves: the address says when it is free */
    uint64_t until = now_ns() + (is_start ? WAIT_AT_START_MS : WAIT_MS) * 1000000ull;
    bool yielded = false;
    while (now_ns() < until && !atomic_load(stops)) {
        uint32_t pid = atomic_load(&s->pid);
        if (!has_ended(pid, LOOK_MS))
            continue;
        if (!yielded && parent_may_serve()) {
            yielded = true;
            sleep_ms(YIELD_MS);
            continue;
        }
        if (atomic_compare_exchange_strong(&s->pid, &pid, rt.pid)) {
            atomic_store(&s->since_ns, now_ns());
            return true;
        }
    }
    return false;
}

/* ---- interposers ---- */

INTERPOSE pid_t setsid(void)
{
    REAL(setsid, pid_t(*)(void));
    pid_t r = real();
    int saved = errno;
    if (r > 0 && runtime_pid() == rt.pid)
        tree_consider_heir(false);
    errno = saved;
    return r;
}

/* Its fork and setsid are libc's own. */
INTERPOSE int daemon(int stay, int keep)
{
    REAL(daemon, int (*)(int, int));
    int r = real(stay, keep);
    int saved = errno;
    if (r == 0)
        tree_consider_heir(false);
    errno = saved;
    return r;
}
