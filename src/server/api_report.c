/* SPDX-License-Identifier: MIT
 *
 * A merged profile as a report: what `strobe top` prints, folded stacks, the call graph as dot and,
 * by the program of that name, as SVG. The parameters are those of pprof's pages (web/ask.h). */
#include "analyze/refine.h"
#include "base/limits.h"
#include "server/api_profile.h"
#include "web/ask.h"
#include "web/exec.h"
#include "web/graph_data.h"
#include "web/source_data.h"
#include "web/text_data.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

/* ---- printing ---- */

/* The sample type is found already, by this route's own parameters too (`type`). */
static struct ask ask_for(struct api_answer *a)
{
    struct settings *settings = arena_alloc(a->x->arena, sizeof *settings);
    settings_default(settings);
    settings->sample_index = arena_printf(a->x->arena, "%u", a->type);
    refine_drop_frames(a->profile);
    return (struct ask){.profile = a->profile, .settings = settings};
}

static int make_text(struct api_answer *a, const char *command, struct buf *text, struct err *e)
{
    struct ask from = ask_for(a);
    struct ask_options o = {.command = command,
                            .escape_all = true}; /* dot is to read it, whatever is in a name */
    return ask_text(a->x, &from, &o, text, e);
}

static int reply_text(struct api_answer *a, const char *command, const char *type, struct err *e)
{
    struct buf text;
    uint32_t nodes = 0;
    if (!api_read_count(a->x, "n", LIMIT_DOT_NODES, &nodes))
        return 0;
    int rc = make_text(a, command, &text, e);
    if (!rc)
        http_reply(a->x, 200, type, text.data, text.len);
    return rc;
}

int api_report_folded(struct api_answer *a, struct err *e)
{
    return reply_text(a, "folded", "text/plain; charset=utf-8", e);
}

int api_report_text(struct api_answer *a, struct err *e)
{
    if (http_query(a->x, "report")) {
        struct ask from = ask_for(a);
        text_data_serve(a->x, &from);
        return 0;
    }
    return reply_text(a, "text", "text/plain; charset=utf-8", e);
}

int api_report_dot(struct api_answer *a, struct err *e)
{
    return reply_text(a, "dot", "text/vnd.graphviz; charset=utf-8", e);
}

int api_report_graph(struct api_answer *a, struct err *e)
{
    (void)e;
    struct ask from = ask_for(a);
    graph_data_serve(a->x, &from);
    return 0;
}

int api_report_source(struct api_answer *a, struct err *e)
{
    (void)e;
    struct ask from = ask_for(a);
    source_data_serve(a->x, &from);
    return 0;
}

/* ---- drawing ---- */

/* One drawing at a time: it may need as much memory and time as its limits are. */
static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER;

static void refuse_drawing(struct http_exchange *x, int rc, const struct err *e)
{
    if (rc == -ENOENT)
        http_reply_error(x, 501,
                         "the call graph is drawn by 'dot', which is not installed: apt-get "
                         "install graphviz");
    else if (rc == -ETIMEDOUT)
        http_reply_error(x, 504, "%s: ask for fewer functions, n=40", e->msg);
    else if (rc == -EFBIG)
        http_reply_error(x, 500, "%s: ask for fewer functions, n=40", e->msg);
    else
        http_reply_error(x, 500, "%s", e->msg);
}

int api_report_svg(struct api_answer *a, struct err *e)
{
    static const char *const argv[] = {"dot", "-Tsvg", NULL};
    struct exec_job job = {.argv = argv,
                           .timeout_ms = LIMIT_DOT_MS,
                           .output_max = LIMIT_DOT_OUTPUT,
                           .memory_max = LIMIT_DOT_MEMORY};
    struct exec_output out;
    int rc = api_report_dot(a, e);
    if (rc || a->x->reply.status != 200)
        return rc;
    job.input = a->x->reply.body;
    job.input_size = a->x->reply.size;
    pthread_mutex_lock(&drawing);
    rc = exec_run(&job, a->x->arena, &out, e);
    pthread_mutex_unlock(&drawing);
    if (!rc && out.status)
        rc = err_set(e, -EIO, "dot could not draw the call graph: %s",
                     *out.said                 ? out.said
                     : WIFSIGNALED(out.status) ? strsignal(WTERMSIG(out.status))
                                               : "it does not say why");
    if (rc)
        refuse_drawing(a->x, rc, e);
    else
        http_reply(a->x, 200, "image/svg+xml", out.bytes, out.size);
    return 0;
}
