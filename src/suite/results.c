/* SPDX-License-Identifier: MIT
 *
 * Runs as files: whoever wants to look at one needs no strobe, and a run that a full disk or a
 * crash cut short has no run.json and does not count. */
#include "suite/results.h"

#include "base/sort.h"
#include "server/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- places and names ---- */

const char *suite_state(struct arena *a, struct err *e)
{
    char path[PATH_MAX], real[PATH_MAX];
    if (state_make(e) < 0 || state_file(path, sizeof path, "suite", e) < 0)
        return NULL;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_set(e, -errno, "cannot make the folder %s: %s", path, strerror(errno)), NULL;
    if (!realpath(path, real)) /* runs work in folders of their own */
        return err_set(e, -errno, "cannot find the folder %s: %s", path, strerror(errno)), NULL;
    return arena_strdup(a, real);
}

bool suite_batch_ok(const char *batch)
{
    size_t n = 0;
    while (isalnum((unsigned char)batch[n]) || batch[n] == '-' || batch[n] == '_')
        n++;
    return n && n <= 64 && !batch[n];
}

static bool batch_is_kept(const char *state, const char *batch)
{
    size_t n = strlen(batch);
    bool kept = false;
    DIR *dir = opendir(state);
    for (struct dirent *d; dir && !kept && (d = readdir(dir));)
        kept = !strncmp(d->d_name, batch, n) && d->d_name[n] == '.';
    if (dir)
        closedir(dir);
    return kept;
}

const char *suite_batch_new(const char *state, struct arena *a)
{
    struct tm t;
    time_t now = time(NULL);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime_r(&now, &t));
    const char *name = arena_strdup(a, stamp);
    for (int i = 2; batch_is_kept(state, name); i++)
        name = arena_printf(a, "%s-%d", stamp, i);
    return name;
}

const char *suite_run_id(const struct suite_run_name *n, struct arena *a)
{
    return arena_printf(a, "%s.%s.%s.%s.%u", n->batch, n->program, n->input, n->kind, n->number);
}

int suite_results_make(const char *state, const char *id, struct arena *a, const char **profile,
                       struct err *e)
{
    const char *folder = arena_printf(a, "%s/%s", state, id);
    *profile = arena_printf(a, "%s/profile.pb.gz", folder);
    if (mkdir(folder, 0700) == 0)
        return 0;
    if (errno == EEXIST)
        return err_set(e, -EEXIST, "there is a run %s already; give this batch another name", id);
    return err_set(e, -errno, "cannot make the folder %s: %s", folder, strerror(errno));
}

/* ---- writing ---- */

static void put_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "\"%s\": \"", key);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else if (*p < ' ' || *p == 127)
            buf_printf(out, "\\u%04x", *p);
        else
            buf_putc(out, (char)*p);
    }
    buf_putc(out, '"');
}

static void put_number(struct buf *out, const char *key, int64_t value)
{
    buf_printf(out, "\"%s\": %lld", key, (long long)value);
}

static void put_machine(struct buf *out, const struct suite_machine *m)
{
    buf_puts(out, "\"machine\": {");
    put_text(out, "cpu", m->cpu);
    buf_puts(out, ", ");
    put_text(out, "kernel", m->kernel);
    buf_puts(out, ", ");
    put_text(out, "governor", m->governor);
    buf_printf(out, ", \"cpus\": %d, \"busy\": %.3f, \"virtual\": %s}", m->cpus, m->busy,
               m->is_virtual ? "true" : "false");
}

static void put_phases(struct buf *out, const struct suite_result *r)
{
    buf_puts(out, "\"phases\": [");
    for (uint32_t i = 0; i < r->phase_count; i++) {
        buf_puts(out, i ? ", {" : "{");
        put_text(out, "name", r->phases[i].name);
        buf_puts(out, ", ");
        put_number(out, "at_ms", r->phases[i].at_ns / 1000000);
        buf_puts(out, "}");
    }
    buf_puts(out, "]");
}

/* Columns instead of objects: a run of ten minutes has six thousand samples. */
static void put_samples(struct buf *out, const struct suite_result *r)
{
    buf_puts(out, "\"use\": {\"at_ms\": [");
    for (uint32_t i = 0; i < r->sample_count; i++)
        buf_printf(out, "%s%lld", i ? ", " : "", (long long)r->samples[i].at_ns / 1000000);
    buf_puts(out, "],\n \"cpu_ns\": [");
    for (uint32_t i = 0; i < r->sample_count; i++)
        buf_printf(out, "%s%lld", i ? ", " : "", (long long)r->samples[i].cpu_ns);
    buf_puts(out, "],\n \"rss_bytes\": [");
    for (uint32_t i = 0; i < r->sample_count; i++)
        buf_printf(out, "%s%lld", i ? ", " : "", (long long)r->samples[i].rss_bytes);
    buf_puts(out, "]}");
}

