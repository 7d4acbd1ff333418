/* SPDX-License-Identifier: MIT
 *
 * Puts a function's lines and what they cost together, for the page. The two ways to do so are the
 * reports' (report/list.c, report/weblist_data.c); only the form is ours. A file that cannot be
 * read still has its lines that cost something: the page says which file was looked for, and where.
 */
#include "web/source_data.h"
#include "analyze/source.h"
#include "base/gotext.h"
#include "base/limits.h"
#include "base/sort.h"
#include "report/weblist.h"
#include "web/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 5 }; /* lines before the first and behind the last that cost something */

struct answer {
    struct http_exchange *x;
    bool assembly;
    struct buf text;
    struct json j;
};

static void write_head(struct json *j, const struct report *r, const struct source_reader *reader)
{
    json_object(j, NULL);
    json_cstr(j, "unit", r->o.sample_unit);
    json_int(j, "total", r->total);
    json_cstr(j, "source_path", reader->search_path);
    json_cstr(j, "trim_path", reader->trim_path);
}

/* Of the trailing line: the object stays open for instructions. */
static void open_line(struct json *j, int64_t number, const struct profile_str *source,
                      int64_t flat, int64_t cum)
{
    json_object(j, NULL);
    json_int(j, "n", number);
    if (source)
        json_str(j, "s", *source);
    else
        json_null(j, "s");
    json_int(j, "f", flat);
    json_int(j, "c", cum);
}

static void write_error(struct json *j, const char *error)
{
    if (error)
        json_cstr(j, "error", error);
    else
        json_null(j, "error");
}

/* ---- lines alone ---- */

struct lister {
    struct answer *a;
    struct report *r;
    struct graph_frames frames;
    struct graph graph;
    struct source_reader reader;
};

/* A line of a function in a file that costs something. */
struct weight {
    uint32_t name, file;
    int64_t line, start, flat, cum;
    int64_t rank; /* |cum| of the function */
};

static int by_place(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

struct listing {
    uint32_t first, count; /* in weights */
    int64_t flat, cum;
};

static int by_weight(const void *a, const void *b)
{
    const struct listing *x = a, *y = b;
    int64_t cx = graph_abs(x->cum), cy = graph_abs(y->cum);
    if (cx != cy)
        return cx > cy ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static uint32_t find_weights(struct lister *l, struct weight *weights)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->graph.shown_count; i++) {
        uint32_t node = l->graph.shown[i];
        const struct graph_info *info = &l->frames.infos[node];
        struct names_item name = l->frames.names.items[info->name];
        if (regex_matches(l->r->o.symbol, name.ptr, name.len))
            weights[count++] = (struct weight){.name = info->name,
                                               .file = info->file,
                                               .line = info->line,
                                               .start = info->start_line,
                                               .flat = graph_flat(&l->graph, node),
                                               .cum = graph_cum(&l->graph, node)};
    }
    sort_list(weights, count, sizeof *weights, by_place);
    return count;
}

static uint32_t find_listings(const struct weight *w, uint32_t count, struct listing *listings)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!i || w[i].name != w[i - 1].name || w[i].file != w[i - 1].file)
            listings[n++] = (struct listing){.first = i};
        listings[n - 1].count++;
        listings[n - 1].flat += w[i].flat;
        listings[n - 1].cum += w[i].cum;
    }
    sort_list(listings, n, sizeof *listings, by_weight);
    return n;
}

/* From the function's start, if it is known, else from just before its first line that counts. */
static int64_t first_line(const struct weight *w, uint32_t count)
{
    int64_t first = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int64_t start = w[i].start ? w[i].start : w[i].line - MARGIN;
        first = start < first ? start : first;
    }
    return first < 1 ? 1 : first;
}

static void write_lines(struct lister *l, const struct weight *w, uint32_t count)
{
    struct json *j = &l->a->j;
    struct names_item item = l->frames.names.items[w->file];
    struct profile_str file = {item.ptr, item.len}, text;
    bool readable = !source_error(&l->reader, file);
    int64_t line = first_line(w, count), last = w[count - 1].line + MARGIN;
    uint32_t written = 0;
    json_array(j, "lines");
    for (uint32_t i = 0; line <= last && written < LIMIT_SOURCE_LINES; line++) {
        int64_t flat = 0, cum = 0;
        bool there = readable && source_line(&l->reader, file, line, &text), counts = false;
        for (; i < count && w[i].line <= line; i++) {
            counts = w[i].line == line;
            flat += counts ? w[i].flat : 0;
            cum += counts ? w[i].cum : 0;
        }
        if (!there && !counts) {
            if (i == count)
                break;
            line = w[i].line - 1; /* nothing is known of what lies between */
            continue;
        }
        open_line(j, line, there ? &text : NULL, flat, cum);
        json_object_end(j);
        written++;
    }
    json_array_end(j);
}

