/* SPDX-License-Identifier: MIT
 *
 * libmicrohttpd behind a table of routes. This file owns what holds for every reply: which requests
 * are answered at all, the headers that keep the page to itself (no foreign script, frame, request
 * or referrer), and the life of a request's memory. */
#include "web/http.h"
#include "web/address.h"
#include "web/json.h"
#include "web/libmicrohttpd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char *const fixed_headers[][2] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_options options;
    char url[320];
    atomic_size_t receiving; /* bytes of bodies that are held */
    atomic_int open_requests;
};

/* One request from its headers to the end of its reply. */
struct request {
    struct http_server *server;
    struct http_exchange x;
    struct buf body;
    bool begun;       /* its headers are read */
    bool refused;     /* the answer is there; a body is read and dropped */
    size_t held;      /* of server->receiving */
    uint64_t dropped; /* bytes that came after the refusal */
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
    MHD_add_response_header(r, "Content-Security-Policy",
                            x->reply.policy ? x->reply.policy : content_policy);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, x->reply.type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL,
                            x->reply.cache ? x->reply.cache : "no-store");
    if (x->reply.gzip)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    if (x->reply.allow)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, x->reply.allow);
    for (unsigned i = 0; i < x->reply.header_count; i++)
        MHD_add_response_header(r, x->reply.headers[i].name, x->reply.headers[i].value);
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

static const struct http_route *find_route(const struct http_server *s, const char *path)
{
    for (const struct http_route *r = s->options.routes; r->path; r++)
        if (route_fits(r, path))
            return r;
    return NULL;
}

/* Bytes are compared without regard to where they first differ. */
static bool token_is_right(const struct http_server *s, const struct http_exchange *x)
{
    static const char scheme[] = "Bearer ";
    const char *given = http_header(x, MHD_HTTP_HEADER_AUTHORIZATION), *want = s->options.token;
    if (!want || !given || strncasecmp(given, scheme, sizeof scheme - 1))
        return false;
    given += sizeof scheme - 1;
    size_t n = strlen(want);
    unsigned char differ = strlen(given) != n;
    for (size_t i = 0; i < n && given[i]; i++)
        differ |= (unsigned char)given[i] ^ (unsigned char)want[i];
    return !differ;
}

/* A browser says from which page a request comes. Host is known to be ours, so that the same host
 * and port are this page, also through a forwarded port. */
static bool origin_is_ours(const struct http_exchange *x, const char *host)
{
    const char *origin = http_header(x, "Origin");
    return !origin || (!strncmp(origin, "http://", 7) && !strcasecmp(origin + 7, host));
}

static bool refuse_method(struct http_exchange *x, const struct http_route *r, bool reads)
{
    if (reads ? !!r->serve : r->post && !strcmp(x->method, MHD_HTTP_METHOD_POST))
        return false;
    bool both = r->serve && r->post;
    http_reply_error(x, MHD_HTTP_METHOD_NOT_ALLOWED, "only %s answered here",
                     both       ? "GET, HEAD and POST are"
                     : r->serve ? "GET and HEAD are"
                                : "POST is");
    x->reply.allow = both ? "GET, HEAD, POST" : r->serve ? "GET, HEAD" : "POST";
    return true;
}

/* Pages from elsewhere can reach a server by a name that they make point here, but not by its
 * address. A server that others may reach is asked by them for a name that is known. */
static bool host_is_ours(const struct http_server *s, const char *host)
{
    char name[256] = "";
    const char *given = s->options.socket > 0 ? s->options.host : NULL;
    if (address_host_is_loopback(host))
        return true;
    if (!given || address_host_is_loopback(given))
        return false;
    gethostname(name, sizeof name - 1);
    return address_host_is_literal(host) || address_host_is(host, given) ||
           address_host_is(host, name);
}

