/* SPDX-License-Identifier: MIT
 *
 * libmicrohttpd behind a table of routes. This file owns what holds for every reply: which requests
 * are answered at all, the headers that keep the page to itself (no foreign script, frame, request
 * or referrer), and the life of a request's memory. */
#include "web/http.h"
#include "web/address.h"
#include "web/json.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char *const fixed_headers[][2] = {
    {"Content-Security-Policy", content_policy},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_options options;
    char url[64];
};

static void free_arena(void *arena)
{
    arena_free(arena);
    free(arena);
}

static enum MHD_Result send_reply(struct http_exchange *x)
{
    /* libmicrohttpd does not write to the body. */
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        x->reply.size, (void *)x->reply.body, free_arena, x->arena);
    if (!r) {
        free_arena(x->arena);
        return MHD_NO;
    }
    for (size_t i = 0; i < sizeof fixed_headers / sizeof *fixed_headers; i++)
        MHD_add_response_header(r, fixed_headers[i][0], fixed_headers[i][1]);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, x->reply.type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL,
                            x->reply.cache ? x->reply.cache : "no-store");
    if (x->reply.gzip)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    if (x->reply.status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->reply.status, r);
    MHD_destroy_response(r);
    return result;
}

/* Weights ("gzip;q=0") are not read: no browser sends one for gzip. */
static bool takes_gzip(struct MHD_Connection *c)
{
    const char *v =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    return v && strstr(v, "gzip");
}

static bool route_fits(const struct http_route *r, const char *path)
{
    size_t n = strlen(r->path);
    if (n > 1 && r->path[n - 1] == '/')
        return !strncmp(r->path, path, n);
    return !strcmp(r->path, path);
}

static void serve(struct http_server *s, struct http_exchange *x, const char *method)
{
    const char *host =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (!host || !address_host_is_loopback(host)) {
        http_reply_error(x, MHD_HTTP_FORBIDDEN, "this page is served to this machine only: open %s",
                         s->url);
        return;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
        http_reply_error(x, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
        return;
    }
    for (const struct http_route *r = s->options.routes; r->path; r++) {
        if (route_fits(r, x->path)) {
            r->serve(x);
            return;
        }
    }
    s->options.not_found(x);
}

/* libmicrohttpd calls this once with the headers, then with each piece of a body, then to get the
 * answer. Bodies are dropped; a request that may not have one is answered before it is sent. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **state)
{
    static int headers_seen;
    bool reads = !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
    if (reads && (!*state || *body_size)) {
        *state = &headers_seen;
        *body_size = 0;
        return MHD_YES;
    }
    struct arena *arena = malloc(sizeof *arena);
    if (!arena)
        return MHD_NO;
    arena_init(arena);
    struct http_exchange x = {.path = path, .arena = arena, .connection = connection};
    struct http_server *s = arg;
    x.app = s->options.app;
    x.takes_gzip = takes_gzip(connection);
    serve(s, &x, method);
    return send_reply(&x);
}

int http_start(struct http_server **out, const struct http_options *o, struct err *e)
{
    struct address a;
    int r = address_parse(&a, o->address, e);
    if (r)
        return r;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    s->options = *o;
    int fd = address_listen(&a, s->url, sizeof s->url, e);
    if (fd < 0) {
        free(s);
        return fd;
    }
    s->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle,
                         s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 128u,
                         MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);
    if (!s->daemon) {
        address_close(fd);
        free(s);
        return err_set(e, -EIO, "cannot start the web server on %s", o->address);
    }
    *out = s;
    return 0;
}

const char *http_url(const struct http_server *s)
{
    return s->url;
}

void http_stop(struct http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

void http_reply(struct http_exchange *x, int status, const char *type, const void *body,
                size_t size)
{
    x->reply.status = status;
    x->reply.type = type;
    x->reply.body = body;
    x->reply.size = size;
}

void http_reply_error(struct http_exchange *x, int status, const char *fmt, ...)
{
    char sentence[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    struct buf b;
    buf_init(&b, x->arena);
    struct json j;
    json_init(&j, &b);
    json_object(&j, NULL);
    json_cstr(&j, "error", sentence);
    json_object_end(&j);
    buf_putc(&b, '\n');
    http_reply(x, status, "application/json", b.data, b.len);
}