static void write_listing(struct lister *l, const struct weight *w, const struct listing *f)
{
    struct json *j = &l->a->j;
    struct names_item name = l->frames.names.items[w->name], file = l->frames.names.items[w->file];
    json_object(j, NULL);
    json_string(j, "name", name.ptr, name.len);
    json_string(j, "file", file.ptr, file.len);
    json_int(j, "flat", f->flat);
    json_int(j, "cum", f->cum);
    write_error(j, file.len ? source_error(&l->reader, (struct profile_str){file.ptr, file.len})
                            : "the profile names no file: the binary has no debug information");
    if (file.len) {
        write_lines(l, w, f->count);
    } else {
        json_array(j, "lines");
        json_array_end(j);
    }
    json_object_end(j);
}

static int write_list(struct report *r, struct answer *a, struct err *e)
{
    struct lister l = {.a = a, .r = r};
    int rc = source_reader_init(&l.reader, &r->arena, r->o.source_path, r->o.trim_path, e);
    if (rc)
        return rc;
    report_graph_listed(r, &l.frames, &l.graph);
    struct weight *weights = arena_array(&r->arena, l.graph.shown_count, sizeof *weights);
    struct listing *listings = arena_array(&r->arena, l.graph.shown_count, sizeof *listings);
    uint32_t count = find_weights(&l, weights), n = find_listings(weights, count, listings);
    uint32_t shown = n < LIMIT_SOURCE_FUNCTIONS ? n : LIMIT_SOURCE_FUNCTIONS;
    if (n) {
        write_head(&a->j, r, &l.reader);
        json_int(&a->j, "left_out", n - shown);
        json_array(&a->j, "functions");
        for (uint32_t i = 0; i < shown; i++)
            write_listing(&l, weights + listings[i].first, &listings[i]);
        json_array_end(&a->j);
        json_object_end(&a->j);
    }
    graph_free(&l.graph);
    graph_frames_free(&l.frames);
    const char *none = "no sample has a function that matches and knows its source file";
    return n ? 0 : err_set(e, -ENOENT, "%s", none);
}

/* ---- text alone ---- */

struct saving {
    struct http_exchange *x;
    struct json *j;
    struct saved_run {
        struct profile_str file;
        int64_t first, last;
    } * runs;
    size_t count, room;
    const char *source_path, *trim_path;
};

static void save_run(struct saving *s, struct profile_str file, int64_t first, int64_t last)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        s->runs =
            arena_grow(s->x->arena, s->runs, s->room * sizeof *s->runs, room * sizeof *s->runs);
        s->room = room;
    }
    file.ptr = arena_strndup(s->x->arena, file.ptr, file.len);
    s->runs[s->count++] = (struct saved_run){file, first, last};
}

static int by_flat(const void *a, const void *b)
{
    const struct listing *x = a, *y = b;
    int64_t fx = graph_abs(x->flat), fy = graph_abs(y->flat);
    if (fx != fy)
        return fx > fy ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Those that cost most by themselves, and those with what they call. */
static int save_runs(struct report *r, void *arg, struct err *e)
{
    struct saving *s = arg;
    struct lister l = {.r = r};
    (void)e;
    report_graph_listed(r, &l.frames, &l.graph);
    struct weight *weights = arena_array(&r->arena, l.graph.shown_count, sizeof *weights);
    struct listing *listings = arena_array(&r->arena, l.graph.shown_count, sizeof *listings);
    uint32_t count = find_weights(&l, weights), n = find_listings(weights, count, listings);
    uint32_t shown = n < LIMIT_SAVED_FUNCTIONS ? n : LIMIT_SAVED_FUNCTIONS;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < shown; i++) {
            const struct weight *w = weights + listings[i].first;
            struct names_item file = l.frames.names.items[w->file];
            int64_t first = first_line(w, listings[i].count);
            int64_t last = w[listings[i].count - 1].line + MARGIN;
            last = last - first < LIMIT_SOURCE_LINES ? last : first + LIMIT_SOURCE_LINES;
            if (file.len)
                save_run(s, (struct profile_str){file.ptr, file.len}, first, last);
        }
        sort_list(listings, n, sizeof *listings, by_flat);
    }
    graph_free(&l.graph);
    graph_frames_free(&l.frames);
    return 0;
}

