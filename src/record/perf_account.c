/* SPDX-License-Identifier: MIT
 *
 * See perf_account.h. Weights are made while samples come; what is left is given out once, when all
 * is over. Both only add to the drain's stacks and never look at what a stack is. */
#include "record/perf_account.h"

#include "base/sigsafe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CLOCKS_DIFFER 10 /* at most a tenth */

static uint64_t next_random(struct perf_account *a)
{
    a->random = hash_mix(a->random, 0x9e3779b97f4a7c15ull);
    return a->random;
}

void perf_account_init(struct perf_account *a, struct drain *d, uint64_t period_ns, uint32_t rings,
                       uint64_t seed)
{
    *a = (struct perf_account){.drain = d, .period_ns = period_ns, .rings = rings, .random = seed};
    if (!seed && getrandom(&a->random, sizeof a->random, GRND_NONBLOCK) < 0)
        a->random = sigsafe_clock_ns(CLOCK_MONOTONIC);
    map_init(&a->by_tid, &d->arena, 64);
}

static struct perf_thread *find(const struct perf_account *a, uint32_t tid)
{
    struct map_probe at = map_find(&a->by_tid, hash_mix(1, tid));
    for (uint32_t i; (i = map_next(&a->by_tid, &at)) != MAP_NONE;)
        if (a->threads[i].tid == tid)
            return &a->threads[i];
    return NULL;
}

bool perf_account_knows(const struct perf_account *a, uint32_t tid)
{
    const struct perf_thread *t = find(a, tid);
    return t && !t->ended;
}

static struct perf_thread *add(struct perf_account *a, uint32_t pid, uint32_t tid)
{
    if (a->count == a->cap) {
        uint32_t cap = a->cap ? a->cap * 2 : 64;
        a->threads = arena_grow(&a->drain->arena, a->threads, a->cap * sizeof *a->threads,
                                cap * sizeof *a->threads);
        a->cap = cap;
    }
    struct perf_thread *t = &a->threads[a->count];
    *t = (struct perf_thread){
        .pid = pid, .tid = tid, .image = DRAIN_NONE, .phase_ns = next_random(a) % a->period_ns};
    map_put(&a->by_tid, hash_mix(1, tid), a->count++);
    return t;
}

struct perf_thread *perf_account_thread(struct perf_account *a, uint32_t pid, uint32_t tid)
{
    struct perf_thread *t = find(a, tid);
    return t ? t : add(a, pid, tid);
}

void perf_account_begin(struct perf_account *a, uint32_t pid, uint32_t tid)
{
    struct perf_thread *former = find(a, tid);
    if (former) {
        former->ended = true;
        former->tid = 0;
    }
    add(a, pid, tid);
}

void perf_account_end(struct perf_account *a, uint32_t tid)
{
    struct perf_thread *t = find(a, tid);
    if (t)
        t->ended = true;
}

static uint64_t points_due(const struct perf_account *a, const struct perf_thread *t,
                           uint64_t clock_ns)
{
    uint64_t due = (clock_ns + t->phase_ns) / a->period_ns;
    return due > t->booked ? due - t->booked : 0;
}

uint64_t perf_account_sample(struct perf_account *a, struct perf_thread *t, uint32_t ring,
                             uint64_t count_ns)
{
    if (!a->counted) {
        t->clock_ns += a->period_ns;
    } else {
        if (!t->counts_ns)
            t->counts_ns = arena_zarray(&a->drain->arena, a->rings, sizeof *t->counts_ns);
        if (count_ns > t->counts_ns[ring]) {
            t->clock_ns += count_ns - t->counts_ns[ring];
            t->counts_ns[ring] = count_ns;
        }
    }
    uint64_t weight = points_due(a, t, t->clock_ns);
    t->booked += weight;
    return weight;
}

uint64_t perf_account_cpu_ns(uint32_t pid, uint32_t tid)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%u/task/%u/schedstat", pid, tid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%llu", &ns) != 1)
            ns = 0;
        fclose(f);
    }
    return ns;
}

