/* SPDX-License-Identifier: MIT
 *
 * pprof's addresses (google/pprof internal/driver/webui.go): where they lead, and what they refuse.
 * The page itself is the same file for every view. What its query asks for is looked at before
 * it is sent: programs that open an address get pprof's status and its line of text, browsers the
 * same status and the page, which says the same and can be used to mend it. */
#include "web/assets.h"
#include "web/configs.h"
#include "web/mux.h"
#include "web/saved.h"
#include "web/viewer_internal.h"

#include "report/weblist.h"

#include <errno.h>
#include <string.h>

static void reply_line(struct http_exchange *x, int status, const char *line)
{
    const char *text = arena_printf(x->arena, "%s\n", line);
    http_reply(x, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* Whether a person asks, with a browser: the page explains better than a line does. */
static bool wants_page(const struct http_exchange *x)
{
    const char *accept = http_header(x, "Accept");
    return accept && strstr(accept, "text/html");
}

static void refuse(struct http_exchange *x, const struct err *e)
{
    const struct viewer *v = x->app;
    v->options.say(e->msg);
    reply_line(x, 400, e->msg);
}

static void redirect(struct http_exchange *x, int status, const char *to)
{
    http_reply_header(x, "Location",
                      *x->query ? arena_printf(x->arena, "%s?%s", to, x->query) : to);
    http_reply(x, status, "text/plain; charset=utf-8", "", 0);
}

static void reply_nowhere(struct http_exchange *x)
{
    if (wants_page(x))
        assets_not_found(x);
    else
        reply_line(x, 404, "404 page not found");
}

/* ---- views ---- */

/* Stops before anything is listed: all that can be wrong is known. */
static int find_matches(struct report *r, void *arg, struct err *e)
{
    struct weblist w;
    (void)arg;
    int rc = weblist_make(&w, r, 0, e);
    weblist_free(&w);
    return rc;
}

static int check_peek(struct report *r, void *arg, struct err *e)
{
    (void)arg;
    return report_tree_check(r, e);
}

/* What a listing would say against the query. Who gets the page asks for the text with the next
 * request, so it is not made here: of what is disassembled, which takes another program's time,
 * the first function says whether that program is there. */
static int check_listing(struct http_exchange *x, const char *command, struct err *e)
{
    const struct ask *from = &((const struct viewer *)x->app)->options.ask;
    const char *expression = http_query(x, "f");
    struct buf text;
    struct ask_options o = {.command = command,
                            .param = expression ? expression : "",
                            .max_listed = wants_page(x) ? 1 : ASK_LISTED};
    if (!strcmp(command, "weblist"))
        return ask_report(x, from, &o, &(struct ask_use){find_matches, NULL}, e);
    if (!strcmp(command, "peek")) {
        o.granularity = "lines";
        return ask_report(x, from, &o, &(struct ask_use){check_peek, NULL}, e);
    }
    return ask_text(x, from, &o, &text, e);
}

static int check_query(struct http_exchange *x, struct err *e)
{
    const struct viewer *v = x->app;
    struct ask_read asked;
    int rc = ask_read(x, &v->options.ask, &asked, e);
    struct prepare_request q = {.settings = &asked.settings,
                                .more = asked.more,
                                .more_count = asked.more_count,
                                .say = ask_say(x)};
    return rc ? rc : prepare_check(v->options.ask.profile, &q, e);
}

static void serve_view(struct http_exchange *x, const char *listing)
{
    struct err e = {0};
    int rc = listing ? check_listing(x, listing, &e) : check_query(x, &e);
    if (rc)
        refuse(x, &e);
    if (!rc || wants_page(x))
        assets_serve_path(x, "/index.html", rc ? 400 : 200);
}

/* ---- the rest ---- */

static void serve_download(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    struct err e = {0};
    struct buf bytes;
    buf_init(&bytes, x->arena);
    if (profile_encode_gzip(v->options.ask.profile, &bytes, &e)) {
        http_reply_error(x, 500, "%s", e.msg);
        return;
    }
    http_reply(x, 200, "application/vnd.google.protobuf+gzip", bytes.data, bytes.len);
    http_reply_header(x, "Content-Disposition", "attachment;filename=profile.pb.gz");
}

/* The page with what the address asks for, as one file. */
static void serve_export(struct http_exchange *x)
{
    const struct viewer *v = x->app;
    struct err e = {0};
    struct buf page;
    struct saved_options o = {
        .ask = v->options.ask, .title = v->options.title, .query = x->query, .say = ask_say(x)};
    buf_init(&page, x->arena);
    if (saved_write(&page, &o, &e)) {
        refuse(x, &e);
        return;
    }
    http_reply(x, 200, "text/html; charset=utf-8", page.data, page.len);
    http_reply_header(x, "Content-Disposition", "attachment;filename=profile.html");
}

/* pprof changes its file for whoever asks, by any method. The page asks by POST; a typed address
 * and a script may ask by GET as ever, other sites may not. */
static void change_configs(struct http_exchange *x, bool save)
{
    const struct viewer *v = x->app;
    struct err e = {0};
    if (!http_is_own_request(x)) {
        reply_line(x, 403, "settings are not changed for other pages");
        return;
    }
    if (save ? configs_save(x, &v->options.ask, v->options.configs_path, &e)
             : configs_delete(x, v->options.configs_path, &e))
        refuse(x, &e);
    else
        http_reply(x, 200, "text/plain; charset=utf-8", "", 0);
}

static const struct {
    const char *name, *listing;
} views[] = {{"flamegraph", NULL}, {"top", NULL},         {"graph", NULL},
             {"peek", "peek"},     {"source", "weblist"}, {"disasm", "disasm"}};

static void serve_below_ui(struct http_exchange *x, const char *name)
{
    if (!*name || !strcmp(name, "flamegraph2") || !strcmp(name, "flamegraphold")) {
        redirect(x, 301, "flamegraph");
        return;
    }
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        if (!strcmp(name, views[i].name)) {
            serve_view(x, views[i].listing);
            return;
        }
    }
    if (!strcmp(name, "download"))
        serve_download(x);
    else if (!strcmp(name, "export"))
        serve_export(x);
    else if (!strcmp(name, "saveconfig") || !strcmp(name, "deleteconfig"))
        change_configs(x, *name == 's');
    else
        reply_nowhere(x);
}

void pages_serve(struct http_exchange *x)
{
    static const char bad[] = "400 Bad Request";
    struct mux_place place = mux_find(x->raw_path, x->arena);
    switch (place.kind) {
    case MUX_BAD: http_reply(x, 400, "text/plain; charset=utf-8", bad, sizeof bad - 1); break;
    case MUX_REDIRECT: /* 301 until Go 1.26 */ redirect(x, 307, place.text); break;
    case MUX_UI: serve_below_ui(x, place.text); break;
    case MUX_OTHER: redirect(x, 307, "/ui"); break;
    case MUX_NOTHING: reply_nowhere(x); break;
    }
}
