/* SPDX-License-Identifier: MIT
 *
 * posix_spawn and pipes. What is started gets no signal mask, no descriptor and no ignored signal
 * of ours, and what it may use is bounded: time, memory, output. */
#include "web/exec.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- starting ---- */

static void close_both(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int spawn(struct exec_child *c, const char *const *argv, char *const *env,
                 const int theirs[3])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    if (posix_spawn_file_actions_init(&files))
        return ENOMEM;
    if (posix_spawnattr_init(&how)) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&files, theirs[i], i);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGHUP);
    sigaddset(&usual, SIGQUIT);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                       POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setpgroup(&how, 0);
    int error =
        posix_spawnp(&c->pid, argv[0], &files, &how, (char *const *)argv, env ? env : environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

int exec_start(struct exec_child *c, const char *const *argv, char *const *env, struct err *e)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, error = 0;
    *c = (struct exec_child){0, -1, -1, -1};
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        error = errno;
    if (!error) {
        const int theirs[3] = {in[0], out[1], err[1]};
        error = spawn(c, argv, env, theirs);
    }
    if (error) {
        close_both(in), close_both(out), close_both(err);
        return err_set(e, -error, "%s cannot be started: %s", argv[0], strerror(error));
    }
    close(in[0]), close(out[1]), close(err[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    c->in = in[1], c->out = out[0], c->err = err[0];
    return 0;
}

/* ---- to the end ---- */

struct running {
    struct exec_child c;
    const struct exec_job *job;
    const char *input; /* what is left of it */
    size_t input_size;
    struct buf out;
    char *said;
    size_t said_size, said_len;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void write_some(struct running *r)
{
    ssize_t n = write(r->c.in, r->input, r->input_size);
    if (n > 0) {
        r->input += n;
        r->input_size -= (size_t)n;
    }
    if (!r->input_size || (n < 0 && errno != EAGAIN && errno != EINTR))
        shut(&r->c.in);
}

static void read_some(struct running *r, int *fd, bool output)
{
    char bytes[1 << 16];
    ssize_t n = read(*fd, bytes, sizeof bytes);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        shut(fd);
    if (n <= 0)
        return;
    if (output) {
        buf_append(&r->out, bytes, (size_t)n);
        return;
    }
    for (ssize_t i = 0; i < n && r->said_len + 1 < r->said_size; i++)
        r->said[r->said_len++] = (unsigned char)bytes[i] < ' ' ? ' ' : bytes[i];
}

/* Until its pipes are closed. */
static int pump(struct running *r, struct err *e)
{
    const char *name = r->job->argv[0];
    int64_t end = now_ms() + r->job->timeout_ms;
    while (r->c.out >= 0 || r->c.err >= 0) {
        int64_t left = end - now_ms();
        struct pollfd fds[3] = {
            {r->c.in, POLLOUT, 0}, {r->c.out, POLLIN, 0}, {r->c.err, POLLIN, 0}};
        if (left <= 0 || (poll(fds, 3, (int)left) < 0 && errno != EINTR))
            return err_set(e, -ETIMEDOUT, "%s did not end in %d s", name,
                           r->job->timeout_ms / 1000);
        if (r->c.in >= 0 && fds[0].revents)
            write_some(r);
        if (r->c.out >= 0 && fds[1].revents)
            read_some(r, &r->c.out, true);
        if (r->c.err >= 0 && fds[2].revents)
            read_some(r, &r->c.err, false);
        if (r->out.len > r->job->output_max)
            return err_set(e, -EFBIG, "%s wrote more than %zu MB", name, r->job->output_max >> 20);
    }
    return 0;
}

/* Waits for the end at most `ms`, and ends it and what it has left behind. The number is not given
 * to another process as long as we have not waited for it. */
static void reap(pid_t pid, int ms, int *status)
{
    siginfo_t info = {0};
    for (; ms > 0 && !info.si_pid; ms -= 2) {
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (!info.si_pid)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
}

int exec_run(const struct exec_job *job, struct arena *a, struct exec_output *out, struct err *e)
{
    struct running r = {.job = job, .input = job->input, .input_size = job->input_size};
    *out = (struct exec_output){0};
    r.said = out->said;
    r.said_size = sizeof out->said;
    buf_init(&r.out, a);
    int rc = exec_start(&r.c, job->argv, NULL, e);
    if (rc)
        return rc;
    if (job->memory_max)
        prlimit(r.c.pid, RLIMIT_AS, &(struct rlimit){job->memory_max, job->memory_max}, NULL);
    fcntl(r.c.in, F_SETFL, O_NONBLOCK);
    if (!job->input_size)
        shut(&r.c.in);
    rc = pump(&r, e);
    shut(&r.c.in), shut(&r.c.out), shut(&r.c.err);
    reap(r.c.pid, rc ? 0 : job->timeout_ms, &out->status);
    while (r.said_len && out->said[r.said_len - 1] == ' ')
        out->said[--r.said_len] = 0;
    out->bytes = (char *)buf_cstr(&r.out);
    out->size = r.out.len;
    return rc;
}
