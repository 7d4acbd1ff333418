/* SPDX-License-Identifier: MIT
 *
 * How many sampling points a sample stands for, and which points no sample stands for.
 *
 * A thread's points are φ + kP on its CPU clock, as inside the program (docs/architecture.md); its
 * clock is the kernel's count in the sample, or, where samples carry none, the number of samples.
 * The events' own phase cannot be chosen from outside (an inherited event begins with a whole
 * period on each processor), so what a thread used after its last sample is found by its clock at
 * the end, and given to its last stack; a thread that was never met has [thread end]. */
#ifndef RECORD_PERF_ACCOUNT_H
#define RECORD_PERF_ACCOUNT_H

#include "base/map.h"
#include "record/drain.h"

#include <stdbool.h>
#include <stdint.h>

struct perf_thread {
    uint32_t pid, tid; /* tid 0: its number is another thread's now */
    bool ended;
    bool foreign;          /* its process is recorded another way: it gets no rest */
    uint64_t clock_ns;     /* as far as it is known from samples */
    uint64_t base_ns;      /* its CPU time when it was opened */
    uint64_t end_ns;       /* and when sampling stopped; 0: not known */
    uint64_t booked;       /* points */
    uint64_t phase_ns;     /* φ */
    uint64_t *counts_ns;   /* by ring: the last count seen */
    uint32_t image, stack; /* the last sample's; DRAIN_NONE: none */
};

struct perf_account {
    struct drain *drain;
    uint64_t period_ns, random;
    uint32_t rings;
    bool counted; /* samples carry counts */
    bool shared;  /* the drain has stacks that are not from here: no point of all is moved */
    struct perf_thread *threads;
    uint32_t count, cap;
    struct map by_tid;
};

void perf_account_init(struct perf_account *a, struct drain *d, uint64_t period_ns, uint32_t rings,
                       uint64_t seed);
/* The thread, made if it is new. The pointer holds until the next new one. */
struct perf_thread *perf_account_thread(struct perf_account *a, uint32_t pid, uint32_t tid);
/* A thread has begun: one of this number before is another one. */
void perf_account_begin(struct perf_account *a, uint32_t pid, uint32_t tid);
void perf_account_end(struct perf_account *a, uint32_t tid);
bool perf_account_knows(const struct perf_account *a, uint32_t tid);

/* The points that a sample of this thread stands for: 0 when a point has been booked early. */
uint64_t perf_account_sample(struct perf_account *a, struct perf_thread *t, uint32_t ring,
                             uint64_t count_ns);
/* Reads the clocks of the threads that live, just before sampling stops. */
void perf_account_stop(struct perf_account *a);
/* After the last sample: gives each of those its rest, and threads that ended what is missing from
 * `total_ns`, the CPU time of all (0: unknown). More than a period for each processor is no rest:
 * it is the difference between perf's clock, which stands still while threads are switched and runs
 * on while a hypervisor has taken the processor away, and the system's. It is taken from or given
 * to all points alike, if it is a tenth of them at most; else it is something that was not sampled.
 */
void perf_account_finish(struct perf_account *a, uint64_t total_ns, bool exact);

/* CPU time of a thread so far, as the scheduler has it; 0 if it is gone. */
uint64_t perf_account_cpu_ns(uint32_t pid, uint32_t tid);

#endif
