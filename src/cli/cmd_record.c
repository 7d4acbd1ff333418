/* SPDX-License-Identifier: MIT
 *
 * `strobe record`: runs a program and leaves its profile. Standard input and output, signals and
 * exit status are the program's; strobe itself speaks on stderr only, a progress line while it is a
 * terminal, and at the end one line that says how good the profile is, and the hottest functions.
 */
#include "base/limits.h"
#include "base/taskclock.h"
#include "cli/cmd.h"
#include "profile/profile.h"
#include "record/record.h"
#include "server/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: strobe record [-o FILE] [-F HZ] [-q] [--push] [--] PROGRAM [ARG...]\n"
    "\n"
    "Runs a program and writes its CPU profile, with names and lines, for `strobe top`,\n"
    "`strobe web` and any other reader of pprof's format. Programs that it starts are recorded\n"
    "as well, with the labels pid and exe.\n"
    "\n"
    "   -o FILE  where the profile goes; %p in it becomes the process id, %e the program's name,\n"
    "            %k the kind (default %e.%p.%k.pb.gz)\n"
    "   -F HZ    samples a second of CPU time, 1 to 10000 (default $STROBE_HZ or 100)\n"
    "   -q       print nothing but errors\n"
    "   --push   send it to the server as well, as `strobe push` does\n";

enum { TICK_MS = 100, PROGRESS_AFTER_MS = 1000 };

struct args {
    const char *out;
    int hz;
    enum shm_backend backend;
    uint64_t seed;
    bool quiet, push;
    char **argv;
};

static int complain(const char *fmt, const char *what)
{
    fputs("strobe record: ", stderr);
    fprintf(stderr, fmt, what);
    fprintf(stderr, "\n\n%s", usage);
    return 2;
}

static bool parse_hz(const char *text, int *hz)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < LIMIT_HZ_MIN || n > LIMIT_HZ_MAX)
        return false;
    *hz = (int)n;
    return true;
}

/* What STROBE_* in the environment sets; flags come later and win. */
static int read_environment(struct args *a)
{
    const char *v = getenv("STROBE_HZ");
    if (v && *v && !parse_hz(v, &a->hz))
        return complain("STROBE_HZ=%s is not a rate from 1 to 10000 Hz", v);
    v = getenv("STROBE_BACKEND");
    int backend = v && *v ? taskclock_backend_parse(v) : 0;
    if (backend < 0)
        return complain("STROBE_BACKEND=%s is not one of auto, sigtrap, signal, timer", v);
    a->backend = (enum shm_backend)backend;
    v = getenv("STROBE_SEED");
    a->seed = v ? strtoull(v, NULL, 10) : 0;
    return 0;
}

/* The value of an option that may stand in the same word ("-F99") or the next. */
static const char *value_of(int argc, char **argv, int *i)
{
    if (argv[*i][2])
        return argv[*i] + 2 + (argv[*i][2] == '=');
    return *i + 1 < argc ? argv[++*i] : NULL;
}

/* 0, or the exit status plus 1. */
static int parse_args(struct args *a, int argc, char **argv)
{
    *a = (struct args){.out = "%e.%p.%k.pb.gz", .hz = LIMIT_HZ_DEFAULT};
    int i = 1, r = read_environment(a);
    if (r)
        return r + 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *arg = argv[i], *value = NULL;
        if (!strcmp(arg, "--")) {
            i++;
            break;
        }
        if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
            fputs(usage, stdout);
            return 1;
        }
        if (!strcmp(arg, "-q") || !strcmp(arg, "--push")) {
            *(arg[1] == 'q' ? &a->quiet : &a->push) = true;
            continue;
        }
        if (strncmp(arg, "-o", 2) && strncmp(arg, "-F", 2))
            return complain("there is no option '%s'", arg) + 1;
        value = value_of(argc, argv, &i);
        if (!value || !*value)
            return complain("option '%s' needs a value", arg) + 1;
        if (arg[1] == 'o')
            a->out = value;
        else if (!parse_hz(value, &a->hz))
            return complain("-F %s: the rate is a number from 1 to 10000 Hz", value) + 1;
    }
    a->argv = argv + i;
    if (i >= argc)
        return complain("%s: a program to run", "there is no command") + 1;
    return 0;
}

/* ---- the output file ---- */

static int expand(char *out, size_t size, const struct args *a, pid_t pid)
{
    const char *slash = strrchr(a->argv[0], '/'), *exe = slash ? slash + 1 : a->argv[0];
    size_t len = 0;
    for (const char *p = a->out; *p; p++) {
        char one[16] = {*p};
        const char *add = one;
        if (*p == '%' && p[1]) {
            p++;
            if (*p == 'p')
                snprintf(one, sizeof one, "%d", (int)pid);
            else
                one[0] = *p;
            add = *p == 'e' ? exe : *p == 'k' ? "cpu" : one;
        }
        size_t n = strlen(add);
        if (len + n >= size)
            return -ENAMETOOLONG;
        memcpy(out + len, add, n + 1);
        len += n;
    }
    return len ? 0 : -ENOENT;
}

