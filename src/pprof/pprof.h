/* SPDX-License-Identifier: MIT
 *
 * The driver: google/pprof's command line, from arguments to a report on standard output. */
#ifndef PPROF_PPROF_H
#define PPROF_PPROF_H

#include <stdbool.h>

/* What the words of the command line are that are no options. */
enum pprof_operands {
    PPROF_FILES,            /* FILE... */
    PPROF_EXPRESSION_FIRST, /* RE FILE...: the command's regular expression */
    PPROF_BASE_FIRST,       /* BEFORE AFTER...: the first is what -diff_base names */
};

/* Who asks. `strobe pprof` speaks exactly as pprof does; a short verb (`strobe top`) is one command
 * of it with a friendlier front: options may stand behind files, -o is -output, "-" is standard
 * input. */
struct pprof_front {
    const char *program;          /* before error messages: "pprof", "strobe top" */
    const char *command;          /* the only command, or NULL: the flags name it */
    bool web;                     /* the page is the only command: -http has a default */
    enum pprof_operands operands; /* PPROF_FILES with pprof's own front */
    void (*print_help)(void); /* the answer to -h on standard output; NULL: pprof's usage text */
};

/* Runs one command line; argv[0] is skipped. Returns the exit status: 0, or 2 on any error. */
int pprof_main(int argc, char **argv, const struct pprof_front *front);

#endif
