/* SPDX-License-Identifier: MIT
 *
 * The beginning and the end of the process that looks at the program's threads. It is made by
 * clone(2) with the memory shared and all else its own: descriptors, signals, root folder, user and
 * filters stay as they were when it was made. No signal comes at its end, so that wait() does not
 * tell of it, and CLONE_CHILD_CLEARTID tells us, however it ends. It notices within some
 * milliseconds when the program is gone. */
#include "runtime/say.h"
#include "runtime/wall.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { STACK_BYTES = 128 << 10, WAIT_MS = 20, WAIT_MAX_MS = 2000 };

struct wall *wall;
static bool is_on;
static uint32_t sampler; /* the process */
static char *stack;

static void *map(size_t bytes)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

bool wall_is_on(void)
{
    return is_on;
}

/* What a process before this one, or an earlier profile, has left. Pages of zeros cost nothing. */
static void clear(void)
{
    sigsafe_syscall3(SYS_madvise, wall, offsetof(struct wall, copy), MADV_DONTNEED);
}

static void prepare(void)
{
    wall->pid = rt.pid;
    atomic_store(&wall->command, WALL_GO_ON);
    atomic_store(&wall->ender, 0);
    wall->period_ns = rt.period_ns;
    wall->began_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    atomic_store(&wall->stride, 1);
}

typedef int (*clone_fn)(int (*)(void *), void *, int, void *, ...);

static int make_process(void)
{
    static clone_fn real;
    uint64_t all = ~0ull, old;
    if (!real)
        *(void **)&real = real_function("clone");
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
    uint32_t *tid = (uint32_t *)&wall->alive;
    int flags = CLONE_VM | CLONE_UNTRACED | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    int saved = errno;
    int r = real(wall_run, stack + STACK_BYTES, flags, NULL, tid, NULL, tid);
    r = r < 0 ? -errno : r;
    errno = saved;
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
    return r;
}

/* Until it has ended, or for a while. */
static bool wait_for(const _Atomic uint32_t *word, uint32_t while_is)
{
    struct timespec ts = {0, WAIT_MS * 1000000};
    for (int ms = 0; atomic_load(word) == while_is && ms < WAIT_MAX_MS; ms += WAIT_MS)
        sigsafe_syscall6(SYS_futex, (long)word, FUTEX_WAIT, while_is, (long)&ts, 0, 0);
    return atomic_load(word) != while_is;
}

static bool is_forbidden(void)
{
    return atomic_load(&rt.denied) & (NEED_LOOK | NEED_ARM | NEED_IDS);
}

static int begin(bool anew)
{
    if (is_on)
        return -EALREADY;
    if (is_forbidden())
        return -EPERM;
    wall = wall ? wall : map(sizeof *wall);
    stack = stack ? stack : map(STACK_BYTES);
    if (!wall || !stack)
        return -ENOMEM;
    if (anew)
        clear();
    prepare();
    rt.wall_table = &wall->table;
    int r = make_process();
    if (r < 0)
        return r;
    sampler = (uint32_t)r;
    if (rt.process && atomic_load(&wall->alive))
        atomic_store(&rt.process->helper, sampler);
    /* Where Yama restricts who may look at a process, a child may not unless it is named. */
    sigsafe_syscall2(SYS_prctl, PR_SET_PTRACER, sampler);
    is_on = true;
    return 0;
}

int wall_start(void)
{
    return begin(true);
}

static void reap(void)
{
    sigsafe_syscall4(SYS_wait4, sampler, NULL, __WALL, NULL);
}

void wall_stop(void)
{
    if (!is_on || wall->pid != runtime_pid())
        return;
    is_on = false;
    atomic_store(&wall->ender, runtime_tid());
    atomic_store(&wall->command, WALL_END);
    if (is_forbidden())
        return; /* no call of ours is safe: it ends by itself, soon */
    sigsafe_syscall6(SYS_futex, (long)&wall->command, FUTEX_WAKE, 1, 0, 0, 0);
    uint32_t it = atomic_load(&wall->alive);
    if (!it || wait_for(&wall->alive, it))
        reap();
}

void wall_give_way(void)
{
    static const char text[] = "libstrobe: wall time is not profiled from here on, because the "
                               "program waits for children of every kind\n";
    if (!is_on || wall->pid != runtime_pid())
        return;
    wall_stop();
    say_text(text, sizeof text - 1);
}

void wall_catch_up(void)
{
    uint32_t go_on = WALL_GO_ON;
    if (!is_on || is_forbidden() || !atomic_load(&wall->alive) ||
        !atomic_compare_exchange_strong(&wall->command, &go_on, WALL_CATCH_UP))
        return;
    sigsafe_syscall6(SYS_futex, (long)&wall->command, FUTEX_WAKE, 1, 0, 0, 0);
    wait_for(&wall->command, WALL_CATCH_UP);
}

/* The child has a copy of the memory, and nobody who looks. */
void wall_forked(bool goes_on)
{
    bool was_on = is_on;
    is_on = false;
    if (wall && was_on && goes_on)
        wall_start();
}

/* Who looks would go on to look at the new image, with the old memory. */
void wall_exec(bool begins)
{
    static bool was_on;
    if (!wall || wall->pid != runtime_pid())
        return;
    if (begins) {
        was_on = is_on;
        wall_stop();
    } else if (was_on) {
        was_on = false;
        begin(false);
    }
}

/* Under a recorder it goes on: the filter is not its own. Else it has to end while we may wait for
 * it. */
void wall_sandboxed(uint32_t denied)
{
    if (!rt.shm && denied & (NEED_LOOK | NEED_ARM | NEED_IDS | NEED_FILE | NEED_CLOCK))
        wall_stop();
}
