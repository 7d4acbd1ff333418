/* SPDX-License-Identifier: MIT
 *
 * What the suite has said so far. Its events are read as strictly as anything that comes by a pipe:
 * what is missing or odd is left out, and memory is bounded by the number of runs. */
#include "server/runner_internal.h"

#include "base/yamldoc.h"
#include "server/when.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

int64_t session_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void session_init(struct session *s, const struct runner_ask *ask)
{
    *s = (struct session){.step_done = -1, .cpu_percent = -1, .rss_bytes = -1};
    arena_init(&s->a);
    s->program = arena_strdup(&s->a, ask->program);
    s->input = arena_strdup(&s->a, ask->input);
    s->kind = arena_strdup(&s->a, ask->kind);
    s->batch = s->step = s->error = "";
    s->started_ms = when_now() / 1000000;
    s->began_ms = session_clock_ms();
}

void session_free(struct session *s)
{
    for (size_t i = 0; i < LIMIT_SUITE_LINES; i++)
        free(s->lines[i]);
    arena_free(&s->a);
}

/* ---- lines for people ---- */

void session_take_line(struct session *s, const char *line, size_t len)
{
    char *copy = strndup(line, len), **at = &s->lines[s->line_count % LIMIT_SUITE_LINES];
    if (!copy)
        return;
    free(*at);
    *at = copy;
    s->line_count++;
}

const char *session_last_line(const struct session *s)
{
    static const char prefix[] = "strobe suite: ";
    const char *line = s->line_count ? s->lines[(s->line_count - 1) % LIMIT_SUITE_LINES] : "";
    return strncmp(line, prefix, sizeof prefix - 1) ? line : line + sizeof prefix - 1;
}

/* ---- events ---- */

/* The text of a member, in the session's arena; "" where there is none. */
static const char *keep_text(struct session *s, const struct yamldoc_node *n, const char *key)
{
    const char *text = yamldoc_get_text(n, key);
    return text ? arena_strdup(&s->a, text) : "";
}

static double number(const struct yamldoc_node *n, const char *key)
{
    const char *text = yamldoc_get_text(n, key);
    return text && strcmp(text, "null") ? strtod(text, NULL) : -1;
}

static const struct yamldoc_node *list(const struct yamldoc_node *n, const char *key)
{
    const struct yamldoc_node *l = yamldoc_get(n, key);
    return l && l->kind == YAMLDOC_LIST ? l : NULL;
}

static void take_plan(struct session *s, const struct yamldoc_node *event)
{
    const struct yamldoc_node *runs = list(event, "runs"), *skipped = list(event, "skipped");
    if (s->planned)
        return;
    s->planned = true;
    s->batch = keep_text(s, event, "batch");
    s->runs = arena_zarray(&s->a, runs ? runs->count : 0, sizeof *s->runs);
    for (const struct yamldoc_node *n = runs ? runs->first : NULL; n; n = n->next)
        s->runs[s->run_count++] = (struct session_run){
            .id = keep_text(s, n, "id"),
            .program = keep_text(s, n, "program"),
            .input = keep_text(s, n, "input"),
            .kind = keep_text(s, n, "kind"),
            .state = "waiting",
            .error = "",
            .expected_ms = (int64_t)number(n, "expected_ms"),
        };
    s->skipped = arena_zarray(&s->a, skipped ? skipped->count : 0, sizeof *s->skipped);
    for (const struct yamldoc_node *n = skipped ? skipped->first : NULL; n; n = n->next)
        s->skipped[s->skipped_count++] =
            (struct session_skipped){keep_text(s, n, "program"), keep_text(s, n, "why")};
}

static void forget_step(struct session *s)
{
    s->step = "";
    s->step_done = s->cpu_percent = s->rss_bytes = -1;
}

static void take_begin(struct session *s, const struct yamldoc_node *event)
{
    const char *id = yamldoc_get_text(event, "id");
    for (uint32_t i = 0; id && i < s->run_count; i++) {
        struct session_run *r = &s->runs[i];
        if (strcmp(r->id, id) || r->began_ms)
            continue;
        r->state = "running";
        r->began_ms = session_clock_ms();
        s->now = r;
        forget_step(s);
        return;
    }
}

static void take_step(struct session *s, const struct yamldoc_node *event)
{
    const char *step = yamldoc_get_text(event, "step");
    if (!s->now)
        return;
    if (step && strcmp(step, s->step)) /* once for each part of a run: that is bounded */
        s->step = arena_strdup(&s->a, step);
    s->step_done = number(event, "done");
    s->cpu_percent = number(event, "cpu_percent");
    s->rss_bytes = number(event, "rss_bytes");
}

static void take_end(struct session *s, const struct yamldoc_node *event)
{
    struct session_run *r = s->now;
    if (!r)
        return;
    r->state = keep_text(s, event, "status");
    r->error = keep_text(s, event, "error");
    r->ended_ms = session_clock_ms();
    s->done++;
    s->now = NULL;
    forget_step(s);
}

static void take_done(struct session *s, const struct yamldoc_node *event)
{
    const char *stopped = yamldoc_get_text(event, "stopped");
    bool failed = number(event, "failed") > 0 || number(event, "not_stored") > 0 ||
                  number(event, "passed") <= 0;
    s->finished = true;
    s->result = stopped && !strcmp(stopped, "true") ? "stopped" : failed ? "failed" : "passed";
    s->error = keep_text(s, event, "error");
}

