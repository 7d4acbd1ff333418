/* SPDX-License-Identifier: MIT
 *
 * Ends that run no destructors: _exit, _Exit, quick_exit. And the end of a module, after which an
 * address may mean another function. */
#include "base/sigsafe.h"
#include "runtime/interpose.h"
#include "runtime/modtable.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPINS = 10000, PATIENCE_NS = 1000000000 };

INTERPOSE void _exit(int status)
{
    REAL(_exit, void (*)(int));
    runtime_end(false, __builtin_return_address(0));
    real(status);
    __builtin_unreachable();
}

INTERPOSE void _Exit(int status)
{
    REAL(_Exit, void (*)(int));
    runtime_end(false, __builtin_return_address(0));
    real(status);
    __builtin_unreachable();
}

INTERPOSE void quick_exit(int status)
{
    REAL(quick_exit, void (*)(int));
    /* Its handlers are still the program's: what they use is booked as [exit]. */
    runtime_end(false, __builtin_return_address(0));
    real(status);
    __builtin_unreachable();
}

/* A handler's thread may have to wait for a CPU for long; one that a debugger has stopped is given
 * up. */
void runtime_wait_for_handlers(void)
{
    bool may_ask = !(atomic_load(&rt.denied) & (NEED_ARM | NEED_CLOCK));
    uint64_t until_ns = 0;
    for (int i = 0; atomic_load(&rt.walkers) && (may_ask || i < SPINS); i++) {
        if (!may_ask)
            continue;
        sigsafe_syscall0(SYS_sched_yield);
        uint64_t now_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
        if (until_ns && now_ns > until_ns)
            return;
        until_ns = until_ns ? until_ns : now_ns + PATIENCE_NS;
    }
}

/* A handler reads the unwind tables of modules: none may be unmapped under it. While dlclose is at
 * work, other threads' handlers put their samples off. */
INTERPOSE int dlclose(void *handle)
{
    REAL(dlclose, int (*)(void *));
    if (!rt.cache)
        return real(handle);
    atomic_store(&rt.closing_tid, runtime_tid());
    atomic_fetch_add(&rt.closers, 1);
    runtime_wait_for_handlers();
    modtable_drop();
    int r = real(handle);
    runtime_modules_changed();
    modtable_drop(); /* our own handler may have found what is gone now */
    runtime_find_modules();
    atomic_fetch_sub(&rt.closers, 1);
    return r;
}
