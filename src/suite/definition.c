/* SPDX-License-Identifier: MIT
 *
 * Reads the definitions. What a definition cannot mean is refused here, with its line, so that a
 * run never finds out half-way. */
#include "suite/definition.h"

#include "base/buf.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- readers of parts ---- */

static bool is_name(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    while (isalnum((unsigned char)*s) || *s == '_')
        s++;
    return !*s;
}

static int read_vars(const struct yamldoc_node *n, void *at, struct err *e)
{
    struct suite_vars *vars = at;
    if (n->kind != YAMLDOC_MAP)
        return yamldoc_error(n, e, "%s: expected names and values", n->key);
    vars->vars = arena_zarray(n->doc->arena, n->count, sizeof *vars->vars);
    for (const struct yamldoc_node *i = n->first; i; i = i->next) {
        if (!is_name(i->key))
            return yamldoc_error(i, e, "'%s' cannot be a variable's name", i->key);
        struct suite_var *v = &vars->vars[vars->count++];
        v->name = i->key;
        int err = yamldoc_text(i, &v->value, e);
        if (err < 0)
            return err;
    }
    return 0;
}

static int read_when(const struct yamldoc_node *n, void *at, struct err *e)
{
    const char *text = n->kind == YAMLDOC_SCALAR ? n->text : "";
    bool during = !strcmp(text, "during");
    if (!during && strcmp(text, "after"))
        return yamldoc_error(n, e, "when: expected 'during' or 'after' the load");
    *(bool *)at = during;
    return 0;
}

static int read_kinds(const struct yamldoc_node *n, void *at, struct err *e)
{
    static const struct yamldoc_field fields[] = {
        {"url", yamldoc_text, offsetof(struct suite_kind, url), false},
        {"when", read_when, offsetof(struct suite_kind, during), false},
        {"record", yamldoc_bool, offsetof(struct suite_kind, record), false},
        {"env", read_vars, offsetof(struct suite_kind, env), false},
        {NULL, NULL, 0, false},
    };
    struct suite_program *p = at;
    if (n->kind != YAMLDOC_MAP || !n->count)
        return yamldoc_error(n, e, "kinds: expected at least one kind of profile");
    p->kinds = arena_zarray(n->doc->arena, n->count, sizeof *p->kinds);
    for (const struct yamldoc_node *i = n->first; i; i = i->next) {
        struct suite_kind *k = &p->kinds[p->kind_count++];
        k->name = i->key;
        int err = yamldoc_fields(i, fields, k, e);
        if (err < 0)
            return err;
        if (k->record == (k->url != NULL))
            return yamldoc_error(i, e, "%s: give either a url, or record: true", k->name);
    }
    return 0;
}

static int read_inputs(const struct yamldoc_node *n, void *at, struct err *e)
{
    static const struct yamldoc_field fields[] = {
        {"duration", yamldoc_duration_ms, offsetof(struct suite_input, duration_ms), true},
        {"rounds", yamldoc_int, offsetof(struct suite_input, rounds), false},
        {"set", read_vars, offsetof(struct suite_input, set), false},
        {NULL, NULL, 0, false},
    };
    struct suite_program *p = at;
    if (n->kind != YAMLDOC_MAP || !n->count)
        return yamldoc_error(n, e, "inputs: expected at least one input");
    p->inputs = arena_zarray(n->doc->arena, n->count, sizeof *p->inputs);
    for (const struct yamldoc_node *i = n->first; i; i = i->next) {
        struct suite_input *in = &p->inputs[p->input_count++];
        in->name = i->key;
        int err = yamldoc_fields(i, fields, in, e);
        if (err < 0)
            return err;
        if (in->duration_ms < 100 || in->duration_ms > 24 * 3600 * 1000)
            return yamldoc_error(i, e, "%s: the duration must be between 100ms and 24h", in->name);
        if (in->rounds > 1000000)
            return yamldoc_error(i, e, "%s: more than a million rounds", in->name);
    }
    return 0;
}

/* ---- a definition ---- */

#define AT(field) offsetof(struct suite_program, field)

static const struct yamldoc_field program_fields[] = {
    {"name", yamldoc_text, AT(name), true},
    {"summary", yamldoc_text, AT(summary), true},
    {"language", yamldoc_text, AT(language), true},
    {"install", yamldoc_texts, AT(install), true},
    {"needs", yamldoc_texts, AT(needs), true},
    {"ports", yamldoc_texts, AT(ports), false},
    {"command", yamldoc_texts, AT(command), false},
    {"start", yamldoc_texts, AT(start), false},
    {"ready", yamldoc_text, AT(ready), false},
    {"prepare", yamldoc_text, AT(prepare), false},
    {"load", yamldoc_text, AT(load), false},
    {"verify", yamldoc_text, AT(verify), true},
    {"inputs", read_inputs, 0, true},
    {"kinds", read_kinds, 0, true},
    {"lacks", read_vars, AT(lacks), false},
    {NULL, NULL, 0, false},
};

