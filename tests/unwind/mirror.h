/* SPDX-License-Identifier: MIT
 *
 * Another process's modules, mapped into this one at the same addresses, so that the unwinder can
 * work here on copies of that process's stacks. */
#ifndef TESTS_UNWIND_MIRROR_H
#define TESTS_UNWIND_MIRROR_H

#include "unwind/unwind.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MIRROR_MAX 4096

struct mapping {
    uintptr_t start, end;
    char path[256];
};

struct mirror {
    pid_t pid;
    size_t count;
    struct mapping maps[MIRROR_MAX]; /* all of the process's, sorted */
    struct unwind_modules modules;
    struct unwind_module list[MIRROR_MAX];
    size_t mirrored_count;
    struct mapping mirrored[MIRROR_MAX]; /* those that exist here, too */
};

/* Reads /proc/PID/maps anew and maps what is new. Exits with 77 if an address is taken here. */
void mirror_update(struct mirror *m, pid_t pid);
const struct mapping *mirror_find(const struct mirror *m, uintptr_t addr);
/* "libc.so.6+0x1234" in a static buffer. */
const char *mirror_name(const struct mirror *m, uintptr_t addr);

#endif
