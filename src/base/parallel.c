/* SPDX-License-Identifier: MIT
 *
 * Threads that live for one piece of work. Starting one takes some 50 µs, so what asks for them has
 * milliseconds to do; a pool would have to be stopped before each fork. */
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>

struct part {
    void (*work)(void *context, unsigned part);
    void *context;
    unsigned number;
    pthread_t thread;
};

unsigned parallel_ways(void)
{
    cpu_set_t set;
    unsigned ways = sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
    return ways < PARALLEL_MAX ? ways : PARALLEL_MAX;
}

static void *run_part(void *part)
{
    struct part *p = part;
    p->work(p->context, p->number);
    return NULL;
}

void parallel_run(void (*work)(void *context, unsigned part), void *context, unsigned parts)
{
    struct part all[PARALLEL_MAX];
    unsigned started = 0;
    for (unsigned i = 1; i < parts; i++) {
        all[i] = (struct part){work, context, i, 0};
        if (started + 1 == i && !pthread_create(&all[i].thread, NULL, run_part, &all[i]))
            started++;
    }
    if (parts)
        work(context, 0);
    for (unsigned i = started + 1; i < parts; i++)
        work(context, i);
    for (unsigned i = 1; i <= started; i++)
        pthread_join(all[i].thread, NULL);
}
