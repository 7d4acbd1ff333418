/* SPDX-License-Identifier: MIT
 *
 * A server's run: started, waited for, loaded round by round until the input's time is over, asked
 * for its profile (while there is load, or after it), verified and stopped. Rounds are whole, so
 * that CPU time per round means the same in every run. */
#include "suite/run_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* With the variables that only this kind of profile sets. */
static int server_env(struct run *r, struct suite_vars *env)
{
    const struct suite_vars *extra = &r->job->kind->env;
    int err = 0;
    env->vars = arena_zarray(r->a, r->vars.count + extra->count, sizeof *env->vars);
    env->count = r->vars.count;
    memcpy(env->vars, r->vars.vars, r->vars.count * sizeof *env->vars);
    for (uint32_t i = 0; i < extra->count && err == 0; i++) {
        struct suite_var *v = &env->vars[env->count++];
        v->name = extra->vars[i].name;
        err = suite_expand(extra->vars[i].value, &r->vars, r->a, &v->value, r->e);
    }
    return err;
}

static int start(struct run *r)
{
    const char *const *argv;
    struct suite_vars env;
    int err = suite_run_expand_argv(r, &r->job->program->start, &argv);
    if (err == 0)
        err = server_env(r, &env);
    if (err < 0)
        return err;
    struct suite_spawn s = {argv, &env, r->work, r->output, r->log};
    return suite_spawn(&s, &r->program, r->e);
}

/* 0 while the server runs and nobody wants us to stop. */
static int still_there(struct run *r)
{
    int status;
    if (suite_interrupted)
        return err_set(r->e, -EINTR, "stopped");
    if (!suite_ended(r->program, &status))
        return 0;
    r->program = 0;
    r->out->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return suite_run_blame_log(r, -ECHILD, "the server ended by itself");
}

static int wait_ready(struct run *r)
{
    const char *url;
    int err = suite_expand(r->job->program->ready, &r->vars, r->a, &url, r->e);
    int64_t end = suite_now_ns(CLOCK_MONOTONIC) + READY_MS * 1000000ll;
    struct suite_request ask = {.url = url, .timeout_ms = 2000};
    while (err == 0 && (err = still_there(r)) == 0) {
        struct suite_fetch *f;
        struct err ignored;
        err = suite_fetch_start(&f, &ask, r->e);
        if (err < 0)
            return err;
        while (!suite_run_tick(r, f, 20) && !suite_interrupted)
            ;
        if (suite_fetch_end(f, NULL, 0, &ignored) == 200)
            return 0;
        if (suite_now_ns(CLOCK_MONOTONIC) > end)
            return suite_run_blame_log(r, -ETIMEDOUT, "the server was not ready in 30 s");
        suite_run_tick(r, NULL, 20);
    }
    return err;
}

static int begin_fetch(struct run *r, struct suite_fetch **f)
{
    const char *url;
    int err = suite_expand(r->job->kind->url, &r->vars, r->a, &url, r->e);
    if (err < 0)
        return err;
    int64_t extra = r->job->kind->during ? r->job->input->duration_ms : 0;
    struct suite_request ask = {
        .url = url, .path = r->job->profile_path, .timeout_ms = FETCH_MS + extra};
    return suite_fetch_start(f, &ask, r->e);
}

/* Waits for the answer, or gives it up if `err` says that the run has failed already. */
static int end_fetch(struct run *r, struct suite_fetch *f, int err)
{
    char said[256];
    while (err == 0 && !suite_run_tick(r, f, 20))
        err = still_there(r);
    int status = suite_fetch_end(f, said, sizeof said, err == 0 ? r->e : NULL);
    if (err < 0 || status < 0)
        return err < 0 ? err : status;
    if (status != 200)
        return err_set(r->e, -EBADMSG, "the server answers %d for its %s profile: %s", status,
                       r->job->kind->name, said);
    return 0;
}

/* Of the load: of its time or of its rounds, whichever is behind. */
static double share_done(const struct run *r, double of_time)
{
    int64_t rounds = r->job->input->rounds;
    double of_rounds = rounds ? (double)r->out->rounds / (double)rounds : of_time;
    return of_rounds < of_time ? of_rounds : of_time;
}

static int load(struct run *r, struct suite_fetch *f)
{
    const struct suite_job *job = r->job;
    int64_t begin = suite_now_ns(CLOCK_MONOTONIC), passed = 0;
    int64_t duration = job->input->duration_ms * 1000000;
    int64_t cpu = suite_use_of(r->program, false).cpu_ns;
    int err = 0;
    while (err == 0 && (passed < duration || r->out->rounds < job->input->rounds)) {
        suite_run_phase(r, "loading", share_done(r, (double)passed / (double)duration));
        err = suite_run_script(r, "a round of load failed", job->program->load);
        if (err == 0)
            err = still_there(r);
        if (f)
            suite_fetch_wait(f, 0);
        r->out->rounds += err == 0;
        passed = suite_now_ns(CLOCK_MONOTONIC) - begin;
    }
    if (err == 0) {
        r->out->wall_ns = passed;
        r->out->cpu_ns = suite_use_of(r->program, false).cpu_ns - cpu;
    }
    return err;
}

static int load_and_fetch(struct run *r)
{
    struct suite_fetch *f = NULL;
    bool during = r->job->kind->during;
    int err = during ? begin_fetch(r, &f) : 0;
    if (err < 0)
        return err;
    if (f)
        suite_run_tick(r, f, 1); /* the request is on its way before the load is */
    err = load(r, f);
    if (!during && err == 0) {
        suite_run_phase(r, "fetching the profile", -1);
        err = begin_fetch(r, &f);
    }
    return f ? end_fetch(r, f, err) : err;
}

int suite_run_server(struct run *r)
{
    suite_run_phase(r, "starting", -1);
    int err = start(r);
    if (err == 0)
        err = wait_ready(r);
    if (err == 0)
        err = load_and_fetch(r);
    if (err == 0) {
        suite_run_phase(r, "verifying", -1);
        err = suite_run_script(r, "the output is not right", r->job->program->verify);
    }
    if (err < 0 || !r->program)
        return err;
    r->out->verified = true;
    int64_t peak = suite_peak_bytes(r->program);
    if (peak > r->out->peak_bytes)
        r->out->peak_bytes = peak;
    int status;
    suite_run_phase(r, "stopping", -1);
    suite_stop(r->program, GRACE_MS, &status);
    r->program = 0;
    r->out->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}
