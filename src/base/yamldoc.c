/* SPDX-License-Identifier: MIT
 *
 * YAML by libyaml's events. The nodes are ours because libyaml's own document forgets quoting and
 * expands aliases. Everything that can be wrong with the form of a file is found here, so that the
 * readers above only ask what a value means. */
#include "base/yamldoc.h"

#include "base/limits.h"
#include "base/whole.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    struct yamldoc *doc;
    yaml_parser_t parser;
    struct yamldoc_node *open[LIMIT_YAML_DEPTH]; /* lists and maps that are being read */
    const char *key[LIMIT_YAML_DEPTH];           /* of a map: the key whose value comes next */
    unsigned depth, nodes;
    struct err *e;
};

static int complain(const struct reader *r, size_t line, int code, const char *what)
{
    return err_set(r->e, code, "%s:%zu: %s", r->doc->name, line + 1, what);
}

int yamldoc_error(const struct yamldoc_node *n, struct err *e, const char *fmt, ...)
{
    char what[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(e, -EINVAL, "%s:%u: %s", n->doc->name, n->line, what);
}

/* ---- from events to nodes ---- */

static int open_node(struct reader *r, struct yamldoc_node *n, size_t line)
{
    if (r->depth == LIMIT_YAML_DEPTH)
        return complain(r, line, -EFBIG, "nested too deeply");
    r->key[r->depth] = NULL;
    r->open[r->depth++] = n;
    return 0;
}

/* A new node in the list or map that is open; 1 where a scalar was a key. */
static int add_node(struct reader *r, const yaml_event_t *ev, struct yamldoc_node **out)
{
    size_t line = ev->start_mark.line;
    struct yamldoc_node *in = r->depth ? r->open[r->depth - 1] : NULL;
    if (++r->nodes > LIMIT_YAML_NODES)
        return complain(r, line, -EFBIG, "the file has too many values");
    struct yamldoc_node *n = arena_zalloc(r->doc->arena, sizeof *n);
    *n = (struct yamldoc_node){.line = (uint32_t)line + 1, .doc = r->doc};
    *out = n;
    if (!in) {
        r->doc->root = n;
        return 0;
    }
    if (in->kind == YAMLDOC_MAP) {
        const char **key = &r->key[r->depth - 1];
        if (!*key && ev->type != YAML_SCALAR_EVENT)
            return complain(r, line, -EINVAL, "a key must be a text");
        if (!*key)
            return 1;
        n->key = *key;
        *key = NULL;
    }
    *(in->last ? &in->last->next : &in->first) = n;
    in->last = n;
    in->count++;
    return 0;
}

static int take_scalar(struct reader *r, const yaml_event_t *ev)
{
    struct yamldoc_node *n;
    size_t line = ev->start_mark.line, length = ev->data.scalar.length;
    const char *value = (const char *)ev->data.scalar.value;
    if (ev->data.scalar.tag)
        return complain(r, line, -EINVAL, "tags (!…) are not read here");
    if (memchr(value, 0, length))
        return complain(r, line, -EINVAL, "a NUL character in a text");
    int is_key = add_node(r, ev, &n);
    if (is_key < 0)
        return is_key;
    n->text = arena_strndup(r->doc->arena, value, length);
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!is_key)
        return 0;
    if (yamldoc_get(r->open[r->depth - 1], n->text))
        return err_set(r->e, -EINVAL, "%s:%u: '%s' stands here a second time", r->doc->name,
                       n->line, n->text);
    r->key[r->depth - 1] = n->text;
    return 0;
}

static int take_collection(struct reader *r, const yaml_event_t *ev)
{
    struct yamldoc_node *n;
    bool map = ev->type == YAML_MAPPING_START_EVENT;
    if (map ? ev->data.mapping_start.tag != NULL : ev->data.sequence_start.tag != NULL)
        return complain(r, ev->start_mark.line, -EINVAL, "tags (!…) are not read here");
    int err = add_node(r, ev, &n);
    if (err < 0)
        return err;
    n->kind = map ? YAMLDOC_MAP : YAMLDOC_LIST;
    return open_node(r, n, ev->start_mark.line);
}

