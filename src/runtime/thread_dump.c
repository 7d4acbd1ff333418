/* SPDX-License-Identifier: MIT
 *
 * Looks at all other threads of the process. One that is blocked is looked at by thread_look.c; one
 * that runs is asked by a timer on its own CPU clock, which expires only while it runs:
 * thread_ask.c. Neither interrupts a wait. */
#include "runtime/thread_dump.h"

#include "base/sigsafe.h"
#include "runtime/foreign.h"
#include "runtime/here.h"
#include "runtime/labels.h"
#include "runtime/thread_ask.h"
#include "runtime/thread_look.h"
#include "runtime/tree.h"
#include "runtime/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 4 };

/* What is needed for one thread after the other. */
struct work {
    struct arena *arena;
    uint32_t self;   /* the calling thread */
    uint64_t now_ms; /* on the scheduler's clock; 0: it is not wanted, or there is none */
    uint64_t age_ms; /* of the process */
    int dir;         /* /proc/PID/task of another process, or -1 */
    struct thread_look look;
    uint32_t tid;  /* of the one that is looked at, */
    char runs[96]; /* and how often it ran before that, as text */
};

/* ---- for how long ---- */

/* When a thread ran last, in milliseconds of the scheduler's clock; 0: the kernel does not say.
 * That clock stands still while a processor serves interrupts or other guests of its host, so that
 * those of two processors are some seconds apart: it is good for minutes, as Go's are, which counts
 * from the collection of garbage that found a goroutine waiting. */
static uint64_t read_last_run_ms(int dir, uint32_t tid)
{
    char text[512];
    size_t n = thread_look_read(dir, tid, "sched", text, sizeof text);
    const char *at = n ? strstr(text, "exec_start") : NULL;
    at = at ? strchr(at, ':') : NULL;
    if (!at)
        return 0;
    for (at++; *at == ' ';)
        at++;
    return thread_look_parse(&at, 10);
}

