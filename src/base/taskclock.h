/* SPDX-License-Identifier: MIT
 *
 * The kernel's ways to interrupt a thread every so many nanoseconds of its own CPU time, in the
 * order in which we want them (shm.h, enum shm_backend), and the test that finds which of them this
 * machine and user can have. Evidence for the order: docs/architecture.md, "Sampling". */
#ifndef BASE_TASKCLOCK_H
#define BASE_TASKCLOCK_H

#include "base/shm.h"

#include <stdbool.h>
#include <stdint.h>

/* What an interrupt, a signal and the return from it take on a virtual machine of today, where
 * nobody has measured it. */
#define TASKCLOCK_INTERRUPT_NS 4000

struct taskclock {
    enum shm_backend backend;
    bool exclude_kernel; /* perf_event_paranoid does not let this user count kernel time */
};

/* The CPU clock of a thread of this process (linux/posix-timers.h: per-thread, scheduler's). */
static inline int taskclock_of_thread(uint32_t tid)
{
    return (int)(~tid << 3 | 6u);
}

/* Opens a perf_event for `tid` (0: the caller) that fires `first_ns` from now and then every
 * first_ns until the period is changed. Disabled for SHM_BACKEND_SIGNAL: the caller sets the owner
 * and enables it; enabled for SHM_BACKEND_SIGTRAP, whose signals carry `data` in si_perf_data.
 * Returns a close-on-exec descriptor or a negative errno. Raw system calls only. */
int taskclock_open(const struct taskclock *clock, uint32_t tid, uint64_t first_ns, uint64_t data);

/* Whether a debugger or another tracer is attached to the caller's process, as far as /proc tells:
 * it would take our SIGTRAP for a breakpoint of its own. */
bool taskclock_is_traced(void);

/* What this process may use. `want` other than AUTO is taken if it works at all, else the next in
 * order. `thorough`: run the EINTR test (about 20 ms, in a forked child); otherwise trust the
 * kernel version. SIGTRAP is not offered while a tracer is attached. */
struct taskclock taskclock_probe(enum shm_backend want, bool thorough);

/* Estimates what one signal of the clock costs besides its handler's own code, in nanoseconds, from
 * 300 signals to the calling thread (SIGTRAP, whose handler it replaces meanwhile): about 1 ms. */
uint32_t taskclock_measure_ns(void);

/* Parses a share of CPU time as STROBE_MAX_COST has it: percent, "0.5" or "2%", 0 to 100, as parts
 * in a million. -1 if it is none. */
int taskclock_cost_parse(const char *text);

/* "perf_event task-clock by SIGTRAP" and so on, for comments and messages. */
const char *taskclock_backend_name(enum shm_backend backend);
/* Parses STROBE_BACKEND: auto, sigtrap, signal, timer, itimer. -1 if unknown. */
int taskclock_backend_parse(const char *name);

#endif
