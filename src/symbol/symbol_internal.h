/* SPDX-License-Identifier: MIT
 *
 * What the files of this module share: one ELF file, one batch of addresses in it.
 *
 * A module is worked on by one thread from start to end, with an arena and libelf handles of its
 * own; nothing here is shared between threads (libdw is not thread-safe). */
#ifndef SYMBOL_INTERNAL_H
#define SYMBOL_INTERNAL_H

#include "base/arena.h"
#include "symbol/elf_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
    const char *name; /* linker's name, or DW_AT_name; NULL: unknown */
    const char *file; /* NULL: unknown */
    int64_t line, column;
    int64_t start_line; /* of the function, if it is declared in this same file */
    int64_t decl_line;  /* wherever it is declared */
};

/* How the physical function's name was found; higher is better. */
enum name_kind { NAME_NONE, NAME_GROUP, NAME_REAL };

/* One address to look up. A batch is sorted by `addr`; equal addresses are allowed. */
struct query {
    uint64_t addr;     /* ELF virtual address */
    uint32_t location; /* in the profile */
    enum name_kind kind;
    const char *name;     /* of the physical function, in the module's arena or the file's bytes */
    uint64_t entry;       /* where that function begins, 0 if unknown */
    struct frame *frames; /* from DWARF, innermost first; the last is the physical function */
    uint32_t frame_count;
};

struct module {
    const char *file;     /* the profile's name of it, NUL-terminated */
    const char *build_id; /* hexadecimal, "" if unknown */
    const char *base;     /* basename for module!0x… names */
    const char *sysroot;  /* "" if none */
    const char *open_as;  /* where the file's bytes are read instead, or NULL */
    bool lines;
    bool as_llvm; /* files as llvm-symbolizer writes them, where that is odd */
    struct arena arena;
    struct query *queries;       /* addr holds the file's offset until the file is open */
    uint32_t query_count, asked; /* asked: before those outside of the file were dropped */
    const char *reason;
    const char *debug;
    struct elf_file elf;       /* the mapped file */
    struct elf_file debug_elf; /* the separate debug file; .elf NULL if there is none */
    struct dwarf *dwarf;       /* of one of the two, or NULL */
};

/* ---- debug_file.c ---- */

/* Looks for the separate debug file of m->elf by build id, then by .gnu_debuglink, and opens it as
 * m->debug_elf if it is the right one. */
void debug_file_find(struct module *m);

/* ---- go_names.c ---- */

/* Gives every query in a Go function its name, lines and inlined calls, whatever it had. True: that
 * was all of them. */
bool go_name(struct module *m);

/* ---- unwind_entry.c ---- */

/* The bounds of the .eh_frame entry (FDE) that contains `addr`. */
bool unwind_entry_find(const struct elf_file *f, uint64_t addr, uint64_t *start, uint64_t *end);

/* ---- symtab.c ---- */

/* Names every query that a symbol of `f`'s tables covers, unless it has a better name already.
 * `unwind` is the file with the unwind entries (a debug file has none). */
void symtab_name(struct module *m, const struct elf_file *f, const struct elf_file *unwind);

/* ---- plt.c ---- */

/* Names queries in procedure linkage tables. */
void plt_name(struct module *m);

/* The symbol whose address the dynamic linker puts at `slot`, without version, or NULL. */
const char *plt_slot_symbol(const struct elf_file *f, uint64_t slot);

/* ---- entry_point.c ---- */

/* Finds _start and main of a program without symbols. 0 where it is not certain. */
struct entry_points {
    uint64_t start, main;
};
void entry_point_find(const struct elf_file *f, struct entry_points *ep);

/* ---- lines.c ---- */

/* Fills the frames of every query from the DWARF of the debug file, or of the file itself. Their
 * strings live until lines_close. */
void lines_find(struct module *m);
void lines_close(struct module *m);

/* ---- module.c ---- */

/* Does everything for one module; m->reason is set if the file could not be used. */
void module_symbolize(struct module *m);
void module_close(struct module *m);

/* The first query at or after `addr`. */
uint32_t query_lower_bound(const struct query *q, uint32_t count, uint64_t addr);

#endif
