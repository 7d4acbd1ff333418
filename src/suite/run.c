/* SPDX-License-Identifier: MIT
 *
 * The life of a run: a folder of its own, free ports, its input made, the work (run_server.c,
 * run_command.c), the output verified, the profile looked at, and everything gone again. */
#include "suite/run_internal.h"

#include "base/limits.h"
#include "profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- time passes ---- */

/* Every second one is enough from now on. */
static void thin_samples(struct run *r)
{
    struct suite_result *o = r->out;
    for (uint32_t i = 1; 2 * i < o->sample_count; i++)
        o->samples[i] = o->samples[2 * i];
    o->sample_count = (o->sample_count + 1) / 2;
    r->sample_every_ns *= 2;
}

/* What the program uses now, as the last two samples have it. */
static void note_use(struct run *r)
{
    const struct suite_result *o = r->out;
    const struct suite_sample *last = o->samples + o->sample_count - 1, *before = last - 1;
    r->now.rss_bytes = last->rss_bytes;
    if (o->sample_count > 1 && last->at_ns > before->at_ns)
        r->now.cpu_percent =
            100.0 * (double)(last->cpu_ns - before->cpu_ns) / (double)(last->at_ns - before->at_ns);
}

static void take_sample(struct run *r)
{
    struct suite_result *o = r->out;
    int64_t now = suite_now_ns(CLOCK_MONOTONIC);
    if (!r->program || now < r->next_sample_ns)
        return;
    if (o->sample_count >= LIMIT_SUITE_SAMPLES)
        thin_samples(r);
    r->next_sample_ns = now + r->sample_every_ns;
    struct suite_use use = suite_use_of(r->program, r->recorded);
    if (!use.rss_bytes)
        return; /* it has just ended */
    if (o->sample_count == o->sample_room) {
        uint32_t room = o->sample_room ? 2 * o->sample_room : 64;
        o->samples = arena_grow(r->a, o->samples, o->sample_room * sizeof *o->samples,
                                room * sizeof *o->samples);
        o->sample_room = room;
    }
    /* A process of the tree that ended takes its time along; what was used stays used. */
    if (o->sample_count && use.cpu_ns < o->samples[o->sample_count - 1].cpu_ns)
        use.cpu_ns = o->samples[o->sample_count - 1].cpu_ns;
    o->samples[o->sample_count++] =
        (struct suite_sample){now - r->began_ns, use.cpu_ns, use.rss_bytes};
    if (use.rss_bytes > o->peak_bytes)
        o->peak_bytes = use.rss_bytes;
    note_use(r);
}

static void tell_progress(struct run *r)
{
    int64_t now = suite_now_ns(CLOCK_MONOTONIC);
    if (!r->job->progress || now < r->next_progress_ns)
        return;
    r->next_progress_ns = now + LIMIT_SUITE_SAMPLE_MS * 1000000ll;
    r->job->progress(r->job->arg, &r->now);
}

bool suite_run_tick(struct run *r, struct suite_fetch *f, int ms)
{
    bool done = false;
    if (f) {
        done = suite_fetch_wait(f, ms);
    } else {
        struct timespec t = {.tv_nsec = ms * 1000000L};
        nanosleep(&t, NULL);
    }
    take_sample(r);
    tell_progress(r);
    return done;
}

void suite_run_phase(struct run *r, const char *phase, double done)
{
    struct suite_result *o = r->out;
    bool begins = !r->now.phase || strcmp(r->now.phase, phase);
    r->now.phase = phase;
    r->now.done = done;
    if (begins && o->phase_count < SUITE_PHASES_MAX)
        o->phases[o->phase_count++] =
            (struct suite_phase){phase, suite_now_ns(CLOCK_MONOTONIC) - r->began_ns};
    if (begins)
        r->next_progress_ns = 0;
    if (!r->program) /* it has ended, or has not begun */
        r->now.cpu_percent = -1, r->now.rss_bytes = -1;
    tell_progress(r);
}

/* ---- scripts ---- */

