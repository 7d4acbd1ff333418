/* SPDX-License-Identifier: MIT
 *
 * Programs that pprof calls: dot, viewers, browsers. Errors have the words of Go's os/exec. */
#ifndef PPROF_EXTERNAL_H
#define PPROF_EXTERNAL_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* Starts argv[0], looked up in $PATH unless it has a slash. The descriptors become its standard
 * input and output; -1 is /dev/null. Standard error is ours. */
int external_start(char *const argv[], int in, int out, pid_t *pid, struct err *e);
/* Waits for its end; "exit status 1", "signal: killed" when that is not success. */
int external_wait(pid_t pid, struct err *e);
/* Runs argv with `input` on its standard input, and appends what it writes to `output`. */
int external_filter(char *const argv[], const struct buf *input, struct buf *output, struct err *e);

#endif
