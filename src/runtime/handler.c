/* SPDX-License-Identifier: MIT
 *
 * What runs in the sampled thread, in its signal handler: find the thread by the signal's own data,
 * see how many sampling points its CPU clock has passed, unwind, write one record. It may only use
 * base/sigsafe.h, the unwinder and the lock-free chunk pool and table; tests/tidy checks the
 * object's undefined symbols. It uses under 1 KiB of stack besides the kernel's frame.
 *
 * The weight of a sample is the number of points passed since the last one, its time weight x
 * period. That is unbiased for threads of any length: a tick that came late, or that was merged
 * with another, only raises the weight of the next sample (docs/architecture.md, "Sampling"). */
#include "base/sigsafe.h"
#include "runtime/here.h"
#include "runtime/labels.h"
#include "runtime/modtable.h"
#include "runtime/runtime.h"
#include "runtime/tree_gate.h"
#include "runtime/thread_ask.h"

#include <linux/perf_event.h>
#include <sys/uio.h>
#include <ucontext.h>

#ifndef TRAP_PERF
#define TRAP_PERF 6 /* asm-generic/siginfo.h */
#endif

/* In an epilogue, registers that were popped already are still described by their slots below the
 * stack pointer, in the 128 bytes that no signal frame overwrites (x86-64 psABI, 3.2.2). */
enum { RED_ZONE = 128, SCRATCHES = 64, SCRATCH_STACK = 16 << 10 };

/* Room for one walk: the program counters of a table sample, and a copy of a stack whose bounds are
 * not known. Static and lazily touched: handlers run on stacks of 16 KiB. */
struct scratch {
    uint64_t pcs[LIMIT_STACK_DEPTH];
    unsigned char stack[SCRATCH_STACK];
};

static struct scratch scratches[SCRATCHES];
static _Atomic uint64_t scratch_used; /* one bit each */

static struct scratch *scratch_take(void)
{
    uint64_t used = atomic_load_explicit(&scratch_used, memory_order_relaxed);
    while (~used) {
        int bit = __builtin_ctzll(~used);
        if (atomic_compare_exchange_weak_explicit(&scratch_used, &used, used | 1ull << bit,
                                                  memory_order_acquire, memory_order_relaxed))
            return &scratches[bit];
    }
    return NULL;
}

static void scratch_put(struct scratch *s)
{
    atomic_fetch_and_explicit(&scratch_used, ~(1ull << (s - scratches)), memory_order_release);
}

void runtime_handlers_forget(void)
{
    atomic_store(&scratch_used, 0);
    atomic_store(&rt.walkers, 0);
    atomic_store(&rt.closers, 0);
    modtable_forget();
}

void runtime_note_altstack(struct thread *t, const void *base, size_t size)
{
    t->alt_lo = t->alt_hi = 0; /* a handler may come between the two */
    t->alt_lo = (uintptr_t)base;
    t->alt_hi = (uintptr_t)base + size;
}

uint64_t runtime_points_passed(struct thread *t, uint64_t now_ns)
{
    if (now_ns < t->next_point_ns)
        return 0;
    uint64_t next = t->next_point_ns, step = rt.period_ns * t->stride, points;
    do { /* whoever ends the profile counts for this thread, too: each point goes to one of them */
        if (now_ns < next)
            return 0;
        points = (now_ns - next) / step + 1;
    } while (!atomic_compare_exchange_weak(&t->next_point_ns, &next, next + points * step));
    return points * t->stride;
}

/* ---- where a sample goes ---- */

static void count_sample(uint64_t points, uint32_t flags)
{
    atomic_fetch_add_explicit(&rt.sampled_points, points, memory_order_relaxed);
    if (flags & SHM_STACK_TRUNCATED)
        atomic_fetch_add_explicit(&rt.truncated_points, points, memory_order_relaxed);
    if (flags & SHM_STACK_DEPTH)
        atomic_fetch_add_explicit(&rt.depth_points, points, memory_order_relaxed);
}

