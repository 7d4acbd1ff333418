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
/* A call to at most this much before a pc, whose return address is on top of the stack, is the call
 * that led there. Others may have got there by a tail call, or be left over from another frame. */
#define LEAF_BYTES 4096
/* Words from the top of the stack that may hold the return address of such a function. */
#define SLOTS 4
/* Words above an unwinder's frame that may be the return address to the frame that it leaves to. */
#define THROWN_WORDS 4096
/* Words above it of which every one is tried that follows a call. */
#define SEARCHED_WORDS 256
#define MIN_CODE       4096
#define MAX_CODE       (1ull << 56)

/* The FDE is in our copy of the module, entry points are where they run. */
static int is_entry(const struct unwind_cache *cache, const struct unwind_module *module,
                    const struct cfi_fde *fde)
{
    uintptr_t a = cache->config.entry, b = cache->config.interp_entry;
    uintptr_t start = fde->start - module->bias, size = fde->end - fde->start;
    return (a && a - start < size) || (b && b - start < size);
}

/* Is `at`, which no FDE covers, in an entry point that has none? Entry points in assembly: the
 * dynamic loader's, those of small C libraries. What follows an entry point that has one is other
 * code without information, such as crtbegin's. */
static int is_bare_entry(const struct unwind_cache *cache, const struct unwind_module *module,
                         uintptr_t at)
{
    struct cfi_fde fde;
    const uintptr_t pc = at - module->bias;
    uintptr_t first = pc >= ENTRY_BYTES ? pc - ENTRY_BYTES + 1 : 0;
    uintptr_t entry = cache->config.entry;
    if (entry < first || entry > pc)
        entry = cache->config.interp_entry;
    return entry && entry >= first && entry <= pc &&
           cfi_find(module, entry + module->bias, &fde) < 0;
}

/* A return address that nobody called to: makecontext writes the start of libc's __start_context
 * below a coroutine's first frame. No function holds the byte before, and no call ends there. */
static int is_planted_end(const struct unwind_module *module, uintptr_t at)
{
    struct cfi_fde fde;
    struct span text;
    uintptr_t target;
    return cfi_find(module, at + 1, &fde) == 0 && fde.start == at + 1 &&
           module_segment(module, at, &text) &&
           arch_call_before(&text, at + 1, &target) == ARCH_NO_CALL;
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
    if (fde->cie.ra_column != UNWIND_PC)
        return full;
    if (row->kind[fde->cie.ra_column] == CFI_UNDEFINED)
        return rule_make(RULE_ROOT, 0, 0);
    if (row->kind[UNWIND_PC] != CFI_OFFSET || row->value[UNWIND_PC] != -8 ||
        row->kind[UNWIND_SP] != CFI_UNSPECIFIED || row->kind[ARCH_EH_DATA] == CFI_OFFSET)
        return full;
    if (row->cfa_reg == CFI_CFA_EXPR) {
        if (cfi_expression(fde, row->cfa_expr, &expr) == 0)
            rule = compact_cfa_expression(&expr, at);
    } else {
        enum rule_kind kind = row->cfa_reg == UNWIND_SP   ? RULE_SP
                              : row->cfa_reg == UNWIND_BP ? RULE_BP
                                                          : RULE_REG;
        rule = rule_make(kind, row->cfa_reg, row->cfa_offset);
    }
    if (rule)
        rule = compact_bp(fde, row, rule);
    return rule ? rule : full;
}

static int ask_owner(const struct unwind_cache *cache, uintptr_t at, struct unwind_hint *hint)
{
    const struct unwind_config *config = &cache->config;
    return config->find_frame ? config->find_frame(config->ctx, at, hint) : UNWIND_LEAVE_UNKNOWN;
}

static uint64_t hinted_rule(int leave, const struct unwind_hint *hint)
{
    if (leave == UNWIND_LEAVE_ROOT)
        return rule_make(RULE_ROOT, 0, 0);
    if (leave == UNWIND_LEAVE_STACK)
        return rule_make(RULE_FULL, 0, 0);
    uint64_t rule = rule_make(RULE_SP, UNWIND_SP, hint->ra_offset + 8);
    return hint->bp_saved ? rule_with_bp(rule, BP_CFA, -2) : rule;
}

