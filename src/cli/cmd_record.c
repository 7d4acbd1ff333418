/* SPDX-License-Identifier: MIT
 *
 * `strobe record`: runs a program and leaves its profile. Standard input and output, signals and
 * exit status are the program's; strobe itself speaks on stderr only, a progress line while it is a
 * terminal, and at the end one line that says how good the profile is, and the hottest functions.
 */
#include "base/limits.h"
#include "base/taskclock.h"
#include "cli/cmd.h"
#include "cli/refuse.h"
#include "profile/profile.h"
#include "record/record.h"
#include "record/target.h"
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
    "usage: strobe record [-e KINDS] [-o FILE] [-F HZ] [-q] [--push] [--no-kernel]\n"
    "                     [--debug-dir DIR] [--] PROGRAM [ARG...]\n"
    "       strobe record [-o FILE] [-F HZ] [-q] [--push] [--no-kernel]\n"
    "                     [--debug-dir DIR] [-d SECONDS] -p PID[,PID...]\n"
    "\n"
    "Runs a program and writes its profile, with names and lines, for `strobe top`,\n"
    "`strobe web` and any other reader of pprof's format. Programs that it starts are recorded\n"
    "as well, with the labels pid and exe. Static and Go programs, and with -p processes that\n"
    "run already, are sampled from outside, by perf_event.\n"
    "\n"
    "   -e KINDS     what to record: cpu (default), heap, allocs, block, mutex, threads (or\n"
    "                goroutine: the stacks of all threads when a process ends, by itself or\n"
    "                by a signal but SIGKILL), threadcreate (who made threads), wall (all\n"
    "                threads' time, running or waiting); several with commas, into a file\n"
    "                each\n"
    "   -o FILE      where the profile goes; %p in it becomes the process id, %e the program's\n"
    "                name, %k the kind (default %e.%p.%k.pb.gz)\n"
    "   -F HZ        samples a second of CPU time, 1 to 10000 (default $STROBE_HZ or 100)\n"
    "   --heap-rate BYTES  allocated to a sample of the heap (default $STROBE_HEAP_RATE or\n"
    "                524288; 1 is every allocation)\n"
    "   --block-rate NS  of waiting to a sample of block (default $STROBE_BLOCK_RATE or 10000;\n"
    "                1 is every wait)\n"
    "   --mutex-fraction N  one in so many contentions for mutex (default\n"
    "                $STROBE_MUTEX_FRACTION or 100; 1 is every contention)\n"
    "   --block WHAT  waits that block has: sync (default $STROBE_BLOCK or sync), io (system\n"
    "                calls), or both with a comma\n"
    "   --peak       what is in use in the heap's profile is that of the peak, not of the end\n"
    "   -p PID,...   sample these processes, their threads and descendants, until they end,\n"
    "                or Ctrl-C, which ends the sampling only\n"
    "   -d SECONDS   with -p: for so long (also --seconds)\n"
    "   --debug-dir DIR[:DIR...]\n"
    "                look for debug files there before /usr/lib/debug (default\n"
    "                $STROBE_DEBUG_DIR)\n"
    "   --no-kernel  from outside: leave the kernel's frames out\n"
    "   -q           print nothing but errors\n"
    "   --push       send it to the server as well, as `strobe push` does\n";

enum { TICK_MS = 100, PROGRESS_AFTER_MS = 1000 };

/* What a profile is of, and how its summary shows it. */
static const struct kind {
    const char *name;
    enum shm_kind records;
    const char *type, *unit;
} kinds[] = {
    {"cpu", SHM_KIND_CPU, "cpu", "nanoseconds"},
    {"heap", SHM_KIND_HEAP, "inuse_space", "bytes"},
    {"allocs", SHM_KIND_HEAP, "alloc_space", "bytes"},
    {"block", SHM_KIND_BLOCK, "delay", "nanoseconds"},
    {"mutex", SHM_KIND_MUTEX, "delay", "nanoseconds"},
    {"threads", SHM_KIND_THREADS, "goroutine", "count"},
    {"goroutine", SHM_KIND_THREADS, "goroutine", "count"},
    {"wall", SHM_KIND_WALL, "wall", "nanoseconds"},
    {"threadcreate", SHM_KIND_THREADCREATE, "threadcreate", "count"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct args {
    const char *out;
    bool kinds[KINDS];
    uint64_t heap_rate, block_rate, mutex_fraction;
    uint32_t block_what;
    bool peak;
    int hz;
    enum shm_backend backend;
    uint64_t seed;
    int max_cost_ppm;
    bool quiet, push, no_kernel;
    double seconds;
    const char *debug_dirs;
    pid_t pids[LIMIT_TARGETS_ATTACHED];
    uint32_t pid_count;
    char **argv;
};

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

static bool parse_number(const char *text, uint64_t max, uint64_t *rate)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n < 1 || n > max)
        return false;
    *rate = n;
    return true;
}

