/* SPDX-License-Identifier: MIT
 *
 * What the parts of a run share: run.c (its life), run_server.c (loading one), run_command.c
 * (recording one). */
#ifndef SUITE_RUN_INTERNAL_H
#define SUITE_RUN_INTERNAL_H

#include "suite/fetch.h"
#include "suite/process.h"
#include "suite/run.h"

enum {
    GRACE_MS = 5000,       /* from SIGTERM to SIGKILL */
    READY_MS = 30000,      /* for a server to answer */
    FETCH_MS = 30000,      /* for a profile, beside the time it measures */
    SCRIPT_MS = 600 * 1000 /* for prepare, a round and verify */
};

struct run {
    const struct suite_job *job;
    struct suite_result *out;
    struct arena *a;
    struct err *e;
    char work[256];         /* the run's folder; "" when there is none */
    struct suite_vars vars; /* WORK, ports, what the input sets */
    const char *log, *output;
    int64_t began_ns; /* CLOCK_MONOTONIC */
    int64_t next_sample_ns, sample_every_ns;
    int64_t next_progress_ns;
    struct suite_progress now;
    pid_t program; /* 0: not running */
    bool recorded; /* the program is below `program`, which is the recorder */
};

/* Waits at most `ms`, on `f` if there is one, and samples the program's use. True if `f` is done.
 * -EINTR is for the caller to see in suite_interrupted. */
bool suite_run_tick(struct run *r, struct suite_fetch *f, int ms);
/* `phase` is a literal: it is kept. */
void suite_run_phase(struct run *r, const char *phase, double done);
/* Runs a script to its end. */
int suite_run_script(struct run *r, const char *name, const char *script);
/* Puts what the log ends with behind the message. */
int suite_run_blame_log(struct run *r, int code, const char *what);
int suite_run_expand_argv(struct run *r, const struct yamldoc_list *words,
                          const char *const **argv);

int suite_run_server(struct run *r);
int suite_run_command(struct run *r);

#endif
