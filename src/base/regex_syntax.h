/* SPDX-License-Identifier: MIT
 *
 * Inside base/regex: Go's syntax read, checked and written again as PCRE2's. */
#ifndef BASE_REGEX_SYNTAX_H
#define BASE_REGEX_SYNTAX_H

#include "base/buf.h"
#include "base/err.h"

/* Appends to `out` a PCRE2 pattern (UTF, no other option) that matches what the Go pattern matches.
 * 0, or -EINVAL with Go's text in `e`. */
int regex_translate(const char *pattern, size_t len, struct buf *out, struct err *e);

#endif
