/* SPDX-License-Identifier: MIT
 *
 * Finding and judging what is to be recorded; see target.c. */
#ifndef RECORD_TARGET_H
#define RECORD_TARGET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Finds the program as execvp would. -ENOENT, -EACCES, each with a sentence. */
int target_find(char *out, size_t size, const char *name, struct err *e);
/* How a program is recorded. */
struct target_kind {
    const char *why_outside; /* NULL: by libstrobe, loaded into it; else why from outside */
    bool is_go;
};

/* Whether libstrobe can be loaded into it (or the interpreter of a script), or it is to be sampled
 * from outside. -ENOEXEC, -EPERM, where neither is possible, with a sentence that says what to do
 * instead. */
int target_check(const char *path, struct target_kind *kind, struct err *e);
/* Whether the program at `path` was made by Go. */
bool target_is_go(const char *path);
/* Adds the descendants, as far as they run now, of the processes in `pids`, which has room for
 * `max`; not those that are there, nor ourselves and what we started. The new count. Where /proc
 * does not show them, there are none. */
uint32_t target_add_descendants(pid_t *pids, uint32_t count, uint32_t max);
/* Finds libstrobe.so: $STROBE_LIB, beside this executable, ../lib/<triplet>, ../lib. */
int target_library(char *out, size_t size, struct err *e);

#endif
