/* SPDX-License-Identifier: MIT
 *
 * The suite as a client of the server's API (docs/api.md). The run's batch and number stay out of
 * the labels but for `run`, so that the series of a program's kind goes on from batch to batch. */
#include "suite/push.h"

#include "suite/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUSH_MS = 30000, FIND_MS = 2000 };

/* The token's file stands beside our own results' folder: STATE/token. */
static void read_token(struct suite_push *p)
{
    struct arena a;
    struct err e;
    arena_init(&a);
    const char *state = suite_state(&a, &e);
    FILE *f = state ? fopen(arena_printf(&a, "%s/../token", state), "re") : NULL;
    if (f) {
        if (!fgets(p->token, sizeof p->token, f))
            p->token[0] = 0;
        fclose(f);
    }
    p->token[strcspn(p->token, "\r\n")] = 0;
    arena_free(&a);
}

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

int suite_push_open(struct suite_push *p, bool wanted, struct err *e)
{
    const char *set = getenv("STROBE_SERVER");
    char url[320], said[256];
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
    if (status == 200 && strstr(said, "\"version\"")) {
        read_token(p);
        return 0;
    }
    if (!set || !*set) { /* nobody, or somebody else */
        p->where[0] = 0;
        return 0;
    }
    return status < 0 ? err_prefix(e, "STROBE_SERVER")
                      : err_set(e, -EPROTO, "STROBE_SERVER=%s: no strobe serve answers there", set);
}

static char *read_all(const char *path, size_t *size)
{
    FILE *f = fopen(path, "re");
    char *bytes = NULL;
    if (f && fseek(f, 0, SEEK_END) == 0 && (bytes = malloc((size_t)ftell(f) + 1))) {
        *size = (size_t)ftell(f);
        rewind(f);
        if (fread(bytes, 1, *size, f) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (f)
        fclose(f);
    return bytes;
}

int suite_push_profile(struct suite_push *p, const struct suite_run_name *n, const char *path,
                       struct err *e)
{
    char url[1024], said[512];
    size_t size = 0;
    if (!*p->where)
        return 0;
    char *bytes = read_all(path, &size);
    if (!bytes)
        return err_set(e, -EIO, "cannot read %s", path);
    snprintf(url, sizeof url,
             "%s/api/v1/profiles?service_name=%s&kind=%s&label=suite=strobe&label=input=%s&"
             "label=run=%s",
             p->where, n->program, n->kind, n->input, n->batch);
    struct suite_request post = {.url = url,
                                 .body = bytes,
                                 .body_size = size,
                                 .token = *p->token ? p->token : NULL,
                                 .media_type = "application/octet-stream",
                                 .timeout_ms = PUSH_MS};
    int status = send_request(&post, said, sizeof said, e);
    free(bytes);
    if (status < 0)
        return status;
    if (status != 200)
        return err_set(e, -EPROTO, "%s answers %d to a profile: %s", p->where, status, said);
    p->sent++;
    return 0;
}

void suite_push_close(struct suite_push *p)
{
    memset(p->token, 0, sizeof p->token);
}