static int check_program(const struct suite_program *p, const char *path, struct err *e)
{
    const struct yamldoc_node *root = p->doc.root;
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t len = strlen(p->name);
    if (strncmp(base, p->name, len) || strcmp(base + len, ".yaml"))
        return yamldoc_error(root, e, "a program is named as its file: %s is not %s", p->name,
                             base);
    if ((p->command.count > 0) == (p->start.count > 0))
        return yamldoc_error(root, e, "give either a command, or how a server is started (start)");
    if (p->start.count && (!p->load || !p->ready))
        return yamldoc_error(root, e, "a server needs 'ready' and 'load'");
    for (uint32_t i = 0; i < p->ports.count; i++)
        if (!is_name(p->ports.texts[i]))
            return yamldoc_error(root, e, "'%s' cannot be a variable's name", p->ports.texts[i]);
    for (uint32_t i = 0; i < p->kind_count; i++)
        if (p->kinds[i].record != (p->command.count > 0))
            return yamldoc_error(root, e, "%s: commands are recorded, servers asked",
                                 p->kinds[i].name);
    for (uint32_t i = 0; i < p->lacks.count; i++)
        if (suite_find_kind(p, p->lacks.vars[i].name))
            return yamldoc_error(root, e, "%s is given and is lacking", p->lacks.vars[i].name);
    return 0;
}

int suite_read(const char *path, struct arena *a, struct suite_program **out, struct err *e)
{
    struct suite_program *p = arena_zalloc(a, sizeof *p);
    int err = yamldoc_read_file(&p->doc, path, a, e);
    if (err == 0)
        err = yamldoc_fields(p->doc.root, program_fields, p, e);
    if (err == 0)
        err = check_program(p, path, e);
    *out = p;
    return err;
}

static int is_definition(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 5 && d->d_name[0] != '.' && !strcmp(d->d_name + n - 5, ".yaml");
}

int suite_read_folder(const char *folder, struct arena *a, struct suite_programs *out,
                      struct err *e)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_definition, alphasort), err = 0;
    if (n < 0)
        return err_set(e, -errno, "cannot read the folder %s: %s", folder, strerror(errno));
    out->programs = arena_zarray(a, (size_t)n, sizeof(struct suite_program *));
    out->count = 0;
    for (int i = 0; i < n; i++) {
        if (err == 0)
            err = suite_read(arena_printf(a, "%s/%s", folder, names[i]->d_name), a,
                             &out->programs[out->count++], e);
        free(names[i]);
    }
    free(names);
    return err;
}

const char *suite_folder(struct arena *a, struct err *e)
{
    static const char *const places[] = {"../suites", "../share/strobe/suites"};
    const char *set = getenv("STROBE_SUITES");
    char self[PATH_MAX], real[PATH_MAX];
    if (set && *set)
        return arena_strdup(a, set);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++)
        if (realpath(arena_printf(a, "%s/%s", self, places[i]), real) && access(real, R_OK) == 0)
            return arena_strdup(a, real);
    err_set(e, -ENOENT,
            "the definitions of the suite were not found beside %s/strobe: set STROBE_SUITES to "
            "their folder",
            self);
    return NULL;
}

/* ---- asking ---- */

const struct suite_kind *suite_find_kind(const struct suite_program *p, const char *name)
{
    for (uint32_t i = 0; i < p->kind_count; i++)
        if (!strcmp(p->kinds[i].name, name))
            return &p->kinds[i];
    return NULL;
}

const struct suite_input *suite_find_input(const struct suite_program *p, const char *name)
{
    for (uint32_t i = 0; i < p->input_count; i++)
        if (!strcmp(p->inputs[i].name, name))
            return &p->inputs[i];
    return NULL;
}

static bool in_path(const char *name)
{
    const char *path = getenv("PATH");
    char file[PATH_MAX];
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    for (const char *p = path ? path : "/bin:/usr/bin"; *p;) {
        size_t n = strcspn(p, ":");
        if (n && snprintf(file, sizeof file, "%.*s/%s", (int)n, p, name) < (int)sizeof file &&
            access(file, X_OK) == 0)
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

const char *suite_missing(const struct suite_program *p)
{
    for (uint32_t i = 0; i < p->needs.count; i++)
        if (!in_path(p->needs.texts[i]))
            return p->needs.texts[i];
    return NULL;
}

/* ---- variables ---- */

static const char *find_var(const struct suite_vars *vars, const char *name, size_t len)
{
    for (uint32_t i = vars->count; i-- > 0;)
        if (strlen(vars->vars[i].name) == len && !memcmp(vars->vars[i].name, name, len))
            return vars->vars[i].value;
    return NULL;
}

int suite_expand(const char *text, const struct suite_vars *vars, struct arena *a, const char **out,
                 struct err *e)
{
    struct buf b;
    buf_init(&b, a);
    for (const char *p = text; *p;) {
        if (*p != '$') {
            buf_putc(&b, *p++);
            continue;
        }
        if (p[1] == '$') {
            buf_putc(&b, '$');
            p += 2;
            continue;
        }
        bool braces = p[1] == '{';
        const char *name = p + 1 + braces;
        size_t len = 0;
        while (isalnum((unsigned char)name[len]) || name[len] == '_')
            len++;
        const char *value = find_var(vars, name, len);
        if (!len || (braces && name[len] != '}') || !value)
            return err_set(e, -EINVAL, "there is no variable %.*s in \"%s\"",
                           (int)(name + len + braces - p), p, text);
        buf_puts(&b, value);
        p = name + len + braces;
    }
    *out = buf_cstr(&b);
    return 0;
}