static bool parse_heap_rate(const char *text, uint64_t *rate)
{
    return parse_number(text, 1ull << 40, rate);
}

static bool parse_mutex_fraction(const char *text, uint64_t *fraction)
{
    return parse_number(text, 1u << 30, fraction);
}

/* "sync,io". */
static bool parse_block_what(const char *text, uint32_t *what)
{
    *what = 0;
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        if (n == 4 && !strncmp(at, "sync", n))
            *what |= WAITTAB_SYNC;
        else if (n == 2 && !strncmp(at, "io", n))
            *what |= WAITTAB_IO;
        else
            return false;
        at += n;
        if (!*at)
            return true;
    }
}

/* What STROBE_* in the environment sets; flags come later and win. */
static int read_environment(struct args *a)
{
    const char *v = getenv("STROBE_HZ");
    if (v && *v && !parse_hz(v, &a->hz))
        return cli_refuse("record", "STROBE_HZ=%s is not a rate from 1 to 10000 Hz", v);
    v = getenv("STROBE_HEAP_RATE");
    if (v && *v && !parse_heap_rate(v, &a->heap_rate))
        return cli_refuse("record", "STROBE_HEAP_RATE=%s is not a number of bytes from 1", v);
    v = getenv("STROBE_BLOCK_RATE");
    if (v && *v && !parse_heap_rate(v, &a->block_rate))
        return cli_refuse("record", "STROBE_BLOCK_RATE=%s is not a number of nanoseconds from 1",
                          v);
    v = getenv("STROBE_MUTEX_FRACTION");
    if (v && *v && !parse_mutex_fraction(v, &a->mutex_fraction))
        return cli_refuse("record", "STROBE_MUTEX_FRACTION=%s is not a number from 1", v);
    v = getenv("STROBE_BLOCK");
    if (v && *v && !parse_block_what(v, &a->block_what))
        return cli_refuse("record", "STROBE_BLOCK=%s is not one of sync, io, or both with a comma",
                          v);
    v = getenv("STROBE_BACKEND");
    int backend = v && *v ? taskclock_backend_parse(v) : 0;
    if (backend < 0)
        return cli_refuse(
            "record", "STROBE_BACKEND=%s is not one of auto, sigtrap, signal, timer, itimer", v);
    a->backend = (enum shm_backend)backend;
    v = getenv("STROBE_MAX_COST");
    a->max_cost_ppm = v && *v ? taskclock_cost_parse(v) : LIMIT_COST_PPM_DEFAULT;
    if (a->max_cost_ppm < 0)
        return cli_refuse("record", "STROBE_MAX_COST=%s is not a percentage from 0 to 100", v);
    v = getenv("STROBE_SEED");
    a->seed = v ? strtoull(v, NULL, 10) : 0;
    return 0;
}

