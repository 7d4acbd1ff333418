/* SPDX-License-Identifier: MIT
 *
 * system, popen, pclose, and fclose, which libc lets stand for pclose. libc's own start the shell
 * by an internal call that no interposer sees, with the environment from which our settings were
 * taken; so they are rebuilt here on posix_spawn, as POSIX describes them. While nothing is
 * profiled, libc's are called. */
#include "runtime/interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPES = 64 };

struct shell_pipe {
    _Atomic(FILE *) file; /* NULL: free; (FILE *)-1: being filled */
    pid_t pid;
};

static struct shell_pipe pipes[PIPES];
static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER;
static int system_depth; /* callers inside system: SIGINT and SIGQUIT are ignored meanwhile */
static struct sigaction old_int, old_quit;

static bool is_profiled(void)
{
    return atomic_load_explicit(&rt.sink, memory_order_relaxed) != SINK_OFF;
}

/* Since 2.39 a command that begins with "-" is no option of the shell: the shell sees what it would
 * see from this system's libc. */
static bool libc_ends_options(void)
{
    const char *v = gnu_get_libc_version();
    long major = strtol(v, (char **)&v, 10), minor = *v == '.' ? strtol(v + 1, NULL, 10) : 0;
    return major > 2 || (major == 2 && minor >= 39);
}

static int spawn_shell(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attr)
{
    char *argv[5] = {(char *)"sh", (char *)"-c"};
    size_t n = 2;
    if (libc_ends_options())
        argv[n++] = (char *)"--";
    argv[n] = (char *)command;
    return posix_spawn(pid, "/bin/sh", actions, attr, argv, environ);
}

/* ---- system ---- */

static void ignore_keys(posix_spawnattr_t *attr)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t defaults, mask, child;
    sigemptyset(&defaults);
    pthread_mutex_lock(&system_lock);
    if (system_depth++ == 0) {
        sigaction(SIGINT, &ignore, &old_int);
        sigaction(SIGQUIT, &ignore, &old_quit);
    }
    if (old_int.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (old_quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    pthread_mutex_unlock(&system_lock);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, &mask);
    posix_spawnattr_setsigdefault(attr, &defaults);
    posix_spawnattr_setsigmask(attr, &mask);
    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static void restore_keys(const posix_spawnattr_t *attr)
{
    sigset_t mask;
    posix_spawnattr_getsigmask(attr, &mask);
    pthread_mutex_lock(&system_lock);
    if (--system_depth == 0) {
        sigaction(SIGINT, &old_int, NULL);
        sigaction(SIGQUIT, &old_quit, NULL);
    }
    pthread_mutex_unlock(&system_lock);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

INTERPOSE int system(const char *command)
{
    REAL(system, int (*)(const char *));
    if (!is_profiled() || !command)
        return real(command);
    posix_spawnattr_t attr;
    if (posix_spawnattr_init(&attr) != 0)
        return real(command);
    ignore_keys(&attr);
    pid_t pid;
    int status = -1, error = spawn_shell(&pid, command, NULL, &attr);
    if (error == 0) {
        pid_t got;
        while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
            ;
        if (got != pid)
            status = -1;
    } else if (error != ENOMEM && error != EAGAIN) {
        status = 127 << 8; /* as if the shell had failed to start the command */
    }
    int saved = error ? error : errno;
    restore_keys(&attr);
    posix_spawnattr_destroy(&attr);
    if (status == -1)
        errno = saved;
    return status;
}

/* ---- popen ---- */

static _Atomic int pipe_count; /* those in use: fclose need not look where there are none */

static struct shell_pipe *claim_pipe(void)
{
    for (int i = 0; i < PIPES; i++) {
        FILE *none = NULL;
        if (atomic_compare_exchange_strong(&pipes[i].file, &none, (FILE *)-1))
            return &pipes[i];
    }
    return NULL;
}

/* POSIX: the streams of earlier calls are closed in the new child. */
static void close_others(posix_spawn_file_actions_t *actions, int except)
{
    for (int i = 0; i < PIPES; i++) {
        FILE *f = atomic_load(&pipes[i].file);
        if (f && f != (FILE *)-1 && fileno(f) != except)
            posix_spawn_file_actions_addclose(actions, fileno(f));
    }
}

static FILE *start_pipe(struct shell_pipe *p, const char *command, bool reads, bool cloexec)
{
    int ends[2], target = reads ? STDOUT_FILENO : STDIN_FILENO;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    int ours = ends[!reads], theirs = ends[reads];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    close_others(&actions, target);
    /* dup2 onto itself clears close-on-exec, as posix_spawn has it since glibc 2.29. */
    posix_spawn_file_actions_adddup2(&actions, theirs, target);
    FILE *f = fdopen(ours, reads ? "r" : "w");
    int error = f ? spawn_shell(&p->pid, command, &actions, NULL) : errno;
    posix_spawn_file_actions_destroy(&actions);
    close(theirs);
    if (error) {
        if (f)
            fclose(f);
        else
            close(ours);
        errno = error;
        return NULL;
    }
    if (!cloexec)
        fcntl(ours, F_SETFD, 0);
    return f;
}

INTERPOSE FILE *popen(const char *command, const char *mode)
{
    REAL(popen, FILE * (*)(const char *, const char *));
    bool reads = strchr(mode, 'r'), writes = strchr(mode, 'w');
    bool valid = reads != writes && !mode[strspn(mode, "rwe")];
    struct shell_pipe *p = is_profiled() && valid ? claim_pipe() : NULL;
    if (!p)
        return real(command, mode);
    atomic_fetch_add(&pipe_count, 1);
    FILE *f = start_pipe(p, command, reads, strchr(mode, 'e') != NULL);
    atomic_store(&p->file, f);
    if (!f)
        atomic_fetch_sub(&pipe_count, 1);
    return f;
}

/* Frees the entry of a stream and says whose output it was; 0: it is none of ours. */
static pid_t release_pipe(FILE *file)
{
    for (int i = 0; i < PIPES && atomic_load(&pipe_count); i++) {
        pid_t pid = pipes[i].pid;
        if (atomic_load(&pipes[i].file) != file)
            continue;
        atomic_store(&pipes[i].file, NULL);
        atomic_fetch_sub(&pipe_count, 1);
        return pid;
    }
    return 0;
}

static int wait_for(pid_t pid)
{
    int status;
    pid_t got;
    while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    return got < 0 ? -1 : status;
}

static int close_stream(FILE *file)
{
    REAL(fclose, int (*)(FILE *));
    return real(file);
}

INTERPOSE int pclose(FILE *file)
{
    REAL(pclose, int (*)(FILE *));
    pid_t pid = file ? release_pipe(file) : 0;
    if (!pid)
        return real(file);
    close_stream(file);
    return wait_for(pid);
}

INTERPOSE int fclose(FILE *file)
{
    pid_t pid = file ? release_pipe(file) : 0;
    int r = close_stream(file);
    int status = pid ? wait_for(pid) : 0;
    return status ? status : r;
}
