/* SPDX-License-Identifier: MIT
 *
 * Symbol tables as LLVM's tools read them: which symbol llvm-symbolizer names an address by, and
 * the list that nm prints in the order of addresses (pprof's source of functions to disassemble).
 * The rules are those of SymbolizableObjectFile.cpp and llvm-nm.cpp, of LLVM 14. */
#include "symbol/object_internal.h"

#include "base/limits.h"
#include "base/sort.h"
#include "symbol/demangle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const struct elf_file *file;
    const struct section *symbols;
    Elf_Data *data, *wide_sections;
    uint32_t count;
};

static bool open_table(const struct elf_file *f, uint32_t type, struct table *t)
{
    for (size_t i = 1; i < f->section_count; i++) {
        const struct section *s = &f->sections[i];
        if (s->type != type)
            continue;
        size_t entry = gelf_fsize(f->elf, ELF_T_SYM, 1, EV_CURRENT);
        *t = (struct table){.file = f, .symbols = s, .data = elf_file_data(f, s)};
        if (!t->data || !entry || t->data->d_size / entry > LIMIT_ELF_SYMBOLS)
            return false;
        t->count = (uint32_t)(t->data->d_size / entry);
        for (size_t k = 1; k < f->section_count; k++)
            if (f->sections[k].type == SHT_SYMTAB_SHNDX && f->sections[k].link == i)
                t->wide_sections = elf_file_data(f, &f->sections[k]);
        return true;
    }
    return false;
}

struct symbol {
    GElf_Sym raw;
    unsigned type, bind;
    const char *name;
    const struct section *section; /* NULL: undefined, absolute, common … */
    uint32_t index;                /* of the section */
};

static bool read_symbol(const struct table *t, uint32_t i, struct symbol *s)
{
    Elf32_Word wide = 0;
    if (!gelf_getsymshndx(t->data, t->wide_sections, (int)i, &s->raw, &wide))
        return false;
    s->type = GELF_ST_TYPE(s->raw.st_info);
    s->bind = GELF_ST_BIND(s->raw.st_info);
    s->index = s->raw.st_shndx == SHN_XINDEX ? wide : s->raw.st_shndx;
    bool special = s->raw.st_shndx >= SHN_LORESERVE && s->raw.st_shndx != SHN_XINDEX;
    s->section = !special && s->index && s->index < t->file->section_count
                     ? &t->file->sections[s->index]
                     : NULL;
    s->name = elf_file_string(t->file, t->symbols->link, s->raw.st_name);
    return s->name != NULL;
}

/* ARM's and RISC-V's marks of code and data: "$x", "$d.1". */
static bool is_mark(const struct elf_file *f, const char *name)
{
    uint16_t machine = f->ehdr.e_machine;
    if (machine != EM_ARM && machine != EM_AARCH64 && machine != EM_RISCV)
        return false;
    return name[0] == '$' && name[1] && strchr("axdt", name[1]) && (!name[2] || name[2] == '.');
}

bool object_symbol_value(const struct object *o, const char *name, uint64_t *value)
{
    struct table t;
    struct symbol s;
    if (!open_table(&o->module.elf, SHT_SYMTAB, &t))
        return false;
    for (uint32_t i = 1; i < t.count; i++) {
        if (read_symbol(&t, i, &s) && !strcmp(s.name, name)) {
            *value = s.raw.st_value;
            return true;
        }
    }
    return false;
}

/* ---- llvm-symbolizer ---- */

struct candidate {
    uint64_t address, size;
    const char *name, *file; /* name NULL: none */
};

static bool is_named(const struct table *t, const struct symbol *s)
{
    bool type = s->type == STT_NOTYPE || s->type == STT_FUNC || s->type == STT_OBJECT ||
                s->type == STT_GNU_IFUNC;
    return s->section && type && !is_mark(t->file, s->name);
}

/* Of symbols at one address the largest counts, of those the last one. */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (!b->name || a->address != b->address)
        return !b->name || a->address > b->address;
    return a->size >= b->size;
}

static void match(const struct object *o, const struct table *t, struct candidate *nearest)
{
    const struct module *m = &o->module;
    const char *file = NULL;
    for (uint32_t i = 1; i < t->count; i++) {
        struct symbol s;
        GElf_Sym raw;
        if (!gelf_getsym(t->data, (int)i, &raw))
            continue;
        bool is_file = GELF_ST_TYPE(raw.st_info) == STT_FILE;
        uint32_t k = is_file ? 0 : query_lower_bound(m->queries, m->query_count, raw.st_value);
        if (k == m->query_count ||
            (!is_file && nearest[k].name && raw.st_value < nearest[k].address) ||
            !read_symbol(t, i, &s))
            continue;
        if (is_file && !s.section)
            file = s.name;
        if (!is_named(t, &s))
            continue;
        struct candidate c = {s.raw.st_value, s.raw.st_size, s.name,
                              s.bind == STB_LOCAL ? file : NULL};
        if (is_better(&c, &nearest[k]))
            nearest[k] = c;
    }
}

