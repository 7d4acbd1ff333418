/* SPDX-License-Identifier: MIT
 *
 * What stands under /debug/: paths, parameters, headers, status codes and texts of Go's
 * net/http/pprof (src/net/http/pprof/pprof.go), so that every tool that reads a Go program reads
 * this one. One row of the table is one path. */
#include "base/elfsym.h"
#include "base/sigsafe.h"
#include "runtime/http.h"
#include "runtime/runtime.h"
#include "runtime/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS_DEFAULT = 30, SECONDS_MAX = 86400 };
static const uint64_t SECOND_NS = 1000000000;

static const char text_type[] = "text/plain; charset=utf-8";
static const char html_type[] = "text/html; charset=utf-8";
const char http_binary_type[] = "application/octet-stream";

void http_refuse(struct http_answer *a, int status, const char *why)
{
    a->status = status;
    a->type = text_type;
    a->filename = NULL;
    a->is_pprof_error = true;
    a->body.len = 0;
    buf_puts(&a->body, why);
    buf_putc(&a->body, '\n');
}

long http_number(const struct http_request *r, const char *name)
{
    long n;
    return http_integer(r, name, &n) ? n : 0;
}

int http_append(void *ctx, const void *bytes, size_t size)
{
    struct buf *out = ctx;
    buf_append(out, bytes, size);
    return out->failed;
}

uint64_t http_seconds_ns(const struct http_request *r)
{
    long seconds;
    if (!http_integer(r, "seconds", &seconds) || seconds <= 0)
        return 0;
    return (uint64_t)(seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * SECOND_NS;
}

bool http_read_pid(const struct http_request *r, struct http_answer *a, uint32_t *pid)
{
    char text[32];
    long n = 0;
    *pid = 0;
    if (!http_parameter(r, "pid", text, sizeof text) || !text[0])
        return true;
    if (http_integer(r, "pid", &n) && n > 0 && n <= INT32_MAX && tree_has((uint32_t)n)) {
        *pid = (uint32_t)n;
        return true;
    }
    http_refuse(a, 404, "no such process in the tree of this address");
    return false;
}

/* ---- cmdline ---- */

void http_read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    while (fd >= 0 && n > 0) {
        char *at = buf_reserve(out, 4096);
        n = at ? read(fd, at, 4096) : 0;
        out->len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
}

static void serve_cmdline(const struct http_request *r, struct http_answer *a)
{
    (void)r;
    http_read_file("/proc/self/cmdline", &a->body);
    if (a->body.len && !a->body.data[a->body.len - 1])
        a->body.len--;
}

/* ---- profile ---- */

static void finish_profile(struct http_answer *a)
{
    int r = api_http_cpu_stop();
    tree_end_profile();
    if (r != 0)
        http_refuse(a, 500, strobe_last_error());
}

static void serve_profile(const struct http_request *r, struct http_answer *a)
{
    uint64_t ns = http_seconds_ns(r);
    uint32_t pid;
    if (!http_read_pid(r, a, &pid))
        return;
    int rc = api_http_cpu_start(http_append, &a->body);
    if (rc) {
        char why[600];
        snprintf(why, sizeof why, "Could not enable CPU profiling: %s",
                 rc == -EALREADY ? "cpu profiling already in use" : strobe_last_error());
        http_refuse(a, 500, why);
        return;
    }
    tree_begin_profile(pid);
    a->type = http_binary_type;
    a->filename = "profile";
    a->until_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) + (ns ? ns : SECONDS_DEFAULT * SECOND_NS);
    a->finish = finish_profile;
}

/* ---- symbol ---- */

struct mapped {
    uint64_t start, end, offset;
    const char *path;
};

