/* SPDX-License-Identifier: MIT
 *
 * Programs started by the program. Every way to start one goes through two functions here, which
 * give the new program our settings back (environ.c hid them) and note the CPU time at which the
 * old image ended. Variadic forms build their arrays on the stack: between vfork and exec nothing
 * may be allocated, and nothing here changes the parent's state but its own slot.
 *
 * execvp and friends search PATH in libc; they are rebuilt here on execve, because libc's own call
 * it inside, past any interposer. So are system and popen, in interpose_shell.c. */
#include "runtime/interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARGS_MAX = 1 << 17, PATH_BYTES = 4096 };

/* Declares `env` from envp: the array itself, or a copy with our settings on the stack if the
 * program can load us. */
#define RESTORED_ENVIRONMENT(envp, env, can_load)                                                  \
    size_t env##_pointers, env##_bytes;                                                            \
    environ_measure(envp, &env##_pointers, &env##_bytes);                                          \
    if (env##_pointers && !(can_load))                                                             \
        env##_pointers = 0;                                                                        \
    char *env##_array[env##_pointers + 1];                                                         \
    char env##_text[env##_bytes + 1];                                                              \
    char *const *env = envp;                                                                       \
    if (env##_pointers) {                                                                          \
        environ_restore(envp, env##_array, env##_text);                                            \
        env = env##_array;                                                                         \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wvla"

INTERPOSE int execve(const char *path, char *const argv[], char *const envp[])
{
    REAL(execve, int (*)(const char *, char *const[], char *const[]));
    enum image_kind image = environ_image_of(path);
    struct shm_process *p = runtime_exec_begin(__builtin_return_address(0), image);
    RESTORED_ENVIRONMENT(envp, env, image <= IMAGE_STATIC);
    int r = real(path, argv, env);
    runtime_exec_failed(p);
    return r;
}

INTERPOSE int fexecve(int fd, char *const argv[], char *const envp[])
{
    REAL(fexecve, int (*)(int, char *const[], char *const[]));
    enum image_kind image = image_of_fd(fd);
    struct shm_process *p = runtime_exec_begin(__builtin_return_address(0), image);
    RESTORED_ENVIRONMENT(envp, env, image <= IMAGE_STATIC);
    int r = real(fd, argv, env);
    runtime_exec_failed(p);
    return r;
}

INTERPOSE int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    REAL(syscall, long (*)(long, ...));
    enum image_kind image = *path ? IMAGE_LOADS : image_of_fd(fd);
    struct shm_process *p = runtime_exec_begin(__builtin_return_address(0), image);
    RESTORED_ENVIRONMENT(envp, env, image <= IMAGE_STATIC);
    int r = (int)real(SYS_execveat, fd, path, argv, env, flags);
    runtime_exec_failed(p);
    return r;
}

INTERPOSE int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    REAL(posix_spawn, int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                              const posix_spawnattr_t *, char *const[], char *const[]));
    enum image_kind image = environ_image_of(path);
    RESTORED_ENVIRONMENT(envp, env, image <= IMAGE_STATIC);
    pid_t made;
    signals_for_exec(true);
    int r = real(&made, path, actions, attr, argv, env);
    signals_for_exec(false);
    if (r == 0)
        runtime_spawned(made, image);
    if (r == 0 && pid)
        *pid = made;
    return r;
}

INTERPOSE int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    REAL(posix_spawnp, int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                               const posix_spawnattr_t *, char *const[], char *const[]));
    enum image_kind image = environ_image_of(file);
    RESTORED_ENVIRONMENT(envp, env, image <= IMAGE_STATIC);
    pid_t made;
    signals_for_exec(true);
    int r = real(&made, file, actions, attr, argv, env);
    signals_for_exec(false);
    if (r == 0)
        runtime_spawned(made, image);
    if (r == 0 && pid)
        *pid = made;
    return r;
}

/* A file without #! is a shell script, as POSIX has it for execvp. */
static int exec_script(const char *path, char *const argv[], char *const envp[])
{
    size_t n = 0;
    while (argv && argv[n])
        if (++n > ARGS_MAX)
            return errno = E2BIG, -1;
    char *args[n + 3];
    args[0] = (char *)"/bin/sh";
    args[1] = (char *)path;
    for (size_t i = 1; i < n; i++)
        args[i + 1] = argv[i];
    args[n ? n + 1 : 2] = NULL;
    return execve("/bin/sh", args, envp);
}

#pragma GCC diagnostic pop

INTERPOSE int execvpe(const char *file, char *const argv[], char *const envp[])
{
    if (!*file)
        return errno = ENOENT, -1;
    if (strchr(file, '/')) {
        execve(file, argv, envp);
        return errno == ENOEXEC ? exec_script(file, argv, envp) : -1;
    }
    const char *path = "/bin:/usr/bin", *end;
    for (char *const *e = environ; e && *e; e++)
        if (strncmp(*e, "PATH=", 5) == 0)
            path = *e + 5;
    bool denied = false;
    size_t file_bytes = strlen(file) + 1;
    for (const char *p = path;; p = end + 1) {
        char full[PATH_BYTES];
        end = strchrnul(p, ':');
        size_t n = (size_t)(end - p);
        if (n + 1 + file_bytes <= sizeof full) {
            memcpy(full, p, n);
            full[n] = '/';
            memcpy(full + n + (n > 0), file, file_bytes);
            execve(full, argv, envp);
            if (errno == ENOEXEC)
                return exec_script(full, argv, envp);
            denied |= errno == EACCES;
            if (errno != EACCES && errno != ENOENT && errno != ENOTDIR && errno != ESTALE &&
                errno != ENODEV && errno != ETIMEDOUT)
                return -1;
        }
        if (!*end)
            break;
    }
    if (denied)
        errno = EACCES;
    return -1;
}

INTERPOSE int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

INTERPOSE int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

/* Counts the arguments up to NULL, then runs `call` with argv and, if it is there, envp. */
#define VARIADIC_EXEC(name_of, has_env, call)                                                      \
    INTERPOSE int name_of(const char *path, const char *arg, ...)                                  \
    {                                                                                              \
        va_list ap;                                                                                \
        size_t n = 1;                                                                              \
        va_start(ap, arg);                                                                         \
        while (va_arg(ap, const char *))                                                           \
            n++;                                                                                   \
        va_end(ap);                                                                                \
        _Pragma("GCC diagnostic push")                                                             \
            _Pragma("GCC diagnostic ignored \"-Wvla\"") char *argv[n + 1];                         \
        _Pragma("GCC diagnostic pop") char **envp = environ;                                       \
        va_start(ap, arg);                                                                         \
        argv[0] = (char *)arg;                                                                     \
        for (size_t i = 1; i <= n; i++)                                                            \
            argv[i] = va_arg(ap, char *);                                                          \
        if (has_env)                                                                               \
            envp = va_arg(ap, char **);                                                            \
        va_end(ap);                                                                                \
        return call(path, argv, envp);                                                             \
    }

VARIADIC_EXEC(execl, 0, execve)
VARIADIC_EXEC(execle, 1, execve)
VARIADIC_EXEC(execlp, 0, execvpe)
