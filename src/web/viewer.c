/* SPDX-License-Identifier: MIT
 *
 * One profile in a browser. What is asked for is built anew each time: the page keeps what it has
 * got, and a refined profile would seldom be asked for twice. */
#include "web/viewer.h"
#include "web/assets.h"
#include "web/graph_data.h"
#include "web/text_data.h"
#include "web/view.h"

#include <errno.h>
#include <stdlib.h>

struct viewer {
    const struct profile *profile;
    const char *title;
    struct http_server *server;
};

static void serve_page(struct http_exchange *x)
{
    assets_serve_path(x, "/index.html", 200);
}

static void serve_profile(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    view_serve(x, &(struct ask){.profile = v->profile}, v->title);
}

static void serve_text(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    text_data_serve(x, &(struct ask){.profile = v->profile});
}

static void serve_graph(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    graph_data_serve(x, &(struct ask){.profile = v->profile});
}

static const struct http_route routes[] = {
    {"/", serve_page},
    {"/assets/", assets_serve},
    {"/api/profile", serve_profile},
    {"/api/text", serve_text},
    {"/api/graph", serve_graph},
    {NULL, NULL},
};

int viewer_start(struct viewer **out, const struct profile *p, const char *title,
                 const char *address, struct err *e)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(e, -ENOMEM, "out of memory");
    v->profile = p;
    v->title = title;
    struct http_options o = {
        .address = address, .routes = routes, .not_found = assets_not_found, .app = v};
    int r = http_start(&v->server, &o, e);
    if (r) {
        viewer_stop(v);
        return r;
    }
    *out = v;
    return 0;
}

const char *viewer_url(const struct viewer *v)
{
    return http_url(v->server);
}

void viewer_stop(struct viewer *v)
{
    if (!v)
        return;
    http_stop(v->server);
    free(v);
}
