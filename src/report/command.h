/* SPDX-License-Identifier: MIT
 *
 * pprof's commands: which report each prints and what it overrides. */
#ifndef REPORT_COMMAND_H
#define REPORT_COMMAND_H

#include "report/settings.h"

#include <stdbool.h>

/* What a command changes in the settings before its report. */
enum command_override {
    COMMAND_NO_TRIM = 1,    /* shows everything */
    COMMAND_ADDRESSES = 2,  /* granularity addresses */
    COMMAND_LINES = 4,      /* granularity lines */
    COMMAND_NO_INLINES = 8, /* noinlines on */
    COMMAND_INLINES = 16,   /* noinlines off */
    COMMAND_ALL_NODES = 32, /* nodecount -1 is 0, not 80 */
    COMMAND_TEN_NODES = 64, /* nodecount -1 is 10 */
};

struct command {
    const char *name;
    const char *report; /* in report_kinds; a name that is not there: not in this version */
    unsigned overrides;
    bool has_param; /* takes a regular expression */
    bool hidden;    /* ours, not pprof's: not in its usage text */
    const char *description;
    const char *dot;    /* the report is given to dot for this format; NULL: it is printed */
    const char *suffix; /* of the file where it goes instead of a terminal or for a viewer */
    /* Programs that show the file, "web" for a browser; NULL: there is no viewer. */
    const char *viewer;
    const char *help; /* in the shell, behind the first line which is the command's own; or NULL */
};

/* By name; ends with a row whose name is NULL. */
extern const struct command commands[];

const struct command *command_find(const char *name);
void command_override(const struct command *c, struct settings *s);

#endif
