/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/ in the program's own server: the same answers as STROBE_HTTP's, as plain structs
 * that any server can send. Nothing here knows a socket. */
#include "base/sigsafe.h"
#include "runtime/http.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* What a response points to. */
struct mounted {
    struct http_request request;
    struct http_answer answer;
    struct strobe_http_header headers[6];
    char disposition[160];
};

static int let_go(struct mounted *m, int error)
{
    munmap(m, sizeof *m);
    return error;
}

static struct mounted *take(const struct strobe_http_request *from, int *error)
{
    const char *method = from->method ? from->method : "GET";
    struct mounted *m =
        mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *error = m == MAP_FAILED ? -ENOMEM : 0;
    if (m == MAP_FAILED)
        return NULL;
    /* A method that is too long for the field is none of ours: cut, it is none either. */
    snprintf(m->request.method, sizeof m->request.method, "%s", method);
    m->request.body = from->body;
    m->request.body_size = from->body ? from->body_size : 0;
    if (!from->target || !http_set_target(&m->request, from->target, strlen(from->target)))
        *error = let_go(m, -EINVAL);
    return *error ? NULL : m;
}

static void describe(struct mounted *m, struct strobe_http_response *to)
{
    const struct http_answer *a = &m->answer;
    size_t n = 0;
    snprintf(m->disposition, sizeof m->disposition, "attachment; filename=\"%s\"",
             a->filename ? a->filename : "");
    m->headers[n++] = (struct strobe_http_header){"Content-Type", a->type};
    m->headers[n++] = (struct strobe_http_header){"X-Content-Type-Options", "nosniff"};
    if (a->filename)
        m->headers[n++] = (struct strobe_http_header){"Content-Disposition", m->disposition};
    if (a->location)
        m->headers[n++] = (struct strobe_http_header){"Location", a->location};
    if (a->allow)
        m->headers[n++] = (struct strobe_http_header){"Allow", a->allow};
    if (a->is_pprof_error)
        m->headers[n++] = (struct strobe_http_header){"X-Go-Pprof", "1"};
    *to = (struct strobe_http_response){.status = a->status,
                                        .headers = m->headers,
                                        .header_count = n,
                                        .body = a->body.len ? a->body.data : "",
                                        .body_size = a->body.len,
                                        .state = m};
}

/* NULL: the request's own path. */
static int begin(const char *name, const struct strobe_http_request *from,
                 struct strobe_http_response *to)
{
    int error;
    struct mounted *m = take(from, &error);
    memset(to, 0, sizeof *to);
    if (!m)
        return error;
    if (!name && !http_is_ours(m->request.path))
        return let_go(m, -ENOENT);
    if (name)
        http_begin_named(name, &m->request, &m->answer);
    else
        http_begin(&m->request, &m->answer);
    describe(m, to);
    uint64_t now = sigsafe_clock_ns(CLOCK_MONOTONIC), until = m->answer.until_ns;
    if (until)
        to->wait_ms = until > now ? (int)((until - now) / 1000000 + 1) : 1;
    return 0;
}

int strobe_http_begin(const struct strobe_http_request *request,
                      struct strobe_http_response *response)
{
    return begin(NULL, request, response);
}

void strobe_http_finish(struct strobe_http_response *response)
{
    struct mounted *m = response->state;
    if (!m)
        return;
    if (response->wait_ms)
        http_finish(&m->answer);
    describe(m, response);
}

void strobe_http_free(struct strobe_http_response *response)
{
    struct mounted *m = response->state;
    if (m) {
        http_end(&m->answer);
        munmap(m, sizeof *m);
    }
    memset(response, 0, sizeof *response);
}

/* The answer in one go: the caller's thread sleeps. */
static int handle(const char *name, const struct strobe_http_request *request,
                  struct strobe_http_response *response)
{
    int r = begin(name, request, response);
    if (r < 0 || !response->wait_ms)
        return r;
    uint64_t until = ((struct mounted *)response->state)->answer.until_ns;
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
    strobe_http_finish(response);
    return 0;
}

int strobe_http_handle(const struct strobe_http_request *request,
                       struct strobe_http_response *response)
{
    return handle(NULL, request, response);
}

int strobe_http_index(const struct strobe_http_request *request,
                      struct strobe_http_response *response)
{
    return handle("", request, response);
}

int strobe_http_cmdline(const struct strobe_http_request *request,
                        struct strobe_http_response *response)
{
    return handle("cmdline", request, response);
}

int strobe_http_symbol(const struct strobe_http_request *request,
                       struct strobe_http_response *response)
{
    return handle("symbol", request, response);
}

int strobe_http_trace(const struct strobe_http_request *request,
                      struct strobe_http_response *response)
{
    return handle("trace", request, response);
}

int strobe_http_cpu(const struct strobe_http_request *request,
                    struct strobe_http_response *response)
{
    return handle("profile", request, response);
}

int strobe_http_profile(const char *name, const struct strobe_http_request *request,
                        struct strobe_http_response *response)
{
    return handle(name ? name : "", request, response);
}
