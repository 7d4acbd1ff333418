/* SPDX-License-Identifier: MIT
 *
 * Line number programs (6.2). A program is run once for all addresses of its unit, and no row is
 * kept: between two rows lie the addresses that the first one describes. */
#include "symbol/dwarf_reader.h"

#include "base/limits.h"

#include <dwarf.h>
#include <string.h>

struct line_file {
    const char *name;
    uint64_t directory;
    const char *path; /* made when it is asked for */
};

struct line_table {
    unsigned version, offset_size, min_length, range;
    int base;
    bool good;
    uint8_t opcode_base, lengths[256];
    struct cursor program;
    const char **directories;
    uint64_t directory_count;
    struct line_file *files;
    uint64_t file_count;
};

static bool add_directory(struct arena *a, struct line_table *t, uint64_t *room, const char *name)
{
    if (t->directory_count == LIMIT_DWARF_FILES)
        return false;
    if (t->directory_count == *room) {
        uint64_t more = *room ? 2 * *room : 16;
        t->directories = arena_grow(a, t->directories, *room * sizeof *t->directories,
                                    more * sizeof *t->directories);
        *room = more;
    }
    t->directories[t->directory_count++] = name;
    return true;
}

static bool add_file(struct arena *a, struct line_table *t, uint64_t *room, struct line_file f)
{
    if (t->file_count == LIMIT_DWARF_FILES)
        return false;
    if (t->file_count == *room) {
        uint64_t more = *room ? 2 * *room : 32;
        t->files = arena_grow(a, t->files, *room * sizeof f, more * sizeof f);
        *room = more;
    }
    t->files[t->file_count++] = f;
    return true;
}

/* Up to version 4: two lists of strings. Directory 0 is the unit's, file 0 is nobody. */
static bool read_names4(struct unit *u, struct line_table *t, struct cursor *c)
{
    uint64_t dirs = 0, files = 0;
    struct arena *a = u->dwarf->arena;
    add_directory(a, t, &dirs, u->directory);
    for (;;) {
        const char *name = cursor_string(c);
        if (!name || !name[0])
            break;
        if (!add_directory(a, t, &dirs, name))
            return false;
    }
    add_file(a, t, &files, (struct line_file){0});
    for (;;) {
        struct line_file f = {.name = cursor_string(c)};
        if (!f.name || !f.name[0])
            break;
        f.directory = cursor_uleb(c);
        cursor_uleb(c); /* time */
        cursor_uleb(c); /* size */
        if (!add_file(a, t, &files, f))
            return false;
    }
    return !c->bad;
}

struct entry_format {
    struct abbrev_attr fields[16];
    unsigned count;
};

static bool read_format(struct cursor *c, struct entry_format *f)
{
    f->count = (unsigned)cursor_uint(c, 1);
    if (f->count > sizeof f->fields / sizeof *f->fields)
        return false;
    for (unsigned i = 0; i < f->count; i++) {
        f->fields[i].name = (uint16_t)cursor_uleb(c);
        f->fields[i].form = (uint16_t)cursor_uleb(c);
    }
    return !c->bad;
}

static struct line_file read_entry(struct unit *u, struct cursor *c, const struct entry_format *f)
{
    struct line_file file = {0};
    for (unsigned i = 0; i < f->count; i++) {
        struct value v = unit_value(u, c, &f->fields[i]);
        if (f->fields[i].name == DW_LNCT_path)
            file.name = unit_string(u, &v);
        else if (f->fields[i].name == DW_LNCT_directory_index)
            file.directory = v.number;
    }
    return file;
}

/* Version 5: both lists have the same form, which they describe themselves. */
static bool read_names5(struct unit *owner, struct line_table *t, struct cursor *c)
{
    /* The table may have another size of offsets than its unit: assemblers write the one, compilers
     * the other. */
    struct unit as_table = *owner, *u = &as_table;
    u->offset_size = t->offset_size;
    struct entry_format format;
    struct arena *a = u->dwarf->arena;
    uint64_t dirs = 0, files = 0, count;
    if (!read_format(c, &format))
        return false;
    count = cursor_uleb(c);
    for (uint64_t i = 0; i < count && !c->bad; i++) {
        if (!format.count || !add_directory(a, t, &dirs, read_entry(u, c, &format).name))
            return false;
    }
    if (!read_format(c, &format))
        return false;
    count = cursor_uleb(c);
    for (uint64_t i = 0; i < count && !c->bad; i++) {
        if (!format.count || !add_file(a, t, &files, read_entry(u, c, &format)))
            return false;
    }
    return !c->bad;
}

static bool read_header(struct unit *u, struct line_table *t)
{
    struct cursor c = dwarf_cursor(u->dwarf, DWARF_LINE, u->line_offset);
    uint64_t length = cursor_uint(&c, 4);
    t->offset_size = 4;
    if (length == 0xffffffff) {
        length = cursor_uint(&c, 8);
        t->offset_size = 8;
    }
    if (c.bad || length > cursor_left(&c))
        return false;
    c.end = c.at + length;
    t->version = (unsigned)cursor_uint(&c, 2);
    if (t->version < 2 || t->version > 5)
        return false;
    if (t->version == 5)
        cursor_skip(&c, 2); /* sizes of addresses and of segment selectors */
    length = cursor_uint(&c, t->offset_size);
    if (c.bad || length > cursor_left(&c))
        return false;
    t->program = (struct cursor){c.at + length, c.end, false};
    t->min_length = (unsigned)cursor_uint(&c, 1);
    if (t->version >= 4)
        cursor_skip(&c, 1); /* operations of one instruction: VLIW machines only */
    cursor_skip(&c, 1);     /* default_is_stmt */
    t->base = (int8_t)cursor_uint(&c, 1);
    t->range = (unsigned)cursor_uint(&c, 1);
    t->opcode_base = (uint8_t)cursor_uint(&c, 1);
    for (unsigned i = 1; i < t->opcode_base; i++)
        t->lengths[i] = (uint8_t)cursor_uint(&c, 1);
    if (c.bad || !t->range || !t->opcode_base)
        return false;
    c.end = t->program.at;
    return t->version == 5 ? read_names5(u, t, &c) : read_names4(u, t, &c);
}

