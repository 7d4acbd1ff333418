/* SPDX-License-Identifier: MIT
 *
 * Sends profiles of runs to a `strobe serve` that is running, with the labels suite, run and input.
 * Where none runs the profiles are kept as files only. */
#ifndef SUITE_PUSH_H
#define SUITE_PUSH_H

#include "suite/results.h"

struct suite_push {
    char where[256]; /* the server's address; "" when there is none */
    char token[256];
    uint32_t sent;
};

/* Finds the server: $STROBE_SERVER, else http://127.0.0.1:7070, and its token. -ECONNREFUSED if
 * STROBE_SERVER is set and nobody answers there; without it, no server is no error. With `wanted`
 * false nothing is ever sent. */
int suite_push_open(struct suite_push *p, bool wanted, struct err *e);
/* Returns when the server has the profile on its disk. */
int suite_push_profile(struct suite_push *p, const struct suite_run_name *n, const char *path,
                       struct err *e);
void suite_push_close(struct suite_push *p);

#endif
