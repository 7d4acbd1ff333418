/* SPDX-License-Identifier: MIT
 *
 * A reader of DWARF 2 to 5 for one purpose: the functions and lines of a batch of addresses.
 *
 * Why not libdw: it reads and inflates every debug section when it opens a file, walks a unit anew
 * for each address, and may not be used for one file by two threads. This reads the sections it
 * needs when it needs them, and walks a unit once for its whole batch, straight over the bytes.
 *
 * All offsets come from the file, so every read goes through a cursor, which cannot leave its
 * section: past the end it gives 0 and is `bad` from then on. Section numbers in comments are those
 * of the DWARF 5 standard. */
#ifndef SYMBOL_DWARF_READER_H
#define SYMBOL_DWARF_READER_H

#include "symbol/symbol_internal.h"

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static inline uint64_t cursor_left(const struct cursor *c)
{
    return (uint64_t)(c->end - c->at);
}

static inline void cursor_skip(struct cursor *c, uint64_t n)
{
    if (n > cursor_left(c)) {
        c->bad = true;
        c->at = c->end;
    } else {
        c->at += n;
    }
}

/* `size` <= 8 bytes, little endian. */
static inline uint64_t cursor_uint(struct cursor *c, unsigned size)
{
    uint64_t v = 0;
    if (size > cursor_left(c)) {
        c->bad = true;
        c->at = c->end;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)c->at[i] << 8 * i;
    c->at += size;
    return v;
}

static inline uint64_t cursor_uleb(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; c->at < c->end; shift += 7) {
        uint8_t b = *c->at++;
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    c->bad = true;
    return 0;
}

static inline int64_t cursor_sleb(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; c->at < c->end;) {
        uint8_t b = *c->at++;
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
        if (b & 0x80)
            continue;
        if (shift < 64 && (b & 0x40))
            v |= ~0ull << shift;
        return (int64_t)v;
    }
    c->bad = true;
    return 0;
}

/* The string at the cursor, which moves behind its NUL; NULL if there is no NUL. */
const char *cursor_string(struct cursor *c);

enum dwarf_section {
    DWARF_INFO,
    DWARF_ABBREV,
    DWARF_LINE,
    DWARF_STR,
    DWARF_LINE_STR,
    DWARF_STR_OFFSETS,
    DWARF_ADDR,
    DWARF_RANGES,
    DWARF_RNGLISTS,
    DWARF_ARANGES,
    DWARF_CU_INDEX,
    DWARF_SECTIONS,
};

struct abbrev_attr {
    uint16_t name, form;
    int64_t constant; /* DW_FORM_implicit_const */
};

struct abbrev {
    uint64_t code;
    uint16_t tag;
    bool children;
    uint32_t size; /* of all attributes if it does not vary, else 0 (or there are none) */
    uint32_t attr_count;
    struct abbrev_attr *attrs;
};

/* Codes are 1, 2, 3 … in practice: list[code - 1] is looked at first. A table is read as far as the
 * codes that were asked for: of a unit that is only asked for its ranges, one line. */
struct abbrev_table {
    uint64_t offset;
    unsigned address_size, offset_size;
    struct abbrev **list;
    uint32_t count, room;
    struct cursor rest; /* bad at the end */
    struct arena *arena;
    struct abbrev_table *next; /* in the bucket */
};

struct unit {
    struct dwarf *dwarf;
    uint64_t offset, end, first_die; /* in .debug_info */
    unsigned version, address_size, offset_size, type;
    struct abbrev_table *abbrevs;
    uint64_t low_pc, str_offsets_base, addr_base, rnglists_base, line_offset;
    uint64_t ranges_base;  /* of a skeleton: what offsets of its split unit count from */
    uint64_t lists_offset; /* of a split unit: where its range lists begin */
    bool has_lines, has_dwo_id, split_looked;
    uint64_t dwo_id;
    const char *dwo_name;  /* not NULL: this is a skeleton */
    struct unit *skeleton; /* not NULL: this is split off from it; lines and addresses are there */
    struct unit *split;    /* made at first use */
    const char *directory; /* DW_AT_comp_dir or NULL */
    struct line_table *lines; /* made at first use */
    struct unit *next;        /* in the bucket */
};

#define DWARF_BUCKETS 1024

