/* SPDX-License-Identifier: MIT
 *
 * From drained stacks to the profile that is written; see assemble.c. */
#ifndef RECORD_ASSEMBLE_H
#define RECORD_ASSEMBLE_H

#include "record/drain.h"
#include "record/record.h"

/* Makes the uninitialised `p` from what was drained, symbolizes it, and fills the counts of
 * r->result. CPU time that the system reports and no sample stands for is booked as [exit]. */
int assemble_profile(struct recorder *r, struct profile *p, struct err *e);
/* The same for what was allocated. */
int assemble_heap(struct recorder *r, const struct record_heap *how, struct profile *p,
                  struct record_heap_result *result, struct err *e);
/* The same for what is counted: SHM_KIND_THREADS or SHM_KIND_THREADCREATE. */
int assemble_wall(struct recorder *r, struct profile *p, struct err *e);
int assemble_counts(struct recorder *r, enum shm_kind kind, struct profile *p, struct err *e);

/* The same for waits. */
int assemble_waits(struct recorder *r, enum waittab_profile which, struct profile *p,
                   struct record_wait_result *result, struct err *e);

#endif
