/* SPDX-License-Identifier: MIT
 *
 * The modules of this process, for libcs that cannot search them in a handler. */
#ifndef RUNTIME_MODTABLE_H
#define RUNTIME_MODTABLE_H

#include "runtime/runtime.h"

#include <stdbool.h>

struct modtable {
    struct unwind_modules modules; /* .list is the next */
    struct unwind_module list[RUNTIME_MODULES];
    char paths[RUNTIME_MODULES][RUNTIME_PATH];
};

/* The last of MODTABLE_COUNT tables has what was there at the start. */
enum { MODTABLE_FIRST = 2, MODTABLE_COUNT = 3, MODTABLE_KEPT = 256 };

/* Takes the memory of MODTABLE_COUNT tables, page-aligned and for good: from now on modules are
 * looked up here. False: it has its memory already. */
bool modtable_init(void *zeroed);
/* Makes the table anew, from /proc or by `otherwise`. Not for handlers, and only while none is at
 * work that could read the table before last: at the start, and inside our dlclose. */
void modtable_fill(void (*otherwise)(struct modtable *to));
/* Appends a module; without call frame information, or when it is full, nothing. Signal-safe. */
void modtable_add(struct modtable *to, const struct unwind_module *m, const char *path);
/* A handler met code of no known module: looks for new ones, with `buffer` to read into. True if
 * the table has changed, so that another walk is worthwhile. Signal-safe; rests after a look that
 * was in vain. */
bool modtable_scan(char *buffer, size_t size);
/* What the table has now are the program's own libraries: nothing was loaded by dlopen yet. */
void modtable_keep(void);
/* Only those are known, because another is about to be unmapped. No handler may be walking. */
void modtable_drop(void);
/* The file of the module that begins at `start`, or NULL. Signal-safe. */
const char *modtable_path(uintptr_t start);
/* In a forked child: whoever filled the table does not exist. */
void modtable_forget(void);

#endif
