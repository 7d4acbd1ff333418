/* SPDX-License-Identifier: MIT
 *
 * Recording from outside, by perf_event: what record.c does with programs into which no library can
 * or should be loaded (static, Go), and with programs that run already. Its stacks end in the same
 * struct drain, and so in the same profile. */
#ifndef RECORD_OUTSIDE_H
#define RECORD_OUTSIDE_H

#include "record/record.h"

#include <stdbool.h>

struct outside;

/* Opens the thread `pid`, a child that has not executed its program yet: sampling begins with its
 * execve. Sentences as perf_open's. */
int outside_open_child(struct recorder *r, pid_t pid, struct err *e);
/* Opens every thread of the processes in r->options.pids; sampling begins at once. */
int outside_attach(struct recorder *r, struct err *e);
/* Samples a process of a tree that the library records, in which it is not: from now on, with its
 * threads and children. */
int outside_follow(struct recorder *r, uint32_t pid, struct err *e);
/* Reads what has come. */
void outside_read(struct recorder *r);
/* Waits at most `ms` for samples, or the end of something, and reads what has come. */
void outside_wait(struct recorder *r, int ms);
/* Whether an attached process is still there. */
bool outside_has_target(struct recorder *r);
/* Stops sampling and reads the rest. r->result.usage of attached processes is what the system says.
 */
void outside_stop(struct recorder *r);
/* Gives the rest of the CPU time to the stacks; after outside_stop and the usage. */
void outside_finish(struct recorder *r);
void outside_close(struct recorder *r);

/* ---- for the profile ---- */

/* The mapping of an address of an image that is in no file: the kernel's, a JIT compiler's. False:
 * it is in neither. */
struct drain_image;
struct drain_module;
bool outside_place(struct recorder *r, const struct drain_image *m, uint64_t pc,
                   struct drain_module *out);
/* Its name, or NULL. */
const char *outside_name(struct recorder *r, const struct drain_image *m, uint64_t pc);
/* symbol_options.open_as and its context. */
const char *outside_open_as(void *recorder, const char *file, const char *build_id);
uint32_t outside_stack_bytes(const struct recorder *r);

#endif
