/* SPDX-License-Identifier: MIT
 *
 * What the walk needs to know of a machine beyond DWARF; one file each (x86_64.c). Handler-safe.
 * Code bytes are read inside `text` only, the mapped segment around the address in question. */
#ifndef UNWIND_ARCH_H
#define UNWIND_ARCH_H

#include "unwind/module.h"
#include "unwind/unwind.h"

#include <stdint.h>

/* Registers of __builtin_eh_return, which is how an unwinder leaves for a handler of C++: the first
 * in which it passes what was thrown, saved by no other function; and the one with how far the
 * stack goes up, later with the place that it goes to. Source: gcc's EH_RETURN_DATA_REGNO and
 * EH_RETURN_STACKADJ_RTX (config/i386/i386.h). */
enum { ARCH_EH_DATA = 0 /* rax */, ARCH_EH_STACK = 2 /* rcx */ };

/* Is `at` (exact, or one less) inside the trampoline to which signal handlers return? */
int arch_is_trampoline(const struct span *text, uintptr_t at);

/* Restores all registers from the signal frame, `sp` being the stack pointer in the trampoline.
 * 0 or -UNWIND_BOUNDS. */
int arch_load_signal_frame(const struct unwind_bounds *bounds, uint64_t sp,
                           struct unwind_regs *regs);

/* Do the registers say that this is a new thread, just back from the system call that made it?
 * `text` is where it runs, and can be read at its addresses plus `bias`. */
int arch_is_new_thread(const struct span *text, uintptr_t bias, const struct unwind_regs *regs);

enum arch_call { ARCH_NO_CALL, ARCH_INDIRECT_CALL, ARCH_DIRECT_CALL };

/* Does a call instruction end at `ra`? For a direct one, `target` is where it goes. */
enum arch_call arch_call_before(const struct span *text, uintptr_t ra, uintptr_t *target);

/* If the CFA expression is one of those which linkers write for PLT entries, that is sp plus a
 * constant that depends on the pc only: 1 and the constant. */
int arch_plt_cfa(const struct span *expr, uintptr_t pc, int32_t *offset);

#endif
