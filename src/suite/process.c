/* SPDX-License-Identifier: MIT
 *
 * Starting, watching and ending processes so that nothing is left behind, whatever ends first: a
 * group for each child, PR_SET_PDEATHSIG for the case that we are killed, and
 * PR_SET_CHILD_SUBREAPER so that what their shells leave running is found under us and killed. */
#include "suite/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t suite_interrupted;

enum { TREE_DEPTH = 16, PORTS_MAX = 16 };

int64_t suite_now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void on_signal(int sig)
{
    suite_interrupted = sig;
}

void suite_catch_signals(void)
{
    struct sigaction catch = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &catch, NULL);
    sigaction(SIGTERM, &catch, NULL);
    sigaction(SIGHUP, &catch, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* ---- starting ---- */

void suite_become_child(pid_t parent)
{
    static const int back[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
    for (size_t i = 0; i < sizeof back / sizeof *back; i++)
        signal(back[i], SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it ended before the line above */
        _exit(125);
}

static void redirect(const char *path, int to)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        _exit(125);
    dup2(fd, to);
    if (fd != to)
        close(fd);
}

static void run_child(const struct suite_spawn *s, pid_t parent, int status_fd)
{
    suite_become_child(parent);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    redirect(s->out, 1);
    redirect(s->log, 2);
    for (uint32_t i = 0; i < s->env->count; i++)
        setenv(s->env->vars[i].name, s->env->vars[i].value, 1);
    if (chdir(s->folder) == 0)
        execvp(s->argv[0], (char *const *)s->argv);
    int error = errno;
    if (write(status_fd, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

int suite_spawn(const struct suite_spawn *s, pid_t *pid, struct err *e)
{
    int status[2], error = 0;
    pid_t parent = getpid();
    if (pipe2(status, O_CLOEXEC) != 0)
        return err_set(e, -errno, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    *pid = fork();
    if (*pid == 0) {
        close(status[0]);
        run_child(s, parent, status[1]);
    }
    int fork_error = errno;
    close(status[1]);
    if (*pid < 0) {
        close(status[0]);
        return err_set(e, -fork_error, "cannot start a process: %s", strerror(fork_error));
    }
    setpgid(*pid, *pid); /* whoever comes first, the group is there when we return */
    ssize_t n = read(status[0], &error, sizeof error);
    close(status[0]);
    if (n != (ssize_t)sizeof error)
        return 0;
    waitpid(*pid, NULL, 0);
    *pid = 0;
    return err_set(e, -error, "%s: %s", s->argv[0], strerror(error));
}

/* ---- ending ---- */

bool suite_ended(pid_t pid, int *status)
{
    pid_t got = waitpid(pid, status, WNOHANG);
    if (got < 0 && errno == ECHILD)
        *status = 0;
    return got == pid || (got < 0 && errno == ECHILD);
}

void suite_stop(pid_t pid, int grace_ms, int *status)
{
    struct timespec step = {.tv_nsec = 10 * 1000000};
    kill(-pid, SIGTERM);
    for (int ms = 0; ms < grace_ms; ms += 10) {
        if (suite_ended(pid, status)) {
            kill(-pid, SIGKILL); /* what else is in its group */
            return;
        }
        nanosleep(&step, NULL);
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
}

/* Calls `each` for the children of a process; false if the kernel does not list them. */
static bool each_child(pid_t pid, void (*each)(pid_t child, void *arg), void *arg)
{
    char path[64];
    int child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (fscanf(f, "%d", &child) == 1)
        each(child, arg);
    fclose(f);
    return true;
}

static void kill_one(pid_t pid, void *arg)
{
    kill(pid, SIGKILL);
    ++*(int *)arg;
}

void suite_kill_all(void)
{
    /* Killing a parent brings its children to us: once more until there are none. */
    for (int i = 0; i < 1000; i++) {
        int found = 0;
        each_child(getpid(), kill_one, &found);
        while (waitpid(-1, NULL, found ? 0 : WNOHANG) > 0 && --found > 0)
            ;
        if (found <= 0 && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
    }
}

/* ---- ports ---- */

int suite_free_ports(uint16_t *ports, uint32_t count, struct err *e)
{
    int fds[PORTS_MAX], err = 0;
    uint32_t n = 0;
    if (count > PORTS_MAX)
        return err_set(e, -EFBIG, "%u ports are too many; %d are the limit", count, PORTS_MAX);
    for (; n < count && err == 0; n++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof at;
        fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[n] < 0 || bind(fds[n], (struct sockaddr *)&at, len) != 0 ||
            getsockname(fds[n], (struct sockaddr *)&at, &len) != 0)
            err = err_set(e, -errno, "no free port on 127.0.0.1: %s", strerror(errno));
        ports[n] = ntohs(at.sin_port);
    }
    while (n-- > 0)
        if (fds[n] >= 0)
            close(fds[n]);
    return err;
}

/* ---- use ---- */

struct use_walk {
    struct suite_use use;
    int depth;
};

static void add_use(pid_t pid, struct suite_use *use)
{
    char path[64];
    clockid_t clock;
    long pages = 0;
    if (clock_getcpuclockid(pid, &clock) == 0) {
        struct timespec t;
        if (clock_gettime(clock, &t) == 0)
            use->cpu_ns += (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (fscanf(f, "%*s %ld", &pages) == 1)
        use->rss_bytes += pages * sysconf(_SC_PAGESIZE);
    fclose(f);
}

static void walk_use(pid_t pid, void *arg)
{
    struct use_walk *w = arg;
    if (++w->depth <= TREE_DEPTH) {
        add_use(pid, &w->use);
        each_child(pid, walk_use, w);
    }
    w->depth--;
}

struct suite_use suite_use_of(pid_t pid, bool below)
{
    struct use_walk w = {0};
    if (below)
        each_child(pid, walk_use, &w);
    else
        walk_use(pid, &w);
    return w.use;
}

int64_t suite_peak_bytes(pid_t pid)
{
    char path[64], line[256];
    long long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lld kB", &kb) == 1)
            break;
    fclose(f);
    return kb * 1024;
}
