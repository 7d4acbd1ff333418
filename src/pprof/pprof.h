/* SPDX-License-Identifier: MIT
 *
 * The driver: google/pprof's command line, from arguments to a report on standard output. */
#ifndef PPROF_PPROF_H
#define PPROF_PPROF_H

#include <stdbool.h>

/* Who asks. `strobe pprof` speaks exactly as pprof does; a short verb (`strobe top`) is one command
 * of it with a friendlier front. */
struct pprof_front {
    const char *program; /* before error messages: "pprof", "strobe top" */
    const char *command; /* the only command, or NULL: the flags name it */
    bool options_anywhere; /* options may stand behind files */
    void (*print_help)(void); /* the answer to -h on standard output; NULL: pprof's usage text */
};

/* Runs one command line; argv[0] is skipped. Returns the exit status: 0, or 2 on any error. */
int pprof_main(int argc, char **argv, const struct pprof_front *front);

#endif
