/* SPDX-License-Identifier: MIT
 *
 * The suite, seen from the page: what there is, starting runs, watching them, stopping them. What
 * the suite is only the suite knows, so that all of this asks our own program (runner.h). */
#include "server/api.h"

#include "base/yamldoc.h"
#include "web/exec.h"
#include "server/runner.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LIST_MS = 10000, LIST_MAX = 4 << 20, POLL_MS = 10000 };

void api_suite(struct http_exchange *x)
{
    static const char *const argv[] = {"/proc/self/exe", "suite", "list", "--json", NULL};
    static const char prefix[] = "strobe suite: ";
    const struct exec_job job = {.argv = argv, .timeout_ms = LIST_MS, .output_max = LIST_MAX};
    struct exec_output out;
    struct err e = {0};
    int rc = exec_run(&job, x->arena, &out, &e);
    if (rc) {
        api_reply_error(x, rc, &e);
        return;
    }
    if (out.status) {
        const char *said = out.said;
        said += strncmp(said, prefix, sizeof prefix - 1) ? 0 : sizeof prefix - 1;
        http_reply_error(x, 500, "%s", *said ? said : "the suite's programs cannot be listed");
        return;
    }
    http_reply(x, 200, "application/json", out.bytes, out.size);
}

static void reply_current(struct http_exchange *x, int status)
{
    struct server *s = x->app;
    struct api_object a = {0};
    struct json *j = api_begin(x, &a, 0);
    runner_write(s->runner, j);
    api_end(x, &a);
    x->reply.status = status;
}

/* With `rev`, waits for something newer. */
void api_suite_current(struct http_exchange *x)
{
    struct server *s = x->app;
    const char *rev = http_query(x, "rev");
    if (rev && *rev) {
        if (rev[strspn(rev, "0123456789")] || strlen(rev) > 18) {
            http_reply_error(x, 400, "rev has to be the number that the last answer had");
            return;
        }
        runner_wait(s->runner, strtoull(rev, NULL, 10), POLL_MS);
    }
    reply_current(x, 200);
}

/* Names become arguments of a command: none may look like an option. */
static bool name_ok(const char *name)
{
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || name[n] == '_' ||
           (n && name[n] && strchr("-.+", name[n])))
        n++;
    return n && n <= 64 && !name[n];
}

static int read_ask(struct http_exchange *x, struct runner_ask *ask, struct err *e)
{
#define AT(field) offsetof(struct runner_ask, field)
    static const struct yamldoc_field fields[] = {
        {"program", yamldoc_text, AT(program), false},
        {"input", yamldoc_text, AT(input), false},
        {"kind", yamldoc_text, AT(kind), false},
        {NULL, NULL, 0, false},
    };
#undef AT
    struct yamldoc *doc = arena_zalloc(x->arena, sizeof *doc);
    yamldoc_init(doc, "the body", x->arena);
    int rc = yamldoc_read(doc, x->body.bytes ? x->body.bytes : "", x->body.size, e);
    if (!rc)
        rc = yamldoc_fields(doc->root, fields, ask, e);
    const struct {
        const char *key, *value;
    } names[] = {{"program", ask->program}, {"input", ask->input}, {"kind", ask->kind}};
    for (size_t i = 0; !rc && i < sizeof names / sizeof *names; i++)
        if (!name_ok(names[i].value))
            rc = err_set(e, -EINVAL, "%s: '%.64s' is no name", names[i].key, names[i].value);
    return rc;
}

static int status_of(int rc)
{
    switch (rc) {
    case -EINVAL: return 400;
    case -EBUSY:
    case -ESRCH:
    case -ECANCELED: return 409;
    case -ENODATA: return 422;
    case -ESHUTDOWN: return 503;
    default: return api_status(rc);
    }
}

void api_suite_start(struct http_exchange *x)
{
    struct server *s = x->app;
    struct runner_ask ask = {
        .program = "all", .input = "short", .kind = "all", .server = http_url(s->http)};
    struct err e = {0};
    int rc = read_ask(x, &ask, &e);
    if (!rc)
        rc = runner_start(s->runner, &ask, &e);
    if (rc)
        http_reply_error(x, status_of(rc), "%s", e.msg);
    else
        reply_current(x, 202);
}

void api_suite_cancel(struct http_exchange *x)
{
    struct server *s = x->app;
    struct err e = {0};
    int rc = runner_cancel(s->runner, &e);
    if (rc)
        http_reply_error(x, status_of(rc), "%s", e.msg);
    else
        reply_current(x, 202);
}
