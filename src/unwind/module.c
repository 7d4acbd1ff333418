/* SPDX-License-Identifier: MIT
 *
 * Finds the module of an address: by glibc's _dl_find_object (lock-free and async-signal-safe since
 * 2.35), else in a sorted table that the runtime keeps outside of handlers. dl_iterate_phdr is
 * never an option here: it takes the loader's lock. Runs in handlers; reads only the first page of
 * an image. */
#include "unwind/module.h"
#include "unwind/rawmem.h"

#include <elf.h>

/* struct dl_find_object of <dlfcn.h>, spelled out so that strobe also builds where that header is
 * older than the libc it meets at run time. */
struct found_object {
    unsigned long long flags;
    void *map_start, *map_end;
    void *link_map;
    void *eh_frame; /* PT_GNU_EH_FRAME, whatever its name says */
    unsigned long long reserved[7];
};

static int find_in_table(const struct unwind_modules *table, uintptr_t pc,
                         struct unwind_module *out)
{
    size_t lo = 0, hi = table ? table->count : 0;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct unwind_module *m = &table->list[mid];
        if (pc < m->start) {
            hi = mid;
        } else if (pc >= m->end) {
            lo = mid + 1;
        } else {
            out->bias = m->bias;
            out->made_bytes = m->made_bytes;
            out->start = m->start + m->bias;
            out->end = m->end + m->bias;
            out->eh_frame_hdr = m->eh_frame_hdr;
            out->link_map = m->link_map;
            return 1;
        }
    }
    return 0;
}

int module_find(struct module_source *source, uintptr_t pc, struct unwind_module *out)
{
    struct found_object found;
    if (!source->find_object)
        return find_in_table(__atomic_load_n(&source->table, __ATOMIC_ACQUIRE), pc, out);
    if (source->find_object((void *)pc, &found) != 0)
        return 0;
    out->bias = out->made_bytes = 0;
    out->start = (uintptr_t)found.map_start;
    out->end = (uintptr_t)found.map_end;
    if (out->start - source->program_start < source->program_end - source->program_start) {
        out->start = source->program_start;
        out->end = source->program_end;
    }
    out->eh_frame_hdr = found.eh_frame;
    out->link_map = found.link_map;
    return 1;
}

static const Elf64_Ehdr *elf_header(const struct unwind_module *m)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)m->start;
    if (m->end - m->start < sizeof *eh || *(const raw_u32 *)eh != 0x464c457f /* \177ELF */ ||
        eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phentsize != sizeof(Elf64_Phdr))
        return NULL;
    /* Only the first page is sure to be mapped as the file has it. */
    uint64_t end = eh->e_phoff + (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr);
    if (eh->e_phoff > 4096 || eh->e_phoff % 8 || end > 4096 || end > m->end - m->start)
        return NULL;
    return eh;
}

uint32_t module_segment(const struct unwind_module *m, uintptr_t addr, struct span *out)
{
    if (addr < m->start || addr >= m->end)
        return 0;
    const Elf64_Ehdr *eh = elf_header(m);
    if (!eh) {
        out->lo = (const uint8_t *)m->start;
        out->hi = (const uint8_t *)m->end;
        return PF_R | PF_X;
    }
    const Elf64_Phdr *ph = (const Elf64_Phdr *)((const char *)eh + eh->e_phoff);
    uint64_t bias = 0;
    for (int i = 0, first = 1; i < eh->e_phnum; i++) {
        if (ph[i].p_type != PT_LOAD)
            continue;
        if (first)
            bias = m->start - (ph[i].p_vaddr & ~4095ull);
        first = 0;
        uint64_t lo = bias + ph[i].p_vaddr, hi = lo + ph[i].p_memsz;
        if (addr < lo || addr >= hi)
            continue;
        if (lo < m->start || hi > m->end)
            return 0;
        out->lo = (const uint8_t *)lo;
        out->hi = (const uint8_t *)hi;
        return ph[i].p_flags;
    }
    return 0;
}
