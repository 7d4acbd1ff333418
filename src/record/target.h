/* SPDX-License-Identifier: MIT
 *
 * Finding and judging what is to be recorded; see target.c. */
#ifndef RECORD_TARGET_H
#define RECORD_TARGET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Finds the program as execvp would. -ENOENT, -EACCES, each with a sentence. */
int target_find(char *out, size_t size, const char *name, struct err *e);
/* Whether libstrobe can be loaded into it (or the interpreter of a script). -ENOEXEC, -EPERM with a
 * sentence that says what to do instead. */
int target_check(const char *path, struct err *e);
/* Finds libstrobe.so: $STROBE_LIB, beside this executable, ../lib/<triplet>, ../lib. */
int target_library(char *out, size_t size, struct err *e);

#endif
