/* SPDX-License-Identifier: MIT
 *
 * Stacks in the texts of /debug/pprof/ (debug=1, debug=2): names from symbol tables. */
#ifndef RUNTIME_TEXT_H
#define RUNTIME_TEXT_H

#include "base/buf.h"
#include "base/elfsym.h"

#include <stdint.h>

struct module;

/* The symbol tables that one text has needed so far. */
struct text_names {
    struct arena *arena;
    struct text_file *files;      /* RUNTIME_MODULES, or NULL: memory was out */
    const struct module *modules; /* of the process whose stacks follow; text_begin: of this one */
};

void text_begin(struct text_names *t, struct arena *arena);
/* Writes "#\t0xPC\tname+0xoff\tfile" a frame, aligned by tabs as Go's tabwriter does. Program
 * counters of callers are return addresses - 1, as the unwinder gives them. */
void text_put_frames(struct text_names *t, struct buf *out, const uint64_t *pcs, uint32_t depth);
/* Two lines of a Go traceback: "name(...)", "\tfile +0xoff", from the function's begin; without a
 * name its address is printed, and the offset is that in the file. */
void text_put_call(struct text_names *t, struct buf *out, uint64_t pc);
void text_end(struct text_names *t);

#endif
