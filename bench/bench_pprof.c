/* SPDX-License-Identifier: MIT
 *
 * bench_pprof [--short] [FILE.pb.gz]: what reports on a large profile cost, beside the real pprof's
 * on the same file ($PPROF names another command). A report is one row of the table below. Runs
 * stand one after the other (ours, theirs, ours …); figures are medians: CPU time of all threads,
 * peak memory, and the wall time until the first byte of output; for the page until all of it and
 * its data are there. Ratios are theirs ÷ ours. Without FILE a profile is made up: 50,000 samples
 * (--short: 5,000) of 30 to 60 frames each, so that all of it takes minutes; what takes pprof
 * longer than in proportion shows with a larger FILE only. */
#include "large_profile.h"
#include "page_get.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 3, FILES_MAX = 10, WORDS_MAX = 8 };

static const struct row {
    const char *name;
    const char *words[WORDS_MAX]; /* the command line after "pprof" */
    int files;                    /* how often the file is given */
    bool page;                    /* served, and fetched */
} rows[] = {
    {"top", {"-top"}, 1, false},
    {"tree", {"-tree"}, 1, false},
    {"peek, one in a hundred", {"-peek=77$"}, 1, false},
    {"list, one in a hundred", {"-list=77$"}, 1, false},
    {"traces", {"-traces"}, 1, false},
    {"raw", {"-raw"}, 1, false},
    {"tags", {"-tags"}, 1, false},
    {"dot", {"-dot"}, 1, false},
    {"proto", {"-proto"}, 1, false},
    {"proto, merge of ten", {"-proto"}, FILES_MAX, false},
    {"top, less itself", {"-top", "-base"}, 2, false},
    {"flame graph, page and data", {"-no_browser"}, 1, true},
};

enum { ROWS = sizeof rows / sizeof *rows };

struct cost {
    double cpu, wall, first; /* seconds */
    double mib;
};

struct tool {
    const char *argv[2]; /* the second may be NULL */
    const char *name;
    const char *paths[3]; /* what the flame graph's page is made of; NULL behind the last */
};

extern char **environ;

