/* SPDX-License-Identifier: MIT
 *
 * Looks at the other threads of the process. Most of a server's threads are blocked: the kernel
 * says where (/proc/self/task/TID/syscall has stack pointer and program counter), the stack is
 * copied, and the copy counts if the thread did not run meanwhile. No signal goes to a thread that
 * waits, so that no system call of the program fails with EINTR. One that runs is asked by a timer
 * on its own CPU clock, which expires only while it runs: thread_ask.c.
 *
 * The kernel does not say what the frame pointer is. Code that needs it has pushed its caller's:
 * the innermost place on the stack that, taken for it, leads to the thread's root is it. */
#include "runtime/thread_dump.h"

#include "base/sigsafe.h"
#include "runtime/here.h"
#include "runtime/labels.h"
#include "runtime/thread_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { STACK_MAX = 256 << 10, RED_ZONE = 128, TRIES = 4, CANDIDATES = 256 };

/* What is needed for one thread after the other. */
struct work {
    struct arena *arena;
    unsigned char *copy; /* STACK_MAX */
    uint32_t self;       /* the calling thread */
    uint64_t now_ms;     /* on the scheduler's clock; 0: it is not wanted, or there is none */
    uint64_t age_ms;     /* of the process */
    uint64_t pcs[LIMIT_STACK_DEPTH];
};

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

