/* SPDX-License-Identifier: MIT
 *
 * musl is built without call frame information, so a stack in a program with it ends at the code
 * that called main or a thread's function: nothing says where its caller is. But nothing of
 * interest is above it either; where a symbol names one of these functions and no entry of
 * .eh_frame covers it, it is a root. */
#include "record/perf_image.h"

#include "unwind/cfi.h"

#include <string.h>

static bool is_first(const char *name)
{
    static const char *const names[] = {"_start",  "_start_c",  "__libc_start_main",
                                        "start",   "start_c11", "libc_start_main_stage2",
                                        "__clone", "_dlstart"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

static bool has_frame_information(const struct perf_image *m, uint64_t vaddr)
{
    struct unwind_module module = {.start = (uintptr_t)m->copy,
                                   .end = (uintptr_t)m->copy + (m->high - m->low),
                                   .eh_frame_hdr = m->eh_frame_hdr,
                                   .made_bytes = m->made_bytes};
    struct cfi_fde fde;
    return cfi_find(&module, (uintptr_t)m->copy + (vaddr - m->low), &fde) == 0;
}

static void take_symbol(struct perf_image *m, const struct section *s, const GElf_Sym *sym)
{
    const char *name = elf_file_string(&m->elf, s->link, sym->st_name);
    if (m->root_count == PERF_ROOTS || !name || !is_first(name) || sym->st_value < m->low ||
        sym->st_value >= m->high || has_frame_information(m, sym->st_value))
        return;
    uint64_t size = sym->st_size ? sym->st_size : 64; /* assembly */
    m->roots[m->root_count].start = sym->st_value;
    m->roots[m->root_count++].end = sym->st_value + size;
}

void perf_roots_find(struct perf_image *m)
{
    for (size_t i = 1; m->copy && i < m->elf.section_count; i++) {
        const struct section *s = &m->elf.sections[i];
        if (s->type != SHT_SYMTAB && s->type != SHT_DYNSYM)
            continue;
        Elf_Data *data = elf_file_data(&m->elf, s);
        GElf_Sym sym;
        for (int k = 1; data && gelf_getsym(data, k, &sym); k++)
            if (sym.st_shndx != SHN_UNDEF && GELF_ST_TYPE(sym.st_info) <= STT_FUNC)
                take_symbol(m, s, &sym);
    }
}

bool perf_roots_have(const struct perf_image *m, uint64_t vaddr)
{
    for (uint32_t i = 0; i < m->root_count; i++)
        if (vaddr >= m->roots[i].start && vaddr < m->roots[i].end)
            return true;
    return false;
}
