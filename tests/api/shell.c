/* SPDX-License-Identifier: MIT
 *
 * What libc says of the calls that libstrobe stands before: starting programs, pipes to shells,
 * handlers and masks. It prints every result; shell.sh runs it with and without libstrobe and the
 * output must be the same. Run in an empty folder, which it fills. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t caught;

static void catch (int sig)
{
    caught = caught * 100 + sig;
}

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(name, mode) != 0)
        exit(3);
}

/* errno only where it says something. */
static void say(const char *what, long result, int error)
{
    printf("%s: %ld %s\n", what, result, error ? strerror(error) : "-");
    fflush(stdout);
}

/* ---- system ---- */

static void run(const char *command)
{
    errno = 0;
    int status = system(command);
    say(command, status, status == -1 ? errno : 0);
}

static void try_system(void)
{
    say("system(NULL)", system(NULL) != 0, 0);
    const char *commands[] = {"true",
                              "exit 3",
                              "kill -TERM $$",
                              "no-such-command-anywhere",
                              "echo \"$0\" \"$#\"",
                              "",
                              "-x",
                              "--",
                              "--help",
                              "-c true",
                              " -x",
                              "kill -INT $PPID; kill -QUIT $PPID",
                              "kill -INT $$; echo not reached",
                              "grep -E 'SigBlk|SigIgn' /proc/self/status"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        run(commands[i]);
    signal(SIGINT, SIG_IGN);
    run("kill -INT $$; echo survives");
    say("SIGINT is still ignored", signal(SIGINT, catch) == SIG_IGN, 0);
    run("kill -INT $PPID");
    raise(SIGINT);
    say("SIGINT is caught", caught, 0);
    signal(SIGINT, SIG_DFL);
    caught = 0;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    run("grep SigBlk /proc/self/status");
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGCHLD, catch);
    run("true");
    say("SIGCHLD comes afterwards", caught, 0);
    signal(SIGCHLD, SIG_IGN);
    run("true");
    signal(SIGCHLD, SIG_DFL);
    caught = 0;
    errno = 4711;
    say("errno of a success", system("true") == 0 && errno == 4711, 0);
}

/* ---- popen ---- */

static void read_all(const char *what, FILE *f)
{
    char line[256];
    while (f && fgets(line, sizeof line, f))
        printf("%s: %s", what, line);
    fflush(stdout);
}

static void try_popen(void)
{
    const char *commands[] = {"echo out; exit 5", "kill -KILL $$", "no-such-command-anywhere", "-x",
                              "grep -E 'SigBlk|SigIgn' /proc/self/status"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        FILE *f = popen(commands[i], "r");
        read_all(commands[i], f);
        say(commands[i], pclose(f), 0);
    }
    const char *modes[] = {"", "x", "rw", "wr", "rz", "er", "re", "we", "rb", "rr", "e", "r+"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        errno = 0;
        FILE *f = popen("cat >/dev/null", modes[i]);
        int error = errno;
        say(modes[i], f ? fcntl(fileno(f), F_GETFD) : -1, f ? 0 : error);
        if (f)
            say("its status", pclose(f), 0);
    }
    FILE *outer = popen("cat; exit 4", "w");
    fprintf(outer, "written before\n");
    /* The outer one is closed in the inner. */
    FILE *inner = popen("i=0; while [ $i -lt 64 ]; do [ -e /proc/$$/fd/$i ] && echo $i;"
                        " i=$((i+1)); done",
                        "r");
    read_all("descriptors in the inner", inner);
    FILE *third = popen("cat; exit 6", "w");
    fprintf(third, "to the third\n");
    say("third", pclose(third), 0);
    say("inner", pclose(inner), 0);
    fprintf(outer, "written after\n");
    say("outer", pclose(outer), 0);
    FILE *closed = popen("sleep 0.02; exit 3", "r");
    int (*volatile close_it)(FILE *) = fclose; /* the compiler knows better */
    say("fclose instead of pclose", close_it(closed), 0);
    int left = waitpid(-1, NULL, WNOHANG);
    say("no child is left", left, errno);
    FILE *stolen = popen("exit 3", "r");
    waitpid(-1, NULL, 0);
    int status = pclose(stolen);
    say("child was waited for", status, status == -1 ? errno : 0);
}

