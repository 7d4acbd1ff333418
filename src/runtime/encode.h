/* SPDX-License-Identifier: MIT
 *
 * What the profiles that a process writes itself have in common; see encode.c. */
#ifndef RUNTIME_ENCODE_H
#define RUNTIME_ENCODE_H

#include "profile/build.h"
#include "runtime/runtime.h"

/* Entries of a list of modules that were claimed and not written, by threads that were killed
 * there: behind more than these it has ended. */
enum { ENCODE_GAPS_MAX = 4 };

/* The module that `pc` was in at `epoch`: of those that cover it the youngest not after it. NULL:
 * none, or `modules` is. */
const struct module *encode_find_module(const struct module *modules, uint64_t pc, uint32_t epoch);

/* Makes the program's own mapping the first, which gives reports their "File:". */
void encode_program(struct profile_build *b);
/* The location of a program counter (or enum shm_pseudo) as it was at `epoch`; PROFILE_NONE: memory
 * is out. */
uint32_t encode_location(struct profile_build *b, uint64_t pc, uint32_t epoch);
/* The same two by another process's list of modules (RUNTIME_MODULES entries), which may be
 * damaged. */
void encode_program_in(struct profile_build *b, const struct module *modules);
uint32_t encode_location_in(struct profile_build *b, const struct module *modules, uint64_t pc,
                            uint32_t epoch);
/* Names the locations by the symbol tables of their files, without lines. */
void encode_names(struct profile_build *b);
/* Writes a finished profile, gzip'ed, and frees it. 0, -EIO: the writer gave up, or -ENOMEM. */
int encode_write(struct profile_build *b, strobe_write_fn write, void *ctx);

#endif
