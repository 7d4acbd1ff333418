/* SPDX-License-Identifier: MIT
 *
 * Wall time of a tree's other processes: where their threads are blocked, read from outside as
 * those of this process are (wall_sampler.c), by a thread of the process that serves, which has one
 * for that already, and only while somebody asks. It is a thread and not a process beside it,
 * because who may look into a process is often decided by who is whose parent. Their time on
 * processors is their own clocks' (tree_cpu.c).
 *
 * A process is met at a listing, where it is given a number; that is the epoch of the stacks that
 * are found in it, so that one table has all of them. What it has mapped is read then, and once
 * for all that have mapped the same at the same places, as forked children have. That, too, is
 * bounded by what looking may cost: where processes come too fast, some are met later or never,
 * which is said. One whose stacks do not reach their root may have loaded something: it is met
 * again. */
#include "runtime/wall.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/foreign.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/labels.h"
#include "runtime/tree.h"
#include "runtime/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IMAGES = 128, MET = 16384, FREE_NS = 50000000, AGAIN_NS = 1000000000 };
enum { WAIT_MS = 20, WAIT_MAX_MS = 5000 };

/* What several processes have mapped. */
struct image {
    uint64_t hash;
    struct foreign f;
};

struct met {
    uint32_t pid;
    const struct module *modules;
};

static struct {
    uint32_t pid, users; /* of this process */
    struct wall *w;
    struct wall_place places[TREE_SLOTS];
    uint32_t generation[TREE_SLOTS]; /* that was met, or tried */
    uint32_t truncated[TREE_SLOTS];  /* of the place, when it was met */
    uint64_t met_ns[TREE_SLOTS];
    struct image *images; /* IMAGES, in the arena */
    uint32_t image_count;
    struct met *met; /* MET, in the arena */
    _Atomic uint32_t met_count;
    struct arena arena;
    struct foreign_files files;
    uint64_t opening_ns; /* CPU time that meeting them has cost */
    _Atomic uint32_t refused, deferred;
} others;

/* ---- meeting them, in the thread ---- */

