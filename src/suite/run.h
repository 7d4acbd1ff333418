/* SPDX-License-Identifier: MIT
 *
 * One run: one program, one input, one kind of profile, from an empty folder to an empty folder. */
#ifndef SUITE_RUN_H
#define SUITE_RUN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "suite/definition.h"

#include <stdbool.h>
#include <stdint.h>

enum { SUITE_PHASES_MAX = 16 };

/* A part of a run, and when it began. */
struct suite_phase {
    const char *name;
    int64_t at_ns; /* since the run's start */
};

struct suite_sample {
    int64_t at_ns;     /* since the run's start */
    int64_t cpu_ns;    /* used by the program so far */
    int64_t rss_bytes; /* now */
};

struct suite_result {
    const char *status;           /* "passed", "failed", "stopped" (by a signal to us) */
    char error[512];              /* "" if it passed */
    int64_t started_ns, ended_ns; /* since 1970 */
    int64_t wall_ns;              /* of the work alone: the command, or the load on a server */
    int64_t cpu_ns;               /* the program used in that time */
    int64_t peak_bytes;           /* the most memory it had */
    int64_t rounds;               /* of load; 1 for a command */
    int exit_status;              /* the program's, 128 + n after signal n; -1: not known */
    bool verified;                /* its output was right */
    bool profiled;                /* the profile's file is there and sound */
    uint64_t profile_samples;
    struct suite_sample *samples; /* every LIMIT_SUITE_SAMPLE_MS or a multiple; in the arena */
    uint32_t sample_count, sample_room;
    struct suite_phase phases[SUITE_PHASES_MAX];
    uint32_t phase_count;
};

/* What is happening just now. */
struct suite_progress {
    const char *phase;  /* "loading" */
    double done;        /* 0.4 of the phase; < 0 when that is not known */
    double cpu_percent; /* of one CPU, by the program; < 0: not known */
    int64_t rss_bytes;  /* < 0: not known */
};

struct suite_job {
    const struct suite_program *program;
    const struct suite_input *input;
    const struct suite_kind *kind;
    const char *suites;       /* folder of the definitions */
    const char *profile_path; /* where the profile goes */
    /* Called when a phase begins and about ten times a second. May be NULL. */
    void (*progress)(void *arg, const struct suite_progress *now);
    void *arg;
};

/* Runs it. Whatever happens, no process, port or folder of the run is there afterwards, and `out`
 * says what happened; 0 if it passed, -EINTR if we were to stop, else a negative errno. */
int suite_run(const struct suite_job *job, struct arena *a, struct suite_result *out);

#endif
