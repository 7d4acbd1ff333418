/* SPDX-License-Identifier: MIT
 *
 * `strobe suite show` and `compare`: what runs were kept, one of them in full (its graph over time
 * and its hottest functions), and two batches beside each other. */
#include "cli/cmd_suite.h"
#include "pprof/pprof.h"
#include "suite/results.h"
#include "suite/stats.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { GRAPH_WIDTH = 60 };

struct metric {
    const char *name, *unit;
    double scale; /* what a unit is in the values */
    double (*value)(const struct suite_kept *k);
};

static double cpu_per_round(const struct suite_kept *k)
{
    return k->rounds ? (double)k->cpu_ns / (double)k->rounds : NAN;
}

static double wall_per_round(const struct suite_kept *k)
{
    return k->rounds ? (double)k->wall_ns / (double)k->rounds : NAN;
}

static double peak(const struct suite_kept *k)
{
    return (double)k->peak_bytes;
}

/* By round, because a server's load goes on for a given time. */
static const struct metric metrics[] = {
    {"time/round", "ms", 1e6, wall_per_round},
    {"CPU/round", "ms", 1e6, cpu_per_round},
    {"memory", "MB", 1e6, peak},
};

/* ---- show ---- */

static void print_row(const struct suite_kept *k)
{
    printf("%-44s %-8s %7.2f s  CPU %7.2f s  %6.1f MB  %lld\n", k->id, k->status,
           (double)k->wall_ns / 1e9, (double)k->cpu_ns / 1e9, (double)k->peak_bytes / 1e6,
           (long long)k->rounds);
    if (*k->error)
        printf("    %s\n", k->error);
}

/* A line of bars, each the mean of the samples that fall into it. */
static void print_graph(const char *name, const double *values, uint32_t count, const char *unit)
{
    static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint32_t width = count < GRAPH_WIDTH ? count : GRAPH_WIDTH;
    double top = 0;
    for (uint32_t i = 0; i < count; i++)
        top = values[i] > top ? values[i] : top;
    printf("%-7s ", name);
    for (uint32_t x = 0; x < width; x++) {
        uint32_t from = x * count / width, to = (x + 1) * count / width;
        double sum = 0;
        for (uint32_t i = from; i < to; i++)
            sum += values[i];
        double share = top > 0 ? sum / (to - from) / top : 0;
        fputs(bars[(int)(share * 8 + 0.5)], stdout);
    }
    printf("  up to %.4g %s\n", top, unit);
}

static void print_use(const struct suite_kept *k, struct arena *a)
{
    double *cpu = arena_zarray(a, k->sample_count + 1, sizeof *cpu);
    double *rss = arena_zarray(a, k->sample_count + 1, sizeof *rss);
    for (uint32_t i = 0; i < k->sample_count; i++) {
        const struct suite_sample *s = &k->samples[i], *before = s - 1;
        rss[i] = (double)s->rss_bytes / 1e6;
        int64_t passed = i ? s->at_ns - before->at_ns : 0;
        cpu[i] = passed > 0 ? 100.0 * (double)(s->cpu_ns - before->cpu_ns) / (double)passed : 0;
    }
    if (k->sample_count > 1)
        print_graph("CPU", cpu + 1, k->sample_count - 1, "% of one CPU");
    print_graph("memory", rss, k->sample_count, "MB");
}

static int print_top(const char *profile)
{
    static const struct pprof_front front = {.program = "strobe top", .command = "top"};
    char count[] = "-nodecount=15", name[] = "top", path[4096];
    char *argv[] = {name, count, path, NULL};
    snprintf(path, sizeof path, "%s", profile);
    fflush(stdout);
    return pprof_main(3, argv, &front);
}

static int print_run(const struct suite_kept *k, struct arena *a)
{
    char when[64];
    struct tm t;
    time_t start = (time_t)(k->started_ns / 1000000000);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&start, &t));
    printf("%s\n%s, input %s, kind %s, run %lld of batch %s\n", k->id, k->program, k->input,
           k->kind, (long long)k->number, k->batch);
    printf("%s at %s, output %s, exit status %lld\n", k->status, when,
           k->verified ? "verified" : "not verified", (long long)k->exit_status);
    if (*k->error)
        printf("%s\n", k->error);
    printf("%.2f s, CPU %.2f s, %.1f MB at most, %lld rounds\n", (double)k->wall_ns / 1e9,
           (double)k->cpu_ns / 1e9, (double)k->peak_bytes / 1e6, (long long)k->rounds);
    print_use(k, a);
    const char *profile = arena_printf(a, "%s/profile.pb.gz", k->folder);
    if (access(profile, R_OK) != 0)
        return 0;
    printf("profile: %s\n\n", profile);
    return print_top(profile);
}

