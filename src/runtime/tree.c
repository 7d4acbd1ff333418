/* SPDX-License-Identifier: MIT
 *
 * Forked servers: the endpoints of the process that serves STROBE_HTTP answer for its children,
 * too.
 *
 * It maps a shared segment before it forks: a slot for each process, and in it a table of stacks
 * and the list of its modules. A child takes a slot and points rt.table and rt.modules there; its
 * own sampling clock and the handler are what they always are, so that it gets no thread, no socket
 * and nothing to wait for, and what it has counted is there when it dies at any instruction. While
 * nobody asks, the gate is shut: a signal a period of CPU time looks at one word, walks no stack
 * and counts nothing.
 *
 * Who answers trusts nothing in a slot: indexes and lengths are checked, as a program that runs
 * wild may write there. A slot of a process that is gone is taken again only when there is no
 * unused one.
 */
#include "runtime/tree.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { SLOTS = 64, PAGE = 4096 };

/* One process's part of the segment; begins at a page. */
struct region {
    struct stacktab table;
    struct module modules[RUNTIME_MODULES];
};

struct slot {
    _Atomic uint32_t pid;        /* 0: unused */
    _Atomic uint32_t generation; /* of its processes */
};

struct tree {
    _Atomic uint32_t gate;   /* 1: count */
    _Atomic uint32_t missed; /* processes that found no slot */
    uint64_t period_ns;
    struct taskclock clock;
    struct slot slots[SLOTS];
};

enum {
    HEAD_BYTES = (sizeof(struct tree) + PAGE - 1) / PAGE * PAGE,
    REGION_BYTES = (sizeof(struct region) + PAGE - 1) / PAGE * PAGE,
};

static struct tree *tree;
static struct slot *own; /* this process's, or NULL */

static _Atomic bool is_shut; /* children do not join any more */

/* Of the side that answers. */
static struct {
    bool is_ours; /* this process has opened the gate, … */
    uint32_t only_pid;
    uint32_t generation[SLOTS];
    uint64_t *weights[SLOTS]; /* when the gate was opened; NULL: none */
} base;

static struct region *region_of(const struct slot *s)
{
    return (struct region *)((char *)tree + HEAD_BYTES + (size_t)(s - tree->slots) * REGION_BYTES);
}

void tree_create(const struct strobe_config *c)
{
    size_t bytes = HEAD_BYTES + (size_t)SLOTS * REGION_BYTES;
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur != RLIM_INFINITY)
        return; /* what little there is, is the program's */
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return;
    madvise(p, bytes, MADV_DONTDUMP);
    tree = p;
    tree->period_ns = 1000000000ull / (uint64_t)c->hz;
    tree->clock = taskclock_probe(c->backend, false);
}

/* ---- joining ---- */

static bool is_gone(uint32_t pid)
{
    return sigsafe_syscall2(SYS_kill, pid, 0) == -ESRCH;
}

/* An unused slot, else one whose process is gone. */
static struct slot *claim(void)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < SLOTS; i++) {
            struct slot *s = &tree->slots[i];
            uint32_t pid = atomic_load(&s->pid);
            if ((pass ? is_gone(pid) : !pid) &&
                atomic_compare_exchange_strong(&s->pid, &pid, rt.pid)) {
                atomic_fetch_add(&s->generation, 1);
                /* Shared memory reads as zeros again only when its pages are taken out. */
                if (pid)
                    madvise(region_of(s), REGION_BYTES, MADV_REMOVE);
                return s;
            }
        }
    atomic_fetch_add(&tree->missed, 1);
    return NULL;
}

/* What the cache of rules knows already is not noted again: the list goes on where it is. */
static void move_modules(struct region *to)
{
    uint32_t n = atomic_load(&rt.module_count);
    for (uint32_t i = 0; rt.modules && i < n && i < RUNTIME_MODULES; i++)
        to->modules[i] = rt.modules[i];
    rt.modules = to->modules;
}

void tree_join(void)
{
    own = NULL;
    rt.gate = NULL;
    base.is_ours = false;
    if (!tree || rt.shm || atomic_load(&is_shut))
        return;
    threads_forget();
    runtime_handlers_forget();
    file_abandon(FILE_CPU);
    own = claim();
    if (!own)
        return;
    move_modules(region_of(own));
    rt.table = &region_of(own)->table;
    rt.kinds |= SHM_KIND_CPU;
    rt.clock = tree->clock;
    rt.period_ns = tree->period_ns;
    rt.interrupt_ns = TASKCLOCK_INTERRUPT_NS;
    rt.started_by_call = true;
    rt.gate = &tree->gate;
    if (runtime_map() == 0 && runtime_begin(SINK_TABLE) == 0)
        return;
    atomic_store(&rt.sink, SINK_OFF);
    tree_leave();
}

