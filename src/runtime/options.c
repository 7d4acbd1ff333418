/* SPDX-License-Identifier: MIT
 *
 * Every setting of libstrobe is one row of the table below: what it is called in the environment,
 * its default, its unit, its help. STROBE=help prints the table. Runs in the constructor, before
 * the program's own code and before its allocator may be used: no malloc, no stdio. */
#include "runtime/debug.h"
#include "runtime/runtime.h"
#include "runtime/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct option {
    const char *name, *fallback, *help;
    int (*set)(struct strobe_config *c, const char *value); /* 0, or -EINVAL */
};

/* "cpu,heap"; "all" is every kind. */
static int set_kinds(struct strobe_config *c, const char *v)
{
    static const struct {
        const char *name;
        uint32_t kinds;
    } known[] = {{"cpu", CONFIG_CPU},
                 {"heap", CONFIG_HEAP},
                 {"allocs", CONFIG_ALLOCS},
                 {"block", CONFIG_BLOCK},
                 {"mutex", CONFIG_MUTEX},
                 {"wall", CONFIG_WALL},
                 {"threads", CONFIG_THREADS},
                 {"goroutine", CONFIG_THREADS},
                 {"threadcreate", CONFIG_THREADCREATE},
                 {"all", CONFIG_ALL_KINDS},
                 {"none", 0}};
    c->kinds_given = true;
    if (!*v)
        return -EINVAL;
    for (size_t n; *v; v += n + (v[n] == ',')) {
        size_t i = 0, count = sizeof known / sizeof *known;
        n = strcspn(v, ",");
        while (i < count && (strlen(known[i].name) != n || strncmp(known[i].name, v, n) != 0))
            i++;
        if (i == count)
            return -EINVAL;
        c->kinds |= known[i].kinds;
    }
    return 0;
}

static int set_number(const char *v, uint64_t max, uint64_t *out)
{
    char *end;
    if (*v < '0' || *v > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long n = strtoull(v, &end, 10);
    if (*end || errno || n > max)
        return -EINVAL;
    *out = n;
    return 0;
}

static int set_hz(struct strobe_config *c, const char *v)
{
    uint64_t n;
    if (set_number(v, LIMIT_HZ_MAX, &n) < 0 || n < LIMIT_HZ_MIN)
        return -EINVAL;
    c->hz = (int)n;
    return 0;
}

static int set_heap_rate(struct strobe_config *c, const char *v)
{
    return set_number(v, 1ull << 40, &c->heap_rate);
}

static int set_heap_peak(struct strobe_config *c, const char *v)
{
    uint64_t n;
    if (set_number(v, 1, &n) < 0)
        return -EINVAL;
    c->heap_peak = n == 1;
    return 0;
}

static int set_block_rate(struct strobe_config *c, const char *v)
{
    return set_number(v, 1ull << 40, &c->block_rate);
}

static int set_mutex_fraction(struct strobe_config *c, const char *v)
{
    uint64_t n;
    if (set_number(v, 1u << 30, &n) < 0)
        return -EINVAL;
    c->mutex_fraction = (uint32_t)n;
    return 0;
}

int options_parse_block(const char *v, uint32_t *what)
{
    *what = 0;
    for (size_t n; *v; v += n + (v[n] == ',')) {
        n = strcspn(v, ",");
        if (n == 4 && !strncmp(v, "sync", n))
            *what |= WAITTAB_SYNC;
        else if (n == 2 && !strncmp(v, "io", n))
            *what |= WAITTAB_IO;
        else
            return -EINVAL;
    }
    return *what ? 0 : -EINVAL;
}

static int set_block_what(struct strobe_config *c, const char *v)
{
    return options_parse_block(v, &c->block_what);
}

static int set_path(char *to, const char *v)
{
    if (!*v || strlen(v) >= RUNTIME_PATH)
        return -EINVAL;
    strcpy(to, v);
    return 0;
}

static int set_out(struct strobe_config *c, const char *v)
{
    c->out_given = true;
    return set_path(c->out, v);
}

static int set_http(struct strobe_config *c, const char *v)
{
    return set_path(c->http, v);
}

static int set_record(struct strobe_config *c, const char *v)
{
    return set_path(c->record, v);
}

static int set_backend(struct strobe_config *c, const char *v)
{
    int b = taskclock_backend_parse(v);
    if (b < 0)
        return -EINVAL;
    c->backend = (enum shm_backend)b;
    return 0;
}

static int set_seed(struct strobe_config *c, const char *v)
{
    return set_number(v, UINT64_MAX, &c->seed);
}

static int set_nothing(struct strobe_config *c, const char *v)
{
    (void)c, (void)v;
    return 0;
}

static int set_served(struct strobe_config *c, const char *v)
{
    const char *colon = strchr(v, ':');
    size_t n = colon ? (size_t)(colon - v) : strlen(v);
    c->served = true;
    if (n < sizeof c->tree)
        memcpy(c->tree, v, n); /* the rest is zero */
    c->session = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
    return 0;
}

static int set_max_cost(struct strobe_config *c, const char *v)
{
    int ppm = taskclock_cost_parse(v);
    if (ppm < 0)
        return -EINVAL;
    c->max_cost_ppm = (uint32_t)ppm;
    return 0;
}

static void say(const char *const parts[], size_t n)
{
    char text[1024];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        for (const char *s = parts[i]; *s && len < sizeof text; s++)
            text[len++] = *s;
    say_text(text, len);
}

/* The switches were set by the first allocation; here is said what is wrong with them. */
static int set_debug(struct strobe_config *c, const char *v)
{
    struct debug_switches switches;
    char bad[128];
    (void)c;
    if (debug_parse(v, &switches, bad, sizeof bad) == 0)
        return 0;
    const char *row[] = {"libstrobe: STROBE_DEBUG: there is no switch ", bad, "\n"};
    say(row, sizeof row / sizeof *row);
    return -EINVAL;
}

static const struct option options[] = {
    {"STROBE", "",
     "profiles to take: cpu, heap, allocs, block, mutex, wall, threads (at the end), threadcreate, "
     "with commas; all; `help` prints this list",
     set_kinds},
    {"STROBE_HZ", "100", "samples a second of each thread's CPU time, and wall time, 1 to 10000",
     set_hz},
    {"STROBE_OUT", "%e.%p.%k.pb.gz", "file to write; %p is the pid, %e the program, %k the kind",
     set_out},
    {"STROBE_HEAP_RATE", "524288",
     "bytes allocated to a sample; 1 is every allocation, 0 is no heap profile", set_heap_rate},
    {"STROBE_HEAP_PEAK", "0", "1: what is in use is that of the program's peak, not of its end",
     set_heap_peak},
    {"STROBE_BLOCK_RATE", "10000", "ns of waiting to a sample; 1 is every wait, 0 no block profile",
     set_block_rate},
    {"STROBE_MUTEX_FRACTION", "100",
     "contentions to a sample; 1 is every contention, 0 no mutex profile", set_mutex_fraction},
    {"STROBE_BLOCK", "sync", "waits that block profiles have: sync, io (system calls), or both",
     set_block_what},
    {"STROBE_HTTP", "", "serve /debug/pprof/ at HOST:PORT (no host: loopback) or unix:PATH",
     set_http},
    {"STROBE_MAX_COST", "1", "percent of CPU time; where sampling costs more, its rate is lowered",
     set_max_cost},
    {"STROBE_BACKEND", "auto", "sampling clock: auto, sigtrap, signal, timer, itimer", set_backend},
    {"STROBE_SEED", "0", "fixes every random choice, for tests; 0 is random", set_seed},
    {"STROBE_DEBUG", "",
     "switches: alloctrace=1, heaptrace=1 (or MS), schedtrace=MS, scheddetail=1, efence=1, "
     "clobberfree=1, invalidptr=1, scavtrace=1, with commas",
     set_debug},
    {"STROBE_EXEC", "", "set by libstrobe for the next image of a process", set_nothing},
    {"STROBE_SERVED", "", "set by libstrobe for children of a process that serves", set_served},
    {"STROBE_RECORD", "", "set by `strobe record` for the programs it runs", set_record},
};

static void print_help(void)
{
    const char *head[] = {"libstrobe " STROBE_VERSION ": settings in the environment\n"};
    say(head, 1);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct option *o = &options[i];
        static const char blanks[] = "                        ";
        const char *pad = &blanks[strlen(o->name)];
        const char *row[] = {"  ",
                             o->name,
                             pad,
                             o->help,
                             *o->fallback ? " (default " : "",
                             o->fallback,
                             *o->fallback ? ")" : "",
                             "\n"};
        say(row, sizeof row / sizeof *row);
    }
}

