/* SPDX-License-Identifier: MIT
 *
 * `strobe suite run`: looks at the machine, then runs program by program, input by input, one kind
 * at a time, and says what came of it. A run that fails does not keep the others from being run. */
#include "cli/cmd_suite.h"
#include "cli/suite_event.h"
#include "suite/describe.h"
#include "suite/process.h"
#include "suite/push.h"
#include "suite/results.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KINDS_MAX = 16, REPEAT_MAX = 1000, EVENT_MS = 500 };

struct args {
    const char *input, *batch;
    const char *kinds[KINDS_MAX];
    uint32_t kind_count;
    uint32_t repeat;
    bool quiet, no_push, json;
    char **names;
    uint32_t name_count;
};

struct session {
    struct args args;
    struct arena a;
    const char *suites, *state;
    struct suite_programs all;
    struct suite_machine machine;
    struct suite_push push;
    uint32_t done, passed, failed, skipped, unsent, total;
    char what[160];     /* is run now */
    const char *run_id; /* of it */
    FILE *text;         /* for people: stdout, unless that has events */
    bool tty, shown;
    const char *last_phase;
    int64_t next_event_ns;
    struct suite_event plan; /* while it is made */
    char problem[512];       /* the last one that was not a run's own */
};

/* ---- arguments ---- */

static const char *value_of(int argc, char **argv, int *i, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n))
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    if (name[1] != '-' && argv[*i][n])
        return argv[*i] + n;
    if (argv[*i][n])
        return NULL;
    return *i + 1 < argc ? argv[++*i] : "";
}

static int take_option(struct args *a, int argc, char **argv, int *i)
{
    const char *option = argv[*i], *v;
    if (!strcmp(option, "-q"))
        a->quiet = true;
    else if (!strcmp(option, "--no-push"))
        a->no_push = true;
    else if ((v = value_of(argc, argv, i, "--input")))
        a->input = v;
    else if ((v = value_of(argc, argv, i, "--as")))
        a->batch = v;
    else if ((v = value_of(argc, argv, i, "--kind"))) {
        if (a->kind_count == KINDS_MAX)
            return suite_verb_complain("run: too many kinds, at '%s'", v);
        a->kinds[a->kind_count++] = v;
    } else if ((v = value_of(argc, argv, i, "--progress"))) {
        a->json = !strcmp(v, "json");
        if (!a->json && strcmp(v, "text"))
            return suite_verb_complain("--progress '%s': there are text and json", v);
    } else if ((v = value_of(argc, argv, i, "-n"))) {
        char *end;
        long n = strtol(v, &end, 10);
        if (end == v || *end || n < 1 || n > REPEAT_MAX)
            return suite_verb_complain("-n %s: expected a number from 1 to 1000", v);
        a->repeat = (uint32_t)n;
    } else
        return suite_verb_no_option(option);
    return 0;
}

static int parse(struct session *s, int argc, char **argv)
{
    struct args *a = &s->args;
    *a = (struct args){.input = "short", .repeat = 1};
    a->names = arena_zarray(&s->a, (size_t)argc, sizeof *a->names);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            a->names[a->name_count++] = argv[i];
            continue;
        }
        int status = take_option(a, argc, argv, &i);
        if (status)
            return status;
    }
    if (a->batch && !suite_batch_ok(a->batch))
        return suite_verb_complain("--as '%s': use letters, digits, - and _, at most 64", a->batch);
    return 0;
}

/* ---- what is asked for ---- */

static bool wants_program(const struct args *a, const char *name)
{
    for (uint32_t i = 0; i < a->name_count; i++)
        if (!strcmp(a->names[i], name))
            return true;
    return !a->name_count;
}

static bool wants_kind(const struct args *a, const char *name)
{
    for (uint32_t i = 0; i < a->kind_count; i++)
        if (!strcmp(a->kinds[i], name))
            return true;
    return !a->kind_count;
}

static bool wants_input(const struct args *a, const char *name)
{
    return !strcmp(a->input, "all") || !strcmp(a->input, name);
}

