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

#endif
