/* SPDX-License-Identifier: MIT
 *
 * What stands under /debug/: paths, parameters, headers, status codes and texts of Go's
 * net/http/pprof (src/net/http/pprof/pprof.go), so that every tool that reads a Go program reads
 * this one. One row of the table is one path. */
#include "base/elfsym.h"
#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/runtime.h"
#include "runtime/thread_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS_DEFAULT = 30, SECONDS_MAX = 86400 };

static const char text_type[] = "text/plain; charset=utf-8";
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
    char text[32], *end;
    if (!http_parameter(r, name, text, sizeof text))
        return 0;
    long n = strtol(text, &end, 10);
    return *end || end == text ? 0 : n;
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

static int append(void *ctx, const void *bytes, size_t size)
{
    struct buf *out = ctx;
    buf_append(out, bytes, size);
    return out->failed;
}

static void finish_profile(struct http_answer *a)
{
    if (strobe_cpu_stop() != 0)
        http_refuse(a, 500, strobe_last_error());
}

static void serve_profile(const struct http_request *r, struct http_answer *a)
{
    char text[32];
    long seconds = http_parameter(r, "seconds", text, sizeof text) ? strtol(text, NULL, 10) : 0;
    if (seconds <= 0)
        seconds = SECONDS_DEFAULT;
    if (seconds > SECONDS_MAX)
        seconds = SECONDS_MAX;
    int rc = strobe_cpu_start_writer(append, &a->body);
    if (rc) {
        char why[600];
        snprintf(why, sizeof why, "Could not enable CPU profiling: %s",
                 rc == -EALREADY ? "cpu profiling already in use" : strobe_last_error());
        http_refuse(a, 500, why);
        return;
    }
    a->type = http_binary_type;
    a->filename = "profile";
    a->until_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) + (uint64_t)seconds * 1000000000;
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

/* ---- the table and the index ---- */

struct route {
    const char *path;
    void (*serve)(const struct http_request *r, struct http_answer *a);
    bool post;        /* POST as well as GET */
    const char *name; /* in the index, or NULL */
    const char *about;
    uint64_t (*count)(void); /* of its stacks; NULL: 0 */
    const char *query;       /* that its link in the index has */
};

static void serve_index(const struct http_request *r, struct http_answer *a);

/* In the order of the index, which is that of their names. */
static const struct route routes[] = {
    {.path = "/debug/pprof/", .serve = serve_index},
    {"/debug/pprof/allocs", http_serve_allocs, false, "allocs",
     "A sampling of all past memory allocations", heap_count, "?debug=1"},
    {"/debug/pprof/cmdline", serve_cmdline, false, "cmdline",
     "The command line invocation of the current program", NULL, ""},
    {"/debug/pprof/goroutine", http_serve_threads, false, "goroutine",
     "Stack traces of all current threads. Use debug=2 as a query parameter to export in the same "
     "format as a Go program's unrecovered panic.",
     thread_dumps_count, "?debug=1"},
    {"/debug/pprof/heap", http_serve_heap, false, "heap",
     "A sampling of memory allocations of live objects. You can specify the gc GET parameter to "
     "give free memory back to the system before taking the heap sample.",
     heap_count, "?debug=1"},
    {"/debug/pprof/profile", serve_profile, false, "profile",
     "CPU profile. You can specify the duration in the seconds GET parameter. After you get the "
     "profile file, use the strobe pprof command to investigate the profile.",
     NULL, ""},
    {.path = "/debug/pprof/symbol", .serve = serve_symbol, .post = true},
    {"/debug/pprof/threadcreate", http_serve_threadcreate, false, "threadcreate",
     "Stack traces that led to the creation of new OS threads", http_count_creations, "?debug=1"},
    {.path = "/debug/strobe", .serve = http_serve_state},
    {.path = "/debug/vars", .serve = http_serve_vars},
    {.path = "/debug/pprof/threads", .serve = http_serve_threads},
};
enum { ROUTES = sizeof routes / sizeof *routes };

static void serve_index(const struct http_request *r, struct http_answer *a)
{
    (void)r;
    struct buf *out = &a->body;
    a->type = "text/html; charset=utf-8";
    buf_puts(out, "<html>\n<head>\n<title>/debug/pprof/</title>\n<style>\n.profile-name{\n"
                  "\tdisplay:inline-block;\n\twidth:6rem;\n}\n</style>\n</head>\n<body>\n"
                  "/debug/pprof/\n<br>\n<p>Set debug=1 as a query parameter to export in legacy "
                  "text format</p>\n<br>\nTypes of profiles available:\n<table>\n"
                  "<thead><td>Count</td><td>Profile</td></thead>\n");
    for (size_t i = 0; i < ROUTES; i++)
        if (routes[i].name)
            buf_printf(out, "<tr><td>%llu</td><td><a href='%s%s'>%s</a></td></tr>\n",
                       routes[i].count ? (unsigned long long)routes[i].count() : 0, routes[i].name,
                       routes[i].query, routes[i].name);
    buf_puts(out, "</table>\n<a href=\"goroutine?debug=2\">full thread stack "
                  "dump</a>\n<br>\n<p>\nProfile Descriptions:\n<ul>\n");
    for (size_t i = 0; i < ROUTES; i++)
        if (routes[i].name)
            buf_printf(out, "<li><div class=profile-name>%s: </div> %s</li>\n", routes[i].name,
                       routes[i].about);
    buf_puts(out, "</ul>\n</p>\n</body>\n</html>\n");
}

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (!strcmp(routes[i].path, path))
            return &routes[i];
    return NULL;
}

void http_begin(const struct http_request *r, struct http_answer *a)
{
    *a = (struct http_answer){.status = 200, .type = text_type};
    arena_init_nullable(&a->arena);
    buf_init(&a->body, &a->arena);
    const struct route *route = find_route(r->path);
    bool get = !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD");
    if (!strcmp(r->path, "/debug/pprof")) {
        a->status = 301;
        a->location = "/debug/pprof/";
    } else if (!route) {
        bool named = !strncmp(r->path, "/debug/pprof/", 13);
        http_refuse(a, 404, named ? "Unknown profile" : "404 page not found");
        a->is_pprof_error = named;
    } else if (!get && !(route->post && !strcmp(r->method, "POST"))) {
        http_refuse(a, 405, "Method Not Allowed");
        a->is_pprof_error = false;
        a->allow = route->post ? "GET, HEAD, POST" : "GET, HEAD";
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
