/* SPDX-License-Identifier: MIT
 *
 * Lines and inlined frames of a module's addresses.
 *
 * Only the units that hold an address are read: found by .debug_aranges, and where a compiler
 * leaves those out (clang does), by the ranges of each unit's own entry. Of such a unit the line
 * program and the entries are gone through once, in the order of their bytes, for the whole batch:
 * functions and inlined calls that contain an address are noted with it, all else is skipped over.
 * The depth is followed without recursion, for the nesting is the file's. */
#include "symbol/dwarf_reader.h"

#include "base/limits.h"
#include "base/sort.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

/* A function or inlined call that contains an address. */
struct scope {
    struct scope *outer; /* NULL: the physical function */
    uint64_t offset;     /* of the entry */
    uint32_t depth;
    struct value call_file, call_line, call_column;
};

/* An address in a unit. */
struct target {
    uint64_t addr;
    struct query *query;
    struct scope *inner; /* innermost so far */
    uint64_t size;       /* of the physical function's range */
    uint64_t function;   /* offset of its entry */
};

struct finder {
    struct module *module;
    struct walk *walk;
    struct dwarf *dwarf;
    bool *found; /* by query: a unit is known */
    struct assignment {
        uint64_t unit;
        uint32_t query;
    } * units;
    uint32_t count;
    uint64_t *listed; /* units in .debug_aranges, ascending */
    uint32_t listed_count, listed_room;
    uint64_t code_low, code_high; /* of the executable segments */
};

/* Linkers that drop a function leave its entry behind with an address of 0, or nearly 2^64. */
static bool is_code(const struct finder *f, uint64_t low, uint64_t high)
{
    return low < high && low >= f->code_low && high <= f->code_high;
}

static void assign(struct finder *f, uint64_t unit, uint64_t low, uint64_t high)
{
    const struct module *m = f->module;
    if (!is_code(f, low, high))
        return;
    uint32_t k = query_lower_bound(m->queries, m->query_count, low);
    for (; k < m->query_count && m->queries[k].addr < high; k++) {
        if (f->found[k])
            continue;
        f->found[k] = true;
        f->units[f->count++] = (struct assignment){unit, k};
    }
}

/* ---- which unit (6.1.2) ---- */

static void add_listed(struct finder *f, uint64_t unit)
{
    struct arena *a = &f->module->arena;
    if (f->listed_count == f->listed_room) {
        uint32_t more = f->listed_room ? 2 * f->listed_room : 1024;
        f->listed = arena_grow(a, f->listed, f->listed_room * sizeof unit, more * sizeof unit);
        f->listed_room = more;
    }
    f->listed[f->listed_count++] = unit;
}