/* The executable mapping of `pc` by a line of /proc/self/maps. */
static bool find_mapped(const char *maps, uint64_t pc, struct mapped *m, struct arena *arena)
{
    for (const char *line = maps; *line;) {
        unsigned long long start, end, offset;
        char mode[5];
        int path_at = 0;
        size_t len = strcspn(line, "\n");
        if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %n", &start, &end, mode, &offset, &path_at) >=
                4 &&
            pc >= start && pc < end && path_at && (size_t)path_at < len) {
            *m = (struct mapped){start, end, offset,
                                 arena_strndup(arena, line + path_at, len - (size_t)path_at)};
            return m->path != NULL;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

static void put_symbol(const char *maps, uint64_t pc, struct buf *out)
{
    struct arena arena;
    struct elfsym symbols;
    struct mapped m;
    arena_init_nullable(&arena);
    if (find_mapped(maps, pc, &m, &arena) && elfsym_open(&symbols, &arena, m.path, NULL, 0) == 0) {
        const struct elfsym_function *f = elfsym_find(&symbols, pc - m.start + m.offset);
        if (f)
            buf_printf(out, "0x%llx %s\n", (unsigned long long)pc, f->name);
        elfsym_close(&symbols);
    }
    arena_free(&arena);
}

static void serve_symbol(const struct http_request *r, struct http_answer *a)
{
    bool post = !strcmp(r->method, "POST");
    const char *at = post ? r->body : r->query;
    size_t size = post ? r->body_size : strlen(r->query);
    struct buf maps;
    buf_init(&maps, &a->arena);
    http_read_file("/proc/self/maps", &maps);
    const char *lines = buf_cstr(&maps);
    buf_puts(&a->body, "num_symbols: 1\n");
    while (size) {
        const char *plus = memchr(at, '+', size);
        size_t n = plus ? (size_t)(plus - at) : size;
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int)(n < 31 ? n : 31), at);
        uint64_t pc = strtoull(word, NULL, 0);
        if (pc)
            put_symbol(lines, pc, &a->body);
        at += n + (plus != NULL);
        size -= n + (plus != NULL);
    }
}

/* ---- trace ---- */

static void serve_trace(const struct http_request *r, struct http_answer *a)
{
    (void)r;
    http_refuse(a, 501,
                "Could not enable tracing: this version of libstrobe takes no execution traces");
}

/* ---- the table and the index ---- */

struct http_route {
    const char *path;
    void (*serve)(const struct http_request *r, struct http_answer *a);
    bool post;        /* POST as well as GET */
    const char *name; /* in the index, or NULL */
    const char *about;
};

static void serve_index(const struct http_request *r, struct http_answer *a);

/* What is no profile with a name. Those of the index are in the order of their names. */
static const struct http_route routes[] = {
    {.path = "/debug/pprof/", .serve = serve_index},
    {"/debug/pprof/cmdline", serve_cmdline, false, "cmdline",
     "The command line invocation of the current program"},
    {"/debug/pprof/profile", serve_profile, false, "profile",
     "CPU profile. You can specify the duration in the seconds GET parameter. After you get the "
     "profile file, use the strobe pprof command to investigate the profile."},
    {"/debug/pprof/symbol", serve_symbol, true, "symbol",
     "Maps given program counters to function names. Counters can be specified in a GET raw query "
     "or POST body, multiple counters are separated by '+'."},
    {"/debug/pprof/trace", serve_trace, false, "trace",
     "A trace of execution of the current program. This version of libstrobe takes none."},
    {.path = "/debug/strobe", .serve = http_serve_state},
    {.path = "/debug/vars", .serve = http_serve_vars},
};
enum { ROUTES = sizeof routes / sizeof *routes };

/* One row of the index: a route, or else a profile. */
struct entry {
    const char *name, *about;
    uint64_t count;
};

/* The next one by name, from the two ordered lists. */
static bool next_entry(size_t *route, const struct strobe_profile **profile,
                       const struct tree_sums *others, struct entry *e)
{
    while (*route < ROUTES && !routes[*route].name)
        ++*route;
    const struct http_route *first = *route < ROUTES ? &routes[*route] : NULL;
    const struct strobe_profile *p = *profile;
    if (p && (!first || strcmp(p->name, first->name) < 0)) {
        *e = (struct entry){p->name, p->about, p->count(p)};
        e->count += p->count_others ? p->count_others(others) : 0;
        *profile = profiles_next(p);
        return true;
    }
    if (first) {
        *e = (struct entry){first->name, first->about, 0};
        ++*route;
    }
    return first != NULL;
}

