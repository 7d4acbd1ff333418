/* SPDX-License-Identifier: MIT
 *
 * The contract's own part: which engine a URL names, what is refused whatever the engine, and the
 * few things that follow from the words of store.h alone (modes, ids as text, labels of series). */
#include "store/store.h"
#include "base/limits.h"
#include "base/sort.h"
#include "store/store_engine.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_engine *const engines[] = {&store_sqlite};

void store_options_default(struct store_options *o)
{
    const int64_t day_ns = 86400ll * 1000000000;
    *o = (struct store_options){
        .retain_ns = 30 * day_ns, .retain_bytes = 10ll << 30, .downsample_ns = 7 * day_ns};
}

int store_open(struct store **out, const char *url, const struct store_options *o, struct err *e)
{
    struct store_options defaults;
    const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
    size_t len = colon && (!slash || colon < slash) ? (size_t)(colon - url) : 0;
    *out = NULL;
    if (!o) {
        store_options_default(&defaults);
        o = &defaults;
    }
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (len == 0
                ? i == 0
                : strlen(engines[i]->scheme) == len && strncmp(url, engines[i]->scheme, len) == 0)
            return engines[i]->open(out, len ? colon + 1 : url, o, e);
    return err_set(e, -EINVAL, "there is no store \"%.*s\"; write sqlite:PATH", (int)len, url);
}

void store_close(struct store **s)
{
    if (*s)
        (*s)->engine->close(*s);
    *s = NULL;
}

/* ---- modes and ids ---- */

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum store_mode store_mode_of(const char *kind, const char *type, const char *unit)
{
    static const char *const kinds[] = {"threads", "goroutine", "threadcreate"};
    static const char *const units[] = {"percent", "ratio", "fraction"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0 || strcmp(type, kinds[i]) == 0)
            return STORE_LEVEL;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i]) == 0)
            return STORE_LEVEL;
    if (has_prefix(type, "inuse_") || has_prefix(type, "live_") || strcmp(type, "goroutines") == 0)
        return STORE_LEVEL;
    /* Go's custom profiles hold what was added and not yet removed: NAME/count. */
    return strcmp(type, kind) == 0 && strcmp(unit, "count") == 0 ? STORE_LEVEL : STORE_RATE;
}

void store_id_format(struct store_profile_id id, char text[STORE_ID_TEXT_MAX])
{
    snprintf(text, STORE_ID_TEXT_MAX, "%016" PRIx64 "-%" PRIx64 "-%08" PRIx32, id.series,
             (uint64_t)id.time_ns, id.content);
}

int store_id_parse(const char *text, struct store_profile_id *id, struct err *e)
{
    uint64_t time = 0;
    int end = 0;
    *id = (struct store_profile_id){0};
    if (strlen(text) >= STORE_ID_TEXT_MAX || strspn(text, "0123456789abcdef-") != strlen(text) ||
        sscanf(text, "%16" SCNx64 "-%16" SCNx64 "-%8" SCNx32 "%n", &id->series, &time, &id->content,
               &end) != 3 ||
        text[end] != 0)
        return err_set(e, -EINVAL, "\"%.60s\" is not the id of a profile", text);
    id->time_ns = (int64_t)time;
    return 0;
}

/* ---- writing ---- */

static int check_label(const char *name, const char *value, struct err *e)
{
    if (!name || !*name || !value)
        return err_set(e, -EINVAL, "a label needs a name and a value");
    if (strlen(name) > LIMIT_STORE_LABEL_BYTES || strlen(value) > LIMIT_STORE_LABEL_BYTES)
        return err_set(e, -EFBIG, "the label \"%.40s\" is longer than %d bytes", name,
                       LIMIT_STORE_LABEL_BYTES);
    return 0;
}

