/* SPDX-License-Identifier: MIT
 *
 * `strobe web`: profiles in the browser. Reads and merges the files, so that what is wrong with
 * them is said here and not by a page that cannot show them; then serves until it is interrupted.
 */
#include "analyze/refine.h"
#include "cli/cmd.h"
#include "profile/profile.h"
#include "web/viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char usage[] =
    "usage: strobe web [-http=HOST:PORT] [-no_browser] FILE...\n"
    "\n"
    "Shows where a program spends its time, as a flame graph and a table, in the browser.\n"
    "Several files are merged. Ends on Ctrl-C.\n"
    "\n"
    "   -http=HOST:PORT  listen there instead of on a free port; this machine's addresses only\n"
    "   -no_browser      only print the address\n";

struct web_args {
    const char *address;
    bool browser;
    char **files;
    int file_count;
};

/* Options may have one dash or two, as pprof's. Returns 0, or the exit status plus 1. */
static int parse_args(struct web_args *a, int argc, char **argv)
{
    *a = (struct web_args){.address = ":0", .browser = true, .files = argv};
    bool options = true;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!options || arg[0] != '-' || !arg[1]) {
            a->files[a->file_count++] = argv[i];
            continue;
        }
        const char *name = arg + 1 + (arg[1] == '-');
        if (!*name) {
            options = false;
        } else if (!strcmp(name, "h") || !strcmp(name, "help")) {
            fputs(usage, stdout);
            return 1;
        } else if (!strcmp(name, "no_browser")) {
            a->browser = false;
        } else if (!strncmp(name, "http=", 5)) {
            a->address = name + 5;
        } else if (!strcmp(name, "http") && i + 1 < argc) {
            a->address = argv[++i];
        } else {
            fprintf(stderr, "strobe web: there is no option '%s'\n\n%s", arg, usage);
            return 3;
        }
    }
    if (a->file_count)
        return 0;
    fprintf(stderr, "strobe web: no profile is given; make one with 'strobe record'\n\n%s", usage);
    return 3;
}

/* Reads all files into `out`. On error everything is freed. */
static int read_files(struct profile *out, const struct web_args *a, struct err *e)
{
    if (a->file_count == 1)
        return profile_read_file(out, a->files[0], e);
    size_t n = (size_t)a->file_count;
    struct profile *read = calloc(n, sizeof *read), **list = calloc(n, sizeof *list);
    int r = read && list ? 0 : err_set(e, -ENOMEM, "out of memory");
    size_t count = 0;
    while (!r && count < n) {
        list[count] = &read[count];
        r = profile_read_file(&read[count], a->files[count], e);
        count += !r;
    }
    if (!r)
        r = profile_merge(out, list, (uint32_t)n, e);
    for (size_t i = 0; i < count; i++)
        profile_free(&read[i]);
    free(list);
    free(read);
    return r;
}

/* "cpu.pb.gz", or "cpu.pb.gz and 2 more". */
static void make_title(char *title, size_t size, const struct web_args *a)
{
    const char *file = a->files[0], *slash = strrchr(file, '/');
    if (!strcmp(file, "-"))
        file = "standard input";
    else if (slash && slash[1])
        file = slash + 1;
    if (a->file_count == 1)
        snprintf(title, size, "%s", file);
    else
        snprintf(title, size, "%s and %d more", file, a->file_count - 1);
}

static bool has_variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v;
}

/* xdg-open hands the address to the user's browser and ends; what it prints is of no use here. */
static void open_browser(const char *url)
{
    if (!isatty(STDOUT_FILENO) || !(has_variable("DISPLAY") || has_variable("WAYLAND_DISPLAY")))
        return;
    char *argv[] = {(char *)"xdg-open", (char *)url, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0); /* Ctrl-C here must not end the browser */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid;
    posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
}

/* Threads of the server inherit the mask, so that the signals wait for sigwait here. */
static void block_ending_signals(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

int cmd_web(int argc, char **argv)
{
    struct web_args args;
    int r = parse_args(&args, argc, argv);
    if (r)
        return r - 1;
    struct err e = {0};
    struct profile profile;
    if (read_files(&profile, &args, &e)) {
        fprintf(stderr, "strobe web: %s\n", e.msg);
        return 2;
    }
    refine_drop_frames(&profile); /* as every report does: the numbers must be the same */
    char title[256];
    make_title(title, sizeof title, &args);
    sigset_t ending;
    block_ending_signals(&ending);
    struct viewer *viewer;
    if (viewer_start(&viewer, &profile, title, args.address, &e)) {
        fprintf(stderr, "strobe web: %s\n", e.msg);
        profile_free(&profile);
        return 2;
    }
    fprintf(stderr, "Serving web UI on %s\n", viewer_url(viewer));
    if (args.browser)
        open_browser(viewer_url(viewer));
    int signal_number;
    sigwait(&ending, &signal_number);
    viewer_stop(viewer);
    profile_free(&profile);
    return 0;
}
