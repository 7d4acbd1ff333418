/* SPDX-License-Identifier: MIT
 *
 * Sections, units, abbreviations and attribute values of DWARF: dwarf_reader.h says for what.
 *
 * Units and abbreviation tables are parsed when an address or a reference leads to them and are
 * kept until the file is closed. An alternate file, which dwz makes for what several debug files
 * have in common (.gnu_debugaltlink), is opened when a first value points into it. */
#include "symbol/dwarf_reader.h"

#include "base/limits.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

const char *cursor_string(struct cursor *c)
{
    const uint8_t *nul = memchr(c->at, 0, cursor_left(c));
    const char *s = (const char *)c->at;
    if (!nul) {
        c->bad = true;
        return NULL;
    }
    c->at = nul + 1;
    return s;
}

void dwarf_open(struct dwarf *d, struct module *m, struct elf_file *f, const char *path)
{
    *d = (struct dwarf){
        .module = m, .file = f, .arena = &m->arena, .path = path, .as_llvm = m->as_llvm};
}

void dwarf_close(struct dwarf *d)
{
    if (d->alt_file.elf)
        elf_file_close(&d->alt_file);
    d->alt = NULL;
    dwarf_close_split(d);
}

struct cursor dwarf_cursor(struct dwarf *d, enum dwarf_section which, uint64_t offset)
{
    static const char *const names[DWARF_SECTIONS] = {
        ".debug_info",     ".debug_abbrev",      ".debug_line",     ".debug_str",
        ".debug_line_str", ".debug_str_offsets", ".debug_addr",     ".debug_ranges",
        ".debug_rnglists", ".debug_aranges",     ".debug_cu_index",
    };
    if (!d->sections[which].loaded) {
        const char *name = names[which];
        if (d->is_split && which != DWARF_CU_INDEX)
            name = arena_printf(d->arena, "%s.dwo", name);
        const struct section *s = elf_file_section(d->file, name);
        if (which == DWARF_INFO && d->info)
            s = d->info;
        Elf_Data *data = s ? elf_file_data(d->file, s) : NULL;
        d->sections[which].bytes = data ? data->d_buf : NULL;
        d->sections[which].size = data ? data->d_size : 0;
        d->sections[which].loaded = true;
    }
    const uint8_t *p = d->sections[which].bytes;
    uint64_t size = d->sections[which].size;
    if (!p || offset >= size)
        return (struct cursor){p, p, true};
    return (struct cursor){p + offset, p + size, false};
}

/* ---- abbreviations (7.5.3) ---- */

/* The size of a form that always has the same, else -1. */
static int form_size(unsigned form, unsigned address_size, unsigned offset_size)
{
    switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const: return 0;
    case DW_FORM_data1:
    case DW_FORM_ref1:
    case DW_FORM_flag:
    case DW_FORM_strx1:
    case DW_FORM_addrx1: return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2: return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3: return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_ref_sup4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4: return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sig8:
    case DW_FORM_ref_sup8: return 8;
    case DW_FORM_data16: return 16;
    case DW_FORM_addr: return (int)address_size;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_sec_offset:
    case DW_FORM_ref_addr:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt: return (int)offset_size;
    default: return -1;
    }
}

static bool read_abbrev(struct arena *a, struct cursor *c, struct abbrev *ab,
                        const struct abbrev_table *t)
{
    uint32_t room = 0;
    int64_t size = 0;
    *ab = (struct abbrev){.code = cursor_uleb(c)};
    if (!ab->code || c->bad)
        return false;
    ab->tag = (uint16_t)cursor_uleb(c);
    ab->children = cursor_uint(c, 1) == DW_CHILDREN_yes;
    for (;;) {
        struct abbrev_attr at = {.name = (uint16_t)cursor_uleb(c)};
        at.form = (uint16_t)cursor_uleb(c);
        if (at.form == DW_FORM_implicit_const)
            at.constant = cursor_sleb(c);
        if (c->bad || ab->attr_count == LIMIT_DWARF_ATTRIBUTES)
            return false;
        if (!at.name && !at.form)
            break;
        if (ab->attr_count == room) {
            uint32_t more = room ? 2 * room : 8;
            ab->attrs = arena_grow(a, ab->attrs, room * sizeof at, more * sizeof at);
            room = more;
        }
        ab->attrs[ab->attr_count++] = at;
        int one = form_size(at.form, t->address_size, t->offset_size);
        size = one < 0 || size < 0 ? -1 : size + one;
    }
    ab->size = size > 0 ? (uint32_t)size : 0;
    return true;
}

