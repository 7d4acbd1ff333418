/* SPDX-License-Identifier: MIT
 *
 * A command's run: recorded to its end. The recorder (record/record.h) is a child of ours with a
 * group of its own, because it takes signals over and waits for any process; what it found out
 * comes back by a pipe, the profile by its file. */
#include "suite/run_internal.h"

#include "base/limits.h"
#include "record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
    int code; /* 0, or a negative errno */
    struct err e;
    struct record_result result;
};

static int record(const struct run *r, const char *const *argv, struct report *out)
{
    struct record_options o = {.argv = (char *const *)argv, .hz = LIMIT_HZ_DEFAULT};
    struct recorder rec;
    struct profile p;
    int err = record_open(&rec, &o, &out->e);
    if (err == 0)
        err = record_start(&rec, &out->e);
    if (err < 0)
        return err;
    while (record_wait(&rec, 100))
        ;
    out->result = rec.result;
    err = record_finish(&rec, &p, &out->e);
    if (err == 0)
        err = profile_write_file(&p, r->job->profile_path, &out->e);
    return err;
}

/* The child: never returns. */
static void be_recorder(const struct run *r, const char *const *argv, int pipe_fd)
{
    struct report out = {0};
    int in = open("/dev/null", O_RDONLY);
    int output = open(r->output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int log = open(r->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (in < 0 || output < 0 || log < 0 || chdir(r->work) != 0)
        _exit(125);
    dup2(in, 0);
    dup2(output, 1);
    dup2(log, 2);
    close(in), close(output), close(log);
    for (uint32_t i = 0; i < r->vars.count; i++)
        setenv(r->vars.vars[i].name, r->vars.vars[i].value, 1);
    for (uint32_t i = 0; i < r->job->kind->env.count; i++)
        setenv(r->job->kind->env.vars[i].name, r->job->kind->env.vars[i].value, 1);
    out.code = record(r, argv, &out);
    ssize_t n = write(pipe_fd, &out, sizeof out); /* smaller than PIPE_BUF: never in parts */
    _exit(n == (ssize_t)sizeof out ? 0 : 125);
}

static int start_recorder(struct run *r, const char *const *argv, int *pipe_fd)
{
    int fds[2];
    pid_t parent = getpid();
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set(r->e, -errno, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    r->program = fork();
    if (r->program == 0) {
        close(fds[0]);
        suite_become_child(parent);
        be_recorder(r, argv, fds[1]);
    }
    int error = errno;
    close(fds[1]);
    *pipe_fd = fds[0];
    if (r->program > 0) {
        setpgid(r->program, r->program);
        r->recorded = true;
        return 0;
    }
    r->program = 0;
    close(fds[0]);
    return err_set(r->e, -error, "cannot start a process: %s", strerror(error));
}

static int64_t nanoseconds(const struct timeval *t)
{
    return (int64_t)t->tv_sec * 1000000000 + (int64_t)t->tv_usec * 1000;
}

static int take_report(struct run *r, const struct report *in)
{
    const struct record_result *x = &in->result;
    struct suite_result *o = r->out;
    if (in->code < 0)
        return err_set(r->e, in->code, "%s", in->e.msg);
    int64_t peak = (int64_t)x->usage.ru_maxrss * 1024;
    o->wall_ns = (int64_t)x->elapsed_ns;
    o->cpu_ns = nanoseconds(&x->usage.ru_utime) + nanoseconds(&x->usage.ru_stime);
    o->peak_bytes = peak > o->peak_bytes ? peak : o->peak_bytes;
    o->rounds = 1;
    o->exit_status =
        WIFSIGNALED(x->wait_status) ? 128 + WTERMSIG(x->wait_status) : WEXITSTATUS(x->wait_status);
    if (o->exit_status)
        return suite_run_blame_log(r, -ECHILD, "the program failed");
    return 0;
}

static int wait_recorder(struct run *r)
{
    int status = 0;
    suite_run_phase(r, "running", -1);
    while (!suite_ended(r->program, &status)) {
        if (suite_interrupted)
            return err_set(r->e, -EINTR, "stopped");
        suite_run_tick(r, NULL, 10);
    }
    r->program = 0;
    return 0;
}

int suite_run_command(struct run *r)
{
    const char *const *argv;
    struct report report;
    int fd = -1;
    int err = suite_run_expand_argv(r, &r->job->program->command, &argv);
    if (err == 0)
        err = start_recorder(r, argv, &fd);
    if (err < 0)
        return err;
    err = wait_recorder(r);
    ssize_t n = err == 0 ? read(fd, &report, sizeof report) : 0;
    close(fd);
    if (err == 0 && n != (ssize_t)sizeof report)
        err = suite_run_blame_log(r, -ECHILD, "the recorder ended by itself");
    if (err == 0)
        err = take_report(r, &report);
    if (err == 0) {
        suite_run_phase(r, "verifying", -1);
        err = suite_run_script(r, "the output is not right", r->job->program->verify);
        r->out->verified = err == 0;
    }
    return err;
}
