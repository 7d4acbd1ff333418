/* SPDX-License-Identifier: MIT
 *
 * The walk: a loop over cached rules that carries pc, sp and bp only, and falls back to full steps.
 * It remembers the last frame of which all registers were known (the leaf, or where a full step
 * ended); when a frame needs more than pc, sp and bp, the frames since then are stepped through
 * again, in full. So a frame whose CFA is based on rbx costs its callees' interpretation once, and
 * all others nothing. Runs in handlers; this loop is what a sample costs. */
#include "unwind/unwind.h"
#include "base/limits.h"
#include "unwind/cache.h"
#include "unwind/frame.h"
#include "unwind/rawmem.h"

/* Return addresses below this are no code (Linux maps nothing there): the end of a stack without
 * call frame information, or garbage. */
#define MIN_PC 4096

struct walk {
    struct frame frame; /* the checkpoint: all registers known */
    uint32_t since;     /* frames walked since the checkpoint */
    uint64_t salt;
    uint64_t *pcs;    /* a ring once there are more than max frames */
    uint32_t max, at; /* at < max: where the next frame goes */
    uint32_t steps, misses;
    struct frame_memo memo;
};

enum outcome { WALK_FULL_STEP, WALK_ROOT, WALK_STEPS, WALK_ZERO };

static __attribute__((noinline)) uint64_t miss(struct walk *w, uint64_t pc)
{
    struct unwind_cache *const cache = w->frame.cache;
    struct cache_range range;
    uint64_t rule = cache_get_second(cache, w->salt, pc + 1);
    if (rule != RULE_NONE)
        return rule;
    rule = cache_get_range(cache, w->salt, pc);
    if (rule == RULE_NONE) {
        w->misses++;
        rule = frame_rule(cache, pc, &w->memo, &range);
        if (rule == RULE_NONE)
            return rule;
        if (range.lo < range.hi)
            cache_put_range(cache, w->salt, pc, rule, &range);
    }
    cache_put(cache, w->salt, pc + 1, rule);
    return rule;
}

/* Frames that are neither sp- nor bp-based: 1 and the CFA, or 0 for a full step. `regs` holds pc,
 * sp and bp of this frame, and everything else too if it is the checkpoint. */
static __attribute__((noinline)) int rare_cfa(const struct walk *w, uint64_t rule, uint64_t sp,
                                              uint64_t bp, uint64_t *cfa)
{
    unsigned base = rule_base(rule);
    uint64_t v = base == UNWIND_SP ? sp : bp;
    if (base != UNWIND_SP && base != UNWIND_BP) {
        if (w->since != 0)
            return 0;
        v = w->frame.regs.r[base];
    }
    if (rule_kind(rule) == RULE_REG) {
        *cfa = v + (uint64_t)rule_offset(rule);
        return 1;
    }
    if (rule_kind(rule) != RULE_DEREF)
        return 0;
    v += (uint64_t)(rule_offset(rule) >> 16);
    if (bounds_load(&w->frame.bounds, v, &v) < 0)
        return 0;
    *cfa = v + (uint64_t)(int64_t)(int16_t)rule_offset(rule);
    return 1;
}

/* Walks as far as compact rules go; the frame at which it stops is stored already. What changes in
 * each turn is in local variables: stores into the ring would otherwise force them to memory. */
static enum outcome walk_fast(struct walk *w)
{
    const struct unwind_bounds *b = &w->frame.bounds;
    const uint64_t lo = b->lo, room = b->hi - b->lo, shift = b->copy ? (uintptr_t)b->copy - lo : 0;
    struct unwind_cache *const cache = w->frame.cache;
    uint64_t *const pcs = w->pcs;
    const uint64_t salt = w->salt;
    const uint32_t max = w->max, first = w->steps;
    uint32_t at = w->at, steps = first;
    uint64_t ra = frame_lookup_pc(&w->frame) + 1;
    uint64_t sp = w->frame.regs.r[UNWIND_SP], bp = w->frame.regs.r[UNWIND_BP];
    enum outcome outcome = WALK_STEPS;
    while (likely(steps < LIMIT_UNWIND_STEPS)) {
        pcs[at] = ra - 1;
        at = at + 1 == max ? 0 : at + 1;
        steps++;
        uint64_t cfa, rule = cache_get(cache, salt, ra);
        if (unlikely(rule == RULE_NONE))
            rule = miss(w, ra - 1);
        outcome = WALK_FULL_STEP;
        if (likely(rule_kind(rule) == RULE_SP)) {
            cfa = sp + (uint64_t)rule_offset(rule);
        } else if (rule_kind(rule) == RULE_BP) {
            cfa = bp + (uint64_t)rule_offset(rule);
        } else if (rule_kind(rule) == RULE_ROOT) {
            outcome = WALK_ROOT;
            break;
        } else {
            w->since = steps - first - 1;
            if (!rare_cfa(w, rule, sp, bp, &cfa))
                break;
        }
        /* Where the saved frame pointer is; its callee's word where it was not saved. */
        uint64_t base = rule_bp_kind(rule) == BP_BP ? bp : cfa;
        int saved = rule_bp_kind(rule) != BP_SAME;
        uint64_t slot = saved ? base + (uint64_t)rule_bp_bytes(rule) : cfa - 8;
        if (unlikely(cfa <= sp || room < 8 || cfa - 8 - lo > room - 8 || slot - lo > cfa - 8 - lo))
            break;
        uint64_t word = raw_load(slot + shift);
        bp = saved ? word : bp;
        ra = raw_load(cfa - 8 + shift);
        sp = cfa;
        outcome = WALK_ZERO;
        if (unlikely(ra < MIN_PC))
            break;
        outcome = WALK_STEPS;
    }
    w->at = at;
    w->steps = steps;
    w->since = steps - first - 1; /* frames between the checkpoint and the one stored last */
    return outcome;
}