void tree_shut(void)
{
    atomic_store(&is_shut, true);
}

/* The slot stays: the list of modules is in it. */
void tree_leave(void)
{
    if (!rt.gate)
        return;
    if (runtime_is_sampling())
        runtime_pause(NULL);
    rt.gate = NULL;
    rt.table = NULL; /* the next profile maps its own */
}

/* ---- answering ---- */

bool tree_is_asked(void)
{
    return tree && atomic_load(&tree->gate) && base.is_ours;
}

bool tree_has(uint32_t pid)
{
    bool has = pid == rt.pid;
    for (int i = 0; tree && i < SLOTS; i++)
        has |= atomic_load(&tree->slots[i].pid) == pid;
    return has;
}

bool tree_wants(uint32_t pid)
{
    return !base.only_pid || base.only_pid == pid;
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

/* Whether a slot's process is one that was there when the gate was opened. */
static bool is_known(int i)
{
    return base.weights[i] && base.generation[i] == atomic_load(&tree->slots[i].generation);
}

void tree_begin_profile(uint32_t pid)
{
    base.only_pid = pid;
    base.is_ours = true;
    for (int i = 0; tree && i < SLOTS; i++) {
        struct slot *s = &tree->slots[i];
        base.generation[i] = atomic_load(&s->generation);
        if (atomic_load(&s->pid) && atomic_load(&s->pid) != rt.pid)
            base.weights[i] = copy_weights(&region_of(s)->table);
    }
    if (tree)
        atomic_store(&tree->gate, 1);
}

void tree_program(struct profile_build *b)
{
    for (int i = 0; tree_is_asked() && i < SLOTS; i++)
        if (atomic_load(&tree->slots[i].pid))
            encode_program_in(b, region_of(&tree->slots[i])->modules);
}

void tree_label(struct profile_build *b, uint32_t pid, struct profile_label *out)
{
    char text[16];
    snprintf(text, sizeof text, "%u", pid);
    *out = (struct profile_label){.key = profile_intern_cstr(b->p, "pid"),
                                  .str = profile_intern_cstr(b->p, text)};
}

/* The points that it has counted since the gate was opened. */
static uint64_t add_process(struct profile_build *b, int at)
{
    const struct region *r = region_of(&tree->slots[at]);
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label label;
    uint64_t points = 0;
    tree_label(b, atomic_load(&tree->slots[at].pid), &label);
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &r->table.entries[i];
        uint64_t weight = atomic_load(&e->weight);
        uint64_t before = is_known(at) ? base.weights[at][i] : 0;
        uint32_t depth = e->key.depth, first = e->first;
        if (!atomic_load_explicit(&e->ready, memory_order_acquire) || weight <= before ||
            depth > LIMIT_STACK_DEPTH || first > STACKTAB_WORDS - depth)
            continue;
        for (uint32_t k = 0; k < depth; k++)
            locations[k] =
                encode_location_in(b, r->modules, r->table.words[first + k], e->key.epoch);
        weight -= before;
        points += weight;
        struct profile_build_sample s = {
            .locations = locations,
            .location_count = depth,
            .values = {(int64_t)weight, (int64_t)(weight * tree->period_ns)},
            .labels = &label,
            .label_count = 1};
        profile_build_add(b, &s);
    }
    return points;
}

void tree_end_profile(struct profile_build *b)
{
    if (!tree_is_asked())
        return;
    atomic_store(&tree->gate, 0);
    base.is_ours = false;
    uint64_t points = 0, lost = 0;
    uint32_t others = 0;
    for (int i = 0; i < SLOTS; i++) {
        uint32_t pid = atomic_load(&tree->slots[i].pid);
        if (pid && pid != rt.pid && tree_wants(pid)) {
            points += add_process(b, i);
            lost += stacktab_lost(&region_of(&tree->slots[i])->table);
            others++;
        }
        if (base.weights[i])
            munmap(base.weights[i], STACKTAB_ENTRIES * sizeof(uint64_t));
        base.weights[i] = NULL;
    }
    base.only_pid = 0;
    if (others)
        profile_build_comment(b, "and %llu samples of %u other processes, ever lost %llu",
                              (unsigned long long)points, others, (unsigned long long)lost);
    if (atomic_load(&tree->missed))
        profile_build_comment(b, "%u processes are missing: more than %d at once",
                              atomic_load(&tree->missed), SLOTS);
}