/* Points that no sample will stand for are counted where the profile's writer looks. */
static void lose(uint64_t points)
{
    bool shared = rt.process != NULL;
    _Atomic uint64_t *samples = shared ? &rt.process->lost_samples : &rt.table->lost_samples;
    _Atomic uint64_t *lost = shared ? &rt.process->lost_points : &rt.table->lost_points;
    atomic_fetch_add_explicit(samples, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(lost, points, memory_order_relaxed);
}

static void fill_record(struct shm_record *r, uint32_t bytes, uint16_t type)
{
    r->size = (bytes + 7) & ~7u;
    r->type = type;
    r->process = (uint16_t)shm_process_index(rt.shm, rt.process);
    r->image = rt.image;
    r->epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed);
}

/* A chunk with room for one sample of any depth. */
static struct shm_chunk *take_chunk(uint64_t points)
{
    uint32_t bytes = sizeof(struct shm_sample) + LIMIT_STACK_DEPTH * 8;
    struct shm_chunk *c = shm_chunk_take(rt.shm, bytes, rt.pid);
    if (!c)
        lose(points);
    return c;
}

static struct shm_sample *sample_at(struct shm_chunk *c)
{
    return (struct shm_sample *)(c->data +
                                 atomic_load_explicit(&c->committed, memory_order_relaxed));
}

static void commit_sample(struct shm_chunk *c, uint32_t tid, uint64_t points,
                          const struct stacktab_key *key)
{
    struct shm_sample *s = sample_at(c);
    fill_record(&s->r, (uint32_t)sizeof *s + key->depth * 8u, SHM_SAMPLE);
    s->r.epoch = key->epoch;
    s->tid = tid;
    s->weight = points > UINT32_MAX ? UINT32_MAX : (uint32_t)points;
    s->flags = key->flags;
    s->depth = key->depth;
    s->reason = key->reason;
    s->labels = key->labels;
    s->kind = 0;
    atomic_fetch_add_explicit(&rt.process->booked_points, points, memory_order_relaxed);
    shm_chunk_put(rt.shm, c, s->r.size);
}

bool runtime_emit(struct shm_record *r, uint32_t head_bytes, const void *tail, uint32_t tail_bytes)
{
    if (!rt.shm)
        return false;
    struct shm_chunk *c =
        shm_chunk_take(rt.shm, (head_bytes + tail_bytes + 7) & ~7u, runtime_pid());
    uint32_t epoch = r->epoch;
    if (!c)
        return false;
    fill_record(r, head_bytes + tail_bytes, r->type);
    if (epoch)
        r->epoch = epoch;
    unsigned char *at = c->data + atomic_load_explicit(&c->committed, memory_order_relaxed);
    sigsafe_copy(at, r, head_bytes);
    sigsafe_copy(at + head_bytes, tail, tail_bytes);
    shm_chunk_put(rt.shm, c, r->size);
    return true;
}

/* ---- walking ---- */

static bool readable_bounds(struct thread *t, uint64_t sp, struct unwind_bounds *b)
{
    uintptr_t alt_lo = t->alt_lo, alt_hi = t->alt_hi;
    if (sp >= alt_lo && sp < alt_hi) {
        *b = (struct unwind_bounds){.lo = sp - alt_lo > RED_ZONE ? sp - RED_ZONE : alt_lo,
                                    .hi = alt_hi};
        return true;
    }
    if (!t->stack_hi)
        t->stack_hi = runtime_stack_end(sp);
    *b = (struct unwind_bounds){.lo = sp - RED_ZONE, .hi = t->stack_hi};
    return sp < t->stack_hi && t->stack_hi - sp < (1ull << 32);
}

/* The stack pointer is on a stack that we know nothing of (an alternate one, a coroutine's): the
 * walk works on a checked copy. */
