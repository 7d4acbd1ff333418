/* SPDX-License-Identifier: MIT
 *
 * Starting other programs. What goes in and comes out of a filter lies in files in memory, so that
 * neither side waits for the other and nothing is left behind when one dies. */
#include "pprof/external.h"

#include "base/gotext.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool is_executable(const char *path)
{
    struct stat st;
    return !stat(path, &st) && !S_ISDIR(st.st_mode) && (st.st_mode & 0111) && !access(path, X_OK);
}

/* exec.LookPath: the program's path, or false. */
static bool look_up(char path[PATH_MAX], const char *name)
{
    const char *dirs = getenv("PATH");
    for (const char *at = dirs ? dirs : ""; *name;) {
        size_t n = strcspn(at, ":");
        int len = snprintf(path, PATH_MAX, "%.*s%s%s", n ? (int)n : 1, n ? at : ".", "/", name);
        if (len < PATH_MAX && is_executable(path))
            return true;
        if (!at[n])
            return false;
        at += n + 1;
    }
    return false;
}

static int spawn(const char *path, char *const argv[], const int fds[2], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    for (int i = 0; i < 2; i++) {
        if (fds[i] < 0)
            posix_spawn_file_actions_addopen(&actions, i, "/dev/null", i ? O_WRONLY : O_RDONLY, 0);
        else
            posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    }
    int rc = posix_spawn(pid, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

int external_start(char *const argv[], int in, int out, pid_t *pid, struct err *e)
{
    char found[PATH_MAX];
    const char *path = argv[0];
    if (!*path)
        return err_set(e, -ENOENT, "exec: no command");
    if (!strchr(path, '/')) {
        if (!look_up(found, path)) {
            struct arena scratch;
            struct buf quoted;
            arena_init(&scratch);
            buf_init(&quoted, &scratch);
            gotext_quote(&quoted, path, strlen(path));
            err_set(e, -ENOENT, "exec: %s: executable file not found in $PATH", buf_cstr(&quoted));
            arena_free(&scratch);
            return -ENOENT;
        }
        path = found;
    }
    int rc = spawn(path, argv, (int[]){in, out}, pid);
    return rc ? err_set(e, -rc, "fork/exec %s: %s", path, gotext_errno(rc)) : 0;
}

int external_wait(pid_t pid, struct err *e)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(e, -errno, "wait: %s", gotext_errno(errno));
    if (WIFSIGNALED(status)) {
        char *text = strsignal(WTERMSIG(status));
        return err_set(e, -EIO, "signal: %c%s%s", text[0] | 0x20, text + 1,
                       WCOREDUMP(status) ? " (core dumped)" : "");
    }
    if (WEXITSTATUS(status))
        return err_set(e, -EIO, "exit status %d", WEXITSTATUS(status));
    return 0;
}

/* A file in memory with these bytes, read from its begin; -1 and errno. */
static int memory_file(const char *name, const struct buf *bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    size_t at = 0, len = bytes ? bytes->len : 0;
    while (fd >= 0 && at < len) {
        ssize_t n = pwrite(fd, bytes->data + at, len - at, (off_t)at);
        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return fd;
}

static int read_back(int fd, struct buf *output)
{
    off_t at = 0;
    for (;;) {
        char *room = buf_reserve(output, 1 << 16);
        ssize_t n = pread(fd, room, 1 << 16, at);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return 0;
        if (n > 0) {
            at += n;
            output->len += (size_t)n;
        }
    }
}

int external_filter(char *const argv[], const struct buf *input, struct buf *output, struct err *e)
{
    pid_t pid;
    int in = memory_file("input", input), out = memory_file("output", NULL);
    int rc = in < 0 || out < 0 ? err_set(e, -errno, "memfd_create: %s", gotext_errno(errno)) : 0;
    if (!rc)
        rc = external_start(argv, in, out, &pid, e);
    if (!rc)
        rc = external_wait(pid, e);
    if (!rc && read_back(out, output))
        rc = err_set(e, -EIO, "read of the output of %s failed", argv[0]);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return rc;
}
