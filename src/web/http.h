/* SPDX-License-Identifier: MIT
 *
 * The HTTP side of strobe's pages: a table of routes behind libmicrohttpd. It serves this machine
 * only: it binds a loopback address, and answers only requests whose Host header names one, so that
 * a page from elsewhere cannot reach it by a name of its own (DNS rebinding); an Origin header must
 * be that of the same host. GET and HEAD change nothing; a POST is answered by routes that have a
 * `post`, and needs the token of http_options.
 *
 * Threads: routes are called on one thread of the server, one request at a time; with `threads` on
 * one thread a connection, where they may wait. */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct MHD_Connection;

enum { HTTP_HEADERS_MAX = 16 };

struct http_param {
    const char *name, *value; /* name NULL: the end */
};

/* What a route sees, and what it answers. A route fills `reply` through http_reply_* below. */
struct http_exchange {
    void *app;            /* as given to http_start */
    const char *method;   /* as sent */
    const char *path;     /* of the request, percent-decoded */
    const char *raw_path; /* as sent, up to the "?" */
    const char *query;    /* as sent, behind the "?"; "" */
    bool takes_gzip;      /* the client accepts Content-Encoding: gzip */
    struct arena *arena;  /* lives until the reply is sent */
    struct MHD_Connection *connection;
    const struct http_param *params; /* where nobody asked: what http_query finds in its place */
    struct {
        const char *bytes; /* as sent, in the arena */
        size_t size;
    } body; /* of a POST */
    struct {
        int status;
        const char *type; /* Content-Type */
        const char *cache;
        const char *policy; /* Content-Security-Policy in place of the usual one, or NULL */
        const void *body;
        size_t size;
        bool gzip; /* the body is compressed */
        struct {
            const char *name, *value; /* in the arena, or static */
        } headers[HTTP_HEADERS_MAX];  /* further ones */
        unsigned header_count;
        const char *allow; /* of status 405 */
    } reply;
};

struct http_route {
    const char *path; /* exact, or a prefix if it ends in '/' and is longer than "/" */
    void (*serve)(struct http_exchange *x); /* GET and HEAD; may be NULL */
    void (*post)(struct http_exchange *x);  /* POST; may be NULL */
    bool any_method; /* `serve` answers all methods, without a token: it makes sure itself */
};

struct http_options {
    const char *address; /* HOST:PORT as in -http; "" and ":0" are a free port */
    int socket;          /* > 0: listens already; `address` is not read */
    const char *url;     /* with `socket`: what it is called */
    const char *host;    /* with `socket`: the name or address it was opened by. If that is not this
                            machine's alone, requests may come from others, and name it, its address
                            or this machine's name as their Host */
    const struct http_route *routes; /* ends with a NULL path; the first that fits answers */
    void (*not_found)(struct http_exchange *x);
    bool not_found_any_method; /* as any_method of a route */
    void *app;
    bool threads;           /* one a connection */
    const char *token;      /* that a POST must bring; without one there is no POST */
    const char *token_path; /* where people find it, for the refusal */
    size_t body_limit;      /* bytes of one POST, as sent */
    size_t bodies_limit;    /* of all that are being received */
};

struct http_server;

/* Whether a request that changes something was made by one of our own pages, by hand or by a
 * program, and not by a page from elsewhere: by Sec-Fetch-Site, else by Referer. Origin is looked
 * at for all requests. */
bool http_is_own_request(const struct http_exchange *x);

/* For a program that serves until it is told to end: blocks SIGINT, SIGTERM and SIGHUP, which go
 * into `set` for sigwait, and ignores SIGPIPE. To be called before http_start, whose threads
 * inherit the mask. */
void http_block_ending_signals(sigset_t *set);

/* Listens and serves on threads of its own until http_stop. Errors: an address that is none, or not
 * of this machine alone (-EINVAL), in use (-EADDRINUSE), or what the system says. The options'
 * texts must outlive the server. */
int http_start(struct http_server **out, const struct http_options *o, struct err *e);
/* "http://127.0.0.1:40321", valid until http_stop. */
const char *http_url(const struct http_server *s);
/* Takes no more connections, gives requests that have come in up to `wait_ms` to be answered, and
 * closes. NULL is fine. */
void http_drain(struct http_server *s, int wait_ms);
/* Closes all connections at once. */
void http_stop(struct http_server *s);

/* The value of a query parameter, NULL if it is not there. Valid during the call. */
const char *http_query(const struct http_exchange *x, const char *name);
/* Calls `each` for all query parameters, in their order, until it returns false. */
void http_query_each(const struct http_exchange *x,
                     bool (*each)(void *arg, const char *name, const char *value), void *arg);
/* The value of a header of the request, or NULL. */
const char *http_header(const struct http_exchange *x, const char *name);

/* A body that outlives the reply: in x->arena, or static. */
void http_reply(struct http_exchange *x, int status, const char *type, const void *body,
                size_t size);
/* A header more; beyond HTTP_HEADERS_MAX it is left out. */
void http_reply_header(struct http_exchange *x, const char *name, const char *value);
/* {"error": "sentence"} */
void http_reply_error(struct http_exchange *x, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
