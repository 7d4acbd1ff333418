/* SPDX-License-Identifier: MIT
 *
 * Disassembly, by the program that pprof runs too: llvm-objdump, else objdump. Its text is pprof's
 * output, byte for byte, down to how it names the target of a call; no library prints the same. And
 * what -tools says about the programs that strobe does not need, because answers depend on it. */
#ifndef SYMBOL_OBJDUMP_H
#define SYMBOL_OBJDUMP_H

#include "symbol/object.h"

struct object_tools {
    const char *config;       /* -tools: "objdump:/dir,/dir", "" for $PATH */
    enum object_detail lines; /* what pprof's local symbolization knows with these tools */
    enum object_detail names; /* likewise for fastlocal */
    bool symbols;             /* whether it finds functions by their names at all */
    const char *objdump;      /* NULL: none was found; known when `looked` */
    bool looked, objdump_is_llvm;
};

/* Looks for the programs; `config` is borrowed. objdump's are asked for their version only when
 * something is disassembled. */
void object_tools_find(struct object_tools *t, const char *config, struct arena *a);

struct object_inst {
    uint64_t address;
    const char *text, *function, *file; /* "" where unknown */
    int64_t line;
};

struct object_range {
    const char *file;
    uint64_t start, end; /* addresses of the file */
    bool intel;
};

struct object_code {
    struct object_inst *insts;
    uint32_t count;
};

/* The instructions of a range, in `a`. A program that fails is an error with its command line. */
int object_disassemble(struct object_tools *t, const struct object_range *range, struct arena *a,
                       struct object_code *code, struct err *e);

#endif
