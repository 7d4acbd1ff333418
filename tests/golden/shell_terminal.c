/* SPDX-License-Identifier: MIT
 *
 * The shell on a terminal: what a person types and sees. Each test has a pseudo-terminal of its own
 * with `strobe pprof PROFILE` behind it. Prints what was on the screen when something is missing.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, SCREEN_MAX = 1 << 20 };

static const char *strobe, *profile, *large_profile;
static int failures;

struct terminal {
    int fd;
    pid_t pid;
    char *screen; /* all that was printed */
    size_t len, seen;
    const char *test;
};

static void open_with(struct terminal *t, const char *test, const char *file)
{
    *t = (struct terminal){.test = test, .screen = calloc(1, SCREEN_MAX)};
    struct winsize size = {.ws_row = 40, .ws_col = 200};
    t->pid = forkpty(&t->fd, NULL, NULL, &size);
    if (t->pid == 0) {
        setenv("TERM", "xterm", 1);
        setenv("ASAN_OPTIONS", "detect_leaks=0", 0); /* libedit keeps its bindings after el_end */
        execl(strobe, strobe, "pprof", file, NULL);
        _exit(127);
    }
}

static void open_terminal(struct terminal *t, const char *test)
{
    open_with(t, test, profile);
}

static void type(struct terminal *t, const char *keys)
{
    if (write(t->fd, keys, strlen(keys)) < 0)
        perror("write to the terminal");
}

/* Reads until `text` appears behind what was seen before. */
static int expect(struct terminal *t, const char *text)
{
    for (;;) {
        char *found = strstr(t->screen + t->seen, text);
        if (found) {
            t->seen = (size_t)(found - t->screen) + strlen(text);
            return 1;
        }
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        ssize_t n = -1;
        if (poll(&p, 1, PATIENCE_MS) > 0 && t->len < SCREEN_MAX - 1)
            n = read(t->fd, t->screen + t->len, SCREEN_MAX - 1 - t->len);
        if (n <= 0) {
            printf("%s: \"%s\" did not appear; the screen:\n%s\n", t->test, text, t->screen);
            failures++;
            return 0;
        }
        for (ssize_t i = 0; i < n; i++)
            if (!t->screen[t->len + (size_t)i])
                t->screen[t->len + (size_t)i] = ' ';
        t->len += (size_t)n;
    }
}

static void close_terminal(struct terminal *t)
{
    int status = -1;
    expect(t, "(pprof) ");
    type(t, "\x04"); /* Ctrl-D */
    for (int waited = 0; waitpid(t->pid, &status, WNOHANG) == 0; waited += 10) {
        char rest[4096];
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        if (poll(&p, 1, 10) > 0 && read(t->fd, rest, sizeof rest) < 0 && errno != EIO)
            perror("read from the terminal");
        if (waited > PATIENCE_MS)
            kill(t->pid, SIGKILL);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        printf("%s: Ctrl-D does not end the shell with success\n", t->test);
        failures++;
    }
    close(t->fd);
    free(t->screen);
}

static void commands_are_answered_behind_a_prompt(const char *test)
{
    struct terminal t;
    open_terminal(&t, test);
    expect(&t, "Entering interactive mode");
    expect(&t, "(pprof) ");
    type(&t, "top 2\r");
    expect(&t, "Showing top 2 nodes");
    expect(&t, "(pprof) ");
    type(&t, "nosuch\r");
    expect(&t, "unrecognized command: \"nosuch\"");
    close_terminal(&t);
}

static void tab_completes_commands_options_values_and_functions(const char *test)
{
    struct terminal t;
    open_terminal(&t, test);
    expect(&t, "(pprof) ");
    type(&t, "showc\t=true\rgran\tli\t\ro\r");
    expect(&t, "granularity               = lines");
    expect(&t, "showcolumns               = true");
    type(&t, "to\t\t"); /* top, and what else begins so */
    expect(&t, "topproto");
    type(&t, "\x15peek main\\.has\t\r"); /* Ctrl-U: an empty line */
    expect(&t, "| main.hash");
    close_terminal(&t);
}

static void earlier_lines_come_back(const char *test)
{
    struct terminal t;
    open_terminal(&t, test);
    expect(&t, "(pprof) ");
    type(&t, "nodecount=3\rnodecount=4\r\x1b[A\x1b[A\ro\r"); /* up, up */
    expect(&t, "nodecount                 = 3");
    close_terminal(&t);
}

static void ctrl_c_begins_a_new_line(const char *test)
{
    struct terminal t;
    open_terminal(&t, test);
    expect(&t, "(pprof) ");
    type(&t, "nosuch");
    expect(&t, "nosuch");
    type(&t, "\x03");
    expect(&t, "(pprof) ");
    type(&t, "top 1\r");
    expect(&t, "Showing top 1 nodes");
    close_terminal(&t);
}

static void ctrl_c_stops_a_report_and_not_the_shell(const char *test)
{
    struct terminal t;
    char folder[] = "/tmp/strobe-shell-XXXXXX", line[256], pipe[128];
    if (!mkdtemp(folder)) {
        perror(folder);
        failures++;
        return;
    }
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    mkfifo(pipe, 0600);
    open_with(&t, test, large_profile);
    expect(&t, "(pprof) ");
    /* Nobody reads the pipe: the report hangs when it is full. */
    snprintf(line, sizeof line, "traces >%s\r", pipe);
    type(&t, line);
    expect(&t, "Generating report in");
    type(&t, "\x03");
    expect(&t, "interrupted");
    expect(&t, "(pprof) ");
    type(&t, "top 1\r");
    expect(&t, "Showing top 1 nodes");
    close_terminal(&t);
    unlink(pipe);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const char *name);
    } tests[] = {
        {"commands are answered behind a prompt", commands_are_answered_behind_a_prompt},
        {"Tab completes commands, options, values and functions",
         tab_completes_commands_options_values_and_functions},
        {"earlier lines come back", earlier_lines_come_back},
        {"Ctrl-C begins a new line", ctrl_c_begins_a_new_line},
        {"Ctrl-C stops a report and not the shell", ctrl_c_stops_a_report_and_not_the_shell},
    };
    if (argc != 4)
        return 2;
    strobe = argv[1];
    profile = argv[2];
    large_profile = argv[3];
    setenv("HOME", "/nonexistent", 1); /* no ~/.editrc */
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        int before = failures;
        tests[i].run(tests[i].name);
        printf("%s: %s\n", failures == before ? "ok" : "FAILED", tests[i].name);
    }
    return failures ? 1 : 0;
}
