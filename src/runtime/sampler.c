/* SPDX-License-Identifier: MIT
 *
 * Each thread's clock: an event or a timer of its own that counts the thread's CPU time, with a
 * phase of its own. Inherited or process-wide clocks would give threads a common phase, and short
 * threads none at all (docs/architecture.md, "Sampling"). Runs in the thread that is armed, before
 * its own code, in its handler, or in the one that starts the profile; raw system calls only.
 *
 * Programs close all descriptors and count on the lowest numbers, so an event does not keep one: a
 * mapping of its first page holds it as well, and is made by the main thread at once and by others
 * when they have lived for some ticks (it costs more than the event itself). Until then the
 * descriptor stands high, and is never closed or written to without asking the kernel whether it is
 * still ours. */
#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum {
    FIRST_MIN_NS = 100000,
    TICK_NS = 1000000,
    DENTS_BYTES = 4096,
    PAGE_BYTES = 4096,
    SETTLED_TICKS = 8, /* a thread this old keeps its event by a mapping */
};

/* Of the timer back end: how often a tick of the scheduler is asked for. */
uint64_t runtime_tick_ns(void)
{
    return rt.period_ns < TICK_NS ? rt.period_ns : TICK_NS;
}

struct thread *runtime_thread_claim(void)
{
    uint32_t high = atomic_load(&rt.threads_high);
    for (uint32_t i = 0; i < RUNTIME_THREADS; i++) {
        struct thread *t = &rt.threads[i];
        uint32_t expected = 0;
        if (atomic_load_explicit(&t->used, memory_order_relaxed) ||
            !atomic_compare_exchange_strong(&t->used, &expected, 1))
            continue;
        t->tid = 0;
        t->fd = t->timer = -1;
        t->page = NULL;
        t->stack_hi = 0;
        t->alt_lo = t->alt_hi = 0;
        t->window_signals = 0;
        t->window_cost_ticks = 0;
        t->stride = atomic_load(&rt.stride);
        t->start = 0;
        t->ready_ns = 0;
        atomic_store(&rt.last[i].ready, 0);
        t->next_point_ns = UINT64_MAX;
        while (high < i + 1 && !atomic_compare_exchange_weak(&rt.threads_high, &high, i + 1))
            ;
        return t;
    }
    atomic_fetch_add(&rt.threads_lost, 1);
    if (rt.process)
        atomic_fetch_add(&rt.process->threads_lost, 1);
    return NULL;
}

static void add_cost(struct thread *t)
{
    uint64_t a_period = atomic_load_explicit(&rt.ticks_a_period, memory_order_relaxed);
    if (!t->window_signals || !a_period)
        return;
    uint64_t ns = t->window_cost_ticks * rt.period_ns / a_period;
    atomic_fetch_add_explicit(&rt.cost_ns, ns, memory_order_relaxed);
    if (rt.process)
        atomic_fetch_add_explicit(&rt.process->cost_ns, ns, memory_order_relaxed);
    t->window_signals = 0;
    t->window_cost_ticks = 0;
}

/* Signals of one thread over which the cost is averaged. */
enum { WINDOW = 128, STRIDE_MAX = 64 };

void runtime_count_cost(struct thread *t, uint64_t handler_ticks)
{
    uint64_t a_period = atomic_load_explicit(&rt.ticks_a_period, memory_order_relaxed);
    if (!a_period || t->timer >= 0)
        return; /* the scheduler's tick comes anyway, and cannot be made slower */
    uint64_t budget = a_period * t->stride / 1000 * rt.max_cost_ppm / 1000;
    uint64_t cost = handler_ticks + rt.interrupt_ns * a_period / rt.period_ns;
    /* Another thread may have run on this CPU meanwhile: that is no cost of ours. */
    uint64_t most = budget ? 2 * budget : UINT64_MAX;
    t->window_cost_ticks += cost < most ? cost : most;
    if (++t->window_signals < WINDOW)
        return;
    uint64_t average = t->window_cost_ticks / t->window_signals;
    add_cost(t);
    uint32_t stride = t->stride;
    if (!budget || average <= budget || stride >= STRIDE_MAX)
        return;
    if (atomic_compare_exchange_strong(&rt.stride, &stride, stride * 2) && rt.process)
        atomic_store(&rt.process->stride, stride * 2);
}

void runtime_thread_release(struct thread *t)
{
    add_cost(t);
    t->tid = 0;
    atomic_store_explicit(&t->used, 0, memory_order_release);
}

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Uniform in [1, interval]: the first sampling point of a thread. */
static uint64_t random_phase(uint32_t tid, uint64_t interval_ns)
{
    uint64_t ordinal = atomic_fetch_add(&rt.thread_ordinal, 1), r = 0;
    if (rt.seed)
        r = mix(mix(rt.seed) ^ ordinal);
    else if (sigsafe_syscall3(SYS_getrandom, &r, sizeof r, 1 /* GRND_NONBLOCK */) != sizeof r)
        r = mix(sigsafe_clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)tid << 40 ^ ordinal << 20);
    return r % interval_ns + 1;
}

