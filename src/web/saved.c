/* SPDX-License-Identifier: MIT
 *
 * Puts the page together with what it would ask a server for. The tree, the filters and the
 * source's costs are counted in the browser, from the profile; what is made by reports is made here
 * once, by the same routes that serve the live page. */
#include "web/saved.h"
#include "analyze/flame.h"
#include "base/gzip.h"
#include "base/limits.h"
#include "web/assets.h"
#include "web/graph_data.h"
#include "web/json.h"
#include "web/source_data.h"
#include "web/text_data.h"

#include <errno.h>
#include <string.h>

enum { GZIP_LEVEL = 9 };

/* Nothing from anywhere: what the page needs is in it. The engine is a worker made of a blob. */
static const char policy[] =
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src "
    "'unsafe-inline' blob: 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'\">\n    ";

struct saving {
    const struct saved_options *o;
    struct settings settings; /* the command line's */
    struct arena arena;
    struct json j;
    struct buf text;
    bool needs_engine;
};

/* ---- the profile ---- */

/* What the page would have to count otherwise than it does. */
static int check_settings(const struct settings *s, struct err *e)
{
    return s->mean ? err_set(e, -EINVAL, "a saved page has sums: leave out -mean") : 0;
}

/* -divide_by: of the values and of the totals. */
static void divide(struct saving *s, struct profile *p)
{
    if (s->settings.divide_by == 1)
        return;
    double *ratios = arena_array(&s->arena, p->sample_type_count, sizeof *ratios);
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        ratios[i] = 1 / s->settings.divide_by;
    refine_scale(p, ratios);
}

static void write_totals(struct saving *s, const struct profile *p)
{
    struct json *j = &s->j;
    json_array(j, "totals");
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        double total = p->sample_count ? (double)flame_total(p, i) : 0;
        json_int(j, NULL, (int64_t)(total / s->settings.divide_by));
    }
    json_array_end(j);
    json_int(j, "sample_count", p->sample_count);
}

/* The profile as the settings leave it. */
static int encode_profile(struct saving *s, struct buf *out, struct err *e)
{
    struct profile refined;
    struct prepared r;
    struct settings settings = s->settings;
    struct prepare_request q = {.settings = &settings, .say = s->o->say};
    settings.granularity = "addresses"; /* filters see all of a frame; what is then shown of */
    settings.noinlines = false;         /* it the page decides */
    write_totals(s, s->o->ask.profile);
    profile_copy(&refined, s->o->ask.profile);
    int rc = 0;
    if (refined.sample_type_count) {
        rc = prepare_report(&r, &refined, &q, e);
        if (!rc) {
            report_trim_paths(&r.report);
            json_int(&s->j, "type", r.report.o.values.index);
            divide(s, &refined);
        }
        prepare_end(&r);
    } else {
        json_int(&s->j, "type", 0);
    }
    if (!rc)
        rc = profile_encode_gzip(&refined, out, e);
    profile_free(&refined);
    return rc;
}

/* ---- what is made by reports ---- */

static struct http_exchange question(struct saving *s, const struct http_param *params)
{
    return (struct http_exchange){.arena = &s->arena, .query = "", .params = params};
}

/* The answer of a route, or NULL. */
static const char *answer_of(struct saving *s, const struct http_exchange *x, size_t max)
{
    if (x->reply.status != 200 || x->reply.size > max)
        return NULL;
    return arena_strndup(&s->arena, x->reply.body, x->reply.size);
}

static void write_graphs(struct saving *s)
{
    json_array(&s->j, "graphs");
    for (uint32_t i = 0; i < s->o->ask.profile->sample_type_count; i++) {
        struct http_param params[] = {
            {"si", arena_printf(&s->arena, "%u", i)}, {"svg", "1"}, {NULL, NULL}};
        struct http_exchange x = question(s, params);
        graph_data_serve(&x, &s->o->ask);
        const char *graph = answer_of(s, &x, LIMIT_DOT_OUTPUT);
        if (!graph) {
            json_null(&s->j, NULL);
            continue;
        }
        s->needs_engine |= strstr(graph, "\"svg\":null") && !strstr(graph, "\"nodes\":[]");
        json_text(&s->j, NULL, graph);
    }
    json_array_end(&s->j);
}

/* Of each sample type what the report prints of all functions, or null: it is too long, or there is
 * nothing. */
static void write_texts(struct saving *s, const char *report)
{
    json_array(&s->j, report);
    for (uint32_t i = 0; i < s->o->ask.profile->sample_type_count; i++) {
        struct http_param params[] = {{"si", arena_printf(&s->arena, "%u", i)},
                                      {"report", report},
                                      {"re", "."},
                                      {NULL, NULL}};
        struct http_exchange x = question(s, params);
        text_data_serve(&x, &s->o->ask);
        const char *text = answer_of(s, &x, LIMIT_SAVED_TEXT);
        if (text)
            json_cstr(&s->j, NULL, text);
        else
            json_null(&s->j, NULL);
    }
    json_array_end(&s->j);
}

