/* SPDX-License-Identifier: MIT
 *
 * Files that are read by threads of their own while the one before is merged. */
#ifndef PPROF_READ_AHEAD_H
#define PPROF_READ_AHEAD_H

#include "base/err.h"
#include "profile/profile.h"

#include <pthread.h>
#include <stdbool.h>

enum { READ_AHEAD_FILES = 2 }; /* how many at the same time; each is in memory */

struct read_ahead {
    const char *name;
    struct profile *p;
    struct err error;
    int rc;
    pthread_t thread;
    bool running;
};

/* Begins to read a file into `p`, unless it is small or none that is read as it is. `name` must
 * stay, and `p` until read_ahead_get or read_ahead_end. */
void read_ahead_begin(struct read_ahead *r, struct profile *p, const char *name);
/* profile_read_file of the same: waits for what was begun, else reads now. */
int read_ahead_get(struct read_ahead *r, struct profile *p, const char *name, struct err *e);
/* Waits for what nobody got; `p` is the caller's. */
void read_ahead_end(struct read_ahead *r);

#endif
