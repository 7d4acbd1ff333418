/* SPDX-License-Identifier: MIT
 *
 * DWARF expressions (DWARF 5, section 2.5) as call frame information uses them: PLT entries,
 * realigned stacks, hand-written assembly, signal trampolines. Bounded in steps and in stack; reads
 * memory only inside the thread's stack. Runs in handlers. */
#include "unwind/cfi.h"
#include "unwind/cursor.h"
#include "unwind/dwarf.h"

#define EXPR_STACK 32
#define EXPR_STEPS 1024

struct expr {
    struct cursor c;
    const uint8_t *start;
    const struct unwind_regs *regs;
    const struct unwind_bounds *bounds;
    uint32_t depth;
    int error; /* sticky: a negative enum unwind_reason */
    uint64_t stack[EXPR_STACK];
};

static void push(struct expr *e, uint64_t v)
{
    if (e->depth < EXPR_STACK)
        e->stack[e->depth++] = v;
    else
        e->error = -UNWIND_BAD_CFI;
}

static uint64_t pop(struct expr *e)
{
    if (e->depth)
        return e->stack[--e->depth];
    e->error = -UNWIND_BAD_CFI;
    return 0;
}

static uint64_t peek(struct expr *e, uint32_t index)
{
    if (index < e->depth)
        return e->stack[e->depth - 1 - index];
    e->error = -UNWIND_BAD_CFI;
    return 0;
}

static uint64_t register_value(struct expr *e, uint64_t reg)
{
    if (reg < UNWIND_REGS)
        return e->regs->r[reg];
    e->error = -UNWIND_BAD_CFI;
    return 0;
}

static void load(struct expr *e, unsigned size)
{
    uint64_t v = 0;
    int ret = bounds_load_bytes(e->bounds, pop(e), size, &v);
    if (ret < 0)
        e->error = ret;
    push(e, v);
}

static void jump(struct expr *e, int taken)
{
    int16_t by = (int16_t)cursor_u16(&e->c);
    if (!taken)
        return;
    if (by < e->start - e->c.at || by > e->c.end - e->c.at)
        e->error = -UNWIND_BAD_CFI;
    else
        e->c.at += by;
}

static uint64_t divide(struct expr *e, int64_t a, int64_t b)
{
    if (b == 0) {
        e->error = -UNWIND_BAD_CFI;
        return 0;
    }
    return b == -1 ? 0 - (uint64_t)a : (uint64_t)(a / b);
}

