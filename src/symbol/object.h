/* SPDX-License-Identifier: MIT
 *
 * One binary of a profile, asked as google/pprof asks its own (internal/binutils, plugin.ObjFile):
 * which address of the file a sample's is, what is there, which symbols it has.
 *
 * The answers are those of the tools that pprof starts, without the tools: frames are what
 * llvm-symbolizer says (--inlining --demangle=false), or nm where only names are asked for. They
 * differ from symbol_profile's, which say more and never guess; these are what pprof prints. */
#ifndef SYMBOL_OBJECT_H
#define SYMBOL_OBJECT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"

#include <stdbool.h>
#include <stdint.h>

struct object;

/* Where the file was mapped, and the symbol a kernel's mapping begins at ("" for _stext). */
struct object_mapping {
    uint64_t start, limit, offset;
    const char *kernel_symbol;
};

/* Opens an ELF file; the error is pprof's ("stat FILE: no such file or directory"). Close with
 * object_close; nothing that was got from it lives longer, unless an arena was given for it. */
int object_open(struct object **o, const char *file, const struct object_mapping *m, struct err *e);
void object_close(struct object *o);

/* After a look-up: why its debug file could not be had from a server, or NULL. */
const char *object_not_fetched(struct object *o);

/* In hexadecimal; "" if it has none. */
const char *object_build_id(const struct object *o);

/* The address in the file of an address of the mapping. The first address asked for decides for all
 * which segment is meant, as in pprof; false when none fits. */
bool object_address(struct object *o, uint64_t address, uint64_t *file_address);

/* A line of code; texts are "" where they are unknown, numbers 0. */
struct object_frame {
    const char *name; /* the linker's */
    const char *file;
    int64_t line, column, start_line;
};

struct object_frames {
    struct object_frame *frames; /* innermost inlined first */
    uint32_t count;              /* 0: no answer */
};

/* How much is asked for, and of which tool names are, which differ where symbols have no size. */
enum object_detail { OBJECT_LINES, OBJECT_NAMES_LLVM, OBJECT_NAMES_GNU };

/* out[i] is what is at addresses[i] of the mapping. */
void object_look_up(struct object *o, const uint64_t *addresses, uint32_t count,
                    enum object_detail detail, struct object_frames *out);

/* A function of the file's symbol table, from its address to just before the next symbol. */
struct object_symbol {
    const char **names; /* one, or all at this address when it was found by its address */
    uint32_t name_count;
    uint64_t start, end;
};

/* Those whose name (as it is, or demangled) matches, and the one around `address` unless that is 0.
 * The result is in `a`. Ordered by address. */
uint32_t object_symbols(struct object *o, struct regex *re, uint64_t address, struct arena *a,
                        struct object_symbol **symbols);

#endif
