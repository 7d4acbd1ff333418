/* SPDX-License-Identifier: MIT
 *
 * One frame without the cache: what its rule is, and the full step which restores every register.
 * The walk takes the full step only where a compact rule cannot say it: other base registers,
 * expressions, signal frames, changes of stack, and code without call frame information, for which
 * frame pointers and call instructions are the evidence. Runs in handlers. */
#include "unwind/frame.h"
#include "unwind/arch.h"
#include "unwind/cfi.h"
#include "unwind/cursor.h"
#include "unwind/dwarf.h"
#include "unwind/rawmem.h"

/* An entry point without call frame information is this long at most. */
#define ENTRY_BYTES 256
/* Signal frames and changes of stack in one walk. */
#define MAX_SWITCHES 64
/* A direct call that goes to at most this much before a pc may be the call that led there. */
#define LEAF_BYTES 65536
#define MIN_CODE   4096
#define MAX_CODE   (1ull << 56)

static int is_entry(const struct unwind_cache *cache, uintptr_t start, uintptr_t end)
{
    uintptr_t a = cache->config.entry, b = cache->config.interp_entry;
    return (a && a >= start && a < end) || (b && b >= start && b < end);
}

static int is_bare_entry(const struct unwind_cache *cache, uintptr_t at)
{
    return is_entry(cache, at >= ENTRY_BYTES ? at - ENTRY_BYTES + 1 : 0, at + 1);
}

static int is_trampoline(const struct unwind_module *module, uintptr_t at)
{
    struct span text;
    return module_segment(module, at, &text) && arch_is_trampoline(&text, at);
}

/* breg N, offset: 1 and both, with what follows left in `c`. */
static int match_breg(struct cursor *c, unsigned *reg, int64_t *offset)
{
    uint8_t op = cursor_u8(c);
    *reg = op - DW_OP_breg0;
    *offset = cursor_sleb(c);
    return !c->bad && op >= DW_OP_breg0 && op < DW_OP_breg0 + UNWIND_REGS;
}

static uint64_t compact_cfa_expression(const struct span *expr, uintptr_t at)
{
    struct cursor c = {expr->lo, expr->hi, 0};
    unsigned reg;
    int64_t inside, outside = 0;
    int32_t offset;
    if (arch_plt_cfa(expr, at, &offset))
        return rule_make(RULE_SP, UNWIND_SP, offset);
    if (!match_breg(&c, &reg, &inside) || cursor_u8(&c) != DW_OP_deref)
        return 0;
    if (c.at < c.end)
        outside = cursor_u8(&c) == DW_OP_plus_uconst ? (int64_t)cursor_uleb(&c) : INT64_MAX;
    if (c.bad || c.at != c.end || inside != (int16_t)inside || outside != (int16_t)outside)
        return 0;
    return rule_make(RULE_DEREF, reg, (int32_t)((uint32_t)inside << 16 | (uint16_t)outside));
}

static uint64_t compact_bp(const struct cfi_fde *fde, const struct cfi_row *row, uint64_t rule)
{
    struct span expr;
    unsigned reg;
    int64_t bytes = row->value[UNWIND_BP];
    enum bp_kind kind = BP_CFA;
    switch (row->kind[UNWIND_BP]) {
    case CFI_UNSPECIFIED:
    case CFI_SAME: return rule;
    case CFI_OFFSET: break;
    case CFI_EXPR:
        if (cfi_expression(fde, row->value[UNWIND_BP], &expr) < 0)
            return 0;
        struct cursor c = {expr.lo, expr.hi, 0};
        if (!match_breg(&c, &reg, &bytes) || reg != UNWIND_BP || c.at != c.end)
            return 0;
        kind = BP_BP;
        break;
    default: return 0;
    }
    if (bytes % 8 || bytes / 8 < -(1 << 19) || bytes / 8 >= 1 << 19)
        return 0;
    return rule_with_bp(rule, kind, (int32_t)(bytes / 8));
}

/* The rule that says the same as the row for pc, sp and bp; RULE_FULL if none does. */
static uint64_t compact(const struct cfi_fde *fde, const struct cfi_row *row, uintptr_t at)
{
    const uint64_t full = rule_make(RULE_FULL, 0, 0);
    uint64_t rule = 0;
    struct span expr;
    if (row->kind[fde->ra_column] == CFI_UNDEFINED)
        return rule_make(RULE_ROOT, 0, 0);
    if (fde->ra_column != UNWIND_PC || row->kind[UNWIND_PC] != CFI_OFFSET ||
        row->value[UNWIND_PC] != -8 || row->kind[UNWIND_SP] != CFI_UNSPECIFIED)
        return full;
    if (row->cfa_reg == CFI_CFA_EXPR) {
        if (cfi_expression(fde, row->cfa_value, &expr) == 0)
            rule = compact_cfa_expression(&expr, at);
    } else {
        enum rule_kind kind = row->cfa_reg == UNWIND_SP   ? RULE_SP
                              : row->cfa_reg == UNWIND_BP ? RULE_BP
                                                          : RULE_REG;
        rule = rule_make(kind, row->cfa_reg, row->cfa_value);
    }
    if (rule)
        rule = compact_bp(fde, row, rule);
    return rule ? rule : full;
}