static void walk_copy(const struct unwind_regs *regs, struct scratch *s, struct unwind_trace *to)
{
    uint64_t sp = regs->r[UNWIND_SP] - RED_ZONE;
    size_t got = 0;
    bool allowed = !(atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_COPY);
    for (size_t want = SCRATCH_STACK; allowed && want >= 1024 && !got; want /= 2) {
        struct iovec mine = {s->stack, want}, theirs = {(void *)sp, want};
        long n = sigsafe_syscall6(SYS_process_vm_readv, (long)rt.pid, (long)&mine, 1, (long)&theirs,
                                  1, 0);
        got = n > 0 ? (size_t)n : 0;
    }
    struct unwind_bounds b = {.lo = sp, .hi = sp + got, .copy = s->stack};
    unwind_walk(rt.cache, regs, &b, to);
}

static void walk_known(struct thread *t, const struct unwind_regs *regs, struct scratch *s,
                       struct unwind_trace *to)
{
    struct unwind_bounds b;
    if (readable_bounds(t, regs->r[UNWIND_SP], &b))
        unwind_walk(rt.cache, regs, &b, to);
    else
        walk_copy(regs, s, to);
}

static void walk(struct thread *t, const struct unwind_regs *regs, struct scratch *s,
                 struct stacktab_key *key)
{
    struct unwind_trace to = {.pcs = s->pcs, .max = LIMIT_STACK_DEPTH};
    key->labels = labels_of(t->tid);
    walk_known(t, regs, s, &to);
    if ((to.end == UNWIND_TRUNCATED || (to.flags & UNWIND_APPROXIMATE)) &&
        modtable_scan((char *)s->stack, sizeof s->stack))
        walk_known(t, regs, s, &to);
    key->epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed);
    key->depth = (uint16_t)to.depth;
    key->flags = to.end == UNWIND_ROOT    ? 0
                 : to.end == UNWIND_DEPTH ? SHM_STACK_DEPTH
                                          : SHM_STACK_TRUNCATED;
    key->reason = to.end == UNWIND_TRUNCATED ? to.reason : 0;
}

static void write_sample(uint32_t tid, uint64_t points, const struct stacktab_key *key,
                         const uint64_t *pcs)
{
    if (rt.gate && !atomic_load_explicit(&rt.gate->counts, memory_order_relaxed))
        return;
    if (atomic_load_explicit(&rt.sink, memory_order_relaxed) == SINK_SHM) {
        struct shm_chunk *c = take_chunk(points);
        if (!c)
            return;
        struct shm_sample *to = sample_at(c);
        for (uint32_t i = 0; i < key->depth; i++)
            to->pcs[i] = pcs[i];
        commit_sample(c, tid, points, key);
    } else {
        stacktab_add(rt.table, key, pcs, points);
    }
    count_sample(points, key->flags);
}

/* Time that the thread was ready and did not run belongs to where it wanted to run: it is in the
 * wall profile's next sample of that. */
static void write_ready(struct thread *t, const struct stacktab_key *key, const uint64_t *pcs)
{
    uint64_t ns = atomic_exchange_explicit(&t->ready_ns, 0, memory_order_relaxed);
    if (!ns)
        return;
    if (atomic_load_explicit(&rt.sink, memory_order_relaxed) != SINK_SHM) {
        if (rt.wall_table)
            stacktab_add(rt.wall_table, key, pcs, ns);
        return;
    }
    uint64_t us = ns / 1000;
    struct shm_sample s = {.r = {.type = SHM_SAMPLE, .epoch = key->epoch},
                           .tid = t->tid,
                           .weight = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us,
                           .flags = key->flags,
                           .depth = key->depth,
                           .reason = key->reason,
                           .labels = key->labels,
                           .kind = SHM_KIND_WALL};
    if (s.weight && runtime_emit(&s.r, sizeof s, pcs, key->depth * 8u))
        ns -= (uint64_t)s.weight * 1000;
    if (ns)
        atomic_fetch_add_explicit(&t->ready_ns, ns, memory_order_relaxed);
}

static bool has_waited(const struct thread *t)
{
    return __builtin_expect(atomic_load_explicit(&t->ready_ns, memory_order_relaxed) != 0, 0);
}

void runtime_sample_ready(struct thread *t)
{
    uint64_t pcs[2] = {SHM_PSEUDO_READY, t->start};
    struct stacktab_key key = {.depth = t->start ? 2 : 1,
                               .labels = labels_of(t->tid),
                               .epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed)};
    if (has_waited(t))
        write_ready(t, &key, pcs);
}

