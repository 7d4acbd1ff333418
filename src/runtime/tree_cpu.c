/* SPDX-License-Identifier: MIT
 *
 * The CPU profile of a tree's other processes. While nobody asks, the gate is shut: a signal a
 * period of CPU time looks at one word, walks no stack and counts nothing. What a process counts
 * stays in its slot, so that the difference between two moments is a profile, and one that dies
 * meanwhile is in it. */
#include "runtime/tree.h"

#include "runtime/encode.h"

#include "runtime/labels.h"

#include <sys/mman.h>

static struct {
    bool is_ours; /* this process has opened the gate, … */
    uint32_t only_pid;
    uint32_t generation[TREE_SLOTS];
    uint64_t *weights[TREE_SLOTS]; /* when the gate was opened; NULL: none */
} base;

bool tree_is_asked(void)
{
    return base.is_ours && tree_gate && atomic_load(&tree_gate->counts);
}

bool tree_wants(uint32_t pid)
{
    return !tree_is_asked() || !base.only_pid || base.only_pid == pid;
}

static uint64_t *copy_weights(const struct stacktab *t)
{
    size_t bytes = STACKTAB_ENTRIES * sizeof(uint64_t);
    uint64_t *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint32_t i = 0; to != MAP_FAILED && i < STACKTAB_ENTRIES; i++)
        if (atomic_load(&t->entries[i].weight))
            to[i] = atomic_load(&t->entries[i].weight);
    return to == MAP_FAILED ? NULL : to;
}

void tree_begin_profile(uint32_t pid)
{
    struct tree_process p;
    if (!tree_gate)
        return;
    base.only_pid = pid;
    base.is_ours = true;
    for (uint32_t i = 0; i < TREE_SLOTS; i++) {
        base.generation[i] = 0;
        if (!tree_at(&p, i))
            continue;
        base.generation[i] = p.generation;
        if (p.pid != rt.pid)
            base.weights[i] = copy_weights(p.cpu);
    }
    atomic_store(&tree_gate->counts, 1);
}

void tree_program(struct profile_build *b)
{
    struct tree_process p;
    for (uint32_t i = 0; tree_is_asked() && i < TREE_SLOTS; i++)
        if (tree_at(&p, i))
            encode_program_in(b, p.modules);
}

/* The points that it has counted since the gate was opened; a process that came since then has
 * counted all of them since. */
static uint64_t add_process(struct profile_build *b, const struct tree_process *p)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LIMIT_LABELS + 1];
    uint64_t points = 0;
    const uint64_t *before =
        base.generation[p->slot] == p->generation ? base.weights[p->slot] : NULL;
    tree_label(b, p->pid, &labels[0]);
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++) {
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
            .label_count = 1 + labels_fill(b->p, e->key.labels, labels + 1)};
        profile_build_add(b, &s);
    }
    return points;
}

void tree_end_profile(struct profile_build *b)
{
    struct tree_process p;
    uint64_t points = 0, lost = 0;
    uint32_t others = 0;
    if (!tree_is_asked())
        return;
    atomic_store(&tree_gate->counts, 0);
    for (uint32_t i = 0; i < TREE_SLOTS; i++) {
        bool wanted =
            tree_at(&p, i) && p.pid != rt.pid && (!base.only_pid || base.only_pid == p.pid);
        if (wanted) {
            points += add_process(b, &p);
            lost += stacktab_lost(p.cpu);
            others++;
        }
        if (base.weights[i])
            munmap(base.weights[i], STACKTAB_ENTRIES * sizeof(uint64_t));
        base.weights[i] = NULL;
    }
    base.is_ours = false;
    base.only_pid = 0;
    if (others)
        profile_build_comment(b, "and %llu samples of %u other processes, ever lost %llu",
                              (unsigned long long)points, others, (unsigned long long)lost);
    tree_say_missing(b);
}
