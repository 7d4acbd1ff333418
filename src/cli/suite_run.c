/* SPDX-License-Identifier: MIT
 *
 * `strobe suite run`: looks at the machine, then runs program by program, input by input, one kind
 * at a time, and says what came of it. A run that fails does not keep the others from being run. */
#include "cli/cmd_suite.h"
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

enum { KINDS_MAX = 16, REPEAT_MAX = 1000 };

struct args {
    const char *input, *batch;
    const char *kinds[KINDS_MAX];
    uint32_t kind_count;
    uint32_t repeat;
    bool quiet, no_push;
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
    char what[160]; /* is run now */
    bool tty, shown;
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
    } else if ((v = value_of(argc, argv, i, "-n"))) {
        char *end;
        long n = strtol(v, &end, 10);
        if (end == v || *end || n < 1 || n > REPEAT_MAX)
            return suite_verb_complain("-n %s: expected a number from 1 to 1000", v);
        a->repeat = (uint32_t)n;
    } else
        return suite_verb_complain("run: there is no option '%s'", option);
    return 0;
}

static int parse(struct session *s, int argc, char **argv)
{
    struct args *a = &s->args;
    struct tm t;
    time_t now = time(NULL);
    char stamp[32];
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
    if (!a->batch) {
        strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime_r(&now, &t));
        a->batch = arena_strdup(&s->a, stamp);
    }
    if (!suite_batch_ok(a->batch))
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
    if (!s->total)
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
    (void)job, (void)number;
    s->total++;
}

/* ---- what is said ---- */

static void show_progress(void *arg, const char *phase, double done)
{
    struct session *s = arg;
    if (!s->tty)
        return;
    fprintf(stderr, "\r\033[K[%u/%u] %s: %s", s->done + 1, s->total, s->what, phase);
    if (done >= 0)
        fprintf(stderr, " %.0f %%", 100 * done);
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
    printf("[%u/%u] %-34s %s", s->done, s->total, s->what, r->status);
    if (*r->error)
        printf("%s%s\n", strcmp(r->status, "failed") ? "" : ": ",
               strcmp(r->status, "failed") ? "" : r->error);
    else
        printf("  %6.2f s  CPU %6.2f s  %5.1f MB  %lld round%s  %llu stacks\n",
               (double)r->wall_ns / 1e9, (double)r->cpu_ns / 1e9, (double)r->peak_bytes / 1e6,
               (long long)r->rounds, r->rounds == 1 ? "" : "s",
               (unsigned long long)r->profile_samples);
    fflush(stdout);
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
    const char *missing = suite_missing(job.program);
    int err = missing ? 0 : suite_results_make(s->state, id, &s->a, &job.profile_path, &e);
    if (missing || err < 0) {
        s->done++;
        s->skipped += missing != NULL;
        s->failed += missing == NULL;
        if (err < 0)
            suite_verb_fail(&e);
        return;
    }
    job.progress = show_progress;
    job.arg = s;
    struct suite_push_run begins = {
        .name = &n, .id = id, .started_ns = suite_now_ns(CLOCK_REALTIME)};
    if (suite_push_run(&s->push, &begins, &e) < 0)
        suite_verb_fail(&e);
    err = suite_run(&job, &s->a, &r);
    s->done++;
    s->passed += err == 0;
    s->failed += err < 0;
    print_result(s, &r);
    if (keep(s, &n, &r, job.profile_path, &e) < 0) {
        suite_verb_fail(&e);
        s->unsent++;
    }
}

static void name_missing(const struct session *s)
{
    for (uint32_t i = 0; i < s->all.count; i++) {
        const struct suite_program *p = s->all.programs[i];
        const char *missing = wants_program(&s->args, p->name) ? suite_missing(p) : NULL;
        if (!missing)
            continue;
        printf("%s is skipped: %s is not installed; apt-get install", p->name, missing);
        for (uint32_t k = 0; k < p->install.count; k++)
            printf(" %s", p->install.texts[k]);
        printf("\n");
    }
    fflush(stdout);
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
    return err;
}

static int run_all(struct session *s)
{
    struct err e = {0};
    warn_of_machine(s);
    suite_catch_signals();
    if (suite_push_open(&s->push, !s->args.no_push, &e) < 0)
        return suite_verb_fail(&e);
    name_missing(s);
    each_run(s, run_one);
    end_progress(s);
    suite_push_close(&s->push);
    printf("%s: %u passed, %u failed", s->args.batch, s->passed, s->failed);
    if (s->skipped)
        printf(", %u skipped", s->skipped);
    if (s->unsent)
        printf(", %u not stored", s->unsent);
    printf("; 'strobe suite show %s' shows them%s%s\n", s->args.batch,
           s->push.sent ? "; sent to " : "", s->push.sent ? s->push.where : "");
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
        s.tty = isatty(STDERR_FILENO) && !s.args.quiet;
        each_run(&s, count_run);
        status = check_names(&s);
    }
    if (!status)
        status = run_all(&s);
    arena_free(&s.a);
    return status;
}