/* On tick timers every tick is looked at, also between two points: what is left over when the
 * thread ends is given to the last stack that was seen. */
static void remember(const struct thread *t, const struct stacktab_key *key, const uint64_t *pcs)
{
    struct last_stack *last = &rt.last[t - rt.threads];
    atomic_store_explicit(&last->ready, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    last->key = *key;
    for (uint32_t i = 0; i < key->depth; i++)
        last->pcs[i] = pcs[i];
    atomic_store_explicit(&last->ready, 1, memory_order_release);
}

static void take_sample(struct thread *t, const struct unwind_regs *regs, uint64_t points)
{
    struct scratch *s = scratch_take();
    struct stacktab_key key = {0};
    if (!s) {
        lose(points);
        return;
    }
    /* The walk may note a module, which takes a chunk of its own: walk first. */
    walk(t, regs, s, &key);
    if (points)
        write_sample(t->tid, points, &key, s->pcs);
    if (has_waited(t))
        write_ready(t, &key, s->pcs);
    if (t->timer >= 0)
        remember(t, &key, s->pcs);
    scratch_put(s);
}

/* Whether the process that answers for the tree wants this thread's stack, and has it not yet. */
static bool is_asked_by_tree(const struct thread *t)
{
    uint32_t turn = rt.gate ? atomic_load_explicit(&rt.gate->turn, memory_order_relaxed) : 0;
    if (!turn)
        return false;
    uint32_t last = atomic_load(&rt.answers->turn);
    if (last != turn && atomic_compare_exchange_strong(&rt.answers->turn, &last, turn))
        atomic_store(&rt.answers->count, 0);
    uint32_t n = atomic_load(&rt.answers->count);
    for (uint32_t i = 0; i < n && i < TREE_ANSWERS; i++)
        if (rt.answers->list[i].tid == t->tid && atomic_load(&rt.answers->list[i].turn) == turn)
            return false;
    return n < TREE_ANSWERS;
}

static void answer_tree(struct thread *t, const struct unwind_regs *regs)
{
    uint32_t turn = atomic_load_explicit(&rt.gate->turn, memory_order_relaxed);
    uint32_t at = atomic_fetch_add(&rt.answers->count, 1);
    struct scratch *s = at < TREE_ANSWERS ? scratch_take() : NULL;
    struct stacktab_key key = {0};
    if (!s)
        return;
    struct tree_answer *to = &rt.answers->list[at];
    walk(t, regs, s, &key);
    atomic_store_explicit(&to->turn, 0, memory_order_release);
    to->tid = t->tid;
    to->depth = key.depth;
    to->epoch = key.epoch;
    to->flags = key.flags;
    for (uint32_t i = 0; i < key.depth; i++)
        to->pcs[i] = s->pcs[i];
    atomic_store_explicit(&to->turn, turn, memory_order_release);
    scratch_put(s);
}

bool runtime_sample_last(struct thread *t, uint64_t points)
{
    struct last_stack *last = &rt.last[t - rt.threads];
    if (t->timer < 0 || !atomic_load_explicit(&last->ready, memory_order_acquire))
        return false;
    write_sample(t->tid, points, &last->key, last->pcs);
    return true;
}

void runtime_sample_pcs(uint32_t tid, uint64_t points, const uint64_t *pcs, uint32_t depth)
{
    struct stacktab_key key = {.depth = (uint16_t)depth,
                               .labels = labels_of(tid),
                               .epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed)};
    write_sample(tid, points, &key, pcs);
}

/* The frames of libstrobe itself, down to the one that returns to `caller`, become one pseudo
 * frame. */
static uint32_t hide_ourselves(uint64_t *pcs, uint32_t depth, const void *caller, uint64_t pseudo)
{
    uint32_t first = 0;
    while (first < depth && pcs[first] != (uint64_t)(uintptr_t)caller - 1)
        first++;
    if (first == 0 || first == depth)
        return depth; /* the caller is not there: everything is shown as it is */
    pcs[0] = pseudo;
    for (uint32_t i = first; i < depth; i++)
        pcs[i - first + 1] = pcs[i];
    return depth - first + 1;
}

