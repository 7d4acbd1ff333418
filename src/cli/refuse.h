/* SPDX-License-Identifier: MIT
 *
 * A command line that is wrong: one line on stderr says how, and one where the help is. */
#ifndef CLI_REFUSE_H
#define CLI_REFUSE_H

/* "strobe VERB: SENTENCE". Returns 2, the exit status. */
int cli_refuse(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* There is no such option. What it may have meant is looked for among the options that `usage`
 * names: by spelling, or by what stands for the value, as in "-F HZ". Returns 2. */
int cli_refuse_option(const char *verb, const char *option, const char *usage);

#endif
