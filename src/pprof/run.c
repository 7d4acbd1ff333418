/* SPDX-License-Identifier: MIT
 *
 * One command on one profile: prepared by report/prepare.c, as every report is, and handed to where
 * it is wanted. */
#include "pprof/output.h"
#include "pprof/pprof_internal.h"
#include "report/prepare.h"

static void say(void *arg, const char *line)
{
    (void)arg;
    ui_error(line);
}

static struct prepare_request make_request(const struct request *r)
{
    return (struct prepare_request){
        .settings = &r->settings,
        .command = r->command,
        .param = r->param,
        .tools = r->source.tools,
        .symbolize = r->source.symbolize,
        .say = {say, NULL},
    };
}

int run_command(struct profile *p, const struct request *request, struct err *e)
{
    struct prepared r;
    struct prepare_request q = make_request(request);
    int rc = prepare_report(&r, p, &q, e);
    if (!rc) {
        struct output output = {r.settings.output, request->in_shell};
        rc = output_report(&r.report, request->command, &output, e);
    }
    prepare_end(&r);
    return rc;
}

void run_greet(struct profile *p, const struct settings *s)
{
    struct prepared r;
    struct err ignored = {0};
    struct prepare_request q = {.settings = s, .say = {say, NULL}};
    if (!prepare_plain(&r, p, &q, &ignored)) {
        struct buf labels;
        buf_init(&labels, &r.arena);
        report_profile_labels(&r.report, &labels);
        ui_print(buf_cstr(&labels));
        if (!r.report.total && p->sample_type_count > 1)
            ui_print("No samples were found with the default sample value type.\n"
                     "Try \"sample_index\" command to analyze different sample values.");
    }
    ui_print("Entering interactive mode (type \"help\" for commands, \"o\" for options)");
    prepare_end(&r);
}
