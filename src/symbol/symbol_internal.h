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

/* Where debug files may be besides the usual places; all strings outlive the module. */
struct debug_places {
    const char *sysroot;    /* put before every path; "" if none */
    const char *debug_dirs; /* with colons between them; NULL: what STROBE_DEBUG_DIR says */
    void (*progress)(void *ctx, const char *name, uint64_t done, uint64_t total); /* or NULL */
    void *progress_ctx;
};

struct module {
    const char *file;     /* the profile's name of it, NUL-terminated */
    const char *build_id; /* hexadecimal, "" if unknown */
    const char *base;     /* basename for module!0x… names */
    struct debug_places places;
    const char *open_as; /* where the file's bytes are read instead, or NULL */
    bool lines;
    bool as_llvm; /* files as llvm-symbolizer writes them, where that is odd */
    struct arena arena;
    struct query *queries;       /* addr holds the file's offset until the file is open */
    uint32_t query_count, asked; /* asked: before those outside of the file were dropped */
    const char *reason;
    const char *debug;         /* the path of debug_elf, or NULL */
    const char *not_fetched;   /* why a debug file could not be had from a server, or NULL */
    uint32_t no_split;         /* units whose .dwo file is not there … */
    const char *no_split_name; /* … such as this one */
    struct elf_file elf;       /* the mapped file */
    struct elf_file debug_elf; /* the separate debug file; .elf NULL if there is none */
    struct elf_file mini_elf;  /* the symbols in .gnu_debugdata, likewise */
    struct dwarf *dwarf;       /* of one of the two, or NULL */
};

/* ---- debug_file.c ---- */

/* Looks for the separate debug file of m->elf by build id, by .gnu_debuglink, and on the servers of
 * debuginfod, and opens it as m->debug_elf if it is the right one. */
void debug_file_find(struct module *m);
/* Opens the debug file with this build id, found in the debug directories or on a server, as `out`.
 * Returns its path or NULL. */
const char *debug_file_by_id(struct module *m, const uint8_t *id, size_t size,
                             struct elf_file *out);
/* Opens a copy of the binary itself as m->elf, from a server: the one on this machine is another.
 */
bool debug_file_executable(struct module *m);
/* Opens what is in .gnu_debugdata as m->mini_elf, if there is something. */
void debug_file_unpack(struct module *m);

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
