/* SPDX-License-Identifier: MIT
 *
 * The threads of a tree's other processes. What blocks is read from outside, as the threads of this
 * process are: /proc says where, the stack is copied, and the process's files say how to walk it.
 * What runs is asked through the gate: the handler of its CPU clock writes down the stack at its
 * next signal, a sampling period of CPU time from now. Nobody waits for a process: one that is
 * stopped is blocked, one that is dead is not there, and one that may not be read is missing, which
 * is said. */
#include "base/sigsafe.h"
#include "runtime/foreign.h"
#include "runtime/thread_dump.h"
#include "runtime/tree.h"

#include <errno.h>
#include <string.h>

enum { ALL_MS = 2000, ASK_MS = 60, SAYS_BYTES = 256 };

static void say(struct thread_dumps *d, uint32_t pid, int error, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    if (d->says)
        buf_puts(&text, d->says);
    else
        buf_puts(&text, "threads are missing: of process ");
    if (++d->missing > 1)
        buf_puts(&text, ", ");
    if (text.len < SAYS_BYTES)
        buf_printf(&text, "%u (%s)", pid, error == -ETIME ? "no time left" : strerror(-error));
    d->says = buf_cstr(&text);
}

/* ---- running ones ---- */

static bool is_open(const struct thread_dump *t)
{
    return t->pid && t->modules && t->running && !t->depth;
}

static struct thread_dump *find_open(struct thread_dumps *d, uint32_t pid, uint32_t tid)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (d->list[i].tid == tid && d->list[i].pid == pid && is_open(&d->list[i]))
            return &d->list[i];
    return NULL;
}

static bool any_open(const struct thread_dumps *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (is_open(&d->list[i]))
            return true;
    return false;
}

/* The stack is in the process's own words: its list of modules goes with it. */
static void take_answer(struct thread_dump *t, const struct tree_process *p,
                        const struct tree_answer *a, struct arena *arena)
{
    uint32_t depth = a->depth;
    if (depth > LIMIT_STACK_DEPTH || !depth)
        return;
    t->pcs = arena_array(arena, depth, sizeof *t->pcs);
    if (!t->pcs)
        return;
    memcpy(t->pcs, a->pcs, depth * sizeof *t->pcs);
    t->depth = depth;
    t->epoch = a->epoch;
    t->flags = a->flags;
    t->modules = p->modules;
}

static void take_answers(struct thread_dumps *d, uint32_t turn, struct arena *arena)
{
    struct tree_process p;
    for (uint32_t at = 0; tree_next(&p, d->pid, &at);) {
        uint32_t n = atomic_load(&p.answers->count);
        for (uint32_t i = 0; i < n && i < TREE_ANSWERS; i++) {
            const struct tree_answer *a = &p.answers->list[i];
            struct thread_dump *t = atomic_load_explicit(&a->turn, memory_order_acquire) == turn
                                        ? find_open(d, p.pid, a->tid)
                                        : NULL;
            if (t)
                take_answer(t, &p, a, arena);
        }
    }
}

static void ask_running(struct thread_dumps *d, struct arena *arena)
{
    static _Atomic uint32_t last;
    struct timespec some = {0, 5000000};
    uint32_t turn = rt.pid << 12 | (atomic_fetch_add(&last, 1) & 0xfff);
    if (!tree_gate || !any_open(d))
        return;
    turn += !turn;
    atomic_store(&tree_gate->turn, turn);
    for (int ms = 0; ms < ASK_MS && any_open(d); ms += 5) {
        sigsafe_syscall2(SYS_nanosleep, &some, NULL);
        take_answers(d, turn, arena);
    }
    atomic_store(&tree_gate->turn, 0);
}

/* ---- all of them ---- */

int thread_dumps_take_others(struct thread_dumps *d, struct arena *arena)
{
    struct foreign_files files = {0};
    struct tree_process p;
    uint64_t deadline_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) + ALL_MS * 1000000ull;
    int r = 0;
    for (uint32_t at = 0; r != -ENOMEM && tree_next(&p, d->pid, &at);) {
        struct foreign f;
        r = foreign_open(&f, p.pid, p.modules, &files, arena);
        f.label_slots = p.label_slots;
        if (r == 0)
            r = thread_dumps_take_foreign(d, &f, arena, deadline_ns);
        foreign_close(&f);
        if (r < 0)
            say(d, p.pid, r, arena);
    }
    foreign_files_close(&files);
    if (r != -ENOMEM)
        ask_running(d, arena);
    return r == -ENOMEM ? r : 0;
}
