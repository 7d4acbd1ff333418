/* SPDX-License-Identifier: MIT
 *
 * Errors for people. Inside, functions return 0 or a negative errno; where an error leaves a module
 * it also carries a sentence: what failed, on what, what to do next. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
    int code;      /* negative errno, 0 = none */
    char msg[512]; /* one sentence without a final newline, NUL-terminated, cut if longer */
};

/* Fills `e` (which may be NULL) and returns `code`, so that a caller can write
 * `return err_set(e, -EINVAL, "…", …)`. `code` must be negative. Not signal-safe. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that is there: for callers that know the file's name. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
