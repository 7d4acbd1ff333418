/* SPDX-License-Identifier: MIT
 *
 * Takes profiles over HTTP. A request is answered with 200 when the store says that it is on disk,
 * and with a sentence for people otherwise: who pushes reads it in a terminal. Nothing of a request
 * that is refused is kept. */
#include "server/ingest.h"
#include "base/gzip.h"
#include "base/limits.h"
#include "server/api.h"
#include "server/labels.h"
#include "server/when.h"
#include "web/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

static int inflate_body(struct arena *a, const void **bytes, size_t *size, struct err *e)
{
    struct gzip_input in = {*bytes, *size, LIMIT_INGEST_PROFILE};
    void *plain;
    int rc = gzip_inflate_input(a, &in, &plain, size, e);
    *bytes = plain;
    return rc;
}

static int check_plain_size(size_t size, struct err *e)
{
    if (size <= LIMIT_INGEST_PROFILE)
        return 0;
    return err_set(e, -EFBIG, "the profile is larger than %u MiB", LIMIT_INGEST_PROFILE >> 20);
}

int ingest_decode(struct profile *p, const void *bytes, size_t size, struct err *e)
{
    struct arena scratch = {0};
    int rc = 0;
    if (gzip_is(bytes, size))
        rc = inflate_body(&scratch, &bytes, &size, e);
    if (!rc)
        rc = check_plain_size(size, e);
    if (!rc)
        rc = profile_decode(p, bytes, size, false, e);
    if (rc)
        err_prefix(e, "%s", profile_stage(rc));
    arena_free(&scratch);
    return rc;
}

/* ---- the request's parameters ---- */

struct ingest {
    struct http_exchange *x;
    struct store_append append;
    struct store_label labels[LIMIT_INGEST_LABELS];
    char kind[64];
    struct err *e;
    int rc;
};

static int add_label(struct ingest *g, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return err_set(g->e, -EINVAL, "label=%.64s: give NAME=VALUE", text);
    const char *name = arena_strndup(g->x->arena, text, (size_t)(equals - text));
    const char *value = equals + 1;
    int rc = labels_check(name, value, g->e);
    if (rc)
        return rc;
    if (!strcmp(name, "service_name"))
        return err_set(g->e, -EINVAL, "service_name is a parameter of its own");
    for (uint32_t i = 0; i < g->append.label_count; i++)
        if (!strcmp(g->labels[i].name, name))
            return err_set(g->e, -EINVAL, "the label '%.64s' is given twice", name);
    if (g->append.label_count == LIMIT_INGEST_LABELS)
        return err_set(g->e, -EINVAL, "more than %d labels", LIMIT_INGEST_LABELS);
    g->labels[g->append.label_count++] = (struct store_label){name, value};
    return 0;
}

static int take_kind(struct ingest *g, const char *value)
{
    if (!strcmp(value, "threads"))
        value = "goroutine";
    if (labels_check(value, "kind", NULL))
        return err_set(g->e, -EINVAL, "'%.64s' is no kind: cpu, heap, block, mutex …", value);
    g->append.kind = value;
    return 0;
}

static bool take_parameter(void *arg, const char *name, const char *value)
{
    struct ingest *g = arg;
    if (!strcmp(name, "service_name")) {
        g->rc = labels_check(name, value, g->e);
        g->append.service_name = value;
    } else if (!strcmp(name, "kind")) {
        g->rc = take_kind(g, value);
    } else if (!strcmp(name, "label")) {
        g->rc = add_label(g, value);
    } else if (!strcmp(name, "time")) {
        g->rc = when_parse(value, when_now(), &g->append.time_ns, g->e);
    } else {
        g->rc = err_set(g->e, -EINVAL,
                        "there is no parameter '%.64s': there are service_name, kind, time, and "
                        "label=NAME=VALUE",
                        name);
    }
    return !g->rc;
}

static int read_parameters(struct ingest *g)
{
    http_query_each(g->x, take_parameter, g);
    if (!g->rc && !g->append.service_name)
        g->rc = err_set(g->e, -EINVAL,
                        "whose profile is it? Give service_name, as in ?service_name=api");
    g->append.labels = g->labels;
    return g->rc;
}

/* ---- the body ---- */

/* Undoes Content-Encoding; the profile inside may be gzip'ed as well. */
static int read_body(struct ingest *g, struct profile *p)
{
    const void *bytes = g->x->body.bytes;
    size_t size = g->x->body.size;
    const char *encoding = http_header(g->x, "Content-Encoding");
    if (!size)
        return err_set(g->e, -ENODATA, "the body is empty: send a profile");
    if (encoding && !strcasecmp(encoding, "gzip") && gzip_is(bytes, size)) {
        int rc = inflate_body(g->x->arena, &bytes, &size, g->e);
        if (rc)
            return rc;
    } else if (encoding && *encoding && strcasecmp(encoding, "identity")) {
        return err_set(g->e, -EOPNOTSUPP, "Content-Encoding '%.32s' is not read here: use gzip",
                       encoding);
    }
    return ingest_decode(p, bytes, size, g->e);
}

static int status_of(int rc)
{
    switch (rc) {
    case -EINVAL:
    case -EBADMSG:
    case -ENODATA:
    case -EPROTO: return 400;
    case -EFBIG: return 413;
    case -EOPNOTSUPP: return 415;
    default: return api_status(rc);
    }
}

static void reply_stored(struct http_exchange *x, const struct store_profile_id *id, bool stored)
{
    char text[STORE_ID_TEXT_MAX];
    struct buf b;
    struct json j;
    buf_init(&b, x->arena);
    json_init(&j, &b);
    store_id_format(*id, text);
    json_object(&j, NULL);
    json_cstr(&j, "id", text);
    api_json_series(&j, "series", id->series);
    json_bool(&j, "stored", stored);
    json_object_end(&j);
    api_reply_json(x, &b);
}

void ingest_post(struct http_exchange *x)
{
    struct server *s = x->app;
    struct err e = {0};
    struct ingest g = {.x = x, .e = &e, .append = {.lost_samples = -1}};
    struct profile p;
    struct store_profile_id id;
    int rc = read_parameters(&g);
    if (!rc)
        rc = read_body(&g, &p);
    if (rc) {
        http_reply_error(x, status_of(rc), "%s", e.msg);
        return;
    }
    if (!g.append.kind) {
        labels_kind(&p, g.kind, sizeof g.kind);
        g.append.kind = g.kind;
    }
    g.append.profile = &p;
    rc = store_append(s->store, &g.append, &id, &e);
    profile_free(&p);
    if (rc < 0)
        http_reply_error(x, rc == -EINVAL ? 422 : api_status(rc), "%s", e.msg);
    else
        reply_stored(x, &id, rc == 0);
}