void suite_results_json(const struct suite_run_name *n, const struct suite_result *r,
                        const struct suite_machine *m, struct buf *out)
{
    const struct {
        const char *key, *text;
    } texts[] = {{"batch", n->batch}, {"program", n->program}, {"input", n->input},
                 {"kind", n->kind},   {"status", r->status},   {"error", r->error}};
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"number", n->number},
                   {"started_ns", r->started_ns},
                   {"ended_ns", r->ended_ns},
                   {"wall_ns", r->wall_ns},
                   {"cpu_ns", r->cpu_ns},
                   {"peak_bytes", r->peak_bytes},
                   {"rounds", r->rounds},
                   {"exit_status", r->exit_status},
                   {"profile_samples", (int64_t)r->profile_samples}};
    buf_puts(out, "{");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_text(out, texts[i].key, texts[i].text);
        buf_puts(out, ",\n ");
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(out, numbers[i].key, numbers[i].value);
        buf_puts(out, ",\n ");
    }
    buf_printf(out, "\"verified\": %s,\n \"profiled\": %s,\n ", r->verified ? "true" : "false",
               r->profiled ? "true" : "false");
    put_machine(out, m);
    buf_puts(out, ",\n ");
    put_phases(out, r);
    buf_puts(out, ",\n ");
    put_samples(out, r);
    buf_puts(out, "}\n");
}

