/* SPDX-License-Identifier: MIT
 *
 * The suite as a client of the server's API (docs/api.md). Where none runs the store is the place;
 * see push_store.c. */
#include "suite/push.h"
#include "base/limits.h"
#include "base/whole.h"

#include "server/client.h"
#include "server/state.h"
#include "suite/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUSH_MS = 30000, FIND_MS = 2000, SAID_MAX = 1024, ID_MAX = 48 };

static int send_request(const struct suite_request *r, char *said, size_t size, struct err *e)
{
    struct suite_fetch *f;
    int err = suite_fetch_start(&f, r, e);
    if (err < 0)
        return err;
    while (!suite_fetch_wait(f, 50))
        ;
    return suite_fetch_end(f, said, size, e);
}

static int use_store(struct suite_push *p, struct err *e)
{
    p->to_store = true;
    return state_file(p->where, sizeof p->where, "strobe.db", e);
}

int suite_push_open(struct suite_push *p, bool wanted, struct err *e)
{
    const char *set = getenv("STROBE_SERVER");
    char url[4200], said[256];
    *p = (struct suite_push){0};
    if (!wanted)
        return 0;
    snprintf(p->where, sizeof p->where, "%s", set && *set ? set : "http://127.0.0.1:7070");
    size_t n = strlen(p->where);
    if (n && p->where[n - 1] == '/')
        p->where[n - 1] = 0;
    snprintf(url, sizeof url, "%s/api/v1/status", p->where);
    struct suite_request ask = {.url = url, .timeout_ms = FIND_MS};
    int status = send_request(&ask, said, sizeof said, e);
    if (status == 200 && strstr(said, "\"version\""))
        return client_token(p->where, p->token, sizeof p->token, e);
    if (!set || !*set) /* nobody there, or somebody else */
        return use_store(p, e);
    return status < 0 ? err_prefix(e, "STROBE_SERVER")
                      : err_set(e, -EPROTO, "STROBE_SERVER=%s: no strobe serve answers there", set);
}

/* ---- to a server ---- */

static int post(struct suite_push *p, const char *url, const struct suite_request *body, char *said,
                struct err *e)
{
    struct suite_request r = *body;
    r.url = url;
    r.token = *p->token ? p->token : NULL;
    r.timeout_ms = PUSH_MS;
    return send_request(&r, said, SAID_MAX, e);
}

/* Sends the profile; *id is what the server calls it. */
static int post_profile(struct suite_push *p, const struct suite_push_run *run, char *id,
                        struct err *e)
{
    const struct suite_run_name *n = run->name;
    char url[5000], said[SAID_MAX];
    struct arena arena;
    struct buf bytes;
    arena_init(&arena);
    buf_init(&bytes, &arena);
    int rc = whole_read_file(&bytes, run->profile_path, LIMIT_INGEST_BYTES);
    if (rc) {
        arena_free(&arena);
        return err_set(e, rc, "cannot read %s: %s", run->profile_path, strerror(-rc));
    }
    snprintf(url, sizeof url,
             "%s/api/v1/profiles?service_name=%s&kind=%s&label=suite=strobe&label=input=%s&"
             "label=run=%s",
             p->where, n->program, n->kind, n->input, n->batch);
    struct suite_request body = {
        .body = bytes.data, .body_size = bytes.len, .media_type = "application/octet-stream"};
    int status = post(p, url, &body, said, e);
    arena_free(&arena);
    if (status < 0)
        return status;
    if (status != 200)
        return err_set(e, -EPROTO, "%s answers %d to a profile: %s", p->where, status, said);
    const char *at = strstr(said, "\"id\":");
    if (!at || sscanf(at + 5, " \"%47[^\"]\"", id) != 1)
        id[0] = 0;
    return 0;
}

static int post_run(struct suite_push *p, const struct suite_push_run *run, const char *profile,
                    struct err *e)
{
    const struct suite_run_name *n = run->name;
    const struct suite_result *r = run->result;
    char url[4200], said[SAID_MAX], ended[32] = "null";
    struct arena a;
    struct buf b;
    if (p->no_runs)
        return 0;
    arena_init(&a);
    buf_init(&b, &a);
    if (r)
        snprintf(ended, sizeof ended, "%lld", (long long)r->ended_ns / 1000000);
    buf_printf(&b,
               "{\"id\": \"%s\", \"program\": \"%s\", \"input\": \"%s\", \"kind\": \"%s\", "
               "\"status\": \"%s\", \"started_ms\": %lld, \"ended_ms\": %s, \"profiles\": [",
               run->id, n->program, n->input, n->kind, r ? r->status : "running",
               (long long)run->started_ns / 1000000, ended);
    if (*profile)
        buf_printf(&b, "\"%s\"", profile);
    buf_puts(&b, "], \"metrics\": ");
    if (run->json)
        buf_append(&b, run->json->data, run->json->len);
    else
        buf_puts(&b, "{}");
    buf_puts(&b, "}");
    snprintf(url, sizeof url, "%s/api/v1/runs", p->where);
    struct suite_request body = {
        .body = b.data, .body_size = b.len, .media_type = "application/json"};
    int status = post(p, url, &body, said, e);
    arena_free(&a);
    if (status == 404 || status == 405) { /* it is older; the profiles are what matters */
        p->no_runs = true;
        return 0;
    }
    if (status >= 0 && status != 200)
        return err_set(e, -EPROTO, "%s answers %d to a run: %s", p->where, status, said);
    return status < 0 ? status : 0;
}

static int push_to_server(struct suite_push *p, const struct suite_push_run *run, struct err *e)
{
    char id[ID_MAX] = "";
    int err = run->result && run->result->profiled ? post_profile(p, run, id, e) : 0;
    return err < 0 ? err : post_run(p, run, id, e);
}

int suite_push_run(struct suite_push *p, const struct suite_push_run *run, struct err *e)
{
    if (!*p->where || (p->to_store && !run->result)) /* nobody could look at it meanwhile */
        return 0;
    int err = p->to_store ? suite_push_to_store(p, run, e) : push_to_server(p, run, e);
    p->sent += err == 0 && run->result;
    return err;
}

void suite_push_close(struct suite_push *p)
{
    memset(p->token, 0, sizeof p->token);
}
