/* SPDX-License-Identifier: MIT
 *
 * One thread drives all transfers through libcurl's multi interface. A target is a small machine:
 * it waits until its round is due, fetches its kinds in turn, and waits again; so two kinds of one
 * target can never be fetched at once, and a slow target delays no other. The cpu profile, which
 * takes seconds, comes last. Decoding, differencing and handing to the store happen between
 * transfers, on the same thread; the store answers on one of its own.
 *
 * What a target sends is not trusted: its size and time are bounded, redirects are not followed. */
#include "server/scrape.h"
#include "base/limits.h"
#include "base/map.h"
#include "server/ingest.h"
#include "server/scrape_internal.h"
#include "server/when.h"
#include "strobe/version.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const enum config_kind order[CONFIG_KINDS] = {
    CONFIG_HEAP,      CONFIG_ALLOCS,       CONFIG_BLOCK, CONFIG_MUTEX,
    CONFIG_GOROUTINE, CONFIG_THREADCREATE, CONFIG_CPU};

static const int64_t second = 1000000000;

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * second + t.tv_nsec;
}

/* ---- storing ---- */

struct storing {
    struct target *target;
    struct kind *kind;
};

/* On a thread of the store's. */
static void stored(void *arg, int rc, const struct store_profile_id *id, const struct err *e)
{
    struct storing *done = arg;
    struct scraper *s = done->target->scraper;
    pthread_mutex_lock(&s->lock);
    if (rc >= 0) {
        done->kind->stored += rc == 0;
    } else {
        done->kind->state = KIND_FAILED;
        snprintf(done->kind->error, sizeof done->kind->error, "%s", e->msg);
    }
    pthread_mutex_unlock(&s->lock);
    free(done);
    atomic_fetch_sub(&s->storing, 1);
}

static int store_profile(struct target *t, enum config_kind k, const struct profile *p,
                         struct err *e)
{
    struct storing *done = malloc(sizeof *done);
    if (!done)
        return err_set(e, -ENOMEM, "out of memory");
    *done = (struct storing){t, &t->kinds[k]};
    struct store_append a = {.service_name = t->service_name,
                             .kind = config_kind_names[k],
                             .labels = t->labels,
                             .label_count = t->label_count,
                             .profile = p,
                             .time_ns = p->time_nanos ? p->time_nanos : when_now(),
                             .lost_samples = -1};
    atomic_fetch_add(&t->scraper->storing, 1);
    int rc = store_append_start(t->scraper->store, &a, stored, done, e);
    if (rc) {
        atomic_fetch_sub(&t->scraper->storing, 1);
        free(done);
    }
    return rc;
}

/* The difference to the fetch before. A restart that one kind shows holds for all kinds of the
 * target: a profile of few stacks may have grown beyond its old values and not show it itself. */
static enum delta_result difference(struct target *t, struct kind *kind, struct profile *now,
                                    struct profile *out, bool *restarted)
{
    bool stale = kind->delta.has_last && kind->base_at_fetch < t->restart_at_fetch;
    t->fetches++;
    if (stale)
        delta_free(&kind->delta);
    enum delta_result result = delta_take(&kind->delta, now, out, restarted);
    if (*restarted)
        t->restart_at_fetch = t->fetches;
    kind->base_at_fetch = t->fetches;
    *restarted |= stale;
    return result;
}

/* Decodes, differences and stores what was fetched. The kind's new state, or KIND_FAILED. */
static enum kind_state take_profile(struct target *t, enum config_kind k, struct err *e)
{
    struct profile now, out;
    bool restarted = false;
    enum delta_result result = DELTA_WHOLE;
    if (ingest_decode(&now, t->body, t->body_size, e)) {
        err_prefix(e, "%s%s", t->url, t->job->profiles[k].path);
        return KIND_FAILED;
    }
    if (!now.time_nanos)
        now.time_nanos = when_now();
    if (t->job->profiles[k].delta) {
        result = difference(t, &t->kinds[k], &now, &out, &restarted);
    } else {
        out = now;
        profile_init(&now);
    }
    int rc = result == DELTA_NOTHING ? 0 : store_profile(t, k, &out, e);
    profile_free(&out);
    if (restarted) {
        pthread_mutex_lock(&t->scraper->lock);
        t->kinds[k].restarts++;
        pthread_mutex_unlock(&t->scraper->lock);
    }
    return rc ? KIND_FAILED : result == DELTA_NOTHING ? KIND_WAITING : KIND_OK;
}

/* ---- one transfer ---- */

static size_t take_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct target *t = arg;
    size_t n = size * count;
    if (n > LIMIT_INGEST_BYTES - t->body_size) {
        t->too_large = true;
        return 0;
    }
    if (t->body_size + n > t->body_cap) {
        size_t cap = t->body_cap ? t->body_cap * 2 : 1 << 16;
        while (cap < t->body_size + n)
            cap *= 2;
        char *body = realloc(t->body, cap);
        if (!body)
            return 0;
        t->body = body;
        t->body_cap = cap;
    }
    memcpy(t->body + t->body_size, bytes, n);
    t->body_size += n;
    return n;
}

