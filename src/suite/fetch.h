/* SPDX-License-Identifier: MIT
 *
 * HTTP for the suite: an address is read, or a body sent, while the caller does other things. Only
 * plain HTTP, no proxies, no redirects: everything is on this machine. */
#ifndef SUITE_FETCH_H
#define SUITE_FETCH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suite_fetch;

struct suite_request {
    const char *url;
    const char *path; /* the answer's body goes into this file; NULL: it is kept */
    const void *body; /* NULL: GET; else POST. Borrowed until the end */
    size_t body_size;
    const char *token;      /* Authorization: Bearer; may be NULL */
    const char *media_type; /* of the body; may be NULL */
    int64_t timeout_ms;
};

int suite_fetch_start(struct suite_fetch **out, const struct suite_request *r, struct err *e);
/* Works at most `ms` milliseconds; true when there is an answer or an error. */
bool suite_fetch_wait(struct suite_fetch *f, int ms);
/* The status, or a negative errno with a sentence; -ECONNREFUSED when nobody listens. Frees. With
 * text, what was kept of the answer, up to `size`. May be called before the end: gives it up. */
int suite_fetch_end(struct suite_fetch *f, char *text, size_t size, struct err *e);

#endif