/* ---- perf_event ---- */

static int own_signals(int fd, uint32_t tid)
{
    struct f_owner_ex owner = {F_OWNER_TID, (int)tid};
    if (sigsafe_syscall3(SYS_fcntl, fd, F_SETOWN_EX, &owner) < 0 ||
        sigsafe_syscall3(SYS_fcntl, fd, F_SETSIG, rt.signo) < 0 ||
        sigsafe_syscall3(SYS_fcntl, fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
        return -1;
    return (int)sigsafe_syscall2(SYS_ioctl, fd, PERF_EVENT_IOC_ENABLE);
}

/* A descriptor of ours, or one that the program opened since it closed ours? */
static bool fd_is_ours(const struct thread *t)
{
    uint64_t id = 0;
    return t->fd >= 0 && sigsafe_syscall3(SYS_ioctl, t->fd, PERF_EVENT_IOC_ID, &id) == 0 &&
           id == t->event_id;
}

static void drop_fd(struct thread *t)
{
    if (fd_is_ours(t))
        sigsafe_syscall1(SYS_close, t->fd);
    t->fd = -1;
}

static void drop_page(void *page)
{
    if (page)
        sigsafe_syscall2(SYS_munmap, page, PAGE_BYTES);
}

static void map_event(struct thread *t)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, PAGE_BYTES, PROT_READ, MAP_SHARED, t->fd, 0);
    if (p > 0)
        t->page = (void *)p;
}

static bool arm_event(struct thread *t, uint32_t tid, uint64_t first_ns)
{
    int fd = taskclock_open(&rt.clock, tid, first_ns, (uint64_t)(uintptr_t)t);
    if (fd < 0)
        return false;
    int high = runtime_move_high(fd);
    if (high < 0) { /* no room for two: the program may need this one */
        sigsafe_syscall1(SYS_close, fd);
        return false;
    }
    fd = high;
    uint64_t id;
    if (sigsafe_syscall3(SYS_ioctl, fd, PERF_EVENT_IOC_ID, &id) < 0) {
        sigsafe_syscall1(SYS_close, fd);
        return false;
    }
    /* The thread may have had the first signal already, and it may be another than we: it must not
     * take the descriptor for the program's, and open one more. */
    t->event_id = id;
    t->signal_fd = fd;
    atomic_thread_fence(memory_order_release);
    t->fd = fd;
    if (rt.clock.backend == SHM_BACKEND_SIGNAL && own_signals(fd, tid) < 0) {
        t->fd = -1;
        sigsafe_syscall1(SYS_close, fd);
        return false;
    }
    return true;
}

/* The event's interval from now on. One without a descriptor lives on by its mapping, but cannot be
 * told: another takes its place. */
static void set_interval(struct thread *t, uint64_t interval_ns)
{
    if (fd_is_ours(t)) {
        sigsafe_syscall3(SYS_ioctl, t->fd, PERF_EVENT_IOC_PERIOD, &interval_ns);
        return;
    }
    void *old = t->page;
    t->page = NULL;
    t->fd = -1;
    if (arm_event(t, t->tid, interval_ns))
        map_event(t);
    drop_page(old);
}

void runtime_tend_clock(struct thread *t)
{
    if (t->timer >= 0 || (t->fd < 0 && !t->page) ||
        (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_ARM))
        return; /* the signal came before the descriptor was noted: at the next one */
    t->ticks++;
    if (t->first) { /* the first interval is over: the next are whole */
        t->first = false;
        set_interval(t, rt.period_ns * t->stride);
    }
    if (t->fd < 0 || (!t->page && t->ticks != SETTLED_TICKS))
        return;
    if (!t->page && fd_is_ours(t))
        map_event(t);
    if (t->page)
        drop_fd(t);
}

/* ---- timers ---- */

/* Every tick of the scheduler is asked for, whatever the rate: between the points it only tells
 * where the thread is, so that points which no tick follows have a stack. */
static bool arm_timer(struct thread *t, uint32_t tid)
{
    uint64_t interval_ns = runtime_tick_ns();
    struct sigevent ev;
    sigsafe_zero(&ev, sizeof ev);
    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_signo = rt.signo;
    ev.sigev_value.sival_ptr = t;
    ev._sigev_un._tid = (int)tid;
    int id;
    if (sigsafe_syscall3(SYS_timer_create, taskclock_of_thread(tid), &ev, &id) < 0)
        return false;
    struct itimerspec spec = {
        .it_value = {0, 1}, /* the very next tick */
        .it_interval = {0, (long)interval_ns},
    };
    t->timer = id;
    if (sigsafe_syscall4(SYS_timer_settime, id, 0, &spec, NULL) == 0)
        return true;
    sigsafe_syscall1(SYS_timer_delete, id);
    t->timer = -1;
    return false;
}

