/* SPDX-License-Identifier: MIT
 *
 * From a mapping to the difference between its addresses and the file's (google/pprof
 * internal/elfexec and binutils.go, findProgramHeader). A kernel is mapped in ways of its own,
 * which the rules tell apart by its numbers alone. */
#include "symbol/object_internal.h"

#include <errno.h>
#include <string.h>

enum { PAGE = 4096 };
#define UPPER_HALF   0x8000000000000000u
#define PPC64_KERNEL 0xc000000000000000u

static bool kernel_base(const struct object *o, const GElf_Phdr *h, uint64_t *base)
{
    uint64_t start = o->mapping.start, limit = o->mapping.limit, offset = o->mapping.offset;
    uint64_t text = o->kernel_offset;
    bool has_text = o->has_kernel_offset;
    if (h->p_vaddr == start - offset) {
        *base = offset;
        return true;
    }
    if (start == 0 && limit != 0 && has_text) {
        *base = start - text;
        return true;
    }
    if (start >= UPPER_HALF && limit > start &&
        (offset == 0 || offset == PPC64_KERNEL || offset == start)) {
        *base = start - (has_text && start % PAGE == text % PAGE ? text : h->p_vaddr);
        return true;
    }
    if (start % PAGE != 0 && has_text && text % PAGE == start % PAGE) {
        *base = start - text;
        return true;
    }
    return false;
}

/* GetBase. `h` is NULL where no segment is known. */
static int get_base(const struct object *o, const GElf_Phdr *h, uint64_t *base, struct err *e)
{
    uint64_t start = o->mapping.start, limit = o->mapping.limit, offset = o->mapping.offset;
    *base = 0;
    if (start == 0 && offset == 0 && (limit == UINT64_MAX || limit == 0))
        return 0; /* made up, for the whole address space */
    switch (o->module.elf.ehdr.e_type) {
    case ET_EXEC:
        if (!h)
            return 0;
        if (!o->has_kernel_offset && start > 0 && start < UPPER_HALF) {
            *base = start - offset + h->p_offset - h->p_vaddr;
            return 0;
        }
        if (kernel_base(o, h, base))
            return 0;
        if (start == 0 && limit != 0 && !o->has_kernel_offset) {
            *base = start - h->p_vaddr;
            return 0;
        }
        return err_set(e, -EINVAL,
                       "don't know how to handle EXEC segment: start=0x%llx limit=0x%llx "
                       "offset=0x%llx",
                       (unsigned long long)start, (unsigned long long)limit,
                       (unsigned long long)offset);
    case ET_REL:
        if (offset != 0)
            return err_set(e, -EINVAL, "don't know how to handle mapping.Offset");
        *base = start;
        return 0;
    case ET_DYN:
        if (!h)
            *base = start - offset;
        else if (!kernel_base(o, h, base))
            *base = start - offset + h->p_offset - h->p_vaddr;
        return 0;
    default:
        return err_set(e, -EINVAL, "don't know how to handle FileHeader.Type %u",
                       o->module.elf.ehdr.e_type);
    }
}

/* FindTextProgHeader */
static const GElf_Phdr *text_segment(const struct object *o)
{
    const struct elf_file *f = &o->module.elf;
    const struct section *text = elf_file_section(f, ".text");
    for (size_t i = 0; text && i < f->phdr_count; i++) {
        const GElf_Phdr *h = &f->phdrs[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X) && text->addr >= h->p_vaddr &&
            text->addr < h->p_vaddr + h->p_memsz)
            return h;
    }
    return NULL;
}

int object_check_base(const struct object *o, struct err *e)
{
    uint64_t base;
    return get_base(o, text_segment(o), &base, e);
}

/* ProgramHeadersForMapping: whether a segment can be what was mapped. */
static bool fits(const GElf_Phdr *h, uint64_t offset, uint64_t size)
{
    uint64_t limit = offset + size, end = h->p_offset + h->p_memsz;
    if (h->p_type != PT_LOAD || h->p_filesz == 0 || offset >= end || h->p_offset >= limit)
        return false;
    uint64_t skew = h->p_vaddr & (h->p_align - 1);
    uint64_t aligned = h->p_offset > skew ? h->p_offset - skew : 0;
    if (offset < aligned)
        return false;
    return !(offset > h->p_offset && end < offset + PAGE && limit >= end + PAGE);
}

/* The segment for an address of the mapping: 0 and maybe none, or -ENOENT when it cannot be told.
 */
static int find_segment(const struct object *o, uint64_t address, const GElf_Phdr **found)
{
    const struct elf_file *f = &o->module.elf;
    const struct object_mapping *m = &o->mapping;
    *found = NULL;
    if (o->has_kernel_offset || m->start >= m->limit || m->limit >= UPPER_HALF) {
        *found = text_segment(o);
        return 0;
    }
    uint32_t loads = 0, fitting = 0, holding = 0;
    const GElf_Phdr *fit = NULL, *hold = NULL;
    uint64_t at = address - m->start + m->offset;
    for (size_t i = 0; i < f->phdr_count; i++) {
        const GElf_Phdr *h = &f->phdrs[i];
        loads += h->p_type == PT_LOAD;
        if (!fits(h, m->offset, m->limit - m->start))
            continue;
        fitting++;
        fit = h;
        if (at >= h->p_offset && at < h->p_offset + h->p_memsz) {
            holding++;
            hold = h;
        }
    }
    if (!loads)
        return 0;
    *found = fitting == 1 ? fit : hold;
    return fitting == 1 || holding == 1 ? 0 : -ENOENT;
}

bool object_find_base(const struct object *o, uint64_t address, uint64_t *base)
{
    const GElf_Phdr *h;
    if (address < o->mapping.start || address >= o->mapping.limit)
        return false;
    return !find_segment(o, address, &h) && !get_base(o, h, base, NULL);
}