static struct abbrev_table *abbrev_table(struct dwarf *d, uint64_t offset, const struct unit *u)
{
    struct abbrev_table **bucket = &d->tables[(offset ^ offset >> 10) % DWARF_BUCKETS];
    struct abbrev_table *t = *bucket;
    for (; t; t = t->next) {
        if (t->offset == offset && t->address_size == u->address_size &&
            t->offset_size == u->offset_size)
            return t;
    }
    t = arena_alloc(d->arena, sizeof *t);
    *t = (struct abbrev_table){.offset = offset,
                               .address_size = u->address_size,
                               .offset_size = u->offset_size,
                               .rest = dwarf_cursor(d, DWARF_ABBREV, offset),
                               .arena = d->arena,
                               .next = *bucket};
    return *bucket = t;
}

/* Reads one more; NULL at the end of the table. */
static struct abbrev *next_abbrev(struct abbrev_table *t)
{
    struct abbrev *ab = t->rest.bad ? NULL : arena_alloc(t->arena, sizeof *ab);
    if (!ab || t->count == UINT32_MAX || !read_abbrev(t->arena, &t->rest, ab, t)) {
        t->rest.bad = true;
        return NULL;
    }
    if (t->count == t->room) {
        uint32_t more = t->room ? 2 * t->room : 16;
        t->list = arena_grow(t->arena, t->list, t->room * sizeof ab, more * sizeof ab);
        t->room = more;
    }
    return t->list[t->count++] = ab;
}

const struct abbrev *unit_abbrev(const struct unit *u, uint64_t code)
{
    struct abbrev_table *t = u->abbrevs;
    if (code - 1 < t->count && t->list[code - 1]->code == code)
        return t->list[code - 1];
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->list[i]->code == code)
            return t->list[i];
    }
    for (;;) {
        struct abbrev *ab = next_abbrev(t);
        if (!ab || ab->code == code)
            return ab;
    }
}

/* ---- values (7.5.5, 7.5.6) ---- */

static uint64_t block_size(struct cursor *c, unsigned form)
{
    switch (form) {
    case DW_FORM_block1: return cursor_uint(c, 1);
    case DW_FORM_block2: return cursor_uint(c, 2);
    case DW_FORM_block4: return cursor_uint(c, 4);
    default: return cursor_uleb(c);
    }
}

struct value unit_value(const struct unit *u, struct cursor *c, const struct abbrev_attr *a)
{
    unsigned form = a->form;
    if (form == DW_FORM_indirect)
        form = (unsigned)cursor_uleb(c);
    struct value v = {.form = (uint16_t)form};
    switch (form) {
    case DW_FORM_implicit_const: v.number = (uint64_t)a->constant; return v;
    case DW_FORM_flag_present: v.number = 1; return v;
    case DW_FORM_string: v.inline_string = cursor_string(c); return v;
    case DW_FORM_sdata: v.number = (uint64_t)cursor_sleb(c); return v;
    case DW_FORM_udata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index: v.number = cursor_uleb(c); return v;
    case DW_FORM_block:
    case DW_FORM_block1:
    case DW_FORM_block2:
    case DW_FORM_block4:
    case DW_FORM_exprloc: cursor_skip(c, block_size(c, form)); return v;
    case DW_FORM_data16: cursor_skip(c, 16); return v;
    default: break;
    }
    /* In DWARF 2 a reference to another unit has the size of an address. */
    unsigned wide = form == DW_FORM_ref_addr && u->version < 3 ? u->address_size : u->offset_size;
    int size = form_size(form, u->address_size, wide);
    if (size < 0 || size > 8)
        c->bad = true; /* a form nobody knows: there is no way to go on */
    else
        v.number = cursor_uint(c, (unsigned)size);
    return v;
}

void unit_skip(const struct unit *u, struct cursor *c, const struct abbrev *a)
{
    if (a->size) {
        cursor_skip(c, a->size);
        return;
    }
    for (uint32_t i = 0; i < a->attr_count && !c->bad; i++)
        unit_value(u, c, &a->attrs[i]);
}

