/* SPDX-License-Identifier: MIT
 *
 * Go's frames: left by its own table of functions, and where its runtime changes from a goroutine's
 * stack to a thread's, the way back. */
#ifndef RECORD_PERF_GO_H
#define RECORD_PERF_GO_H

#include "record/perf_space.h"

#include <stdbool.h>
#include <stdint.h>

/* unwind_config.find_frame; ctx: struct perf_process. */
int perf_go_find_frame(void *ctx, uintptr_t pc, struct unwind_hint *hint);

/* The Go function of an address: false if it is none. */
bool perf_go_function(const struct perf_process *p, uint64_t pc, struct pclntab_func *fn,
                      const struct perf_mapping **m);

/* `inner` is in a function that changed stacks, to call the function of `callee`; `outer` (return
 * address - 1) is the next frame that frame pointers lead to. The address of the call to `inner`'s
 * function in the function between the two, whose frame pointer was not pushed; 0 if nothing is
 * between them, or what it is is not certain. */
uint64_t perf_go_between(const struct perf_process *p, uint64_t callee, uint64_t inner,
                         uint64_t outer);

/* Leaves out what Go's own stacks do not show. Returns the number of frames that stay: not 0. */
uint32_t perf_go_elide(const struct perf_process *p, uint64_t *pcs, uint32_t depth);

#endif
