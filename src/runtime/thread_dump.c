/* SPDX-License-Identifier: MIT
 *
 * Looks at all other threads of the process. One that is blocked is looked at by thread_look.c; one
 * that runs is asked by a timer on its own CPU clock, which expires only while it runs:
 * thread_ask.c. Neither interrupts a wait. */
#include "runtime/thread_dump.h"

#include "base/sigsafe.h"
#include "runtime/here.h"
#include "runtime/labels.h"
#include "runtime/thread_ask.h"
#include "runtime/thread_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 4 };

/* What is needed for one thread after the other. */
struct work {
    struct arena *arena;
    uint32_t self;   /* the calling thread */
    uint64_t now_ms; /* on the scheduler's clock; 0: it is not wanted, or there is none */
    uint64_t age_ms; /* of the process */
    struct thread_look look;
    uint32_t tid;  /* of the one that is looked at, */
    char runs[96]; /* and how often it ran before that, as text */
};

/* ---- for how long ---- */

/* When a thread ran last, in milliseconds of the scheduler's clock; 0: the kernel does not say.
 * That clock stands still while a processor serves interrupts or other guests of its host, so that
 * those of two processors are some seconds apart: it is good for minutes, as Go's are, which counts
 * from the collection of garbage that found a goroutine waiting. */
static uint64_t read_last_run_ms(uint32_t tid)
{
    char text[512];
    size_t n = thread_look_read(-1, tid, "sched", text, sizeof text);
    const char *at = n ? strstr(text, "exec_start") : NULL;
    at = at ? strchr(at, ':') : NULL;
    if (!at)
        return 0;
    for (at++; *at == ' ';)
        at++;
    return thread_look_parse(&at, 10);
}

/* proc(5), /proc/PID/stat: (22) starttime, in ticks since boot. */
static uint64_t read_age_ms(void)
{
    char text[1024];
    size_t n = thread_look_read(-1, rt.pid, "stat", text, sizeof text);
    const char *at = n ? strrchr(text, ')') : NULL;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    at++;
    uint64_t begun_ms = thread_look_parse(&at, 10) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t now_ms = sigsafe_clock_ns(CLOCK_BOOTTIME) / 1000000;
    return now_ms > begun_ms ? now_ms - begun_ms : 0;
}

static void note_wait(const struct work *w, struct thread_dump *t)
{
    uint64_t ran_ms = w->now_ms ? read_last_run_ms(t->tid) : 0;
    uint64_t waited_ms = ran_ms && ran_ms < w->now_ms ? w->now_ms - ran_ms : 0;
    t->waited_ns = (waited_ms < w->age_ms ? waited_ms : w->age_ms) * 1000000;
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

/* Equal texts mean that it did not run. */
static bool has_not_run(void *ctx)
{
    const struct work *w = ctx;
    char now[sizeof w->runs];
    thread_look_read(-1, w->tid, "schedstat", now, sizeof now);
    return strcmp(now, w->runs) == 0;
}

/* A thread that is blocked; false: it is not, or ran meanwhile. */
static bool take_blocked(struct work *w, struct thread_dump *t)
{
    struct unwind_regs regs;
    struct unwind_trace to;
    w->tid = t->tid;
    thread_look_read(-1, t->tid, "schedstat", w->runs, sizeof w->runs);
    enum thread_state state = thread_look_state(-1, t->tid, &t->waiting, &regs);
    if (state != THREAD_BLOCKED && state != THREAD_ENDED)
        return false;
    t->epoch = atomic_load(&rt.epoch);
    thread_look_unwind(&w->look, &regs, has_not_run, w, &to);
    if (!w->look.is_same)
        return false;
    note_wait(w, t);
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
    struct unwind_bounds b = {.lo = sp - THREAD_LOOK_RED_ZONE, .hi = runtime_stack_end(sp)};
    t->epoch = atomic_load(&rt.epoch);
    t->running = true;
    t->waiting = "running";
    to = (struct unwind_trace){.pcs = w->look.pcs, .max = LIMIT_STACK_DEPTH};
    unwind_walk(rt.cache, &regs, &b, &to);
    keep(w, t, &to);
}

static void take(struct work *w, struct thread_dump *t)
{
    size_t n = thread_look_read(-1, t->tid, "comm", t->name, sizeof t->name);
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
        struct unwind_trace to = {.pcs = w->look.pcs, .max = LIMIT_STACK_DEPTH};
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

uint64_t thread_dumps_count(void)
{
    return thread_look_list(-1, NULL, 0);
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
    uint32_t max = thread_look_list(-1, NULL, 0) + 64; /* some may be made meanwhile */
    struct work *w = arena_alloc(arena, sizeof *w);
    uint32_t *tids = arena_array(arena, max, sizeof *tids);
    *d = (struct thread_dumps){.with_waits = d->with_waits,
                               .list = arena_zarray(arena, max, sizeof *d->list)};
    if (w)
        *w = (struct work){.arena = arena,
                           .self = runtime_tid(),
                           .look = {.self = rt.pid, .copy = arena_alloc(arena, THREAD_LOOK_COPY)}};
    if (!w || !w->look.copy || !tids || !d->list)
        return -ENOMEM;
    if (d->with_waits) {
        w->now_ms = read_last_run_ms(runtime_tid());
        w->age_ms = read_age_ms();
    }
    runtime_map_stacks();
    uint32_t n = thread_look_list(-1, tids, max);
    install_handler();
    for (uint32_t i = 0; i < n && i < max; i++) {
        struct thread_dump *t = &d->list[d->count++];
        t->tid = tids[i];
        take(w, t);
        d->truncated += (t->flags & SHM_STACK_TRUNCATED) != 0;
    }
    return 0;
}
