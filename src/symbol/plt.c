/* SPDX-License-Identifier: MIT
 *
 * Names for procedure linkage tables: "target@plt" as objdump has it. No symbol covers them.
 *
 * A stub jumps through a slot of the global offset table; the relocation of that slot names the
 * target. So the stub's own code is read, which holds for every layout (.plt, .plt.sec with IBT,
 * .plt.got, lld's and gold's), and what is not understood is "module!plt". */
#include "symbol/symbol_internal.h"

#include <string.h>

/* The symbol of relocation `index` of a relocation section; its slot in `*slot`. */
static const char *reloc_symbol(const struct elf_file *f, const struct section *s, Elf_Data *d,
                                int index, uint64_t *slot)
{
    GElf_Rela rela;
    GElf_Rel rel;
    uint64_t info;
    if (s->type == SHT_RELA) {
        if (!gelf_getrela(d, index, &rela))
            return NULL;
        *slot = rela.r_offset;
        info = rela.r_info;
    } else {
        if (!gelf_getrel(d, index, &rel))
            return NULL;
        *slot = rel.r_offset;
        info = rel.r_info;
    }
    GElf_Sym sym;
    if (!GELF_R_SYM(info) || s->link >= f->section_count || !s->link)
        return NULL;
    const struct section *symbols = &f->sections[s->link];
    Elf_Data *data = elf_file_data(f, symbols);
    if (!data || !gelf_getsym(data, (int)GELF_R_SYM(info), &sym) || !sym.st_name)
        return NULL;
    return elf_file_string(f, symbols->link, sym.st_name);
}

const char *plt_slot_symbol(const struct elf_file *f, uint64_t slot)
{
    for (size_t i = 1; i < f->section_count; i++) {
        const struct section *s = &f->sections[i];
        if ((s->type != SHT_RELA && s->type != SHT_REL) || !s->alloc)
            continue;
        Elf_Data *d = elf_file_data(f, s);
        size_t size =
            gelf_fsize(f->elf, s->type == SHT_RELA ? ELF_T_RELA : ELF_T_REL, 1, EV_CURRENT);
        size_t count = d && size ? d->d_size / size : 0;
        for (size_t k = 0; k < count && k < INT32_MAX; k++) {
            GElf_Rela rela;
            GElf_Rel rel;
            uint64_t at = s->type == SHT_RELA
                              ? (gelf_getrela(d, (int)k, &rela) ? rela.r_offset : ~slot)
                              : (gelf_getrel(d, (int)k, &rel) ? rel.r_offset : ~slot);
            if (at == slot)
                return reloc_symbol(f, s, d, (int)k, &at);
        }
    }
    return NULL;
}

/* The slot that an x86-64 stub jumps through: [endbr64] [bnd] jmp *rel32(%rip). */
static bool slot_x86_64(const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot)
{
    size_t i = 0;
    if (size >= 4 && !memcmp(code, "\xf3\x0f\x1e\xfa", 4))
        i = 4;
    if (size > i && code[i] == 0xf2)
        i++;
    if (size < i + 6 || code[i] != 0xff || code[i + 1] != 0x25)
        return false;
    int32_t rel;
    memcpy(&rel, code + i + 2, 4);
    *slot = addr + i + 6 + (uint64_t)(int64_t)rel;
    return true;
}

/* [bti c] adrp x16, page; ldr x17, [x16, #offset] */
static bool slot_aarch64(const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot)
{
    uint32_t insn[3];
    if (size < sizeof insn)
        return false;
    memcpy(insn, code, sizeof insn);
    unsigned i = insn[0] == 0xd503245f;
    if ((insn[i] & 0x9f00001f) != 0x90000010 || (insn[i + 1] & 0xffc003ff) != 0xf9400211)
        return false;
    uint64_t imm = (uint64_t)((insn[i] >> 5) & 0x7ffff) << 2 | ((insn[i] >> 29) & 3);
    int64_t page = (int64_t)(imm << 43) >> 43;
    *slot = ((addr + 4 * i) & ~0xfffull) + ((uint64_t)page << 12) +
            ((uint64_t)((insn[i + 1] >> 10) & 0xfff) << 3);
    return true;
}

/* A lazy stub under IBT only pushes the index of its relocation: endbr64; push $index. */
static const char *lazy_symbol(const struct elf_file *f, const uint8_t *code, size_t size)
{
    uint32_t index;
    if (size < 9 || memcmp(code, "\xf3\x0f\x1e\xfa\x68", 5))
        return NULL;
    memcpy(&index, code + 5, 4);
    const struct section *s = elf_file_section(f, ".rela.plt");
    Elf_Data *d = s && s->type == SHT_RELA ? elf_file_data(f, s) : NULL;
    uint64_t slot;
    return d && index < INT32_MAX ? reloc_symbol(f, s, d, (int)index, &slot) : NULL;
}

static const char *target(const struct elf_file *f, const struct section *s, uint64_t addr,
                          uint64_t *stub)
{
    /* .plt.got has stubs of 8 bytes without IBT; sh_entsize says which, where a linker sets it. */
    uint64_t entry = s->entsize == 8 ? 8 : 16, slot;
    size_t size;
    *stub = s->addr + (addr - s->addr) / entry * entry;
    const uint8_t *code = elf_file_at(f, *stub, &size);
    if (!code)
        return NULL;
    if (size > entry)
        size = entry;
    if (f->ehdr.e_machine == EM_AARCH64)
        return slot_aarch64(code, size, *stub, &slot) ? plt_slot_symbol(f, slot) : NULL;
    if (f->ehdr.e_machine != EM_X86_64)
        return NULL;
    if (slot_x86_64(code, size, *stub, &slot))
        return plt_slot_symbol(f, slot);
    return lazy_symbol(f, code, size);
}

void plt_name(struct module *m)
{
    for (uint32_t k = 0; k < m->query_count; k++) {
        struct query *q = &m->queries[k];
        const struct section *s =
            q->kind == NAME_REAL ? NULL : elf_file_section_at(&m->elf, q->addr);
        if (!s || !s->exec || (strncmp(s->name, ".plt", 4) && strcmp(s->name, ".iplt")))
            continue;
        const char *name = target(&m->elf, s, q->addr, &q->entry);
        if (name && name[0])
            q->name = arena_printf(&m->arena, "%.*s@plt", (int)strcspn(name, "@"), name);
        else
            q->name = arena_printf(&m->arena, "%s!plt", m->base);
        q->kind = NAME_REAL;
    }
}