static void die(const char *what)
{
    fprintf(stderr, "bench_pprof: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* `listen` is an option's text for a page, or NULL. */
static pid_t start(const struct tool *tool, const struct row *row, const char *file,
                   const char *listen, int *output)
{
    const char *argv[WORDS_MAX + FILES_MAX + 5];
    int n = 0, pipes[2];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    for (int i = 0; i < 2 && tool->argv[i]; i++)
        argv[n++] = tool->argv[i];
    argv[n++] = "-symbolize=none";
    if (listen)
        argv[n++] = listen;
    for (int i = 0; row->words[i]; i++)
        argv[n++] = row->words[i];
    for (int i = 0; i < row->files; i++)
        argv[n++] = file;
    argv[n] = NULL;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        die("no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ) != 0)
        die("the command cannot be started");
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    *output = pipes[0];
    return pid;
}

/* Fetches the page once, and what it asks for. The server is ended afterwards. */
static void fetch_page(const struct tool *tool, pid_t pid, uint16_t port)
{
    bool there = page_wait(port);
    for (int i = 0; there && tool->paths[i]; i++)
        there = page_get(port, tool->paths[i]) > 0;
    kill(pid, SIGKILL);
    if (!there)
        die("the page cannot be fetched");
}

static struct cost measure(const struct tool *tool, const struct row *row, const char *file)
{
    static char bytes[1 << 16];
    char listen[64];
    struct cost c = {0};
    struct rusage u;
    int output, status;
    uint16_t port = row->page ? page_free_port() : 0;
    snprintf(listen, sizeof listen, "-http=localhost:%u", port);
    double begin = now();
    pid_t pid = start(tool, row, file, row->page ? listen : NULL, &output);
    if (row->page) {
        fetch_page(tool, pid, port);
        c.first = now() - begin;
    }
    while (!row->page && read(output, bytes, sizeof bytes) > 0)
        if (c.first == 0)
            c.first = now() - begin;
    close(output);
    if (wait4(pid, &status, 0, &u) != pid || (status != 0 && !row->page)) {
        fprintf(stderr, "bench_pprof: %s failed at %s\n", tool->name, row->name);
        exit(1);
    }
    c.wall = now() - begin;
    c.cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
            (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
    c.mib = (double)u.ru_maxrss / 1024;
    return c;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of one field of all rounds. */
static double median(const struct cost *costs, int rounds, size_t field)
{
    double v[ROUNDS];
    for (int i = 0; i < rounds; i++)
        memcpy(&v[i], (const char *)&costs[i] + field, sizeof v[i]);
    qsort(v, (size_t)rounds, sizeof *v, compare);
    return rounds % 2 ? v[rounds / 2] : (v[rounds / 2 - 1] + v[rounds / 2]) / 2;
}

#define MEDIAN(costs, field) median(costs, rounds, offsetof(struct cost, field))

static void print_row(const struct row *row, const struct cost *ours, const struct cost *theirs,
                      int rounds)
{
    printf("| %s | %.3f | %.0f | %.0f |", row->name, MEDIAN(ours, cpu), MEDIAN(ours, mib),
           MEDIAN(ours, first) * 1e3);
    if (theirs)
        printf(" %.2f | %.0f | %.0f | **%.0f** | %.0f | **%.1f** |", MEDIAN(theirs, cpu),
               MEDIAN(theirs, mib), MEDIAN(theirs, first) * 1e3,
               MEDIAN(theirs, cpu) / MEDIAN(ours, cpu), MEDIAN(theirs, wall) / MEDIAN(ours, wall),
               MEDIAN(theirs, mib) / MEDIAN(ours, mib));
    printf("\n");
    fflush(stdout);
}

static void run(const struct tool *ours, const struct tool *theirs, const char *file, int rounds)
{
    printf("medians of %d rounds\n\n| report | CPU s | MiB | first byte ms |", rounds);
    printf(theirs ? " pprof: CPU s | MiB | first byte ms | × CPU | × wall | × memory |\n"
                    "|---|---|---|---|---|---|---|---|---|---|\n"
                  : "\n|---|---|---|---|\n");
    for (int r = 0; r < ROWS; r++) {
        struct cost mine[ROUNDS], peer[ROUNDS];
        for (int i = 0; i < rounds; i++) {
            mine[i] = measure(ours, &rows[r], file);
            if (theirs)
                peer[i] = measure(theirs, &rows[r], file);
        }
        print_row(&rows[r], mine, theirs ? peer : NULL, rounds);
    }
}

int main(int argc, char **argv)
{
    bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
    const char *file = argc > 1 + is_short ? argv[1 + is_short] : NULL;
    const char *pprof = getenv("PPROF");
    char strobe[4096], made[64] = "/tmp/strobe-bench-XXXXXX";
    ssize_t n = readlink("/proc/self/exe", strobe, sizeof strobe - 16);
    if (n < 0)
        die("no /proc/self/exe");
    strobe[n] = 0;
    strcat(dirname(strobe), "/../strobe"); /* build/bench/bench_pprof, build/strobe */
    struct tool ours = {{strobe, "pprof"}, "strobe", {"/ui/flamegraph", "/api/profile"}};
    struct tool theirs = {{pprof ? pprof : "pprof"}, "pprof", {"/ui/flamegraph"}};
    bool has_peer = pprof || system("command -v pprof >/dev/null") == 0;
    if (!file) {
        if (!mkdtemp(made))
            die("no temporary folder");
        strcat(made, "/p.pb.gz");
        uint32_t samples = is_short ? 5000 : 50000;
        large_profile_write(made, &(struct large_profile){samples, samples / 3, samples / 10});
    }
    setenv("PPROF_TMPDIR", "/tmp", 0);
    run(&ours, has_peer ? &theirs : NULL, file ? file : made, is_short ? 1 : ROUNDS);
    if (!file) {
        large_profile_remove(made);
        rmdir(dirname(made));
    }
    return 0;
}
