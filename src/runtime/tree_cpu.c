/* SPDX-License-Identifier: MIT
 *
 * The CPU profile of a tree's other processes. While nobody asks, the gate is shut: a signal a
 * period of CPU time looks at one word, walks no stack and counts nothing. What a process counts
 * stays in its slot, so that the difference between two moments is a profile, and one that dies
 * meanwhile is in it. */
#include "runtime/tree.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"

#include "runtime/labels.h"

#include <sys/mman.h>

static struct tree_cpu_view profile; /* of the one CPU profile that is taken over HTTP */

bool tree_is_asked(void)
{
    return profile.is_open && profile.opened_by == rt.pid;
}

bool tree_wants(uint32_t pid)
{
    return !tree_is_asked() || !profile.only_pid || profile.only_pid == pid;
}

static uint64_t *copy_weights(const struct stacktab *t)
{
    size_t bytes = STACKTAB_ENTRIES * sizeof(uint64_t);
    if (stacktab_next(t, 0) == STACKTAB_ENTRIES)
        return NULL;
    uint64_t *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint32_t i = 0; to != MAP_FAILED && (i = stacktab_next(t, i)) < STACKTAB_ENTRIES; i++)
        to[i] = atomic_load(&t->entries[i].weight);
    return to == MAP_FAILED ? NULL : to;
}

void tree_cpu_open(struct tree_cpu_view *v, uint32_t pid)
{
    struct tree_process p;
    *v = (struct tree_cpu_view){.only_pid = pid};
    if (!tree_gate)
        return;
    v->is_open = true;
    v->opened_by = rt.pid;
    atomic_store(&tree_gate->opened_ns, sigsafe_clock_ns(CLOCK_BOOTTIME));
    for (uint32_t i = 0; i < TREE_PLACES; i++) {
        if (!tree_at(&p, i))
            continue;
        v->generation[i] = p.generation;
        if (p.pid != rt.pid)
            v->weights[i] = copy_weights(p.cpu);
    }
    atomic_fetch_add(&tree_gate->counts, 1);
}

void tree_cpu_close(struct tree_cpu_view *v)
{
    if (v->is_open && v->opened_by == rt.pid)
        atomic_fetch_sub(&tree_gate->counts, 1);
    for (uint32_t i = 0; i < TREE_PLACES; i++) {
        if (v->weights[i])
            munmap(v->weights[i], STACKTAB_ENTRIES * sizeof(uint64_t));
        v->weights[i] = NULL;
    }
    v->is_open = false;
}

void tree_program(struct profile_build *b)
{
    struct tree_process p;
    for (uint32_t i = 0; tree_gate && i < TREE_PLACES; i++)
        if (tree_at(&p, i))
            encode_program_in(b, p.modules);
}

/* The points that it has counted since the view was opened; a process that came since then has
 * counted all of them since. */
static uint64_t add_process(const struct tree_cpu_view *v, struct profile_build *b,
                            const struct tree_process *p, const char *state)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LIMIT_LABELS + 2];
    uint64_t points = 0;
    const uint64_t *before = v->generation[p->slot] == p->generation ? v->weights[p->slot] : NULL;
    uint32_t own_labels = 1;
    tree_label(b, p->pid, &labels[0]);
    if (state)
        labels[own_labels++] = (struct profile_label){.key = profile_intern_cstr(b->p, "state"),
                                                      .str = profile_intern_cstr(b->p, state)};
    for (uint32_t i = 0; (i = stacktab_next(p->cpu, i)) < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &p->cpu->entries[i];
        uint64_t weight = atomic_load(&e->weight), was = before ? before[i] : 0;
        uint32_t depth = e->key.depth, first = e->first;
        if (!atomic_load_explicit(&e->ready, memory_order_acquire) || weight <= was ||
            depth > LIMIT_STACK_DEPTH || first > STACKTAB_WORDS - depth)
            continue;
        for (uint32_t k = 0; k < depth; k++)
            locations[k] =
                encode_location_in(b, p->modules, p->cpu->words[first + k], e->key.epoch);
        weight -= was;
        points += weight;
        struct profile_build_sample s = {
            .locations = locations,
            .location_count = depth,
            .values = {(int64_t)weight, (int64_t)(weight * tree_gate->period_ns)},
            .labels = labels,
            .label_count = own_labels + labels_fill(b->p, e->key.labels, labels + own_labels)};
        profile_build_add(b, &s);
    }
    return points;
}

void tree_cpu_add(const struct tree_cpu_view *v, struct profile_build *b, const char *state)
{
    struct tree_process p;
    uint64_t points = 0, lost = 0;
    uint32_t others = 0;
    for (uint32_t i = 0; v->is_open && i < TREE_PLACES; i++) {
        if (!tree_at(&p, i) || p.pid == rt.pid || (v->only_pid && v->only_pid != p.pid))
            continue;
        points += add_process(v, b, &p, state);
        lost += stacktab_lost(p.cpu);
        others += i < TREE_SLOTS;
    }
    if (others)
        profile_build_comment(b, "and %llu samples of %u other processes, ever lost %llu",
                              (unsigned long long)points, others, (unsigned long long)lost);
    if (v->is_open)
        tree_say_missing(b);
}

/* ---- the one that is taken over HTTP ---- */

void tree_begin_profile(uint32_t pid)
{
    tree_cpu_close(&profile); /* of a parent that this process was forked from */
    tree_cpu_open(&profile, pid);
}

void tree_add_profile(struct profile_build *b)
{
    tree_cpu_add(&profile, b, NULL);
}

void tree_end_profile(void)
{
    tree_cpu_close(&profile);
}
