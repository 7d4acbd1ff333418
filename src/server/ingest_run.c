/* SPDX-License-Identifier: MIT
 *
 * Runs of the suite that are told by their runner, as they begin and as they end. What comes in is
 * written anew from what was understood, so that nothing but sound JSON reaches the store and, by
 * it, the pages. */
#include "base/yamldoc.h"
#include "server/api.h"
#include "server/ingest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A number as JSON writes it (RFC 8259, section 6). */
static bool is_number(const char *s)
{
    static const char digits[] = "0123456789";
    s += *s == '-';
    size_t whole = strspn(s, digits);
    if (!whole || (whole > 1 && *s == '0'))
        return false;
    s += whole;
    if (*s == '.') {
        size_t fraction = strspn(++s, digits);
        if (!fraction)
            return false;
        s += fraction;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        if (!strspn(s, digits))
            return false;
        s += strspn(s, digits);
    }
    return !*s;
}

static void write_scalar(struct json *j, const struct yamldoc_node *n)
{
    errno = 0;
    if (!n->plain)
        json_cstr(j, n->key, n->text);
    else if (!strcmp(n->text, "true") || !strcmp(n->text, "false"))
        json_bool(j, n->key, *n->text == 't');
    else if (!strcmp(n->text, "null"))
        json_null(j, n->key);
    else if (!is_number(n->text))
        json_cstr(j, n->key, n->text);
    else if (strpbrk(n->text, ".eE") || (strtoll(n->text, NULL, 10), errno))
        json_double(j, n->key, strtod(n->text, NULL));
    else
        json_int(j, n->key, strtoll(n->text, NULL, 10));
}

/* The depth is yamldoc's limit. */
static void write_node(struct json *j, const struct yamldoc_node *n)
{
    if (n->kind == YAMLDOC_SCALAR) {
        write_scalar(j, n);
        return;
    }
    bool map = n->kind == YAMLDOC_MAP;
    map ? json_object(j, n->key) : json_array(j, n->key);
    for (const struct yamldoc_node *i = n->first; i; i = i->next)
        write_node(j, i);
    map ? json_object_end(j) : json_array_end(j);
}

static int read_ms(const struct yamldoc_node *n, void *at, struct err *e)
{
    int64_t ms;
    if (n->kind == YAMLDOC_SCALAR && n->plain && !strcmp(n->text, "null"))
        return 0;
    int err = yamldoc_int(n, &ms, e);
    if (err == 0 && ms > INT64_MAX / 1000000)
        return yamldoc_error(n, e, "%s: too far in the future", n->key);
    if (err == 0)
        *(int64_t *)at = ms * 1000000;
    return err;
}

static int read_metrics(const struct yamldoc_node *n, void *at, struct err *e)
{
    struct buf b;
    struct json j;
    struct yamldoc_node top = *n;
    if (n->kind != YAMLDOC_MAP)
        return yamldoc_error(n, e, "metrics: expected an object");
    top.key = NULL;
    buf_init(&b, n->doc->arena);
    json_init(&j, &b);
    write_node(&j, &top);
    *(const char **)at = buf_cstr(&b);
    return 0;
}

static int read_profiles(const struct yamldoc_node *n, void *at, struct err *e)
{
    struct store_run *run = at;
    struct yamldoc_list ids;
    int err = yamldoc_texts(n, &ids, e);
    if (err < 0)
        return err;
    struct store_profile_id *out = arena_zarray(n->doc->arena, ids.count, sizeof *out);
    for (uint32_t i = 0; i < ids.count && err == 0; i++)
        err = store_id_parse(ids.texts[i], &out[i], e);
    run->profiles = out;
    run->profile_count = ids.count;
    return err;
}

#define AT(field) offsetof(struct store_run, field)

static int read_run(struct http_exchange *x, struct store_run *run, struct err *e)
{
    static const struct yamldoc_field fields[] = {
        {"id", yamldoc_text, AT(id), true},         {"program", yamldoc_text, AT(program), true},
        {"input", yamldoc_text, AT(input), true},   {"kind", yamldoc_text, AT(kind), true},
        {"status", yamldoc_text, AT(status), true}, {"started_ms", read_ms, AT(started_ns), true},
        {"ended_ms", read_ms, AT(ended_ns), false}, {"metrics", read_metrics, AT(metrics), false},
        {"profiles", read_profiles, 0, false},      {NULL, NULL, 0, false},
    };
    struct yamldoc *doc = arena_zalloc(x->arena, sizeof *doc);
    yamldoc_init(doc, "the body", x->arena);
    int err = yamldoc_read(doc, x->body.bytes, x->body.size, e);
    if (err == 0)
        err = yamldoc_fields(doc->root, fields, run, e);
    if (err == 0 && !*run->id)
        err = err_set(e, -EINVAL, "a run needs an id");
    return err;
}

void ingest_post_run(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_run run = {.metrics = "{}"};
    struct err e = {0};
    int err = read_run(x, &run, &e);
    if (err < 0) {
        http_reply_error(x, err == -EFBIG ? 413 : 400, "%s", e.msg);
        return;
    }
    err = store_put_run(s->store, &run, &e);
    if (err < 0) {
        api_reply_error(x, err, &e);
        return;
    }
    struct api_object a = {0};
    struct json *j = api_begin(x, &a, 0);
    json_cstr(j, "id", run.id);
    api_end(x, &a);
}
