/* SPDX-License-Identifier: MIT
 *
 * bench_store [--short] [alone|http]: the store under an hour of 100 series with a profile a second
 * each
 * (--short: ten minutes), on a clock that is only counted up, and a day of one series. Prints what
 * design sets goals for, each beside its goal and beside what the layout's prototype reached when
 * it was chosen (columnar blobs in SQLite, stacks already numbered, no HTTP): as ratios, above 1 is
 * better. Rates are by CPU time, which other work on the machine changes less than wall time. */
#include "store/store.h"
#include "store_http.h"
#include "store_load.h"

#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, BATCH_S = 10, DAY_S = 86400 };
#define SECOND 1000000000ll
#define T0     (1700000400ll * SECOND)
#define ONE    "cpu{service_name=\"service-3\",pod=\"pod-1\"}"
#define DAY    "cpu{service_name=\"service-3\",pod=\"day\"}"

static struct err e;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_store: %s\n", e.msg);
    exit(1);
}

/* ---- the table ---- */

/* `goal` and `prototype`: NAN if there is none. A rate is better when it is larger. */
struct row {
    const char *what, *unit;
    double measured, goal, prototype;
    bool is_rate;
};

static void print_ratio(const struct row *r, double other)
{
    if (isnan(other))
        printf("  |");
    else
        printf(" %.4g (%.2f ×) |", other, r->is_rate ? r->measured / other : other / r->measured);
}

static void print_row(struct row r)
{
    printf("| %s | %.4g %s |", r.what, r.measured, r.unit);
    print_ratio(&r, r.goal);
    print_ratio(&r, r.prototype);
    putchar('\n');
    fflush(stdout);
}

/* ---- taking in ---- */

static atomic_uint failed;

static void stored(void *arg, int rc, const struct store_profile_id *id, const struct err *why)
{
    (void)arg, (void)id, (void)why;
    failed += rc < 0;
}

struct ingest {
    double cpu, wall;
    uint64_t profiles;
};

static void put(struct store *s, uint32_t series, const char *pod, const struct profile *p,
                int64_t time_ns)
{
    char name[16], service[16];
    snprintf(name, sizeof name, "pod-%u", series % LOAD_PODS);
    snprintf(service, sizeof service, "service-%u", series / LOAD_PODS);
    struct store_label label = {"pod", pod ? pod : name};
    struct store_append a = {.service_name = service,
                             .kind = "cpu",
                             .labels = &label,
                             .label_count = 1,
                             .profile = p,
                             .time_ns = time_ns,
                             .lost_samples = -1};
    must(store_append_start(s, &a, stored, NULL, &e));
}

/* Makes some seconds' profiles, then measures how they are stored. */
static void take_batch(struct store *s, struct load *l, int64_t t, struct ingest *in)
{
    static struct profile p[BATCH_S * LOAD_SERIES];
    for (uint32_t i = 0; i < BATCH_S * LOAD_SERIES; i++)
        load_profile(l, i % LOAD_SERIES, &p[i]);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < BATCH_S * LOAD_SERIES; i++)
        put(s, i % LOAD_SERIES, NULL, &p[i],
            T0 + (t + i / LOAD_SERIES) * SECOND + i % LOAD_SERIES * 1000003ll);
    must(store_put_setting(s, "end", "1", &e)); /* waits for all before it */
    in->cpu += now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    in->wall += now(CLOCK_MONOTONIC) - wall;
    in->profiles += BATCH_S * LOAD_SERIES;
    for (uint32_t i = 0; i < BATCH_S * LOAD_SERIES; i++)
        profile_free(&p[i]);
}

static void take_day(struct store *s, struct load *l, int64_t until)
{
    for (int t = 0; t < DAY_S; t++) {
        struct profile p;
        load_profile(l, 3 * LOAD_PODS, &p);
        put(s, 3 * LOAD_PODS, "day", &p, until - DAY_S * SECOND + t * SECOND);
        profile_free(&p);
    }
    must(store_put_setting(s, "end", "1", &e));
}

/* ---- asking ---- */

struct question {
    const char *text;
    int64_t from, until;
    void (*ask)(struct store *s, const struct store_query *q, struct arena *a);
};

static void merge(struct store *s, const struct store_query *q, struct arena *a)
{
    struct profile p;
    (void)a;
    must(store_merge(s, q, NULL, &p, NULL, &e));
    profile_free(&p);
}

