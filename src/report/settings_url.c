/* SPDX-License-Identifier: MIT
 *
 * Settings as the parameters of an address, both ways (google/pprof internal/driver/config.go,
 * applyURL and makeURL). */
#include "base/sort.h"
#include "report/settings.h"

#include <string.h>

int settings_from_url(struct settings *s, const char *(*get)(void *arg, const char *name),
                      void *arg, struct err *e)
{
    for (const struct option *o = options; o->name; o++) {
        const char *value = o->url ? get(arg, o->url) : NULL;
        if (value && *value && settings_set(s, o, value, e))
            return err_prefix(e, "error setting config field %s", o->name);
    }
    return 0;
}

/* The text of a parameter: "" for the default, one letter for a switch. */
static const char *url_value(struct settings *s, const struct option *o, struct arena *a)
{
    struct settings defaults;
    struct buf now, dflt;
    settings_default(&defaults);
    buf_init(&now, a);
    buf_init(&dflt, a);
    settings_get(s, o, &now);
    settings_get(&defaults, o, &dflt);
    const char *text = buf_cstr(&now);
    if (!strcmp(text, buf_cstr(&dflt)))
        return "";
    return o->type == OPTION_BOOL ? arena_strndup(a, text, 1) : text;
}

static const char *find_value(const struct settings_params *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (!strcmp(q->items[i].name, name))
            return q->items[i].value;
    return "";
}

static void remove_all(struct settings_params *q, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->items[i].name, name))
            q->items[kept++] = q->items[i];
    q->count = kept;
}

void settings_params_add(struct settings_params *q, struct arena *a, const char *name,
                         const char *value)
{
    if (q->count == q->room) {
        size_t room = q->room ? q->room * 2 : 32;
        q->items = arena_grow(a, q->items, q->room * sizeof *q->items, room * sizeof *q->items);
        q->room = room;
    }
    q->items[q->count++] = (struct settings_param){name, value, q->count};
}

bool settings_to_url(struct settings *s, struct settings_params *q, struct arena *a)
{
    bool changed = false;
    for (const struct option *o = options; o->name; o++) {
        if (!o->url || !o->saved)
            continue;
        const char *value = url_value(s, o, a);
        if (!strcmp(find_value(q, o->url), value))
            continue;
        changed = true;
        remove_all(q, o->url);
        if (*value)
            settings_params_add(q, a, o->url, value);
    }
    return changed;
}

static void escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == ' ')
            buf_putc(out, '+');
        else if (plain || strchr("-_.~", c))
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static int by_name(const void *pa, const void *pb)
{
    const struct settings_param *a = pa, *b = pb;
    int order = strcmp(a->name, b->name);
    return order ? order : a->place < b->place ? -1 : 1;
}

void settings_params_encode(struct settings_params *q, struct buf *out)
{
    for (size_t i = 0; i < q->count; i++)
        q->items[i].place = i;
    sort_list(q->items, q->count, sizeof *q->items, by_name);
    for (size_t i = 0; i < q->count; i++) {
        buf_puts(out, i ? "&" : "");
        escape(out, q->items[i].name);
        buf_putc(out, '=');
        escape(out, q->items[i].value);
    }
}
