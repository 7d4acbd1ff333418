/* SPDX-License-Identifier: MIT
 *
 * Runs that are kept. Each is a folder STATE/suite/ID with run.json (docs/suite.md lists its keys)
 * and profile.pb.gz. An id is BATCH.PROGRAM.INPUT.KIND.N; a batch is what one `strobe suite run`
 * makes. */
#ifndef SUITE_RESULTS_H
#define SUITE_RESULTS_H

#include "suite/machine.h"
#include "suite/run.h"

/* Who a run is. */
struct suite_run_name {
    const char *batch, *program, *input, *kind;
    uint32_t number; /* from 1 */
};

/* STATE/suite (server/state.h), made if it is not there. Absolute, in the arena; NULL with an
 * error. */
const char *suite_state(struct arena *a, struct err *e);

const char *suite_run_id(const struct suite_run_name *n, struct arena *a);
/* What a batch may be called: letters, digits, - and _. */
bool suite_batch_ok(const char *batch);
/* A name for a batch that begins now: the local time as YYYYMMDD-HHMMSS, followed by -2, -3 … where
 * one that is kept already began in this second. */
const char *suite_batch_new(const char *state, struct arena *a);

/* Makes the folder of a run and says where its profile goes. -EEXIST: there is such a run. */
int suite_results_make(const char *state, const char *id, struct arena *a, const char **profile,
                       struct err *e);
/* What is kept of a run, as JSON. */
void suite_results_json(const struct suite_run_name *n, const struct suite_result *r,
                        const struct suite_machine *m, struct buf *out);
int suite_results_write(const char *state, const char *id, const struct buf *json, struct err *e);

/* A run that was kept, read again. Texts are in the arena. */
struct suite_kept {
    const char *id, *folder;
    const char *batch, *program, *input, *kind, *status, *error;
    int64_t number, started_ns, ended_ns, wall_ns, cpu_ns, peak_bytes, rounds, exit_status;
    bool verified;
    struct suite_sample *samples;
    uint32_t sample_count;
};

struct suite_kept_list {
    struct suite_kept *runs; /* by start */
    uint32_t count;
};

/* What a run like this took in all, by the newest runs that passed; else what its definition lets
 * expect. */
int64_t suite_results_expected_ms(const char *state, const struct suite_job *job);

/* All runs whose id is `prefix` or begins with it and a dot; all there are if it is NULL. */
int suite_results_read(const char *state, const char *prefix, struct arena *a,
                       struct suite_kept_list *out, struct err *e);

#endif