/* The value of an option that may stand in the same word ("-F99") or the next. */
static const char *value_of(int argc, char **argv, int *i)
{
    if (argv[*i][1] == '-') {
        const char *equals = strchr(argv[*i], '=');
        if (equals)
            return equals + 1;
    } else if (argv[*i][2]) {
        return argv[*i] + 2 + (argv[*i][2] == '=');
    }
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static int set_hz(struct args *a, const char *value)
{
    return parse_hz(value, &a->hz)
               ? 0
               : cli_refuse("record", "-F %s: the rate is a number from 1 to 10000 Hz", value);
}

static int set_out(struct args *a, const char *value)
{
    a->out = value;
    return 0;
}

static int set_debug_dirs(struct args *a, const char *value)
{
    a->debug_dirs = value;
    return 0;
}

/* "cpu,heap". */
static int set_kinds(struct args *a, const char *value)
{
    memset(a->kinds, 0, sizeof a->kinds);
    for (const char *at = value;; at++) {
        size_t n = strcspn(at, ","), i = 0;
        while (i < KINDS && (strlen(kinds[i].name) != n || strncmp(kinds[i].name, at, n) != 0))
            i++;
        if (i == KINDS)
            return cli_refuse(
                "record",
                "-e %s: the kinds are cpu, heap, allocs, block, mutex, threads, threadcreate and "
                "wall, with commas between them",
                value);
        a->kinds[i] = true;
        at += n;
        if (!*at)
            return 0;
    }
}

static int set_heap_rate(struct args *a, const char *value)
{
    return parse_heap_rate(value, &a->heap_rate)
               ? 0
               : cli_refuse("record", "--heap-rate %s is not a number of bytes from 1", value);
}

static int set_block_rate(struct args *a, const char *value)
{
    return parse_heap_rate(value, &a->block_rate)
               ? 0
               : cli_refuse("record", "--block-rate %s is not a number of nanoseconds from 1",
                            value);
}

static int set_mutex_fraction(struct args *a, const char *value)
{
    return parse_mutex_fraction(value, &a->mutex_fraction)
               ? 0
               : cli_refuse("record", "--mutex-fraction %s is not a number from 1", value);
}

static int set_block_what(struct args *a, const char *value)
{
    return parse_block_what(value, &a->block_what)
               ? 0
               : cli_refuse("record", "--block %s is not one of sync, io, or both with a comma",
                            value);
}

static int set_seconds(struct args *a, const char *value)
{
    char *end;
    a->seconds = strtod(value, &end);
    if (end > value && !strcmp(end, "s"))
        end++;
    if (end == value || *end || !(a->seconds > 0 && a->seconds < 1e9))
        return cli_refuse("record", "-d %s: the time is a number of seconds above 0", value);
    return 0;
}

static int add_pids(struct args *a, const char *value)
{
    const char *at = value;
    for (;; at++) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || pid <= 0 || pid > INT_MAX)
            return cli_refuse("record", "-p %s: process ids are numbers, with commas between them",
                              value);
        if (a->pid_count == LIMIT_TARGETS_ATTACHED)
            return cli_refuse("record", "-p %s: these are too many processes", value);
        bool again = false;
        for (uint32_t i = 0; i < a->pid_count; i++)
            again |= a->pids[i] == pid;
        if (!again)
            a->pids[a->pid_count++] = (pid_t)pid;
        at = end;
        if (!*at)
            return 0;
    }
}

static const struct option {
    const char *name;
    int (*set)(struct args *a, const char *value);
} options[] = {{"-o", set_out},
               {"-e", set_kinds},
               {"--heap-rate", set_heap_rate},
               {"--block-rate", set_block_rate},
               {"--mutex-fraction", set_mutex_fraction},
               {"--block", set_block_what},
               {"-F", set_hz},
               {"-p", add_pids},
               {"--pid", add_pids},
               {"--debug-dir", set_debug_dirs},
               {"--seconds", set_seconds},
               {"-d", set_seconds}};

/* The option in this word; one of two letters may have its value behind it. */
static const struct option *find_option(const char *word)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        size_t n = strlen(options[i].name);
        if (!strncmp(word, options[i].name, n) && (n == 2 || !word[n] || word[n] == '='))
            return &options[i];
    }
    return NULL;
}

static bool *find_switch(struct args *a, const char *word)
{
    return !strcmp(word, "-q")            ? &a->quiet
           : !strcmp(word, "--push")      ? &a->push
           : !strcmp(word, "--no-kernel") ? &a->no_kernel
           : !strcmp(word, "--peak")      ? &a->peak
                                          : NULL;
}