/* Finds out before the program runs whether its profile can be written. */
static int check_output(const struct args *a, struct err *e)
{
    char path[PATH_MAX], probe[PATH_MAX + 16];
    struct stat st;
    if (!strcmp(a->out, "-"))
        return err_set(e, -EINVAL, "-o -: standard output is the program's; name a file");
    if (expand(path, sizeof path, a, 0) < 0)
        return err_set(e, -ENAMETOOLONG, "-o %s: not a usable name", a->out);
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return err_set(e, -EISDIR, "cannot write %s: it is a directory", path);
        if (!S_ISREG(st.st_mode))
            return 0;
        if (access(path, W_OK) != 0)
            return err_set(e, -errno, "cannot write %s: %s", path, strerror(errno));
    }
    snprintf(probe, sizeof probe, "%s.XXXXXX", path);
    int fd = mkstemp(probe);
    if (fd < 0)
        return err_set(e, -errno, "cannot write %s: %s", path, strerror(errno));
    close(fd);
    unlink(probe);
    return 0;
}

/* ---- what is said ---- */

static void show_progress(const struct recorder *r)
{
    const struct record_progress *p = &r->progress;
    fprintf(stderr, "\r\033[Kstrobe: recording %.1f s, %llu samples, %llu lost",
            (double)p->elapsed_ns / 1e9, (unsigned long long)p->samples,
            (unsigned long long)p->lost);
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void summarize(const struct recorder *r, const char *path)
{
    const struct record_result *x = &r->result;
    double cpu = seconds(&x->usage.ru_utime) + seconds(&x->usage.ru_stime);
    fprintf(stderr,
            "strobe: %s: %.2f s of %.2f s CPU in %.2f s, %llu samples at %d Hz (%s), %llu lost, "
            "%llu truncated\n",
            path, (double)x->points * (double)r->period_ns / 1e9, cpu, (double)x->elapsed_ns / 1e9,
            (unsigned long long)x->points, r->options.hz, taskclock_backend_name(r->shm->backend),
            (unsigned long long)x->lost_points, (unsigned long long)x->truncated_points);
    if (x->unrecorded)
        fprintf(stderr,
                "strobe: %u processes could not be recorded: statically linked, set-user-id, or "
                "not of this architecture\n",
                x->unrecorded);
    if (x->threads_lost)
        fprintf(stderr, "strobe: %llu threads could not be sampled: too many at once\n",
                (unsigned long long)x->threads_lost);
    if (x->still_running)
        fprintf(stderr, "strobe: %u processes were still running; their samples end here\n",
                x->still_running);
    if (!x->points)
        fprintf(stderr,
                "strobe: no samples: the program used less CPU than one period of %.1f ms; "
                "a higher rate (-F) sees more\n",
                (double)r->period_ns / 1e6);
}

/* ---- the verb ---- */

static int run(struct recorder *r, const struct args *a, struct err *e)
{
    bool progress = !a->quiet && isatty(STDERR_FILENO), shown = false;
    int err = record_start(r, e);
    if (err < 0)
        return err;
    while (record_wait(r, TICK_MS))
        if (progress && r->progress.elapsed_ns > PROGRESS_AFTER_MS * 1000000ull) {
            show_progress(r);
            shown = true;
        }
    if (shown)
        fputs("\r\033[K", stderr);
    return 0;
}

/* Sends the profile to the server under the program's name. */
static int push(const struct profile *p, const struct args *a, struct err *e)
{
    const char *slash = strrchr(a->argv[0], '/');
    struct arena arena = {0};
    struct buf bytes;
    buf_init(&bytes, &arena);
    int err = profile_encode_gzip(p, &bytes, e);
    struct client_push c = {.service_name = slash ? slash + 1 : a->argv[0],
                            .kind = "cpu",
                            .bytes = bytes.data,
                            .size = bytes.len};
    if (err == 0)
        err = client_push(&c, e);
    if (err >= 0 && !a->quiet)
        fprintf(stderr, "strobe: pushed to %s as cpu{service_name=\"%s\"}\n", client_server(NULL),
                c.service_name);
    arena_free(&arena);
    return err < 0 ? err : 0;
}

static int finish(struct recorder *r, const struct args *a, struct err *e)
{
    char path[PATH_MAX];
    struct profile p;
    expand(path, sizeof path, a, r->pid);
    int err = record_finish(r, &p, e);
    if (err == 0)
        err = profile_write_file(&p, path, e);
    if (err == 0 && !a->quiet)
        summarize(r, path);
    int push_err = err == 0 && a->push ? push(&p, a, e) : 0;
    if (err == 0 && !a->quiet) {
        cmd_record_print_top(&p);
        if (p.sample_count)
            fprintf(stderr, "strobe: all of it: strobe web %s\n", path);
    }
    profile_free(&p);
    return err ? err : push_err;
}

static int shell_status(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return 128 + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}

int cmd_record(int argc, char **argv)
{
    struct args a;
    struct err e = {0};
    struct recorder r;
    int status = parse_args(&a, argc, argv);
    if (status)
        return status - 1;
    struct record_options o = {.argv = a.argv, .hz = a.hz, .backend = a.backend, .seed = a.seed};
    int err = check_output(&a, &e);
    if (err < 0) {
        fprintf(stderr, "strobe record: %s\n", e.msg);
        return 1;
    }
    err = record_open(&r, &o, &e);
    if (err == 0)
        err = run(&r, &a, &e);
    if (err < 0) {
        fprintf(stderr, "strobe record: %s\n", e.msg);
        record_close(&r);
        return err == -ENOENT ? 127 : err == -EACCES || err == -ENOEXEC || err == -EPERM ? 126 : 1;
    }
    status = shell_status(r.result.wait_status);
    err = finish(&r, &a, &e);
    if (err < 0) {
        fprintf(stderr, "strobe record: %s\n", e.msg);
        status = status ? status : 1;
    }
    record_close(&r);
    return status;
}