/* Standard streams that are closed leave their numbers to the pipe. */
static void try_popen_without_streams(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        close(0);
        FILE *f = popen("cat; exit 9", "w"); /* its end may be descriptor 0 or 1 */
        fprintf(f, "through\n");
        int status = pclose(f);
        f = popen("echo back; exit 8", "r");
        read_all("without standard input", f);
        _exit(WEXITSTATUS(status) * 10 + WEXITSTATUS(pclose(f)));
    }
    int status;
    waitpid(pid, &status, 0);
    say("popen without standard input", WEXITSTATUS(status), 0);
}

/* ---- exec ---- */

static char *args[] = {"zero", "one", "two", NULL};
static char *env[] = {"OWN=env", NULL};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        fflush(stdout);                                                                            \
        pid_t child = fork();                                                                      \
        int ended;                                                                                 \
        if (child == 0) {                                                                          \
            errno = 0;                                                                             \
            int r = call;                                                                          \
            say(#call, r, errno);                                                                  \
            fflush(stdout);                                                                        \
            _exit(42);                                                                             \
        }                                                                                          \
        waitpid(child, &ended, 0);                                                                 \
        say(#call " ended", ended, 0);                                                             \
    } while (0)

static void set_path(const char *path)
{
    if (path)
        setenv("PATH", path, 1);
    else
        unsetenv("PATH");
    printf("PATH %s\n", path ? path : "unset");
}

static void try_search(const char *path)
{
    set_path(path);
    TRY(execlp("good", "zero", "one", NULL));
    TRY(execlp("bare", "zero", "one", NULL));
    TRY(execlp("denied", "zero", NULL));
    TRY(execlp("missing", "zero", NULL));
    TRY(execlp("dir", "zero", NULL));
    TRY(execlp("", "zero", NULL));
    TRY(execvp("good", args));
    TRY(execvpe("good", args, env));
    TRY(execvpe("bare", args, env));
    TRY(execlp("true", "true", NULL));
    pid_t pid;
    int r = posix_spawnp(&pid, "missing", NULL, NULL, args, env);
    say("posix_spawnp missing", r != 0, r);
    r = posix_spawnp(&pid, "true", NULL, NULL, args, env);
    say("posix_spawnp true", r != 0, r);
    if (r == 0)
        waitpid(pid, &r, 0);
}

static void try_exec(void)
{
    char name[NAME_MAX + 100];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    const char *old = getenv("PATH");
    char *path = strdup(old ? old : "/bin:/usr/bin");
    const char *paths[] = {"/nonexistent:bin",
                           ":/nonexistent",
                           "/nonexistent:",
                           "",
                           "plain:bin",
                           "bin:/bin:/usr/bin",
                           NULL};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        try_search(paths[i]);
    set_path("bin:bin2"); /* what is denied first may be found later */
    TRY(execlp("denied", "zero", "later", NULL));
    TRY(execvp(name, args));
    TRY(execl("bin/good", "zero", "one", NULL));
    TRY(execl("bin/bare", "zero", "one", NULL));
    TRY(execle("bin/good", "zero", NULL, env));
    TRY(execv("bin/good", args));
    TRY(execve("bin/good", args, env));
    TRY(execve("bin/good", args, NULL));
    TRY(execve("bin/denied", args, env));
    TRY(execve("bin", args, env));
    TRY(execve("plain/x", args, env));
    TRY(execve("bin/orphan", args, env));
    TRY(execvp("bin/bare", args));
    TRY(execvp("bin/denied", args));
    TRY(execvp("./missing", args));
    int fd = open("/bin/echo", O_RDONLY | O_CLOEXEC);
    TRY(fexecve(fd, args, env));
    TRY(fexecve(-1, args, env));
    TRY(execveat(fd, "", args, env, AT_EMPTY_PATH));
    TRY(execveat(AT_FDCWD, "bin/good", args, env, 0));
    close(fd);
    setenv("PATH", path, 1);
    free(path);
    pid_t pid;
    errno = 4711;
    int status, r = posix_spawn(&pid, "/bin/true", NULL, NULL, args, env);
    say("posix_spawn keeps errno", r == 0 && errno == 4711, 0);
    waitpid(pid, &status, 0);
    r = posix_spawn(&pid, "bin/denied", NULL, NULL, args, env);
    say("posix_spawn denied", r != 0, r);
}

/* ---- signals ---- */

static void say_mask(const char *what)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    printf("%s:", what);
    for (int sig = 1; sig < SIGRTMIN; sig++)
        if (sigismember(&set, sig))
            printf(" %d", sig);
    printf("\n");
}