/* Names that nothing has are mistakes, not empty choices. */
static int check_names(const struct session *s)
{
    const struct args *a = &s->args;
    for (uint32_t i = 0; i < a->name_count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < s->all.count; k++)
            known |= !strcmp(s->all.programs[k]->name, a->names[i]);
        if (!known)
            return suite_verb_complain("there is no program '%s'; 'strobe suite list' lists them",
                                       a->names[i]);
    }
    if (!s->total && !s->skipped)
        return suite_verb_complain("none of these programs has the input '%s' and such a kind",
                                   a->input);
    return 0;
}

/* Calls `each` for every run that is asked for, in order. */
static void each_run(struct session *s,
                     void (*each)(struct session *, const struct suite_job *, uint32_t number))
{
    for (uint32_t i = 0; i < s->all.count; i++) {
        const struct suite_program *p = s->all.programs[i];
        if (!wants_program(&s->args, p->name))
            continue;
        for (uint32_t k = 0; k < p->input_count * p->kind_count; k++) {
            struct suite_job job = {.program = p,
                                    .input = &p->inputs[k / p->kind_count],
                                    .kind = &p->kinds[k % p->kind_count],
                                    .suites = s->suites};
            if (!wants_input(&s->args, job.input->name) || !wants_kind(&s->args, job.kind->name))
                continue;
            for (uint32_t n = 1; n <= s->args.repeat && !suite_interrupted; n++)
                each(s, &job, n);
        }
    }
}

static void count_run(struct session *s, const struct suite_job *job, uint32_t number)
{
    (void)number;
    if (suite_missing(job->program))
        s->skipped++;
    else
        s->total++;
}

/* ---- what is said ---- */

static void or_null(struct json *j, const char *key, double value)
{
    if (value < 0)
        json_null(j, key);
    else
        json_double(j, key, value);
}

/* Each phase as it begins, and a sign of life twice a second. */
static void send_step(struct session *s, const struct suite_progress *p)
{
    int64_t now = suite_now_ns(CLOCK_MONOTONIC);
    struct suite_event v;
    if (p->phase == s->last_phase && now < s->next_event_ns)
        return;
    s->last_phase = p->phase;
    s->next_event_ns = now + EVENT_MS * 1000000ll;
    suite_event_begin(&v, "step");
    json_cstr(&v.j, "id", s->run_id);
    json_cstr(&v.j, "step", p->phase);
    or_null(&v.j, "done", p->done);
    or_null(&v.j, "cpu_percent", p->cpu_percent);
    or_null(&v.j, "rss_bytes", (double)p->rss_bytes);
    suite_event_send(&v);
}

static void show_progress(void *arg, const struct suite_progress *p)
{
    struct session *s = arg;
    if (s->args.json)
        send_step(s, p);
    if (!s->tty)
        return;
    fprintf(stderr, "\r\033[K[%u/%u] %s: %s", s->done + 1, s->total, s->what, p->phase);
    if (p->done >= 0)
        fprintf(stderr, " %.0f %%", 100 * p->done);
    s->shown = true;
}

static void end_progress(struct session *s)
{
    if (s->shown)
        fputs("\r\033[K", stderr);
    s->shown = false;
}

static void print_result(struct session *s, const struct suite_result *r)
{
    end_progress(s);
    fprintf(s->text, "[%u/%u] %-34s %s", s->done, s->total, s->what, r->status);
    if (*r->error)
        fprintf(s->text, "%s%s\n", strcmp(r->status, "failed") ? "" : ": ",
                strcmp(r->status, "failed") ? "" : r->error);
    else
        fprintf(s->text, "  %6.2f s  CPU %6.2f s  %5.1f MB  %lld round%s  %llu stacks\n",
                (double)r->wall_ns / 1e9, (double)r->cpu_ns / 1e9, (double)r->peak_bytes / 1e6,
                (long long)r->rounds, r->rounds == 1 ? "" : "s",
                (unsigned long long)r->profile_samples);
    fflush(s->text);
}

