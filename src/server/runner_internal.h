/* SPDX-License-Identifier: MIT
 *
 * One start of the suite (a session), shared by runner.c, which owns process and threads, and
 * runner_session.c, which understands what the child says. Nothing here locks. */
#ifndef SERVER_RUNNER_INTERNAL_H
#define SERVER_RUNNER_INTERNAL_H

#include "base/limits.h"
#include "server/runner.h"

#include <stdbool.h>

struct session_run {
    const char *id, *program, *input, *kind;
    const char *state, *error;
    int64_t expected_ms;
    int64_t began_ms, ended_ms; /* CLOCK_MONOTONIC; 0: not yet */
};

struct session_skipped {
    const char *program, *why;
};

struct session {
    struct arena a; /* of all texts but the lines */
    const char *program, *input, *kind, *batch;
    int64_t started_ms, ended_ms; /* since 1970; ended 0: not yet */
    int64_t began_ms, over_ms;    /* CLOCK_MONOTONIC */
    struct session_run *runs;
    struct session_skipped *skipped;
    uint32_t run_count, skipped_count, done;
    struct session_run *now; /* NULL: none */
    const char *step;
    double step_done, cpu_percent, rss_bytes; /* < 0: not known */
    char *lines[LIMIT_SUITE_LINES];           /* a ring: the oldest is lines[dropped % size] */
    uint64_t line_count;
    bool planned, stopping, finished; /* finished: its last event has come */
    const char *result;               /* NULL as long as it goes on */
    const char *error;
};

int64_t session_clock_ms(void);
void session_init(struct session *s, const struct runner_ask *ask);
void session_free(struct session *s);
/* Takes a line of events; one that is none is passed over. */
void session_take_event(struct session *s, const char *line, size_t len);
/* Takes a line for people. */
void session_take_line(struct session *s, const char *line, size_t len);
/* The child is gone; `status` is as from wait. */
void session_over(struct session *s, int status);
/* The newest line for people, without "strobe suite: "; "" if there is none. */
const char *session_last_line(const struct session *s);
void session_write(const struct session *s, struct json *j);

#endif
