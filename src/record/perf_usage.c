/* SPDX-License-Identifier: MIT
 *
 * The other witness of a sampled process's CPU time: its own CPU clock in the kernel.
 *
 * On a busy machine the recorder may lose the processor for a tenth of a second between any two of
 * its calls, and what it samples goes on meanwhile. So the two clocks, the events' and the
 * system's, are compared at two moments only, the first and the last look, each taken anew until no
 * time passed between reading the one and the other; what the events have counted before the first
 * and behind the last is taken as it is. A process that ends takes its clock along: its last look
 * stands. */
#include "record/perf_usage.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 20,
    CLOSE_NS = 100000,     /* so near to each other are two clocks read at the same moment */
    MANY = 64,             /* events: reading them costs */
    SELDOM_NS = 1000000000 /* so seldom then */
};

int perf_usage_init(struct perf_usage *u, const pid_t *pids, uint32_t count)
{
    *u = (struct perf_usage){.pids = pids, .count = count};
    u->seen = calloc(count, sizeof *u->seen);
    return u->seen ? 0 : -ENOMEM;
}

void perf_usage_free(struct perf_usage *u)
{
    free(u->seen);
    u->seen = NULL;
}

/* The clock of a process, from its id: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel,
 * which is what clock_getcpuclockid(3) makes as well, after a look whether it is there. */
static clockid_t clock_of(pid_t pid)
{
    return (clockid_t)(~(unsigned)pid << 3 | 2u);
}

static uint64_t system_ns(struct perf_usage *u)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < u->count; i++) {
        struct timespec t;
        if (clock_gettime(clock_of(u->pids[i]), &t) == 0)
            u->seen[i].cpu_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        sum += u->seen[i].cpu_ns + u->seen[i].children_us * 1000;
    }
    return sum;
}

/* The parts, which only ticks tell. */
static void read_parts(pid_t pid, struct perf_seen *s)
{
    const uint64_t tick_us = 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    char path[64], text[1024];
    unsigned long long t[4];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    const char *after = strrchr(text, ')'); /* the name may have anything in it */
    if (!after ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &t[0],
               &t[1], &t[2], &t[3]) != 4)
        return;
    s->user_us = (t[0] + t[2]) * tick_us;
    s->system_us = (t[1] + t[3]) * tick_us;
    s->children_us = (t[2] + t[3]) * tick_us;
}

static struct perf_seen sum(const struct perf_usage *u)
{
    struct perf_seen all = {0};
    for (uint32_t i = 0; i < u->count; i++) {
        all.user_us += u->seen[i].user_us;
        all.system_us += u->seen[i].system_us;
    }
    return all;
}

void perf_usage_look(struct perf_usage *u, const struct perf_rings *p)
{
    uint64_t best = UINT64_MAX, now = sigsafe_clock_ns(CLOCK_MONOTONIC);
    if (u->begun && p->fd_count > MANY && now - u->looked_ns < SELDOM_NS)
        return;
    u->looked_ns = now;
    for (uint32_t i = 0; i < u->count; i++)
        read_parts(u->pids[i], &u->seen[i]);
    for (int i = 0; i < TRIES && best > CLOSE_NS; i++) {
        uint64_t before = perf_count(p), system = system_ns(u), after = perf_count(p);
        if (after - before >= best)
            continue;
        best = after - before;
        u->last = (struct perf_moment){before + best / 2, system};
    }
    if (!u->begun) {
        u->first = u->last;
        u->base = sum(u);
    }
    u->begun = true;
}

void perf_usage_get(const struct perf_usage *u, uint64_t counted_ns, struct rusage *out)
{
    uint64_t total_ns = u->first.counted_ns;
    if (u->last.system_ns > u->first.system_ns)
        total_ns += u->last.system_ns - u->first.system_ns;
    if (counted_ns > u->last.counted_ns)
        total_ns += counted_ns - u->last.counted_ns;
    struct perf_seen all = sum(u);
    uint64_t user = all.user_us - u->base.user_us, system = all.system_us - u->base.system_us;
    uint64_t total_us = total_ns / 1000;
    uint64_t system_us =
        user + system ? (uint64_t)((double)total_us * (double)system / (double)(user + system)) : 0;
    uint64_t user_us = total_us - system_us;
    out->ru_utime = (struct timeval){(time_t)(user_us / 1000000), (suseconds_t)(user_us % 1000000)};
    out->ru_stime =
        (struct timeval){(time_t)(system_us / 1000000), (suseconds_t)(system_us % 1000000)};
}