static bool share_timer(struct thread *t)
{
    if (!itimer_start())
        return false;
    t->timer = TIMER_SHARED;
    return true;
}

/* ---- both ---- */

/* Of the points that were to come every stride-th stays, at random which, and weighs as many: the
 * sum stays what it was on average. */
void runtime_slow_down(struct thread *t)
{
    uint32_t stride = atomic_load(&rt.stride), old = t->stride;
    if (stride <= old || t->timer >= 0 ||
        (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_ARM))
        return;
    uint64_t r = mix(t->next_point_ns ^ (uint64_t)t->tid << 40 ^ rt.seed) % (stride / old);
    t->next_point_ns += r * old * rt.period_ns;
    t->stride = stride;
    t->unread = t->trust = 0;
    t->first = true;
    set_interval(t, (r + 1) * old * rt.period_ns);
}

uint64_t runtime_points_of(uint64_t ns)
{
    return (ns + mix(ns ^ rt.seed) % rt.period_ns) / rt.period_ns;
}

bool runtime_arm(struct thread *t, uint32_t tid, uint64_t origin_ns)
{
    if (t->next_point_ns == UINT64_MAX) {
        t->origin_ns = origin_ns;
        t->next_point_ns = origin_ns + random_phase(tid, rt.period_ns * t->stride);
    }
    uint64_t now = sigsafe_clock_ns(taskclock_of_thread(tid));
    uint64_t first = t->next_point_ns > now ? t->next_point_ns - now : 0;
    if (first < FIRST_MIN_NS)
        first = FIRST_MIN_NS;
    t->first = true;
    t->ticks = t->unread = t->trust = 0;
    t->clock_ns = t->clock_ticks = 0;
    t->tid = tid;
    bool by_event =
        rt.clock.backend == SHM_BACKEND_SIGTRAP || rt.clock.backend == SHM_BACKEND_SIGNAL;
    if (by_event && arm_event(t, tid, first)) {
        if (tid == rt.pid)
            map_event(t);
        return true;
    }
    t->first = false;
    if (rt.clock.backend == SHM_BACKEND_ITIMER ? share_timer(t) : arm_timer(t, tid))
        return true;
    atomic_fetch_add(&rt.threads_lost, 1);
    if (rt.process)
        atomic_fetch_add(&rt.process->threads_lost, 1);
    return false;
}

void runtime_disarm(struct thread *t)
{
    drop_fd(t);
    drop_page(atomic_exchange(&t->page, NULL));
    if (t->timer >= 0 && t->timer != TIMER_SHARED)
        sigsafe_syscall1(SYS_timer_delete, t->timer);
    t->timer = -1;
}

void runtime_disarm_all(void)
{
    uint32_t high = atomic_load(&rt.threads_high);
    itimer_stop();
    for (uint32_t i = 0; i < high; i++)
        if (atomic_load(&rt.threads[i].used))
            runtime_disarm(&rt.threads[i]);
}

struct thread *runtime_thread_of(uint32_t tid)
{
    uint32_t high = atomic_load(&rt.threads_high);
    for (uint32_t i = 0; i < high; i++)
        if (atomic_load(&rt.threads[i].used) && rt.threads[i].tid == tid)
            return &rt.threads[i];
    return NULL;
}

static void arm_existing(uint32_t tid)
{
    if (runtime_thread_of(tid))
        return;
    if (!rt.stack_count)
        runtime_map_stacks();
    struct thread *t = runtime_thread_claim();
    if (!t)
        return;
    uint64_t now = sigsafe_clock_ns(taskclock_of_thread(tid));
    if (!runtime_arm(t, tid, now))
        runtime_thread_release(t);
}

struct dirent64_raw { /* getdents64(2) */
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

void runtime_arm_others(void)
{
    uint32_t self = (uint32_t)sigsafe_syscall0(SYS_gettid);
    long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, "/proc/self/task",
                               O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    _Alignas(8) char dents[DENTS_BYTES];
    long n;
    while ((n = sigsafe_syscall3(SYS_getdents64, fd, dents, sizeof dents)) > 0)
        for (long at = 0; at < n;) {
            const struct dirent64_raw *d = (const struct dirent64_raw *)(dents + at);
            uint32_t tid = 0;
            for (const char *c = d->name; *c >= '0' && *c <= '9'; c++)
                tid = tid * 10 + (uint32_t)(*c - '0');
            if (tid && tid != self && tid != atomic_load(&rt.server_tid) &&
                tid != atomic_load(&rt.looker_tid))
                arm_existing(tid);
            at += d->reclen;
        }
    sigsafe_syscall1(SYS_close, fd);
}