uint64_t frame_rule(struct unwind_cache *cache, uintptr_t at)
{
    struct unwind_module module;
    struct cfi_fde fde;
    struct cfi_row row;
    if (!module_find(&cache->source, at, &module))
        return RULE_NONE;
    if (cache->config.module_seen)
        cache->config.module_seen(cache->config.ctx, &module);
    if (cfi_find(&module, at, &fde) < 0) {
        if (is_bare_entry(cache, at))
            return rule_make(RULE_ROOT, 0, 0);
        return is_trampoline(&module, at) ? rule_make(RULE_SIGNAL, 0, 0) : RULE_NONE;
    }
    if (is_entry(cache, fde.start, fde.end))
        return rule_make(RULE_ROOT, 0, 0);
    if (fde.is_signal)
        return rule_make(is_trampoline(&module, at) ? RULE_SIGNAL : RULE_FULL, 0, 0);
    if (cfi_row_at(&fde, at, &row) < 0)
        return RULE_NONE;
    return compact(&fde, &row, at);
}

/* Makes `n` bytes at `addr` readable: they are, or the owner knows the stack that they are on. */
static int need_stack(struct frame *f, uint64_t addr, uint64_t n)
{
    struct unwind_bounds b = {0, 0, NULL};
    const struct unwind_config *config = &f->cache->config;
    if (bounds_hold(&f->bounds, addr, n))
        return 0;
    if (!config->find_bounds || !config->find_bounds(config->ctx, addr, &b) ||
        !bounds_hold(&b, addr, n) || f->switches++ == MAX_SWITCHES)
        return -UNWIND_BOUNDS;
    f->bounds = b;
    return 1;
}