/* A file of /proc/self/task/TID; its length, 0 if it cannot be read. */
static size_t read_file(uint32_t tid, const char *file, char *text, size_t size)
{
    char path[64];
    char *at = put_number(stpcpy(path, "/proc/self/task/"), tid);
    strcpy(stpcpy(at, "/"), file);
    long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    long n = sigsafe_syscall3(SYS_read, fd, text, size - 1);
    sigsafe_syscall1(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static uint64_t parse(const char **at, unsigned base)
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

/* Where a blocked thread is; false: it runs, or we may not know. */
static bool read_blocked(uint32_t tid, struct thread_dump *t, struct unwind_regs *regs)
{
    char text[256];
    size_t n = read_file(tid, "syscall", text, sizeof text);
    if (!n || text[0] == 'r')
        return false;
    const char *at = text;
    bool in_call = text[0] != '-';
    uint64_t nr = in_call ? parse(&at, 10) : 0;
    /* The last two words are the stack pointer and the program counter. */
    const char *words[2] = {NULL, NULL};
    for (const char *p = text; *p; p++)
        if (*p == ' ') {
            words[0] = words[1];
            words[1] = p + 1;
        }
    if (!words[0])
        return false;
    memset(regs, 0, sizeof *regs);
    regs->r[UNWIND_SP] = parse(&words[0], 16);
    regs->r[UNWIND_PC] = parse(&words[1], 16);
    t->waiting = in_call ? name_call((long)nr) : "blocked";
    return true;
}

/* How often the thread was put on a processor, as text: equal texts mean that it did not run. */
static size_t read_runs(uint32_t tid, char text[96])
{
    return read_file(tid, "schedstat", text, 96);
}

/* ---- for how long ---- */

/* When a thread ran last, in milliseconds of the scheduler's clock; 0: the kernel does not say.
 * That clock stands still while a processor serves interrupts or other guests of its host, so that
 * those of two processors are some seconds apart: it is good for minutes, as Go's are, which counts
 * from the collection of garbage that found a goroutine waiting. */
static uint64_t read_last_run_ms(uint32_t tid)
{
    char text[512];
    const char *at = read_file(tid, "sched", text, sizeof text) ? strstr(text, "exec_start") : NULL;
    at = at ? strchr(at, ':') : NULL;
    if (!at)
        return 0;
    for (at++; *at == ' ';)
        at++;
    return parse(&at, 10);
}

/* proc(5), /proc/PID/stat: (22) starttime, in ticks since boot. */
static uint64_t read_age_ms(void)
{
    char text[1024];
    const char *at = read_file(rt.pid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    at++;
    uint64_t begun_ms = parse(&at, 10) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t now_ms = sigsafe_clock_ns(CLOCK_BOOTTIME) / 1000000;
    return now_ms > begun_ms ? now_ms - begun_ms : 0;
}

static void note_wait(const struct work *w, struct thread_dump *t)
{
    uint64_t ran_ms = w->now_ms ? read_last_run_ms(t->tid) : 0;
    uint64_t waited_ms = ran_ms && ran_ms < w->now_ms ? w->now_ms - ran_ms : 0;
    t->waited_ns = (waited_ms < w->age_ms ? waited_ms : w->age_ms) * 1000000;
}

/* ---- the stack ---- */

static size_t copy_stack(struct work *w, uint64_t from)
{
    uintptr_t end = runtime_stack_end(from + RED_ZONE);
    size_t want = end > from && end - from < STACK_MAX ? end - from : STACK_MAX;
    for (; want >= 256; want /= 2) {
        struct iovec mine = {w->copy, want}, theirs = {(void *)(uintptr_t)from, want};
        long n = sigsafe_syscall6(SYS_process_vm_readv, (long)rt.pid, (long)&mine, 1, (long)&theirs,
                                  1, 0);
        if (n > 0)
            return (size_t)n;
    }
    return 0;
}

static void walk(struct work *w, const struct unwind_regs *regs, const struct unwind_bounds *b,
                 struct unwind_trace *to)
{
    *to = (struct unwind_trace){.pcs = w->pcs, .max = LIMIT_STACK_DEPTH};
    unwind_walk(rt.cache, regs, b, to);
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

static void unwind(struct work *w, struct unwind_regs *regs, const struct unwind_bounds *b,
                   struct unwind_trace *to)
{
    walk(w, regs, b, to);
    uint64_t sp = regs->r[UNWIND_SP], likely_bp = 0;
    int tried = 0;
    if (is_sure(to))
        return;
    bool found = to->end != UNWIND_TRUNCATED;
    for (uint64_t at = (sp + 7) & ~7ull; at + 16 <= b->hi && tried < CANDIDATES; at += 8) {
        if (!may_be_frame(b, at))
            continue;
        regs->r[UNWIND_BP] = at;
        walk(w, regs, b, to);
        if (is_sure(to))
            return;
        if (!found && to->end != UNWIND_TRUNCATED) {
            likely_bp = at;
            found = true;
        }
        tried++;
    }
    regs->r[UNWIND_BP] = likely_bp;
    walk(w, regs, b, to);
}

static void keep(struct work *w, struct thread_dump *t, const struct unwind_trace *from)
{
    t->depth = from->depth;
    t->flags = from->end == UNWIND_ROOT    ? 0
               : from->end == UNWIND_DEPTH ? SHM_STACK_DEPTH
                                           : SHM_STACK_TRUNCATED;
    t->pcs = arena_array(w->arena, t->depth, sizeof *t->pcs);
    if (t->pcs && t->depth)
        memcpy(t->pcs, from->pcs, t->depth * sizeof *t->pcs);
    t->depth = t->pcs ? t->depth : 0;
}

/* A thread that is blocked; false: it is not, or ran meanwhile. */
static bool take_blocked(struct work *w, struct thread_dump *t)
{
    char before[96], after[96];
    struct unwind_regs regs;
    struct unwind_trace to;
    size_t runs = read_runs(t->tid, before);
    if (!read_blocked(t->tid, t, &regs))
        return false;
    struct unwind_bounds b = {.lo = regs.r[UNWIND_SP] - RED_ZONE, .copy = w->copy};
    size_t size = copy_stack(w, b.lo);
    if (runs != read_runs(t->tid, after) || memcmp(before, after, runs) != 0)
        return false;
    note_wait(w, t);
    b.hi = b.lo + size;
    t->epoch = atomic_load(&rt.epoch);
    unwind(w, &regs, &b, &to);
    keep(w, t, &to);
    return true;
}

/* The calling thread's own, from here on. */
static void take_self(struct work *w, struct thread_dump *t)
{
    struct unwind_regs regs;
    struct unwind_trace to;
    here_registers(&regs);
    uint64_t sp = regs.r[UNWIND_SP];
    struct unwind_bounds b = {.lo = sp - RED_ZONE, .hi = runtime_stack_end(sp)};
    t->epoch = atomic_load(&rt.epoch);
    t->running = true;
    t->waiting = "running";
    walk(w, &regs, &b, &to);
    keep(w, t, &to);
}

static void take(struct work *w, struct thread_dump *t)
{
    size_t n = read_file(t->tid, "comm", t->name, sizeof t->name);
    if (n && t->name[n - 1] == '\n')
        t->name[n - 1] = 0;
    t->labels = labels_of(t->tid);
    if (t->tid == w->self) {
        take_self(w, t);
        return;
    }
    for (int i = 0; i < TRIES; i++) {
        if (take_blocked(w, t))
            return;
        struct unwind_trace to = {.pcs = w->pcs, .max = LIMIT_STACK_DEPTH};
        t->epoch = atomic_load(&rt.epoch);
        if (thread_ask(t->tid, &to)) {
            t->running = true;
            t->waiting = "running";
            keep(w, t, &to);
            return;
        }
    }
    t->running = true;
    t->waiting = "running";
    t->flags = SHM_STACK_TRUNCATED;
}

/* ---- all of them ---- */

/* Calls `each` for the threads of the process but the server's; how many. */
static uint32_t list_threads(uint32_t *tids, uint32_t max)
{
    uint32_t count = 0;
    struct {
        uint64_t ino, off;
        uint16_t size;
        uint8_t type;
        char name[1];
    } const *e;
    _Alignas(8) char text[4096];
    uint32_t server = atomic_load(&rt.server_tid);
    long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, "/proc/self/task",
                               O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    for (long n; fd >= 0 && (n = sigsafe_syscall3(SYS_getdents64, fd, text, sizeof text)) > 0;)
        for (long at = 0; at < n; at += e->size) {
            e = (const void *)(text + at);
            const char *name = text + at + 19; /* struct linux_dirent64 */
            uint32_t tid = (uint32_t)parse(&name, 10);
            if (!tid || tid == server)
                continue;
            if (count < max)
                tids[count] = tid;
            count++;
        }
    if (fd >= 0)
        sigsafe_syscall1(SYS_close, fd);
    return count;
}

uint64_t thread_dumps_count(void)
{
    return list_threads(NULL, 0);
}

/* It opens the caller's mask for the signal, which is for the program's threads: not for ours. */
static void install_handler(void)
{
    uint64_t mask;
    if (!rt.signo)
        rt.signo = SIGURG;
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask);
    signals_install(false);
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

int thread_dumps_take(struct thread_dumps *d, struct arena *arena)
{
    int r = runtime_map();
    if (r < 0)
        return r;
    uint32_t max = list_threads(NULL, 0) + 64; /* some may be made meanwhile */
    struct work *w = arena_alloc(arena, sizeof *w);
    uint32_t *tids = arena_array(arena, max, sizeof *tids);
    *d = (struct thread_dumps){.with_waits = d->with_waits,
                               .list = arena_zarray(arena, max, sizeof *d->list)};
    if (w)
        *w = (struct work){
            .arena = arena, .self = runtime_tid(), .copy = arena_alloc(arena, STACK_MAX)};
    if (!w || !w->copy || !tids || !d->list)
        return -ENOMEM;
    if (d->with_waits) {
        w->now_ms = read_last_run_ms(runtime_tid());
        w->age_ms = read_age_ms();
    }
    runtime_map_stacks();
    uint32_t n = list_threads(tids, max);
    install_handler();
    for (uint32_t i = 0; i < n && i < max; i++) {
        struct thread_dump *t = &d->list[d->count++];
        t->tid = tids[i];
        take(w, t);
        d->truncated += (t->flags & SHM_STACK_TRUNCATED) != 0;
    }
    return 0;
}
