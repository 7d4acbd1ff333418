/* SPDX-License-Identifier: MIT
 *
 * Looks at one thread of the process without stopping it. Most of a server's threads are blocked:
 * the kernel says where (/proc/self/task/TID/syscall has stack pointer and program counter), the
 * stack is copied, and the copy counts if the thread did not run meanwhile. No signal goes to a
 * thread that waits, so that no system call of the program fails with EINTR.
 *
 * The kernel does not say what the frame pointer is. Code that needs it has pushed its caller's:
 * the innermost place on the stack that, taken for it, leads to the thread's root is it.
 *
 * Raw system calls, and nothing thread-local: wall_sampler.c calls these in a process that only
 * shares the program's memory. */
#include "runtime/thread_look.h"

#include "base/sigsafe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FIRST_COPY = 4 << 10, PAGE = 4096, RED_ZONE = THREAD_LOOK_RED_ZONE, CANDIDATES = 256 };

/* ---- what the kernel says ---- */

static char *put_number(char *to, uint32_t n)
{
    char digits[12];
    int i = 0;
    do
        digits[i++] = (char)('0' + n % 10);
    while (n /= 10);
    while (i)
        *to++ = digits[--i];
    return to;
}

long thread_look_open(int dir, uint32_t tid, const char *file)
{
    char path[64];
    char *at = put_number(dir < 0 ? stpcpy(path, "/proc/self/task/") : path, tid);
    strcpy(stpcpy(at, "/"), file);
    return sigsafe_syscall4(SYS_openat, dir < 0 ? AT_FDCWD : dir, path, O_RDONLY | O_CLOEXEC, 0);
}

