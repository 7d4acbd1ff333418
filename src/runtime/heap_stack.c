/* SPDX-License-Identifier: MIT
 *
 * The stack of an allocation, or of a wait. The walk begins in here, because only then are all
 * registers known that a caller's frame may be described by, and our own frames are taken off
 * afterwards. Program counters go to one of a few static buffers: stacks of 16 KiB have no room for
 * them. */
#include "runtime/heap.h"

#include "base/sigsafe.h"
#include "runtime/here.h"
#include "runtime/labels.h"

#include <pthread.h>
#include <sys/uio.h>

enum { SCRATCHES = 64, OURS_MAX = 32, COPY_BYTES = 16 << 10, RED_ZONE = 128 };

struct scratch {
    _Atomic uint32_t used;
    uint64_t pcs[LIMIT_STACK_DEPTH + OURS_MAX];
    unsigned char copy[COPY_BYTES];
} __attribute__((aligned(64)));

static struct scratch scratches[SCRATCHES];

extern void *__libc_stack_end;

/* Threads begin to look at different places, so that each finds its own again, warm. */
static struct scratch *take_scratch(const struct heap_thread *t)
{
    uint32_t first = (uint32_t)((uintptr_t)t >> 12);
    for (uint32_t i = 0; i < SCRATCHES; i++) {
        struct scratch *s = &scratches[(first + i) % SCRATCHES];
        if (!atomic_load_explicit(&s->used, memory_order_relaxed) && heap_try_lock(&s->used))
            return s;
    }
    return NULL;
}

static void put_scratch(struct scratch *s)
{
    atomic_store_explicit(&s->used, 0, memory_order_release);
}

void heap_stacks_forget(void)
{
    for (uint32_t i = 0; i < SCRATCHES; i++)
        if (atomic_load_explicit(&scratches[i].used, memory_order_relaxed)) /* touch no other */
            put_scratch(&scratches[i]);
}

/* glibc keeps a thread's control block at the upper end of its stack. */
static uintptr_t stack_end(struct heap_thread *t)
{
    if (!t->stack_hi) {
        t->other = runtime_tid() != rt.pid;
        t->stack_hi = t->other ? (uintptr_t)pthread_self()
                               : ((uintptr_t)__libc_stack_end + 4096) & ~(uintptr_t)4095;
    }
    return t->stack_hi;
}

/* A stack that we know nothing of: an alternate one, a coroutine's. */
static struct unwind_bounds copy_bounds(uint64_t sp, struct scratch *s)
{
    size_t got = 0;
    bool allowed = !(atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_COPY);
    for (size_t want = COPY_BYTES; allowed && want >= 1024 && !got; want /= 2) {
        struct iovec mine = {s->copy, want}, theirs = {(void *)(uintptr_t)sp, want};
        long n = sigsafe_syscall6(SYS_process_vm_readv, (long)rt.pid, (long)&mine, 1, (long)&theirs,
                                  1, 0);
        got = n > 0 ? (size_t)n : 0;
    }
    return (struct unwind_bounds){.lo = sp, .hi = sp + got, .copy = s->copy};
}

static void walk_from(const struct unwind_regs *regs, struct heap_thread *t, struct scratch *s,
                      struct unwind_trace *to)
{
    uint64_t sp = regs->r[UNWIND_SP];
    uintptr_t hi = stack_end(t);
    struct unwind_bounds b = {.lo = sp - RED_ZONE, .hi = hi};
    if (sp >= hi || hi - sp >= 1ull << 32)
        b = copy_bounds(sp - RED_ZONE, s);
    unwind_walk(rt.cache, regs, &b, to);
}

static void walk(struct heap_thread *t, struct scratch *s, struct unwind_trace *to)
{
    struct unwind_regs regs;
    here_registers(&regs);
    walk_from(&regs, t, s, to);
}

/* The frames down to the interposer that returns to `caller`; 0 where it is not found. */
static uint32_t ours(const uint64_t *pcs, uint32_t depth, const void *caller)
{
    for (uint32_t i = 0; i < depth && i < OURS_MAX; i++)
        if (pcs[i] == (uint64_t)(uintptr_t)caller - 1)
            return i;
    return 0;
}

/* The stack of the caller of our interposer, in a scratch buffer; `own`: with the interposer. */
static void take_stack(struct heap_thread *t, struct scratch *s, const void *caller, bool own,
                       struct heap_stack *stack)
{
    struct unwind_trace to = {.pcs = s->pcs, .max = LIMIT_STACK_DEPTH};
    stack->epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed);
    walk(t, s, &to);
    uint32_t skip = ours(s->pcs, to.depth, caller);
    skip -= own && skip;
    stack->pcs = s->pcs + skip;
    stack->depth = to.depth - skip;
    stack->flags = to.end == UNWIND_ROOT    ? 0
                   : to.end == UNWIND_DEPTH ? SHM_STACK_DEPTH
                                            : SHM_STACK_TRUNCATED;
    stack->labels = labels_here();
    stack->reason = to.end == UNWIND_TRUNCATED ? to.reason : 0;
}

/* In the frame of its caller: a frame less to walk. */
static inline __attribute__((always_inline)) uint32_t site_of(struct sites *in, uint64_t size,
                                                              const void *caller, bool own,
                                                              uint64_t rate)
{
    struct heap_thread *t = &heap_self;
    struct scratch *s = take_scratch(t);
    struct heap_stack stack;
    if (!s)
        return 0;
    take_stack(t, s, caller, own, &stack);
    stack.rate = rate;
    stack.flags |= t->other ? SHM_STACK_OTHER : 0;
    if (stack.flags & SHM_STACK_TRUNCATED)
        atomic_fetch_add_explicit(&in->tab->truncated, 1, memory_order_relaxed);
    uint32_t site = sites_find(in, &stack, size);
    put_scratch(s);
    return site;
}

uint32_t sites_here(struct sites *in, uint64_t size, const void *caller, bool own)
{
    return site_of(in, size, caller, own, 0);
}

uint32_t sites_here_at_rate(struct sites *in, uint64_t size, const void *caller, uint64_t rate)
{
    return site_of(in, size, caller, false, rate);
}

void heap_count_here(struct stacktab *to, const void *caller)
{
    struct heap_thread *t = &heap_self;
    struct scratch *s = take_scratch(t);
    struct heap_stack stack;
    if (!s)
        return;
    take_stack(t, s, caller, false, &stack);
    struct stacktab_key key = {.depth = (uint16_t)stack.depth,
                               .flags = (uint16_t)stack.flags,
                               .reason = stack.reason,
                               .labels = stack.labels,
                               .epoch = stack.epoch};
    stacktab_add(to, &key, stack.pcs, 1);
    put_scratch(s);
}

uint32_t heap_walk(const struct unwind_regs *regs, bool (*is_ours)(uint64_t pc), uint64_t *pcs,
                   uint32_t max)
{
    struct heap_thread *t = &heap_self;
    struct scratch *s = take_scratch(t);
    if (!s)
        return 0;
    struct unwind_trace to = {.pcs = s->pcs, .max = LIMIT_STACK_DEPTH};
    if (regs)
        walk_from(regs, t, s, &to);
    else
        walk(t, s, &to);
    uint32_t skip = 0, n = 0;
    while (!regs && skip < to.depth && is_ours(s->pcs[skip]))
        skip++;
    for (; n < max && skip + n < to.depth; n++)
        pcs[n] = s->pcs[skip + n];
    put_scratch(s);
    return n;
}