static int read_kept(const char *prefix, struct arena *a, struct suite_kept_list *out,
                     struct err *e)
{
    const char *state = suite_state(a, e);
    int err = state ? suite_results_read(state, prefix, a, out, e) : -ENOENT;
    if (err == 0 && prefix && !out->count)
        err = err_set(e, -ENOENT, "there is no run or batch '%s'; 'strobe suite show' lists them",
                      prefix);
    return err;
}

int suite_verb_show(int argc, char **argv)
{
    struct arena a;
    struct err e = {0};
    struct suite_kept_list list;
    if (argc > 2)
        return suite_verb_complain("show: one run or batch at a time, not also '%s'", argv[2]);
    arena_init(&a);
    int status = 0, err = read_kept(argc > 1 ? argv[1] : NULL, &a, &list, &e);
    if (err < 0)
        status = suite_verb_fail(&e);
    else if (list.count == 1 && argc > 1)
        status = print_run(&list.runs[0], &a);
    else
        for (uint32_t i = 0; i < list.count; i++)
            print_row(&list.runs[i]);
    arena_free(&a);
    return status;
}

/* ---- compare ---- */

static bool same_work(const struct suite_kept *a, const struct suite_kept *b)
{
    return !strcmp(a->program, b->program) && !strcmp(a->input, b->input) &&
           !strcmp(a->kind, b->kind);
}

/* The values of the passed runs of a list that do the same work as `like`. */
static uint32_t collect(const struct suite_kept_list *list, const struct suite_kept *like,
                        const struct metric *m, double *values)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct suite_kept *k = &list->runs[i];
        double v = m->value(k);
        if (same_work(k, like) && !strcmp(k->status, "passed") && !isnan(v))
            values[n++] = v;
    }
    return n;
}

/* A change is believed at p < 0.05; fewer than four runs on both sides can never give it. */
static void print_comparison(const struct metric *m, const struct suite_comparison *c,
                             const uint32_t n[2])
{
    double change = c->median_a > 0 ? 100 * (c->median_b / c->median_a - 1) : NAN;
    printf("  %-10s %10.2f → %10.2f %s  %+6.1f %%  p = %.3f  effect %+.2f  n = %u, %u%s\n", m->name,
           c->median_a / m->scale, c->median_b / m->scale, m->unit, change, c->p, c->effect, n[0],
           n[1], c->p < 0.05 ? "  *" : "");
}

static void compare_work(const struct suite_kept_list *before, const struct suite_kept_list *after,
                         const struct suite_kept *k, double *scratch)
{
    double *a = scratch, *b = scratch + before->count;
    printf("%s %s %s\n", k->program, k->input, k->kind);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        uint32_t n[2] = {collect(before, k, &metrics[i], a), collect(after, k, &metrics[i], b)};
        if (!n[0] || !n[1])
            continue;
        struct suite_comparison c = suite_stats_compare(a, n[0], b, n[1]);
        print_comparison(&metrics[i], &c, n);
    }
}

static int compare(const char *const names[2], struct arena *a, struct err *e)
{
    struct suite_kept_list before, after;
    uint32_t compared = 0;
    int err = read_kept(names[0], a, &before, e);
    if (err == 0)
        err = read_kept(names[1], a, &after, e);
    if (err < 0)
        return err;
    double *scratch = arena_zarray(a, before.count + after.count, sizeof *scratch);
    printf("%s → %s: medians; p by Mann–Whitney, effect is Cliff's delta, * is p < 0.05\n",
           names[0], names[1]);
    for (uint32_t i = 0; i < before.count; i++) {
        const struct suite_kept *k = &before.runs[i];
        bool first = true, on_both = false;
        for (uint32_t j = 0; j < i; j++)
            first &= !same_work(k, &before.runs[j]);
        for (uint32_t j = 0; j < after.count; j++)
            on_both |= same_work(k, &after.runs[j]);
        if (first && on_both) {
            compare_work(&before, &after, k, scratch);
            compared++;
        }
    }
    if (!compared)
        return err_set(e, -ENOENT, "%s and %s have no program, input and kind in common", names[0],
                       names[1]);
    return 0;
}

int suite_verb_compare(int argc, char **argv)
{
    struct arena a;
    struct err e = {0};
    if (argc != 3)
        return suite_verb_complain("compare: expected two batches%s", "");
    const char *const names[2] = {argv[1], argv[2]};
    arena_init(&a);
    int err = compare(names, &a, &e);
    arena_free(&a);
    return err < 0 ? suite_verb_fail(&e) : 0;
}
