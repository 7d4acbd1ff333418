/* SPDX-License-Identifier: MIT
 *
 * Requests about named settings, and their list. */
#include "web/configs.h"

#include "web/configs_file.h"
#include "web/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int configs_find(const char **path, struct arena *a, struct err *e)
{
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (folder && *folder && *folder != '/')
        return err_set(e, -EINVAL, "path in $XDG_CONFIG_HOME is relative");
    if (folder && *folder)
        *path = arena_printf(a, "%s/pprof/settings.json", folder);
    else if (home && *home)
        *path = arena_printf(a, "%s/.config/pprof/settings.json", home);
    else
        return err_set(e, -ENOENT, "neither $XDG_CONFIG_HOME nor $HOME are defined");
    return 0;
}

int configs_save(struct http_exchange *x, const struct ask *from, const char *path, struct err *e)
{
    const char *name = http_query(x, "config");
    struct configs c = {.arena = x->arena};
    struct ask_read asked;
    if (!name || !*name)
        return err_set(e, -EINVAL, "invalid config name");
    int rc = ask_read(x, from, &asked, e);
    if (!rc)
        rc = configs_read(&c, path, e);
    if (rc)
        return rc;
    struct config *config = NULL;
    for (size_t i = 0; !config && i < c.count; i++)
        if (!strcmp(c.items[i].name, name))
            config = &c.items[i];
    if (!config)
        config = configs_add(&c, name);
    config->settings = asked.settings;
    return configs_write(&c, path, e);
}

int configs_delete(struct http_exchange *x, const char *path, struct err *e)
{
    const char *name = http_query(x, "config");
    struct configs c = {.arena = x->arena};
    int rc = configs_read(&c, path, e);
    if (rc)
        return rc;
    name = name ? name : "";
    for (size_t i = 0; i < c.count; i++) {
        if (strcmp(c.items[i].name, name))
            continue;
        memmove(c.items + i, c.items + i + 1, (c.count - i - 1) * sizeof *c.items);
        c.count--;
        return configs_write(&c, path, e);
    }
    return err_set(e, -ENOENT, "config %s not found", name);
}

struct taking {
    struct settings_params *params;
    struct arena *arena;
};

static bool take_param(void *arg, const char *name, const char *value)
{
    struct taking *t = arg;
    settings_params_add(t->params, t->arena, arena_strndup(t->arena, name, strlen(name)),
                        arena_strndup(t->arena, value, strlen(value)));
    return true;
}

/* The request's query with the settings in it; whether it is another one. */
static bool make_query(struct http_exchange *x, struct settings *s, const char **query)
{
    struct settings_params params = {0};
    struct taking t = {&params, x->arena};
    struct buf text;
    http_query_each(x, take_param, &t);
    bool changed = settings_to_url(s, &params, x->arena);
    buf_init(&text, x->arena);
    settings_params_encode(&params, &text);
    *query = changed ? buf_cstr(&text) : x->query;
    return changed;
}

void configs_serve(struct http_exchange *x, const char *path)
{
    struct configs c = {.arena = x->arena};
    struct err e = {0};
    struct buf text;
    struct json j;
    settings_default(&configs_add(&c, "Default")->settings);
    if (configs_read(&c, path, &e))
        c.count = 1; /* pprof's menu has its defaults then, too */
    const char **queries = arena_array(x->arena, c.count, sizeof *queries);
    size_t current = SIZE_MAX;
    for (size_t i = 0; i < c.count; i++)
        if (!make_query(x, &c.items[i].settings, &queries[i]))
            current = i;
    buf_init(&text, x->arena);
    json_init(&j, &text);
    json_array(&j, NULL);
    for (size_t i = 0; i < c.count; i++) {
        json_object(&j, NULL);
        json_cstr(&j, "name", c.items[i].name);
        json_cstr(&j, "query", queries[i]);
        json_bool(&j, "current", i == current);
        json_bool(&j, "user", i > 0);
        json_object_end(&j);
    }
    json_array_end(&j);
    http_reply(x, 200, "application/json", text.data, text.len);
}