static void plan_run(struct session *s, const struct suite_job *job, uint32_t number)
{
    struct suite_run_name n = {s->args.batch, job->program->name, job->input->name, job->kind->name,
                               number};
    struct json *j = &s->plan.j;
    if (suite_missing(job->program))
        return;
    json_object(j, NULL);
    json_cstr(j, "id", suite_run_id(&n, &s->a));
    json_cstr(j, "program", n.program);
    json_cstr(j, "input", n.input);
    json_cstr(j, "kind", n.kind);
    json_int(j, "expected_ms", suite_results_expected_ms(s->state, job));
    json_object_end(j);
}

static void send_plan(struct session *s)
{
    struct json *j = &s->plan.j;
    suite_event_begin(&s->plan, "plan");
    json_cstr(j, "batch", s->args.batch);
    json_array(j, "runs");
    each_run(s, plan_run);
    json_array_end(j);
    json_array(j, "skipped");
    for (uint32_t i = 0; i < s->all.count; i++) {
        const struct suite_program *p = s->all.programs[i];
        const char *why =
            wants_program(&s->args, p->name) ? suite_describe_missing(p, &s->a) : NULL;
        if (!why)
            continue;
        json_object(j, NULL);
        json_cstr(j, "program", p->name);
        json_cstr(j, "why", why);
        json_object_end(j);
    }
    json_array_end(j);
    suite_event_send(&s->plan);
}

static void send_begin(struct session *s)
{
    struct suite_event v;
    if (!s->args.json)
        return;
    s->last_phase = NULL;
    suite_event_begin(&v, "begin");
    json_cstr(&v.j, "id", s->run_id);
    suite_event_send(&v);
}

static void send_end(struct session *s, const char *status, const char *error)
{
    struct suite_event v;
    if (!s->args.json)
        return;
    suite_event_begin(&v, "end");
    json_cstr(&v.j, "id", s->run_id);
    json_cstr(&v.j, "status", status);
    json_cstr(&v.j, "error", error);
    suite_event_send(&v);
}

static void send_done(struct session *s)
{
    struct suite_event v;
    if (!s->args.json)
        return;
    suite_event_begin(&v, "done");
    json_int(&v.j, "passed", s->passed);
    json_int(&v.j, "failed", s->failed);
    json_int(&v.j, "skipped", s->skipped);
    json_int(&v.j, "not_stored", s->unsent);
    json_bool(&v.j, "stopped", suite_interrupted != 0);
    json_cstr(&v.j, "error", s->problem);
    suite_event_send(&v);
}

/* What went wrong beside the runs themselves. */
static int note_problem(struct session *s, const struct err *e)
{
    snprintf(s->problem, sizeof s->problem, "%s", e->msg);
    return suite_verb_fail(e);
}

static void warn_of_machine(struct session *s)
{
    struct buf b;
    suite_look_at_machine(&s->machine);
    buf_init(&b, &s->a);
    suite_machine_warnings(&s->machine, "strobe suite: ", &b);
    if (!s->args.quiet)
        fwrite(b.data, 1, b.len, stderr);
}

/* ---- running ---- */

static int keep(struct session *s, const struct suite_run_name *n, const struct suite_result *r,
                const char *profile, struct err *e)
{
    struct buf json;
    const char *id = suite_run_id(n, &s->a);
    buf_init(&json, &s->a);
    suite_results_json(n, r, &s->machine, &json);
    struct suite_push_run run = {n, id, r->started_ns, r, profile, &json};
    int err = suite_results_write(s->state, id, &json, e);
    return err < 0 ? err : suite_push_run(&s->push, &run, e);
}

