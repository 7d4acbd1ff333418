/* SPDX-License-Identifier: MIT
 *
 * Parameters and answers of the API: one way to read a range, one to write a time, one to say what
 * is wrong. It knows no route. */
#include "server/api.h"
#include "server/when.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int api_status(int rc)
{
    switch (rc) {
    case -EINVAL:
    case -EFBIG:
    case -E2BIG: return 400;
    case -ENOENT: return 404;
    case -ENOSPC: return 507;
    case -EBUSY:
    case -EAGAIN: return 503;
    default: return 500;
    }
}

void api_reply_error(struct http_exchange *x, int rc, const struct err *e)
{
    http_reply_error(x, api_status(rc), "%s", e->msg);
}

struct json *api_begin(struct http_exchange *x, struct api_object *a, int rc)
{
    if (rc) {
        api_reply_error(x, rc, &a->e);
        return NULL;
    }
    buf_init(&a->b, x->arena);
    json_init(&a->j, &a->b);
    json_object(&a->j, NULL);
    return &a->j;
}

void api_end(struct http_exchange *x, struct api_object *a)
{
    json_object_end(&a->j);
    api_reply_json(x, &a->b);
}

void api_reply_json(struct http_exchange *x, struct buf *b)
{
    buf_putc(b, '\n');
    http_reply(x, 200, "application/json", b->data, b->len);
}

static bool read_time(struct http_exchange *x, const char *name, int64_t now, int64_t *ns)
{
    const char *text = http_query(x, name);
    struct err e = {0};
    if (!text || !*text || !when_parse(text, now, ns, &e))
        return true;
    http_reply_error(x, 400, "%s: %s", name, e.msg);
    return false;
}

bool api_read_query(struct http_exchange *x, bool all_time, struct store_query *q)
{
    const int64_t hour = 3600 * (int64_t)1000000000;
    int64_t now = when_now();
    const char *text = http_query(x, "query");
    struct err e = {0};
    *q = (struct store_query){0};
    if (text && *text && store_query_parse(q, text, x->arena, &e)) {
        http_reply_error(x, 400, "query: %s", e.msg);
        return false;
    }
    q->from_ns = all_time ? STORE_TIME_MIN : now - hour;
    q->until_ns = all_time ? STORE_TIME_MAX : now;
    if (!read_time(x, "from", now, &q->from_ns) || !read_time(x, "until", now, &q->until_ns))
        return false;
    if (q->from_ns < q->until_ns)
        return true;
    http_reply_error(x, 400, "the range is empty: from has to be before until");
    return false;
}

bool api_read_range(struct http_exchange *x, const char *from, const char *until,
                    struct store_query *q)
{
    int64_t now = when_now();
    q->from_ns = STORE_TIME_MAX;
    q->until_ns = STORE_TIME_MIN;
    if (!read_time(x, from, now, &q->from_ns) || !read_time(x, until, now, &q->until_ns))
        return false;
    if (q->from_ns < q->until_ns)
        return true;
    http_reply_error(x, 400, "the range is empty: %s has to be before %s", from, until);
    return false;
}

bool api_read_count(struct http_exchange *x, const char *name, uint32_t max, uint32_t *value)
{
    const char *text = http_query(x, name);
    if (!text || !*text)
        return true;
    size_t digits = strspn(text, "0123456789");
    unsigned long n = strtoul(text, NULL, 10);
    if (text[digits] || digits > 10 || n > max) {
        http_reply_error(x, 400, "%s has to be a number from 0 to %u", name, max);
        return false;
    }
    *value = (uint32_t)n;
    return true;
}

bool api_read_step(struct http_exchange *x, int64_t *step_ns)
{
    const char *text = http_query(x, "step");
    struct err e = {0};
    if (!text || !*text)
        return true;
    if (!when_duration(text, step_ns, &e) && *step_ns > 0)
        return true;
    http_reply_error(x, 400, "step: %s", e.msg[0] ? e.msg : "it has to be more than 0");
    return false;
}

void api_json_ms(struct json *j, const char *key, int64_t ns)
{
    int64_t ms = ns / 1000000 - (ns % 1000000 < 0);
    json_int(j, key, ms);
}

void api_json_series(struct json *j, const char *key, uint64_t series)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, series);
    json_cstr(j, key, text);
}