static int cfa_of(const struct frame *f, const struct cfi_fde *fde, const struct cfi_row *row,
                  uint64_t *cfa)
{
    struct span expr;
    if (row->cfa_reg != CFI_CFA_EXPR) {
        *cfa = f->regs.r[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_value;
        return 0;
    }
    if (cfi_expression(fde, row->cfa_value, &expr) < 0)
        return -UNWIND_BAD_CFI;
    return cfi_evaluate(&expr, &f->regs, &f->bounds, NULL, cfa);
}

struct rules {
    const struct cfi_fde *fde;
    const struct cfi_row *row;
    uint64_t cfa;
};

/* The caller's value of register `i`. */
static int restore(const struct frame *f, const struct rules *rules, unsigned i, uint64_t *value)
{
    const struct cfi_fde *fde = rules->fde;
    const struct cfi_row *row = rules->row;
    uint64_t cfa = rules->cfa, addr = cfa + (uint64_t)(int64_t)row->value[i];
    struct span expr;
    int ret;
    switch (row->kind[i]) {
    case CFI_UNSPECIFIED: *value = i == UNWIND_SP ? cfa : f->regs.r[i]; return 0;
    case CFI_SAME: *value = f->regs.r[i]; return 0;
    case CFI_UNDEFINED: *value = 0; return 0;
    case CFI_VAL_OFFSET: *value = addr; return 0;
    case CFI_OFFSET: return bounds_load(&f->bounds, addr, value);
    case CFI_REGISTER:
        if (row->value[i] < 0 || row->value[i] >= UNWIND_REGS)
            return -UNWIND_BAD_CFI;
        *value = f->regs.r[row->value[i]];
        return 0;
    }
    ret = cfi_expression(fde, row->value[i], &expr);
    if (ret == 0)
        ret = cfi_evaluate(&expr, &f->regs, &f->bounds, &cfa, value);
    if (ret == 0 && row->kind[i] == CFI_EXPR)
        ret = bounds_load(&f->bounds, *value, value);
    return ret;
}

static int step_by_row(struct frame *f, const struct cfi_fde *fde, const struct cfi_row *row)
{
    struct unwind_regs caller;
    uint64_t cfa, sp = f->regs.r[UNWIND_SP];
    if (row->kind[fde->ra_column] == CFI_UNDEFINED)
        return FRAME_ROOT;
    if (row->kind[fde->ra_column] <= CFI_SAME)
        return -UNWIND_BAD_CFI;
    int ret = cfa_of(f, fde, row, &cfa);
    if (ret < 0)
        return ret;
    if (!fde->is_signal) {
        int was_inside = bounds_hold(&f->bounds, sp, 0);
        ret = need_stack(f, cfa - 8, 8);
        if (ret < 0)
            return ret;
        if (ret == 0 && was_inside && cfa <= sp)
            return -UNWIND_BAD_CFA;
    } else if (f->switches++ == MAX_SWITCHES) {
        return -UNWIND_BAD_CFA;
    }
    struct rules rules = {fde, row, cfa};
    for (unsigned i = 0; i < UNWIND_REGS; i++) {
        ret = restore(f, &rules, i, &caller.r[i]);
        if (ret < 0)
            return ret;
    }
    raw_copy_regs(&f->regs, &caller);
    f->regs.r[UNWIND_PC] = caller.r[fde->ra_column];
    f->exact = fde->is_signal;
    return FRAME_STEPPED;
}

static int step_signal(struct frame *f)
{
    struct unwind_regs caller;
    if (f->switches++ == MAX_SWITCHES)
        return -UNWIND_BAD_CFA;
    int ret = arch_load_signal_frame(&f->bounds, f->regs.r[UNWIND_SP], &caller);
    if (ret < 0)
        return ret;
    raw_copy_regs(&f->regs, &caller);
    f->exact = 1;
    /* If the owner does not know that stack either, the frame's pc still counts: the next step
     * says so. */
    need_stack(f, caller.r[UNWIND_SP], 8);
    return FRAME_STEPPED;
}

/* Where `pc` is code in a module: 1 and the segment. */
static int code_segment(struct frame *f, uintptr_t pc, struct span *text)
{
    struct unwind_module module;
    const uint32_t executable = 1; /* PF_X */
    return module_find(&f->cache->source, pc, &module) &&
           (module_segment(&module, pc, text) & executable);
}

static void leave_by(struct frame *f, uint64_t pc, uint64_t sp, uint64_t bp)
{
    f->regs.r[UNWIND_PC] = pc;
    f->regs.r[UNWIND_SP] = sp;
    f->regs.r[UNWIND_BP] = bp;
    f->exact = 0;
    f->flags |= UNWIND_APPROXIMATE;
}

/* Is the word at sp the return address of the call that led here? */
static enum arch_call call_at_sp(struct frame *f, uint64_t *ra)
{
    uint64_t pc = f->regs.r[UNWIND_PC];
    uintptr_t target = 0;
    struct span text;
    if (!f->exact || bounds_load(&f->bounds, f->regs.r[UNWIND_SP], ra) < 0 ||
        !code_segment(f, *ra, &text))
        return ARCH_NO_CALL;
    enum arch_call call = arch_call_before(&text, *ra, &target);
    if (call == ARCH_DIRECT_CALL && (pc < target || pc - target > LEAF_BYTES))
        return ARCH_NO_CALL; /* left over from an earlier call of something else */
    return call;
}

/* Does bp point at a saved frame pointer with a return address above it? */
static int frame_pointer_holds(struct frame *f, uint64_t *caller_bp, uint64_t *ra)
{
    const struct unwind_config *config = &f->cache->config;
    uint64_t bp = f->regs.r[UNWIND_BP];
    struct span text;
    if (bp < f->regs.r[UNWIND_SP] || bp % 8 || bounds_load(&f->bounds, bp, caller_bp) < 0 ||
        bounds_load(&f->bounds, bp + 8, ra) < 0)
        return 0;
    if (code_segment(f, *ra - 1, &text))
        return 1;
    if (config->is_code)
        return config->is_code(config->ctx, *ra - 1);
    return *caller_bp > bp && bounds_hold(&f->bounds, *caller_bp, 16) && *ra >= MIN_CODE &&
           *ra < MAX_CODE && !bounds_hold(&f->bounds, *ra, 0);
}

/* No call frame information. In order of strength: a direct call to here whose return address is on
 * top of the stack (PLT entries, assembly); a frame pointer (JITs); an indirect call's return
 * address on top of the stack. */
static int step_by_evidence(struct frame *f, int reason)
{
    uint64_t sp = f->regs.r[UNWIND_SP], ra = 0, frame_ra = 0, bp = 0;
    if (need_stack(f, sp, 8) < 0)
        return -UNWIND_BOUNDS;
    enum arch_call call = call_at_sp(f, &ra);
    if (call == ARCH_DIRECT_CALL)
        leave_by(f, ra, sp + 8, f->regs.r[UNWIND_BP]);
    else if (frame_pointer_holds(f, &bp, &frame_ra))
        leave_by(f, frame_ra, f->regs.r[UNWIND_BP] + 16, bp);
    else if (call == ARCH_INDIRECT_CALL)
        leave_by(f, ra, sp + 8, f->regs.r[UNWIND_BP]);
    else
        return reason;
    return FRAME_STEPPED;
}

int frame_step(struct frame *f)
{
    uint64_t at = frame_lookup_pc(f);
    struct unwind_module module;
    struct cfi_fde fde;
    struct cfi_row row;
    if (!module_find(&f->cache->source, at, &module))
        return step_by_evidence(f, -UNWIND_NO_MODULE);
    int ret = cfi_find(&module, at, &fde);
    if (ret < 0) {
        if (is_bare_entry(f->cache, at))
            return FRAME_ROOT;
        if (is_trampoline(&module, at))
            return step_signal(f);
        return step_by_evidence(f, ret);
    }
    if (is_entry(f->cache, fde.start, fde.end))
        return FRAME_ROOT;
    if (fde.is_signal && is_trampoline(&module, at))
        return step_signal(f);
    ret = cfi_row_at(&fde, at, &row);
    if (ret < 0)
        return step_by_evidence(f, ret);
    return step_by_row(f, &fde, &row);
}
