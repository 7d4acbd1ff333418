/* SPDX-License-Identifier: MIT
 *
 * HTTP/1.1 as far as /debug/ needs it: requests as they came over a socket, read from a fixed
 * buffer, and the head of an answer. No memory is allocated and nothing is called back. */
#ifndef RUNTIME_HTTP_MESSAGE_H
#define RUNTIME_HTTP_MESSAGE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_REQUEST_MAX = 16384, HTTP_TARGET_MAX = 4096 };

struct http_request {
    char method[8];
    char path[HTTP_TARGET_MAX];  /* decoded */
    char query[HTTP_TARGET_MAX]; /* as it came, without "?" */
    const char *body;            /* in the buffer it was read from */
    size_t body_size;
    bool keep_alive;
};

/* Reads one request from `data`. Its size when it is complete; 0 when more must come; or the
 * negative HTTP status that answers it: -400, -405, -411, -413, -414, -501, -505. */
long http_read_request(const char *data, size_t size, struct http_request *r);

/* Splits "/path?query" into a request's path and query. False: it is too long, or not a path. */
bool http_set_target(struct http_request *r, const char *target, size_t size);

/* The first value of parameter `name`, decoded; false when it is not there or does not fit. */
bool http_parameter(const struct http_request *r, const char *name, char *value, size_t size);

/* The same as Go's strconv reads it: a sign and digits. False: it is not there, or is no such
 * number. */
bool http_integer(const struct http_request *r, const char *name, long *value);

/* "OK", "Not Found" …; never NULL. */
const char *http_reason(int status);

#endif
