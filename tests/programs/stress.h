/* SPDX-License-Identifier: MIT
 *
 * What the stress programs share: functions that burn CPU under names a profile must have, and
 * checks that end the program with a sentence. The programs know nothing of strobe. */
#ifndef PROGRAMS_STRESS_H
#define PROGRAMS_STRESS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEEP __attribute__((noinline, noclone, unused))

#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "stress: line %d: %s failed: %m\n", __LINE__, #what);                  \
            exit(3);                                                                               \
        }                                                                                          \
    } while (0)

static inline double cpu_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Each of these is a case's own, so that the profile shows whose CPU it was. */
KEEP static uint64_t burn_rounds(uint64_t rounds)
{
    uint64_t x = rounds;
    for (uint64_t i = 0; i < rounds; i++)
        x = (x ^ x >> 29) * 0x9e3779b97f4a7c15u + 1;
    return x;
}

static volatile uint64_t stress_sink;

/* Until the calling thread has used `s` of CPU from now on. */
KEEP static void burn_cpu(double s)
{
    double end = cpu_s(CLOCK_THREAD_CPUTIME_ID) + s;
    while (cpu_s(CLOCK_THREAD_CPUTIME_ID) < end)
        stress_sink += burn_rounds(5000);
}

#endif