static int check_append(const struct store_append *a, struct err *e)
{
    const struct profile *p = a->profile;
    int rc = check_label("kind", a->kind, e);
    if (rc == 0)
        rc = check_label("service_name", a->service_name, e);
    if (rc == 0 && (!*a->kind || !*a->service_name))
        rc = err_set(e, -EINVAL, "a profile is stored under a kind and a service_name");
    if (rc == 0 && a->label_count > LIMIT_STORE_LABELS)
        rc = err_set(e, -EFBIG, "%u labels; a series has at most %d", a->label_count,
                     LIMIT_STORE_LABELS);
    for (uint32_t i = 0; rc == 0 && i < a->label_count; i++) {
        rc = check_label(a->labels[i].name, a->labels[i].value, e);
        for (uint32_t k = 0; rc == 0 && k < i; k++)
            if (strcmp(a->labels[i].name, a->labels[k].name) == 0)
                rc = err_set(e, -EINVAL, "the label \"%.80s\" is there twice", a->labels[i].name);
    }
    if (rc == 0 && p->sample_type_count == 0)
        rc = err_set(e, -EINVAL, "the profile has no sample types");
    if (rc == 0 && (p->sample_count > LIMIT_STORE_SAMPLES ||
                    p->sample_type_count > LIMIT_PROFILE_SAMPLE_TYPES))
        rc = err_set(e, -EFBIG, "the profile has %u samples of %u types; at most %u of %d are kept",
                     p->sample_count, p->sample_type_count, LIMIT_STORE_SAMPLES,
                     LIMIT_PROFILE_SAMPLE_TYPES);
    return rc;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    int rc;
    struct store_profile_id id;
    struct err e;
};

static void wake(void *arg, int rc, const struct store_profile_id *id, const struct err *e)
{
    struct waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->rc = rc;
    w->id = *id;
    if (rc < 0)
        w->e = *e;
    w->is_done = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

int store_append(struct store *s, const struct store_append *a, struct store_profile_id *id,
                 struct err *e)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    int rc = store_append_start(s, a, wake, &w, e);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.done);
    if (w.rc < 0 && e)
        *e = w.e;
    if (id)
        *id = w.id;
    return w.rc;
}

int store_append_start(struct store *s, const struct store_append *a, store_done *done, void *arg,
                       struct err *e)
{
    int rc = check_append(a, e);
    return rc ? rc : s->engine->append(s, a, done, arg, e);
}

/* ---- asking ---- */