static const char *string_at(struct dwarf *d, enum dwarf_section s, uint64_t offset)
{
    struct cursor c = dwarf_cursor(d, s, offset);
    return c.bad ? NULL : cursor_string(&c);
}

static struct dwarf *alternate(struct dwarf *d);

const char *unit_string(struct unit *u, const struct value *v)
{
    struct dwarf *d = u->dwarf;
    struct cursor c;
    switch (v->form) {
    case DW_FORM_string: return v->inline_string;
    case DW_FORM_strp: return string_at(d, DWARF_STR, v->number);
    case DW_FORM_line_strp: return string_at(d, DWARF_LINE_STR, v->number);
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_strp_alt:
        d = alternate(d);
        return d ? string_at(d, DWARF_STR, v->number) : NULL;
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
    case DW_FORM_GNU_str_index:
        if (v->number >= UINT32_MAX)
            return NULL;
        c = dwarf_cursor(d, DWARF_STR_OFFSETS, u->str_offsets_base + v->number * u->offset_size);
        return c.bad ? NULL : string_at(d, DWARF_STR, cursor_uint(&c, u->offset_size));
    default: return NULL;
    }
}

uint64_t unit_address(struct unit *u, const struct value *v)
{
    switch (v->form) {
    case DW_FORM_addrx:
    case DW_FORM_addrx1:
    case DW_FORM_addrx2:
    case DW_FORM_addrx3:
    case DW_FORM_addrx4:
    case DW_FORM_GNU_addr_index: break;
    default: return v->number;
    }
    if (v->number >= UINT32_MAX)
        return 0;
    if (u->skeleton)
        u = u->skeleton;
    struct cursor c =
        dwarf_cursor(u->dwarf, DWARF_ADDR, u->addr_base + v->number * u->address_size);
    return cursor_uint(&c, u->address_size);
}

struct unit *unit_reference(struct unit *u, const struct value *v, uint64_t *offset)
{
    struct dwarf *d = u->dwarf;
    *offset = v->number;
    switch (v->form) {
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
        *offset += u->offset;
        return *offset >= u->first_die && *offset < u->end ? u : NULL;
    case DW_FORM_ref_sup4:
    case DW_FORM_ref_sup8:
    case DW_FORM_GNU_ref_alt: d = alternate(d); break;
    case DW_FORM_ref_addr: break;
    default: return NULL;
    }
    return d ? dwarf_unit_containing(d, *offset) : NULL;
}

/* ---- units (7.5.1) ---- */

/* The attributes of the unit's own entry that others need. Bases first: strings depend on them. */
static void read_unit_entry(struct unit *u)
{
    struct cursor c = dwarf_cursor(u->dwarf, DWARF_INFO, u->first_die);
    const struct abbrev *a = unit_abbrev(u, cursor_uleb(&c));
    struct value low = {0}, directory = {0}, dwo_name = {0};
    for (uint32_t i = 0; a && i < a->attr_count && !c.bad; i++) {
        struct value v = unit_value(u, &c, &a->attrs[i]);
        switch (a->attrs[i].name) {
        case DW_AT_low_pc: low = v; break;
        case DW_AT_comp_dir: directory = v; break;
        case DW_AT_str_offsets_base: u->str_offsets_base = v.number; break;
        case DW_AT_addr_base:
        case DW_AT_GNU_addr_base: u->addr_base = v.number; break;
        case DW_AT_GNU_ranges_base: u->ranges_base = v.number; break;
        case DW_AT_dwo_name:
        case DW_AT_GNU_dwo_name: dwo_name = v; break;
        case DW_AT_GNU_dwo_id:
            u->dwo_id = v.number;
            u->has_dwo_id = true;
            break;
        case DW_AT_rnglists_base: u->rnglists_base = v.number; break;
        case DW_AT_stmt_list:
            u->line_offset = v.number;
            u->has_lines = true;
            break;
        default: break;
        }
    }
    if (low.form)
        u->low_pc = unit_address(u, &low);
    if (directory.form)
        u->directory = unit_string(u, &directory);
    if (dwo_name.form && !u->skeleton)
        u->dwo_name = unit_string(u, &dwo_name);
}

