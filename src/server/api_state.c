/* SPDX-License-Identifier: MIT
 *
 * The server of itself: its targets, its store, its limits. */
#include "server/api.h"
#include "server/scrape.h"
#include "strobe/version.h"

void api_targets(struct http_exchange *x)
{
    struct server *s = x->app;
    struct api_object a = {0};
    struct json *j = api_begin(x, &a, 0);
    json_array(j, "targets");
    if (s->scraper)
        scrape_write_targets(s->scraper, j);
    json_array_end(j);
    api_end(x, &a);
}

static void write_limit(struct json *j, const char *key, int64_t ns)
{
    if (ns < 0)
        json_null(j, key);
    else
        api_json_ms(j, key, ns);
}

static void write_store(struct json *j, const struct store_stats *t)
{
    json_object(j, "store");
    json_int(j, "bytes", (int64_t)t->bytes);
    if (t->retain_bytes)
        json_int(j, "retain_bytes", (int64_t)t->retain_bytes);
    else
        json_null(j, "retain_bytes");
    write_limit(j, "retain_ms", t->retain_ns);
    write_limit(j, "downsample_ms", t->downsample_ns);
    json_int(j, "series", (int64_t)t->series);
    json_int(j, "profiles", (int64_t)t->profiles);
    json_int(j, "samples", (int64_t)t->samples);
    api_json_ms(j, "first_ms", t->first_ns);
    api_json_ms(j, "last_ms", t->last_ns);
    json_int(j, "appended", (int64_t)t->appended);
    json_int(j, "duplicates", (int64_t)t->duplicates);
    json_int(j, "failed", (int64_t)t->failed);
    json_int(j, "damaged", (int64_t)t->damaged);
    json_cstr(j, "last_damage", t->last_damage);
    json_object_end(j);
}

void api_status_of_server(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_stats stats;
    struct api_object a = {0};
    int rc = store_stats(s->store, &stats, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    json_cstr(j, "version", STROBE_VERSION);
    json_cstr(j, "url", http_url(s->http));
    api_json_ms(j, "started_ms", s->started_ns);
    write_store(j, &stats);
    api_end(x, &a);
}