static void write_given(struct saving *s)
{
    struct settings flags = s->settings;
    struct settings_params given = {0};
    settings_to_url(&flags, &given, &s->arena);
    json_array(&s->j, "given");
    for (size_t i = 0; i < given.count; i++) {
        json_array(&s->j, NULL);
        json_cstr(&s->j, NULL, given.items[i].name);
        json_cstr(&s->j, NULL, given.items[i].value);
        json_array_end(&s->j);
    }
    json_array_end(&s->j);
}

static int write_extra(struct saving *s, struct buf *profile, struct err *e)
{
    struct json *j = &s->j;
    json_object(j, NULL);
    json_cstr(j, "title", s->o->title);
    json_cstr(j, "query", s->o->query);
    json_bool(j, "relative", s->settings.relative_percentages);
    write_given(s);
    int rc = encode_profile(s, profile, e);
    if (rc)
        return rc;
    write_graphs(s);
    write_texts(s, "peek");
    write_texts(s, "disasm");
    struct http_exchange x = question(s, NULL);
    rc = source_data_save(&x, &s->o->ask, j, e);
    json_object_end(j);
    return rc;
}

/* ---- the page ---- */

static const struct asset *find_asset(const char *begin, const char *end)
{
    for (const struct asset *a = web_assets; a->path; a++) {
        size_t n = strlen(a->path), tail = strlen(end);
        if (!strncmp(a->path, begin, strlen(begin)) && n > tail && !strcmp(a->path + n - tail, end))
            return a;
    }
    return NULL;
}

static const char *inflate(struct saving *s, const struct asset *a, struct err *e)
{
    void *plain;
    size_t size;
    if (!a) {
        err_set(e, -ENOENT, "the page is missing in this build of strobe");
        return NULL;
    }
    if (gzip_inflate(&s->arena, a->gzip, a->gzip_size, &plain, &size, e))
        return NULL;
    return arena_strndup(&s->arena, plain, size);
}

static void put_base64(struct buf *out, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i += 3) {
        unsigned v = (unsigned)b[i] << 16;
        v |= i + 1 < size ? (unsigned)b[i + 1] << 8 : 0;
        v |= i + 2 < size ? b[i + 2] : 0;
        buf_putc(out, digits[v >> 18]);
        buf_putc(out, digits[v >> 12 & 63]);
        buf_putc(out, i + 1 < size ? digits[v >> 6 & 63] : '=');
        buf_putc(out, i + 2 < size ? digits[v & 63] : '=');
    }
}

static void put_block(struct buf *out, const char *id, const void *bytes, size_t size)
{
    buf_printf(out, "    <script type=\"application/octet-stream\" id=\"%s\">", id);
    put_base64(out, bytes, size);
    buf_puts(out, "</script>\n");
}

static void put_blocks(struct saving *s, struct buf *out, const struct buf *profile,
                       const struct buf *extra)
{
    put_block(out, "saved-profile", profile->data, profile->len);
    put_block(out, "saved-extra", extra->data, extra->len);
    const struct asset *engine = s->needs_engine ? find_asset("/assets/viz-", ".js") : NULL;
    if (engine)
        put_block(out, "saved-engine", engine->gzip, engine->gzip_size);
}

/* What stands in the page's lines in place of files, and before its end. */
static int put_page(struct saving *s, struct buf *out, const struct buf *profile,
                    const struct buf *extra, struct err *e)
{
    const char *page = inflate(s, find_asset("/index", ".html"), e);
    const char *style = page ? inflate(s, find_asset("/assets/app-", ".css"), e) : NULL;
    const char *script = style ? inflate(s, find_asset("/assets/app-", ".js"), e) : NULL;
    if (!script)
        return -ENOENT;
    for (const char *line = page, *next; *line; line = next) {
        size_t n = strcspn(line, "\n");
        const char *word = line + strspn(line, " ");
        next = line + n + (line[n] == '\n');
        if (!strncmp(word, "<link rel=\"stylesheet\"", 22)) {
            buf_printf(out, "    <style>%s</style>\n", style);
        } else if (!strncmp(word, "<script type=\"module\"", 21)) {
            buf_printf(out, "    <script type=\"module\">%s</script>\n", script);
        } else {
            if (!strncmp(word, "</body>", 7))
                put_blocks(s, out, profile, extra);
            if (!strncmp(word, "<title>", 7))
                buf_printf(out, "    %s", policy);
            buf_append(out, line, (size_t)(next - line));
        }
    }
    return 0;
}

int saved_write(struct buf *out, const struct saved_options *o, struct err *e)
{
    struct saving s = {.o = o};
    struct buf profile, extra;
    arena_init(&s.arena);
    buf_init(&s.text, &s.arena);
    buf_init(&profile, &s.arena);
    buf_init(&extra, &s.arena);
    json_init(&s.j, &s.text);
    if (o->ask.settings)
        s.settings = *o->ask.settings;
    else
        settings_default(&s.settings);
    int rc = check_settings(&s.settings, e);
    if (!rc)
        rc = write_extra(&s, &profile, e);
    if (!rc)
        rc = gzip_deflate(&extra, s.text.data, s.text.len, GZIP_LEVEL, e);
    if (!rc)
        rc = put_page(&s, out, &profile, &extra, e);
    arena_free(&s.arena);
    return rc;
}
