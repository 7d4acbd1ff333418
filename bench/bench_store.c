/* SPDX-License-Identifier: MIT
 *
 * bench_store [--short]: the store under an hour of 100 series with a profile a second each
 * (--short: ten minutes), about 23 samples a profile from some 400 stacks a series with a skewed
 * choice, as CPU profiles of services are. Prints what design §9 sets goals for: profiles taken in
 * per second of wall and of CPU time, bytes a stored sample, and how long merges and charts take.
 */
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SERIES = 100, STACKS = 400, SAMPLES = 23, FUNCTIONS = 5000, DEPTH = 22, ROUNDS = 5 };
#define SECOND 1000000000ll
#define T0     (1700000400ll * SECOND)

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct err e;

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_store: %s\n", e.msg);
    exit(1);
}

static uint32_t below(uint64_t *s, uint32_t n)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return (uint32_t)((*s >> 32) * n >> 32);
}

/* A profile with all stacks of a service; each second's profile chooses from them. */
struct service {
    struct profile p;
    uint32_t *stacks; /* STACKS * DEPTH locations */
};

static void make_service(struct service *v, uint32_t number)
{
    struct profile *p = &v->p;
    uint64_t s = 88172645463325252ull + number / 5 * 977; /* five series a service */
    profile_init(p);
    struct arena *a = &p->arena;
    p->sample_types = arena_zarray(a, 2, sizeof *p->sample_types);
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){
        profile_intern_cstr(p, "samples"), profile_intern_cstr(p, "count")};
    p->sample_types[p->sample_type_count++] = (struct profile_value_type){
        profile_intern_cstr(p, "cpu"), profile_intern_cstr(p, "nanoseconds")};
    p->period_type = p->sample_types[1];
    p->period = 10000000;
    p->duration_nanos = SECOND;
    p->functions = arena_zarray(a, SAMPLES * DEPTH, sizeof *p->functions);
    p->lines = arena_zarray(a, SAMPLES * DEPTH, sizeof *p->lines);
    p->locations = arena_zarray(a, SAMPLES * DEPTH, sizeof *p->locations);
    p->loc_refs = arena_array(a, SAMPLES * DEPTH, sizeof *p->loc_refs);
    p->sample_loc_end = arena_array(a, SAMPLES, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(a, SAMPLES, sizeof *p->sample_label_end);
    p->values = arena_array(a, SAMPLES * 2, sizeof *p->values);
    v->stacks = arena_array(a, STACKS * DEPTH, sizeof *v->stacks);
    for (uint32_t i = 0; i < STACKS * DEPTH; i++) {
        uint32_t level = i % DEPTH, mine = level < 8 ? FUNCTIONS : 300; /* roots are shared */
        v->stacks[i] = number / 5 * 37 % 50 * 100 + below(&s, mine) % FUNCTIONS;
    }
}

static uint32_t location(struct service *v, uint32_t function, uint32_t *index)
{
    struct profile *p = &v->p;
    if (index[function])
        return index[function] - 1;
    char name[64];
    uint32_t n = p->location_count;
    snprintf(name, sizeof name, "service/package%u.(*Type).Method%u", function % 97, function);
    p->functions[n] = (struct profile_function){.id = n + 1u, .name = profile_intern_cstr(p, name)};
    p->lines[n] = (struct profile_line){.line = 10 + function % 500, .function = n};
    p->locations[n] = (struct profile_location){.id = n + 1u,
                                                .address = 0x400000 + function * 64,
                                                .mapping = PROFILE_NONE,
                                                .line_first = n,
                                                .line_count = 1};
    p->location_count = p->line_count = p->function_count = n + 1;
    index[function] = n + 1;
    return n;
}

/* Fills the service's profile with one second's samples. */
static void sample(struct service *v, uint64_t *s)
{
    static uint32_t index[FUNCTIONS * 2];
    struct profile *p = &v->p;
    uint32_t count = SAMPLES - 8 + below(s, 17), n = 0;
    memset(index, 0, sizeof index);
    p->location_count = p->line_count = p->function_count = 0;
    p->loc_ref_count = 0;
    for (uint32_t i = 0; i < count && n < SAMPLES; i++) {
        uint32_t a = below(s, STACKS), b = below(s, a + 1), c = below(s, b + 1); /* skewed */
        for (uint32_t k = 0; k < DEPTH; k++)
            p->loc_refs[p->loc_ref_count++] = location(v, v->stacks[c * DEPTH + k], index);
        p->sample_loc_end[n] = p->loc_ref_count;
        p->values[n * 2ul] = 1 + below(s, 8) / 6;
        p->values[n * 2ul + 1] = p->values[n * 2ul] * 10000000;
        n++;
    }
    p->sample_count = n;
}

static atomic_uint failed;

static void stored(void *arg, int rc, const struct store_profile_id *id, const struct err *why)
{
    (void)arg, (void)id, (void)why;
    failed += rc < 0;
}

