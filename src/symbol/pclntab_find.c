/* SPDX-License-Identifier: MIT
 *
 * Finds Go's function table in an ELF file, and the two addresses that it leaves out: where the
 * code begins (Go 1.26 on, and position-independent programs, whose header the loader fills) and
 * where the funcdata are. Both stand in the runtime's moduledata, which begins with the table's
 * address; stripped programs have no symbol for it, so it is found by that. */
#include "symbol/pclntab.h"

#include <string.h>

#define ALIGN        8
#define WORD         8
#define MODULE_NAMES WORD        /* moduledata: pcHeader, then the slice of names … */
#define MODULE_TEXT  (22 * WORD) /* … six slices more, findfunctab, minpc, maxpc, text */
/* 1.18 and 1.19: text to ebss, end, gcdata, gcbss, types, etypes, rodata; since 1.20 with the two
 * ends of the coverage counters. */
#define MODULE_GOFUNC_GO118 (38 * WORD)
#define MODULE_GOFUNC_GO120 (40 * WORD)

static const uint8_t *file_memory(const void *ctx, uint64_t vaddr, size_t *size)
{
    return elf_file_at(ctx, vaddr, size);
}

static bool table_at(struct pclntab *t, const struct elf_file *f, uint64_t vaddr, uint64_t limit)
{
    size_t size;
    const uint8_t *bytes = elf_file_at(f, vaddr, &size);
    struct pclntab_memory memory = {file_memory, f};
    if (bytes && size > limit)
        size = limit;
    return bytes && pclntab_open_bytes(t, bytes, size, &memory);
}

static bool looks_like_header(const uint8_t *p)
{
    uint32_t magic;
    memcpy(&magic, p, sizeof magic);
    return magic >= 0xfffffff0u && !p[4] && !p[5] && p[6] && p[6] <= 4 && p[7] == WORD;
}

/* In a program without section headers: any segment may have it. */
static bool search(struct pclntab *t, const struct elf_file *f, uint64_t *vaddr)
{
    for (size_t i = 0; i < f->phdr_count; i++) {
        size_t size;
        const GElf_Phdr *h = &f->phdrs[i];
        const uint8_t *bytes =
            h->p_type == PT_LOAD && !(h->p_flags & PF_X) ? elf_file_at(f, h->p_vaddr, &size) : NULL;
        for (size_t at = 0; bytes && at + 16 <= size; at += ALIGN)
            if (looks_like_header(bytes + at) && table_at(t, f, h->p_vaddr + at, SIZE_MAX)) {
                *vaddr = h->p_vaddr + at;
                return true;
            }
    }
    return false;
}

static bool find_table(struct pclntab *t, const struct elf_file *f, uint64_t *vaddr)
{
    static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct section *s = elf_file_section(f, names[i]);
        if (s && table_at(t, f, s->addr, s->size)) {
            *vaddr = s->addr;
            return true;
        }
    }
    /* A search is worth its time only in what says that it is Go's. */
    return f->section_count <= 1 && search(t, f, vaddr);
}

/* ---- moduledata ---- */

struct relocs {
    const struct elf_file *f;
    const uint8_t *bytes; /* Elf64_Rela */
    size_t count;
};

static struct relocs find_relocs(const struct elf_file *f)
{
    struct relocs r = {.f = f};
    uint64_t vaddr, size;
    size_t room;
    if (!elf_file_dynamic(f, DT_RELA, &vaddr) || !elf_file_dynamic(f, DT_RELASZ, &size))
        return r;
    r.bytes = elf_file_at(f, vaddr, &room);
    r.count = r.bytes ? (size < room ? size : room) / sizeof(Elf64_Rela) : 0;
    return r;
}

static Elf64_Rela reloc(const struct relocs *r, size_t i)
{
    Elf64_Rela v;
    memcpy(&v, r->bytes + i * sizeof v, sizeof v);
    return v;
}

/* The pointer at `vaddr` as the loader leaves it, before the load address is added. */
static uint64_t pointer_at(const struct relocs *r, uint64_t vaddr)
{
    uint64_t v = 0;
    size_t size;
    const uint8_t *p = elf_file_at(r->f, vaddr, &size);
    if (p && size >= sizeof v)
        memcpy(&v, p, sizeof v);
    for (size_t i = 0; !v && i < r->count; i++) {
        Elf64_Rela a = reloc(r, i);
        if (a.r_offset == vaddr)
            return (uint64_t)a.r_addend;
    }
    return v;
}

static bool is_module(const struct pclntab *t, const struct relocs *r, uint64_t at, uint64_t table)
{
    return pointer_at(r, at) == table && pointer_at(r, at + MODULE_NAMES) == table + t->names;
}

static uint64_t find_module(const struct pclntab *t, const struct relocs *r, uint64_t table)
{
    for (size_t i = 0; i < r->f->phdr_count; i++) {
        const GElf_Phdr *h = &r->f->phdrs[i];
        size_t size;
        const uint8_t *bytes = h->p_type == PT_LOAD && (h->p_flags & PF_W)
                                   ? elf_file_at(r->f, h->p_vaddr, &size)
                                   : NULL;
        for (size_t at = 0; bytes && at + 2 * WORD <= size; at += WORD)
            if (!memcmp(bytes + at, &table, sizeof table) &&
                is_module(t, r, h->p_vaddr + at, table))
                return h->p_vaddr + at;
    }
    for (size_t i = 0; i < r->count; i++) {
        Elf64_Rela a = reloc(r, i);
        if ((uint64_t)a.r_addend == table && is_module(t, r, a.r_offset, table))
            return a.r_offset;
    }
    return 0;
}

static void find_bases(struct pclntab *t, const struct elf_file *f, uint64_t table)
{
    struct relocs r = find_relocs(f);
    uint64_t module = find_module(t, &r, table);
    if (!module)
        return;
    t->gofunc = pointer_at(
        &r, module + (t->version == PCLNTAB_GO118 ? MODULE_GOFUNC_GO118 : MODULE_GOFUNC_GO120));
    t->text = pointer_at(&r, module + MODULE_TEXT);
}

bool pclntab_open(struct pclntab *t, const struct elf_file *f)
{
    uint64_t table;
    if (f->ehdr.e_ident[EI_DATA] != ELFDATA2LSB || f->ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
        !find_table(t, f, &table))
        return false;
    /* Go 1.12 has its inlined calls elsewhere, and is the last one without build information. */
    if (t->version == PCLNTAB_GO12 && !elf_file_section(f, ".go.buildinfo")) {
        t->inline_pcdata = 1;
        t->inline_funcdata = 2;
    }
    if (t->version >= PCLNTAB_GO118) {
        find_bases(t, f, table);
        if (!t->text)
            return false;
    }
    pclntab_learn(t);
    return true;
}