/* Brings the checkpoint up to the frame at which walk_fast stopped, and steps over it.
 * FRAME_STEPPED, FRAME_ROOT or a negative reason. */
static int full_step(struct walk *w)
{
    for (; w->since > 0; w->since--) {
        int ret = frame_step(&w->frame);
        if (ret != FRAME_STEPPED)
            return ret == FRAME_ROOT ? -UNWIND_BAD_CFI : ret;
    }
    int ret = frame_step(&w->frame);
    if (ret == FRAME_STEPPED && !w->frame.exact && w->frame.regs.r[UNWIND_PC] < MIN_PC)
        return -UNWIND_ZERO_PC;
    return ret;
}

/* FRAME_ROOT or a negative reason. */
static int walk_to_end(struct walk *w)
{
    for (;;) {
        int ret;
        switch (walk_fast(w)) {
        case WALK_ROOT: return FRAME_ROOT;
        case WALK_STEPS: return -UNWIND_STEPS;
        case WALK_ZERO: return -UNWIND_ZERO_PC;
        case WALK_FULL_STEP:
            ret = full_step(w);
            if (ret != FRAME_STEPPED)
                return ret;
        }
    }
}

static void reverse(uint64_t *pcs, uint32_t from, uint32_t to)
{
    while (from + 1 < to) {
        uint64_t pc = pcs[from];
        pcs[from++] = pcs[--to];
        pcs[to] = pc;
    }
}

/* Turns the ring, whose oldest entry is at `at`, into a list. */
static void straighten(uint64_t *pcs, uint32_t max, uint32_t at)
{
    reverse(pcs, 0, at);
    reverse(pcs, at, max);
    reverse(pcs, 0, max);
}

uint32_t unwind_walk(struct unwind_cache *cache, const struct unwind_regs *regs,
                     const struct unwind_bounds *bounds, struct unwind_trace *trace)
{
    struct walk w;
    w.frame.cache = cache;
    w.frame.bounds.lo = bounds->lo;
    w.frame.bounds.hi = bounds->hi;
    w.frame.bounds.copy = bounds->copy;
    raw_copy_regs(&w.frame.regs, regs);
    w.frame.exact = 1;
    w.frame.guessing = 0;
    w.frame.switches = 0;
    w.frame.flags = 0;
    w.salt = cache_salt(cache);
    w.pcs = trace->pcs;
    w.max = trace->max;
    w.at = w.steps = w.misses = 0;
    w.memo.is_open = 0;
    int end = w.max ? walk_to_end(&w) : -UNWIND_STEPS;
    int cut = w.steps > w.max;
    if (cut)
        straighten(w.pcs, w.max, w.at);
    trace->depth = cut ? w.max : w.steps;
    trace->end = end != FRAME_ROOT ? UNWIND_TRUNCATED : cut ? UNWIND_DEPTH : UNWIND_ROOT;
    trace->reason = end < 0 ? (enum unwind_reason) - end : UNWIND_NONE;
    trace->misses = w.misses;
    trace->flags = w.frame.flags;
    trace->steps = w.steps;
    return trace->depth;
}

int unwind_is_root(struct unwind_cache *cache, uint64_t pc)
{
    struct frame_memo memo;
    struct cache_range range;
    memo.is_open = 0;
    return rule_kind(frame_rule(cache, pc, &memo, &range)) == RULE_ROOT;
}