/* The DWARF of one file. Everything is in the module's arena or in the file's sections. */
struct dwarf {
    struct module *module; /* whose addresses are looked up */
    struct elf_file *file;
    struct arena *arena;
    const char *path; /* of the file, to find the alternate one beside it */
    bool as_llvm;     /* a relative directory 0 of version 5 is put behind the unit's once more */
    struct {
        const uint8_t *bytes;
        uint64_t size;
        bool loaded;
    } sections[DWARF_SECTIONS];
    struct unit *units[DWARF_BUCKETS];
    uint64_t *starts; /* offsets of all units, made at first use */
    uint32_t start_count;
    bool listed;
    struct abbrev_table *tables[DWARF_BUCKETS];
    const struct section *info; /* of several .debug_info sections the one that is meant, or NULL */
    bool is_split;              /* a .dwo or .dwp file: its sections' names end in .dwo */
    struct dwarf *package;      /* the .dwp file, or NULL */
    bool package_looked;
    struct split_file *split_files; /* all that are open */
    struct dwarf *alt;              /* dwz's file for what several files share; made at first use */
    struct elf_file alt_file;
    bool alt_looked;
};

/* An attribute's value as it stands in the file. */
struct value {
    uint16_t form; /* 0: absent */
    uint64_t number;
    const char *inline_string;
};

/* Where a split unit is, and where in a package its parts of the other sections begin. */
struct split_place {
    struct unit *skeleton;
    uint64_t info, abbrev, str_offsets, rnglists;
};

/* ---- dwarf_reader.c ---- */

void dwarf_open(struct dwarf *d, struct module *m, struct elf_file *f, const char *path);
void dwarf_close(struct dwarf *d);
/* The section from `offset` to its end; a bad cursor if there is no such place. */
struct cursor dwarf_cursor(struct dwarf *d, enum dwarf_section s, uint64_t offset);
/* The unit whose header is at `offset`, or NULL. */
struct unit *dwarf_unit(struct dwarf *d, uint64_t offset);
/* The same in a file of split units. */
struct unit *dwarf_split_unit(struct dwarf *d, const struct split_place *place);
/* The unit that contains `offset`, or NULL. */
struct unit *dwarf_unit_containing(struct dwarf *d, uint64_t offset);
/* The offsets of all units. */
uint32_t dwarf_units(struct dwarf *d, const uint64_t **starts);
const struct abbrev *unit_abbrev(const struct unit *u, uint64_t code);
/* Reads one attribute, or moves over all of an entry's. */
struct value unit_value(const struct unit *u, struct cursor *c, const struct abbrev_attr *a);
void unit_skip(const struct unit *u, struct cursor *c, const struct abbrev *a);
/* What a value means: a string (or NULL), an address, the entry it refers to. */
const char *unit_string(struct unit *u, const struct value *v);
uint64_t unit_address(struct unit *u, const struct value *v);
/* The unit and offset of a reference; NULL if it leads nowhere. */
struct unit *unit_reference(struct unit *u, const struct value *v, uint64_t *offset);

/* ---- dwarf_split.c ---- */

/* The unit with the functions of `u`: `u` itself unless it is a skeleton whose file is there. */
struct unit *dwarf_split(struct unit *u);
void dwarf_close_split(struct dwarf *d);

/* ---- dwarf_ranges.c ---- */

/* Code ranges of an entry: of its low_pc and high_pc, or of its range list. */
struct range_list {
    struct unit *unit;
    struct cursor at;
    uint64_t base, low, high;
    enum { RANGE_END, RANGE_PAIR, RANGE_DWARF4, RANGE_DWARF5 } kind;
};
void range_list_begin(struct range_list *r, struct unit *u, const struct value *low,
                      const struct value *high, const struct value *ranges);
bool range_list_next(struct range_list *r, uint64_t *low, uint64_t *high);

/* ---- dwarf_line.c ---- */

struct line_row {
    uint64_t file; /* index in the table's files */
    int64_t line, column;
    bool found;
};
/* Runs the unit's line program. rows[i] becomes the row of addrs[i] (ascending). */
void dwarf_line_find(struct unit *u, const uint64_t *addrs, uint32_t count, struct line_row *rows);
/* The path of a file of the unit's table, or NULL. The same pointer for the same file. */
const char *dwarf_line_file(struct unit *u, uint64_t index);

#endif
