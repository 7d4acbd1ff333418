/* SPDX-License-Identifier: MIT
 *
 * The part of the set-up that asks libc, and so must not run in a handler. */
#include "unwind/unwind.h"

#include <elf.h>
#include <sys/auxv.h>

/* The program's whole image, by its program headers, which lie in its first page. */
static void find_program(struct unwind_config *config)
{
    const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
    uintptr_t start = (uintptr_t)ph & ~(uintptr_t)4095, end = 0, lowest = UINTPTR_MAX;
    for (unsigned long i = 0, n = ph ? getauxval(AT_PHNUM) : 0; i < n; i++) {
        if (ph[i].p_type != PT_LOAD)
            continue;
        lowest = ph[i].p_vaddr < lowest ? ph[i].p_vaddr : lowest;
        end = ph[i].p_vaddr + ph[i].p_memsz;
    }
    if (!end)
        return;
    config->program_start = start;
    config->program_end = start + (end - (lowest & ~(uintptr_t)4095));
}

void unwind_config_default(struct unwind_config *config)
{
    *config = (struct unwind_config){0};
    config->entry = getauxval(AT_ENTRY);
    const Elf64_Ehdr *interp = (const Elf64_Ehdr *)getauxval(AT_BASE);
    if (interp)
        config->interp_entry = (uintptr_t)interp + interp->e_entry;
    find_program(config);
}
