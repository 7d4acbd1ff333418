/* SPDX-License-Identifier: MIT
 *
 * From a sample's registers, copy of the stack and kernel's chain to one stack; see perf_walk.c. */
#ifndef RECORD_PERF_WALK_H
#define RECORD_PERF_WALK_H

#include "record/perf_space.h"

#include <stdint.h>

struct perf_walk {
    uint64_t *pcs; /* room for LIMIT_STACK_DEPTH */
    uint32_t depth;
    uint32_t flags;  /* enum shm_sample_flags */
    uint32_t reason; /* enum unwind_reason */
};

/* Leaf first, callers as return address - 1, kernel frames before the user's. */
void perf_walk(struct perf_process *p, const struct perf_record *r, struct perf_walk *w);

#endif
