/* SPDX-License-Identifier: MIT
 *
 * Cumulative sample types, differenced. Go's alloc_space, contentions and delay count from the
 * program's start; what happened between two scrapes is their difference, as `pprof -base` takes
 * it. Levels (inuse_*) stay as they are. */
#ifndef SERVER_DELTA_H
#define SERVER_DELTA_H

#include "profile/profile.h"

#include <stdbool.h>

/* The last scrape of one kind of one target. All-zero: there was none. */
struct delta {
    struct profile last;
    bool has_last;
};

enum delta_result {
    DELTA_NOTHING, /* a base only: `out` is empty */
    DELTA_LEVELS,  /* a base, and levels: what is cumulative is 0 in `out` */
    DELTA_WHOLE,   /* `out` has every sample type */
};

/* Whether values of this sample type only grow. */
bool delta_is_cumulative(struct profile_str type);

/* Takes the newest scrape (`now` is empty afterwards; it must own its bytes) and makes what is to
 * be stored in the uninitialised `out`. The first scrape is a base only. So is one after a restart:
 * *restarted says that a value went down, or that the program is another one or stands elsewhere in
 * memory. The difference's time is that of `now`, its duration the time since the last scrape.
 * A profile without cumulative types comes out as it came in. */
enum delta_result delta_take(struct delta *d, struct profile *now, struct profile *out,
                             bool *restarted);
void delta_free(struct delta *d);

#endif
