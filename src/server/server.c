/* SPDX-License-Identifier: MIT
 *
 * The server's parts and its table of routes. Starting goes from the store upwards and ending the
 * other way, so that nobody is asked who is not there: what was acknowledged is on disk before, and
 * what is being received is answered while the store is still open. Runs of the suite are ended
 * first: they still tell us how they ended. */
#include "server/server.h"
#include "base/limits.h"
#include "server/api.h"
#include "server/ingest.h"
#include "server/runner.h"
#include "server/scrape.h"
#include "server/state.h"
#include "server/when.h"
#include "web/address.h"
#include "web/assets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_MS = 5000 };

struct served {
    struct server server; /* what the routes see */
    char link[256];
};

static void serve_page(struct http_exchange *x)
{
    assets_serve_path(x, "/serve.html", 200);
}

static const struct http_route routes[] = {
    {"/", serve_page, NULL},
    {"/assets/", assets_serve, NULL},
    {"/api/v1/labels", api_labels, NULL},
    {"/api/v1/labels/", api_label_values, NULL},
    {"/api/v1/profile", api_profile, NULL},
    {"/api/v1/profiles", api_profiles, ingest_post},
    {"/api/v1/runs", api_runs, ingest_post_run},
    {"/api/v1/runs/", api_run, NULL},
    {"/api/v1/series", api_series, NULL},
    {"/api/v1/status", api_status_of_server, NULL},
    {"/api/v1/suite", api_suite, NULL},
    {"/api/v1/suite/runs", NULL, api_suite_start},
    {"/api/v1/suite/runs/cancel", NULL, api_suite_cancel},
    {"/api/v1/suite/runs/current", api_suite_current, NULL},
    {"/api/v1/targets", api_targets, NULL},
    {"/api/v1/timeline", api_timeline, NULL},
    {"/api/v1/top", api_top, NULL},
    {"/api/v1/trend", api_trend, NULL},
    {NULL, NULL, NULL},
};

static int open_store(struct server *s, const struct config *c, struct err *e)
{
    char path[PATH_MAX], url[PATH_MAX + 16];
    struct store_options o;
    store_options_default(&o);
    o.retain_ns = c->retain_ns;
    o.retain_bytes = c->retain_bytes;
    o.downsample_ns = c->downsample_ns;
    o.holder = "strobe serve";
    if (c->store)
        return store_open(&s->store, c->store, &o, e);
    int rc = state_file(path, sizeof path, "strobe.db", e);
    if (rc)
        return rc;
    snprintf(url, sizeof url, "sqlite:%s", path);
    return store_open(&s->store, url, &o, e);
}

static int start_http(struct server *s, struct err *e)
{
    struct http_options o = {.address = s->config->listen,
                             .routes = routes,
                             .not_found = assets_not_found,
                             .app = s,
                             .threads = true,
                             .token = s->token,
                             .token_path = s->token_path,
                             .body_limit = LIMIT_INGEST_BYTES,
                             .bodies_limit = LIMIT_INGEST_ALL_BYTES};
    return http_start(&s->http, &o, e);
}

int server_start(struct server **out, const struct config *c, struct err *e)
{
    struct served *served = calloc(1, sizeof *served);
    if (!served)
        return err_set(e, -ENOMEM, "out of memory");
    struct server *s = &served->server;
    struct address address;
    s->config = c;
    s->started_ns = when_now();
    int rc = address_parse(&address, c->listen, e); /* before anything is made or locked */
    if (!rc)
        rc = state_make(e);
    if (!rc)
        rc = state_token_make(s->token, e);
    if (!rc)
        rc = state_file(s->token_path, sizeof s->token_path, "token", e);
    if (!rc)
        rc = open_store(s, c, e);
    if (!rc)
        rc = runner_make(&s->runner, e);
    if (!rc && c->job_count)
        rc = scrape_start(&s->scraper, c, s->store, e);
    if (!rc)
        rc = start_http(s, e);
    if (rc) {
        server_stop(s);
        return rc;
    }
    snprintf(served->link, sizeof served->link, "%s/#token=%s", http_url(s->http), s->token);
    *out = s;
    return 0;
}

const char *server_link(const struct server *s)
{
    return ((const struct served *)s)->link;
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    runner_end(s->runner); /* what it ran is sent to us */
    http_drain(s->http, DRAIN_MS);
    runner_free(s->runner);
    scrape_stop(s->scraper);
    store_close(&s->store);
    free(s);
}