size_t thread_look_read(int dir, uint32_t tid, const char *file, char *text, size_t size)
{
    long fd = thread_look_open(dir, tid, file);
    if (fd < 0)
        return 0;
    long n = sigsafe_syscall3(SYS_read, fd, text, size - 1);
    sigsafe_syscall1(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

uint64_t thread_look_parse(const char **at, unsigned base)
{
    uint64_t n = 0;
    if (base == 16 && (*at)[0] == '0' && (*at)[1] == 'x')
        *at += 2;
    for (;; ++*at) {
        char c = **at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 99;
        if (digit >= base)
            return n;
        n = n * base + digit;
    }
}

/* Words for the calls that threads wait in; the rest is "syscall". */
static const char *name_call(long nr)
{
    static const struct {
        long nr;
        const char *name;
    } calls[] = {
        {SYS_futex, "futex"},
        {SYS_read, "read"},
        {SYS_write, "write"},
        {SYS_readv, "readv"},
        {SYS_pread64, "pread"},
        {SYS_writev, "writev"},
        {SYS_ppoll, "ppoll"},
        {SYS_epoll_pwait, "epoll_wait"},
        {SYS_pselect6, "pselect"},
        {SYS_nanosleep, "sleep"},
        {SYS_clock_nanosleep, "sleep"},
        {SYS_accept, "accept"},
        {SYS_accept4, "accept"},
        {SYS_connect, "connect"},
        {SYS_recvfrom, "recv"},
        {SYS_recvmsg, "recvmsg"},
        {SYS_sendto, "send"},
        {SYS_sendmsg, "sendmsg"},
        {SYS_wait4, "wait"},
        {SYS_waitid, "wait"},
        {SYS_rt_sigtimedwait, "sigwait"},
        {SYS_rt_sigsuspend, "sigsuspend"},
        {SYS_fsync, "fsync"},
        {SYS_fdatasync, "fdatasync"},
        {SYS_flock, "flock"},
        {SYS_io_getevents, "io_getevents"},
#ifdef SYS_poll
        {SYS_poll, "poll"},
        {SYS_select, "select"},
        {SYS_epoll_wait, "epoll_wait"},
        {SYS_pause, "pause"},
#endif
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].nr == nr)
            return calls[i].name;
    return "syscall";
}

enum thread_state thread_look_state(int dir, uint32_t tid, const char **waiting,
                                    struct unwind_regs *regs)
{
    char text[256];
    size_t n = thread_look_read(dir, tid, "syscall", text, sizeof text);
    if (!n)
        return THREAD_UNKNOWN;
    if (text[0] == 'r')
        return THREAD_RUNNING;
    const char *at = text;
    bool in_call = text[0] != '-';
    uint64_t nr = in_call ? thread_look_parse(&at, 10) : 0;
    /* The last two words are the stack pointer and the program counter. */
    const char *words[2] = {NULL, NULL};
    for (const char *p = text; *p; p++)
        if (*p == ' ') {
            words[0] = words[1];
            words[1] = p + 1;
        }
    if (!words[0])
        return THREAD_UNKNOWN;
    memset(regs, 0, sizeof *regs);
    regs->r[UNWIND_SP] = thread_look_parse(&words[0], 16);
    regs->r[UNWIND_PC] = thread_look_parse(&words[1], 16);
    *waiting = in_call ? name_call((long)nr) : "blocked";
    bool has_ended = !regs->r[UNWIND_SP] || (in_call && (nr == SYS_exit || nr == SYS_exit_group));
    return has_ended ? THREAD_ENDED : THREAD_BLOCKED;
}

uint32_t thread_look_list(int dir, uint32_t *tids, uint32_t max)
{
    uint32_t count = 0, server = atomic_load(&rt.server_tid), looker = atomic_load(&rt.looker_tid);
    struct {
        uint64_t ino, off;
        uint16_t size;
        uint8_t type;
        char name[1];
    } const *e;
    _Alignas(8) char text[4096];
    long fd = dir >= 0 ? sigsafe_syscall3(SYS_lseek, dir, 0, SEEK_SET) | dir
                       : sigsafe_syscall4(SYS_openat, AT_FDCWD, "/proc/self/task",
                                          O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    for (long n; fd >= 0 && (n = sigsafe_syscall3(SYS_getdents64, fd, text, sizeof text)) > 0;)
        for (long at = 0; at < n; at += e->size) {
            e = (const void *)(text + at);
            const char *name = text + at + 19; /* struct linux_dirent64 */
            uint32_t tid = (uint32_t)thread_look_parse(&name, 10);
            if (!tid || tid == server || tid == looker)
                continue;
            if (count < max)
                tids[count] = tid;
            count++;
        }
    if (fd >= 0 && dir < 0)
        sigsafe_syscall1(SYS_close, fd);
    return count;
}

/* ---- the stack ---- */

size_t thread_look_copy(struct thread_look *l, uint64_t from, size_t want)
{
    struct iovec theirs[THREAD_LOOK_COPY / PAGE + 1];
    size_t n = 0;
    for (uint64_t at = from, end = from + want; at < end; n++) { /* it may end at any page */
        uint64_t next = (at | (PAGE - 1)) + 1;
        next = next < end ? next : end;
        theirs[n] = (struct iovec){(void *)(uintptr_t)at, next - at};
        at = next;
    }
    struct iovec mine = {l->copy, want};
    long got = sigsafe_syscall6(SYS_process_vm_readv, (long)l->self, (long)&mine, 1, (long)theirs,
                                (long)n, 0);
    return got > 0 ? (size_t)got : 0;
}

static void walk(struct thread_look *l, const struct unwind_regs *regs,
                 const struct unwind_bounds *b, struct unwind_trace *to)
{
    *to = (struct unwind_trace){.pcs = l->pcs, .max = LIMIT_STACK_DEPTH};
    unwind_walk(l->cache ? l->cache : rt.cache, regs, b, to);
}

/* A slot that may hold a frame's saved frame pointer: what it holds is farther up the stack. */
static bool may_be_frame(const struct unwind_bounds *b, uint64_t at)
{
    uint64_t saved, back;
    memcpy(&saved, b->copy + (at - b->lo), sizeof saved);
    memcpy(&back, b->copy + (at - b->lo) + 8, sizeof back);
    return (saved > at || saved <= 1) && back > 4096 && (back < b->lo || back >= b->hi);
}

/* Found its way by call frame information alone: what was guessed may be another stack's. */
static bool is_sure(const struct unwind_trace *to)
{
    return to->end != UNWIND_TRUNCATED && !(to->flags & UNWIND_APPROXIMATE);
}

static void find_way(struct thread_look *l, struct unwind_regs *regs, const struct unwind_bounds *b,
                     struct unwind_trace *to)
{
    walk(l, regs, b, to);
    uint64_t sp = regs->r[UNWIND_SP], likely_bp = 0;
    int tried = 0;
    if (is_sure(to))
        return;
    bool found = to->end != UNWIND_TRUNCATED;
    for (uint64_t at = (sp + 7) & ~7ull; at + 16 <= b->hi && tried < CANDIDATES; at += 8) {
        if (!may_be_frame(b, at))
            continue;
        regs->r[UNWIND_BP] = at;
        walk(l, regs, b, to);
        if (is_sure(to))
            return;
        if (!found && to->end != UNWIND_TRUNCATED) {
            likely_bp = at;
            found = true;
        }
        tried++;
    }
    regs->r[UNWIND_BP] = likely_bp;
    walk(l, regs, b, to);
}

/* As handlers do: dlclose waits for who walks, and who would walk does not begin meanwhile. */
static bool may_walk(void)
{
    atomic_fetch_add(&rt.walkers, 1);
    if (!atomic_load(&rt.closers))
        return true;
    atomic_fetch_sub(&rt.walkers, 1);
    return false;
}

/* Most stacks are short: of those that are not all is copied. */
void thread_look_unwind(struct thread_look *l, const struct unwind_regs *regs,
                        bool (*same)(void *ctx), void *ctx, struct unwind_trace *to)
{
    uint64_t from = regs->r[UNWIND_SP] - RED_ZONE;
    *to = (struct unwind_trace){.end = UNWIND_TRUNCATED};
    for (size_t want = FIRST_COPY; want <= THREAD_LOOK_COPY; want = want * 4) {
        struct unwind_regs mine = *regs;
        size_t size = thread_look_copy(l, from, want);
        struct unwind_bounds b = {.lo = from, .hi = from + size, .copy = l->copy};
        l->is_same = same(ctx) && may_walk();
        if (!l->is_same)
            return;
        find_way(l, &mine, &b, to);
        atomic_fetch_sub(&rt.walkers, 1);
        if (size < want || is_sure(to))
            return;
    }
}
