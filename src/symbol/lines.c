/* SPDX-License-Identifier: MIT
 *
 * Lines and inlined frames from DWARF, through libdw.
 *
 * Only the compilation units that hold an address are read: found by .debug_aranges, and where a
 * compiler leaves those out (clang does), by the ranges of each unit's first entry. Within a unit
 * the entries are walked once for its whole batch. */
#include "symbol/symbol_internal.h"

#include "base/limits.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

/* An address and the unit that holds it. */
struct unit_query {
    Dwarf_Off unit; /* offset of the unit's first entry */
    uint32_t query;
};

static int by_unit(const void *a, const void *b)
{
    const struct unit_query *x = a, *y = b;
    if (x->unit != y->unit)
        return x->unit < y->unit ? -1 : 1;
    return x->query < y->query ? -1 : x->query > y->query;
}

/* Entries whose children may hold code. */
static bool is_scope(int tag)
{
    switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_interface_type:
    case DW_TAG_imported_unit: return true;
    default: return false;
    }
}

static bool is_block(int tag)
{
    return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block ||
           tag == DW_TAG_with_stmt;
}

/* The chain of code entries that contain an address, outermost first. */
struct chain {
    Dwarf_Die dies[LIMIT_INLINE_DEPTH];
    uint32_t count;
};

/* Should the children of `die` be searched for `pc`? Code that contains it is added to the chain.
 */
static bool enter(Dwarf_Die *die, Dwarf_Addr pc, struct chain *c)
{
    int tag = dwarf_tag(die);
    if (tag == DW_TAG_subprogram) {
        if (dwarf_haspc(die, pc) > 0) {
            c->dies[0] = *die;
            c->count = 1;
            return true;
        }
        /* Methods of local classes are defined inside of the function, at other addresses. */
        return c->count == 0;
    }
    if (tag == DW_TAG_inlined_subroutine) {
        if (!c->count || c->count == LIMIT_INLINE_DEPTH || dwarf_haspc(die, pc) <= 0)
            return false;
        c->dies[c->count++] = *die;
        return true;
    }
    if (is_block(tag))
        return c->count == 0 || dwarf_haspc(die, pc) > 0;
    return is_scope(tag) && c->count == 0;
}

/* Depth first through the unit, with a stack of our own: the nesting is the file's. */
static void find_chain(Dwarf_Die *unit, Dwarf_Addr pc, struct chain *c)
{
    Dwarf_Die stack[LIMIT_DIE_DEPTH];
    uint32_t depth = 0, floor = 0;
    c->count = 0;
    if (dwarf_child(unit, &stack[0]))
        return;
    for (;;) {
        uint32_t before = c->count;
        if (depth + 1 < LIMIT_DIE_DEPTH && enter(&stack[depth], pc, c) &&
            !dwarf_child(&stack[depth], &stack[depth + 1])) {
            /* Once inside of code that contains the address, the rest of the unit is of no use. */
            depth++;
            if (c->count > before)
                floor = depth;
            continue;
        }
        if (c->count > before)
            return;
        while (dwarf_siblingof(&stack[depth], &stack[depth])) {
            if (depth <= floor)
                return;
            depth--;
        }
    }
}

static const char *function_name(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    const char *name = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &a))
        name = dwarf_formstring(&a);
    return name ? name : dwarf_diename(die);
}

static int64_t number(Dwarf_Die *die, unsigned attr)
{
    Dwarf_Attribute a;
    Dwarf_Word v;
    if (!dwarf_attr_integrate(die, attr, &a) || dwarf_formudata(&a, &v) || v > INT32_MAX)
        return 0;
    return (int64_t)v;
}

static const char *call_file(Dwarf_Die *die, Dwarf_Files *files)
{
    int64_t index = number(die, DW_AT_call_file);
    return files ? dwarf_filesrc(files, (size_t)index, NULL, NULL) : NULL;
}

static void look_up(struct module *m, struct query *q, Dwarf_Die *unit, Dwarf_Files *files)
{
    struct chain c;
    find_chain(unit, q->addr, &c);
    Dwarf_Line *line = dwarf_getsrc_die(unit, q->addr);
    if (!c.count && !line)
        return;
    uint32_t count = c.count ? c.count : 1;
    q->frames = arena_zarray(&m->arena, count, sizeof *q->frames);
    q->frame_count = count;
    const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    int lineno = 0;
    if (line)
        dwarf_lineno(line, &lineno);
    int64_t at = lineno;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *f = &q->frames[i];
        f->file = file;
        f->line = at;
        if (!c.count)
            continue;
        Dwarf_Die *die = &c.dies[c.count - 1 - i];
        const char *declared = dwarf_decl_file(die);
        f->name = function_name(die);
        if (file && declared && !strcmp(file, declared))
            f->start_line = number(die, DW_AT_decl_line);
        file = call_file(die, files);
        at = number(die, DW_AT_call_line);
    }
}

/* Units for the queries that .debug_aranges does not know. */
static void scan_units(struct module *m, struct unit_query *uq, uint32_t *count, bool *found)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit, sub;
    uint8_t type;
    while (!dwarf_get_units(m->dwarf, cu, &cu, NULL, &type, &unit, &sub)) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        ptrdiff_t offset = 0;
        Dwarf_Addr base, start, end;
        while ((offset = dwarf_ranges(&unit, offset, &base, &start, &end)) > 0) {
            uint32_t k = query_lower_bound(m->queries, m->query_count, start);
            for (; k < m->query_count && m->queries[k].addr < end; k++) {
                if (!found[k])
                    uq[(*count)++] = (struct unit_query){dwarf_dieoffset(&unit), k};
                found[k] = true;
            }
        }
    }
}

void lines_find(struct module *m)
{
    struct elf_file *f = m->debug_elf.elf && elf_file_section(&m->debug_elf, ".debug_info")
                             ? &m->debug_elf
                             : &m->elf;
    if (!elf_file_section(f, ".debug_info") && !elf_file_section(f, ".zdebug_info"))
        return;
    m->dwarf = dwarf_begin_elf(f->elf, DWARF_C_READ, NULL);
    if (!m->dwarf)
        return;
    struct unit_query *uq = arena_array(&m->arena, m->query_count, sizeof *uq);
    bool *found = arena_zarray(&m->arena, m->query_count, sizeof *found);
    uint32_t count = 0;
    Dwarf_Aranges *ranges = NULL;
    bool have = !dwarf_getaranges(m->dwarf, &ranges, NULL);
    for (uint32_t k = 0; have && k < m->query_count; k++) {
        Dwarf_Arange *r = dwarf_getarange_addr(ranges, m->queries[k].addr);
        Dwarf_Off at;
        if (r && !dwarf_getarangeinfo(r, NULL, NULL, &at)) {
            uq[count++] = (struct unit_query){at, k};
            found[k] = true;
        }
    }
    if (count < m->query_count)
        scan_units(m, uq, &count, found);
    qsort(uq, count, sizeof *uq, by_unit);
    Dwarf_Die unit;
    Dwarf_Files *files = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || uq[i].unit != uq[i - 1].unit) {
            if (!dwarf_offdie(m->dwarf, uq[i].unit, &unit))
                continue;
            if (dwarf_getsrcfiles(&unit, &files, NULL))
                files = NULL;
        }
        look_up(m, &m->queries[uq[i].query], &unit, files);
    }
}

void lines_close(struct module *m)
{
    if (m->dwarf)
        dwarf_end(m->dwarf);
    m->dwarf = NULL;
}
