/* SPDX-License-Identifier: MIT
 *
 * What the program counts and times itself: see vars.c and errors.c. */
#ifndef RUNTIME_VARS_H
#define RUNTIME_VARS_H

#include "base/buf.h"

/* Writes `,"name": 1` for each counter, `,"spans": {…}` and `,"errors": {…}` where there are such.
 */
void vars_put(struct buf *out);
void errors_put(struct buf *out);
/* A JSON string. */
void http_put_string(struct buf *out, const char *s, size_t n);

#endif
