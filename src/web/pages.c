/* SPDX-License-Identifier: MIT
 *
 * pprof's addresses (google/pprof internal/driver/webui.go): where they lead, and what they refuse.
 * The page itself is the same file for every view. What its query asks for is looked at before
 * it is sent: programs that open an address get pprof's status and its line of text, browsers the
 * same status and the page, which says the same and can be used to mend it. */
#include "web/assets.h"
#include "web/configs.h"
#include "web/saved.h"
#include "web/viewer_internal.h"

#include "report/weblist.h"

#include <ctype.h>
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

/* ---- paths ---- */

/* Go's cleanPath: no empty part, no "." and no ".."; a last '/' stays. */
static char *clean_path(const char *path, struct arena *a)
{
    size_t len = strlen(path), n = 0;
    char *out = arena_alloc(a, len + 2);
    for (const char *part = path; *part;) {
        size_t size = strcspn(part, "/");
        if (size == 2 && !memcmp(part, "..", 2)) {
            while (n && out[--n] != '/')
                ;
        } else if (size && !(size == 1 && *part == '.')) {
            out[n++] = '/';
            memcpy(out + n, part, size);
            n += size;
        }
        part += size + (part[size] == '/');
    }
    if (!n || (len && path[len - 1] == '/'))
        out[n++] = '/';
    out[n] = 0;
    return out;
}

/* As Go writes a path into an address. */
static const char *escape_path(const char *path, struct arena *a)
{
    struct buf out;
    buf_init(&out, a);
    for (; *path; path++) {
        bool plain = isalnum((unsigned char)*path) || strchr("-_.~$&+,/:;=@", *path);
        if (plain)
            buf_putc(&out, *path);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*path);
    }
    return buf_cstr(&out);
}

/* Go's mux sends whoever asks for a path that is not clean to the one that is (with 301 until Go
 * 1.26). */
static bool redirect_unclean(struct http_exchange *x)
{
    const char *clean = clean_path(x->path, x->arena);
    bool unclean = strcmp(clean, x->path) != 0;
    if (unclean)
        redirect(x, 307, escape_path(clean, x->arena));
    return unclean;
}

void pages_redirect(struct http_exchange *x)
{
    if (redirect_unclean(x))
        return;
    redirect(x, 307, strcmp(x->path, "/ui") ? "/ui" : "/ui/");
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

/* What a listing would say against the query. Its text is made once more when the page asks for it;
 * nothing here is slow but disassembly. */
static int check_listing(struct http_exchange *x, const char *command, struct err *e)
{
    const struct ask *from = &((const struct viewer *)x->app)->options.ask;
    const char *expression = http_query(x, "f");
    struct buf text;
    struct ask_options o = {
        .command = command, .param = expression ? expression : "", .max_listed = ASK_LISTED};
    if (!strcmp(command, "weblist"))
        return ask_report(x, from, &o, &(struct ask_use){find_matches, NULL}, e);
    if (!strcmp(command, "peek"))
        o.granularity = "lines";
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

void pages_serve(struct http_exchange *x)
{
    const char *name = x->path + strlen("/ui/");
    if (redirect_unclean(x))
        return;
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
    else if (wants_page(x))
        assets_not_found(x);
    else
        reply_line(x, 404, "404 page not found");
}
