/* SPDX-License-Identifier: MIT
 *
 * x86-64: signal frames of the Linux kernel, PLT entries, call instructions. Sources: the kernel's
 * arch/x86/include/uapi/asm/sigcontext.h; System V psABI; Intel SDM volume 2 (CALL). Runs in
 * handlers. */
#include "unwind/arch.h"
#include "unwind/rawmem.h"

#include <ucontext.h>

/* The order of struct sigcontext_64, as DWARF numbers. */
static const uint8_t dwarf_of_greg[UNWIND_REGS] = {
    8,           9,           10,          11,          12,          13,
    14,          15,          5 /* rdi */, 4 /* rsi */, 6 /* rbp */, 3 /* rbx */,
    1 /* rdx */, 0 /* rax */, 2 /* rcx */, 7 /* rsp */, 16 /* rip */
};

#define GREGS_OFFSET __builtin_offsetof(ucontext_t, uc_mcontext.gregs)

void unwind_regs_from_ucontext(struct unwind_regs *regs, const void *ucontext)
{
    uintptr_t gregs = (uintptr_t)ucontext + GREGS_OFFSET;
    for (int i = 0; i < UNWIND_REGS; i++)
        regs->r[dwarf_of_greg[i]] = raw_load(gregs + 8 * (unsigned)i);
}

int arch_load_signal_frame(const struct unwind_bounds *bounds, uint64_t sp,
                           struct unwind_regs *regs)
{
    /* The handler's return has popped pretcode: sp points at the ucontext. */
    if (!bounds_hold(bounds, sp, GREGS_OFFSET + 8 * UNWIND_REGS))
        return -UNWIND_BOUNDS;
    uintptr_t at = bounds->copy ? (uintptr_t)bounds->copy + (sp - bounds->lo) : sp;
    unwind_regs_from_ucontext(regs, (const void *)at);
    return 0;
}

/* mov $__NR_rt_sigreturn, %rax (or %eax); syscall: what every libc has there. */
static int trampoline_starts(const struct span *text, const uint8_t *at)
{
    static const uint8_t rax[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    static const uint8_t eax[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
    if (at < text->lo || at >= text->hi)
        return 0;
    size_t room = (size_t)(text->hi - at), n = 0, m = 0;
    while (n < sizeof rax && n < room && at[n] == rax[n])
        n++;
    while (m < sizeof eax && m < room && at[m] == eax[m])
        m++;
    return n == sizeof rax ? 7 : m == sizeof eax ? 5 : 0;
}

int arch_is_trampoline(const struct span *text, uintptr_t at)
{
    const uint8_t *p = (const uint8_t *)at;
    return trampoline_starts(text, p) || trampoline_starts(text, p + 1) ||
           trampoline_starts(text, p - 7) == 7 || trampoline_starts(text, p - 5) == 5;
}

int arch_is_new_thread(const struct span *text, uintptr_t bias, const struct unwind_regs *regs)
{
    /* SYSCALL leaves the address of the next instruction in rcx; clone returns 0 in the child. */
    const uint64_t after = regs->r[2], pc = regs->r[UNWIND_PC];
    return regs->r[0] == 0 && pc >= after && pc - after < 16 && after >= (uintptr_t)text->lo + 2 &&
           after <= (uintptr_t)text->hi && *(const raw_u16 *)(after + bias - 2) == 0x050f;
}

/* Bytes of the operands that follow a ModRM byte, or -1 if it is not opcode ff /2 (CALL r/m64). */
static int call_operand_bytes(const uint8_t *modrm)
{
    unsigned mod = *modrm >> 6, reg = (*modrm >> 3) & 7, rm = *modrm & 7;
    if (reg != 2)
        return -1;
    if (mod == 3)
        return 0;
    int sib = rm == 4;
    if (mod == 0)
        return sib ? ((modrm[1] & 7) == 5 ? 5 : 1) : (rm == 5 ? 4 : 0);
    return sib + (mod == 1 ? 1 : 4);
}

enum arch_call arch_call_before(const struct span *text, uintptr_t ra, uintptr_t *target)
{
    const uint8_t *end = (const uint8_t *)ra;
    if (end < text->lo || end > text->hi)
        return ARCH_NO_CALL;
    if (end - text->lo >= 5 && end[-5] == 0xe8) {
        *target = ra + (uint64_t)(int64_t)(int32_t) * (const raw_u32 *)(end - 4);
        return ARCH_DIRECT_CALL;
    }
    for (int n = 2; n <= 7 && n <= end - text->lo; n++)
        if (end[-n] == 0xff && call_operand_bytes(end - n + 1) == n - 2)
            return ARCH_INDIRECT_CALL;
    return ARCH_NO_CALL;
}

int arch_plt_cfa(const struct span *expr, uintptr_t pc, int32_t *offset)
{
    /* breg7 +8; breg16 +0; lit15; and; lit N; ge; lit3; shl; plus: sp + 8, and 8 more from the
     * entry's byte N on, after its push. */
    static const uint8_t form[] = {0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a,
                                   0x30, 0x2a, 0x33, 0x24, 0x22};
    if (expr->hi - expr->lo != (ptrdiff_t)sizeof form)
        return 0;
    for (unsigned i = 0; i < sizeof form; i++)
        if (i != 6 && expr->lo[i] != form[i])
            return 0;
    unsigned pushed = expr->lo[6] - 0x30u;
    if (pushed > 15)
        return 0;
    *offset = (pc & 15) >= pushed ? 16 : 8;
    return 1;
}
