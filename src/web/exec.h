/* SPDX-License-Identifier: MIT
 *
 * Other programs, started by a server that has threads, signals blocked and descriptors open: none
 * of that reaches them. Each is in a process group of its own, so that a terminal's Ctrl-C is the
 * server's alone. */
#ifndef WEB_EXEC_H
#define WEB_EXEC_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct exec_child {
    pid_t pid;
    int in, out, err; /* our ends of its pipes: not blocking, but for `in` */
};

/* Starts argv[0], found by PATH, with the environment `env` (NULL: ours). -ENOENT: it is not there.
 */
int exec_start(struct exec_child *c, const char *const *argv, char *const *env, struct err *e);

struct exec_job {
    const char *const *argv;
    const char *input; /* its standard input */
    size_t input_size;
    int timeout_ms;
    size_t output_max, memory_max; /* bytes; of its output, of its address space (0: any) */
};

struct exec_output {
    char *bytes; /* in the arena, NUL behind them */
    size_t size;
    char said[256]; /* the beginning of its standard error, one line */
    int status;     /* as from wait */
};

/* Runs a program to its end. 0 whatever its status is; -ENOENT, -ETIMEDOUT, -EFBIG: too much
 * output. It is gone when this returns. */
int exec_run(const struct exec_job *job, struct arena *a, struct exec_output *out, struct err *e);

#endif