static struct line_table *line_table(struct unit *u)
{
    if (!u->lines) {
        u->lines = arena_zalloc(u->dwarf->arena, sizeof *u->lines);
        u->lines->good = u->has_lines && read_header(u, u->lines);
    }
    return u->lines;
}

/* The state machine, and the addresses that wait for a row. */
struct machine {
    const struct line_table *table;
    const uint64_t *addrs;
    struct line_row *rows;
    uint32_t count, next; /* addrs[next] is the first at or behind `from` */
    uint64_t address, file, column;
    int64_t line;
    bool open; /* a row is there: from, row */
    uint64_t from;
    struct line_row row;
};

static void seek(struct machine *m, uint64_t address)
{
    uint32_t lo = 0, hi = m->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->addrs[mid] < address)
            lo = mid + 1;
        else
            hi = mid;
    }
    m->next = lo;
}

/* A row begins here, or the sequence ends: the row before covers what lies between. */
static void emit(struct machine *m, bool end)
{
    if (m->open && m->address > m->from) {
        for (; m->next < m->count && m->addrs[m->next] < m->address; m->next++) {
            if (!m->rows[m->next].found)
                m->rows[m->next] = m->row;
        }
    }
    if (end) {
        m->open = false;
        return;
    }
    if (!m->open || m->address < m->from)
        seek(m, m->address);
    m->open = true;
    m->from = m->address;
    m->row = (struct line_row){m->file, m->line, (int64_t)(m->column & UINT16_MAX), true};
}

static void reset(struct machine *m)
{
    m->address = 0;
    m->file = 1;
    m->line = 1;
    m->column = 0;
    m->open = false;
}

static void extended(struct machine *m, struct cursor *c)
{
    uint64_t length = cursor_uleb(c);
    if (!length || length > cursor_left(c)) {
        c->bad = true;
        return;
    }
    struct cursor in = {c->at, c->at + length, false};
    cursor_skip(c, length);
    switch (cursor_uint(&in, 1)) {
    case DW_LNE_end_sequence:
        emit(m, true);
        reset(m);
        break;
    case DW_LNE_set_address: m->address = cursor_uint(&in, length - 1 < 8 ? length - 1 : 8); break;
    default: break;
    }
}

static void standard(struct machine *m, struct cursor *c, unsigned opcode)
{
    const struct line_table *t = m->table;
    switch (opcode) {
    case DW_LNS_copy: emit(m, false); break;
    case DW_LNS_advance_pc: m->address += cursor_uleb(c) * t->min_length; break;
    case DW_LNS_advance_line: m->line += cursor_sleb(c); break;
    case DW_LNS_set_file: m->file = cursor_uleb(c); break;
    case DW_LNS_set_column: m->column = cursor_uleb(c); break;
    case DW_LNS_const_add_pc:
        m->address += (uint64_t)((255 - t->opcode_base) / t->range) * t->min_length;
        break;
    case DW_LNS_fixed_advance_pc: m->address += cursor_uint(c, 2); break;
    default:
        for (unsigned i = 0; i < t->lengths[opcode]; i++)
            cursor_uleb(c);
        break;
    }
}

void dwarf_line_find(struct unit *u, const uint64_t *addrs, uint32_t count, struct line_row *rows)
{
    const struct line_table *t = line_table(u);
    memset(rows, 0, count * sizeof *rows);
    if (!t->good)
        return;
    struct machine m = {.table = t, .addrs = addrs, .rows = rows, .count = count};
    struct cursor c = t->program;
    reset(&m);
    while (c.at < c.end && !c.bad) {
        unsigned opcode = *c.at++;
        if (opcode >= t->opcode_base) {
            unsigned adjusted = opcode - t->opcode_base;
            m.address += (uint64_t)(adjusted / t->range) * t->min_length;
            m.line += t->base + (int)(adjusted % t->range);
            emit(&m, false);
        } else if (opcode == 0) {
            extended(&m, &c);
        } else {
            standard(&m, &c, opcode);
        }
    }
}

/* One slash between the two; none where there is no directory. */
static const char *join(struct arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return arena_printf(a, "%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
}

const char *dwarf_line_file(struct unit *u, uint64_t index)
{
    if (u->skeleton) /* a split unit's files are those of its skeleton's table */
        u = u->skeleton;
    struct line_table *t = line_table(u);
    if (!t->good || index >= t->file_count || !t->files[index].name)
        return NULL;
    struct line_file *f = &t->files[index];
    if (f->path)
        return f->path;
    const char *dir = f->directory < t->directory_count ? t->directories[f->directory] : NULL;
    struct arena *a = u->dwarf->arena;
    if (f->name[0] == '/' || !dir)
        f->path = f->name;
    else if (dir[0] == '/' || !u->directory ||
             (dir == u->directory && (t->version < 5 || !u->dwarf->as_llvm)))
        f->path = join(a, dir, f->name);
    else
        f->path = join(a, join(a, u->directory, dir), f->name);
    return f->path;
}