int store_list_series(struct store *s, const struct store_query *q, struct arena *a,
                      struct store_series_list *out, struct err *e)
{
    *out = (struct store_series_list){0};
    return s->engine->list_series(s, q, a, out, e);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names, or with `label` the values of it, of all series that match. */
static int collect(struct store *s, const struct store_query *q, const char *label,
                   struct store_names *out, struct arena *a, struct err *e)
{
    struct store_series_list list;
    uint32_t n = 0, total = 0;
    *out = (struct store_names){0};
    int rc = store_list_series(s, q, a, &list, e);
    for (uint32_t i = 0; i < list.count; i++)
        total += list.series[i].label_count;
    const char **names = arena_array(a, total, sizeof *names);
    for (uint32_t i = 0; i < list.count; i++)
        for (uint32_t k = 0; k < list.series[i].label_count; k++) {
            const struct store_label *l = &list.series[i].labels[k];
            if (!label)
                names[n++] = l->name;
            else if (strcmp(l->name, label) == 0)
                names[n++] = l->value;
        }
    if (n)
        sort_list(names, n, sizeof *names, compare_text);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            names[out->count++] = names[i];
    out->names = names;
    return rc;
}

int store_list_labels(struct store *s, const struct store_query *q, struct arena *a,
                      struct store_names *out, struct err *e)
{
    return collect(s, q, NULL, out, a, e);
}

int store_list_values(struct store *s, const struct store_query *q, const char *label,
                      struct arena *a, struct store_names *out, struct err *e)
{
    return collect(s, q, label, out, a, e);
}

int store_list_profiles(struct store *s, const struct store_query *q, uint32_t limit,
                        struct arena *a, struct store_profile_list *out, struct err *e)
{
    *out = (struct store_profile_list){0};
    if (limit == 0 || limit > LIMIT_STORE_LIST)
        limit = LIMIT_STORE_LIST;
    return s->engine->list_profiles(s, q, limit, a, out, e);
}

/* How many steps the range has; rc < 0 when it is not one of buckets. */
static int check_buckets(const struct store_query *q, int64_t step_ns, struct err *e)
{
    if (step_ns <= 0 || q->from_ns >= q->until_ns)
        return err_set(e, -EINVAL, "values over time need a step and a range from before until");
    uint64_t width = (uint64_t)q->until_ns - (uint64_t)q->from_ns;
    if ((width - 1) / (uint64_t)step_ns >= LIMIT_STORE_BUCKETS)
        return err_set(e, -EFBIG, "the range has more than %d steps of %lld ns; take longer steps",
                       LIMIT_STORE_BUCKETS, (long long)step_ns);
    return 0;
}

int store_timeline(struct store *s, const struct store_query *q,
                   const struct store_timeline_options *o, struct arena *a,
                   struct store_timeline *out, struct err *e)
{
    *out = (struct store_timeline){0};
    int rc = check_buckets(q, o->step_ns, e);
    return rc ? rc : s->engine->timeline(s, q, o, a, out, e);
}

int store_top(struct store *s, const struct store_query *q, const struct store_top_options *o,
              struct arena *a, struct store_top *out, struct err *e)
{
    *out = (struct store_top){0};
    int rc = o->step_ns ? check_buckets(q, o->step_ns, e) : 0;
    return rc ? rc : s->engine->top(s, q, o, a, out, e);
}

int store_trend(struct store *s, const struct store_query *q, const struct store_trend_options *o,
                struct arena *a, struct store_trend *out, struct err *e)
{
    *out = (struct store_trend){0};
    if (!o->function)
        return err_set(e, -EINVAL, "a trend is of a function");
    int rc = o->step_ns ? check_buckets(q, o->step_ns, e) : 0;
    return rc ? rc : s->engine->trend(s, q, o, a, out, e);
}

int store_merge(struct store *s, const struct store_query *q, const struct store_merge_options *o,
                struct profile *out, struct store_merge_info *info, struct err *e)
{
    static const struct store_merge_options none = {0};
    struct store_merge_info unused;
    info = info ? info : &unused;
    *info = (struct store_merge_info){0};
    profile_init(out);
    return s->engine->merge(s, q, o ? o : &none, out, info, e);
}

/* ---- the rest is the engine's ---- */

int store_delete(struct store *s, const struct store_query *q, uint64_t *deleted, struct err *e)
{
    uint64_t unused;
    deleted = deleted ? deleted : &unused;
    *deleted = 0;
    return s->engine->delete_range(s, q, deleted, e);
}

int store_maintain(struct store *s, int64_t now_ns, struct err *e)
{
    return s->engine->maintain(s, now_ns, e);
}

int store_stats(struct store *s, struct store_stats *out, struct err *e)
{
    *out = (struct store_stats){0};
    return s->engine->stats(s, out, e);
}

int store_put_run(struct store *s, const struct store_run *run, struct err *e)
{
    if (!run->id || !*run->id)
        return err_set(e, -EINVAL, "a run needs an id");
    if (run->metrics && strlen(run->metrics) > LIMIT_STORE_TEXT)
        return err_set(e, -EFBIG, "the metrics of run %.80s are longer than %d bytes", run->id,
                       LIMIT_STORE_TEXT);
    return s->engine->put_run(s, run, e);
}

int store_list_runs(struct store *s, const struct store_run_query *q, struct arena *a,
                    struct store_run_list *out, struct err *e)
{
    *out = (struct store_run_list){0};
    return s->engine->list_runs(s, q, a, out, e);
}

int store_delete_run(struct store *s, const char *id, struct err *e)
{
    return s->engine->delete_run(s, id, e);
}

int store_put_setting(struct store *s, const char *key, const char *value, struct err *e)
{
    if (value && strlen(value) > LIMIT_STORE_TEXT)
        return err_set(e, -EFBIG, "the setting %.80s is longer than %d bytes", key,
                       LIMIT_STORE_TEXT);
    return s->engine->put_setting(s, key, value, e);
}

int store_get_setting(struct store *s, const char *key, struct arena *a, const char **value,
                      struct err *e)
{
    *value = NULL;
    return s->engine->get_setting(s, key, a, value, e);
}