/* Reads the header at the cursor, as far as the first entry. */
static bool read_header(struct cursor *c, struct unit *u, uint64_t *abbrevs)
{
    const uint8_t *start = c->at;
    uint64_t length = cursor_uint(c, 4);
    u->offset_size = 4;
    if (length == 0xffffffff) {
        length = cursor_uint(c, 8);
        u->offset_size = 8;
    }
    if (c->bad || length > cursor_left(c))
        return false;
    u->end = u->offset + (uint64_t)(c->at - start) + length;
    c->end = c->at + length;
    u->version = (unsigned)cursor_uint(c, 2);
    u->type = DW_UT_compile;
    if (u->version >= 5) {
        u->type = (unsigned)cursor_uint(c, 1);
        u->address_size = (unsigned)cursor_uint(c, 1);
        *abbrevs = cursor_uint(c, u->offset_size);
        u->has_dwo_id = u->type == DW_UT_skeleton || u->type == DW_UT_split_compile;
        if (u->has_dwo_id)
            u->dwo_id = cursor_uint(c, 8);
        else if (u->type == DW_UT_type || u->type == DW_UT_split_type)
            cursor_skip(c, 8 + u->offset_size);
    } else {
        *abbrevs = cursor_uint(c, u->offset_size);
        u->address_size = (unsigned)cursor_uint(c, 1);
    }
    u->first_die = u->offset + (uint64_t)(c->at - start);
    return !c->bad && u->version >= 2 && u->version <= 5 &&
           (u->address_size == 4 || u->address_size == 8);
}

/* `place` is NULL for what is no split unit. */
static struct unit *get_unit(struct dwarf *d, uint64_t offset, const struct split_place *place)
{
    struct unit **bucket = &d->units[(offset ^ offset >> 9) % DWARF_BUCKETS];
    for (struct unit *u = *bucket; u; u = u->next) {
        if (u->offset == offset)
            return u;
    }
    struct unit h = {.dwarf = d, .offset = offset, .next = *bucket};
    struct cursor c = dwarf_cursor(d, DWARF_INFO, offset);
    uint64_t abbrevs;
    if (c.bad || !read_header(&c, &h, &abbrevs))
        return NULL;
    h.abbrevs = abbrev_table(d, abbrevs + (place ? place->abbrev : 0), &h);
    struct unit *u = arena_alloc(d->arena, sizeof *u);
    *u = h;
    *bucket = u;
    /* Where producers leave the base out, it is behind the section's first header; GNU's split
     * units of version 4 have none. */
    if (!place || u->version >= 5)
        u->str_offsets_base = u->offset_size == 8 ? 16 : 8;
    if (place) {
        u->skeleton = place->skeleton;
        u->low_pc = place->skeleton->low_pc;
        u->str_offsets_base += place->str_offsets;
        u->rnglists_base = place->rnglists + (u->offset_size == 8 ? 20 : 12);
        u->lists_offset = place->rnglists;
    }
    read_unit_entry(u);
    return u;
}

struct unit *dwarf_unit(struct dwarf *d, uint64_t offset)
{
    return get_unit(d, offset, NULL);
}

struct unit *dwarf_split_unit(struct dwarf *d, const struct split_place *place)
{
    return get_unit(d, place->info, place);
}

uint32_t dwarf_units(struct dwarf *d, const uint64_t **starts)
{
    uint32_t room = 0;
    for (uint64_t offset = 0; !d->listed;) {
        struct cursor c = dwarf_cursor(d, DWARF_INFO, offset);
        uint64_t length = cursor_uint(&c, 4), header = 4;
        if (length == 0xffffffff) {
            length = cursor_uint(&c, 8);
            header = 12;
        }
        d->listed = c.bad || !length || length > cursor_left(&c) || d->start_count == UINT32_MAX;
        if (d->listed)
            break;
        if (d->start_count == room) {
            uint32_t more = room ? 2 * room : 1024;
            d->starts = arena_grow(d->arena, d->starts, room * sizeof offset, more * sizeof offset);
            room = more;
        }
        d->starts[d->start_count++] = offset;
        offset += header + length;
    }
    *starts = d->starts;
    return d->start_count;
}