static uint64_t own_ns(void)
{
    return sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* A quarter of what looking may cost, and something to begin with. */
static bool may_open(void)
{
    uint64_t elapsed_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - others.w->began_ns;
    return !rt.max_cost_ppm ||
           others.opening_ns < FREE_NS + elapsed_ns / 1000000 * rt.max_cost_ppm / 4;
}

/* NULL: it may not be read, or there are too many. */
static struct image *find_image(const struct tree_process *p)
{
    struct arena scratch;
    uint64_t hash;
    arena_init_nullable(&scratch);
    int r = foreign_hash(p->pid, &scratch, &hash);
    arena_free(&scratch);
    for (uint32_t i = 0; r == 0 && i < others.image_count; i++)
        if (others.images[i].hash == hash)
            return &others.images[i];
    if (r < 0 || others.image_count == IMAGES)
        return NULL;
    struct image *to = &others.images[others.image_count];
    to->hash = hash;
    if (foreign_open(&to->f, p->pid, p->modules, &others.files, &others.arena) != 0) {
        foreign_close(&to->f);
        return NULL;
    }
    others.image_count++;
    return to;
}

static bool meet(struct wall_place *to, const struct tree_process *p)
{
    char path[32];
    uint32_t n = atomic_load(&others.met_count);
    struct image *i = n < MET ? find_image(p) : NULL;
    if (!i)
        return false;
    snprintf(path, sizeof path, "/proc/%u/task", p->pid);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return false;
    others.met[n] = (struct met){.pid = p->pid, .modules = i->f.modules};
    atomic_store_explicit(&others.met_count, n + 1, memory_order_release);
    *to = (struct wall_place){.dir = dir,
                              .pid = p->pid,
                              .epoch = n + 1,
                              .threads = 1,
                              .cache = i->f.cache,
                              .labels = p->label_slots};
    return true;
}

static void try_to_meet(uint32_t slot, struct wall_place *place)
{
    struct tree_process p;
    uint64_t began_ns = own_ns();
    others.generation[slot] = tree_generation(slot);
    others.met_ns[slot] = sigsafe_clock_ns(CLOCK_MONOTONIC);
    if (tree_lives(slot) && tree_at(&p, slot) && !meet(place, &p))
        atomic_fetch_add(&others.refused, 1);
    others.truncated[slot] = place->truncated;
    others.opening_ns += own_ns() - began_ns;
}

/* Its threads are settled before another process takes its place. */
static void leave(struct wall_place *place)
{
    close(place->dir);
    place->dir = -1;
    place->threads = 0;
}

/* It has stacks that are cut off, and may have loaded what they lie in. */
static bool is_doubtful(uint32_t slot, const struct wall_place *place)
{
    return place->truncated != others.truncated[slot] &&
           sigsafe_clock_ns(CLOCK_MONOTONIC) > others.met_ns[slot] + AGAIN_NS;
}

static void refresh(struct wall_place *places)
{
    for (uint32_t i = 0; i < TREE_SLOTS; i++) {
        struct wall_place *place = &places[i];
        uint32_t generation = tree_generation(i);
        bool same = generation == others.generation[i];
        if (place->dir >= 0 && (!same || !place->threads)) {
            leave(place);
        } else if (place->dir >= 0 && is_doubtful(i, place) && may_open()) {
            leave(place);
            others.generation[i] = generation - 1;
        } else if (place->dir < 0 && !same) {
            if (may_open())
                try_to_meet(i, place);
            else
                atomic_fetch_add(&others.deferred, 1);
        }
    }
}

static void *run(void *unused)
{
    (void)unused;
    heap_self.busy = 1; /* what this thread allocates is not the program's */
    waits_exclude_self();
    atomic_store(&rt.looker_tid, (uint32_t)sigsafe_syscall0(SYS_gettid));
    if (unshare(CLONE_FILES) == 0)
        sigsafe_syscall3(SYS_close_range, 0, ~0u, 0);
    wall_look_at(others.w, others.places, TREE_SLOTS);
    for (uint32_t i = 0; i < TREE_SLOTS; i++)
        if (others.places[i].dir >= 0)
            leave(&others.places[i]);
    atomic_store(&others.w->own_ns, own_ns());
    atomic_fetch_add(&rt.looker_ns, own_ns());
    atomic_store(&rt.looker_tid, 0);
    atomic_store(&others.w->alive, 0);
    sigsafe_syscall6(SYS_futex, (long)&others.w->alive, FUTEX_WAKE, 1, 0, 0, 0);
    return NULL;
}

/* ---- the side that answers ---- */

static void forget_places(void)
{
    for (uint32_t i = 0; i < TREE_SLOTS; i++) {
        others.places[i] = (struct wall_place){.dir = -1};
        others.generation[i] = tree_generation(i) - (tree_lives(i) ? 1 : 0);
    }
}

static void free_all(void)
{
    for (uint32_t i = 0; i < others.image_count; i++)
        foreign_close(&others.images[i].f);
    foreign_files_close(&others.files);
    arena_free(&others.arena);
    munmap(others.w, sizeof *others.w);
    others.w = NULL;
}

static bool prepare(void)
{
    void *p = mmap(NULL, sizeof *others.w, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    others.w = p == MAP_FAILED ? NULL : p;
    others.image_count = 0;
    others.files = (struct foreign_files){0};
    others.opening_ns = 0;
    atomic_store(&others.met_count, 0);
    atomic_store(&others.refused, 0);
    atomic_store(&others.deferred, 0);
    arena_init_nullable(&others.arena);
    others.images = arena_zarray(&others.arena, IMAGES, sizeof *others.images);
    others.met = arena_zarray(&others.arena, MET, sizeof *others.met);
    if (!others.w || !others.images || !others.met) {
        if (others.w)
            free_all();
        return false;
    }
    others.w->refresh = refresh;
    others.w->pid = rt.pid;
    others.w->period_ns = rt.period_ns;
    others.w->began_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    atomic_store(&others.w->stride, 1);
    atomic_store(&others.w->alive, 1);
    forget_places();
    return true;
}

void wall_others_start(void)
{
    if (others.pid != rt.pid)
        others.users = 0; /* a parent's */
    others.pid = rt.pid;
    if (!tree_gate || atomic_load(&rt.denied) || others.users++)
        return;
    if (!prepare())
        return;
    atomic_store(&wall_others_look, 1);
    if (http_start_thread(run) < 0) {
        free_all();
        atomic_store(&wall_others_look, 0);
    }
}

/* The table that there is, or NULL. */
static const struct wall *table(void)
{
    return others.pid == rt.pid && others.users ? others.w : NULL;
}

/* Until it is so, or for a while. */
static bool wait_while(const _Atomic uint32_t *word, uint32_t is)
{
    struct timespec some = {0, WAIT_MS * 1000000};
    for (int ms = 0; atomic_load(word) == is && ms < WAIT_MAX_MS; ms += WAIT_MS)
        sigsafe_syscall6(SYS_futex, (long)word, FUTEX_WAIT, is, (long)&some, 0, 0);
    return atomic_load(word) != is;
}

void wall_others_catch_up(void)
{
    uint32_t go_on = WALL_GO_ON;
    if (!table() || !atomic_load(&others.w->alive) ||
        !atomic_compare_exchange_strong(&others.w->command, &go_on, WALL_CATCH_UP))
        return;
    sigsafe_syscall6(SYS_futex, (long)&others.w->command, FUTEX_WAKE, 1, 0, 0, 0);
    wait_while(&others.w->command, WALL_CATCH_UP);
}

void wall_others_stop(void)
{
    if (others.pid != rt.pid || !others.users || --others.users)
        return;
    if (!others.w)
        return;
    atomic_store(&others.w->command, WALL_END);
    sigsafe_syscall6(SYS_futex, (long)&others.w->command, FUTEX_WAKE, 1, 0, 0, 0);
    if (wait_while(&others.w->alive, 1))
        free_all();
    others.w = NULL; /* else it stays the thread's, should that ever end */
    atomic_store(&wall_others_look, 0);
}

void wall_others_take_base(uint64_t *to)
{
    const struct wall *w = table();
    for (uint32_t i = 0; w && i < STACKTAB_ENTRIES; i++)
        to[i] = atomic_load(&w->table.entries[i].weight);
}

static void add_stack(struct profile_build *b, const struct stacktab_entry *e, const struct met *m,
                      uint64_t ns)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LIMIT_LABELS + 2];
    uint64_t samples = (ns + rt.period_ns / 2) / rt.period_ns;
    for (uint32_t k = 0; k < e->key.depth; k++)
        locations[k] = encode_location_in(b, m->modules, others.w->table.words[e->first + k], 0);
    struct profile_build_sample s = {
        .locations = locations,
        .location_count = e->key.depth,
        .values = {samples ? (int64_t)samples : 1, (int64_t)ns},
        .labels = labels,
        .label_count = labels_fill(b->p, e->key.labels, labels),
    };
    wall_label_state(b, &s, labels, "ready");
    tree_label(b, m->pid, &labels[s.label_count++]);
    profile_build_add(b, &s);
}