int suite_results_write(const char *state, const char *id, const struct buf *json, struct err *e)
{
    char path[PATH_MAX], part[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/%s/run.json", state, id);
    snprintf(part, sizeof part, "%s.part", path);
    FILE *f = fopen(part, "we");
    bool ok = f && fwrite(json->data, 1, json->len, f) == json->len;
    if (f && fclose(f) != 0)
        ok = false;
    if (ok && rename(part, path) == 0)
        return 0;
    return err_set(e, errno ? -errno : -EIO, "cannot write %s: %s", path, strerror(errno));
}

/* ---- reading ---- */

/* A number that may be negative; JSON's own check is the parser's. */
static int read_number(const struct yamldoc_node *n, void *at, struct err *e)
{
    char *end = NULL;
    if (n->kind == YAMLDOC_SCALAR)
        *(int64_t *)at = strtoll(n->text, &end, 10);
    return end && end != n->text && !*end ? 0 : yamldoc_error(n, e, "expected a number");
}

static int read_column(const struct yamldoc_node *use, const char *key, size_t offset,
                       struct suite_kept *k, struct err *e)
{
    const struct yamldoc_node *column = yamldoc_get(use, key);
    if (!column || column->kind != YAMLDOC_LIST || column->count != k->sample_count)
        return yamldoc_error(use, e, "%s: expected as many numbers as in at_ms", key);
    char *at = (char *)k->samples + offset;
    for (const struct yamldoc_node *n = column->first; n; n = n->next, at += sizeof *k->samples) {
        int err = read_number(n, at, e);
        if (err < 0)
            return err;
    }
    return 0;
}

static int read_use(const struct yamldoc_node *n, struct suite_kept *k, struct err *e)
{
    const struct yamldoc_node *times = yamldoc_get(n, "at_ms");
    k->sample_count = times ? times->count : 0;
    k->samples = arena_zarray(n->doc->arena, k->sample_count, sizeof *k->samples);
    int err = read_column(n, "at_ms", offsetof(struct suite_sample, at_ns), k, e);
    if (err == 0)
        err = read_column(n, "cpu_ns", offsetof(struct suite_sample, cpu_ns), k, e);
    if (err == 0)
        err = read_column(n, "rss_bytes", offsetof(struct suite_sample, rss_bytes), k, e);
    for (uint32_t i = 0; i < k->sample_count; i++)
        k->samples[i].at_ns *= 1000000;
    return err;
}

#define AT(field) offsetof(struct suite_kept, field)

static int read_run(const char *path, struct arena *a, struct suite_kept *k, struct err *e)
{
    static const struct yamldoc_field fields[] = {
        {"batch", yamldoc_text, AT(batch), true},
        {"program", yamldoc_text, AT(program), true},
        {"input", yamldoc_text, AT(input), true},
        {"kind", yamldoc_text, AT(kind), true},
        {"status", yamldoc_text, AT(status), true},
        {"error", yamldoc_text, AT(error), true},
        {"number", read_number, AT(number), true},
        {"started_ns", read_number, AT(started_ns), true},
        {"ended_ns", read_number, AT(ended_ns), true},
        {"wall_ns", read_number, AT(wall_ns), true},
        {"cpu_ns", read_number, AT(cpu_ns), true},
        {"peak_bytes", read_number, AT(peak_bytes), true},
        {"rounds", read_number, AT(rounds), true},
        {"exit_status", read_number, AT(exit_status), true},
        {"verified", yamldoc_bool, AT(verified), true},
    };
    struct yamldoc *doc = arena_zalloc(a, sizeof *doc);
    int err = yamldoc_read_file(doc, path, a, e);
    for (size_t i = 0; i < sizeof fields / sizeof *fields && err == 0; i++) {
        const struct yamldoc_node *n = yamldoc_get(doc->root, fields[i].key);
        if (!n)
            return yamldoc_error(doc->root, e, "the key '%s' is missing", fields[i].key);
        err = fields[i].read(n, (char *)k + fields[i].offset, e);
    }
    const struct yamldoc_node *use = err == 0 ? yamldoc_get(doc->root, "use") : NULL;
    return use ? read_use(use, k, e) : err;
}

static int by_start(const void *x, const void *y)
{
    const struct suite_kept *a = x, *b = y;
    int order = (a->started_ns > b->started_ns) - (a->started_ns < b->started_ns);
    return order ? order : strcmp(a->id, b->id);
}

int suite_results_read(const char *state, const char *prefix, struct arena *a,
                       struct suite_kept_list *out, struct err *e)
{
    size_t n = prefix ? strlen(prefix) : 0, room = 0;
    int err = 0;
    *out = (struct suite_kept_list){0};
    DIR *dir = opendir(state);
    if (!dir)
        return err_set(e, -errno, "cannot read %s: %s", state, strerror(errno));
    for (struct dirent *d; err == 0 && (d = readdir(dir));) {
        if (d->d_name[0] == '.' ||
            (n && (strncmp(d->d_name, prefix, n) || (d->d_name[n] && d->d_name[n] != '.'))))
            continue;
        const char *path = arena_printf(a, "%s/%s/run.json", state, d->d_name);
        if (access(path, F_OK) != 0)
            continue;
        if (out->count == room) {
            size_t more = room ? 2 * room : 64;
            out->runs =
                arena_grow(a, out->runs, room * sizeof *out->runs, more * sizeof *out->runs);
            room = more;
        }
        struct suite_kept *k = &out->runs[out->count++];
        *k = (struct suite_kept){.id = arena_strdup(a, d->d_name),
                                 .folder = arena_printf(a, "%s/%s", state, d->d_name)};
        err = read_run(path, a, k, e);
    }
    closedir(dir);
    if (out->count)
        sort_list(out->runs, out->count, sizeof *out->runs, by_start);
    return err;
}

/* ---- what to expect ---- */

enum { EXPECT_RUNS = 3, EXPECT_EXTRA_MS = 2000 };

struct recent {
    char names[EXPECT_RUNS][NAME_MAX + 1];
    int64_t written_ns[EXPECT_RUNS]; /* the newest first; 0: none */
};

static void note_recent(struct recent *r, const char *state, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/run.json", state, name);
    if (stat(path, &st) != 0)
        return;
    int64_t at = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    size_t i = 0;
    while (i < EXPECT_RUNS && r->written_ns[i] >= at)
        i++;
    if (i == EXPECT_RUNS)
        return;
    memmove(&r->written_ns[i + 1], &r->written_ns[i],
            (EXPECT_RUNS - 1 - i) * sizeof *r->written_ns);
    memmove(r->names[i + 1], r->names[i], (EXPECT_RUNS - 1 - i) * sizeof *r->names);
    r->written_ns[i] = at;
    snprintf(r->names[i], sizeof r->names[i], "%s", name);
}

/* BATCH.PROGRAM.INPUT.KIND.N: the middle is that of the job. */
static bool is_run_of(const char *name, const char *middle)
{
    const char *at = strchr(name, '.');
    size_t n = strlen(middle);
    return at && !strncmp(at, middle, n) && at[n] && !at[n + strspn(at + n, "0123456789")];
}

static void find_recent(struct recent *r, const char *state, const struct suite_job *job)
{
    char middle[NAME_MAX + 1];
    DIR *dir = opendir(state);
    snprintf(middle, sizeof middle, ".%s.%s.%s.", job->program->name, job->input->name,
             job->kind->name);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (is_run_of(d->d_name, middle))
            note_recent(r, state, d->d_name);
    if (dir)
        closedir(dir);
}

int64_t suite_results_expected_ms(const char *state, const struct suite_job *job)
{
    struct recent recent = {0};
    struct arena a;
    int64_t sum = 0, count = 0;
    arena_init(&a);
    find_recent(&recent, state, job);
    for (size_t i = 0; i < EXPECT_RUNS && recent.written_ns[i]; i++) {
        struct suite_kept k = {0};
        const char *path = arena_printf(&a, "%s/%s/run.json", state, recent.names[i]);
        if (read_run(path, &a, &k, NULL) || strcmp(k.status, "passed"))
            continue;
        sum += (k.ended_ns - k.started_ns) / 1000000;
        count++;
    }
    arena_free(&a);
    return count ? sum / count : job->input->duration_ms + EXPECT_EXTRA_MS;
}