static int by_run(const void *a, const void *b)
{
    const struct saved_run *x = a, *y = b;
    uint32_t n = x->file.len < y->file.len ? x->file.len : y->file.len;
    int c = memcmp(x->file.ptr, y->file.ptr, n);
    if (!c)
        c = (x->file.len > y->file.len) - (x->file.len < y->file.len);
    return c ? c : (x->first > y->first) - (x->first < y->first);
}

/* The runs of one file, joined where they meet; `end` is behind the last of them. */
static void write_runs(struct saving *s, struct source_reader *reader, size_t from, size_t end)
{
    struct profile_str text, file = s->runs[from].file;
    json_array(s->j, "runs");
    for (size_t i = from; i < end;) {
        int64_t line = s->runs[i].first, last = s->runs[i].last;
        while (++i < end && s->runs[i].first <= last + 1)
            last = s->runs[i].last > last ? s->runs[i].last : last;
        if (!source_line(reader, file, line, &text))
            continue;
        json_array(s->j, NULL);
        json_int(s->j, NULL, line);
        json_array(s->j, NULL);
        for (; line <= last && source_line(reader, file, line, &text); line++)
            json_str(s->j, NULL, text);
        json_array_end(s->j);
        json_array_end(s->j);
    }
    json_array_end(s->j);
}

static int write_files(struct saving *s, struct err *e)
{
    struct source_reader reader;
    int rc = source_reader_init(&reader, s->x->arena, s->source_path, s->trim_path, e);
    if (rc)
        return rc;
    if (s->count)
        sort_list(s->runs, s->count, sizeof *s->runs, by_run);
    json_object(s->j, "source");
    json_cstr(s->j, "source_path", reader.search_path);
    json_cstr(s->j, "trim_path", reader.trim_path);
    json_object(s->j, "files");
    for (size_t i = 0, end; i < s->count; i = end) {
        struct profile_str file = s->runs[i].file;
        for (end = i + 1; end < s->count && s->runs[end].file.len == file.len &&
                          !memcmp(s->runs[end].file.ptr, file.ptr, file.len);
             end++)
            ;
        json_object(s->j, file.ptr);
        const char *error = source_error(&reader, file);
        write_error(s->j, error);
        write_runs(s, &reader, i, end);
        json_object_end(s->j);
    }
    json_object_end(s->j);
    json_object_end(s->j);
    return 0;
}

int source_data_save(struct http_exchange *x, const struct ask *from, struct json *j, struct err *e)
{
    struct settings plain;
    settings_default(&plain);
    const struct settings *own = from->settings ? from->settings : &plain;
    struct saving s = {
        .x = x, .j = j, .source_path = own->source_path, .trim_path = own->trim_path};
    const struct ask_options o = {.command = "list", .param = "."};
    int rc = 0;
    for (uint32_t i = 0; !rc && i < from->profile->sample_type_count; i++) {
        x->params = (struct http_param[]){{"si", arena_printf(x->arena, "%u", i)}, {NULL, NULL}};
        rc = ask_report(x, from, &o, &(struct ask_use){save_runs, &s}, e);
    }
    return rc ? rc : write_files(&s, e);
}

/* ---- with code ---- */

