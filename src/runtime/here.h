/* SPDX-License-Identifier: MIT
 *
 * The registers of the very place where this is written: those that the unwind rows of its callers
 * can ask for. */
#ifndef RUNTIME_HERE_H
#define RUNTIME_HERE_H

#include "unwind/unwind.h"

static inline __attribute__((always_inline)) void here_registers(struct unwind_regs *regs)
{
    uint64_t *r = regs->r;
    for (int i = 0; i < UNWIND_REGS; i++)
        r[i] = 0;
#if defined(__x86_64__)
    __asm__ volatile("mov %%rbx, %0\n\tmov %%rbp, %1\n\tmov %%rsp, %2\n\tmov %%r12, %3\n\t"
                     "mov %%r13, %4\n\tmov %%r14, %5\n\tmov %%r15, %6"
                     : "=m"(r[3]), "=m"(r[6]), "=m"(r[7]), "=m"(r[12]), "=m"(r[13]), "=m"(r[14]),
                       "=m"(r[15]));
    __asm__ volatile("lea 0(%%rip), %0" : "=r"(r[16]));
#endif
}

/* Where an interposer returns to: the return address, and, if sp is not 0, the stack pointer and
 * the frame pointer there. */
struct here_caller {
    uint64_t bp, sp;
    const void *ra;
};

/* In a function that an interposer has jumped to: its caller, which returns to `ra`. Where it was
 * called after all, the registers are left out. A frame that __builtin_frame_address() was asked
 * for begins with the caller's frame pointer and the return address. */
static inline __attribute__((always_inline)) struct here_caller here_from(const void *ra)
{
    struct here_caller c = {.ra = ra};
#if defined(__x86_64__)
    const uint64_t *frame = __builtin_frame_address(0);
    if (frame[1] == (uint64_t)(uintptr_t)ra) {
        c.bp = frame[0];
        c.sp = (uint64_t)(uintptr_t)(frame + 2);
    }
#endif
    return c;
}

#endif
