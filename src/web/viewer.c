/* SPDX-License-Identifier: MIT
 *
 * One profile in a browser. What is asked for is built anew each time: the page keeps what it has
 * got, and a refined profile would seldom be asked for twice. */
#include "web/viewer_internal.h"
#include "web/assets.h"
#include "web/configs.h"
#include "web/graph_data.h"
#include "web/source_data.h"
#include "web/text_data.h"
#include "web/view.h"

#include <errno.h>
#include <stdlib.h>

static void serve_profile(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    view_serve(x, &v->options.ask, v->options.title);
}

static void serve_text(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    text_data_serve(x, &v->options.ask);
}

static void serve_graph(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    graph_data_serve(x, &v->options.ask);
}

static void serve_configs(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    configs_serve(x, v->options.configs_path);
}

static void serve_source(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    source_data_serve(x, &v->options.ask);
}

static const struct http_route routes[] = {
    {.path = "/ui/", .serve = pages_serve, .any_method = true},
    {.path = "/assets/", .serve = assets_serve},
    {.path = "/api/profile", .serve = serve_profile},
    {.path = "/api/text", .serve = serve_text},
    {.path = "/api/graph", .serve = serve_graph},
    {.path = "/api/source", .serve = serve_source},
    {.path = "/api/configs", .serve = serve_configs},
    {.path = "/api/", .serve = assets_not_found},
    {.path = NULL},
};

int viewer_start(struct viewer **out, const struct viewer_options *o, struct err *e)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(e, -ENOMEM, "out of memory");
    v->options = *o;
    struct http_options http = {.socket = o->socket,
                                .url = o->url,
                                .host = o->host,
                                .routes = routes,
                                .not_found = pages_serve,
                                .not_found_any_method = true,
                                .app = v};
    int r = http_start(&v->server, &http, e);
    if (r) {
        viewer_stop(v);
        return r;
    }
    *out = v;
    return 0;
}

void viewer_stop(struct viewer *v)
{
    if (!v)
        return;
    http_stop(v->server);
    free(v);
}
