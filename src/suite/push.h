/* SPDX-License-Identifier: MIT
 *
 * Brings runs to where history is kept, beside their own files: to a `strobe serve` that is
 * running, by its API, else into the store (STATE/strobe.db) under its lock. Profiles get the
 * labels suite, run (the batch) and input. */
#ifndef SUITE_PUSH_H
#define SUITE_PUSH_H

#include "suite/results.h"

#include <stdbool.h>

struct suite_push {
    char where[4096]; /* the server's address, or the store's file; "": nowhere */
    char token[512];
    bool to_store;
    bool no_runs; /* the server does not take runs, only profiles */
    uint32_t sent;
};

/* A run as it is told: `result` is NULL as long as it runs. */
struct suite_push_run {
    const struct suite_run_name *name;
    const char *id;
    int64_t started_ns;
    const struct suite_result *result;
    const char *profile_path; /* of its profile, if result->profiled */
    const struct buf *json;   /* what run.json holds; NULL as long as it runs */
};

/* Finds the server: $STROBE_SERVER, else http://127.0.0.1:7070, and its token; where none is set
 * and none answers, the store. -ECONNREFUSED if STROBE_SERVER is set and nobody answers there. With
 * `wanted` false nothing is ever sent. */
int suite_push_open(struct suite_push *p, bool wanted, struct err *e);
/* Returns when it is on disk. A store that another process holds is -EBUSY. */
int suite_push_run(struct suite_push *p, const struct suite_push_run *run, struct err *e);
/* Opens the store p->where, writes the run and its profile, closes it: suite_push_run's other half.
 */
int suite_push_to_store(struct suite_push *p, const struct suite_push_run *run, struct err *e);
void suite_push_close(struct suite_push *p);

#endif