static void take_in(struct store *s, int seconds)
{
    static struct service services[SERIES];
    uint64_t seed = 12345;
    double making = 0, making_cpu = 0, wall = now(CLOCK_MONOTONIC),
           cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < SERIES; i++)
        make_service(&services[i], i);
    for (int t = 0; t < seconds; t++)
        for (uint32_t i = 0; i < SERIES; i++) {
            char pod[16], service[16];
            double before = now(CLOCK_MONOTONIC), before_cpu = now(CLOCK_THREAD_CPUTIME_ID);
            sample(&services[i], &seed);
            snprintf(pod, sizeof pod, "pod-%u", i % 5);
            snprintf(service, sizeof service, "service-%u", i / 5);
            making += now(CLOCK_MONOTONIC) - before;
            making_cpu += now(CLOCK_THREAD_CPUTIME_ID) - before_cpu;
            struct store_label label = {"pod", pod};
            struct store_append a = {.service_name = service,
                                     .kind = "cpu",
                                     .labels = &label,
                                     .label_count = 1,
                                     .profile = &services[i].p,
                                     .time_ns = T0 + t * SECOND + i * 1000003ll % SECOND,
                                     .lost_samples = -1};
            must(store_append_start(s, &a, stored, NULL, &e));
        }
    must(store_put_setting(s, "end", "1", &e)); /* waits for all before it */
    wall = now(CLOCK_MONOTONIC) - wall - making;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu - making_cpu;
    double n = (double)seconds * SERIES;
    printf("| append | %.0f profiles/s wall, %.0f profiles/s of CPU |\n", n / wall, n / cpu);
    if (failed)
        printf("| failed | %u |\n", failed);
    for (uint32_t i = 0; i < SERIES; i++)
        profile_free(&services[i].p);
}

static double merge_ms(struct store *s, const char *text, int64_t from, int64_t until)
{
    double best = 1e9;
    struct arena a;
    struct store_query q = {.from_ns = from, .until_ns = until};
    arena_init(&a);
    must(store_query_parse(&q, text, &a, &e));
    for (int i = 0; i < ROUNDS; i++) {
        struct profile p;
        double start = now(CLOCK_MONOTONIC);
        must(store_merge(s, &q, NULL, &p, NULL, &e));
        double ms = (now(CLOCK_MONOTONIC) - start) * 1e3;
        best = ms < best ? ms : best;
        profile_free(&p);
    }
    arena_free(&a);
    return best;
}

static double timeline_ms(struct store *s, int64_t until)
{
    double best = 1e9;
    struct store_query q = {.kind = "cpu", .from_ns = T0, .until_ns = until};
    for (int i = 0; i < ROUNDS; i++) {
        struct store_timeline t;
        struct arena a;
        arena_init(&a);
        double start = now(CLOCK_MONOTONIC);
        must(store_timeline(s, &q, &(struct store_timeline_options){.step_ns = 15 * SECOND}, &a, &t,
                            &e));
        double ms = (now(CLOCK_MONOTONIC) - start) * 1e3;
        best = ms < best ? ms : best;
        arena_free(&a);
    }
    return best;
}

static void print_size(struct store *s, const char *when)
{
    struct store_stats t;
    must(store_stats(s, &t, &e));
    printf(
        "| %s | %llu profiles, %llu samples, %llu stacks, %.1f MB in use: %.2f bytes a sample |\n",
        when, (unsigned long long)t.profiles, (unsigned long long)t.samples,
        (unsigned long long)t.stacks, (double)(t.bytes - t.bytes_free) * 1e-6,
        (double)(t.bytes - t.bytes_free) / (double)t.samples);
}

int main(int argc, char **argv)
{
    bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
    int seconds = is_short ? 600 : 3600;
    char dir[] = "/tmp/strobe-bench-XXXXXX", url[64], command[64];
    struct store_options o;
    struct store *s;
    if (!mkdtemp(dir))
        return 1;
    snprintf(url, sizeof url, "sqlite:%s/strobe.db", dir);
    store_options_default(&o);
    o.no_background = true;
    must(store_open(&s, url, &o, &e));
    int64_t until = T0 + seconds * SECOND;
    printf("%d series, %d s\n\n| what | measured |\n|---|---|\n", SERIES, seconds);
    take_in(s, seconds);
    print_size(s, "fresh");
    printf("| merge of one series, fresh | %.2f ms |\n",
           merge_ms(s, "cpu{service_name=\"service-3\",pod=\"pod-1\"}", T0, until));
    double start = now(CLOCK_MONOTONIC);
    must(store_maintain(s, until + 1000 * SECOND, &e));
    printf("| compaction | %.2f s |\n", now(CLOCK_MONOTONIC) - start);
    store_close(&s);
    must(store_open(&s, url, &o, &e));
    print_size(s, "compacted");
    printf("| merge of one series | %.2f ms |\n",
           merge_ms(s, "cpu{service_name=\"service-3\",pod=\"pod-1\"}", T0, until));
    printf("| merge of one series, ends cut | %.2f ms |\n",
           merge_ms(s, "cpu{service_name=\"service-3\",pod=\"pod-1\"}", T0 + 100 * SECOND,
                    until - 100 * SECOND));
    printf("| merge of all %d series | %.2f ms |\n", SERIES, merge_ms(s, "cpu", T0, until));
    printf("| timeline of all, 15 s | %.2f ms |\n", timeline_ms(s, until));
    store_close(&s);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) != 0;
}