static void timeline(struct store *s, const struct store_query *q, struct arena *a)
{
    struct store_timeline out;
    int64_t step = (q->until_ns - q->from_ns) / 240;
    must(store_timeline(s, q, &(struct store_timeline_options){.step_ns = step}, a, &out, &e));
}

static void trend(struct store *s, const struct store_query *q, struct arena *a)
{
    struct store_trend out;
    struct store_trend_options o = {
        .function = "github.com/acme/service3/net/http.(*Type5).Method5", .last = 120};
    must(store_trend(s, q, &o, a, &out, &e));
}

static void trend_over_time(struct store *s, const struct store_query *q, struct arena *a)
{
    struct store_trend out;
    struct store_trend_options o = {
        .function = "github.com/acme/service3/net/http.(*Type5).Method5", .step_ns = 60 * SECOND};
    must(store_trend(s, q, &o, a, &out, &e));
}

static void top(struct store *s, const struct store_query *q, struct arena *a)
{
    struct store_top out;
    must(store_top(s, q, &(struct store_top_options){0}, a, &out, &e));
}

/* The best of some rounds, in milliseconds of CPU. */
static double ask_ms(struct store *s, struct question question)
{
    double best = 1e9;
    struct arena a;
    struct store_query q;
    arena_init(&a);
    must(store_query_parse(&q, question.text, &a, &e));
    q.from_ns = question.from;
    q.until_ns = question.until;
    for (int i = 0; i < ROUNDS; i++) {
        struct arena scratch;
        arena_init(&scratch);
        double start = now(CLOCK_PROCESS_CPUTIME_ID);
        question.ask(s, &q, &scratch);
        double ms = (now(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e3;
        best = ms < best ? ms : best;
        arena_free(&scratch);
    }
    arena_free(&a);
    return best;
}

static double bytes_a_sample(struct store *s, double *megabytes)
{
    struct store_stats t;
    must(store_stats(s, &t, &e));
    *megabytes = (double)(t.bytes - t.bytes_free) * 1e-6;
    return (double)(t.bytes - t.bytes_free) / (double)t.samples;
}

/* ---- memory ---- */

/* A size of /proc/self/status, in MiB: VmRSS is now, VmHWM the largest since peak_reset. */
static double memory_mib(const char *name)
{
    char line[256];
    double mib = NAN;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            mib = (double)strtoul(line + strlen(name) + 1, NULL, 10) / 1024;
    if (f)
        fclose(f);
    return mib;
}

static void peak_reset(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    if (fd < 0 || write(fd, "5", 1) != 1)
        fprintf(stderr, "bench_store: peaks of memory are those since the start\n");
    if (fd >= 0)
        close(fd);
}

/* ---- the parts ---- */

static void print_questions(struct store *s, int64_t until)
{
    const int64_t day = until - DAY_S * SECOND, cut = 100 * SECOND;
    peak_reset();
    double before = memory_mib("VmRSS");
    print_row((struct row){"merge of one series", "ms",
                           ask_ms(s, (struct question){ONE, T0, until, merge}), NAN, 0.12, false});
    print_row((struct row){"merge of one series, both ends within a block", "ms",
                           ask_ms(s, (struct question){ONE, T0 + cut, until - cut, merge}), NAN,
                           1.0, false});
    print_row((struct row){"merge of all 100 series", "ms",
                           ask_ms(s, (struct question){"cpu{pod=~\"pod.*\"}", T0, until, merge}),
                           20, 10, false});
    print_row((struct row){"memory for it", "MiB", memory_mib("VmHWM") - before, NAN, NAN, false});
    print_row((struct row){"merge of 24 h of one series", "ms",
                           ask_ms(s, (struct question){DAY, day, until, merge}), 5, NAN, false});
    print_row((struct row){"timeline of one series", "ms",
                           ask_ms(s, (struct question){ONE, T0, until, timeline}), NAN, NAN,
                           false});
    print_row((struct row){"timeline of all", "ms",
                           ask_ms(s, (struct question){"cpu{pod=~\"pod.*\"}", T0, until, timeline}),
                           NAN, NAN, false});
    print_row((struct row){"timeline of 24 h of one series", "ms",
                           ask_ms(s, (struct question){DAY, day, until, timeline}), NAN, NAN,
                           false});
    print_row((struct row){"a function's trend over 120 profiles", "ms",
                           ask_ms(s, (struct question){ONE, T0, until, trend}), NAN, NAN, false});
    print_row((struct row){"a function's trend by minute, one series", "ms",
                           ask_ms(s, (struct question){ONE, T0, until, trend_over_time}), NAN, NAN,
                           false});
    print_row((struct row){"top functions of all series", "ms",
                           ask_ms(s, (struct question){"cpu{pod=~\"pod.*\"}", T0, until, top}), NAN,
                           NAN, false});
}

static void bench_alone(const char *dir, int seconds)
{
    char url[64];
    struct store_options o;
    struct store *s;
    struct ingest in = {0};
    struct load *l = load_make();
    double mb;
    snprintf(url, sizeof url, "sqlite:%s/strobe.db", dir);
    store_options_default(&o);
    o.no_background = true;
    must(store_open(&s, url, &o, &e));
    int64_t until = T0 + seconds * SECOND;
    for (int64_t t = 0; t < seconds; t += BATCH_S)
        take_batch(s, l, t, &in);
    print_row((struct row){"taken in, store alone", "profiles/s of CPU",
                           (double)in.profiles / in.cpu, NAN, 37300, true});
    print_row((struct row){"the same, by the wall's clock", "profiles/s",
                           (double)in.profiles / in.wall, NAN, NAN, true});
    double fresh = bytes_a_sample(s, &mb);
    print_row((struct row){"size, fresh", "bytes a sample", fresh, NAN, 5.3, false});
    print_row((struct row){"merge of one series, fresh", "ms",
                           ask_ms(s, (struct question){ONE, T0, until, merge}), NAN, 0.7, false});
    double start = now(CLOCK_PROCESS_CPUTIME_ID);
    must(store_maintain(s, until + 1000 * SECOND, &e));
    print_row((struct row){"compaction", "s", now(CLOCK_PROCESS_CPUTIME_ID) - start, NAN,
                           0.63 * seconds / 3600, false});
    store_close(&s); /* its log goes into the file */
    must(store_open(&s, url, &o, &e));
    double small = bytes_a_sample(s, &mb);
    print_row(
        (struct row){"size, compacted, symbols and all", "bytes a sample", small, 1.5, 1.5, false});
    print_row((struct row){"the file", "MB", mb, NAN, NAN, false});
    take_day(s, l, until);
    must(store_maintain(s, until + 1000 * SECOND, &e));
    store_close(&s);
    must(store_open(&s, url, &o, &e));
    print_questions(s, until);
    store_close(&s);
    load_free(l);
    if (failed)
        printf("| failed | %u profiles |\n", failed);
}

static void bench_http(const char *dir, int seconds, bool gzip)
{
    char strobe[4096], command[4200], *slash;
    struct store_http_result r;
    ssize_t n = readlink("/proc/self/exe", strobe, sizeof strobe - 20);
    strobe[n > 0 ? n : 0] = 0;
    for (int up = 0; up < 2 && (slash = strrchr(strobe, '/')); up++)
        *slash = 0;
    strcat(strobe, "/strobe");
    store_http(&r, strobe, dir, seconds, gzip);
    print_row((struct row){gzip ? "through HTTP, gzip'ed" : "through HTTP, plain",
                           "profiles/s of CPU", (double)r.profiles / r.cpu_s, 20000, 37300, true});
    print_row((struct row){"the server's memory at most", "MiB",
                           (double)r.resident_bytes / (1 << 20), NAN, NAN, false});
    if (r.refused)
        printf("| refused | %llu requests |\n", (unsigned long long)r.refused);
    snprintf(command, sizeof command, "rm -rf %s/http.db* %s/strobe", dir, dir);
    if (system(command) != 0)
        fprintf(stderr, "bench_store: %s could not be emptied\n", dir);
}

int main(int argc, char **argv)
{
    int seconds = 3600;
    bool alone = true, http = true;
    char dir[] = "/tmp/strobe-bench-XXXXXX", command[64];
    for (int i = 1; i < argc; i++) {
        seconds = strcmp(argv[i], "--short") == 0 ? 600 : seconds;
        alone = alone && strcmp(argv[i], "http") != 0;
        http = http && strcmp(argv[i], "alone") != 0;
    }
    if (!mkdtemp(dir))
        return 1;
    printf("%d series, a profile a second, for %d s\n\n| what | measured | goal | prototype |\n"
           "|---|---|---|---|\n",
           LOAD_SERIES, seconds);
    if (alone)
        bench_alone(dir, seconds);
    for (int gzip = 1; http && gzip >= 0; gzip--)
        bench_http(dir, seconds / 5, gzip);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) != 0;
}
