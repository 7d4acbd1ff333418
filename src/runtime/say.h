/* SPDX-License-Identifier: MIT
 *
 * What libstrobe says to whoever runs the program; see say.c. */
#ifndef RUNTIME_SAY_H
#define RUNTIME_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks which file standard error is. At the start, before the program's own code. */
void say_begin(void);
/* Whether standard error is still the one that the program began with. */
bool say_can(void);
/* One line (or more) on standard error: all of it, or nothing where it would have to wait, or where
 * nobody reads it. Keeps errno; may be called in handlers. */
void say_text(const char *text, size_t n);
/* "libstrobe: WHAT: WHICH: " and the error, a negative errno. May be called in handlers. */
void say_error(const char *what, const char *which, int error);

/* From here on writing to a pipe without a reader, or over a limit of size, fails and does nothing
 * else. */
struct say_quiet {
    uint64_t mask;
    bool is_on;
};
void say_quiet_begin(struct say_quiet *q);
/* `error`: the last write's, a negative errno, or 0. */
void say_quiet_end(const struct say_quiet *q, long error);

#endif
