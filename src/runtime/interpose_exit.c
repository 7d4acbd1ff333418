/* SPDX-License-Identifier: MIT
 *
 * Ends that run no destructors: _exit, _Exit, quick_exit. And dlclose, after which an address may
 * mean another function. */
#include "runtime/interpose.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

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

INTERPOSE int dlclose(void *handle)
{
    REAL(dlclose, int (*)(void *));
    int r = real(handle);
    if (rt.cache)
        runtime_modules_changed();
    return r;
}