static int by_offset(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_listed(const struct finder *f, uint64_t unit)
{
    return f->listed_count && bsearch(&unit, f->listed, f->listed_count, sizeof unit, by_offset);
}

static void use_aranges(struct finder *f)
{
    struct cursor c = dwarf_cursor(f->dwarf, DWARF_ARANGES, 0);
    while (!c.bad && c.at < c.end) {
        const uint8_t *start = c.at;
        unsigned offset_size = 4;
        uint64_t length = cursor_uint(&c, 4);
        if (length == 0xffffffff) {
            offset_size = 8;
            length = cursor_uint(&c, 8);
        }
        if (c.bad || length > cursor_left(&c))
            return;
        struct cursor in = {c.at, c.at + length, false};
        cursor_skip(&c, length);
        unsigned version = (unsigned)cursor_uint(&in, 2);
        uint64_t unit = cursor_uint(&in, offset_size);
        unsigned size = (unsigned)cursor_uint(&in, 1), segment = (unsigned)cursor_uint(&in, 1);
        if (in.bad || version != 2 || (size != 4 && size != 8) || segment)
            continue;
        add_listed(f, unit);
        /* The pairs are aligned to their size from the start of the set. */
        uint64_t header = (uint64_t)(in.at - start);
        cursor_skip(&in, (2 * size - header % (2 * size)) % (2 * size));
        while (!in.bad) {
            uint64_t low = cursor_uint(&in, size), bytes = cursor_uint(&in, size);
            if (in.bad || (!low && !bytes))
                break;
            assign(f, unit, low, low + bytes);
        }
    }
}

/* The ranges of the entry at `c`, in whose attributes the cursor stands. */
static void entry_ranges(struct unit *u, struct cursor *c, const struct abbrev *a,
                         struct range_list *r)
{
    struct value low = {0}, high = {0}, ranges = {0};
    for (uint32_t i = 0; i < a->attr_count && !c->bad; i++) {
        struct value v = unit_value(u, c, &a->attrs[i]);
        if (a->attrs[i].name == DW_AT_low_pc)
            low = v;
        else if (a->attrs[i].name == DW_AT_high_pc)
            high = v;
        else if (a->attrs[i].name == DW_AT_ranges)
            ranges = v;
    }
    range_list_begin(r, u, &low, &high, &ranges);
}

static void use_units(struct finder *f)
{
    const uint64_t *starts;
    uint32_t count = dwarf_units(f->dwarf, &starts);
    for (uint32_t i = 0; i < count && f->count < f->module->query_count; i++) {
        struct unit *u = is_listed(f, starts[i]) ? NULL : dwarf_unit(f->dwarf, starts[i]);
        if (!u || (u->type != DW_UT_compile && u->type != DW_UT_skeleton))
            continue;
        struct cursor c = dwarf_cursor(f->dwarf, DWARF_INFO, u->first_die);
        const struct abbrev *a = unit_abbrev(u, cursor_uleb(&c));
        struct range_list r;
        uint64_t low, high;
        if (!a || a->tag == DW_TAG_partial_unit)
            continue;
        entry_ranges(u, &c, a, &r);
        while (range_list_next(&r, &low, &high))
            assign(f, u->offset, low, high);
    }
}

/* ---- which functions ---- */

/* Where the walk stands: the entries around the current one, by depth. */
struct walk {
    struct finder *finder;
    struct unit *unit;
    struct target *targets;
    uint32_t count, open; /* targets without a function yet */
    uint32_t depth;
    uint64_t around[LIMIT_DIE_DEPTH];
    uint64_t functions[LIMIT_DIE_DEPTH]; /* the physical function around, 0: none */
    /* For answers as llvm-symbolizer gives them: the functions and inlined calls around. */
    struct scope open_scopes[LIMIT_DIE_DEPTH];
    enum scope_kind { SCOPE_OTHER, SCOPE_INLINED, SCOPE_FUNCTION } kinds[LIMIT_DIE_DEPTH];
};

struct entry {
    uint64_t offset;
    struct range_list ranges;
    struct value call_file, call_line, call_column;
};

static void read_entry(struct unit *u, struct cursor *c, const struct abbrev *a, struct entry *e)
{
    struct value low = {0}, high = {0}, ranges = {0};
    e->call_file = e->call_line = e->call_column = (struct value){0};
    for (uint32_t i = 0; i < a->attr_count && !c->bad; i++) {
        struct value v = unit_value(u, c, &a->attrs[i]);
        switch (a->attrs[i].name) {
        case DW_AT_low_pc: low = v; break;
        case DW_AT_high_pc: high = v; break;
        case DW_AT_ranges: ranges = v; break;
        case DW_AT_call_file: e->call_file = v; break;
        case DW_AT_call_line: e->call_line = v; break;
        case DW_AT_call_column: e->call_column = v; break;
        default: break;
        }
    }
    range_list_begin(&e->ranges, u, &low, &high, &ranges);
}

static uint32_t first_target(const struct walk *w, uint64_t addr)
{
    uint32_t lo = 0, hi = w->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (w->targets[mid].addr < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void note(struct walk *w, struct target *t, const struct entry *e, struct scope *outer)
{
    t->inner = arena_alloc(&w->finder->module->arena, sizeof *t->inner);
    *t->inner =
        (struct scope){outer, e->offset, w->depth, e->call_file, e->call_line, e->call_column};
}

/* The entry and all that it is nested in, whether those contain the address or not: Go's compiler
 * gives outer calls too few ranges. */
static void note_nesting(struct walk *w, struct target *t)
{
    struct scope **next = &t->inner;
    for (uint32_t i = w->depth + 1; i-- > 0;) {
        if (w->kinds[i] == SCOPE_OTHER)
            continue;
        struct scope *s = arena_alloc(&w->finder->module->arena, sizeof *s);
        *s = w->open_scopes[i];
        s->outer = NULL;
        *next = s;
        next = &s->outer;
        if (w->kinds[i] == SCOPE_FUNCTION)
            return;
    }
}

static void open_scope(struct walk *w, const struct entry *e, enum scope_kind kind)
{
    w->kinds[w->depth] = kind;
    if (kind != SCOPE_OTHER)
        w->open_scopes[w->depth] =
            (struct scope){NULL, e->offset, w->depth, e->call_file, e->call_line, e->call_column};
}

/* A function that contains targets becomes theirs; of two that claim one, the smaller is right. Of
 * aliases the first one counts, llvm-symbolizer takes the last. */
static void enter_function(struct walk *w, struct entry *e)
{
    bool last = w->finder->module->as_llvm;
    uint64_t low, high;
    while (range_list_next(&e->ranges, &low, &high)) {
        if (!is_code(w->finder, low, high))
            continue;
        for (uint32_t i = first_target(w, low); i < w->count && w->targets[i].addr < high; i++) {
            struct target *t = &w->targets[i];
            if (t->inner && (t->size < high - low || (t->size == high - low && !last)))
                continue;
            w->open -= t->inner == NULL;
            t->size = high - low;
            t->function = e->offset;
            note(w, t, e, NULL);
        }
    }
}

/* An inlined call counts if everything around it contains the address as well: an entry beside the
 * innermost one, with the same address in it, is the producer's mistake. */
static void enter_inlined(struct walk *w, struct entry *e)
{
    uint64_t low, high;
    while (range_list_next(&e->ranges, &low, &high)) {
        if (!is_code(w->finder, low, high))
            continue;
        for (uint32_t i = first_target(w, low); i < w->count && w->targets[i].addr < high; i++) {
            struct target *t = &w->targets[i];
            if (w->finder->module->as_llvm) {
                note_nesting(w, t);
                continue;
            }
            if (!t->inner || t->function != w->functions[w->depth] || t->inner->depth >= w->depth ||
                w->around[t->inner->depth] != t->inner->offset)
                continue;
            note(w, t, e, t->inner);
        }
    }
}

/* Goes through all entries of the unit. Stops when every target has its function and the walk has
 * left the last of them. */
static void walk_unit(struct walk *w)
{
    struct unit *u = w->unit;
    struct cursor c = dwarf_cursor(u->dwarf, DWARF_INFO, u->first_die);
    const uint8_t *origin = c.at - u->first_die;
    struct entry e;
    if (c.bad)
        return;
    c.end = origin + u->end;
    uint32_t depth = 0;
    while (!c.bad && c.at < c.end) {
        e.offset = (uint64_t)(c.at - origin);
        uint64_t code = cursor_uleb(&c);
        if (!code) {
            if (depth-- <= 1)
                return;
            continue;
        }
        const struct abbrev *a = unit_abbrev(u, code);
        if (!a)
            return;
        bool function = a->tag == DW_TAG_subprogram;
        bool followed = depth < LIMIT_DIE_DEPTH;
        if (followed) {
            w->around[depth] = e.offset;
            w->functions[depth] = depth ? w->functions[depth - 1] : 0;
            w->depth = depth;
        }
        if (followed && (function || a->tag == DW_TAG_inlined_subroutine)) {
            if (function && !w->open && depth <= 1 && !w->finder->module->as_llvm)
                return;
            read_entry(u, &c, a, &e);
            open_scope(w, &e, function ? SCOPE_FUNCTION : SCOPE_INLINED);
            if (function) {
                w->functions[depth] = e.offset;
                enter_function(w, &e);
            } else {
                enter_inlined(w, &e);
            }
        } else {
            if (followed)
                open_scope(w, &e, SCOPE_OTHER);
            unit_skip(u, &c, a);
        }
        depth += a->children;
    }
}

/* ---- names ---- */

struct naming {
    const char *linkage, *name, *file;
    int64_t line;
};

/* Names stand at the entry itself, at what it is an instance of (abstract_origin), or at the
 * declaration in its class (specification). The nearest one of each counts. */
static void find_names(struct unit *u, uint64_t offset, struct naming *n)
{
    for (int hop = 0; u && hop < LIMIT_DWARF_HOPS; hop++) {
        struct cursor c = dwarf_cursor(u->dwarf, DWARF_INFO, offset);
        const struct abbrev *a = unit_abbrev(u, cursor_uleb(&c));
        struct value next = {0}, file = {0}, line = {0};
        for (uint32_t i = 0; a && i < a->attr_count && !c.bad; i++) {
            struct value v = unit_value(u, &c, &a->attrs[i]);
            switch (a->attrs[i].name) {
            case DW_AT_linkage_name:
            case DW_AT_MIPS_linkage_name:
                if (!n->linkage)
                    n->linkage = unit_string(u, &v);
                break;
            case DW_AT_name:
                if (!n->name)
                    n->name = unit_string(u, &v);
                break;
            case DW_AT_decl_file: file = v; break;
            case DW_AT_decl_line: line = v; break;
            case DW_AT_abstract_origin:
            case DW_AT_specification: next = v; break;
            default: break;
            }
        }
        if (line.form && !n->line)
            n->line = line.number <= INT32_MAX ? (int64_t)line.number : 0;
        if (file.form && !n->file)
            n->file = dwarf_line_file(u, file.number);
        u = next.form ? unit_reference(u, &next, &offset) : NULL;
    }
}

static void make_frames(struct module *m, struct unit *u, const struct target *t,
                        const struct line_row *row)
{
    struct query *q = t->query;
    uint32_t count = 0;
    for (const struct scope *s = t->inner; s; s = s->outer)
        count++;
    if (!count && !row->found)
        return;
    q->frame_count = count ? count : 1;
    q->frames = arena_zarray(&m->arena, q->frame_count, sizeof *q->frames);
    const char *file = row->found ? dwarf_line_file(u, row->file) : NULL;
    int64_t line = row->line, column = row->column;
    struct frame *f = q->frames;
    f->file = file;
    f->line = line;
    f->column = column;
    for (const struct scope *s = t->inner; s; s = s->outer, f++) {
        struct naming n = {0};
        find_names(u, s->offset, &n);
        f->file = file;
        f->line = line;
        f->column = column;
        f->decl_line = n.line;
        f->name = n.linkage && n.linkage[0] ? n.linkage : n.name;
        if (file && n.file && (file == n.file || !strcmp(file, n.file)))
            f->start_line = n.line;
        file = s->call_file.form ? dwarf_line_file(u, s->call_file.number) : NULL;
        line = s->call_line.number <= INT32_MAX ? (int64_t)s->call_line.number : 0;
        column = s->call_column.number <= INT32_MAX ? (int64_t)s->call_column.number : 0;
    }
}

/* Depth of inlining is bounded here, where it costs nothing: the outermost frames are kept. */
static void cut(struct target *t)
{
    uint32_t count = 0;
    for (struct scope *s = t->inner; s; s = s->outer)
        count++;
    for (; count > LIMIT_INLINE_DEPTH; count--)
        t->inner = t->inner->outer;
}

static void look_up(struct finder *f, const struct assignment *a, uint32_t count)
{
    struct module *m = f->module;
    struct unit *u = dwarf_unit(f->dwarf, a->unit);
    if (!u)
        return;
    struct walk *w = f->walk;
    uint64_t *addrs = arena_array(&m->arena, count, sizeof *addrs);
    struct line_row *rows = arena_array(&m->arena, count, sizeof *rows);
    w->count = w->open = count;
    w->targets = arena_zarray(&m->arena, count, sizeof *w->targets);
    for (uint32_t i = 0; i < count; i++) {
        w->targets[i].query = &m->queries[a[i].query];
        addrs[i] = w->targets[i].addr = w->targets[i].query->addr;
    }
    dwarf_line_find(u, addrs, count, rows);
    u = w->unit = dwarf_split(u);
    walk_unit(w);
    for (uint32_t i = 0; i < count; i++) {
        cut(&w->targets[i]);
        make_frames(m, u, &w->targets[i], &rows[i]);
    }
}

static int by_unit(const void *a, const void *b)
{
    const struct assignment *x = a, *y = b;
    if (x->unit != y->unit)
        return x->unit < y->unit ? -1 : 1;
    return x->query < y->query ? -1 : x->query > y->query;
}

static bool has_dwarf(const struct elf_file *f)
{
    const struct section *s = f->elf ? elf_file_section(f, ".debug_info") : NULL;
    return s && s->type != SHT_NOBITS;
}

void lines_find(struct module *m)
{
    struct elf_file *file = has_dwarf(&m->debug_elf) ? &m->debug_elf : &m->elf;
    if (!m->query_count || !has_dwarf(file))
        return;
    if (!m->dwarf) {
        m->dwarf = arena_alloc(&m->arena, sizeof *m->dwarf);
        dwarf_open(m->dwarf, m, file, file == &m->elf ? m->file : m->debug);
    }
    struct finder f = {.module = m, .dwarf = m->dwarf, .code_low = UINT64_MAX};
    for (size_t i = 0; i < m->elf.phdr_count; i++) {
        const GElf_Phdr *h = &m->elf.phdrs[i];
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_X))
            continue;
        if (h->p_vaddr < f.code_low)
            f.code_low = h->p_vaddr;
        if (h->p_vaddr + h->p_memsz > f.code_high)
            f.code_high = h->p_vaddr + h->p_memsz;
    }
    f.walk = arena_zalloc(&m->arena, sizeof *f.walk);
    f.walk->finder = &f;
    f.found = arena_zarray(&m->arena, m->query_count, sizeof *f.found);
    f.units = arena_array(&m->arena, m->query_count, sizeof *f.units);
    use_aranges(&f);
    if (f.listed_count)
        sort_list(f.listed, f.listed_count, sizeof *f.listed, by_offset);
    if (f.count < m->query_count)
        use_units(&f);
    sort_list(f.units, f.count, sizeof *f.units, by_unit);
    for (uint32_t i = 0, next; i < f.count; i = next) {
        for (next = i + 1; next < f.count && f.units[next].unit == f.units[i].unit; next++)
            ;
        look_up(&f, &f.units[i], next - i);
    }
}

void lines_close(struct module *m)
{
    if (m->dwarf)
        dwarf_close(m->dwarf);
    m->dwarf = NULL;
}