static int take_event(struct reader *r, const yaml_event_t *ev)
{
    size_t line = ev->start_mark.line;
    switch (ev->type) {
    case YAML_SCALAR_EVENT: return take_scalar(r, ev);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return take_collection(r, ev);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: r->depth--; return 0;
    case YAML_ALIAS_EVENT: return complain(r, line, -EINVAL, "aliases (*…) are not read here");
    case YAML_DOCUMENT_START_EVENT:
        return r->doc->root ? complain(r, line, -EINVAL, "a second document in one file") : 0;
    default: return 0;
    }
}

static int parser_error(const struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *what = p->problem ? p->problem : "out of memory";
    if (p->error == YAML_READER_ERROR)
        return err_set(r->e, -EINVAL, "%s: byte %zu: %s", r->doc->name, p->problem_offset, what);
    return complain(r, p->problem_mark.line, -EINVAL, what);
}

void yamldoc_init(struct yamldoc *doc, const char *name, struct arena *a)
{
    *doc = (struct yamldoc){.name = arena_strdup(a, name), .arena = a};
}

int yamldoc_read(struct yamldoc *doc, const char *text, size_t size, struct err *e)
{
    struct reader r = {.doc = doc, .e = e};
    bool end = false;
    int err = 0;
    if (size > LIMIT_YAML_BYTES)
        return err_set(e, -EFBIG, "%s: larger than %u bytes", doc->name, LIMIT_YAML_BYTES);
    if (!yaml_parser_initialize(&r.parser))
        return err_set(e, -ENOMEM, "out of memory");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    while (!end && err == 0) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&r.parser, &ev)) {
            err = parser_error(&r);
            break;
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        err = take_event(&r, &ev);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&r.parser);
    if (err == 0 && !doc->root) {
        doc->root = arena_zalloc(doc->arena, sizeof *doc->root);
        *doc->root = (struct yamldoc_node){.kind = YAMLDOC_MAP, .line = 1, .doc = doc};
    }
    return err;
}

int yamldoc_read_file(struct yamldoc *doc, const char *path, struct arena *a, struct err *e)
{
    struct arena scratch;
    struct buf text;
    yamldoc_init(doc, path, a);
    arena_init(&scratch);
    buf_init(&text, &scratch);
    int err = whole_read_file(&text, path, LIMIT_YAML_BYTES + 1);
    if (err == -EISDIR)
        err_set(e, err, "cannot read %s: it is a directory", path);
    else if (err && err != -EFBIG)
        err_set(e, err, "cannot read %s: %s", path, strerror(-err));
    else /* what is too large is refused where it is read */
        err = yamldoc_read(doc, text.data ? text.data : "", text.len, e);
    arena_free(&scratch);
    return err;
}

/* ---- looking up ---- */

const struct yamldoc_node *yamldoc_get(const struct yamldoc_node *map, const char *key)
{
    if (!map || map->kind != YAMLDOC_MAP)
        return NULL;
    for (const struct yamldoc_node *n = map->first; n; n = n->next)
        if (!strcmp(n->key, key))
            return n;
    return NULL;
}

const char *yamldoc_get_text(const struct yamldoc_node *map, const char *key)
{
    const struct yamldoc_node *n = yamldoc_get(map, key);
    return n && n->kind == YAMLDOC_SCALAR ? n->text : NULL;
}

static const struct yamldoc_field *find_field(const struct yamldoc_field *fields, const char *key)
{
    for (; fields->key; fields++)
        if (!strcmp(fields->key, key))
            return fields;
    return NULL;
}