int options_read(struct strobe_config *c)
{
    memset(c, 0, sizeof *c);
    c->hz = LIMIT_HZ_DEFAULT;
    c->max_cost_ppm = LIMIT_COST_PPM_DEFAULT;
    c->heap_rate = LIMIT_HEAP_RATE_DEFAULT;
    c->block_rate = LIMIT_BLOCK_RATE_DEFAULT;
    c->mutex_fraction = LIMIT_MUTEX_FRACTION_DEFAULT;
    c->block_what = WAITTAB_SYNC;
    strcpy(c->out, "%e.%p.%k.pb.gz");
    const char *kinds = environ_get("STROBE");
    if (kinds && strcmp(kinds, "help") == 0) {
        print_help();
        return 1;
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *v = environ_get(options[i].name);
        if (!v || options[i].set(c, v) == 0)
            continue;
        const char *row[] = {"libstrobe: ",
                             options[i].name,
                             "=",
                             v,
                             " is not valid, nothing is profiled: ",
                             options[i].help,
                             "\n"};
        say(row, sizeof row / sizeof *row);
        return -EINVAL;
    }
    return 0;
}

int options_expand(char *out, size_t size, const char *pattern, const char *kind)
{
    char pid[16];
    size_t len = 0, at = sizeof pid - 1;
    pid[at] = 0;
    for (uint32_t n = (uint32_t)getpid(); n || at == sizeof pid - 1; n /= 10)
        pid[--at] = (char)('0' + n % 10);
    const char *slash = strrchr(rt.exe, '/');
    for (const char *p = pattern; *p; p++) {
        char one[2] = {*p, 0};
        const char *add = one;
        if (*p == '%' && p[1] && strchr("pek%", p[1])) { /* any other % is the name's own */
            p++;
            add = *p == 'p'   ? pid + at
                  : *p == 'e' ? (slash ? slash + 1 : rt.exe)
                  : *p == 'k' ? kind
                              : one;
        }
        size_t n = strlen(add);
        if (len + n >= size)
            return -ENAMETOOLONG;
        memcpy(out + len, add, n);
        len += n;
    }
    out[len] = 0;
    return 0;
}