/* Names and texts of the program's own profiles may be anything. */
static void put_html(struct buf *out, const char *s)
{
    for (; *s; s++)
        if (*s == '<' || *s == '>' || *s == '&' || *s == '\'' || *s == '"')
            buf_printf(out, "&#%d;", *s);
        else
            buf_putc(out, *s);
}

/* As a relative address: with "./" before it where a colon would make it another scheme. */
static void put_link(struct buf *out, const char *s)
{
    buf_puts(out, strchr(s, ':') ? "./" : "");
    for (; *s; s++)
        if ((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') ||
            strchr("-._~$&+,/:;=@", *s))
            buf_printf(out, *s == '&' ? "&amp;" : "%c", *s);
        else
            buf_printf(out, "%%%02X", (unsigned char)*s);
}

static void serve_index(const struct http_request *r, struct http_answer *a)
{
    (void)r;
    struct buf *out = &a->body;
    struct entry e;
    struct tree_sums others;
    size_t route = 0;
    const struct strobe_profile *profile = profiles_next(NULL);
    tree_sum(&others);
    a->type = html_type;
    buf_puts(out, "<html>\n<head>\n<title>/debug/pprof/</title>\n<style>\n.profile-name{\n"
                  "\tdisplay:inline-block;\n\twidth:6rem;\n}\n</style>\n</head>\n<body>\n"
                  "/debug/pprof/\n<br>\n<p>Set debug=1 as a query parameter to export in legacy "
                  "text format</p>\n<br>\nTypes of profiles available:\n<table>\n"
                  "<thead><td>Count</td><td>Profile</td></thead>\n");
    while (next_entry(&route, &profile, &others, &e)) {
        buf_printf(out, "<tr><td>%llu</td><td><a href='", (unsigned long long)e.count);
        put_link(out, e.name);
        buf_puts(out, "?debug=1'>");
        put_html(out, e.name);
        buf_puts(out, "</a></td></tr>\n");
    }
    buf_puts(out, "</table>\n");
    if (others.processes || others.ended)
        buf_printf(out, "of %llu processes, and %llu that have ended\n<br>\n",
                   (unsigned long long)others.processes + 1, (unsigned long long)others.ended);
    buf_puts(out, "<a href=\"goroutine?debug=2\">full thread stack dump</a>\n<br>\n<p>\n"
                  "Profile Descriptions:\n<ul>\n");
    route = 0;
    for (profile = profiles_next(NULL); next_entry(&route, &profile, &others, &e);) {
        buf_puts(out, "<li><div class=profile-name>");
        put_html(out, e.name);
        buf_puts(out, ": </div> ");
        put_html(out, e.about ? e.about : "");
        buf_puts(out, "</li>\n");
    }
    buf_puts(out, "</ul>\n</p>\n</body>\n</html>");
}

bool http_is_ours(const char *path)
{
    static const char *const ours[] = {"/debug/pprof", "/debug/strobe", "/debug/vars"};
    if (!strncmp(path, "/debug/pprof/", sizeof "/debug/pprof/" - 1))
        return true;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!strcmp(path, ours[i]))
            return true;
    return false;
}

static const struct http_route *find_route(const char *path)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (!strcmp(routes[i].path, path))
            return &routes[i];
    return NULL;
}

/* ---- profiles by name ---- */