void runtime_sample_here(struct thread *t, uint64_t points, const void *caller,
                         enum shm_pseudo pseudo)
{
    struct scratch *s = scratch_take();
    struct stacktab_key key = {0};
    struct unwind_regs regs;
    if (!s) {
        lose(points);
        return;
    }
    here_registers(&regs);
    walk(t, &regs, s, &key);
    key.depth = (uint16_t)hide_ourselves(s->pcs, key.depth, caller, pseudo);
    write_sample(t->tid, points, &key, s->pcs);
    scratch_put(s);
}

void runtime_sample_thread_end(struct thread *t, uint64_t points)
{
    struct unwind_regs regs;
    struct unwind_bounds b;
    uint64_t pcs[4 + 32];
    struct unwind_trace here = {.pcs = pcs + 4, .max = 32};
    here_registers(&regs);
    uint32_t n = 0, depth = 0;
    if (readable_bounds(t, regs.r[UNWIND_SP], &b))
        depth = unwind_walk(rt.cache, &regs, &b, &here);
    /* Root-most two: the thread's start in libc, which called the start routine before. */
    uint32_t keep = here.end == UNWIND_ROOT && depth >= 2 ? 2 : 0;
    pcs[n++] = SHM_PSEUDO_THREAD_END;
    if (t->start)
        pcs[n++] = t->start;
    for (uint32_t i = depth - keep; i < depth; i++)
        pcs[n++] = pcs[4 + i];
    runtime_sample_pcs(t->tid, points, pcs, n);
}

/* ---- the handler ---- */

static bool in_table(const struct thread *t)
{
    uintptr_t at = (uintptr_t)t, first = (uintptr_t)rt.threads;
    return first && at >= first && at < (uintptr_t)(rt.threads + RUNTIME_THREADS) &&
           (at - first) % sizeof *t == 0;
}

/* Linear over the entries in use: only for what is rare, or where the signal names no entry. */
static struct thread *thread_of(uint32_t tid)
{
    uint32_t high = atomic_load_explicit(&rt.threads_high, memory_order_relaxed);
    for (uint32_t i = 0; i < high; i++)
        if (rt.threads[i].tid == tid && atomic_load(&rt.threads[i].used))
            return &rt.threads[i];
    return NULL;
}

int runtime_find_bounds(void *ctx, uintptr_t sp, struct unwind_bounds *bounds)
{
    (void)ctx;
    struct thread *t = thread_of(runtime_tid());
    return t && readable_bounds(t, sp, bounds);
}

/* Stands for an entry that was given back while its signal was on the way. */
static struct thread nobody = {.next_point_ns = UINT64_MAX, .stride = 1, .fd = -1, .timer = -1};

/* Our signals are told apart by their siginfo: a timer carries the entry's address, SIGTRAP the
 * perf event's data, SIGURG the event's descriptor. The process's profiling timer carries nothing:
 * its signal means whoever runs. */
static struct thread *find_thread(const siginfo_t *si)
{
    struct thread *t = NULL;
    if (si->si_code == SI_TIMER) {
        t = si->si_value.sival_ptr;
    } else if (si->si_code == TRAP_PERF && si->si_signo == SIGTRAP) {
        uint64_t data; /* si_perf_data: glibc 2.36 has no name for it */
        sigsafe_copy(&data, (const char *)si + 24, sizeof data);
        t = (struct thread *)(uintptr_t)data;
    } else if (si->si_code == POLL_IN || si->si_code == POLL_HUP) {
        t = thread_of(runtime_tid());
        if (t && t->signal_fd != si->si_fd)
            t = NULL;
    } else if (si->si_code == SI_KERNEL && si->si_signo == SIGPROF && !itimer_is_theirs()) {
        t = thread_of(runtime_tid());
        return t ? t : &nobody;
    }
    if (!t || !in_table(t))
        return NULL;
    return atomic_load_explicit(&t->used, memory_order_acquire) ? t : &nobody;
}

