/* SPDX-License-Identifier: MIT
 *
 * Names from .symtab and .dynsym.
 *
 * The tables are not sorted: each symbol is looked up in the sorted batch of addresses instead, so
 * a table of a million symbols costs one pass over it and nothing is kept. A symbol with a size
 * names what it covers. One without (assembly) reaches to the next symbol or the end of its
 * section, but never into an unwind entry that begins behind it.
 *
 * Several symbols at one address are aliases. The one shown is the one that a reader would call:
 * functions before untyped labels, the default version before old ones, exported before local, then
 * the fewest leading underscores (malloc, not __libc_malloc; puts, though it is weak and _IO_puts
 * is not), strong before weak, short before long, and the alphabet. */
#include "symbol/symbol_internal.h"

#include "base/limits.h"

#include <string.h>

struct candidate {
    uint64_t start, size;
    const char *name; /* NULL: none */
    uint32_t rank;    /* higher is better, aliases of one start only */
    uint32_t section;
};

struct table {
    const struct elf_file *file;
    const struct section *symbols;
    Elf_Data *data, *versions, *wide_sections;
    uint32_t count;
};

static bool is_mangled(const char *name)
{
    return !strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2) || !strncmp(name, "___Z", 4);
}

/* ARM and RISC-V mark code and data by symbols "$x", "$d.1" …, which name nothing. */
static bool is_mapping_symbol(const char *name)
{
    return name[0] == '$' && name[1] && strchr("axdt", name[1]) && (!name[2] || name[2] == '.');
}

static uint32_t alias_rank(const GElf_Sym *sym, const char *name, bool old_version)
{
    uint32_t underscores = is_mangled(name) ? 0 : (uint32_t)strspn(name, "_");
    unsigned type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
    return (uint32_t)(type != STT_NOTYPE) << 16 | (uint32_t)!old_version << 15 |
           (uint32_t)(bind != STB_LOCAL) << 14 | (15 - (underscores < 15 ? underscores : 15)) << 4 |
           (uint32_t)(bind != STB_WEAK);
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (!b->name || a->start != b->start)
        return !b->name || a->start > b->start;
    if ((a->size != 0) != (b->size != 0))
        return a->size != 0;
    if (a->rank != b->rank)
        return a->rank > b->rank;
    size_t la = strcspn(a->name, "@"), lb = strcspn(b->name, "@");
    return la != lb ? la < lb : strcmp(a->name, b->name) < 0;
}

static bool read_symbol(const struct table *t, uint32_t i, struct candidate *c)
{
    GElf_Sym sym;
    Elf32_Word wide = 0;
    if (!gelf_getsymshndx(t->data, t->wide_sections, (int)i, &sym, &wide))
        return false;
    unsigned type = GELF_ST_TYPE(sym.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
        return false;
    uint32_t section = sym.st_shndx == SHN_XINDEX ? wide : sym.st_shndx;
    if (section == SHN_UNDEF || section >= t->file->section_count ||
        !t->file->sections[section].exec)
        return false;
    const char *name = elf_file_string(t->file, t->symbols->link, sym.st_name);
    if (!name || !name[0] || name[0] == '@' || is_mapping_symbol(name))
        return false;
    const char *at = strchr(name, '@');
    bool old_version = at && at[1] != '@';
    GElf_Versym version;
    if (t->versions && gelf_getversym(t->versions, (int)i, &version) && (version & 0x8000))
        old_version = true;
    *c = (struct candidate){sym.st_value, sym.st_size, name, alias_rank(&sym, name, old_version),
                            section};
    return true;
}

/* `sized[k]` becomes the innermost symbol that covers query k; `nearest[k]` the last symbol that
 * begins at or before query k and after query k - 1. */
static void match(const struct table *t, const struct module *m, struct candidate *sized,
                  struct candidate *nearest)
{
    for (uint32_t i = 1; i < t->count; i++) {
        GElf_Sym raw;
        if (!gelf_getsym(t->data, (int)i, &raw) || raw.st_shndx == SHN_UNDEF)
            continue;
        uint32_t k = query_lower_bound(m->queries, m->query_count, raw.st_value);
        if (k == m->query_count)
            continue;
        struct candidate c;
        /* Most symbols cover no address and are not the nearest to one: that is seen first, before
         * anything of theirs is read. */
        bool covers = raw.st_size && m->queries[k].addr - raw.st_value < raw.st_size;
        if (!covers && nearest[k].name && raw.st_value < nearest[k].start)
            continue;
        if (!read_symbol(t, i, &c))
            continue;
        if (is_better(&c, &nearest[k]))
            nearest[k] = c;
        for (uint32_t j = k; c.size && j < m->query_count; j++) {
            if (m->queries[j].addr - c.start >= c.size)
                break;
            if (is_better(&c, &sized[j]))
                sized[j] = c;
        }
    }
}

static bool reaches(const struct candidate *c, uint64_t addr, const struct elf_file *f,
                    const struct elf_file *unwind)
{
    const struct section *s = &f->sections[c->section];
    uint64_t start, end;
    if (c->size || addr < s->addr || addr - s->addr >= s->size)
        return false;
    return !unwind_entry_find(unwind, addr, &start, &end) || (start <= c->start && c->start < end);
}

static void take(struct module *m, struct query *q, const struct candidate *c)
{
    const char *at = strchr(c->name, '@');
    q->name = at ? arena_strndup(&m->arena, c->name, (size_t)(at - c->name)) : c->name;
    q->kind = NAME_REAL;
    q->entry = c->start;
}

static void name_from(struct module *m, const struct table *t, const struct elf_file *unwind)
{
    struct arena scratch = {0};
    struct candidate *sized = arena_zarray(&scratch, m->query_count, sizeof *sized);
    struct candidate *nearest = arena_zarray(&scratch, m->query_count, sizeof *nearest);
    match(t, m, sized, nearest);
    struct candidate last = {0};
    for (uint32_t k = 0; k < m->query_count; k++) {
        struct query *q = &m->queries[k];
        if (nearest[k].name && is_better(&nearest[k], &last))
            last = nearest[k];
        if (q->kind == NAME_REAL)
            continue;
        if (sized[k].name)
            take(m, q, &sized[k]);
        else if (last.name && reaches(&last, q->addr, t->file, unwind))
            take(m, q, &last);
    }
    arena_free(&scratch);
}

/* The section of type `type` that belongs to the symbol table with index `index`. */
static Elf_Data *companion(const struct elf_file *f, uint32_t type, size_t index)
{
    for (size_t i = 1; i < f->section_count; i++) {
        if (f->sections[i].type == type && f->sections[i].link == index)
            return elf_file_data(f, &f->sections[i]);
    }
    return NULL;
}

void symtab_name(struct module *m, const struct elf_file *f, const struct elf_file *unwind)
{
    for (size_t i = 1; i < f->section_count; i++) {
        const struct section *s = &f->sections[i];
        if (s->type != SHT_SYMTAB && s->type != SHT_DYNSYM)
            continue;
        struct table t = {.file = f, .symbols = s, .data = elf_file_data(f, s)};
        size_t entry = gelf_fsize(f->elf, ELF_T_SYM, 1, EV_CURRENT);
        if (!t.data || !entry || t.data->d_size / entry > LIMIT_ELF_SYMBOLS)
            continue;
        t.count = (uint32_t)(t.data->d_size / entry);
        t.versions = companion(f, SHT_GNU_versym, i);
        t.wide_sections = companion(f, SHT_SYMTAB_SHNDX, i);
        name_from(m, &t, unwind);
    }
}