/* An exception writes the address of its handler over a return address, and unwinders leave to it
 * from there. No call is before such an address, so that the row of the byte before says nothing:
 * where another row begins right behind it, that one holds. */
static int was_not_called(const struct unwind_module *module, const struct cfi_row *row,
                          uintptr_t at)
{
    struct span text;
    uintptr_t target;
    return row->end == at + 1 && module_segment(module, at, &text) &&
           arch_call_before(&text, at + 1, &target) == ARCH_NO_CALL;
}

/* The row of the frame that returns to at + 1, or is at `at` if `exact`; `fde` is that of `at`. */
static int find_row(const struct unwind_module *module, uintptr_t at, int exact,
                    struct cfi_fde *fde, struct cfi_row *row)
{
    int ret = cfi_row_at(fde, at, row);
    if (ret < 0 || exact || !was_not_called(module, row, at))
        return ret;
    at++;
    if (at >= fde->end)
        ret = cfi_find(module, at, fde);
    return ret < 0 ? ret : cfi_row_at(fde, at, row);
}

/* The module of `at`, its table open: the last one's, or another. */
static int memo_find(struct frame_memo *memo, struct unwind_cache *cache, uintptr_t at)
{
    struct unwind_module module;
    const struct unwind_module *last = &memo->table.module;
    if (memo->is_open && at + last->bias >= last->start && at + last->bias < last->end)
        return 1;
    memo->is_open = 0;
    if (!module_find(&cache->source, at, &module))
        return 0;
    if (cache->config.module_seen)
        cache->config.module_seen(cache->config.ctx, &module);
    memo->open_error = cfi_open(&module, &memo->table);
    memo->is_open = 1;
    return 1;
}

/* Code that no FDE covers. */
static uint64_t bare_rule(struct unwind_cache *cache, const struct unwind_module *module,
                          uintptr_t at)
{
    if (is_bare_entry(cache, module, at))
        return rule_make(RULE_ROOT, 0, 0);
    if (is_planted_end(module, at)) /* a root, unless it is where the thread itself is */
        return rule_make(RULE_FULL, 0, 0);
    return is_trampoline(module, at) ? rule_make(RULE_SIGNAL, 0, 0) : RULE_NONE;
}

uint64_t frame_rule(struct unwind_cache *cache, uintptr_t at, struct frame_memo *memo,
                    struct cache_range *range)
{
    struct unwind_hint hint;
    struct cfi_fde fde;
    struct cfi_row row;
    range->lo = range->hi = 0;
    int leave = ask_owner(cache, at, &hint);
    if (leave != UNWIND_LEAVE_UNKNOWN)
        return hinted_rule(leave, &hint);
    if (!memo_find(memo, cache, at))
        return RULE_NONE;
    const struct unwind_module *module = &memo->table.module;
    at += module->bias;
    if (memo->open_error < 0 || cfi_search(&memo->table, at, &fde) < 0)
        return bare_rule(cache, module, at);
    if (is_entry(cache, module, &fde))
        return rule_make(RULE_ROOT, 0, 0);
    if (fde.cie.is_signal)
        return rule_make(is_trampoline(module, at) ? RULE_SIGNAL : RULE_FULL, 0, 0);
    if (cfi_brief_row_at(&fde, at, &row) < 0)
        return RULE_NONE;
    if (was_not_called(module, &row, at))
        return rule_make(RULE_FULL, 0, 0);
    /* The last byte of a row may be one of those which were not called, and what an expression
     * yields may depend on pc. */
    if (row.cfa_reg != CFI_CFA_EXPR && row.end - 1 > at) {
        range->lo = row.start - module->bias;
        range->hi = row.end - 1 - module->bias;
    }
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
        *cfa = f->regs.r[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_offset;
        return 0;
    }
    if (cfi_expression(fde, row->cfa_expr, &expr) < 0)
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
    int ret = cfi_expression(fde, row->value[i], &expr);
    if (ret == 0)
        ret = cfi_evaluate(&expr, &f->regs, &f->bounds, &cfa, value);
    if (ret < 0 || row->kind[i] == CFI_VAL_EXPR)
        return ret;
    return *value < cfa || fde->cie.is_signal || i == fde->cie.ra_column
               ? bounds_load(&f->bounds, *value, value)
               : -UNWIND_BAD_CFI;
}

