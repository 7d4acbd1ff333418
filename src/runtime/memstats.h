/* SPDX-License-Identifier: MIT
 *
 * What the process uses of memory, as the system, the allocator and the heap profile know it. */
#ifndef RUNTIME_MEMSTATS_H
#define RUNTIME_MEMSTATS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* In bytes. */
struct memstats {
    bool exact;          /* `live` and `held` are the allocator's, not an estimate */
    uint64_t live, held; /* in use by the program; got from the system for that */
    uint64_t own;        /* libstrobe's own */
    uint64_t rss, peak_rss, virtual;
    uint64_t allocs, frees, alloc_bytes; /* by the heap profile: estimates, 0 where it is off */
};

/* Reads them. Takes the allocator's locks: not where malloc must not be called. */
void memstats_read(struct memstats *m);
/* The lines that end Go's heap text, "# runtime.MemStats" and what follows. */
void memstats_put_text(struct buf *out);
/* Gives free memory of the allocator back to the system. */
void memstats_trim(void);

#endif
