/* SPDX-License-Identifier: MIT
 *
 * Gives the addresses of a profile their functions, files and lines, from the ELF symbols, the
 * DWARF and the unwind entries of the binaries on this machine.
 *
 * What a location gets, in this order:
 *   0. in Go's functions: what Go's own table says, as Go's profiles have it;
 *   1. the chain of inlined frames and the lines that DWARF knows, innermost first;
 *   2. for the physical function (the last line) the ELF symbol that covers the address, which
 * keeps suffixes such as ".cold" or ".constprop.0"; the name in DWARF where there is no symbol;
 *   3. in a procedure linkage table "target@plt", or "module!plt" where the target is unknown;
 *   4. "_start" and "main" in stripped programs, where the entry point's code says so byte for
 * byte;
 *   5. else "module!0xADDR": the basename of the file and the virtual address at which the unwind
 *      entry (.eh_frame FDE) of the code begins. Samples of one function keep together by it;
 *   6. code without an unwind entry either is grouped by section: "module!.text".
 * A name is never taken from a symbol that does not cover the address: what lies between two
 * symbols is not given to the first.
 *
 * function.system_name is the linker's name, function.name the same demangled as pprof prints it by
 * default (demangle.h). function.file is the file of that line, as pprof has it; start_line is set
 * where DWARF declares the function in that same file. */
#ifndef SYMBOL_SYMBOL_H
#define SYMBOL_SYMBOL_H

#include "base/err.h"
#include "profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

struct symbol_options {
    bool lines; /* read DWARF: lines and inlined frames (default); else names only */
    bool force; /* also mappings and locations that have functions already */
    /* Instead: all of mappings that have a build id and names, and neither files nor lines, which
     * is what a live program can say of itself. */
    bool bare_names;
    const char *sysroot; /* put before the files' names and the debug directory; NULL: none */
    /* Where debug files are looked for before /usr/lib/debug, with colons between the directories;
     * NULL: $STROBE_DEBUG_DIR. Each is laid out as that one is. */
    const char *debug_dirs;
    /* Called while a debug file is fetched from a server (DEBUGINFOD_URLS, symbol/debuginfod.h), by
     * the threads at work; with done and total 0 when it has ended. May be NULL. */
    void (*progress)(void *ctx, const char *name, uint64_t done, uint64_t total);
    void *progress_ctx;
    unsigned threads; /* at most so many at work; 0: one per processor this process may use */
    /* The path under which the bytes of a mapping's file are, where its name would not do (deleted,
     * in a container): "/proc/self/fd/5". NULL: its name. The string must stay. */
    const char *(*open_as)(void *ctx, const char *file, const char *build_id);
    void *open_ctx;
};

/* What became of one file. Strings live in the profile's arena. */
struct symbol_module {
    const char *file;        /* the mapping's file */
    const char *reason;      /* a sentence saying why it could not be used; NULL: it was */
    const char *debug;       /* the separate debug file that was used as well, or NULL */
    const char *not_fetched; /* why one could not be had from a server, or NULL */
    uint32_t without_split;  /* units whose .dwo file was not found … */
    const char *split_name;  /* … such as this one */
    uint32_t locations;      /* of the profile that lie in it and were looked up */
    uint32_t with_function;
    uint32_t with_line;
};

/* Counts are locations. locations = with_function + by_unwind_entry + without_name. */
struct symbol_stats {
    uint32_t locations;       /* without a function before: what was asked for */
    uint32_t with_function;   /* named by a symbol, DWARF, the PLT or the entry point */
    uint32_t by_unwind_entry; /* named "module!0x…" or "module!.section" only */
    uint32_t without_name;    /* file gone or changed, no mapping, or outside of its code */
    uint32_t with_line;
    uint32_t with_inlines;         /* more than one frame */
    struct symbol_module *modules; /* in the order of the profile's mappings */
    uint32_t module_count;
};

/* lines on, everything else off or automatic. */
void symbol_options_default(struct symbol_options *o);

/* Symbolizes `p` in place: for every location without lines, in mappings without functions (or all,
 * with `force`), appends lines and functions, and sets the has_… flags of the mappings to what is
 * true then. Only addresses in the profile are looked up, one sorted batch a file, the files in
 * parallel. The result does not depend on the number of threads.
 *
 * A location's address is the pc of a leaf, and a byte inside the calling instruction (return
 * address - 1) of a caller: it is looked up as it is.
 *
 * `o` may be NULL (defaults), `stats` and `e` too. Files that are missing, replaced since (another
 * build id) or malformed are no error: stats->modules says so, and their locations stay as they
 * were. Returns 0, or a negative errno when the profile itself is unusable. */
int symbol_profile(struct profile *p, const struct symbol_options *o, struct symbol_stats *stats,
                   struct err *e);

#endif
