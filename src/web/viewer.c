/* SPDX-License-Identifier: MIT
 *
 * One profile in a browser. What is asked for is built anew each time: the page keeps what it has
 * got, and a refined profile would seldom be asked for twice. */
#include "web/viewer.h"
#include "web/assets.h"
#include "web/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* What a command prints: `report` names it, `re` is its regular expression. */
static void serve_text(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    const char *name = http_query(x, "report"), *param = http_query(x, "re");
    const struct command *c = name ? command_find(name) : NULL;
    struct err e = {0};
    struct buf text;
    if (!c || c->suffix || (c->has_param && !param)) {
        http_reply_error(x, c ? 400 : 404,
                         "no text: 'report' has to name a report that is text, "
                         "'re' the regular expression if it takes one");
        return;
    }
    struct ask_options o = {.command = name, .param = c->has_param ? param : NULL};
    if (!strcmp(name, "peek"))
        o.granularity = "lines"; /* as in pprof's page */
    if (ask_text(x, &(struct ask){.profile = v->profile}, &o, &text, &e))
        http_reply_error(x, 400, "%s", e.msg);
    else
        http_reply(x, 200, "text/plain; charset=utf-8", text.data, text.len);
}

static const struct http_route routes[] = {
    {"/", serve_page},
    {"/assets/", assets_serve},
    {"/api/profile", serve_profile},
    {"/api/text", serve_text},
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