/* 0, or the exit status plus 1. */
static int check_args(const struct args *a)
{
    if (!a->argv[0] && !a->pid_count)
        return cli_refuse("record", "%s: a program to run, or -p", "there is no command") + 1;
    if (a->argv[0] && a->pid_count)
        return cli_refuse("record",
                          "%s: processes that run are recorded (-p), or a program is started",
                          a->argv[0]) +
               1;
    size_t count = 0;
    for (size_t i = 0; i < KINDS; i++)
        count += a->kinds[i];
    if (count > 1 && !strstr(a->out, "%k"))
        return cli_refuse(
                   "record",
                   "-o %s: several kinds go into a file each: %%k in the name becomes the kind",
                   a->out) +
               1;
    if (a->pid_count && (count > 1 || !a->kinds[0]))
        return cli_refuse("record",
                          "-p: of processes that run already only the CPU profile can be had") +
               1;
    if (a->seconds > 0 && !a->pid_count)
        return cli_refuse("record", "%s is for processes that run already (-p)", "-d") + 1;
    return 0;
}

/* 0, or the exit status plus 1. */
static int parse_args(struct args *a, int argc, char **argv)
{
    *a = (struct args){.out = "%e.%p.%k.pb.gz",
                       .kinds = {true},
                       .heap_rate = LIMIT_HEAP_RATE_DEFAULT,
                       .block_rate = LIMIT_BLOCK_RATE_DEFAULT,
                       .mutex_fraction = LIMIT_MUTEX_FRACTION_DEFAULT,
                       .block_what = WAITTAB_SYNC,
                       .hz = LIMIT_HZ_DEFAULT};
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
        bool *on = find_switch(a, arg);
        const struct option *o = on ? NULL : find_option(arg);
        if (on) {
            *on = true;
            continue;
        }
        if (!o)
            return cli_refuse_option("record", arg, usage) + 1;
        value = value_of(argc, argv, &i);
        if (!value || !*value)
            return cli_refuse("record", "option '%s' needs a value", arg) + 1;
        r = o->set(a, value);
        if (r)
            return r + 1;
    }
    a->argv = argv + i;
    return check_args(a);
}

/* ---- the output file ---- */

/* What the program is called, without its folder and without what the kernel adds to it. */
static const char *program_name(const struct args *a)
{
    static char name[PATH_MAX];
    char path[64];
    if (!a->pid_count) {
        const char *slash = strrchr(a->argv[0], '/');
        return slash ? slash + 1 : a->argv[0];
    }
    if (name[0]) /* the process may have ended meanwhile */
        return name;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)a->pids[0]);
    ssize_t n = readlink(path, name, sizeof name - 1);
    if (n <= 0)
        return "process";
    name[n] = 0;
    char *deleted = strstr(name, " (deleted)"), *slash = strrchr(name, '/');
    if (deleted)
        *deleted = 0;
    if (slash)
        memmove(name, slash + 1, strlen(slash + 1) + 1);
    return name;
}