/* ---- the clock ---- */

enum { TRUST_MAX = 16 };

/* The clock of a perf event's thread, read by a system call, and what it teaches: how many ticks of
 * the constant counter a period is, and whether signals come once a period. */
static uint64_t read_clock(struct thread *t, uint64_t ticks)
{
    uint64_t now = sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t passed = now - t->clock_ns;
    uint64_t wanted = (uint64_t)(t->unread + 1) * t->stride * rt.period_ns;
    bool steady = t->clock_ns && passed > wanted - wanted / 64 && passed < wanted + wanted / 64;
    if (steady && t->unread == 0) {
        uint64_t a_period = (ticks - t->clock_ticks) / t->stride;
        uint64_t least = atomic_load_explicit(&rt.ticks_a_period, memory_order_relaxed);
        if (!least || a_period < least)
            atomic_store_explicit(&rt.ticks_a_period, a_period, memory_order_relaxed);
    }
    t->trust = !steady ? 0 : t->trust < TRUST_MAX ? t->trust * 2 + 1 : TRUST_MAX;
    t->clock_ns = now;
    t->unread = 0;
    return now;
}

/* The thread's CPU clock at a signal. Reading it costs as much as walking fifty frames; where the
 * signals of the thread have come once a period so far, and no more than that can have passed since
 * the last one, this one is taken for the next point, and the clock is read again some signals
 * later. What is wrong with that by then is put right by then: points follow the clock. */
static uint64_t clock_at_signal(struct thread *t, const siginfo_t *si, uint64_t ticks)
{
    if (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_CLOCK) {
        if (t->timer < 0)
            return t->next_point_ns;
        t->clock_ns += ((uint64_t)(unsigned)si->si_overrun + 1) * runtime_tick_ns();
        return t->clock_ns;
    }
    if (t->timer >= 0)
        return t->clock_ns = sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t passed = ticks - t->clock_ticks, now;
    uint64_t a_period = atomic_load_explicit(&rt.ticks_a_period, memory_order_relaxed) * t->stride;
    if (t->unread < t->trust && passed < a_period + a_period / 2) {
        t->unread++;
        now = t->next_point_ns;
    } else {
        now = read_clock(t, ticks);
    }
    t->clock_ticks = ticks;
    return now;
}

static void handle_tick(struct thread *t, const siginfo_t *si, const void *context)
{
    uint64_t began = sigsafe_ticks();
    if (atomic_load_explicit(&rt.sink, memory_order_acquire) == SINK_OFF ||
        atomic_load_explicit(&rt.ended, memory_order_relaxed))
        return;
    if (rt.shm && atomic_load_explicit(&rt.shm->stop, memory_order_relaxed))
        return; /* the recorder has gone */
    runtime_tend_clock(t);
    if (atomic_load(&rt.closers) && atomic_load(&rt.closing_tid) != t->tid)
        return; /* a module may be going away: the points stay for the next signal */
    uint64_t points = runtime_points_passed(t, clock_at_signal(t, si, began));
    if (points == 0 && t->timer < 0)
        return; /* a little early: the next signal counts this point */
    struct unwind_regs regs;
    unwind_regs_from_ucontext(&regs, context);
    if (is_asked_by_tree(t))
        answer_tree(t, &regs);
    if (rt.gate && !atomic_load_explicit(&rt.gate->counts, memory_order_relaxed))
        return; /* nobody asks for what the tree's processes do */
    take_sample(t, &regs, points);
    runtime_count_cost(t, sigsafe_ticks() - began);
    if (t->stride != atomic_load_explicit(&rt.stride, memory_order_relaxed))
        runtime_slow_down(t);
}

void runtime_handler(int sig, siginfo_t *si, void *context)
{
    if (thread_answer(si, context))
        return;
    struct thread *t = find_thread(si);
    if (!t) {
        signals_forward(sig, si, context);
        return;
    }
    atomic_fetch_add(&rt.walkers, 1);
    handle_tick(t, si, context);
    atomic_fetch_sub(&rt.walkers, 1);
}
