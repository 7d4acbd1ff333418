/* SPDX-License-Identifier: MIT
 *
 * bench_decode [--short] [FILE.pb.gz]: how fast a large profile is read. Beside it the limit, which
 * is inflating alone (libdeflate), and the real pprof on the same file (`pprof -raw`, which reads
 * and prints it; $PPROF names another command). Rounds are interleaved. The table has medians: wall
 * time and CPU time, MB/s of inflated bytes by wall time, and wall time ÷ that of inflating.
 * Without FILE a profile is made up: 400,000 samples (--short: 50,000) of 30 to 60 frames each. */
#include "base/gzip.h"
#include "large_profile.h"
#include "profile/profile.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5 };

struct input {
    char path[512];
    struct arena arena;
    struct buf gz;       /* the file's bytes */
    struct buf inflated; /* what is in it */
};

struct cost {
    double wall, cpu;
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_decode: %s\n", what);
    exit(1);
}

static void load(struct input *in)
{
    struct err e;
    void *out;
    arena_init(&in->arena);
    buf_init(&in->gz, &in->arena);
    buf_init(&in->inflated, &in->arena);
    FILE *f = fopen(in->path, "rb");
    if (!f)
        die("the profile cannot be opened");
    for (size_t n = 1; n > 0; in->gz.len += n)
        n = fread(buf_reserve(&in->gz, 1 << 20), 1, 1 << 20, f);
    fclose(f);
    if (gzip_inflate(&in->arena, in->gz.data, in->gz.len, &out, &in->inflated.len, &e) != 0)
        die(e.msg);
    in->inflated.data = out;
}

/* ---- what is measured ---- */

static void inflate_only(struct input *in)
{
    struct arena a;
    struct err e;
    void *out;
    size_t size;
    arena_init(&a);
    if (gzip_inflate(&a, in->gz.data, in->gz.len, &out, &size, &e) != 0)
        die(e.msg);
    arena_free(&a);
}

static void decode_only(struct input *in)
{
    struct profile p;
    struct err e;
    if (profile_decode(&p, in->inflated.data, in->inflated.len, true, &e) != 0)
        die(e.msg);
    profile_free(&p);
}

static void read_file(struct input *in)
{
    struct profile p;
    struct err e;
    if (profile_read_file(&p, in->path, &e) != 0)
        die(e.msg);
    profile_free(&p);
}

static void pprof_raw(struct input *in)
{
    extern char **environ;
    const char *pprof = getenv("PPROF");
    char *argv[] = {(char *)(uintptr_t)(pprof ? pprof : "pprof"), (char[]){"-raw"},
                    (char[]){"-symbolize=none"}, in->path, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
        die("pprof cannot be started");
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("pprof failed");
    posix_spawn_file_actions_destroy(&actions);
}

static const struct row {
    const char *name;
    void (*run)(struct input *);
} rows[] = {
    {"inflate (libdeflate)", inflate_only},
    {"decode", decode_only},
    {"read the file", read_file},
    {"pprof -raw", pprof_raw},
};

enum { ROWS = sizeof rows / sizeof *rows };

static double children_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static struct cost measure(const struct row *row, struct input *in)
{
    double wall = seconds(CLOCK_MONOTONIC);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) + children_cpu();
    row->run(in);
    return (struct cost){seconds(CLOCK_MONOTONIC) - wall,
                         seconds(CLOCK_PROCESS_CPUTIME_ID) + children_cpu() - cpu};
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void print_table(double wall[ROWS][ROUNDS], double cpu[ROWS][ROUNDS], int count, int rounds,
                        const struct input *in)
{
    double mb = (double)in->inflated.len * 1e-6, base = median(wall[0], rounds);
    printf("%.1f MB, %.1f MB inflated; medians of %d rounds\n\n", (double)in->gz.len * 1e-6, mb,
           rounds);
    printf("| what | wall s | CPU s | MB/s | ÷ inflate |\n|---|---|---|---|---|\n");
    for (int r = 0; r < count; r++) {
        double w = median(wall[r], rounds);
        printf("| %s | %.3f | %.3f | %.0f | %.2f |\n", rows[r].name, w, median(cpu[r], rounds),
               mb / w, w / base);
    }
}

int main(int argc, char **argv)
{
    bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
    const char *file = argc > 1 + is_short ? argv[1 + is_short] : NULL;
    static double wall[ROWS][ROUNDS], cpu[ROWS][ROUNDS];
    int rounds = is_short ? 2 : ROUNDS, count = ROWS;
    char dir[] = "/tmp/strobe-bench-XXXXXX";
    struct input in = {0};
    if (!file && !mkdtemp(dir))
        die("no temporary folder");
    snprintf(in.path, sizeof in.path, "%s%s", file ? file : dir, file ? "" : "/large.pb.gz");
    if (!file)
        large_profile_write(in.path,
                            &(struct large_profile){is_short ? 50000 : 400000, 200000, 50000});
    load(&in);
    if (!getenv("PPROF") && system("command -v pprof >/dev/null") != 0)
        count--; /* no peer here */
    for (int i = 0; i < rounds; i++) {
        for (int r = 0; r < count; r++) {
            struct cost c = measure(&rows[r], &in);
            wall[r][i] = c.wall;
            cpu[r][i] = c.cpu;
        }
    }
    print_table(wall, cpu, count, rounds, &in);
    arena_free(&in.arena);
    if (!file) {
        large_profile_remove(in.path);
        rmdir(dir);
    }
    return 0;
}