static void *say_mask_in_thread(void *arg)
{
    say_mask(arg);
    return NULL;
}

static void try_masks(void)
{
    sigset_t all, old, some;
    pthread_t t;
    sigfillset(&all);
    sigemptyset(&some);
    sigaddset(&some, SIGTRAP);
    sigaddset(&some, SIGURG);
    sigaddset(&some, SIGUSR1);
    say_mask("at first");
    sigprocmask(SIG_BLOCK, &some, &old);
    say_mask("some");
    pthread_create(&t, NULL, say_mask_in_thread, "a thread inherits some");
    pthread_join(t, NULL);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    say_mask("all");
    pthread_sigmask(SIG_UNBLOCK, &some, NULL);
    say_mask("all but some");
    errno = 0;
    say("nonsense", sigprocmask(99, &some, NULL), errno);
    say("nonsense", pthread_sigmask(99, &some, NULL), 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    say_mask("at last");
}

static void try_handlers(void)
{
    const int sigs[] = {SIGTRAP, SIGURG, SIGTERM, SIGINT, SIGSEGV, SIGKILL, 0, -1, 64, 65, 1000};
    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
        struct sigaction old, sa = {.sa_handler = catch, .sa_flags = SA_RESTART | SA_NODEFER};
        memset(&old, 0, sizeof old);
        errno = 0;
        long r = sigaction(sigs[i], NULL, &old);
        say("query", r, errno);
        errno = 0;
        say("default", old.sa_handler == SIG_DFL, 0);
        r = sigaction(sigs[i], &sa, &old);
        say("set", r, errno);
        r = sigaction(sigs[i], NULL, &old);
        say("is set", r == 0 ? old.sa_handler == catch : r, 0);
        if (sigs[i] > 0 && sigs[i] < 32 && sigs[i] != SIGKILL) {
            caught = 0;
            raise(sigs[i]);
            say("caught", caught, 0);
            say("signal", signal(sigs[i], SIG_IGN) == catch, 0);
            raise(sigs[i]);
            say("ignored", signal(sigs[i], SIG_DFL) == SIG_IGN, 0);
        }
    }
    errno = 0;
    say("SIG_ERR", signal(SIGUSR1, SIG_ERR) == SIG_ERR, errno);
}

int main(void)
{
    mkdir("bin", 0755);
    mkdir("bin2", 0755);
    mkdir("bin/dir", 0755);
    const char *script = "#!/bin/sh\necho good \"$@\" ${OWN-none}\nexit 2\n";
    put("plain", "", 0644);
    put("bin/good", script, 0755);
    put("good", script, 0755);
    put("bin/bare", "echo bare $0 \"$@\" ${OWN-none}\nexit 2\n", 0755);
    put("bin/denied", script, 0644);
    put("bin2/denied", script, 0755);
    put("bin/orphan", "#!/nonexistent/interpreter\n", 0755);
    try_system();
    try_popen();
    try_popen_without_streams();
    try_exec();
    try_masks();
    try_handlers();
    return 0;
}
