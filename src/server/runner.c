/* SPDX-License-Identifier: MIT
 *
 * The suite's process and the thread that reads what it says. That thread lives from the start to
 * the end of the process and nobody else waits for it, so that its number means it as long as
 * `pid` is set. A session that never came to a plan was refused by the suite itself: its last line
 * is the answer, and it never becomes the current one. */
#include "server/runner_internal.h"

#include "web/exec.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
    PLAN_MS = 30000, /* from the start to the plan: the machine is looked at, the disk may sleep */
    END_MS = 20000,  /* from SIGINT to SIGKILL: programs have five seconds of their own */
};

struct runner {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of CLOCK_MONOTONIC */
    uint64_t rev;
    struct session *current; /* the last one with a plan; NULL: none yet */
    struct session *going;   /* that has a process; may be `current` */
    struct exec_child child;
    int status; /* of the last process, as from wait */
    pthread_t thread;
    bool thread_there; /* to be joined */
    bool starting;     /* somebody waits for the plan of `going` */
    bool ending;
};

int runner_make(struct runner **out, struct err *e)
{
    pthread_condattr_t attr;
    struct runner *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, -ENOMEM, "out of memory");
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    *out = r;
    return 0;
}

static void note_change(struct runner *r)
{
    r->rev++;
    pthread_cond_broadcast(&r->changed);
}

static void drop_session(struct session *s)
{
    if (!s)
        return;
    session_free(s);
    free(s);
}

/* ---- reading what it says ---- */

struct lines {
    char *text;
    size_t len, room;
    bool too_long; /* the rest of this line is passed over */
    void (*take)(struct session *s, const char *line, size_t len);
};

static void put_byte(struct runner *r, struct lines *l, char c)
{
    if (c == '\n') {
        if (!l->too_long && l->len)
            l->take(r->going, l->text, l->len);
        l->len = 0;
        l->too_long = false;
        return;
    }
    if (l->len == l->room && l->room < LIMIT_SUITE_LINE) {
        size_t room = l->room ? 2 * l->room : 4096;
        char *more = realloc(l->text, room);
        if (more)
            l->text = more, l->room = room;
    }
    if (l->len < l->room)
        l->text[l->len++] = (unsigned char)c < ' ' ? ' ' : c;
    else
        l->too_long = true;
}

/* False at its end. */
static bool read_lines(struct runner *r, int fd, struct lines *l)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    pthread_mutex_lock(&r->lock);
    for (ssize_t i = 0; i < n; i++)
        put_byte(r, l, bytes[i]);
    if (r->going->run_count && r->current != r->going) {
        drop_session(r->current);
        r->current = r->going;
    }
    note_change(r);
    pthread_mutex_unlock(&r->lock);
    return true;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Until both pipes are closed, or the process has ended and what it wrote is read. */
static void read_all(struct runner *r)
{
    struct lines lines[2] = {{.take = session_take_event}, {.take = session_take_line}};
    struct pollfd fds[2] = {{r->child.out, POLLIN, 0}, {r->child.err, POLLIN, 0}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int n = poll(fds, 2, 500);
        for (int i = 0; n > 0 && i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !read_lines(r, fds[i].fd, &lines[i]))
                fds[i].fd = -1;
        if (n == 0 && has_ended(r->child.pid))
            break;
    }
    free(lines[0].text);
    free(lines[1].text);
}

static void *follow(void *arg)
{
    struct runner *r = arg;
    int status = 0;
    read_all(r);
    while (!has_ended(r->child.pid)) /* it has closed its pipes: that is its end */
        poll(NULL, 0, 5);
    pthread_mutex_lock(&r->lock);
    kill(-r->child.pid, SIGKILL); /* its group: nothing, unless it was killed itself */
    while (waitpid(r->child.pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(r->child.in), close(r->child.out), close(r->child.err);
    session_over(r->going, status);
    r->status = status;
    if (r->going == r->current)
        r->going = NULL; /* else it is the starter's to look at */
    note_change(r);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- starting ---- */

/* Ours, but that it sends to this server with this server's token. */
static char **make_env(struct arena *a, const char *server)
{
    size_t n = 0, out = 0;
    while (environ[n])
        n++;
    char **env = arena_zarray(a, n + 2, sizeof *env);
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "STROBE_SERVER=", 14) && strncmp(environ[i], "STROBE_TOKEN=", 13))
            env[out++] = environ[i];
    env[out] = arena_printf(a, "STROBE_SERVER=%s", server);
    return env;
}

static int start_child(struct runner *r, const struct runner_ask *ask, struct err *e)
{
    const char *argv[16] = {"/proc/self/exe", "suite",   "run",     "--progress",
                            "json",           "--input", ask->input};
    struct arena a;
    size_t n = 7;
    if (strcmp(ask->kind, "all")) {
        argv[n++] = "--kind";
        argv[n++] = ask->kind;
    }
    if (strcmp(ask->program, "all"))
        argv[n++] = ask->program;
    arena_init(&a);
    int rc = exec_start(&r->child, argv, make_env(&a, ask->server), e);
    arena_free(&a);
    return rc;
}

static int refuse_busy(const struct runner *r, struct err *e)
{
    const struct session *s = r->going;
    if (r->starting)
        return err_set(e, -EBUSY, "a run is being started");
    int seconds = (int)((session_clock_ms() - s->began_ms) / 1000);
    if (!s->now)
        return err_set(e, -EBUSY, "a run is going on: %s %s %s, started %d s ago", s->program,
                       s->input, s->kind, seconds);
    return err_set(e, -EBUSY, "a run is going on: %s %s %s (%u of %u), started %d s ago",
                   s->now->program, s->now->input, s->now->kind, s->done + 1, s->run_count,
                   seconds);
}

/* Makes the session and its process. The lock is held. */
static int begin(struct runner *r, const struct runner_ask *ask, struct err *e)
{
    if (r->ending)
        return err_set(e, -ESHUTDOWN, "the server is ending");
    if (r->going || r->starting)
        return refuse_busy(r, e);
    if (r->thread_there)
        pthread_join(r->thread, NULL); /* it has let go of the lock for good */
    r->thread_there = false;
    struct session *s = malloc(sizeof *s);
    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    session_init(s, ask);
    int rc = start_child(r, ask, e);
    r->going = s;
    if (!rc && pthread_create(&r->thread, NULL, follow, r)) {
        kill(-r->child.pid, SIGKILL);
        waitpid(r->child.pid, NULL, 0);
        close(r->child.in), close(r->child.out), close(r->child.err);
        rc = err_set(e, -EAGAIN, "the suite cannot be watched: no more threads");
    }
    r->thread_there = !rc;
    if (rc) {
        r->going = NULL;
        drop_session(s);
    }
    return rc;
}

/* Waits for something new until `end_ms`; false when that has passed. The lock is held. */
static bool wait_change(struct runner *r, int64_t end_ms)
{
    struct timespec t = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&r->changed, &r->lock, &t) != ETIMEDOUT;
}