/* Says which keys there are: the lists are short, and the writer sees what was meant. */
static int unknown_key(const struct yamldoc_node *n, const struct yamldoc_field *fields,
                       struct err *e)
{
    char known[256] = "";
    size_t len = 0;
    for (const struct yamldoc_field *f = fields; f->key && len < sizeof known; f++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", f->key);
    return yamldoc_error(n, e, "there is no key '%s' here; there are: %s", n->key, known);
}

int yamldoc_fields(const struct yamldoc_node *map, const struct yamldoc_field *fields, void *object,
                   struct err *e)
{
    if (map->kind != YAMLDOC_MAP)
        return yamldoc_error(map, e, "expected keys and values (KEY: VALUE)");
    for (const struct yamldoc_node *n = map->first; n; n = n->next) {
        const struct yamldoc_field *f = find_field(fields, n->key);
        if (!f)
            return unknown_key(n, fields, e);
        int err = f->read(n, (char *)object + f->offset, e);
        if (err < 0)
            return err;
    }
    for (const struct yamldoc_field *f = fields; f->key; f++)
        if (f->required && !yamldoc_get(map, f->key))
            return yamldoc_error(map, e, "the key '%s' is missing", f->key);
    return 0;
}

/* ---- readers ---- */

static int need_scalar(const struct yamldoc_node *n, const char *what, struct err *e)
{
    if (n->kind == YAMLDOC_SCALAR)
        return 0;
    return yamldoc_error(n, e, "%s%sexpected %s", n->key ? n->key : "", n->key ? ": " : "", what);
}

int yamldoc_text(const struct yamldoc_node *n, void *at, struct err *e)
{
    int err = need_scalar(n, "a text", e);
    if (err == 0 && n->plain && (!*n->text || !strcmp(n->text, "~") || !strcmp(n->text, "null")))
        return yamldoc_error(n, e, "%s: expected a text; write \"\" for an empty one",
                             n->key ? n->key : "-");
    if (err == 0)
        *(const char **)at = n->text;
    return err;
}

int yamldoc_texts(const struct yamldoc_node *n, void *at, struct err *e)
{
    struct yamldoc_list *list = at;
    if (n->kind != YAMLDOC_LIST)
        return yamldoc_error(n, e, "%s: expected a list: [a, b]", n->key ? n->key : "-");
    list->texts = arena_zarray(n->doc->arena, n->count + 1, sizeof *list->texts);
    list->count = 0;
    for (const struct yamldoc_node *i = n->first; i; i = i->next) {
        int err = yamldoc_text(i, &list->texts[list->count++], e);
        if (err < 0)
            return err;
    }
    return 0;
}

int yamldoc_bool(const struct yamldoc_node *n, void *at, struct err *e)
{
    int err = need_scalar(n, "true or false", e);
    if (err < 0)
        return err;
    bool yes = !strcmp(n->text, "true");
    if (!yes && strcmp(n->text, "false"))
        return yamldoc_error(n, e, "'%s': expected true or false", n->text);
    *(bool *)at = yes;
    return 0;
}

int yamldoc_int(const struct yamldoc_node *n, void *at, struct err *e)
{
    char *end;
    int err = need_scalar(n, "a whole number", e);
    if (err < 0)
        return err;
    errno = 0;
    int64_t value = strtoll(n->text, &end, 10);
    if (end == n->text || *end || errno || value < 0)
        return yamldoc_error(n, e, "'%s': expected a whole number, 0 or more", n->text);
    *(int64_t *)at = value;
    return 0;
}

int yamldoc_node(const struct yamldoc_node *n, void *at, struct err *e)
{
    (void)e;
    *(const struct yamldoc_node **)at = n;
    return 0;
}

int yamldoc_duration_ms(const struct yamldoc_node *n, void *at, struct err *e)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1},     {"s", 1e3},     {"m", 6e4},         {"h", 3.6e6},
                 {"d", 8.64e7}, {"w", 6.048e8}, {"y", 365 * 8.64e7}};
    char *end;
    int err = need_scalar(n, "a duration, as in 10s", e);
    if (err < 0)
        return err;
    double value = n->text[0] >= '0' && n->text[0] <= '9' ? strtod(n->text, &end) : -1;
    for (size_t i = 0; value >= 0 && i < sizeof units / sizeof *units; i++) {
        if (!strcmp(end, units[i].unit) && value * units[i].ms <= 1e15) {
            *(int64_t *)at = (int64_t)(value * units[i].ms + 0.5);
            return 0;
        }
    }
    return yamldoc_error(n, e, "'%s': expected a duration: 200ms, 10s, 5m, 6h, 30d", n->text);
}