static void run_one(struct session *s, const struct suite_job *asked, uint32_t number)
{
    struct suite_job job = *asked;
    struct suite_result r;
    struct err e = {0};
    struct suite_run_name n = {s->args.batch, job.program->name, job.input->name, job.kind->name,
                               number};
    const char *id = suite_run_id(&n, &s->a);
    snprintf(s->what, sizeof s->what, "%s %s %s%s", n.program, n.input, n.kind,
             s->args.repeat > 1 ? arena_printf(&s->a, " %u", number) : "");
    s->run_id = id;
    if (suite_missing(job.program))
        return;
    send_begin(s);
    int err = suite_results_make(s->state, id, &s->a, &job.profile_path, &e);
    if (err < 0) {
        s->done++;
        s->failed++;
        send_end(s, "failed", e.msg);
        note_problem(s, &e);
        return;
    }
    job.progress = show_progress;
    job.arg = s;
    struct suite_push_run begins = {
        .name = &n, .id = id, .started_ns = suite_now_ns(CLOCK_REALTIME)};
    if (suite_push_run(&s->push, &begins, &e) < 0)
        note_problem(s, &e);
    err = suite_run(&job, &s->a, &r);
    s->done++;
    s->passed += err == 0;
    s->failed += err < 0;
    print_result(s, &r);
    show_progress(s, &(struct suite_progress){"storing", -1, -1, -1});
    if (keep(s, &n, &r, job.profile_path, &e) < 0) {
        end_progress(s);
        note_problem(s, &e);
        s->unsent++;
    }
    end_progress(s);
    send_end(s, r.status, r.error);
}

static void name_missing(const struct session *s)
{
    for (uint32_t i = 0; i < s->all.count; i++) {
        const struct suite_program *p = s->all.programs[i];
        struct arena a;
        arena_init(&a);
        const char *why = wants_program(&s->args, p->name) ? suite_describe_missing(p, &a) : NULL;
        if (why)
            fprintf(s->text, "%s is skipped: %s\n", p->name, why);
        arena_free(&a);
    }
    fflush(s->text);
}

static int prepare(struct session *s, struct err *e)
{
    s->suites = suite_folder(&s->a, e);
    int err = s->suites ? suite_read_folder(s->suites, &s->a, &s->all, e) : -ENOENT;
    if (err == 0) {
        char real[PATH_MAX]; /* scripts run elsewhere */
        if (realpath(s->suites, real))
            s->suites = arena_strdup(&s->a, real);
        s->state = suite_state(&s->a, e);
        err = s->state ? 0 : -ENOENT;
    }
    if (err == 0 && !s->args.batch)
        s->args.batch = suite_batch_new(s->state, &s->a);
    return err;
}

static void print_sum(const struct session *s)
{
    fprintf(s->text, "%s: %u passed, %u failed", s->args.batch, s->passed, s->failed);
    if (s->skipped)
        fprintf(s->text, ", %u skipped", s->skipped);
    if (s->unsent)
        fprintf(s->text, ", %u not stored", s->unsent);
    fprintf(s->text, "; 'strobe suite show %s' shows them%s%s\n", s->args.batch,
            s->push.sent ? "; sent to " : "", s->push.sent ? s->push.where : "");
    fflush(s->text);
}

static int run_all(struct session *s)
{
    struct err e = {0};
    warn_of_machine(s);
    suite_catch_signals();
    if (suite_push_open(&s->push, !s->args.no_push, &e) < 0)
        return suite_verb_fail(&e);
    if (s->args.json)
        send_plan(s);
    name_missing(s);
    each_run(s, run_one);
    end_progress(s);
    suite_push_close(&s->push);
    print_sum(s);
    send_done(s);
    if (suite_interrupted)
        return 128 + suite_interrupted;
    return s->failed || s->unsent || !s->passed ? 1 : 0;
}

int suite_verb_run(int argc, char **argv)
{
    struct session s = {0};
    struct err e = {0};
    arena_init(&s.a);
    int status = parse(&s, argc, argv);
    if (!status && prepare(&s, &e) < 0)
        status = suite_verb_fail(&e);
    if (!status) {
        s.text = s.args.json ? stderr : stdout;
        s.tty = isatty(STDERR_FILENO) && !s.args.quiet && !s.args.json;
        each_run(&s, count_run);
        status = check_names(&s);
    }
    if (!status)
        status = run_all(&s);
    arena_free(&s.a);
    return status;
}