void session_take_event(struct session *s, const char *line, size_t len)
{
    static const struct {
        const char *name;
        void (*take)(struct session *s, const struct yamldoc_node *event);
    } events[] = {{"plan", take_plan},
                  {"begin", take_begin},
                  {"step", take_step},
                  {"end", take_end},
                  {"done", take_done}};
    struct arena a;
    struct yamldoc doc;
    struct err ignored;
    arena_init(&a);
    yamldoc_init(&doc, "an event", &a);
    const char *name =
        yamldoc_read(&doc, line, len, &ignored) ? NULL : yamldoc_get_text(doc.root, "event");
    for (size_t i = 0; name && i < sizeof events / sizeof *events; i++)
        if (!strcmp(events[i].name, name))
            events[i].take(s, doc.root);
    arena_free(&a);
}

void session_over(struct session *s, int status)
{
    s->ended_ms = when_now() / 1000000;
    s->over_ms = session_clock_ms();
    if (s->now) { /* it did not get to say how it ended */
        s->now->state = s->stopping ? "stopped" : "failed";
        s->now->ended_ms = s->over_ms;
        s->now = NULL;
    }
    if (s->finished)
        return;
    s->result = s->stopping ? "stopped" : "failed";
    if (s->stopping)
        return;
    s->error = WIFSIGNALED(status)
                   ? arena_printf(&s->a, "the suite was killed by signal %d; it said: %s",
                                  WTERMSIG(status), session_last_line(s))
                   : arena_strdup(&s->a, session_last_line(s));
}

/* ---- telling ---- */

static void write_or_null(struct json *j, const char *key, double v)
{
    if (v < 0)
        json_null(j, key);
    else
        json_double(j, key, v);
}

static int64_t elapsed(const struct session_run *r)
{
    return (r->ended_ms ? r->ended_ms : session_clock_ms()) - r->began_ms;
}

/* Opens the object of a run. */
static void write_run(struct json *j, const char *key, const struct session_run *r)
{
    json_object(j, key);
    json_cstr(j, "id", r->id);
    json_cstr(j, "program", r->program);
    json_cstr(j, "input", r->input);
    json_cstr(j, "kind", r->kind);
    if (r->began_ms)
        json_int(j, "elapsed_ms", elapsed(r));
    else
        json_null(j, "elapsed_ms");
    json_int(j, "expected_ms", r->expected_ms);
}

static void write_now(const struct session *s, struct json *j)
{
    if (!s->now) {
        json_null(j, "now");
        return;
    }
    write_run(j, "now", s->now);
    json_cstr(j, "step", s->step);
    write_or_null(j, "step_done", s->step_done);
    write_or_null(j, "cpu_percent", s->cpu_percent);
    write_or_null(j, "rss_bytes", s->rss_bytes);
    json_object_end(j);
}

/* What has passed, and what the rest may take. */
static int64_t expected(const struct session *s)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->run_count; i++) {
        const struct session_run *r = &s->runs[i];
        int64_t passed = r->began_ms ? elapsed(r) : 0;
        sum += r->ended_ms || passed > r->expected_ms ? passed : r->expected_ms;
    }
    return sum;
}

static void write_times(const struct session *s, struct json *j)
{
    if (s->started_ms)
        json_int(j, "started_ms", s->started_ms);
    else
        json_null(j, "started_ms");
    if (s->ended_ms)
        json_int(j, "ended_ms", s->ended_ms);
    else
        json_null(j, "ended_ms");
    int64_t until = s->ended_ms || !s->started_ms ? s->over_ms : session_clock_ms();
    json_int(j, "elapsed_ms", until - s->began_ms);
    json_int(j, "expected_ms", expected(s));
}

static void write_lists(const struct session *s, struct json *j)
{
    uint64_t dropped = s->line_count > LIMIT_SUITE_LINES ? s->line_count - LIMIT_SUITE_LINES : 0;
    json_array(j, "runs");
    for (uint32_t i = 0; i < s->run_count; i++) {
        write_run(j, NULL, &s->runs[i]);
        json_cstr(j, "state", s->runs[i].state);
        json_cstr(j, "error", s->runs[i].error);
        json_object_end(j);
    }
    json_array_end(j);
    json_array(j, "skipped");
    for (uint32_t i = 0; i < s->skipped_count; i++) {
        json_object(j, NULL);
        json_cstr(j, "program", s->skipped[i].program);
        json_cstr(j, "why", s->skipped[i].why);
        json_object_end(j);
    }
    json_array_end(j);
    json_array(j, "lines");
    for (uint64_t i = dropped; i < s->line_count; i++)
        json_cstr(j, NULL, s->lines[i % LIMIT_SUITE_LINES]);
    json_array_end(j);
    json_int(j, "lines_dropped", (int64_t)dropped);
}

void session_write(const struct session *s, struct json *j)
{
    const char *state = s->ended_ms ? "ended" : s->stopping ? "stopping" : "running";
    json_cstr(j, "state", s->started_ms ? state : "none");
    if (s->result)
        json_cstr(j, "result", s->result);
    else
        json_null(j, "result");
    json_cstr(j, "error", s->error);
    json_cstr(j, "batch", s->batch);
    json_cstr(j, "program", s->program);
    json_cstr(j, "input", s->input);
    json_cstr(j, "kind", s->kind);
    write_times(s, j);
    json_int(j, "done", s->done);
    json_int(j, "total", s->run_count);
    write_now(s, j);
    write_lists(s, j);
}
