/* SPDX-License-Identifier: MIT
 *
 * Where a command's report goes: standard output, a file, a picture by dot, a viewer. */
#ifndef PPROF_OUTPUT_H
#define PPROF_OUTPUT_H

#include "report/command.h"
#include "report/report.h"

struct output {
    const char *path; /* of -output, or "" */
    bool in_shell;    /* viewers run beside it; what is no text goes to files */
};

/* Prints the command's report. Nothing is written when the report fails. */
int output_report(struct report *r, const struct command *c, const struct output *o, struct err *e);
/* Opens an address in the first browser that can be started. */
int output_browse(const char *url, struct err *e);
/* Removes the files that viewers were given. */
void output_clean(void);

/* Hands the names of these files to another process, which removes them then. */
void output_give(int pipe);
void output_take(int pipe);

#endif