/* A start that came to nothing. The lock is held. */
static int judge_refusal(struct runner *r, const struct session *s, struct err *e)
{
    bool usage = WIFEXITED(r->status) && WEXITSTATUS(r->status) == 2;
    if (s->stopping)
        return err_set(e, -ECANCELED, "it was cancelled before it began");
    if (s->skipped_count)
        return err_set(e, -ENODATA, "%s", s->skipped[0].why);
    const char *help = strstr(s->error, "; see 'strobe suite -h'"); /* is for a terminal */
    return err_set(e, usage ? -EINVAL : -EIO, "%.*s",
                   (int)(help ? (size_t)(help - s->error) : strlen(s->error)), s->error);
}

/* Waits for the plan. The lock is held. */
static int await_plan(struct runner *r, struct session *s, struct err *e)
{
    int64_t end = session_clock_ms() + PLAN_MS;
    while (r->current != s && !s->ended_ms && wait_change(r, end))
        ;
    if (r->current == s)
        return 0;
    bool late = !s->ended_ms;
    if (late)
        kill(r->child.pid, SIGKILL);
    while (!s->ended_ms)
        pthread_cond_wait(&r->changed, &r->lock);
    int rc =
        late ? err_set(e, -EIO, "the suite did not say in %d s what it will run", PLAN_MS / 1000)
             : judge_refusal(r, s, e);
    r->going = NULL;
    drop_session(s);
    return rc;
}

int runner_start(struct runner *r, const struct runner_ask *ask, struct err *e)
{
    pthread_mutex_lock(&r->lock);
    int rc = begin(r, ask, e);
    if (!rc) {
        r->starting = true;
        rc = await_plan(r, r->going, e);
        r->starting = false;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* ---- ending ---- */

int runner_cancel(struct runner *r, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    if (!r->going || r->going->ended_ms) {
        rc = err_set(e, -ESRCH, "nothing is running");
    } else {
        r->going->stopping = true;
        kill(r->child.pid, SIGINT);
        note_change(r);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void runner_end(struct runner *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    int64_t end = session_clock_ms() + END_MS;
    bool killed = false;
    r->ending = true;
    if (r->going && !r->going->ended_ms) {
        r->going->stopping = true;
        kill(r->child.pid, SIGINT);
    }
    while (r->going && !r->going->ended_ms) {
        if (wait_change(r, end) || killed)
            continue;
        kill(r->child.pid, SIGKILL);
        killed = true;
        end += END_MS;
    }
    note_change(r);
    pthread_mutex_unlock(&r->lock);
    if (r->thread_there)
        pthread_join(r->thread, NULL);
    r->thread_there = false;
}

void runner_free(struct runner *r)
{
    if (!r)
        return;
    drop_session(r->current);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- telling ---- */

void runner_wait(struct runner *r, uint64_t rev, int ms)
{
    pthread_mutex_lock(&r->lock);
    int64_t end = session_clock_ms() + ms;
    while (r->rev == rev && !r->ending && wait_change(r, end))
        ;
    pthread_mutex_unlock(&r->lock);
}

void runner_write(struct runner *r, struct json *j)
{
    static const struct session none = {.program = "",
                                        .input = "",
                                        .kind = "",
                                        .batch = "",
                                        .step = "",
                                        .error = "",
                                        .step_done = -1,
                                        .cpu_percent = -1,
                                        .rss_bytes = -1};
    pthread_mutex_lock(&r->lock);
    json_int(j, "rev", (int64_t)r->rev);
    session_write(r->current ? r->current : &none, j);
    pthread_mutex_unlock(&r->lock);
}