static void write_inst(struct json *j, struct weblist *w, const struct weblist_inst *inst,
                       struct arena *a)
{
    size_t n;
    const char *base = gotext_base(inst->file, strlen(inst->file), &n);
    json_object(j, NULL);
    json_cstr(j, "a", arena_printf(a, "%" PRIx64, inst->address));
    json_cstr(j, "t", inst->text);
    json_int(j, "f", inst->flat);
    json_int(j, "c", inst->cum);
    json_cstr(j, "at",
              *inst->file ? arena_printf(a, "%.*s:%" PRId64, (int)n, base, inst->line) : "");
    if (inst->starts_block)
        json_int(j, "b", 1);
    json_array(j, "calls");
    for (uint32_t i = 0; i < inst->call_count; i++) {
        const struct weblist_call *c = &inst->calls[i];
        struct profile_str line = {"", 0}, file = {c->file, (uint32_t)strlen(c->file)};
        source_line(&w->reader, file, c->line, &line);
        json_object(j, NULL);
        json_cstr(j, "file", c->file);
        json_int(j, "line", c->line);
        json_str(j, "s", line);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

static void write_function(struct answer *a, struct weblist *w, const struct weblist_function *f)
{
    struct json *j = &a->j;
    struct profile_str file = {f->file, (uint32_t)strlen(f->file)};
    const char *error = source_error(&w->reader, file);
    json_object(j, NULL);
    json_cstr(j, "name", f->name);
    json_cstr(j, "file", f->file);
    json_int(j, "flat", f->flat);
    json_int(j, "cum", f->cum);
    write_error(j, error);
    json_array(j, "lines");
    for (uint32_t i = 0; i < f->line_count && i < LIMIT_SOURCE_LINES; i++) {
        const struct weblist_line *l = &f->lines[i];
        open_line(j, l->number, error ? NULL : &l->source, l->flat, l->cum);
        if (l->inst_count) {
            json_array(j, "i");
            for (uint32_t k = 0; k < l->inst_count; k++)
                write_inst(j, w, &l->insts[k], a->x->arena);
            json_array_end(j);
        }
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

static int write_weblist(struct report *r, struct answer *a, struct err *e)
{
    struct weblist w;
    r->o.code_within = true;
    int rc = weblist_make(&w, r, -1, e);
    if (rc)
        return rc;
    uint32_t shown =
        w.function_count < LIMIT_SOURCE_FUNCTIONS ? w.function_count : LIMIT_SOURCE_FUNCTIONS;
    write_head(&a->j, r, &w.reader);
    json_int(&a->j, "left_out", w.function_count - shown);
    json_array(&a->j, "functions");
    for (uint32_t i = 0; i < shown; i++)
        write_function(a, &w, &w.functions[i]);
    json_array_end(&a->j);
    json_object_end(&a->j);
    weblist_free(&w);
    return 0;
}

/* ---- what is asked ---- */

static int write_source(struct report *r, void *arg, struct err *e)
{
    struct answer *a = arg;
    return a->assembly ? write_weblist(r, a, e) : write_list(r, a, e);
}

/* An expression that only the name itself matches. */
static const char *exactly(struct arena *a, const char *name)
{
    struct buf re;
    buf_init(&re, a);
    buf_putc(&re, '^');
    for (; *name; name++) {
        if (strchr("\\.+*?()|[]{}^$", *name))
            buf_putc(&re, '\\');
        buf_putc(&re, *name);
    }
    buf_putc(&re, '$');
    return buf_cstr(&re);
}

/* The command line's settings, but for the paths that the reader of the page gave. */
static const struct settings *settings_of(struct http_exchange *x, const struct ask *from)
{
    const char *source = http_query(x, "source_path"), *trim = http_query(x, "trim_path");
    struct settings *s = arena_alloc(x->arena, sizeof *s);
    if (from->settings)
        *s = *from->settings;
    else
        settings_default(s);
    s->source_path = source && *source ? source : s->source_path;
    s->trim_path = trim && *trim ? trim : s->trim_path;
    return s;
}

void source_data_serve(struct http_exchange *x, const struct ask *from)
{
    struct answer a = {.x = x};
    const char *assembly = http_query(x, "asm"), *function = http_query(x, "fn");
    const char *expression = http_query(x, "re");
    struct err e = {0};
    if (!(function && *function) && !(expression && *expression)) {
        http_reply_error(x, 400, "fn has to name a function, or re to match some");
        return;
    }
    a.assembly = assembly && !strcmp(assembly, "1");
    struct ask own = *from;
    own.settings = settings_of(x, from);
    const struct ask_options o = {.command = a.assembly ? "weblist" : "list",
                                  .param = function && *function ? exactly(x->arena, function)
                                                                 : expression};
    buf_init(&a.text, x->arena);
    json_init(&a.j, &a.text);
    int rc = ask_report(x, &own, &o, &(struct ask_use){write_source, &a}, &e);
    if (rc)
        http_reply_error(x, rc == -ENOENT ? 404 : 400, "%s", e.msg);
    else
        http_reply(x, 200, "application/json", a.text.data, a.text.len);
}