/* What can be said against a request before its body: true if it is refused. */
static bool refuse(struct http_server *s, struct http_exchange *x)
{
    const char *host = http_header(x, MHD_HTTP_HEADER_HOST);
    bool reads =
        !strcmp(x->method, MHD_HTTP_METHOD_GET) || !strcmp(x->method, MHD_HTTP_METHOD_HEAD);
    if (!host || !host_is_ours(s, host)) {
        http_reply_error(x, MHD_HTTP_FORBIDDEN, "this page is served to this machine only: open %s",
                         s->url);
        return true;
    }
    if (!origin_is_ours(x, host)) {
        http_reply_error(x, MHD_HTTP_FORBIDDEN,
                         "requests from other pages are not answered: open %s", s->url);
        return true;
    }
    const struct http_route page = {.serve = s->options.not_found,
                                    .any_method = s->options.not_found_any_method};
    const struct http_route *r = find_route(s, x->path);
    if (r ? r->any_method : page.any_method)
        return false;
    if (refuse_method(x, r ? r : &page, reads))
        return true;
    if (reads)
        return false;
    if (!token_is_right(s, x)) {
        http_reply_error(x, MHD_HTTP_UNAUTHORIZED,
                         "this needs the header 'Authorization: Bearer TOKEN' with the token in %s",
                         s->options.token_path ? s->options.token_path : "the state directory");
        http_reply_header(x, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
        return true;
    }
    return false;
}

static void refuse_size(struct request *q)
{
    http_reply_error(&q->x, MHD_HTTP_CONTENT_TOO_LARGE,
                     "the body is larger than %zu MiB, the limit of one request",
                     q->server->options.body_limit >> 20);
    q->refused = true;
}

/* 0 when no length was announced. */
static uint64_t announced_size(const struct request *q)
{
    const char *text = http_header(&q->x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* What is read of a body that is refused. */
static uint64_t drop_limit(const struct http_server *s)
{
    return 2 * (uint64_t)s->options.body_limit + (1u << 20);
}

/* Whether the client sends its body only when it is told to go on. */
static bool waits(const struct request *q)
{
    return http_header(&q->x, MHD_HTTP_HEADER_EXPECT) != NULL;
}

static void take_body(struct request *q, const char *bytes, size_t size)
{
    struct http_server *s = q->server;
    if (!q->refused && size > s->options.body_limit - q->body.len)
        refuse_size(q);
    if (q->refused) {
        q->dropped += size;
        return;
    }
    if (atomic_fetch_add(&s->receiving, size) + size > s->options.bodies_limit) {
        atomic_fetch_sub(&s->receiving, size);
        http_reply_error(&q->x, MHD_HTTP_SERVICE_UNAVAILABLE,
                         "more than %zu MiB are being received at once: try again in a second",
                         s->options.bodies_limit >> 20);
        http_reply_header(&q->x, MHD_HTTP_HEADER_RETRY_AFTER, "1");
        q->refused = true;
        return;
    }
    q->held += size;
    buf_append(&q->body, bytes, size);
}

static void answer(struct request *q)
{
    struct http_exchange *x = &q->x;
    const struct http_route *r = find_route(q->server, x->path);
    x->body.bytes = q->body.data;
    x->body.size = q->body.len;
    if (!r)
        q->server->options.not_found(x);
    else if (!r->any_method && !strcmp(x->method, MHD_HTTP_METHOD_POST))
        r->post(x);
    else
        r->serve(x);
}

/* A proxy's way to ask for http://HOST/PATH: from the path on, "" if there is none. */
static const char *without_host(const char *uri)
{
    return strncasecmp(uri, "http://", 7) ? uri : uri + 7 + strcspn(uri + 7, "/?");
}

/* The first that is heard of a request: its address as it was sent. NULL when memory is out. */
static void *open_request(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *s = arg;
    struct request *q = calloc(1, sizeof *q);
    struct arena *arena = calloc(1, sizeof *arena);
    if (!q || !arena) {
        free(q);
        free(arena);
        return NULL;
    }
    q->server = s;
    const char *path = without_host(uri), *query = strchr(path, '?');
    q->x = (struct http_exchange){.app = s->options.app, .arena = arena, .connection = connection};
    q->x.raw_path = arena_strndup(arena, path, strcspn(path, "?"));
    q->x.query = query ? arena_strndup(arena, query + 1, strlen(query + 1)) : "";
    buf_init(&q->body, arena);
    atomic_fetch_add(&s->open_requests, 1);
    return q;
}

/* libmicrohttpd calls this once with the headers, then with each piece of a body, then to get the
 * answer. What can be refused is refused by the headers; its body is read and dropped first, for a
 * client that still sends would not see the answer. Answered at once is who waits for a word before
 * a body that is too large, and who announces more than we would drop; one that sends more than
 * that is cut off. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **state)
{
    struct http_server *s = arg;
    struct request *q = *state;
    if (!q)
        return MHD_NO;
    if (!q->begun) {
        q->begun = true;
        q->x.path = without_host(path);
        q->x.method = method;
        q->x.takes_gzip = takes_gzip(connection);
        q->refused = refuse(s, &q->x);
        uint64_t size = announced_size(q);
        if (!q->refused && size > s->options.body_limit)
            refuse_size(q);
        if (size <= s->options.body_limit || (size <= drop_limit(s) && !waits(q)))
            return MHD_YES;
    } else if (*body_size) {
        take_body(q, body, *body_size);
        *body_size = 0;
        return q->dropped > drop_limit(s) ? MHD_NO : MHD_YES;
    }
    if (!q->refused)
        answer(q);
    struct http_exchange x = q->x;
    q->x.arena = NULL; /* the reply's from here on */
    return send_reply(&x);
}

static void end_request(void *arg, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct request *q = *state;
    if (!q)
        return;
    atomic_fetch_sub(&q->server->receiving, q->held);
    atomic_fetch_sub(&q->server->open_requests, 1);
    if (q->x.arena)
        free_arena(q->x.arena);
    free(q);
    *state = NULL;
}

/* The socket of the options, or one of their address; a negative errno with a sentence. */
static int open_socket(struct http_server *s, const struct http_options *o, struct err *e)
{
    struct address a;
    if (o->socket > 0) {
        snprintf(s->url, sizeof s->url, "%s", o->url);
        return o->socket;
    }
    int r = address_parse(&a, o->address, e);
    return r ? r : address_listen(&a, s->url, sizeof s->url, e);
}

int http_start(struct http_server **out, const struct http_options *o, struct err *e)
{
    int rc = libmicrohttpd_load(e);
    if (rc)
        return rc;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    s->options = *o;
    int fd = open_socket(s, o, e);
    if (fd < 0) {
        free(s);
        return fd;
    }
    *out = s; /* routes may ask for it as soon as there are threads */
    unsigned flags = MHD_USE_ERROR_LOG;
    flags |= o->threads ? MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                              MHD_USE_POLL | MHD_USE_ITC
                        : MHD_USE_EPOLL_INTERNAL_THREAD;
    s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, s, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, 128u, MHD_OPTION_CONNECTION_TIMEOUT,
                                 60u, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
                                 MHD_OPTION_URI_LOG_CALLBACK, open_request, s,
                                 MHD_OPTION_THREAD_STACK_SIZE, (size_t)(1u << 20), MHD_OPTION_END);
    if (!s->daemon) {
        address_close(fd);
        *out = NULL;
        free(s);
        return err_set(e, -EIO, "cannot start the web server on %s",
                       o->socket > 0 ? o->url : o->address);
    }
    return 0;
}

void http_block_ending_signals(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
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

void http_drain(struct http_server *s, int wait_ms)
{
    if (!s)
        return;
    int fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        address_close(fd);
    for (; wait_ms > 0 && atomic_load(&s->open_requests); wait_ms -= 5)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    http_stop(s);
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    if (!x->params)
        return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
    const struct http_param *p = x->params;
    while (p->name && strcmp(p->name, name))
        p++;
    return p->value;
}

struct each {
    bool (*call)(void *arg, const char *name, const char *value);
    void *arg;
};

static enum MHD_Result call_each(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct each *e = arg;
    return e->call(e->arg, name, value ? value : "") ? MHD_YES : MHD_NO;
}

void http_query_each(const struct http_exchange *x,
                     bool (*each)(void *arg, const char *name, const char *value), void *arg)
{
    struct each e = {each, arg};
    for (const struct http_param *p = x->params; p && p->name; p++)
        if (!each(arg, p->name, p->value))
            return;
    if (x->params)
        return;
    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, call_each, &e);
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

bool http_is_own_request(const struct http_exchange *x)
{
    const char *site = http_header(x, "Sec-Fetch-Site"), *referer = http_header(x, "Referer");
    const char *host = http_header(x, MHD_HTTP_HEADER_HOST);
    if (site)
        return !strcmp(site, "same-origin") || !strcmp(site, "none");
    if (!referer)
        return true;
    size_t n = strlen(host);
    return !strncmp(referer, "http://", 7) && !strncasecmp(referer + 7, host, n) &&
           (!referer[7 + n] || referer[7 + n] == '/');
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
    if (x->reply.header_count == HTTP_HEADERS_MAX)
        return;
    x->reply.headers[x->reply.header_count].name = name;
    x->reply.headers[x->reply.header_count++].value = value;
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