static void make_url(const struct target *t, enum config_kind k, char *url, size_t size)
{
    const struct config_profile *p = &t->job->profiles[k];
    if (k == CONFIG_CPU)
        snprintf(url, size, "%s%s?seconds=%" PRId64, t->url, p->path, p->seconds);
    else
        snprintf(url, size, "%s%s", t->url, p->path);
}

static bool start_transfer(struct target *t, enum config_kind k)
{
    char url[2048];
    const struct config_profile *p = &t->job->profiles[k];
    long timeout_ms = (long)(t->job->timeout_ns / 1000000 + p->seconds * 1000);
    make_url(t, k, url, sizeof url);
    t->body_size = 0;
    t->too_large = false;
    t->curl_error[0] = 0;
    t->kind_start_ns = monotonic();
    CURL *c = t->easy;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(t->job->timeout_ns / 1000000));
    if (curl_multi_add_handle(t->scraper->multi, c) != CURLM_OK)
        return false;
    t->scraper->running++;
    return true;
}

static CURL *make_easy(struct target *t)
{
    CURL *c = curl_easy_init();
    if (!c)
        return NULL;
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "strobe/" STROBE_VERSION);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* targets are near; a proxy would see profiles */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    return c;
}

/* The first words of an answer that is no profile: targets say there what is wrong. */
static void quote_body(const struct target *t, char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < t->body_size && n + 1 < size && t->body[i] != '\n'; i++)
        if ((unsigned char)t->body[i] >= ' ')
            text[n++] = t->body[i];
    text[n] = 0;
}

/* What came of a transfer: 0, or an error that is -ENOENT for a 404. */
static int judge(struct target *t, CURLcode code, enum config_kind k, struct err *e)
{
    char url[2048], text[200];
    long status = 0;
    make_url(t, k, url, sizeof url);
    if (t->too_large)
        return err_set(e, -EFBIG, "%.300s: the answer is larger than %u MiB", url,
                       LIMIT_INGEST_BYTES >> 20);
    if (code != CURLE_OK)
        return err_set(e, -EIO, "%.300s: %s", url,
                       t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return 0;
    quote_body(t, text, sizeof text);
    return err_set(e, status == 404 ? -ENOENT : -EIO, "%.250s: answered %ld%s%s", url, status,
                   *text ? ": " : "", text);
}

/* ---- rounds ---- */

/* The round's next kind, or its end. */
static void next_kind(struct target *t);

static void end_round(struct target *t)
{
    struct scraper *s = t->scraper;
    int64_t now = monotonic(), wall = when_now(), interval = t->job->interval_ns;
    t->turn = -1;
    t->due_ns += interval;
    if (t->due_ns <= now) /* late: stay in step, and leave out what was missed */
        t->due_ns += (now - t->due_ns) / interval * interval + interval;
    if (!t->round_error[0] && !t->answered && t->absent)
        snprintf(t->round_error, sizeof t->round_error,
                 "%s: answered 404 for every kind: is path_prefix right?", t->url);
    pthread_mutex_lock(&s->lock);
    t->state = t->answered ? TARGET_UP : TARGET_DOWN;
    t->last_ns = wall;
    t->duration_ns = now - t->round_start_ns;
    t->next_ns = wall + (t->due_ns - now);
    snprintf(t->error, sizeof t->error, "%s", t->round_error);
    t->error_ns = t->round_error[0] ? wall : 0;
    pthread_mutex_unlock(&s->lock);
}

static void begin_round(struct target *t)
{
    t->turn = -1;
    t->answered = t->absent = 0;
    t->round_error[0] = 0;
    t->round_start_ns = monotonic();
    next_kind(t);
}

static void next_kind(struct target *t)
{
    while (++t->turn < CONFIG_KINDS)
        if (t->job->profiles[order[t->turn]].enabled && start_transfer(t, order[t->turn]))
            return;
    end_round(t);
}

static void finish_transfer(struct target *t, CURLcode code)
{
    enum config_kind k = order[t->turn];
    struct kind *kind = &t->kinds[k];
    struct err e = {0};
    curl_multi_remove_handle(t->scraper->multi, t->easy);
    t->scraper->running--;
    int rc = judge(t, code, k, &e);
    enum kind_state state = rc == -ENOENT ? KIND_ABSENT : rc ? KIND_FAILED : take_profile(t, k, &e);
    t->answered += state == KIND_OK || state == KIND_WAITING;
    t->absent += state == KIND_ABSENT;
    if (state == KIND_FAILED && !t->round_error[0])
        snprintf(t->round_error, sizeof t->round_error, "%s", e.msg);
    pthread_mutex_lock(&t->scraper->lock);
    kind->state = state;
    kind->last_ns = when_now();
    kind->duration_ns = monotonic() - t->kind_start_ns;
    kind->bytes = t->body_size;
    snprintf(kind->error, sizeof kind->error, "%s", e.msg);
    pthread_mutex_unlock(&t->scraper->lock);
    /* Who does not answer at all is not asked six more times. */
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        (code == CURLE_OPERATION_TIMEDOUT && !t->body_size && k != CONFIG_CPU))
        end_round(t);
    else
        next_kind(t);
}