static int expand(char *out, size_t size, const struct args *a, pid_t pid, const char *kind)
{
    const char *exe = program_name(a);
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
            add = *p == 'e' ? exe : *p == 'k' ? kind : one;
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
static int check_output(const struct args *a, const char *kind, struct err *e)
{
    char path[PATH_MAX], probe[PATH_MAX + 16];
    struct stat st;
    if (!strcmp(a->out, "-"))
        return err_set(e, -EINVAL, "-o -: standard output is the program's; name a file");
    if (expand(path, sizeof path, a, 0, kind) < 0)
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

static void show_fetching(void *ctx, const char *name, uint64_t done, uint64_t total)
{
    if (total)
        fprintf(stderr, "\r\033[Kstrobe: fetching debug information of %s, %.1f of %.1f MB", name,
                (double)done / 1e6, (double)total / 1e6);
    else
        fputs("\r\033[K", stderr);
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
            (unsigned long long)x->points, r->options.hz, r->method,
            (unsigned long long)x->lost_points, (unsigned long long)x->truncated_points);
    if (r->why_outside)
        fprintf(stderr, "strobe: sampled from outside (%s)%s\n", r->why_outside,
                r->exclude_kernel ? ", without the kernel's frames" : "");
    if (r->why_outside && r->exclude_kernel && !r->options.no_kernel)
        fprintf(stderr,
                "strobe: the kernel's frames are for who may see them: sudo sysctl "
                "kernel.perf_event_paranoid=1, or sudo setcap cap_perfmon=ep with the path of "
                "strobe\n");
    if (x->followed)
        fprintf(stderr, "strobe: %u static or Go processes among them were sampled from outside\n",
                x->followed);
    if (x->unrecorded)
        fprintf(stderr,
                "strobe: %u processes could not be recorded: statically linked, set-user-id, of "
                "another architecture, or started as another user; they used %.2f s of CPU time "
                "at most\n",
                x->unrecorded, (double)x->unrecorded_ns / 1e9);
    if (x->unrecorded && x->why_not_followed[0])
        fprintf(stderr, "strobe: they could not be sampled from outside either: %s\n",
                x->why_not_followed);
    if (x->threads_lost)
        fprintf(stderr, "strobe: %llu threads could not be sampled: too many at once\n",
                (unsigned long long)x->threads_lost);
    if (x->slowed)
        fprintf(stderr,
                "strobe: the rate was lowered to %.4g Hz in %u processes, because sampling cost "
                "more than %.4g %% of their CPU time; STROBE_MAX_COST allows more\n",
                (double)r->options.hz / x->stride, x->slowed, r->options.max_cost_ppm / 1e4);
    if (x->sandboxed)
        fprintf(stderr,
                "strobe: %u processes forbade sampling with a seccomp filter; their time from then "
                "on is [sandboxed, not sampled]\n",
                x->sandboxed);
    if (x->still_running)
        fprintf(stderr, "strobe: %u processes were still running; their samples end here\n",
                x->still_running);
    if (x->why_not_fetched[0])
        fprintf(stderr, "strobe: debug files could not be fetched: %s\n", x->why_not_fetched);
    if (!x->points)
        fprintf(stderr,
                "strobe: no samples: the program used less CPU than one period of %.1f ms; "
                "a higher rate (-F) sees more\n",
                (double)r->period_ns / 1e6);
}

/* Threads, or what made them. */
static void summarize_counts(const struct recorder *r, const struct kind *k,
                             const struct profile *p, const char *path)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < p->sample_count; i++)
        n += p->values[i];
    fprintf(stderr, "strobe: %s: %lld threads %s\n", path, (long long)n,
            k->records == SHM_KIND_THREADS ? "when their processes ended" : "were made");
    if (!n && k->records == SHM_KIND_THREADS && WIFSIGNALED(r->result.wait_status))
        fprintf(stderr,
                "strobe: the program was killed by signal %d before it could be looked at\n",
                WTERMSIG(r->result.wait_status));
}