int suite_run_blame_log(struct run *r, int code, const char *what)
{
    char tail[301] = "";
    FILE *f = fopen(r->log, "re");
    if (f && fseek(f, 0, SEEK_END) == 0) {
        long size = ftell(f), from = size > 300 ? size - 300 : 0;
        fseek(f, from, SEEK_SET);
        tail[fread(tail, 1, sizeof tail - 1, f)] = 0;
    }
    if (f)
        fclose(f);
    for (size_t n = strlen(tail); n && (tail[n - 1] == '\n' || tail[n - 1] == ' '); n--)
        tail[n - 1] = 0;
    for (char *p = tail; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return err_set(r->e, code, "%s%s%s", what, *tail ? "; its log ends with: " : "", tail);
}

int suite_run_script(struct run *r, const char *name, const char *script)
{
    const char *argv[] = {"sh", "-eu", "-c", script, NULL};
    struct suite_spawn s = {argv, &r->vars, r->work, r->log, r->log};
    int status = 0;
    pid_t pid;
    int err = suite_spawn(&s, &pid, r->e);
    if (err < 0)
        return err;
    int64_t end = suite_now_ns(CLOCK_MONOTONIC) + SCRIPT_MS * 1000000ll;
    bool late = false;
    while (!suite_ended(pid, &status)) {
        late = suite_now_ns(CLOCK_MONOTONIC) > end;
        if (suite_interrupted || late) {
            suite_stop(pid, 1000, &status);
            break;
        }
        suite_run_tick(r, NULL, 5);
    }
    if (suite_interrupted)
        return err_set(r->e, -EINTR, "stopped");
    if (late)
        return err_set(r->e, -ETIMEDOUT, "%s did not end in %d s", name, SCRIPT_MS / 1000);
    return status ? suite_run_blame_log(r, -EBADMSG, name) : 0;
}

/* ---- the folder and the variables ---- */

static void add_var(struct run *r, const char *name, const char *value)
{
    r->vars.vars[r->vars.count++] = (struct suite_var){name, value};
}

static int make_vars(struct run *r)
{
    const struct suite_program *p = r->job->program;
    const struct suite_input *in = r->job->input;
    uint16_t ports[16];
    r->vars.vars = arena_zarray(r->a, 4 + p->ports.count + in->set.count, sizeof *r->vars.vars);
    add_var(r, "WORK", r->work);
    add_var(r, "SUITES", r->job->suites);
    add_var(r, "INPUT", in->name);
    add_var(r, "SECONDS", arena_printf(r->a, "%lld", (long long)(in->duration_ms + 999) / 1000));
    int err = suite_free_ports(ports, p->ports.count, r->e);
    for (uint32_t i = 0; i < p->ports.count && err == 0; i++)
        add_var(r, p->ports.texts[i], arena_printf(r->a, "%u", ports[i]));
    for (uint32_t i = 0; i < in->set.count && err == 0; i++) {
        const char *value;
        err = suite_expand(in->set.vars[i].value, &r->vars, r->a, &value, r->e);
        if (err == 0)
            add_var(r, in->set.vars[i].name, value);
    }
    return err;
}

int suite_run_expand_argv(struct run *r, const struct yamldoc_list *words, const char *const **argv)
{
    const char **out = arena_zarray(r->a, words->count + 1, sizeof *out);
    int err = 0;
    for (uint32_t i = 0; i < words->count && err == 0; i++)
        err = suite_expand(words->texts[i], &r->vars, r->a, &out[i], r->e);
    *argv = out;
    return err;
}

static int make_folder(struct run *r)
{
    const char *tmp = getenv("TMPDIR");
    char real[sizeof r->work];
    snprintf(real, sizeof real, "%s/strobe-suite-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    if (!mkdtemp(real))
        return err_set(r->e, -errno, "cannot make the folder %s: %s", real, strerror(errno));
    strcpy(r->work, real);
    r->log = arena_printf(r->a, "%s/log", r->work);
    r->output = arena_printf(r->a, "%s/out", r->work);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path), 0;
}

/* ---- the whole ---- */

static int check_profile(struct run *r)
{
    struct profile p;
    int err = profile_read_file(&p, r->job->profile_path, r->e);
    if (err == 0) {
        err = profile_check(&p, r->e);
        r->out->profile_samples = p.sample_count;
        profile_free(&p);
    }
    r->out->profiled = err == 0;
    return err;
}

static int work(struct run *r)
{
    const struct suite_program *p = r->job->program;
    int err = make_folder(r);
    if (err == 0)
        err = make_vars(r);
    if (err == 0 && p->prepare) {
        suite_run_phase(r, "making the input", -1);
        err = suite_run_script(r, "the input could not be made", p->prepare);
    }
    if (err == 0)
        err = p->command.count ? suite_run_command(r) : suite_run_server(r);
    if (err == 0)
        err = check_profile(r);
    return err;
}

static void clean_up(struct run *r)
{
    int status;
    if (r->program)
        suite_stop(r->program, GRACE_MS, &status);
    suite_kill_all();
    if (*r->work)
        nftw(r->work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int suite_run(const struct suite_job *job, struct arena *a, struct suite_result *out)
{
    struct err e = {0};
    struct run r = {.job = job, .out = out, .a = a, .e = &e};
    *out = (struct suite_result){.started_ns = suite_now_ns(CLOCK_REALTIME), .exit_status = -1};
    r.began_ns = suite_now_ns(CLOCK_MONOTONIC);
    r.sample_every_ns = LIMIT_SUITE_SAMPLE_MS * 1000000ll;
    r.now = (struct suite_progress){.done = -1, .cpu_percent = -1, .rss_bytes = -1};
    int err = work(&r);
    suite_run_phase(&r, "cleaning up", -1);
    clean_up(&r);
    if (suite_interrupted)
        err = -EINTR;
    out->ended_ns = suite_now_ns(CLOCK_REALTIME);
    out->status = err == 0 ? "passed" : err == -EINTR ? "stopped" : "failed";
    snprintf(out->error, sizeof out->error, "%s", err == -EINTR ? "stopped" : e.msg);
    if (err == 0)
        out->error[0] = 0;
    else if (!out->profiled)
        unlink(job->profile_path);
    return err;
}
