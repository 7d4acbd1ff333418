/* SPDX-License-Identifier: MIT
 *
 * The driver's entry: arguments, sources, one command, the page or the shell. A report that this
 * version has not is refused by name before anything is read. */
#include "pprof/output.h"
#include "pprof/pprof_internal.h"
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "callgrind, dot …": the commands whose report is there, or those whose is not. */
static const char *list_commands(struct buf *out)
{
    for (const struct command *c = commands; c->name; c++)
        if (report_find(c->report))
            buf_printf(out, "%s-%s", out->len ? ", " : "", c->name);
    return buf_cstr(out);
}

/* Whether this version has what was asked for. */
static int check_command(const struct request *r, struct err *e)
{
    const struct command *c = r->command;
    struct arena scratch;
    struct buf text;
    int rc = 0;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    if (c && !report_find(c->report))
        rc = err_set(e, -ENOTSUP, "the report -%s is not in this version, which has %s", c->name,
                     list_commands(&text));
    arena_free(&scratch);
    return rc;
}

static void print_usage(void)
{
    struct arena scratch;
    struct buf text;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    pprof_usage(&text);
    fwrite(text.data, 1, text.len, stderr);
    arena_free(&scratch);
}

/* The flags' own errors come before the usage text and without the program's name, as Go's flag
 * package prints them; a missing source behind it. */
static int refuse(const struct pprof_front *front, const struct err *e)
{
    if (front->print_help) {
        fprintf(stderr, "%s: %s\nSee 'strobe help %s'.\n", front->program, e->msg,
                strrchr(front->program, ' ') + 1);
        return 2;
    }
    bool no_source = !strcmp(e->msg, "no profile source specified");
    if (!no_source)
        fprintf(stderr, "%s\n", e->msg);
    print_usage();
    if (no_source)
        fprintf(stderr, "%s: %s\n", front->program, e->msg);
    return 2;
}

static int fail(const struct pprof_front *front, const struct err *e)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", front->program, e->msg);
    return 2;
}

int pprof_main(int argc, char **argv, const struct pprof_front *front)
{
    struct request request;
    struct err e = {0};
    switch (arguments_parse(argc, argv, front, &request, &e)) {
    case ARGUMENTS_OK: break;
    case ARGUMENTS_ERROR: return fail(front, &e);
    case ARGUMENTS_USAGE: return refuse(front, &e);
    case ARGUMENTS_HELP:
        if (front->print_help)
            front->print_help();
        else
            print_usage();
        return 0;
    }
    struct profile *p;
    if (check_command(&request, &e) || sources_read(&p, &request.source, &e))
        return fail(front, &e);
    int rc = request.command        ? run_command(p, &request, &e)
             : *request.source.http ? serve_run(p, &request, &e)
                                    : shell_run(p, &request, &e);
    sources_free(p);
    output_clean();
    return rc ? fail(front, &e) : 0;
}
