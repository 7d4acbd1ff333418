/* SPDX-License-Identifier: MIT
 *
 * Function names of an ELF file from its .symtab, else .dynsym: what libstrobe needs to name the
 * functions in a profile that it writes itself. No malloc, no libelf; files, lines and inlined
 * frames are the tool's business (src/symbol). */
#ifndef BASE_ELFSYM_H
#define BASE_ELFSYM_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

struct elfsym_function {
    uint64_t start, end; /* file offsets of its code */
    const char *name;    /* in the mapping */
    size_t outer; /* index + 1 of the nearest before it that reaches beyond its start, or 0 */
};

struct elfsym {
    const unsigned char *bytes;
    size_t size;
    struct elfsym_function *functions; /* sorted by start, in the arena */
    size_t count;
};

/* Maps the file if its build id is the given one (len 0: any). 0, or a negative errno: -ESTALE for
 * another build id, -ENOEXEC for what is no ELF of this machine. Close with elfsym_close. */
int elfsym_open(struct elfsym *s, struct arena *arena, const char *path, const uint8_t *build_id,
                uint32_t build_id_len);
void elfsym_close(struct elfsym *s);
/* The function whose code contains the file offset, of nested ones the innermost, or NULL. */
const struct elfsym_function *elfsym_find(const struct elfsym *s, uint64_t offset);

#endif