void wall_others_add(struct profile_build *b, const uint64_t *before, uint32_t only)
{
    const struct wall *w = table();
    uint32_t met = atomic_load_explicit(&others.met_count, memory_order_acquire);
    if (!w)
        return;
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &w->table.entries[i];
        if (!atomic_load_explicit(&e->ready, memory_order_acquire))
            continue;
        uint64_t ns = atomic_load(&e->weight);
        uint32_t number = e->key.epoch;
        if (ns <= before[i] || !number || number > met)
            continue;
        if (!only || others.met[number - 1].pid == only)
            add_stack(b, e, &others.met[number - 1], ns - before[i]);
    }
    if (!met)
        return;
    profile_build_comment(b, "and %llu looks at threads of %u other processes; %.3f s lost",
                          (unsigned long long)atomic_load(&w->looks), met,
                          (double)(atomic_load(&w->lost_ns) + stacktab_lost(&w->table)) / 1e9);
    if (atomic_load(&w->stride) > 1)
        profile_build_comment(b,
                              "each of theirs was looked at once in %u periods: more would have "
                              "cost more than is allowed",
                              atomic_load(&w->stride));
    if (atomic_load(&others.refused))
        profile_build_comment(b, "%u processes are missing: they may not be looked into",
                              atomic_load(&others.refused));
    if (atomic_load(&others.deferred))
        profile_build_comment(b,
                              "%u times a process was not looked into: more would have cost "
                              "more than is allowed",
                              atomic_load(&others.deferred));
}