static uint64_t binary(struct expr *e, uint8_t op)
{
    uint64_t b = pop(e), a = pop(e);
    switch (op) {
    case DW_OP_and: return a & b;
    case DW_OP_or: return a | b;
    case DW_OP_xor: return a ^ b;
    case DW_OP_plus: return a + b;
    case DW_OP_minus: return a - b;
    case DW_OP_mul: return a * b;
    case DW_OP_div: return divide(e, (int64_t)a, (int64_t)b);
    case DW_OP_mod: return b ? a % b : divide(e, 0, 0);
    case DW_OP_shl: return b < 64 ? a << b : 0;
    case DW_OP_shr: return b < 64 ? a >> b : 0;
    case DW_OP_shra: return (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
    case DW_OP_eq: return (int64_t)a == (int64_t)b;
    case DW_OP_ge: return (int64_t)a >= (int64_t)b;
    case DW_OP_gt: return (int64_t)a > (int64_t)b;
    case DW_OP_le: return (int64_t)a <= (int64_t)b;
    case DW_OP_lt: return (int64_t)a < (int64_t)b;
    case DW_OP_ne: return a != b;
    default: e->error = -UNWIND_BAD_CFI; return 0;
    }
}

static void run_constant(struct expr *e, uint8_t op)
{
    struct cursor *c = &e->c;
    switch (op) {
    case DW_OP_const1u: push(e, cursor_u8(c)); break;
    case DW_OP_const1s: push(e, (uint64_t)(int64_t)(int8_t)cursor_u8(c)); break;
    case DW_OP_const2u: push(e, cursor_u16(c)); break;
    case DW_OP_const2s: push(e, (uint64_t)(int64_t)(int16_t)cursor_u16(c)); break;
    case DW_OP_const4u: push(e, cursor_u32(c)); break;
    case DW_OP_const4s: push(e, (uint64_t)(int64_t)(int32_t)cursor_u32(c)); break;
    case DW_OP_addr:
    case DW_OP_const8u:
    case DW_OP_const8s: push(e, cursor_u64(c)); break;
    case DW_OP_constu: push(e, cursor_uleb(c)); break;
    case DW_OP_consts: push(e, (uint64_t)cursor_sleb(c)); break;
    }
}

static void run_stack(struct expr *e, uint8_t op)
{
    uint64_t a, b, c;
    switch (op) {
    case DW_OP_dup: push(e, peek(e, 0)); break;
    case DW_OP_drop: pop(e); break;
    case DW_OP_over: push(e, peek(e, 1)); break;
    case DW_OP_pick: push(e, peek(e, cursor_u8(&e->c))); break;
    case DW_OP_swap:
        a = pop(e), b = pop(e);
        push(e, a), push(e, b);
        break;
    case DW_OP_rot:
        a = pop(e), b = pop(e), c = pop(e);
        push(e, a), push(e, c), push(e, b);
        break;
    }
}

static void run_other(struct expr *e, uint8_t op)
{
    uint64_t v;
    switch (op) {
    case DW_OP_deref: load(e, 8); break;
    case DW_OP_deref_size: load(e, cursor_u8(&e->c)); break;
    case DW_OP_abs:
        v = pop(e);
        push(e, (int64_t)v < 0 ? 0 - v : v);
        break;
    case DW_OP_neg: push(e, 0 - pop(e)); break;
    case DW_OP_not: push(e, ~pop(e)); break;
    case DW_OP_plus_uconst: push(e, pop(e) + cursor_uleb(&e->c)); break;
    case DW_OP_skip: jump(e, 1); break;
    case DW_OP_bra: jump(e, pop(e) != 0); break;
    case DW_OP_regx: push(e, register_value(e, cursor_uleb(&e->c))); break;
    case DW_OP_bregx:
        v = register_value(e, cursor_uleb(&e->c));
        push(e, v + (uint64_t)cursor_sleb(&e->c));
        break;
    case DW_OP_nop: break;
    default: push(e, binary(e, op));
    }
}

static void run(struct expr *e, uint8_t op)
{
    if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
        uint64_t v = register_value(e, op - DW_OP_breg0);
        push(e, v + (uint64_t)cursor_sleb(&e->c));
    } else if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
        push(e, op - DW_OP_lit0);
    } else if (op >= DW_OP_reg0 && op <= DW_OP_reg31) {
        push(e, register_value(e, op - DW_OP_reg0));
    } else if (op == DW_OP_addr || (op >= DW_OP_const1u && op <= DW_OP_consts)) {
        run_constant(e, op);
    } else if (op >= DW_OP_dup && op <= DW_OP_rot) {
        run_stack(e, op);
    } else {
        run_other(e, op);
    }
}

int cfi_evaluate(const struct span *expr, const struct unwind_regs *regs,
                 const struct unwind_bounds *bounds, const uint64_t *initial, uint64_t *result)
{
    struct expr e;
    e.c.at = e.start = expr->lo;
    e.c.end = expr->hi;
    e.c.bad = 0;
    e.regs = regs;
    e.bounds = bounds;
    e.depth = 0;
    e.error = 0;
    if (initial)
        push(&e, *initial);
    for (int steps = 0; e.c.at < e.c.end && !e.error; steps++) {
        if (steps == EXPR_STEPS)
            return -UNWIND_BAD_CFI;
        run(&e, cursor_u8(&e.c));
    }
    if (e.c.bad)
        return -UNWIND_BAD_CFI;
    *result = pop(&e);
    return e.error;
}