/* Gives points to the thread's last stack. */
static void give(struct perf_account *a, struct perf_thread *t, uint64_t points)
{
    static const uint64_t thread_end = SHM_PSEUDO_THREAD_END;
    struct drain_stack none = {
        .weight = points, .pcs = &thread_end, .depth = 1, .other_thread = t->pid != t->tid};
    t->booked += points;
    if (t->image == DRAIN_NONE) {
        for (uint32_t i = a->drain->image_count; i-- > 0;)
            if (a->drain->images[i].pid == t->pid) {
                t->image = i;
                break;
            }
        if (t->image == DRAIN_NONE)
            t->image = drain_new_image(a->drain, t->pid, "");
        if (t->image != DRAIN_NONE)
            t->stack = drain_add_stack(a->drain, t->image, &none);
        if (t->image == DRAIN_NONE || t->stack == DRAIN_NONE)
            t->image = DRAIN_NONE;
        return;
    }
    struct drain_stack last = a->drain->images[t->image].stacks[t->stack];
    last.weight = points;
    drain_add_stack(a->drain, t->image, &last);
}

/* Ended threads in a random order, a point each, until there are no more points; so many rounds as
 * a thread can have rests. Returns what is left. */
static uint64_t spread(struct perf_account *a, uint64_t points)
{
    uint32_t *ended = arena_array(&a->drain->arena, a->count, sizeof *ended);
    for (uint32_t round = 0; round < a->rings && points; round++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < a->count; i++)
            if (a->threads[i].ended && !a->threads[i].foreign)
                ended[n++] = i;
        for (; points && n; points--) {
            uint32_t k = (uint32_t)(next_random(a) % n);
            give(a, &a->threads[ended[k]], 1);
            ended[k] = ended[--n];
        }
    }
    return points;
}

static void change(struct drain *d, struct drain_stack *s, int64_t by)
{
    s->weight += (uint64_t)by;
    d->points += (uint64_t)by;
    if (s->flags & SHM_STACK_TRUNCATED) {
        d->truncated_points += (uint64_t)by;
        d->reasons[s->reason < 16 ? s->reason : 0] += (uint64_t)by;
    }
    if (s->flags & SHM_STACK_DEPTH)
        d->depth_points += (uint64_t)by;
}

/* Doubles (`by` 1) or removes (-1) `points` of all points, each as likely as any other. */
static void scatter(struct perf_account *a, uint64_t points, int by)
{
    struct drain *d = a->drain;
    uint64_t left = d->points;
    for (uint32_t i = 0; i < d->image_count; i++)
        for (uint32_t k = 0; k < d->images[i].stack_count; k++) {
            struct drain_stack *s = &d->images[i].stacks[k];
            int64_t hits = 0;
            for (uint64_t w = s->weight; w > 0 && left > 0 && points > 0; w--, left--)
                if (next_random(a) % left < points) {
                    hits++;
                    points--;
                }
            change(d, s, by * hits);
        }
}

void perf_account_stop(struct perf_account *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (!a->threads[i].ended)
            a->threads[i].end_ns = perf_account_cpu_ns(a->threads[i].pid, a->threads[i].tid);
}

/* What threads that live used beyond their points; `*known_ns`: CPU time of all that is known. */
static uint64_t give_rests(struct perf_account *a, uint64_t *known_ns)
{
    uint64_t more = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        struct perf_thread *t = &a->threads[i];
        if (t->ended || !t->end_ns || t->foreign) {
            *known_ns += t->booked * a->period_ns;
        } else if (t->end_ns > t->base_ns) {
            uint64_t due = points_due(a, t, t->end_ns - t->base_ns);
            uint64_t rest = due < a->rings ? due : a->rings;
            if (rest)
                give(a, t, rest);
            more += due - rest;
            *known_ns += t->end_ns - t->base_ns;
        }
    }
    return more;
}

void perf_account_finish(struct perf_account *a, uint64_t total_ns, bool exact)
{
    uint64_t known_ns = 0, more = give_rests(a, &known_ns), booked_ns;
    if (total_ns > known_ns)
        more += spread(a, (total_ns - known_ns + next_random(a) % a->period_ns) / a->period_ns);
    if (a->shared)
        return;
    if (more <= a->drain->points / CLOCKS_DIFFER)
        scatter(a, more, 1);
    booked_ns = a->drain->points * a->period_ns;
    uint64_t truth_ns = exact || total_ns > known_ns ? total_ns : known_ns;
    for (uint32_t i = 0; i < a->count; i++)
        if (!a->threads[i].ended && a->threads[i].end_ns && truth_ns < known_ns)
            truth_ns = known_ns; /* it lives on, and the system has not added it up yet */
    if (booked_ns > truth_ns + a->period_ns && booked_ns - truth_ns <= booked_ns / CLOCKS_DIFFER)
        scatter(a, (booked_ns - truth_ns) / a->period_ns, -1);
}
