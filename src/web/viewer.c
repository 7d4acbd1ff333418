/* SPDX-License-Identifier: MIT
 *
 * One profile in a browser. Bodies are built when they are first asked for and kept: the profile
 * does not change, and a reload of the page should cost nothing. The server's single thread is the
 * only one that touches them. */
#include "web/viewer.h"
#include "analyze/flame.h"
#include "web/assets.h"
#include "web/body.h"
#include "web/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct viewer {
    const struct profile *profile;
    const char *title;
    struct http_server *server;
    struct arena arena; /* of the bodies */
    struct buf *bodies; /* one a sample type; empty if not yet built */
};

static bool type_is(const struct profile *p, uint32_t type, const char *name)
{
    struct profile_str s = profile_string(p, p->sample_types[type].type);
    return s.len == strlen(name) && !memcmp(s.ptr, name, s.len);
}

/* By number, by name, or by name without "inuse_", as pprof's -sample_index. */
static bool find_type(const struct profile *p, const char *asked, uint32_t *type)
{
    *type = flame_default_type(p);
    if (!asked || !*asked)
        return true;
    char *end;
    unsigned long number = strtoul(asked, &end, 10);
    if (strchr("0123456789", *asked) && !*end && number < p->sample_type_count) {
        *type = (uint32_t)number;
        return true;
    }
    const char *short_name = strncmp(asked, "inuse_", 6) ? asked : asked + 6;
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        if (type_is(p, i, asked) || type_is(p, i, short_name)) {
            *type = i;
            return true;
        }
    }
    return false;
}

static void serve_page(struct http_exchange *x)
{
    assets_serve_path(x, "/index.html", 200);
}

static void serve_profile(struct http_exchange *x)
{
    struct viewer *v = x->app;
    const char *asked = http_query(x, "si");
    uint32_t type;
    if (!find_type(v->profile, asked, &type)) {
        http_reply_error(x, 404, "the profile has no sample type '%.100s'", asked);
        return;
    }
    struct buf *body = &v->bodies[type];
    if (!body->len) {
        buf_init(body, &v->arena);
        body_write(v->profile, v->title, type, body);
    }
    http_reply(x, 200, COLUMNS_TYPE, body->data, body->len);
}

static const struct http_route routes[] = {
    {"/", serve_page},
    {"/assets/", assets_serve},
    {"/api/profile", serve_profile},
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
    v->bodies = arena_zarray(&v->arena, (size_t)p->sample_type_count + 1, sizeof *v->bodies);
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
    arena_free(&v->arena);
    free(v);
}
