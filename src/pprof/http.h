/* SPDX-License-Identifier: MIT
 *
 * One request to a server, with libcurl, and the errors that Go's client has for it. */
#ifndef PPROF_HTTP_H
#define PPROF_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "pprof/pprof_internal.h"

struct http_request {
    const char *url;
    const char *post; /* the body, or NULL: a GET */
    size_t post_size;
    int64_t timeout_s;           /* <= 0: none */
    const struct source *source; /* whose certificates are used */
};

struct http_response {
    struct buf body;        /* initialised by the caller, in an arena of its own thread */
    const char *body_error; /* it ended early, and how; NULL: it is whole */
};

/* 0; or a negative errno: the server cannot be reached, or did not answer 200 (-EREMOTEIO). Safe in
 * several threads at once. */
int http_do(const struct http_request *request, struct http_response *response, struct err *e);

#endif
