/* SPDX-License-Identifier: MIT
 *
 * A sample's stack is walked by call frame information over the copied bytes. Where that ends
 * before a root, because the copy is too short or a Go function changed stacks, the kernel's own
 * walk by frame pointers, made in the same instant and without a copy, may know how it goes on: it
 * is taken from the last frame on which both agree. In programs without frame pointers the two
 * never agree again, and nothing is taken.
 *
 * Kernel frames stand before the user's, as the call chain has them. */
#include "record/perf_walk.h"

#include "base/limits.h"
#include "base/shm.h"
#include "record/perf_go.h"

#include <string.h>

struct chain {
    const uint64_t *ips; /* the first exact, the others return addresses */
    uint32_t count;
};

/* The part of the kernel's chain that is of `context`. */
static struct chain part_of(const struct perf_record *r, uint64_t context)
{
    struct chain c = {0};
    bool inside = false;
    for (uint32_t i = 0; i < r->sample.chain_count; i++) {
        uint64_t ip = r->sample.chain[i];
        if (ip >= PERF_CONTEXT_MAX) {
            inside = ip == context;
            if (inside)
                c = (struct chain){&r->sample.chain[i + 1], 0};
        } else if (inside) {
            c.count++;
        }
    }
    return c;
}

static bool is_code(const struct perf_process *p, uint64_t pc)
{
    return perf_space_at(p, pc) != NULL;
}

/* The last entry of the chain that is a caller among the walked frames; 0: only the leaf. */
static uint32_t last_common(const struct chain *c, const uint64_t *pcs, uint32_t depth,
                            uint32_t *frame)
{
    uint32_t common = 0;
    *frame = 0;
    for (uint32_t k = 1, from = 1; k < depth; k++)
        for (uint32_t j = from; j < c->count; j++)
            if (c->ips[j] - 1 == pcs[k]) {
                common = j;
                *frame = k;
                from = j + 1;
                break;
            }
    return common;
}

static void push(struct perf_walk *w, uint64_t pc)
{
    if (w->depth == LIMIT_STACK_DEPTH) { /* the leaf-most goes */
        memmove(w->pcs, w->pcs + 1, (w->depth - 1) * sizeof *w->pcs);
        w->depth--;
        w->flags |= SHM_STACK_DEPTH;
    }
    w->pcs[w->depth++] = pc;
}

/* Goes on along the chain after a walk that did not reach a root. */
static void go_on(struct perf_process *p, struct unwind_cache *cache, const struct chain *c,
                  struct perf_walk *w, enum unwind_reason why)
{
    uint32_t frame, j = last_common(c, w->pcs, w->depth, &frame);
    uint64_t inner = w->depth ? w->pcs[w->depth - 1] : 0;
    uint64_t callee = w->depth > 1 ? w->pcs[w->depth - 2] : 0;
    bool changed = why == UNWIND_STACK;
    struct unwind_hint hint;
    /* A Go function that has its frame has its frame pointer, too: even the leaf counts then. */
    bool framed = perf_go_find_frame(p, inner, &hint) == UNWIND_LEAVE_SP && hint.bp_saved;
    if (j + 1 >= c->count ||
        (!changed && !(framed && frame + 1 == w->depth) && (j == 0 || frame + 2 < w->depth)))
        return;
    for (j++; j < c->count; j++) {
        uint64_t pc = c->ips[j] - 1;
        uint64_t between = changed ? perf_go_between(p, callee, inner, pc) : 0;
        if (!is_code(p, pc))
            return;
        if (between)
            push(w, between);
        push(w, pc);
        changed = false;
        if (unwind_is_root(cache, pc)) {
            w->flags &= ~(uint32_t)SHM_STACK_TRUNCATED;
            w->reason = 0;
            return;
        }
    }
}

static void walk_user(struct perf_process *p, const struct perf_record *r, struct perf_walk *w)
{
    struct unwind_cache *cache = perf_space_unwinder(p);
    const struct chain chain = part_of(r, PERF_CONTEXT_USER);
    const uint64_t sp = r->sample.regs.r[UNWIND_SP];
    struct unwind_bounds bounds = {sp, sp + r->sample.stack_bytes, r->sample.stack};
    struct unwind_trace trace = {.pcs = w->pcs, .max = LIMIT_STACK_DEPTH};
    /* In execve, the old program's registers are still there, but not its memory. */
    if (r->sample.kernel && !is_code(p, r->sample.regs.r[UNWIND_PC]))
        return;
    if (!cache || !r->sample.stack || bounds.hi < sp) {
        push(w, r->sample.regs.r[UNWIND_PC]);
        w->flags |= SHM_STACK_TRUNCATED;
        w->reason = UNWIND_BOUNDS;
        return;
    }
    w->depth = unwind_walk(cache, &r->sample.regs, &bounds, &trace);
    if (trace.end == UNWIND_DEPTH)
        w->flags |= SHM_STACK_DEPTH;
    if (trace.end != UNWIND_TRUNCATED)
        return;
    w->flags |= SHM_STACK_TRUNCATED;
    w->reason = trace.reason;
    go_on(p, cache, &chain, w, trace.reason);
}

/* Puts the kernel's frames in front. */
static void add_kernel(const struct perf_record *r, struct perf_walk *w)
{
    struct chain c = part_of(r, PERF_CONTEXT_KERNEL);
    uint32_t n = c.count < LIMIT_PERF_CHAIN ? c.count : LIMIT_PERF_CHAIN;
    if (n > LIMIT_STACK_DEPTH - w->depth) {
        n = LIMIT_STACK_DEPTH - w->depth;
        w->flags |= SHM_STACK_DEPTH;
    }
    memmove(w->pcs + n, w->pcs, w->depth * sizeof *w->pcs);
    for (uint32_t i = 0; i < n; i++)
        w->pcs[i] = c.ips[i] - (i > 0);
    w->depth += n;
}

void perf_walk(struct perf_process *p, const struct perf_record *r, struct perf_walk *w)
{
    w->depth = w->flags = w->reason = 0;
    if (r->sample.has_regs) {
        walk_user(p, r, w);
        w->depth = perf_go_elide(p, w->pcs, w->depth);
    } else if (r->sample.narrow || !r->sample.kernel) {
        push(w, r->sample.ip);
        w->flags |= SHM_STACK_TRUNCATED;
        w->reason = UNWIND_NO_MODULE;
    }
    add_kernel(r, w);
    if (!w->depth)
        push(w, r->sample.ip);
}
