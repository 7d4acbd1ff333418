/* SPDX-License-Identifier: MIT
 *
 * The profile of wall time: the stacks that the threads were blocked in, with the label `state`,
 * and those of the CPU time, which is a part of it, with the state "running". */
#include "runtime/wall.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/labels.h"

#include <string.h>
#include <time.h>

static uint64_t weight_of(const struct stacktab *t, uint32_t i)
{
    const struct stacktab_entry *e = &t->entries[i];
    return atomic_load_explicit(&e->ready, memory_order_acquire)
               ? atomic_load_explicit(&e->weight, memory_order_relaxed)
               : 0;
}

void wall_take_base(struct wall_base *to, uint32_t only)
{
    struct timespec now;
    to->only_pid = only;
    to->has_company = api_cpu_is_taken();
    tree_cpu_open(&to->tree, only);
    memset(to->others, 0, sizeof to->others);
    wall_others_take_base(to->others);
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++) {
        to->cpu[i] = rt.table ? weight_of(rt.table, i) : 0;
        to->blocked[i] = wall ? weight_of(&wall->table, i) : 0;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    to->time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    to->mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
}

void wall_drop_base(struct wall_base *base)
{
    tree_cpu_close(&base->tree);
}

uint64_t wall_count(void)
{
    uint64_t n = 0;
    for (uint32_t i = 0; wall && i < STACKTAB_ENTRIES; i++)
        n += weight_of(&wall->table, i) != 0;
    return n;
}

/* Of nanoseconds as many samples as they would have been, one a period; at least one. */
static int64_t samples_of(uint64_t ns)
{
    uint64_t n = (ns + rt.period_ns / 2) / rt.period_ns;
    return n ? (int64_t)n : 1;
}

void wall_label_state(struct profile_build *b, struct profile_build_sample *s,
                      struct profile_label *labels, const char *state)
{
    uint32_t key = profile_intern_cstr(b->p, "state");
    for (uint32_t k = 0; k < s->label_count; k++)
        if (labels[k].key == key)
            return;
    labels[s->label_count++] =
        (struct profile_label){.key = key, .str = profile_intern_cstr(b->p, state)};
}

/* A table of this process. */
struct source {
    const struct stacktab *t;
    bool ran;
    const uint64_t *before;
    uint32_t pid; /* as a label; 0: none */
};

static void add_stack(struct profile_build *b, const struct source *from, uint32_t i,
                      uint64_t weight)
{
    const struct stacktab *t = from->t;
    bool ran = from->ran;
    const struct stacktab_entry *e = &t->entries[i];
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LIMIT_LABELS + 2];
    for (uint32_t k = 0; k < e->key.depth; k++)
        locations[k] = encode_location(b, t->words[e->first + k], e->key.epoch);
    struct profile_build_sample s = {
        .locations = locations,
        .location_count = e->key.depth,
        .values = {ran ? (int64_t)weight : samples_of(weight),
                   (int64_t)(ran ? weight * rt.period_ns : weight)},
        .labels = labels,
        .label_count = labels_fill(b->p, e->key.labels, labels),
    };
    wall_label_state(b, &s, labels, ran ? "running" : "ready");
    if (from->pid)
        tree_label(b, from->pid, &labels[s.label_count++]);
    profile_build_add(b, &s);
}

static void add_table(struct profile_build *b, const struct source *from)
{
    for (uint32_t i = 0; from->t && i < STACKTAB_ENTRIES; i++) {
        uint64_t weight = weight_of(from->t, i), was = from->before ? from->before[i] : 0;
        if (weight > was)
            add_stack(b, from, i, weight - was);
    }
}

/* This process, and the others of its tree. */
static void add_processes(struct profile_build *b, const struct wall_base *base)
{
    uint32_t pid = base && (base->only_pid || tree_count()) ? rt.pid : 0;
    struct source cpu = {rt.table, true, base ? base->cpu : NULL, pid};
    struct source blocked = {wall ? &wall->table : NULL, false, base ? base->blocked : NULL, pid};
    if (!base || tree_wants_self(base->only_pid)) {
        add_table(b, &cpu);
        add_table(b, &blocked);
    }
    if (!base)
        return;
    tree_program(b);
    wall_others_add(b, base->others, base->only_pid);
    tree_cpu_add(&base->tree, b, "running");
}

static void add_comments(struct profile_build *b)
{
    uint32_t stride = wall ? atomic_load(&wall->stride) : 1;
    profile_build_comment(b, "strobe " STROBE_VERSION ": wall time, %llu Hz; on a processor by %s",
                          (unsigned long long)(1000000000 / rt.period_ns),
                          taskclock_backend_name(rt.clock.backend));
    if (!wall)
        return;
    profile_build_comment(b, "%llu looks at threads; %.3f s lost, %.3f s not to a root",
                          (unsigned long long)atomic_load(&wall->looks),
                          (double)(atomic_load(&wall->lost_ns) + stacktab_lost(&wall->table)) / 1e9,
                          (double)atomic_load(&wall->truncated_ns) / 1e9);
    if (stride > 1)
        profile_build_comment(b,
                              "each thread was looked at once in %u periods: more would have cost "
                              "more than is allowed",
                              stride);
    if (atomic_load(&wall->unseen_ns))
        profile_build_comment(b, "%.3f s blocked, and never seen where: [blocked]",
                              (double)atomic_load(&wall->unseen_ns) / 1e9);
    if (atomic_load(&wall->blind) == WALL_NO_SYSCALL)
        profile_build_comment(b, "the kernel did not say where threads are blocked: [blocked]");
    if (atomic_load(&wall->blind) == WALL_NO_PROC)
        profile_build_comment(b, "there is no /proc here: time blocked is missing");
    if (wall_is_on() && !atomic_load(&wall->alive))
        profile_build_comment(b, "the process that looks at threads was killed: time blocked is "
                                 "missing from then on");
    if (atomic_load(&rt.denied) && !wall_is_on())
        profile_build_comment(b, "the program entered a seccomp sandbox: time blocked is missing "
                                 "from then on");
    if (atomic_load(&wall->own_ns))
        profile_build_comment(b, "# cost of looking: %.3f s",
                              (double)atomic_load(&wall->own_ns) / 1e9);
}

int wall_write(const struct wall_base *base, strobe_write_fn write, void *ctx)
{
    struct profile p;
    struct profile_build b;
    uint64_t now = sigsafe_clock_ns(CLOCK_MONOTONIC);
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_wall(&b, &p, (int64_t)rt.period_ns);
    p.time_nanos = base ? (int64_t)base->time_ns : rt.start_time_ns;
    p.duration_nanos = (int64_t)(now - (base ? base->mono_ns : rt.start_mono_ns));
    encode_program(&b);
    add_processes(&b, base);
    encode_names(&b);
    add_comments(&b);
    if (base && (base->has_company || api_cpu_is_taken()))
        profile_build_comment(&b, "a CPU profile was taken at the same time: they observe each "
                                  "other, and each has the other's cost in it");
    if (!base && tree_count())
        profile_build_comment(&b, "of this process alone: with seconds=N it is of all %u",
                              1 + tree_count());
    return encode_write(&b, write, ctx);
}
