/* SPDX-License-Identifier: MIT
 *
 * Inside base/regex: what regex_syntax.c and regex_class.c share. All functions move `at` behind
 * what they read, append to `out`, and return 0 or -EINVAL with Go's text in `err`. */
#ifndef BASE_REGEX_SCAN_H
#define BASE_REGEX_SCAN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum regex_flag { REGEX_FOLD = 1, REGEX_MULTILINE = 2, REGEX_DOT_NL = 4 };

struct regex_scan {
    const char *pattern;
    size_t len, at; /* at <= len */
    unsigned flags; /* of enum regex_flag, as they hold here */
    struct buf *out;
    struct err *err;
};

/* "error parsing regexp: CODE: `pattern[from, to)`"; returns -EINVAL. */
int regex_scan_error(const struct regex_scan *s, const char *code, size_t from, size_t to);
/* The next rune; at the end U+FFFD without moving. */
int regex_scan_rune(struct regex_scan *s, uint32_t *rune);
/* At a backslash that is no class and no assertion: the rune it stands for. */
int regex_scan_escape(struct regex_scan *s, uint32_t *rune);

/* At "[": the whole class. */
int regex_class(struct regex_scan *s);
/* At \d, \D, \s, \S, \w, \W, \p or \P outside of a class. */
int regex_class_escape(struct regex_scan *s);

#endif