static int step_by_row(struct frame *f, const struct cfi_fde *fde, const struct cfi_row *row)
{
    struct unwind_regs caller;
    uint64_t cfa, sp = f->regs.r[UNWIND_SP];
    if (row->kind[fde->cie.ra_column] == CFI_UNDEFINED)
        return FRAME_ROOT;
    if (row->kind[fde->cie.ra_column] <= CFI_SAME)
        return -UNWIND_BAD_CFI;
    int ret = cfa_of(f, fde, row, &cfa);
    if (ret < 0)
        return ret;
    if (!fde->cie.is_signal) {
        int was_inside = bounds_hold(&f->bounds, sp, 0);
        ret = need_stack(f, cfa - 8, 8);
        if (ret < 0)
            return ret;
        /* The last instruction of an unwinder has popped the return address into a register. */
        if (ret == 0 && was_inside && (f->exact ? cfa < sp : cfa <= sp))
            return -UNWIND_BAD_CFA;
    } else if (f->switches++ == MAX_SWITCHES) {
        return -UNWIND_BAD_CFA;
    }
    struct rules rules = {fde, row, cfa};
    for (unsigned i = 0; i < UNWIND_REGS; i++) {
        ret = restore(f, &rules, i, &caller.r[i]);
        if (ret < 0 && (i == UNWIND_SP || i == fde->cie.ra_column))
            return ret;
        /* Compilers leave rules in place after an epilogue has popped the register: the slot may be
         * below the bounds then, and a slot found through bp (gcc's realigned frames) above the
         * frame, because bp is the caller's again. The register itself has the value. */
        if (ret < 0)
            caller.r[i] = f->regs.r[i];
    }
    raw_copy_regs(&f->regs, &caller);
    f->regs.r[UNWIND_PC] = caller.r[fde->cie.ra_column];
    f->exact = fde->cie.is_signal;
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

/* Where `pc` is code in a module: 1, the segment in our copy of it, and how far that is off. */
static int code_segment(const struct frame *f, uintptr_t pc, struct span *text, uintptr_t *bias)
{
    struct unwind_module module;
    const uint32_t executable = 1; /* PF_X */
    if (!module_find(&f->cache->source, pc, &module))
        return 0;
    *bias = module.bias;
    return module_segment(&module, pc + module.bias, text) & executable;
}

static enum arch_call call_before(const struct frame *f, uint64_t ra, uintptr_t *target)
{
    struct span text;
    uintptr_t bias;
    if (!code_segment(f, ra - 1, &text, &bias))
        return ARCH_NO_CALL;
    enum arch_call call = arch_call_before(&text, ra + bias, target);
    *target -= bias;
    return call;
}

/* Does a guessed frame fit into the stack around it? Its own information must lead to callers, each
 * of which made a call; two in a row are no accident. */
static int leads_on(const struct frame *guess)
{
    struct frame f;
    uintptr_t target;
    f.cache = guess->cache;
    f.bounds = guess->bounds;
    raw_copy_regs(&f.regs, &guess->regs);
    f.exact = 0;
    f.guessing = 1;
    f.switches = MAX_SWITCHES;
    f.flags = 0;
    for (int i = 0; i < 2; i++) {
        int ret = frame_step(&f);
        if (ret != FRAME_STEPPED)
            return ret == FRAME_ROOT || (i > 0 && ret != -UNWIND_BAD_CFA);
        if (call_before(&f, f.regs.r[UNWIND_PC], &target) == ARCH_NO_CALL)
            return 0;
    }
    return 1;
}

static void leave_by(struct frame *f, uint64_t pc, uint64_t sp, uint64_t bp)
{
    f->regs.r[UNWIND_PC] = pc;
    f->regs.r[UNWIND_SP] = sp;
    f->regs.r[UNWIND_BP] = bp;
    f->exact = 0;
    f->flags |= UNWIND_APPROXIMATE;
}

/* Tries the word at `slot` as this frame's return address, with bp as it is or saved in the word
 * below. */
static int step_by_slot(struct frame *f, uint64_t slot)
{
    const uint64_t pc = f->regs.r[UNWIND_PC], sp = f->regs.r[UNWIND_SP], bp = f->regs.r[UNWIND_BP];
    uint64_t ra = 0, saved = bp;
    uintptr_t target = 0;
    if (bounds_load(&f->bounds, slot, &ra) < 0)
        return 0;
    enum arch_call call = call_before(f, ra, &target);
    if (call == ARCH_NO_CALL)
        return 0;
    const int exact = f->exact;
    const uint32_t flags = f->flags;
    const int certain = slot == sp && call == ARCH_DIRECT_CALL && pc - target < LEAF_BYTES;
    leave_by(f, ra, slot + 8, bp);
    if (certain || leads_on(f))
        return 1;
    if (slot > sp && bounds_load(&f->bounds, slot - 8, &saved) == 0) {
        leave_by(f, ra, slot + 8, saved);
        if (leads_on(f))
            return 1;
    }
    leave_by(f, pc, sp, bp);
    f->exact = exact;
    f->flags = flags;
    return 0;
}

/* Does bp point at a saved frame pointer with a return address above it? */
static int step_by_frame_pointer(struct frame *f)
{
    const struct unwind_config *config = &f->cache->config;
    const uint64_t bp = f->regs.r[UNWIND_BP];
    uint64_t ra, caller_bp;
    struct span text;
    uintptr_t bias;
    if (bp < f->regs.r[UNWIND_SP] || bp % 8 || bounds_load(&f->bounds, bp, &caller_bp) < 0 ||
        bounds_load(&f->bounds, bp + 8, &ra) < 0)
        return 0;
    if (!code_segment(f, ra - 1, &text, &bias)) {
        if (config->is_code ? !config->is_code(config->ctx, ra - 1)
                            : caller_bp <= bp || !bounds_hold(&f->bounds, caller_bp, 16) ||
                                  ra < MIN_CODE || ra >= MAX_CODE || bounds_hold(&f->bounds, ra, 0))
            return 0;
    }
    leave_by(f, ra, bp + 16, caller_bp);
    return 1;
}

/* No call frame information. Assembly and the start-up files of compilers are short functions that
 * push little: their return address is near the top of the stack, and is known by the call before
 * it and by where it leads. Everything larger, above all what JITs make, has a frame pointer. */
static int step_by_evidence(struct frame *f, int reason)
{
    const uint64_t sp = f->regs.r[UNWIND_SP];
    if (f->guessing)
        return reason;
    if (need_stack(f, sp, 8) < 0)
        return -UNWIND_BOUNDS;
    for (unsigned i = 0; i < SLOTS; i++)
        if (step_by_slot(f, sp + 8 * i))
            return FRAME_STEPPED;
    struct span text;
    uintptr_t bias;
    if (f->exact && code_segment(f, f->regs.r[UNWIND_PC], &text, &bias)) {
        /* As the registers have it; it is read by the bias only. */
        text.lo = (const uint8_t *)((uintptr_t)text.lo - bias);
        text.hi = (const uint8_t *)((uintptr_t)text.hi - bias);
        if (arch_is_new_thread(&text, bias, &f->regs))
            return FRAME_ROOT;
    }
    return step_by_frame_pointer(f) ? FRAME_STEPPED : reason;
}

/* Tries to go on above `slot`, by the word in it; only if it is `ra`, unless that is 0. */
static int leave_by_slot(struct frame *f, uint64_t slot, uint64_t ra)
{
    const uint64_t pc = f->regs.r[UNWIND_PC], sp = f->regs.r[UNWIND_SP];
    uint64_t word;
    if (slot < sp || bounds_load(&f->bounds, slot, &word) < 0 || (ra && word != ra))
        return 0;
    f->regs.r[UNWIND_PC] = word;
    f->regs.r[UNWIND_SP] = slot + 8;
    if (leads_on(f)) {
        f->flags |= UNWIND_APPROXIMATE;
        return 1;
    }
    f->regs.r[UNWIND_PC] = pc;
    f->regs.r[UNWIND_SP] = sp;
    return 0;
}

/* The next frame above, whichever it is. */
static int leave_by_any_slot(struct frame *f)
{
    const uint64_t sp = f->regs.r[UNWIND_SP];
    uint64_t word;
    uintptr_t target;
    for (uint64_t slot = sp; slot < sp + 8 * SEARCHED_WORDS; slot += 8)
        if (bounds_load(&f->bounds, slot, &word) == 0 &&
            call_before(f, word, &target) != ARCH_NO_CALL && leave_by_slot(f, slot, word))
            return 1;
    return 0;
}

/* Before it goes on in a handler, an unwinder writes what the handler's frame shall find over what
 * it had saved itself, one register after the other and the return address at last, while its own
 * frame is where it was. That does not lead on: where the same return address was read, above the
 * frames that are thrown away, it does. The last instructions have the handler's address there, and
 * a register with the place. */
static int step_out_of_unwinder(struct frame *f, const struct cfi_fde *fde,
                                const struct cfi_row *row)
{
    const int exact = f->exact;
    const uint64_t up = f->regs.r[ARCH_EH_STACK];
    int ret = step_by_row(f, fde, row);
    if (ret != FRAME_STEPPED || leads_on(f))
        return ret;
    const uint64_t pc = f->regs.r[UNWIND_PC], cfa = f->regs.r[UNWIND_SP];
    for (uint64_t slot = cfa; slot < cfa + 8 * THROWN_WORDS; slot += 8)
        if (leave_by_slot(f, slot, pc))
            return ret;
    if (exact && (leave_by_slot(f, up, 0) || leave_by_slot(f, cfa - 8 + up, 0)))
        return ret;
    leave_by_any_slot(f);
    return ret;
}

/* Leaves a frame as the owner's hint says. */
static int step_by_hint(struct frame *f, int leave, const struct unwind_hint *hint)
{
    uint64_t ra, bp, at = f->regs.r[UNWIND_SP] + (uint64_t)(int64_t)hint->ra_offset;
    if (leave == UNWIND_LEAVE_ROOT)
        return FRAME_ROOT;
    if (leave == UNWIND_LEAVE_STACK)
        return -UNWIND_STACK;
    if (need_stack(f, at, 8) < 0 || bounds_load(&f->bounds, at, &ra) < 0)
        return -UNWIND_BOUNDS;
    if (hint->bp_saved && bounds_load(&f->bounds, at - 8, &bp) == 0)
        f->regs.r[UNWIND_BP] = bp;
    f->regs.r[UNWIND_PC] = ra;
    f->regs.r[UNWIND_SP] = at + 8;
    f->exact = 0;
    return FRAME_STEPPED;
}

int frame_step(struct frame *f)
{
    uint64_t at = frame_lookup_pc(f);
    struct unwind_hint hint;
    int leave = ask_owner(f->cache, at, &hint);
    if (leave != UNWIND_LEAVE_UNKNOWN)
        return step_by_hint(f, leave, &hint);
    struct unwind_module module;
    struct cfi_fde fde;
    struct cfi_row row;
    if (!module_find(&f->cache->source, at, &module))
        return step_by_evidence(f, -UNWIND_NO_MODULE);
    at += module.bias;
    int ret = cfi_find(&module, at, &fde);
    if (ret < 0) {
        if (is_bare_entry(f->cache, &module, at) || (!f->exact && is_planted_end(&module, at)))
            return FRAME_ROOT;
        if (is_trampoline(&module, at))
            return step_signal(f);
        return step_by_evidence(f, ret);
    }
    if (is_entry(f->cache, &module, &fde))
        return FRAME_ROOT;
    if (fde.cie.is_signal && is_trampoline(&module, at))
        return step_signal(f);
    ret = find_row(&module, at, f->exact, &fde, &row);
    if (ret < 0)
        return step_by_evidence(f, ret);
    if (row.kind[ARCH_EH_DATA] == CFI_OFFSET && !f->guessing)
        return step_out_of_unwinder(f, &fde, &row);
    return step_by_row(f, &fde, &row);
}
