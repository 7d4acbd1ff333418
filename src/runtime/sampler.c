/* SPDX-License-Identifier: MIT
 *
 * Each thread's clock: an event or a timer of its own that counts the thread's CPU time, with a
 * phase of its own. Inherited or process-wide clocks would give threads a common phase, and short
 * threads none at all (docs/architecture.md, "Sampling"). Runs in the thread that is armed, before
 * its own code, or in the one that starts the profile; raw system calls only. */
#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

enum { FIRST_MIN_NS = 100000, TICK_NS = 1000000, FD_ROOM = 256, DENTS_BYTES = 4096 };

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
        t->stack_hi = 0;
        t->start = 0;
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

void runtime_thread_release(struct thread *t)
{
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

/* Uniform in [1, period]: the first sampling point of a thread. */
static uint64_t random_phase(uint32_t tid)
{
    uint64_t ordinal = atomic_fetch_add(&rt.thread_ordinal, 1), r = 0;
    if (rt.seed)
        r = mix(mix(rt.seed) ^ ordinal);
    else if (sigsafe_syscall3(SYS_getrandom, &r, sizeof r, 1 /* GRND_NONBLOCK */) != sizeof r)
        r = mix(sigsafe_clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)tid << 40 ^ ordinal << 20);
    return r % rt.period_ns + 1;
}

/* ---- perf_event ---- */

/* Programs expect the lowest descriptors: ours moves out of the way, as high as the limit and a
 * table of at most 1024 entries allow. */
static int move_high(int fd)
{
    struct rlimit lim = {0};
    long base = 3;
    if (sigsafe_syscall2(SYS_getrlimit, RLIMIT_NOFILE, &lim) == 0) {
        base = lim.rlim_cur > 1024 ? 1024 : (long)lim.rlim_cur;
        base = base > 2 * FD_ROOM ? base - FD_ROOM : base / 2;
    }
    long moved = sigsafe_syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, base);
    sigsafe_syscall1(SYS_close, fd);
    return (int)moved;
}

static int own_signals(int fd, uint32_t tid)
{
    struct f_owner_ex owner = {F_OWNER_TID, (int)tid};
    if (sigsafe_syscall3(SYS_fcntl, fd, F_SETOWN_EX, &owner) < 0 ||
        sigsafe_syscall3(SYS_fcntl, fd, F_SETSIG, rt.signo) < 0 ||
        sigsafe_syscall3(SYS_fcntl, fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
        return -1;
    return (int)sigsafe_syscall2(SYS_ioctl, fd, PERF_EVENT_IOC_ENABLE);
}

static bool arm_event(struct thread *t, uint32_t tid, uint64_t first_ns)
{
    int fd = taskclock_open(&rt.clock, tid, first_ns, (uint64_t)(uintptr_t)t);
    if (fd < 0)
        return false;
    fd = move_high(fd);
    if (fd < 0)
        return false;
    t->fd = fd;
    if (rt.clock.backend == SHM_BACKEND_SIGNAL && own_signals(fd, tid) < 0) {
        sigsafe_syscall1(SYS_close, fd);
        t->fd = -1;
        return false;
    }
    return true;
}

/* ---- timers ---- */

/* Every tick of the scheduler is asked for, whatever the rate: between the points it only tells
 * where the thread is, so that points which no tick follows have a stack. */
static bool arm_timer(struct thread *t, uint32_t tid)
{
    uint64_t interval_ns = rt.period_ns < TICK_NS ? rt.period_ns : TICK_NS;
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

/* ---- both ---- */

bool runtime_arm(struct thread *t, uint32_t tid, uint64_t origin_ns)
{
    if (t->next_point_ns == UINT64_MAX)
        t->next_point_ns = origin_ns + random_phase(tid);
    uint64_t now = sigsafe_clock_ns(taskclock_of_thread(tid));
    uint64_t first = t->next_point_ns > now ? t->next_point_ns - now : 0;
    if (first < FIRST_MIN_NS)
        first = FIRST_MIN_NS;
    t->first = true;
    t->tid = tid;
    if (rt.clock.backend != SHM_BACKEND_TIMER && arm_event(t, tid, first))
        return true;
    t->first = false;
    if (arm_timer(t, tid))
        return true;
    atomic_fetch_add(&rt.threads_lost, 1);
    if (rt.process)
        atomic_fetch_add(&rt.process->threads_lost, 1);
    return false;
}

void runtime_disarm(struct thread *t)
{
    if (t->fd >= 0)
        sigsafe_syscall1(SYS_close, t->fd);
    if (t->timer >= 0)
        sigsafe_syscall1(SYS_timer_delete, t->timer);
    t->fd = t->timer = -1;
}

void runtime_disarm_all(void)
{
    uint32_t high = atomic_load(&rt.threads_high);
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
            if (tid && tid != self)
                arm_existing(tid);
            at += d->reclen;
        }
    sigsafe_syscall1(SYS_close, fd);
}
