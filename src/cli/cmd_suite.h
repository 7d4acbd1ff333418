/* SPDX-License-Identifier: MIT
 *
 * The verbs below `strobe suite`, one function each; argv[0] is the verb's own name. */
#ifndef CLI_CMD_SUITE_H
#define CLI_CMD_SUITE_H

int suite_verb_list(int argc, char **argv);
int suite_verb_run(int argc, char **argv);
int suite_verb_show(int argc, char **argv);
int suite_verb_compare(int argc, char **argv);

/* "strobe suite: " and the sentence on stderr; returns 1. */
struct err;
int suite_verb_fail(const struct err *e);
/* A mistake on the command line, with a pointer to the help; returns 2. */
int suite_verb_complain(const char *fmt, const char *what);
/* An option that no verb has, likewise. */
int suite_verb_no_option(const char *option);

#endif
