/* SPDX-License-Identifier: MIT
 *
 * The verbs of the command line. A verb is one row of the table in verbs.c and one file cmd_NAME.c;
 * main.c only finds the row. A verb gets its own name as argv[0], prints to stdout what it was
 * asked for and to stderr what went wrong, and returns the exit status. It answers -h with its
 * usage. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

struct cli_verb {
    const char *name;
    const char *group;   /* heading in `strobe help`; rows of one group stand together */
    const char *summary; /* one line, imperative, no full stop */
    int (*run)(int argc, char **argv);
    const char *man; /* the manual page, without section */
};

/* Ends with a row whose name is NULL. */
extern const struct cli_verb cli_verbs[];

#endif
