/* SPDX-License-Identifier: MIT
 *
 * The pager and the colours of reports. The report itself is written as ever, into a pipe; a child
 * of ours reads it, colours it line by line, and hands it to the pager. So the reports know nothing
 * of terminals, and their bytes are the same everywhere.
 *
 * Colour follows the numbers: the first percentages of a row are bold from a tenth of the total on,
 * and dim below a hundredth; headers are bold; what grew is orange, what shrank is blue. */
#include "cli/terminal.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t painter;

static const char *variable(const char *name)
{
    const char *v = getenv(name);
    return v ? v : "";
}

static const char *choose_pager(void)
{
    if (getenv("STROBE_PAGER"))
        return variable("STROBE_PAGER");
    return *variable("PAGER") ? variable("PAGER") : "less";
}

static bool wants_colour(void)
{
    return !*variable("NO_COLOR") && *variable("TERM") && strcmp(variable("TERM"), "dumb") != 0;
}

/* The first percentage of the line, or -1. */
static double first_percent(const char *line)
{
    const char *sign = strchr(line, '%'), *start = sign;
    while (start && start > line && strchr("0123456789.", start[-1]))
        start--;
    return sign && start < sign ? strtod(start, NULL) : -1;
}

static const char *colour_of(const char *line)
{
    if (strstr(line, "flat%") || strstr(line, "change%") || !strncmp(line, "Total:", 6) ||
        !strncmp(line, "ROUTINE", 7))
        return "\033[1m";
    if (!strncmp(line, "-----", 5))
        return "\033[2m";
    if (*line != ' ')
        return NULL;
    double percent = first_percent(line);
    size_t before = strspn(line, " "), sign = strcspn(line, "+%");
    bool grew = line[sign] == '+' && percent >= 0;
    const char *minus = strstr(line, " -");
    if (grew)
        return "\033[38;5;208m";
    if (minus && percent >= 0 && (size_t)(minus - line) < before + 40)
        return "\033[38;5;75m";
    return percent >= 10 ? "\033[1m" : percent >= 0 && percent < 1 ? "\033[2m" : NULL;
}

/* Copies lines from the report to `out`. */
static void paint(FILE *in, FILE *out, bool colour)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while ((len = getline(&line, &size, in)) > 0) {
        const char *start = colour ? colour_of(line) : NULL;
        if (!start) {
            fwrite(line, 1, (size_t)len, out);
            continue;
        }
        bool newline = line[len - 1] == '\n';
        fputs(start, out);
        fwrite(line, 1, (size_t)len - newline, out);
        fputs(newline ? "\033[0m\n" : "\033[0m", out);
    }
    free(line);
}

/* The child between report and pager. The terminal's Ctrl-C is the report's and the pager's. */
static void run_painter(int from, const char *pager)
{
    FILE *in = fdopen(from, "r"), *out = stdout;
    bool paged = *pager && strcmp(pager, "cat") != 0;
    signal(SIGINT, SIG_IGN);
    if (!in)
        _exit(1);
    if (paged) {
        setenv("LESS", "FRX", 0);
        char command[512];
        snprintf(command, sizeof command, "command -v %.*s >/dev/null 2>&1",
                 (int)strcspn(pager, " "), pager);
        out = system(command) ? NULL : popen(pager, "w");
        paged = out != NULL;
        if (!paged)
            out = stdout;
    }
    paint(in, out, wants_colour());
    fflush(out);
    if (paged)
        pclose(out);
    _exit(0);
}

/* Whether the words ask for something else than a report on standard output. */
static bool asks_else(int argc, char **argv)
{
    static const char *const names[] = {"o", "output", "h", "help"};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (*name != '-' || !name[1])
            continue;
        name += 1 + (name[1] == '-');
        size_t n = strcspn(name, "=");
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strlen(names[k]) == n && !strncmp(name, names[k], n))
                return true;
    }
    return false;
}

void terminal_begin(int argc, char **argv)
{
    int ends[2];
    if (!isatty(STDOUT_FILENO) || asks_else(argc, argv) || pipe(ends))
        return;
    fflush(NULL);
    painter = fork();
    if (!painter) {
        close(ends[1]);
        run_painter(ends[0], choose_pager());
    }
    close(ends[0]);
    if (painter > 0)
        dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
}

int terminal_end(int status)
{
    if (painter <= 0)
        return status;
    fflush(stdout);
    close(STDOUT_FILENO);
    while (waitpid(painter, NULL, 0) < 0)
        ;
    painter = 0;
    return status;
}