void object_names(struct object *o, struct object_name *names)
{
    struct module *m = &o->module;
    struct table t;
    if (!open_table(&m->elf, SHT_SYMTAB, &t) || t.count <= 1)
        if (!open_table(&m->elf, SHT_DYNSYM, &t))
            return;
    struct candidate *nearest = arena_zarray(&m->arena, m->query_count, sizeof *nearest);
    match(o, &t, nearest);
    struct candidate last = {0};
    for (uint32_t k = 0; k < m->query_count; k++) {
        if (nearest[k].name && is_better(&nearest[k], &last))
            last = nearest[k];
        bool covers = !last.size || m->queries[k].addr - last.address < last.size;
        if (last.name && covers)
            names[k] = (struct object_name){last.name, last.file};
    }
}

/* ---- nm ---- */

static bool is_data(const struct symbol *s)
{
    const struct section *c = s->section;
    if (s->type == STT_GNU_IFUNC)
        return false; /* i */
    return s->bind == STB_WEAK /* W and V */ || (c && c->alloc && !c->exec);
}

static int compare_listed(const void *a, const void *b)
{
    const struct nm_symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    int c = strcmp(x->name, y->name);
    return c ? c : (x->size > y->size) - (x->size < y->size);
}

void object_list_symbols(struct object *o)
{
    struct table t;
    struct symbol s;
    if (o->listed)
        return;
    o->listed = true;
    if (!open_table(&o->module.elf, SHT_SYMTAB, &t))
        return;
    o->symbols = arena_array(&o->module.arena, t.count, sizeof *o->symbols);
    for (uint32_t i = 1; i < t.count; i++) {
        if (!read_symbol(&t, i, &s) || s.raw.st_shndx == SHN_UNDEF || s.type == STT_FILE ||
            s.type == STT_SECTION || is_mark(t.file, s.name))
            continue;
        o->symbols[o->symbol_count++] =
            (struct nm_symbol){s.raw.st_value, s.raw.st_size, s.name, is_data(&s)};
    }
    sort_list(o->symbols, o->symbol_count, sizeof *o->symbols, compare_listed);
}

/* ---- the functions that match ---- */

/* The name as it is shown: as it stands, or demangled in the first of three ways that matches. */
static const char *matching_name(const char *name, struct regex *re, struct arena *a)
{
    static const enum demangle_mode modes[] = {DEMANGLE_FULL, DEMANGLE_TEMPLATES, DEMANGLE_SHORT};
    if (regex_matches(re, name, strlen(name)))
        return name;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const char *text = demangle_as(a, name, modes[i]);
        if (text && regex_matches(re, text, strlen(text)))
            return text;
    }
    return NULL;
}

/* matchSymbol for `count` symbols of one address. */
static bool match_group(const struct nm_symbol *group, uint32_t count, struct regex *re,
                        struct arena *a, struct object_symbol *s)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *name = matching_name(group[i].name, re, a);
        if (!name)
            continue;
        s->name_count = 1;
        s->names = arena_alloc(a, sizeof *s->names);
        s->names[0] = name;
        return true;
    }
    return false;
}

uint32_t object_symbols(struct object *o, struct regex *re, uint64_t address, struct arena *a,
                        struct object_symbol **symbols)
{
    uint32_t count = 0;
    object_list_symbols(o);
    *symbols = arena_array(a, o->symbol_count, sizeof **symbols);
    for (uint32_t i = 0, next; i < o->symbol_count; i = next) {
        for (next = i + 1;
             next < o->symbol_count && o->symbols[next].address == o->symbols[i].address; next++)
            ;
        struct object_symbol s = {.start = o->symbols[i].address, .end = UINT64_MAX};
        if (next < o->symbol_count)
            s.end = o->symbols[next].address - 1;
        if (address && address >= s.start && address <= s.end) {
            s.name_count = next - i;
            s.names = arena_array(a, s.name_count, sizeof *s.names);
            for (uint32_t k = i; k < next; k++)
                s.names[k - i] = o->symbols[k].name;
            (*symbols)[count++] = s;
        } else if (match_group(&o->symbols[i], next - i, re, a, &s)) {
            (*symbols)[count++] = s;
        }
    }
    return count;
}