static void summarize_wall(const struct recorder *r, const char *path)
{
    const struct record_result *x = &r->result;
    fprintf(stderr, "strobe: %s: %.2f s of all threads in %.2f s, at %d Hz, %.3f s lost\n", path,
            (double)x->wall_ns / 1e9, (double)x->elapsed_ns / 1e9, r->options.hz,
            (double)x->wall_lost_ns / 1e9);
    if (x->wall_stride > 1)
        fprintf(stderr,
                "strobe: each thread was looked at once in up to %u periods: more would have cost "
                "more than %.4g %% of a processor; STROBE_MAX_COST allows more\n",
                x->wall_stride, r->options.max_cost_ppm / 1e4);
    if (x->wall_blind)
        fprintf(stderr,
                "strobe: the threads of %u processes could not be looked at, or not where they "
                "were blocked\n",
                x->wall_blind);
    if (x->unrecorded)
        fprintf(stderr, "strobe: %u processes could not be recorded\n", x->unrecorded);
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
static int push(const struct profile *p, const struct args *a, const char *kind, struct err *e)
{
    struct arena arena = {0};
    struct buf bytes;
    buf_init(&bytes, &arena);
    int err = profile_encode_gzip(p, &bytes, e);
    struct client_push c = {
        .service_name = program_name(a), .kind = kind, .bytes = bytes.data, .size = bytes.len};
    if (err == 0)
        err = client_push(&c, e);
    if (err >= 0 && !a->quiet)
        fprintf(stderr, "strobe: pushed to %s as %s{service_name=\"%s\"}\n", client_server(NULL),
                kind, c.service_name);
    arena_free(&arena);
    return err < 0 ? err : 0;
}

/* A profile, and what is to be said of it. */
struct made {
    struct profile p;
    struct record_heap_result heap;
    struct record_wait_result waits;
};

static int make(struct recorder *r, const struct args *a, const struct kind *k, struct made *m,
                struct err *e)
{
    struct record_heap how = {.peak = a->peak, .allocs = !strcmp(k->name, "allocs")};
    switch (k->records) {
    case SHM_KIND_CPU: return record_finish(r, &m->p, e);
    case SHM_KIND_HEAP: return record_finish_heap(r, &how, &m->p, &m->heap, e);
    case SHM_KIND_BLOCK: return record_finish_waits(r, WAITTAB_BLOCK, &m->p, &m->waits, e);
    case SHM_KIND_MUTEX: return record_finish_waits(r, WAITTAB_MUTEX, &m->p, &m->waits, e);
    case SHM_KIND_WALL: return record_finish_wall(r, &m->p, e);
    default: return record_finish_counts(r, k->records, &m->p, e);
    }
}

static void show(const struct recorder *r, const struct args *a, const struct kind *k,
                 struct made *m, const char *path)
{
    switch (k->records) {
    case SHM_KIND_CPU: summarize(r, path); break;
    case SHM_KIND_HEAP: cmd_record_print_heap(&m->heap, path, a->heap_rate); break;
    case SHM_KIND_BLOCK: cmd_record_print_waits(&m->waits, path, k->name, a->block_rate); break;
    case SHM_KIND_MUTEX: cmd_record_print_waits(&m->waits, path, k->name, a->mutex_fraction); break;
    case SHM_KIND_WALL: summarize_wall(r, path); break;
    default: summarize_counts(r, k, &m->p, path);
    }
}

static int finish_kind(struct recorder *r, const struct args *a, const struct kind *k,
                       struct err *e)
{
    char path[PATH_MAX];
    struct made m;
    expand(path, sizeof path, a, r->pid, k->name);
    int err = make(r, a, k, &m, e);
    if (err == 0)
        err = profile_write_file(&m.p, path, e);
    if (err == 0 && !a->quiet)
        show(r, a, k, &m, path);
    int push_err = err == 0 && a->push ? push(&m.p, a, k->name, e) : 0;
    if (err == 0 && !a->quiet) {
        cmd_record_print_top(&m.p, k->type, k->unit);
        if (m.p.sample_count)
            fprintf(stderr, "strobe: all of it: strobe web %s\n", path);
    }
    profile_free(&m.p);
    return err ? err : push_err;
}

static int finish(struct recorder *r, const struct args *a, struct err *e)
{
    int first = 0, count = 0;
    for (size_t i = 0; i < KINDS; i++) {
        int err = a->kinds[i] ? finish_kind(r, a, &kinds[i], e) : 0;
        first = first ? first : err;
        count += a->kinds[i];
    }
    if (a->kinds[0] && count > 1 && !a->quiet)
        fputs("strobe: the CPU profile has the other kinds' cost in it: for exact shares take one "
              "at a time\n",
              stderr);
    return first;
}

static int shell_status(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return 128 + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}

int cmd_record(int argc, char **argv)
{
    static struct args a;
    struct err e = {0};
    struct recorder r;
    int status = parse_args(&a, argc, argv);
    if (status)
        return status - 1;
    uint32_t asked = a.pid_count;
    if (asked)
        a.pid_count = target_add_descendants(a.pids, asked, LIMIT_TARGETS_ATTACHED);
    struct record_options o = {.argv = a.argv,
                               .heap_rate = a.heap_rate,
                               .block_rate = a.block_rate,
                               .mutex_fraction = (uint32_t)a.mutex_fraction,
                               .block_what = a.block_what,
                               .hz = a.hz,
                               .backend = a.backend,
                               .seed = a.seed,
                               .max_cost_ppm = (uint32_t)a.max_cost_ppm,
                               .pids = a.pids,
                               .pid_count = a.pid_count,
                               .pids_asked = asked,
                               .seconds = a.seconds,
                               .no_kernel = a.no_kernel,
                               .debug_dirs = a.debug_dirs};
    if (!a.quiet && isatty(STDERR_FILENO))
        o.fetching = show_fetching;
    int err = 0;
    uint32_t recorded = 0;
    for (size_t i = 0; i < KINDS && err == 0; i++)
        if (a.kinds[i]) {
            recorded |= kinds[i].records;
            err = check_output(&a, kinds[i].name, &e);
        }
    if (err < 0) {
        fprintf(stderr, "strobe record: %s\n", e.msg);
        return 1;
    }
    o.kinds = recorded;
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