static void finish_transfers(struct scraper *s)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left));) {
        struct target *t;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        finish_transfer(t, m->data.result);
    }
}

/* Starts what is due; how long nothing else will be, in ms. */
static int start_rounds(struct scraper *s)
{
    int64_t now = monotonic(), wait = second;
    for (uint32_t i = 0; i < s->target_count; i++) {
        struct target *t = &s->targets[i];
        if (t->turn >= 0)
            continue;
        if (t->due_ns <= now && s->running < LIMIT_SCRAPE_TRANSFERS)
            begin_round(t);
        else if (t->due_ns - now < wait)
            wait = t->due_ns > now ? t->due_ns - now : 10000000;
    }
    return (int)(wait / 1000000) + 1;
}

static void *work(void *arg)
{
    struct scraper *s = arg;
    int running;
    while (!atomic_load(&s->stop)) {
        int wait_ms = start_rounds(s);
        curl_multi_perform(s->multi, &running);
        finish_transfers(s);
        if (!atomic_load(&s->stop))
            curl_multi_poll(s->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

/* ---- making and ending ---- */

/* Labels of the configuration, and `instance`. */
static void make_labels(struct target *t, const struct config_target *c, struct arena *a)
{
    struct store_label *labels = arena_array(a, c->label_count + 1, sizeof *labels);
    t->service_name = t->job->name;
    t->instance = c->address;
    for (uint32_t i = 0; i < c->label_count; i++) {
        if (!strcmp(c->labels[i].name, "service_name"))
            t->service_name = c->labels[i].value;
        else if (!strcmp(c->labels[i].name, "instance"))
            t->instance = c->labels[i].value;
        else
            labels[t->label_count++] = c->labels[i];
    }
    labels[t->label_count++] = (struct store_label){"instance", t->instance};
    t->labels = labels;
}

static void make_target(struct scraper *s, const struct config_job *j,
                        const struct config_target *c)
{
    struct target *t = &s->targets[s->target_count++];
    t->scraper = s;
    t->job = j;
    t->turn = -1;
    const char *prefix = strcmp(j->path_prefix, "/") ? j->path_prefix : "";
    t->url = arena_printf(&s->arena, "%s://%s%s", j->scheme, c->address, prefix);
    make_labels(t, c, &s->arena);
}

/* Rounds of many targets are spread over their interval; those of a few begin within a second. */
static void spread(struct scraper *s)
{
    for (uint32_t i = 0; i < s->target_count; i++) {
        struct target *t = &s->targets[i];
        uint64_t span = (uint64_t)s->target_count * 100000000;
        if (span > (uint64_t)t->job->interval_ns)
            span = (uint64_t)t->job->interval_ns;
        int64_t offset = (int64_t)(hash_bytes(t->url, strlen(t->url)) % span);
        t->due_ns = monotonic() + offset;
        t->next_ns = when_now() + offset;
    }
}

/* Signals are for the main thread. */
static int start_thread(struct scraper *s)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->thread, NULL, work, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static void free_scraper(struct scraper *s)
{
    for (uint32_t i = 0; i < s->target_count; i++) {
        struct target *t = &s->targets[i];
        if (t->easy && t->turn >= 0)
            curl_multi_remove_handle(s->multi, t->easy);
        curl_easy_cleanup(t->easy);
        free(t->body);
        for (int k = 0; k < CONFIG_KINDS; k++)
            delta_free(&t->kinds[k].delta);
    }
    curl_multi_cleanup(s->multi);
    pthread_mutex_destroy(&s->lock);
    arena_free(&s->arena);
    free(s);
}

int scrape_start(struct scraper **out, const struct config *c, struct store *store, struct err *e)
{
    uint32_t count = 0;
    int rc = libcurl_load(e);
    if (rc)
        return rc;
    struct scraper *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    s->config = c;
    s->store = store;
    s->multi = curl_multi_init();
    pthread_mutex_init(&s->lock, NULL);
    for (uint32_t i = 0; i < c->job_count; i++)
        count += c->jobs[i].target_count;
    s->targets = arena_zarray(&s->arena, count, sizeof *s->targets);
    for (uint32_t i = 0; i < c->job_count; i++)
        for (uint32_t k = 0; k < c->jobs[i].target_count; k++)
            make_target(s, &c->jobs[i], &c->jobs[i].targets[k]);
    bool ready = s->multi;
    for (uint32_t i = 0; i < s->target_count; i++)
        ready &= !!(s->targets[i].easy = make_easy(&s->targets[i]));
    spread(s);
    if (!ready || start_thread(s)) {
        free_scraper(s);
        return err_set(e, -ENOMEM, "out of memory starting to scrape");
    }
    *out = s;
    return 0;
}

void scrape_stop(struct scraper *s)
{
    if (!s)
        return;
    atomic_store(&s->stop, true);
    curl_multi_wakeup(s->multi);
    pthread_join(s->thread, NULL);
    while (atomic_load(&s->storing))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    free_scraper(s);
}
