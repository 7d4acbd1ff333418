/* SPDX-License-Identifier: MIT
 *
 * Split DWARF (3.1.2, 7.3): of a unit compiled with -gsplit-dwarf the linked program has a skeleton
 * only, with its ranges, lines and addresses; functions and inlined calls are in a .dwo file, which
 * the skeleton names, or in a package of all of them (.dwp) beside the program. GNU's form of it
 * before version 5 differs in names and in where its indexes count from.
 *
 * A file counts only if a unit in it has the skeleton's id. Files stay open until the program's
 * DWARF is closed, for names point into them. */
#include "symbol/dwarf_reader.h"

#include "base/limits.h"

#include <dwarf.h>
#include <string.h>

struct split_file {
    struct dwarf dwarf;
    struct elf_file elf;
    struct split_file *next;
};

static struct split_file *open_file(struct dwarf *d, const char *path)
{
    struct split_file *f = arena_zalloc(d->arena, sizeof *f);
    if (elf_file_open(&f->elf, path, d->arena))
        return NULL;
    dwarf_open(&f->dwarf, d->module, &f->elf, path);
    f->dwarf.is_split = true;
    f->next = d->split_files;
    d->split_files = f;
    return f;
}

void dwarf_close_split(struct dwarf *d)
{
    for (struct split_file *f = d->split_files; f; f = f->next)
        elf_file_close(&f->elf);
    d->split_files = NULL;
}

/* The unit with the skeleton's id among those that begin in [from, to) of the file. */
static struct unit *find_unit(struct dwarf *d, const struct split_place *place, uint64_t to)
{
    struct split_place at = *place;
    while (at.info < to) {
        struct unit *u = dwarf_split_unit(d, &at);
        if (!u)
            return NULL;
        bool whole = u->type == DW_UT_split_compile || u->type == DW_UT_compile;
        if (whole && u->has_dwo_id && u->dwo_id == place->skeleton->dwo_id)
            return u;
        at.info = u->end;
    }
    return NULL;
}

/* ---- packages (7.3.5) ---- */

struct index {
    struct cursor columns, offsets, sizes;
    uint32_t column_count;
    uint32_t row; /* of the unit, from 0 */
};

static bool find_row(struct dwarf *d, uint64_t id, struct index *x)
{
    struct cursor c = dwarf_cursor(d, DWARF_CU_INDEX, 0);
    uint64_t version = cursor_uint(&c, 4) & 0xffff; /* 5 is two bytes, and two of padding */
    x->column_count = (uint32_t)cursor_uint(&c, 4);
    uint32_t units = (uint32_t)cursor_uint(&c, 4), slots = (uint32_t)cursor_uint(&c, 4);
    uint64_t table = 4ull * x->column_count * units;
    if (c.bad || (version != 2 && version != 5) || slots & (slots - 1) || !slots ||
        x->column_count > 16 ||
        12ull * slots + 4ull * x->column_count + 2 * table > cursor_left(&c))
        return false;
    struct cursor ids = c, rows = c;
    cursor_skip(&rows, 8ull * slots);
    uint32_t slot = (uint32_t)id & (slots - 1), step = ((uint32_t)(id >> 32) & (slots - 1)) | 1;
    x->row = 0;
    for (uint32_t i = 0; i < slots && !x->row; i++, slot = (slot + step) & (slots - 1)) {
        struct cursor one_id = {ids.at + 8ull * slot, ids.end, false};
        struct cursor one_row = {rows.at + 4ull * slot, rows.end, false};
        if (cursor_uint(&one_id, 8) == id)
            x->row = (uint32_t)cursor_uint(&one_row, 4);
    }
    if (!x->row || x->row-- > units)
        return false;
    x->columns = rows;
    cursor_skip(&x->columns, 4ull * slots);
    x->offsets = x->columns;
    cursor_skip(&x->offsets, 4ull * x->column_count * (1 + (uint64_t)x->row));
    x->sizes = x->offsets;
    cursor_skip(&x->sizes, table);
    return true;
}

