/* SPDX-License-Identifier: MIT
 *
 * What the files of struct object share. */
#ifndef SYMBOL_OBJECT_INTERNAL_H
#define SYMBOL_OBJECT_INTERNAL_H

#include "symbol/object.h"
#include "symbol/symbol_internal.h"

struct object {
    struct module module; /* its queries are those of one look-up at a time */
    struct object_mapping mapping;
    bool has_kernel_offset, based, base_failed, looked_for_debug;
    uint64_t kernel_offset, base;
    const char *build_id;
    struct nm_symbol *symbols; /* made at first use */
    uint32_t symbol_count;
    bool listed;
};

/* ---- object_base.c: internal/elfexec ---- */

/* Whether a base can be told at all: what pprof asks when it opens the file. */
int object_check_base(const struct object *o, struct err *e);
/* The base for the segment that `address` lies in. */
bool object_find_base(const struct object *o, uint64_t address, uint64_t *base);

/* ---- object_symbols.c ---- */

/* The symbol llvm-symbolizer takes for an address. */
struct object_name {
    const char *name; /* NULL: none */
    const char *file; /* of a local one: the source file's symbol before it, or NULL */
};

/* names[i] for queries[i], which are ordered. */
void object_names(struct object *o, struct object_name *names);

/* A symbol as nm lists it: by address, then name, then size. */
struct nm_symbol {
    uint64_t address, size;
    const char *name;
    bool is_data;
};

/* Reads the list into o->symbols. */
void object_list_symbols(struct object *o);

/* The value of a symbol in .symtab; false if it is not there. */
bool object_symbol_value(const struct object *o, const char *name, uint64_t *value);

#endif