struct unit *dwarf_unit_containing(struct dwarf *d, uint64_t offset)
{
    const uint64_t *starts;
    uint32_t lo = 0, hi = dwarf_units(d, &starts);
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (starts[mid] <= offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    struct unit *u = lo ? dwarf_unit(d, starts[lo - 1]) : NULL;
    return u && offset >= u->first_die && offset < u->end ? u : NULL;
}

/* ---- the alternate file ---- */

struct alternate_link {
    const char *name;
    const uint8_t *id;
    size_t id_size;
};

/* .gnu_debugaltlink: a file's name and the build id that it must have. .debug_sup (7.3.6) is the
 * same with a head: version, whether this is itself the supplementary file, name, checksum. */
static bool read_link(struct dwarf *d, struct alternate_link *l)
{
    bool standard = false;
    const struct section *s = elf_file_section(d->file, ".gnu_debugaltlink");
    if (!s) {
        standard = true;
        s = elf_file_section(d->file, ".debug_sup");
    }
    Elf_Data *data = s ? elf_file_data(d->file, s) : NULL;
    if (!data)
        return false;
    struct cursor c = {data->d_buf, (const uint8_t *)data->d_buf + data->d_size, false};
    if (standard && (cursor_uint(&c, 2) < 2 || cursor_uint(&c, 1)))
        return false;
    l->name = cursor_string(&c);
    l->id_size = standard ? cursor_uleb(&c) : cursor_left(&c);
    l->id = c.at;
    return l->name && !c.bad && l->id_size >= 2 && l->id_size <= 64 &&
           l->id_size <= cursor_left(&c);
}

/* Whether the file is the one that is meant: by its build id, or the checksum in its .debug_sup. */
static bool is_alternate(const struct elf_file *f, const struct alternate_link *l)
{
    if (f->build_id && f->build_id_size == l->id_size && !memcmp(f->build_id, l->id, l->id_size))
        return true;
    const struct section *s = elf_file_section(f, ".debug_sup");
    Elf_Data *data = s ? elf_file_data(f, s) : NULL;
    if (!data)
        return false;
    struct cursor c = {data->d_buf, (const uint8_t *)data->d_buf + data->d_size, false};
    cursor_skip(&c, 3);
    cursor_string(&c);
    return cursor_uleb(&c) == l->id_size && !c.bad && cursor_left(&c) >= l->id_size &&
           !memcmp(c.at, l->id, l->id_size);
}

static bool open_alternate(struct dwarf *d, const char *path, const struct alternate_link *l)
{
    if (elf_file_open(&d->alt_file, path, d->arena))
        return false;
    if (is_alternate(&d->alt_file, l))
        return true;
    elf_file_close(&d->alt_file);
    return false;
}

/* A relative name is relative to the directory of the file that has the link, which may be known by
 * a symbolic link elsewhere (.build-id/). */
static const char *find_alternate(struct dwarf *d, const struct alternate_link *l)
{
    const char *slash = d->path ? strrchr(d->path, '/') : NULL;
    if (l->name[0] == '/' || !slash) {
        const char *path = arena_printf(d->arena, "%s%s", d->module->places.sysroot, l->name);
        if (open_alternate(d, path, l))
            return path;
    } else {
        const char *path =
            arena_printf(d->arena, "%.*s/%s", (int)(slash - d->path), d->path, l->name);
        if (open_alternate(d, path, l))
            return path;
        char *real = realpath(d->path, NULL);
        path = real ? arena_printf(d->arena, "%.*s/%s", (int)(strrchr(real, '/') - real), real,
                                   l->name)
                    : NULL;
        free(real);
        if (path && open_alternate(d, path, l))
            return path;
    }
    return debug_file_by_id(d->module, l->id, l->id_size, &d->alt_file);
}

static struct dwarf *alternate(struct dwarf *d)
{
    struct alternate_link l;
    if (d->alt_looked)
        return d->alt;
    d->alt_looked = true;
    const char *path = read_link(d, &l) ? find_alternate(d, &l) : NULL;
    if (!path)
        return NULL;
    d->alt = arena_alloc(d->arena, sizeof *d->alt);
    dwarf_open(d->alt, d->module, &d->alt_file, path);
    d->alt->alt_looked = true; /* an alternate file has none itself */
    return d->alt;
}
