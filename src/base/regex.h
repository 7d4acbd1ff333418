/* SPDX-License-Identifier: MIT
 *
 * Regular expressions with Go's syntax (regexp/syntax of Go's standard library, that is RE2's) and
 * Go's error texts, matched by PCRE2. Only the question "does it match somewhere" is asked, so
 * greediness and captures are read but make no difference.
 *
 * Compiling and matching use malloc, not arenas: PCRE2 owns its code blocks. */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct regex;

/* NULL and Go's text in `e` ("error parsing regexp: missing closing ): `(`") if `pattern` is not
 * Go syntax. The caller frees with regex_free. */
struct regex *regex_compile(const char *pattern, size_t len, struct err *e);
/* NULL is fine. */
void regex_free(struct regex *re);

/* Whether `re` matches anywhere in the text. Bytes that are not UTF-8 count as U+FFFD each, as in
 * Go. Linear time is PCRE2's backtracking matcher under a limit, and its automaton beyond it, so
 * that no pattern can hang us. Not for two threads at once. */
bool regex_matches(struct regex *re, const char *s, size_t len);

/* The pattern as it was given. Lives as long as `re`. */
const char *regex_pattern(const struct regex *re);

#endif
