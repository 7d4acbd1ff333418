/* SPDX-License-Identifier: MIT
 *
 * -http: the profile on a page until a signal (google/pprof internal/driver/webui.go,
 * serveWebInterface). What is printed, and in which order against errors, is pprof's; that a free
 * port's number is printed also where 0 was given is ours. */
#include "pprof/external.h"
#include "pprof/listen.h"
#include "pprof/output.h"
#include "pprof/pprof_internal.h"
#include "web/configs.h"
#include "web/http.h"
#include "web/saved.h"
#include "web/viewer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "cpu.pb.gz", or "cpu.pb.gz and 2 more". */
static const char *make_title(const struct source *s, struct arena *a)
{
    const char *file = s->files[0], *slash = strrchr(file, '/');
    if (!strcmp(file, "-") && !s->exact)
        file = "standard input";
    else if (slash && slash[1] && !strstr(file, "://"))
        file = slash + 1;
    return s->file_count == 1 ? file : arena_printf(a, "%s and %d more", file, s->file_count - 1);
}

static bool has_variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v;
}

/* pprof tries browsers wherever its output is a terminal; `strobe web`, which needs no -http to
 * begin with, only where one can open a window. */
static bool wants_browser(const struct source *s)
{
    if (s->no_browser || !isatty(STDOUT_FILENO))
        return false;
    return s->exact || has_variable("BROWSER") || has_variable("DISPLAY") ||
           has_variable("WAYLAND_DISPLAY");
}

/* The page's address with the settings that are not the defaults. */
static void open_browser(const char *url, const struct settings *settings, struct arena *a)
{
    struct settings copy = *settings;
    struct settings_params params = {0};
    struct buf address;
    struct err e = {0};
    settings_to_url(&copy, &params, a);
    buf_init(&address, a);
    buf_puts(&address, url);
    buf_puts(&address, params.count ? "?" : "");
    settings_params_encode(&params, &address);
    if (output_browse(buf_cstr(&address), &e))
        ui_error(buf_cstr(&address));
}

/* Whoever waits for pprof sees it end as it did: by the signal. */
static void end_by(int number, const sigset_t *blocked)
{
    signal(number, SIG_DFL);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, blocked, NULL);
}

static int serve(const struct viewer_options *o, const struct request *r, struct arena *a,
                 struct err *e)
{
    sigset_t ending;
    struct viewer *viewer;
    int number;
    http_block_ending_signals(&ending);
    int rc = viewer_start(&viewer, o, e);
    if (rc)
        return rc;
    ui_print(arena_printf(a, "Serving web UI on %s", o->url));
    if (wants_browser(&r->source))
        open_browser(o->url, &r->settings, a);
    sigwait(&ending, &number);
    viewer_stop(viewer);
    if (r->source.exact)
        end_by(number, &ending);
    return 0;
}

static void say_line(void *arg, const char *line)
{
    (void)arg;
    ui_error(line);
}

/* -export: nothing is served. */
static int save_page(const struct viewer_options *o, const char *path, struct arena *a,
                     struct err *e)
{
    struct buf page;
    struct saved_options s = {
        .ask = o->ask, .title = o->title, .query = "", .say = {.line = say_line}};
    buf_init(&page, a);
    int rc = saved_write(&page, &s, e);
    if (!rc)
        rc = profile_write_bytes(&page, path, e);
    if (!rc && strcmp(path, "-") != 0)
        ui_print(arena_printf(a, "Saved the page as %s, %zu kB", path, (page.len + 999) / 1000));
    return rc;
}

int serve_run(struct profile *p, const struct request *r, struct err *e)
{
    struct listen l;
    struct arena arena;
    struct viewer_options o = {.ask = {.profile = p,
                                       .settings = &r->settings,
                                       .tools = r->source.tools,
                                       .symbolize = r->source.symbolize},
                               .say = ui_error};
    arena_init(&arena);
    if (*r->source.export) {
        o.title = make_title(&r->source, &arena);
        int saved = save_page(&o, r->source.export, &arena, e);
        arena_free(&arena);
        return saved;
    }
    int rc = listen_parse(&l, r->source.http, e);
    if (!rc)
        rc = configs_find(&o.configs_path, &arena, e);
    if (!rc) {
        rc = listen_open(&l, e);
        if (rc && *l.port)
            ui_print(arena_printf(&arena, "Serving web UI on %s", l.url));
    }
    if (!rc) {
        o.title = make_title(&r->source, &arena);
        o.socket = l.fd;
        o.url = l.url;
        o.host = l.host;
        rc = serve(&o, r, &arena, e);
    }
    arena_free(&arena);
    return rc;
}
