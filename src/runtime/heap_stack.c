/* SPDX-License-Identifier: MIT
 *
 * The stack of an allocation, or of a wait. A whole walk begins in here, because only then are all
 * registers known that a caller's frame may be described by, and our own frames are taken off
 * afterwards. An allocation's begins where the interposer returns to if it can, and takes over what
 * was found before (unwind/again.h): where each is recorded, that is nearly all.
 *
 * All of it lies in one of a few static buffers: stacks of 16 KiB have no room for it. */
#include "runtime/heap.h"

#include "base/sigsafe.h"
#include "runtime/here.h"
#include "runtime/labels.h"
#include "unwind/again.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum {
    SCRATCHES = 64,
    OURS_MAX = 32,
    KNOWN_BITS = 8,
    RECENT_BITS = 9,
    COPY_BYTES = 16 << 10,
    RED_ZONE = 128
};

/* A site of rate 1 that was looked for lately. */
struct recent {
    uint64_t hash, size;
    uint32_t labels, epoch, turn, site;
};

struct scratch {
    _Atomic uint32_t used;
    uint64_t pcs[LIMIT_STACK_DEPTH + OURS_MAX];
    unsigned char copy[COPY_BYTES];
} __attribute__((aligned(64)));

static struct scratch scratches[SCRATCHES];

/* What the walks with a scratch buffer left. Some hundred kilobytes each, of which few are touched,
 * so that they are mapped when allocations are first sampled: a library of that size could not be
 * loaded where memory is short. */
struct left {
    struct unwind_memo memo;
    struct unwind_known known[1 << KNOWN_BITS];
    struct recent recent[1 << RECENT_BITS];
} __attribute__((aligned(64)));

static struct left *lefts; /* SCRATCHES of them; NULL: each walk is a whole one */

void heap_stack_prepare(void)
{
    long p = lefts
                 ? 0
                 : sigsafe_syscall6(SYS_mmap, 0, SCRATCHES * sizeof *lefts, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p > 0)
        lefts = (struct left *)p;
}

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

static uint32_t turn = 1; /* counts forks: sites are others then */

void heap_stacks_forget(void)
{
    turn++;
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
    walk(t, s, &to);
    stack->epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed);
    uint32_t skip = ours(s->pcs, to.depth, caller);
    skip -= own && skip;
    stack->pcs = s->pcs + skip;
    stack->depth = to.depth - skip;
    stack->flags = to.end == UNWIND_ROOT    ? 0
                   : to.end == UNWIND_DEPTH ? SHM_STACK_DEPTH
                                            : SHM_STACK_TRUNCATED;
    stack->labels = labels_here();
    stack->reason = to.end == UNWIND_TRUNCATED ? to.reason : 0;
    stack->hash = unwind_hash(stack->pcs, stack->depth);
}

static inline struct unwind_known *known_slot(struct left *l, const struct unwind_return *from)
{
    uint64_t key = (from->ra ^ from->sp * 31 ^ from->bp * 17) * 0x9e3779b97f4a7c15ull;
    return &l->known[key >> (64 - KNOWN_BITS)];
}

/* Built with -DHEAP_CHECK_WALKS, each stack that was taken over is walked in full as well, and a
 * difference ends the program. */
static void check_again(struct heap_thread *t, struct scratch *s, const struct here_caller *caller,
                        const struct heap_stack *again)
{
#ifdef HEAP_CHECK_WALKS
    static _Atomic uint64_t checked;
    struct heap_stack whole;
    take_stack(t, s, caller->ra, false, &whole);
    bool same = whole.depth == again->depth && whole.hash == again->hash && !whole.flags;
    if (!same || !((atomic_fetch_add(&checked, 1) + 1) % 1000000))
        dprintf(2, "walks checked: %lu%s\n", (unsigned long)atomic_load(&checked),
                same ? "" : ", and the last one differs");
    if (!same)
        abort();
#else
    (void)t, (void)s, (void)caller, (void)again;
#endif
}

/* The same, all but its pcs, from what the last walks of this thread left, where that can be. */
static bool take_again(struct heap_thread *t, struct scratch *s, const struct here_caller *caller,
                       struct heap_stack *stack)
{
    struct left *l = &lefts[s - scratches];
    const struct unwind_return from = {(uint64_t)(uintptr_t)caller->ra, caller->sp, caller->bp};
    const struct unwind_bounds b = {.lo = caller->sp, .hi = stack_end(t)};
    if (caller->sp >= b.hi || b.hi - caller->sp >= 1ull << 32) /* also where it is not known */
        return false;
    struct unwind_known *known = known_slot(l, &from);
    if (HEAP_LIKELY(unwind_is_known(rt.cache, known, &from, &b))) {
        stack->depth = known->depth;
        stack->hash = known->hash;
    } else {
        stack->depth = unwind_walk_again(rt.cache, &from, &b, &l->memo);
        if (!stack->depth)
            return false;
        stack->hash = unwind_memo_hash(&l->memo);
        unwind_know(known, &l->memo);
    }
    stack->epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed);
    stack->labels = labels_here();
    check_again(t, s, caller, stack);
    return true;
}

static uint32_t site_of(struct sites *in, struct heap_stack *stack, uint64_t size)
{
    stack->flags |= heap_self.other ? SHM_STACK_OTHER : 0;
    if (stack->flags & SHM_STACK_TRUNCATED)
        atomic_fetch_add_explicit(&in->tab->truncated, 1, memory_order_relaxed);
    return sites_find(in, stack, size);
}

uint32_t sites_here(struct sites *in, uint64_t size, const void *caller, bool own)
{
    struct heap_thread *t = &heap_self;
    struct scratch *s = take_scratch(t);
    struct heap_stack stack;
    if (!s)
        return 0;
    take_stack(t, s, caller, own, &stack);
    stack.rate = 0;
    uint32_t site = site_of(in, &stack, size);
    put_scratch(s);
    return site;
}

/* The site, of rate 1, of a stack whose pcs are not known; 0: there is none yet. */
static inline uint32_t look_again(struct sites *in, struct scratch *s,
                                  const struct heap_stack *stack, uint64_t size)
{
    uint64_t key = (stack->hash ^ size) * 0x9e3779b97f4a7c15ull;
    struct recent *r = &lefts[s - scratches].recent[key >> (64 - RECENT_BITS)];
    if (HEAP_LIKELY(r->hash == stack->hash && r->size == size && r->labels == stack->labels &&
                    r->epoch == stack->epoch && r->turn == turn))
        return r->site;
    uint32_t site = sites_look(in, stack, size);
    if (site)
        *r = (struct recent){stack->hash, size, stack->labels, stack->epoch, turn, site};
    return site;
}

/* What comes again has a site, as a rule. Else its pcs are needed: a whole walk. */
uint32_t sites_here_at_rate(struct sites *in, uint64_t size, const struct here_caller *caller,
                            uint64_t rate)
{
    struct heap_thread *t = &heap_self;
    struct scratch *s = take_scratch(t);
    struct heap_stack stack = {.rate = rate};
    if (!s)
        return 0;
    uint32_t site = 0;
    if (lefts && take_again(t, s, caller, &stack)) {
        stack.flags = t->other ? SHM_STACK_OTHER : 0;
        site = rate == 1 ? look_again(in, s, &stack, size) : sites_look(in, &stack, size);
    }
    if (!site) {
        take_stack(t, s, caller->ra, false, &stack);
        site = site_of(in, &stack, size);
    }
    put_scratch(s);
    return site;
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
