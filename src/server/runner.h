/* SPDX-License-Identifier: MIT
 *
 * Runs of the suite that the page starts: `strobe suite run --progress json` as a child process,
 * one at a time, and what it has said so far. The suite lies above the server, so that this is all
 * the server knows of it (docs/suite.md: For programs).
 *
 * Threads: everything may be called from several at once, but for runner_free. */
#ifndef SERVER_RUNNER_H
#define SERVER_RUNNER_H

#include "base/err.h"
#include "web/json.h"

#include <stdint.h>

struct runner;

int runner_make(struct runner **out, struct err *e);
/* Ends the child as Ctrl-C does, waits for it, and lets nobody wait or start any more. */
void runner_end(struct runner *r);
/* After runner_end. NULL is fine, for both. */
void runner_free(struct runner *r);

struct runner_ask {
    const char *program, *input, *kind; /* "all": all of them */
    const char *server;                 /* URL where the runs are sent to */
};

/* Starts it, and returns when it has said what it will run. -EINVAL: nobody knows what was asked
 * for; -ENODATA: nothing of it can be run here; -EBUSY: a run is going on; -ESHUTDOWN: it is over.
 */
int runner_start(struct runner *r, const struct runner_ask *ask, struct err *e);
/* As Ctrl-C: it is still cleaning up when this returns. -ESRCH: nothing is running. */
int runner_cancel(struct runner *r, struct err *e);

/* Returns when there is something new since `rev`, or after `ms`. */
void runner_wait(struct runner *r, uint64_t rev, int ms);
/* What is going on, or how it ended, as members of the object that is open. */
void runner_write(struct runner *r, struct json *j);

#endif
