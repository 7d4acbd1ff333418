/* SPDX-License-Identifier: MIT
 *
 * From the parameters of a request to a report: the settings of the command line, then those of
 * the address, then what the view needs, then report/prepare.c. Everything of one request lives in
 * the exchange's arena; the profile that is shown is never changed. */
#include "web/ask.h"

#include "base/limits.h"
#include "web/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters ---- */

static const char *get_value(void *arg, const char *name)
{
    const struct http_exchange *x = arg;
    const char *value = http_query(x, name);
    if (value && !strcmp(name, "sort") && !strcmp(value, "name"))
        return NULL; /* the page's own order; pprof has no such */
    return value ? arena_strndup(x->arena, value, strlen(value)) : NULL;
}

/* Kinds of which there may be several. */
static const struct option *find_repeatable(const char *parameter)
{
    static const char *const names[] = {"focus",     "ignore",   "hide",     "show",
                                        "show_from", "tagfocus", "tagignore"};
    const char *choice;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct option *o = settings_find(names[i], &choice);
        if (!strcmp(o->url, parameter))
            return o;
    }
    return NULL;
}

struct taking {
    struct http_exchange *x;
    struct ask_read *out;
    const struct option *seen[LIMIT_PAGE_REFINEMENTS]; /* a row for each filter that was there */
    size_t count;
    bool too_many;
};

static bool take_more(void *arg, const char *name, const char *value)
{
    struct taking *t = arg;
    const struct option *o = *value ? find_repeatable(name) : NULL;
    if (!o)
        return true;
    if (t->count == LIMIT_PAGE_REFINEMENTS) {
        t->too_many = true;
        return false;
    }
    bool again = false;
    for (size_t i = 0; i < t->count; i++)
        again |= t->seen[i] == o;
    t->seen[t->count++] = o;
    value = arena_strndup(t->x->arena, value, strlen(value));
    if (again)
        t->out->more[t->out->more_count++] = (struct prepare_filter){o, value};
    else
        *(const char **)settings_field(&t->out->settings, o) = value;
    return true;
}

int ask_read(struct http_exchange *x, const struct ask *from, struct ask_read *out, struct err *e)
{
    struct taking t = {.x = x, .out = out};
    *out = (struct ask_read){0};
    if (from->settings)
        out->settings = *from->settings;
    else
        settings_default(&out->settings);
    int rc = settings_from_url(&out->settings, get_value, x, e);
    if (rc)
        return rc;
    out->more = arena_array(x->arena, LIMIT_PAGE_REFINEMENTS, sizeof *out->more);
    http_query_each(x, take_more, &t);
    if (t.too_many)
        return err_set(e, -EINVAL, "more than %d refinements", LIMIT_PAGE_REFINEMENTS);
    return 0;
}

/* ---- warnings ---- */

/* Headers are ASCII, warnings may hold a profile's names: percent-encoded. */
static void add_encoded(struct buf *out, const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c > ' ' && c < 127 && c != '%')
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02x", c);
    }
}

static void add_warning(void *arg, const char *line)
{
    static const char name[] = "X-Strobe-Warnings";
    struct http_exchange *x = arg;
    struct buf text, value;
    struct json j;
    unsigned i = 0;
    while (i < x->reply.header_count && strcmp(x->reply.headers[i].name, name))
        i++;
    bool first = i == x->reply.header_count;
    buf_init(&text, x->arena);
    buf_init(&value, x->arena);
    json_init(&j, &text);
    json_cstr(&j, NULL, line);
    if (first)
        buf_putc(&value, '[');
    else
        buf_append(&value, x->reply.headers[i].value, strlen(x->reply.headers[i].value) - 1);
    buf_puts(&value, first ? "" : ",");
    add_encoded(&value, &text);
    buf_putc(&value, ']');
    if (first)
        http_reply_header(x, name, buf_cstr(&value));
    else
        x->reply.headers[i].value = buf_cstr(&value);
}

struct refine_say ask_say(struct http_exchange *x)
{
    return (struct refine_say){add_warning, x};
}

/* ---- reports ---- */

int ask_report(struct http_exchange *x, const struct ask *from, const struct ask_options *o,
               const struct ask_use *use, struct err *e)
{
    struct ask_read asked;
    int rc = ask_read(x, from, &asked, e);
    if (rc)
        return rc;
    if (o->node_count > 0)
        asked.settings.nodecount = o->node_count;
    if (o->granularity)
        asked.settings.granularity = o->granularity;
    struct profile copy;
    struct prepared r;
    struct prepare_request q = {
        .settings = &asked.settings,
        .command = o->command ? command_find(o->command) : NULL,
        .param = o->param,
        .more = asked.more,
        .more_count = asked.more_count,
        .tools = from->tools,
        .symbolize = from->symbolize,
        .escape_all = o->escape_all,
        .max_listed = o->max_listed,
        .quiet = x->params != NULL, /* standard output may be where a saved page goes */
        .say = ask_say(x),
    };
    profile_copy(&copy, from->profile);
    rc = prepare_report(&r, &copy, &q, e);
    if (!rc)
        rc = use->take(&r.report, use->arg, e);
    prepare_end(&r);
    profile_free(&copy);
    return rc;
}

struct printing {
    const struct report_kind *kind;
    struct buf *text;
};

static int print(struct report *r, void *arg, struct err *e)
{
    struct printing *p = arg;
    struct out *out = malloc(sizeof *out);
    if (!out)
        return err_set(e, -ENOMEM, "out of memory");
    out_init_text(out, p->text);
    int rc = p->kind->print(r, out, e);
    if (!rc)
        out_finish(out);
    free(out);
    return rc;
}

int ask_text(struct http_exchange *x, const struct ask *from, const struct ask_options *o,
             struct buf *text, struct err *e)
{
    buf_init(text, x->arena);
    struct printing p = {report_find(command_find(o->command)->report), text};
    return ask_report(x, from, o, &(struct ask_use){print, &p}, e);
}
