/* SPDX-License-Identifier: MIT
 *
 * Says what the definitions mean. Every program has a line for each of the kinds that the
 * dashboard shows: either how it is had or why it is not; a view that stays empty is never without
 * a reason. */
#include "suite/describe.h"

#include <string.h>

/* Kinds in the order in which they are shown, and the view of each. */
static const struct {
    const char *name, *view;
} kinds[] = {
    {"cpu", "cpu"},    {"heap", "memory"}, {"allocs", "memory"},
    {"block", "time"}, {"mutex", "time"},  {"goroutine", "threads"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *view_of(const char *kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!strcmp(kinds[i].name, kind))
            return kinds[i].view;
    return "other";
}

static const char *join(const struct yamldoc_list *words, const char *head, struct arena *a)
{
    struct buf b;
    buf_init(&b, a);
    buf_puts(&b, head);
    for (uint32_t i = 0; i < words->count; i++)
        buf_printf(&b, " %s", words->texts[i]);
    return buf_cstr(&b);
}

const char *suite_describe_missing(const struct suite_program *p, struct arena *a)
{
    const char *missing = suite_missing(p);
    return missing ? arena_printf(a, "%s is not installed: %s", missing,
                                  join(&p->install, "apt-get install", a))
                   : NULL;
}

/* "from its /debug/pprof/block, after the load, started with DEBUG=1" */
static const char *how(const struct suite_kind *k, struct arena *a)
{
    struct buf b;
    if (k->record)
        return "by the recorder, as 'strobe record' does";
    const char *host = strstr(k->url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
    path = path ? path : k->url;
    buf_init(&b, a);
    buf_printf(&b, "from its %.*s, %s the load", (int)strcspn(path, "?"), path,
               k->during ? "during" : "after");
    for (uint32_t i = 0; i < k->env.count; i++)
        buf_printf(&b, "%s %s=%s", i ? "" : ", started with", k->env.vars[i].name,
                   k->env.vars[i].value);
    return buf_cstr(&b);
}

/* Why a program has no profiles of a kind: by its definition, else by what is true of all. */
static const char *why_not(const struct suite_program *p, const char *kind, struct arena *a)
{
    for (uint32_t i = 0; i < p->lacks.count; i++)
        if (!strcmp(p->lacks.vars[i].name, kind))
            return p->lacks.vars[i].value;
    if (p->command.count)
        return arena_printf(a,
                            "'strobe record' measures CPU time only, so far; a profile that "
                            "another tool made can be added: strobe push -s %s -k %s FILE",
                            p->name, kind);
    return arena_printf(a, "suites/%s.yaml names no address that gives a %s profile", p->name,
                        kind);
}

static void write_kinds(const struct suite_program *p, struct arena *a, struct json *j)
{
    json_array(j, "kinds");
    for (uint32_t i = 0; i < p->kind_count; i++) {
        json_object(j, NULL);
        json_cstr(j, "name", p->kinds[i].name);
        json_cstr(j, "view", view_of(p->kinds[i].name));
        json_cstr(j, "how", how(&p->kinds[i], a));
        json_object_end(j);
    }
    json_array_end(j);
    json_array(j, "lacks");
    for (size_t i = 0; i < KINDS; i++) {
        if (suite_find_kind(p, kinds[i].name))
            continue;
        json_object(j, NULL);
        json_cstr(j, "name", kinds[i].name);
        json_cstr(j, "view", kinds[i].view);
        json_cstr(j, "why", why_not(p, kinds[i].name, a));
        json_object_end(j);
    }
    json_array_end(j);
}

/* For each view null, or why it has nothing of this program. */
static void write_views(const struct suite_program *p, struct arena *a, struct json *j)
{
    static const char *const views[] = {"cpu", "memory", "time"};
    json_object(j, "views");
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        const char *first = NULL;
        bool has = false;
        for (size_t i = KINDS; i-- > 0;) {
            if (strcmp(kinds[i].view, views[v]))
                continue;
            has |= suite_find_kind(p, kinds[i].name) != NULL;
            first = kinds[i].name;
        }
        if (has)
            json_null(j, views[v]);
        else
            json_cstr(j, views[v], why_not(p, first, a));
    }
    json_object_end(j);
}

static void write_program(const struct suite_program *p, struct arena *a, struct json *j)
{
    const char *missing = suite_missing(p);
    json_object(j, NULL);
    json_cstr(j, "name", p->name);
    json_cstr(j, "title", p->summary);
    json_cstr(j, "language", p->language);
    json_bool(j, "installed", !missing);
    if (missing)
        json_cstr(j, "missing", missing);
    else
        json_null(j, "missing");
    json_cstr(j, "install", join(&p->install, "apt-get install", a));
    json_array(j, "inputs");
    for (uint32_t i = 0; i < p->input_count; i++) {
        json_object(j, NULL);
        json_cstr(j, "name", p->inputs[i].name);
        json_int(j, "duration_ms", p->inputs[i].duration_ms);
        json_object_end(j);
    }
    json_array_end(j);
    write_kinds(p, a, j);
    write_views(p, a, j);
    json_object_end(j);
}

/* Whether a program before the `end`th has an input of that name. */
static bool has_input(const struct suite_programs *all, uint32_t end, const char *name)
{
    for (uint32_t i = 0; i < end; i++)
        if (suite_find_input(all->programs[i], name))
            return true;
    return false;
}

void suite_describe(const struct suite_programs *all, struct arena *a, struct json *j)
{
    json_object(j, NULL);
    json_array(j, "programs");
    for (uint32_t i = 0; i < all->count; i++)
        write_program(all->programs[i], a, j);
    json_array_end(j);
    json_array(j, "inputs");
    for (uint32_t i = 0; i < all->count; i++)
        for (uint32_t k = 0; k < all->programs[i]->input_count; k++)
            if (!has_input(all, i, all->programs[i]->inputs[k].name))
                json_cstr(j, NULL, all->programs[i]->inputs[k].name);
    json_array_end(j);
    json_array(j, "kinds");
    for (size_t i = 0; i < KINDS; i++)
        json_cstr(j, NULL, kinds[i].name);
    json_array_end(j);
    json_object_end(j);
}
