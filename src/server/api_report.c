/* SPDX-License-Identifier: MIT
 *
 * A merged profile as a report: what `strobe top` prints, folded stacks, the call graph as dot and,
 * by the program of that name, as SVG. The steps and defaults are those of pprof/run.c. */
#include "base/limits.h"
#include "report/report.h"
#include "server/api_profile.h"
#include "server/exec.h"
#include "web/view.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILTERS_MAX = 64, DRAWN_NODES = 80 };

struct text {
    char *bytes; /* in the exchange's arena */
    size_t size;
};

/* ---- what is asked for ---- */

struct filters {
    struct arena *a;
    const char *lines[FILTERS_MAX + 1]; /* "focus=x", NULL at the end */
    size_t count;
};

/* Says what was refined above the report, in the words of the flags. */
static bool note_filter(void *arg, const char *name, const char *value)
{
    static const struct {
        const char *name, *flag;
    } flags[] = {{"f", "focus"},      {"i", "ignore"},    {"h", "hide"},      {"s", "show"},
                 {"sf", "show_from"}, {"tf", "tagfocus"}, {"ti", "tagignore"}};
    struct filters *f = arg;
    for (size_t i = 0; *value && i < sizeof flags / sizeof *flags; i++)
        if (!strcmp(name, flags[i].name) && f->count < FILTERS_MAX)
            f->lines[f->count++] = arena_printf(f->a, "%s=%s", flags[i].flag, value);
    return true;
}

static const char *text_of(const struct api_answer *a, uint32_t string)
{
    struct profile_str s = profile_string(a->profile, string);
    return arena_strndup(a->x->arena, s.ptr, s.len);
}

static void say_nothing(const char *line)
{
    (void)line;
}

/* ---- printing ---- */

/* The bytes that were written to `fd`, in the exchange's arena; NULL if they cannot be had. */
static char *read_back(struct api_answer *a, int fd, size_t *size)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char *text = end < 0 ? NULL : arena_alloc(a->x->arena, (size_t)end + 1);
    if (!text || pread(fd, text, (size_t)end, 0) != (ssize_t)end)
        return NULL;
    text[end] = 0;
    *size = (size_t)end;
    return text;
}

/* Refines, counts by functions, prints to `fd`, which is memory: reports write to descriptors. */
static int print(struct api_answer *a, const char *name, struct report_options *o, int fd,
                 struct err *e)
{
    struct profile *p = a->profile;
    struct refine_detail functions = {.function = true, .inlines = true};
    struct refine_units units;
    struct report r;
    struct out *out = malloc(sizeof *out);
    if (!out)
        return err_set(e, -ENOMEM, "out of memory");
    out_init(out, fd);
    refine_drop_frames(p);
    refine_units_make(&units, p, say_nothing);
    o->label_units = &units;
    report_begin(&r, p, o);
    int rc = view_refine(a->x, p, e);
    if (!rc) {
        refine_aggregate(p, &functions);
        rc = report_find(name)->print(&r, out, e);
    }
    report_end(&r);
    refine_units_free(&units);
    if (!rc && out_finish(out))
        rc = err_set(e, -EIO, "the report could not be written");
    free(out);
    return rc;
}

/* A report as text, with `nodes` functions unless the request has another number. */
static int make_text(struct api_answer *a, const char *name, uint32_t nodes, struct text *text,
                     struct err *e)
{
    const struct profile *p = a->profile;
    struct filters *filters = arena_zalloc(a->x->arena, sizeof *filters);
    filters->a = a->x->arena;
    http_query_each(a->x, note_filter, filters);
    struct report_options o = {
        .values = {.index = a->type},
        .sample_type = p->sample_type_count ? text_of(a, p->sample_types[a->type].type) : "",
        .sample_unit = p->sample_type_count ? text_of(a, p->sample_types[a->type].unit) : "",
        .unit = "minimum",
        .ratio = 1,
        .node_count = nodes,
        .node_fraction = 0.005,
        .edge_fraction = 0.001,
        .escape_all = true, /* dot is to read it, whatever is in a name */
        .active_filters = filters->lines,
        .source_path = "",
        .trim_path = "",
    };
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return err_set(e, -errno, "no memory for the report: %s", strerror(errno));
    int rc = print(a, name, &o, fd, e);
    text->bytes = rc ? NULL : read_back(a, fd, &text->size);
    close(fd);
    return rc || text->bytes ? rc : err_set(e, -EIO, "the report could not be read back");
}

static int reply_text(struct api_answer *a, const char *name, uint32_t nodes, const char *type,
                      struct err *e)
{
    struct text text = {0};
    int rc = api_read_count(a->x, "n", LIMIT_DOT_NODES, &nodes)
                 ? make_text(a, name, nodes, &text, e)
                 : 0;
    if (!rc && !a->x->reply.status)
        http_reply(a->x, 200, type, text.bytes, text.size);
    return rc;
}

int api_report_folded(struct api_answer *a, struct err *e)
{
    return reply_text(a, "folded", 0, "text/plain; charset=utf-8", e);
}

int api_report_text(struct api_answer *a, struct err *e)
{
    return reply_text(a, "text", 0, "text/plain; charset=utf-8", e);
}

int api_report_dot(struct api_answer *a, struct err *e)
{
    return reply_text(a, "dot", DRAWN_NODES, "text/vnd.graphviz; charset=utf-8", e);
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
