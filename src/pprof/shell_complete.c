/* SPDX-License-Identifier: MIT
 *
 * Completion of the shell's lines: commands and options in the first word and behind `help`,
 * values behind "=", functions of the profile elsewhere, as pprof's completer has it
 * (interactive.go, newCompleter), but with all candidates where there are several. What is inserted
 * for a function is a regular expression that matches its name. */
#include "pprof/shell.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

struct candidates {
    struct arena *arena;
    const char **items;
    size_t count, cap;
};

static void add(struct candidates *c, const char *s)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        c->items =
            arena_grow(c->arena, c->items, c->cap * sizeof *c->items, cap * sizeof *c->items);
        c->cap = cap;
    }
    c->items[c->count++] = s;
}

static void add_if(struct candidates *c, const char *s, const char *prefix)
{
    if (!strncmp(s, prefix, strlen(prefix)))
        add(c, s);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_unique(struct candidates *c)
{
    size_t kept = 0;
    if (!c->count)
        return;
    sort_list(c->items, c->count, sizeof *c->items, by_text);
    for (size_t i = 0; i < c->count; i++)
        if (!i || strcmp(c->items[i], c->items[kept - 1]))
            c->items[kept++] = c->items[i];
    c->count = kept;
}

/* What all candidates begin with. */
static char *common_prefix(const struct candidates *c)
{
    size_t n = strlen(c->items[0]);
    for (size_t i = 1; i < c->count; i++) {
        size_t same = 0;
        while (same < n && c->items[i][same] == c->items[0][same])
            same++;
        n = same;
    }
    while (n && ((unsigned char)c->items[0][n] & 0xc0) == 0x80)
        n--; /* not within a character */
    return arena_strndup(c->arena, c->items[0], n);
}

/* ---- words ---- */

static void add_names(struct candidates *c, const char *prefix, bool options_too)
{
    for (const struct command *k = commands; k->name; k++)
        if (!k->hidden)
            add_if(c, k->name, prefix);
    for (const struct option *o = options; options_too && o->name; o++) {
        add_if(c, o->name, prefix);
        for (const struct option_choice *v = o->choices; v && v->name; v++)
            add_if(c, v->name, prefix);
    }
}

static void add_shell_words(struct shell *sh, struct candidates *c, const char *prefix)
{
    static const char *const own[] = {"exit", "help", "options", "quit"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        add_if(c, own[i], prefix);
    for (const struct shell_shortcut *s = sh->shortcuts; s->name; s++)
        if (*s->name != ':')
            add_if(c, s->name, prefix);
}

/* ---- functions ---- */

/* The name as an expression: blanks would end the word, the rest would mean something else. */
static const char *quote_name(struct arena *a, struct profile_str name)
{
    struct buf out;
    buf_init(&out, a);
    for (uint32_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];
        if (strchr(" \t", ch) && ch) {
            buf_puts(&out, "\\s");
            continue;
        }
        if (ch && strchr("\\.+*?()|[]{}^$", ch))
            buf_putc(&out, '\\');
        buf_putc(&out, ch);
    }
    return buf_cstr(&out);
}

/* The word as it would stand in a name. */
static char *unquote(struct arena *a, const char *word)
{
    char *plain = arena_strdup(a, word), *to = plain;
    for (const char *s = word; *s; s++) {
        if (s[0] == '\\' && s[1] == 's') {
            *to++ = ' ';
            s++;
        } else if (*s != '\\') {
            *to++ = *s;
        }
    }
    *to = 0;
    return plain;
}

static void add_functions(struct shell *sh, struct candidates *c, const char *word)
{
    const struct profile *p = sh->p;
    const char *plain = unquote(c->arena, word);
    size_t len = strlen(plain);
    for (uint32_t i = 0; i < p->function_count; i++) {
        struct profile_str name = p->strings[p->functions[i].name];
        if (name.len && (!len || memmem(name.ptr, name.len, plain, len)))
            add(c, quote_name(c->arena, name));
    }
}

/* ---- values ---- */

static bool takes_functions(const char *option)
{
    static const char *const names[] = {"focus", "ignore",    "hide",
                                        "show",  "show_from", "prune_from"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(option, names[i]))
            return true;
    return false;
}

static void add_values(struct shell *sh, struct candidates *c, const char *name, const char *value)
{
    const char *choice;
    const struct option *o = settings_find(name, &choice);
    if (!o || choice)
        return;
    for (const struct option_choice *v = o->choices; v && v->name; v++)
        add_if(c, v->name, value);
    if (o->type == OPTION_BOOL) {
        add_if(c, "true", value);
        add_if(c, "false", value);
    } else if (takes_functions(name)) {
        add_functions(sh, c, value);
    } else if (!strcmp(name, "sample_index")) {
        for (uint32_t i = 0; i < sh->p->sample_type_count; i++) {
            struct profile_str t = sh->p->strings[sh->p->sample_types[i].type];
            add_if(c, arena_strndup(c->arena, t.ptr, t.len), value);
        }
    }
}

/* ---- the whole ---- */

/* The candidates as an answer; `before` is the part of the word that stays. */
static struct shell_completion answer(struct candidates *c, const char *before, const char *word)
{
    struct shell_completion result = {0};
    sort_unique(c);
    if (!c->count)
        return result;
    char *shared = common_prefix(c);
    /* A word from the middle of the names stays until one is left. */
    if (c->count > 1 && strncmp(shared, word, strlen(word)))
        shared = (char *)word;
    result.text = arena_printf(c->arena, "%s%s", before, shared);
    result.candidates = c->items;
    result.count = c->count;
    result.is_whole = c->count == 1;
    return result;
}

/* An option that wants a value is not done with its name. */
static struct shell_completion open_value(struct shell_completion a, struct arena *arena)
{
    const char *choice;
    const struct option *o = a.is_whole ? settings_find(a.text, &choice) : NULL;
    if (o && !choice && o->type != OPTION_BOOL) {
        a.text = arena_printf(arena, "%s=", a.text);
        a.is_whole = false;
    }
    return a;
}

struct shell_completion shell_complete(struct shell *sh, const char *line, struct arena *arena)
{
    struct candidates c = {.arena = arena};
    size_t count, len = strlen(line);
    char **words = shell_split(sh, line, &count);
    bool fresh = !len || strchr(" \t", line[len - 1]);
    size_t index = count - (fresh ? 0 : 1);
    char *word = fresh ? "" : words[index], *equals = strchr(word, '=');
    if (!index && equals) {
        char *name = arena_strndup(arena, word, (size_t)(equals - word));
        add_values(sh, &c, name, equals + 1);
        return answer(&c, arena_printf(arena, "%s=", name), equals + 1);
    }
    if (!index) {
        add_names(&c, word, true);
        add_shell_words(sh, &c, word);
        return open_value(answer(&c, "", word), arena);
    }
    if (!strcmp(words[0], "help") && index == 1) {
        add_names(&c, word, true);
        return answer(&c, "", word);
    }
    const struct command *command = command_find(words[0]);
    if (!command || command->hidden || !strcmp(words[0], "tags"))
        return (struct shell_completion){0};
    bool ignored = *word == '-';
    add_functions(sh, &c, word + ignored);
    return answer(&c, ignored ? "-" : "", word + ignored);
}
