/* SPDX-License-Identifier: MIT
 *
 * The part of the set-up that asks libc, and so must not run in a handler. */
#include "unwind/unwind.h"

#include <elf.h>
#include <sys/auxv.h>

void unwind_config_default(struct unwind_config *config)
{
    *config = (struct unwind_config){0};
    config->entry = getauxval(AT_ENTRY);
    const Elf64_Ehdr *interp = (const Elf64_Ehdr *)getauxval(AT_BASE);
    if (interp)
        config->interp_entry = (uintptr_t)interp + interp->e_entry;
}