/* seconds=N asks for the difference over that time: refused here where Go refuses it. */
static bool refuse_delta(const struct http_request *r, struct http_answer *a)
{
    char text[64];
    long seconds;
    if (!http_parameter(r, "seconds", text, sizeof text) || !text[0])
        return false;
    if (!http_integer(r, "seconds", &seconds) || seconds <= 0)
        http_refuse(a, 400, "invalid value for \"seconds\" - must be a positive integer");
    else if (!a->profile->has_delta)
        http_refuse(a, 400, "\"seconds\" parameter is not supported for this profile type");
    else if (http_number(r, "debug"))
        http_refuse(a, 400, "seconds and debug params are incompatible");
    else
        return false;
    return true;
}

static void serve_profile_named(const char *name, const struct http_request *r,
                                struct http_answer *a)
{
    a->profile = profiles_find(name);
    if (!a->profile)
        http_refuse(a, 404, "Unknown profile");
    else if (!refuse_delta(r, a))
        a->profile->serve(r, a);
}

static bool is_read(const struct http_request *r)
{
    return !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD");
}

static void refuse_method(struct http_answer *a, const char *allow)
{
    http_refuse(a, 405, "Method Not Allowed");
    a->is_pprof_error = false;
    a->allow = allow;
}

static void start(struct http_answer *a)
{
    *a = (struct http_answer){.status = 200, .type = text_type};
    arena_init_nullable(&a->arena);
    buf_init(&a->body, &a->arena);
}

void http_begin_named(const char *name, const struct http_request *r, struct http_answer *a)
{
    char path[sizeof "/debug/pprof/" + 16];
    start(a);
    int n = snprintf(path, sizeof path, "/debug/pprof/%s", name);
    const struct http_route *route = n < (int)sizeof path ? find_route(path) : NULL;
    if (!is_read(r) && !(route && route->post && !strcmp(r->method, "POST")))
        refuse_method(a, route && route->post ? "GET, HEAD, POST" : "GET, HEAD");
    else if (route)
        route->serve(r, a);
    else
        serve_profile_named(name, r, a);
}

void http_begin(const struct http_request *r, struct http_answer *a)
{
    static const char root[] = "/debug/pprof/";
    const struct http_route *route = find_route(r->path);
    if (!strncmp(r->path, root, sizeof root - 1)) {
        http_begin_named(r->path + sizeof root - 1, r, a);
        return;
    }
    start(a);
    bool bare = !strcmp(r->path, "/debug/pprof");
    if (!route && !bare) {
        http_refuse(a, 404, "404 page not found");
        a->is_pprof_error = false;
    } else if (!is_read(r)) {
        refuse_method(a, "GET, HEAD");
    } else if (bare) {
        a->status = 307; /* as Go since 1.26; 301 before */
        a->type = html_type;
        a->location = root;
        buf_printf(&a->body, "<a href=\"%s\">%s</a>.\n\n", root, http_reason(307));
    } else {
        route->serve(r, a);
    }
}

void http_finish(struct http_answer *a)
{
    void (*finish)(struct http_answer *) = a->finish;
    a->until_ns = 0;
    a->finish = NULL;
    if (finish)
        finish(a);
    if (a->body.failed) {
        arena_free(&a->arena);
        buf_init(&a->body, &a->arena);
        http_refuse(a, 500, "out of memory");
    }
}

void http_end(struct http_answer *a)
{
    if (a->finish)
        http_finish(a);
    arena_free(&a->arena);
}

void http_write_head(const struct http_answer *a, bool keep_alive, struct buf *out)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\nX-Content-Type-Options: nosniff\r\nContent-Type: %s\r\n",
               a->status, http_reason(a->status), a->type);
    if (a->filename)
        buf_printf(out, "Content-Disposition: attachment; filename=\"%s\"\r\n", a->filename);
    if (a->location)
        buf_printf(out, "Location: %s\r\n", a->location);
    if (a->allow)
        buf_printf(out, "Allow: %s\r\n", a->allow);
    if (a->is_pprof_error)
        buf_puts(out, "X-Go-Pprof: 1\r\n");
    buf_printf(out, "Content-Length: %zu\r\nConnection: %s\r\n\r\n", a->body.len,
               keep_alive ? "keep-alive" : "close");
}
