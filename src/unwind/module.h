/* SPDX-License-Identifier: MIT
 *
 * Which module holds an address, and which part of it is mapped around an address. Handler-safe. */
#ifndef UNWIND_MODULE_H
#define UNWIND_MODULE_H

#include "unwind/unwind.h"

#include <stdint.h>

/* Bytes [lo, hi) that may be read. */
struct span {
    const uint8_t *lo, *hi;
};

/* What the lookups need; a part of struct unwind_cache. */
struct module_source {
    int (*find_object)(void *pc, void *result); /* _dl_find_object or NULL */
    const struct unwind_modules *table;         /* read and written atomically */
    uintptr_t program_start, program_end;       /* of struct unwind_config */
};

/* 1 and `out` filled, or 0. `out` is in addresses of our copy: pc + out->bias lies in it. */
int module_find(struct module_source *source, uintptr_t pc, struct unwind_module *out);

/* The mapped segment of `module` that holds `addr`, from its program headers (the first page of the
 * image); the whole image where these are elsewhere. Returns the segment's p_flags, 0 if no
 * segment holds addr. */
uint32_t module_segment(const struct unwind_module *module, uintptr_t addr, struct span *out);

#endif