/* proc(5), /proc/PID/stat: (22) starttime, in ticks since boot. */
static uint64_t read_age_ms(int dir, uint32_t pid)
{
    char text[1024];
    size_t n = thread_look_read(dir, pid, "stat", text, sizeof text);
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

/* To the nanosecond where the thread says itself since when it waits (waits.h): where it was woken
 * in between, and waited on, the kernel only knows the last of it. */
static void note_wait(const struct work *w, struct thread_dump *t)
{
    struct waits_copy own;
    uint64_t now_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    if (w->dir < 0 && waits_read(t->tid, &own, NULL) && own.since_ns < now_ns) {
        t->waited_ns = now_ns - own.since_ns;
        return;
    }
    uint64_t ran_ms = w->now_ms ? read_last_run_ms(w->dir, t->tid) : 0;
    uint64_t waited_ms = ran_ms && ran_ms < w->now_ms ? w->now_ms - ran_ms : 0;
    t->waited_ns = (waited_ms < w->age_ms ? waited_ms : w->age_ms) * 1000000;
}

static void keep(struct work *w, struct thread_dump *t, const struct unwind_trace *from)
{
    t->depth = from->depth;
    t->epoch = atomic_load(&rt.epoch);
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
    thread_look_read(w->dir, w->tid, "schedstat", now, sizeof now);
    return strcmp(now, w->runs) == 0;
}

/* A thread that is blocked; false: it is not, or ran meanwhile. */
static bool take_blocked(struct work *w, struct thread_dump *t)
{
    struct unwind_regs regs;
    struct unwind_trace to;
    w->tid = t->tid;
    thread_look_read(w->dir, t->tid, "schedstat", w->runs, sizeof w->runs);
    enum thread_state state = thread_look_state(w->dir, t->tid, &t->waiting, &regs);
    if (state != THREAD_BLOCKED && state != THREAD_ENDED)
        return false;
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
    t->running = true;
    t->waiting = "running";
    to = (struct unwind_trace){.pcs = w->look.pcs, .max = LIMIT_STACK_DEPTH};
    unwind_walk(rt.cache, &regs, &b, &to);
    keep(w, t, &to);
}

static void read_name(const struct work *w, struct thread_dump *t)
{
    size_t n = thread_look_read(w->dir, t->tid, "comm", t->name, sizeof t->name);
    if (n && t->name[n - 1] == '\n')
        t->name[n - 1] = 0;
}

static void take(struct work *w, struct thread_dump *t)
{
    read_name(w, t);
    t->labels = labels_of(t->tid);
    if (t->tid == w->self) {
        take_self(w, t);
        return;
    }
    for (int i = 0; i < TRIES; i++) {
        if (take_blocked(w, t))
            return;
        struct unwind_trace to = {.pcs = w->look.pcs, .max = LIMIT_STACK_DEPTH};
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

/* Room for `more` threads behind those that there are. */
static bool make_room(struct thread_dumps *d, struct arena *arena, uint32_t more)
{
    struct thread_dump *list = arena_zarray(arena, d->count + more, sizeof *list);
    if (list && d->count)
        memcpy(list, d->list, d->count * sizeof *list);
    d->list = list;
    return list != NULL;
}

/* A stopped or a dead thread does not run either; what runs is asked afterwards. */
static void take_foreign(struct work *w, struct thread_dump *t, const struct foreign *f)
{
    read_name(w, t);
    t->labels = f->label_slots ? labels_in(f->label_slots, t->tid) : 0;
    t->pid = f->pid;
    t->modules = f->modules;
    for (int i = 0; i < TRIES; i++)
        if (take_blocked(w, t))
            return;
    t->running = true;
    t->waiting = "running";
    t->flags = SHM_STACK_TRUNCATED;
}

/* Its threads, from its folder `w->dir`. */
static int take_folder(struct work *w, struct thread_dumps *d, const struct foreign *f,
                       uint64_t deadline_ns)
{
    uint32_t max = thread_look_list(w->dir, NULL, 0) + 16;
    uint32_t *tids = arena_array(w->arena, max, sizeof *tids);
    if (!tids || !make_room(d, w->arena, max))
        return -ENOMEM;
    if (d->with_waits) {
        w->now_ms = read_last_run_ms(-1, runtime_tid());
        w->age_ms = read_age_ms(w->dir, f->pid);
    }
    uint32_t n = thread_look_list(w->dir, tids, max);
    for (uint32_t i = 0; i < n && i < max; i++) {
        if (sigsafe_clock_ns(CLOCK_MONOTONIC) > deadline_ns)
            return -ETIME;
        struct thread_dump *t = &d->list[d->count++];
        t->tid = tids[i];
        take_foreign(w, t, f);
    }
    return 0;
}

int thread_dumps_take_foreign(struct thread_dumps *d, const struct foreign *f, struct arena *arena,
                              uint64_t deadline_ns)
{
    char path[32];
    struct work *w = arena_alloc(arena, sizeof *w);
    snprintf(path, sizeof path, "/proc/%u/task", f->pid);
    if (w)
        *w = (struct work){.arena = arena,
                           .dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                           .look = {.self = f->pid,
                                    .cache = f->cache,
                                    .copy = arena_alloc(arena, THREAD_LOOK_COPY)}};
    if (!w)
        return -ENOMEM;
    int r = w->dir < 0 ? -errno : w->look.copy ? take_folder(w, d, f, deadline_ns) : -ENOMEM;
    if (w->dir >= 0)
        close(w->dir);
    return r;
}

static int take_own(struct thread_dumps *d, struct arena *arena)
{
    int r = runtime_map();
    if (r < 0)
        return r;
    uint32_t max = thread_look_list(-1, NULL, 0) + 64; /* some may be made meanwhile */
    struct work *w = arena_alloc(arena, sizeof *w);
    uint32_t *tids = arena_array(arena, max, sizeof *tids);
    d->list = arena_zarray(arena, max, sizeof *d->list);
    if (w)
        *w = (struct work){.arena = arena,
                           .dir = -1,
                           .self = runtime_tid(),
                           .look = {.self = rt.pid, .copy = arena_alloc(arena, THREAD_LOOK_COPY)}};
    if (!w || !w->look.copy || !tids || !d->list)
        return -ENOMEM;
    if (d->with_waits) {
        w->now_ms = read_last_run_ms(-1, runtime_tid());
        w->age_ms = read_age_ms(-1, rt.pid);
    }
    runtime_map_stacks();
    uint32_t n = thread_look_list(-1, tids, max);
    uint32_t pid = d->of_tree && (d->pid || tree_count()) ? rt.pid : 0;
    install_handler();
    for (uint32_t i = 0; i < n && i < max; i++) {
        struct thread_dump *t = &d->list[d->count++];
        t->tid = tids[i];
        t->pid = pid;
        take(w, t);
    }
    return 0;
}

int thread_dumps_take(struct thread_dumps *d, struct arena *arena)
{
    *d = (struct thread_dumps){.with_waits = d->with_waits, .of_tree = d->of_tree, .pid = d->pid};
    int r = !d->of_tree || tree_wants_self(d->pid) ? take_own(d, arena) : 0;
    if (r == 0 && d->of_tree)
        r = thread_dumps_take_others(d, arena);
    for (uint32_t i = 0; i < d->count; i++)
        d->truncated += (d->list[i].flags & SHM_STACK_TRUNCATED) != 0;
    return r;
}