static struct unit *find_in_package(struct dwarf *package, struct unit *skeleton)
{
    enum { INFO = 1, ABBREV = 3, STR_OFFSETS = 6, RNGLISTS = 8 }; /* 8 is another thing before 5 */
    struct split_place place = {.skeleton = skeleton};
    struct index x;
    uint64_t end = 0;
    if (!find_row(package, skeleton->dwo_id, &x))
        return NULL;
    for (uint32_t i = 0; i < x.column_count; i++) {
        uint64_t column = cursor_uint(&x.columns, 4), offset = cursor_uint(&x.offsets, 4);
        uint64_t size = cursor_uint(&x.sizes, 4);
        if (column == INFO) {
            place.info = offset;
            end = offset + size;
        } else if (column == ABBREV) {
            place.abbrev = offset;
        } else if (column == STR_OFFSETS) {
            place.str_offsets = offset;
        } else if (column == RNGLISTS) {
            place.rnglists = offset;
        }
    }
    return find_unit(package, &place, end);
}

/* PROGRAM.dwp, or the debug file's name with .dwp behind it. */
static struct dwarf *package_of(struct dwarf *d)
{
    if (!d->package_looked) {
        const struct module *m = d->module;
        d->package_looked = true;
        struct split_file *f =
            open_file(d, arena_printf(d->arena, "%s%s.dwp",
                                      m->file[0] == '/' ? m->places.sysroot : "", m->file));
        if (!f && d->path)
            f = open_file(d, arena_printf(d->arena, "%s.dwp", d->path));
        d->package = f ? &f->dwarf : NULL;
    }
    return d->package;
}

/* ---- files ---- */

/* A section that begins with a type unit holds only that one: compilers write each into a section
 * of its own, so that a linker could drop those it has already. */
static bool is_types(const struct elf_file *f, const struct section *s)
{
    Elf_Data *data = elf_file_data(f, s);
    if (!data)
        return true;
    struct cursor c = {data->d_buf, (const uint8_t *)data->d_buf + data->d_size, false};
    if (cursor_uint(&c, 4) == 0xffffffff)
        cursor_skip(&c, 8);
    return cursor_uint(&c, 2) == 5 && cursor_uint(&c, 1) == DW_UT_split_type;
}

static struct unit *find_in_file(struct dwarf *d, const char *path, struct unit *skeleton)
{
    struct split_place place = {.skeleton = skeleton};
    struct split_file *f = open_file(d, path);
    struct unit *found = NULL;
    for (size_t i = 1; f && i < f->elf.section_count && !found; i++) {
        const struct section *s = &f->elf.sections[i];
        if ((strcmp(s->name, ".debug_info.dwo") && strcmp(s->name, ".zdebug_info.dwo")) ||
            is_types(&f->elf, s))
            continue;
        /* Offsets are those in the section, so each has a table of units of its own. */
        struct dwarf *one = arena_alloc(d->arena, sizeof *one);
        *one = f->dwarf;
        one->info = s;
        found = find_unit(one, &place, UINT64_MAX);
    }
    return found;
}

/* Under the name that the compiler wrote, else beside the program. */
static struct unit *find_beside(struct unit *u)
{
    struct dwarf *d = u->dwarf;
    const struct module *m = d->module;
    const char *name = u->dwo_name, *root = m->places.sysroot;
    const char *path = name[0] == '/' || !u->directory
                           ? arena_printf(d->arena, "%s%s", root, name)
                           : arena_printf(d->arena, "%s%s/%s", root, u->directory, name);
    struct unit *found = find_in_file(d, path, u);
    const char *slash = strrchr(m->file, '/');
    if (found || !slash)
        return found;
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    return find_in_file(
        d, arena_printf(d->arena, "%s%.*s/%s", root, (int)(slash - m->file), m->file, base), u);
}

struct unit *dwarf_split(struct unit *u)
{
    if (!u->dwo_name || !u->has_dwo_id)
        return u;
    if (!u->split_looked) {
        struct dwarf *package = package_of(u->dwarf);
        u->split_looked = true;
        u->split = package ? find_in_package(package, u) : NULL;
        if (!u->split)
            u->split = find_beside(u);
        if (!u->split && !u->dwarf->module->no_split++)
            u->dwarf->module->no_split_name = u->dwo_name;
    }
    return u->split ? u->split : u;
}
