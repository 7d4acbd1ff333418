/* SPDX-License-Identifier: MIT
 *
 * Lines from time to time. They are printed by a process of its own, a copy of this one made before
 * main: a thread would slow a program down that has one, a timer's signal would interrupt what it
 * waits in, and neither would print while the program is stuck. The copy keeps nothing open but
 * standard error, is no child that wait() tells of (no signal at its end), and is gone 50 ms after
 * the program, or before it where that ends by exit. It sees what /proc tells, and counters in
 * a page that both have. A child made by fork has counters that nobody prints; one that is
 * another program by exec begins anew. */
#include "runtime/debug.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, LOOK_MS = 50, END_MS = 500, EXEC_MS = 40, SCAV_MS = 1000, INFO_MS = 100 };

struct debug_counters *debug_counters;
static struct debug_counters *page;    /* the same; there for all traces */
static _Atomic uint32_t *alive;        /* 0 in every child */
static bool is_child;                  /* made by fork */
static uint32_t printer;               /* the process that prints, or 0 */
static uint64_t began_ns, began_ticks; /* the same moment on two clocks */

static void *map(int flags)
{
    long p =
        sigsafe_syscall6(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

void debug_trace_map(void)
{
    if (page || (!debug.heaptrace_ms && !debug.schedtrace_ms && !debug.scavtrace))
        return;
    page = map(MAP_SHARED);
    alive = map(MAP_PRIVATE);
    if (!page || !alive)
        return;
    began_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    began_ticks = sigsafe_ticks();
    sigsafe_syscall3(SYS_madvise, alive, PAGE, MADV_WIPEONFORK);
    atomic_store(alive, 1);
    if (debug.heaptrace_ms || debug.scavtrace)
        debug_counters = page;
}

void debug_trace_forked(void)
{
    if (!page || atomic_load(alive))
        return;
    struct debug_counters *mine = map(MAP_PRIVATE);
    is_child = true;
    page = mine;
    debug_counters = debug_counters ? mine : NULL;
    atomic_store(alive, 1);
}

bool debug_trace_is_alive(void)
{
    if (HEAP_LIKELY(atomic_load_explicit(alive, memory_order_relaxed)))
        return true;
    debug_trace_forked();
    return debug_counters != NULL;
}

/* ---- the process that prints ---- */

struct trace {
    uint32_t pid; /* of the program */
    uint64_t lines;
    uint64_t last_ns, last_allocs, last_frees, last_bytes, last_ticks, last_live;
    uint64_t peak;
    uint64_t began_ticks;
    uint64_t held, returned, returned_all; /* of scavtrace */
};

static uint64_t now_ns(void)
{
    return sigsafe_clock_ns(CLOCK_MONOTONIC);
}

/* As Go's fmtNSAsMS: three digits, none of them before the point where there are more. */
static void put_ms(struct buf *out, uint64_t ns)
{
    double ms = (double)ns / 1e6;
    int decimals = ms >= 10 || ns < 1000 ? 0 : ms >= 1 ? 1 : ms >= 0.1 ? 2 : 3;
    buf_printf(out, "%.*f", decimals, ms);
}

static uint64_t rss_of(uint32_t pid)
{
    char path[32], text[64] = "", *at;
    snprintf(path, sizeof path, "/proc/%u/statm", pid);
    long fd = sigsafe_syscall3(SYS_openat, AT_FDCWD, path, O_RDONLY);
    if (fd < 0)
        return 0;
    sigsafe_syscall3(SYS_read, fd, text, sizeof text - 1);
    sigsafe_syscall1(SYS_close, fd);
    strtoull(text, &at, 10);
    return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double mb(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static double rate(uint64_t now, uint64_t before, uint64_t ns)
{
    return ns ? (double)(now - before) * 1e9 / (double)ns : 0;
}

static void put_detail(struct buf *out, const struct trace *t)
{
    buf_printf(out,
               "heap %llu: %.1f MB got from the system, %.1f MB of it in use, %.1f MB free at the "
               "top, %.1f MB mapped singly\n",
               (unsigned long long)t->lines, mb(atomic_load(&page->info.held)),
               mb(atomic_load(&page->info.used)), mb(atomic_load(&page->info.top)),
               mb(atomic_load(&page->info.mapped)));
}

static void put_heap(struct buf *out, struct trace *t)
{
    uint64_t now = now_ns(), passed = now - began_ns, interval = now - t->last_ns;
    uint64_t live = atomic_load(&page->live), highest = atomic_exchange(&page->peak, live);
    uint64_t ticks = atomic_load(&page->ticks), longest = atomic_exchange(&page->longest, 0);
    uint64_t allocs = atomic_load(&page->allocs), frees = atomic_load(&page->frees);
    uint64_t bytes = atomic_load(&page->bytes), all = sigsafe_ticks() - t->began_ticks;
    double ns_a_tick = all ? (double)passed / (double)all : 0;
    uint64_t could_ns = passed * debug_count_processors(t->pid);
    uint64_t in_malloc = (uint64_t)((double)ticks * ns_a_tick);
    highest = highest > live ? highest : live;
    t->peak = t->peak > highest ? t->peak : highest;
    t->lines++;
    buf_printf(out, "heap %llu @%.3fs %llu%%: ", (unsigned long long)t->lines, (double)passed / 1e9,
               (unsigned long long)(could_ns ? in_malloc * 100 / could_ns : 0));
    put_ms(out, (uint64_t)((double)(ticks - t->last_ticks) * ns_a_tick));
    buf_putc(out, '+');
    put_ms(out, (uint64_t)((double)longest * ns_a_tick));
    buf_printf(out, " ms malloc, %.1f->%.1f->%.1f MB, %.1f MB peak, ", mb(t->last_live),
               mb(highest), mb(live), mb(t->peak));
    buf_printf(out, "%.0f allocs/s, %.0f frees/s, %.1f MB/s, %.1f MB resident, %u T\n",
               rate(allocs, t->last_allocs, interval), rate(frees, t->last_frees, interval),
               mb((uint64_t)rate(bytes, t->last_bytes, interval)), mb(rss_of(t->pid)),
               debug_count_threads(t->pid));
    if (debug.heapdetail)
        put_detail(out, t);
    t->last_ns = now;
    t->last_allocs = allocs;
    t->last_frees = frees;
    t->last_bytes = bytes;
    t->last_ticks = ticks;
    t->last_live = live;
}

/* What the allocator gave back to the system: how far what it holds has fallen since the last
 * look. */
static void look_at_held(struct trace *t)
{
    uint64_t held = atomic_load(&page->info.held);
    if (held < t->held)
        t->returned += t->held - held;
    t->held = held;
    atomic_store(&page->want_info, 1);
}

static void put_scav(struct buf *out, struct trace *t)
{
    uint64_t used = atomic_load(&page->info.used);
    t->returned_all += t->returned;
    buf_printf(out, "scav %llu KiB work, %llu KiB total, %llu%% util\n",
               (unsigned long long)t->returned >> 10, (unsigned long long)t->returned_all >> 10,
               (unsigned long long)(t->held ? used * 100 / t->held : 100));
    t->returned = 0;
}

static void wait_until(uint64_t due_ns)
{
    uint64_t now = now_ns(), ns = due_ns > now ? due_ns - now : 0;
    ns = ns < LOOK_MS * 1000000ull ? ns : LOOK_MS * 1000000ull;
    struct timespec ts = {0, (long)ns};
    sigsafe_syscall6(SYS_futex, (long)&page->ending, FUTEX_WAIT, 0, (long)&ts, 0, 0);
}

/* One kind of line: when it is due next, or never (0). */
struct schedule {
    uint64_t next_ns, every_ns;
};

static bool is_due(struct schedule *s, uint64_t now)
{
    if (!s->every_ns || now < s->next_ns)
        return false;
    s->next_ns += s->every_ns * ((now - s->next_ns) / s->every_ns + 1);
    return true;
}

static void print(struct trace *t, struct schedule s[4], bool last)
{
    struct arena arena;
    struct buf out;
    uint64_t now = now_ns();
    arena_init_nullable(&arena);
    buf_init(&out, &arena);
    if (is_due(&s[3], now))
        look_at_held(t);
    if (is_due(&s[0], now) || (last && s[0].every_ns))
        put_heap(&out, t);
    if (is_due(&s[1], now))
        debug_put_sched(&out, t->pid, (now - began_ns) / 1000000);
    if (is_due(&s[2], now) || (last && s[2].every_ns))
        put_scav(&out, t);
    if (out.len && !out.failed)
        debug_write(out.data, out.len);
    arena_free(&arena);
}

static void leave_everything(void)
{
    uint64_t all = ~0ull;
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
    sigsafe_syscall2(SYS_prctl, PR_SET_NAME, "strobe-debug");
    sigsafe_syscall0(SYS_setsid);
    sigsafe_syscall1(SYS_chdir, "/");
    sigsafe_syscall1(SYS_close, 0);
    sigsafe_syscall1(SYS_close, 1);
    if (sigsafe_syscall3(SYS_close_range, 3, ~0u, 0) < 0)
        for (int fd = 3; fd < 4096; fd++)
            sigsafe_syscall1(SYS_close, fd);
}

static void run(uint32_t pid)
{
    struct trace t = {.pid = pid, .last_ns = began_ns, .began_ticks = began_ticks};
    uint64_t ms = 1000000, now = now_ns();
    struct schedule s[4] = {
        {now + debug.heaptrace_ms * ms, debug.heaptrace_ms * ms},
        {now, debug.schedtrace_ms * ms},
        {now + SCAV_MS * ms, debug.scavtrace ? SCAV_MS * ms : 0},
        {now, debug_counters ? INFO_MS * ms : 0},
    };
    leave_everything();
    uint64_t exec_ns = 0;
    while (!atomic_load(&page->ending) && (uint32_t)sigsafe_syscall0(SYS_getppid) == pid) {
        now = now_ns();
        exec_ns = !atomic_load(&page->execing) ? 0 : exec_ns ? exec_ns : now;
        if (exec_ns && now - exec_ns > EXEC_MS * ms)
            break; /* it was not undone: another image runs, with a printer of its own */
        uint64_t due = UINT64_MAX;
        print(&t, s, false);
        for (int i = 0; i < 4; i++)
            if (s[i].every_ns && s[i].next_ns < due)
                due = s[i].next_ns;
        wait_until(due);
    }
    print(&t, s, true);
    atomic_store(&page->done, 1);
    sigsafe_syscall6(SYS_futex, (long)&page->done, FUTEX_WAKE, 1, 0, 0, 0);
    sigsafe_syscall1(SYS_exit_group, 0);
}

/* ---- in the program ---- */

void debug_trace_begin(void)
{
    debug_trace_map();
    if (!page || printer || is_child)
        return;
    atomic_store(&page->ending, 0);
    atomic_store(&page->done, 0);
    uint32_t pid = runtime_pid();
    /* No signal at its end, and no thread: wait() and the loader do not know of it. */
    long child = sigsafe_syscall6(SYS_clone, 0, 0, 0, 0, 0, 0);
    if (child == 0) {
        heap_self.busy = heap_self.debugging = 1;
        run(pid);
        __builtin_unreachable();
    }
    printer = child > 0 ? (uint32_t)child : 0;
    static const char text[] = "libstrobe: STROBE_DEBUG: no process could be made that would print "
                               "the traces; there will be none\n";
    if (!printer)
        debug_write(text, sizeof text - 1);
}

void debug_trace_end(void)
{
    if (!printer || is_child || runtime_pid() != rt.pid || !atomic_load(alive))
        return;
    struct timespec ts = {0, LOOK_MS * 1000000};
    atomic_store(&page->ending, 1);
    sigsafe_syscall6(SYS_futex, (long)&page->ending, FUTEX_WAKE, 1, 0, 0, 0);
    for (int i = 0; i < END_MS / LOOK_MS && !atomic_load(&page->done); i++)
        sigsafe_syscall6(SYS_futex, (long)&page->done, FUTEX_WAIT, 0, (long)&ts, 0, 0);
    sigsafe_syscall4(SYS_wait4, printer, NULL, __WALL | WNOHANG, NULL);
    printer = 0;
}

static bool is_sessions;

void debug_trace_start(const struct debug_switches *switches)
{
    if (printer || !switches->schedtrace_ms)
        return;
    debug.schedtrace_ms = switches->schedtrace_ms;
    debug.scheddetail = switches->scheddetail;
    debug_trace_map();
    debug_trace_begin();
    is_sessions = true;
}

void debug_trace_stop(void)
{
    if (!is_sessions)
        return;
    is_sessions = false;
    debug_trace_end();
    debug.schedtrace_ms = debug.scheddetail = 0;
}

/* execvp tries many files, and most are not there: who prints waits for what comes of it. */
void debug_trace_exec(bool begins)
{
    if (!printer || is_child || runtime_pid() != rt.pid || !atomic_load(alive))
        return;
    atomic_store(&page->execing, begins);
    if (begins || !atomic_load(&page->done))
        return;
    sigsafe_syscall4(SYS_wait4, printer, NULL, __WALL | WNOHANG, NULL);
    printer = 0;
    debug_trace_begin();
}
