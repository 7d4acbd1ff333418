/* SPDX-License-Identifier: MIT
 *
 * One frame, in both of its forms: the rule that the cache keeps, and the full step that restores
 * every register. Handler-safe. */
#ifndef UNWIND_FRAME_H
#define UNWIND_FRAME_H

#include "unwind/cache.h"
#include "unwind/cfi.h"
#include "unwind/unwind.h"

#include <stdint.h>

/* A frame with all its registers: the state of a full step. */
struct frame {
    struct unwind_cache *cache;
    struct unwind_bounds bounds; /* of the stack that the frame is on */
    struct unwind_regs regs;
    int exact;         /* pc is an instruction's, not a return address */
    int guessing;      /* a guess is being tried: do not guess further */
    uint32_t switches; /* signal frames and changes of stack so far; bounded */
    uint32_t flags;    /* UNWIND_APPROXIMATE */
};

/* The address to look up: that of the instruction, or one inside the call before it. */
static inline uint64_t frame_lookup_pc(const struct frame *f)
{
    return f->regs.r[UNWIND_PC] - !f->exact;
}

/* The module of the last rule, for the next one of the same walk: to be zeroed in is_open at its
 * start and not kept beyond its end. */
struct frame_memo {
    int is_open, open_error;
    struct cfi_table table;
};

/* Finds the rule of `at` without the cache. RULE_NONE, which must not be cached, where there is no
 * call frame information: code may appear there later. `range` gets the addresses around `at` that
 * have the same rule for certain. */
uint64_t frame_rule(struct unwind_cache *cache, uintptr_t at, struct frame_memo *memo,
                    struct cache_range *range);

enum { FRAME_STEPPED = 0, FRAME_ROOT = 1 };

/* Replaces `f` by its caller. FRAME_STEPPED, FRAME_ROOT (f unchanged) or a negative reason. */
int frame_step(struct frame *f);

#endif
