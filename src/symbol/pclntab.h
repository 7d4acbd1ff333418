/* SPDX-License-Identifier: MIT
 *
 * Go's table of functions, which every Go program carries, stripped or not, because its runtime
 * unwinds and prints stacks by it: names, files, lines, inlined calls, and how far the stack
 * pointer is from the return address at each instruction.
 *
 * Layouts, told apart by the magic number (Go's src/internal/abi/symtab.go):
 *   0xfffffffb  Go 1.2 to 1.15     0xfffffffa  Go 1.16, 1.17
 *   0xfffffff0  Go 1.18, 1.19      0xfffffff1  Go 1.20 and later
 * Sources: src/debug/gosym/pclntab.go, src/runtime/symtab.go and symtabinl.go of these versions; of
 * little-endian programs with 8-byte pointers. Inlined calls are read from Go 1.12 on.
 *
 * The table is foreign bytes: every function here stays inside of them and ends, whatever they say.
 * Addresses are the file's virtual ones. Threads may share a table. */
#ifndef SYMBOL_PCLNTAB_H
#define SYMBOL_PCLNTAB_H

#include "symbol/elf_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pclntab_version {
    PCLNTAB_GO12 = 12,
    PCLNTAB_GO116 = 116,
    PCLNTAB_GO118 = 118,
    PCLNTAB_GO120 = 120
};

/* Bytes of the program that are not in the table: `*size` of them at `vaddr`, or NULL. */
struct pclntab_memory {
    const uint8_t *(*at)(const void *ctx, uint64_t vaddr, size_t *size);
    const void *ctx;
};

struct pclntab {
    const uint8_t *data; /* from the header on; borrowed */
    size_t size;
    struct pclntab_memory memory;
    enum pclntab_version version;
    uint32_t quantum, func_count;
    uint64_t text;   /* what offsets of code are relative to (1.18 on) */
    uint64_t gofunc; /* what offsets of funcdata are (1.18 on); 0: unknown */
    uint64_t names, units, files, pcs, funcs; /* offsets in `data` of its parts */
    int wrapper; /* the kind of function that the compiler made and stacks do not show; -1: none */
    unsigned inline_pcdata, inline_funcdata; /* where the inlined calls are */
};

/* One function. */
struct pclntab_func {
    uint64_t entry, end;
    const char *name;   /* in the table */
    uint32_t record;    /* offset of its _func */
    int32_t start_line; /* 0: unknown (before Go 1.20) */
};

/* One call of a location, innermost first. */
struct pclntab_frame {
    const char *name, *file; /* file NULL: unknown */
    int32_t line, start_line;
};

/* Finds and checks the table of an ELF file. False: the file has none that can be used. */
bool pclntab_open(struct pclntab *t, const struct elf_file *f);
/* The same for bytes that begin with a header; the caller may know better values of `text` and
 * `gofunc`. `memory` may be NULL: no inlined calls then. */
bool pclntab_open_bytes(struct pclntab *t, const uint8_t *data, size_t size,
                        const struct pclntab_memory *memory);

/* Finds out what marks a wrapper in this version; pclntab_open has done it. */
void pclntab_learn(struct pclntab *t);
/* The addresses of its functions, from the first to the end of the last. False: there are none. */
bool pclntab_range(const struct pclntab *t, uint64_t *low, uint64_t *high);

bool pclntab_find(const struct pclntab *t, uint64_t pc, struct pclntab_func *fn);
/* Fills at most `max` (>= 1) frames of `pc`, which lies in `fn`; the last is `fn` itself, or the
 * outermost for which there was room. Returns how many. */
uint32_t pclntab_frames(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc,
                        struct pclntab_frame *frames, uint32_t max);
/* Whether Go leaves `fn` out of the stacks that it shows: the compiler made it, to adapt a receiver
 * or a calling convention (runtime.elideWrapperCalling). */
bool pclntab_is_wrapper(const struct pclntab *t, const struct pclntab_func *fn);
/* Whether `pc` is in a call that was inlined into `fn`: that is shown even of a wrapper. */
bool pclntab_in_inlined(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc);
/* The function of this name: looks at all of them. */
bool pclntab_named(const struct pclntab *t, const char *name, size_t len, struct pclntab_func *fn);
/* Bytes between the stack pointer at `pc` and the return address of `fn`. */
bool pclntab_sp_delta(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc,
                      int32_t *delta);

/* What the frames above a function are. */
enum pclntab_edge {
    PCLNTAB_CALLED, /* its caller is where sp_delta says */
    PCLNTAB_TOP,    /* nothing: a goroutine's or thread's first function */
    PCLNTAB_SWITCH  /* it changed stacks: its caller is on another one */
};
enum pclntab_edge pclntab_edge(const struct pclntab_func *fn);

#endif
