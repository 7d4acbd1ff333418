/* SPDX-License-Identifier: MIT
 *
 * The HTTP side of strobe's pages: a table of routes behind libmicrohttpd. It serves this machine
 * only: it binds a loopback address, and answers only requests whose Host header names one, so that
 * a page from elsewhere cannot reach it by a name of its own (DNS rebinding). No route here changes
 * state: anything but GET and HEAD is refused.
 *
 * Threads: routes are called on one thread of the server, one request at a time. */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct MHD_Connection;

/* What a route sees, and what it answers. A route fills `reply` through http_reply_* below. */
struct http_exchange {
    void *app;           /* as given to http_start */
    const char *path;    /* of the request, percent-decoded */
    bool takes_gzip;     /* the client accepts Content-Encoding: gzip */
    struct arena *arena; /* lives until the reply is sent */
    struct MHD_Connection *connection;
    struct {
        int status;
        const char *type; /* Content-Type */
        const char *cache;
        const void *body;
        size_t size;
        bool gzip; /* the body is compressed */
    } reply;
};

struct http_route {
    const char *path; /* exact, or a prefix if it ends in '/' and is longer than "/" */
    void (*serve)(struct http_exchange *x);
};

struct http_options {
    const char *address;             /* HOST:PORT as in -http; "" and ":0" are a free port */
    const struct http_route *routes; /* ends with a NULL path; the first that fits answers */
    void (*not_found)(struct http_exchange *x);
    void *app;
};

struct http_server;

/* Listens and serves on threads of its own until http_stop. Errors: an address that is none, or not
 * of this machine alone (-EINVAL), in use (-EADDRINUSE), or what the system says. */
int http_start(struct http_server **out, const struct http_options *o, struct err *e);
/* "http://127.0.0.1:40321", valid until http_stop. */
const char *http_url(const struct http_server *s);
/* Closes all connections; NULL is fine. */
void http_stop(struct http_server *s);

/* The value of a query parameter, NULL if it is not there. Valid during the call. */
const char *http_query(const struct http_exchange *x, const char *name);

/* A body that outlives the reply: in x->arena, or static. */
void http_reply(struct http_exchange *x, int status, const char *type, const void *body,
                size_t size);
/* {"error": "sentence"} */
void http_reply_error(struct http_exchange *x, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
