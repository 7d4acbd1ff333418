/* SPDX-License-Identifier: MIT
 *
 * What the system says of the CPU time of processes that run already, over the time in which their
 * events were open; see perf_usage.c. One thread. */
#ifndef RECORD_PERF_USAGE_H
#define RECORD_PERF_USAGE_H

#include "record/perf_open.h"

#include <sys/resource.h>

/* Both clocks at one moment: what the events have counted, and what the system has. */
struct perf_moment {
    uint64_t counted_ns, system_ns;
};

struct perf_usage {
    const pid_t *pids; /* borrowed */
    uint32_t count;
    struct perf_seen {
        uint64_t cpu_ns;                          /* of all its threads */
        uint64_t user_us, system_us, children_us; /* children: that it has waited for */
    } * seen;              /* by process; of one that has ended, what was seen last */
    struct perf_seen base; /* of all, at the first look */
    struct perf_moment first, last;
    uint64_t looked_ns; /* CLOCK_MONOTONIC */
    bool begun;
};

/* 0 or -ENOMEM. */
int perf_usage_init(struct perf_usage *u, const pid_t *pids, uint32_t count);
void perf_usage_free(struct perf_usage *u);
/* Looks at both clocks. To be called when all events are open, now and then, and just before they
 * are disabled. */
void perf_usage_look(struct perf_usage *u, const struct perf_rings *p);
/* User and system time, where the events have counted `counted_ns` in all. */
void perf_usage_get(const struct perf_usage *u, uint64_t counted_ns, struct rusage *out);

#endif
