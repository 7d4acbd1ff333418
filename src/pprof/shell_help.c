/* SPDX-License-Identifier: MIT
 *
 * What the shell says about itself: `help` and `o`. On standard error, like all its messages. */
#include "pprof/shell.h"

#include "base/gotext.h"
#include "base/sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void help_all(struct buf *out)
{
    pprof_shell_usage(out);
    buf_puts(out, "\n  :   Clear focus/ignore/hide/tagfocus/tagignore\n\n"
                  "  type \"help <cmd|option>\" for more information\n");
}

static void help_command(struct buf *out, const struct command *c)
{
    buf_printf(out, "%s\n", c->description);
    if (c->help) {
        buf_puts(out, "  Usage:\n");
        for (const char *line = c->help; *line; line += *line == '\n') {
            size_t n = strcspn(line, "\n");
            buf_printf(out, "    %.*s\n", (int)n, line);
            line += n;
        }
    }
    buf_putc(out, '\n');
}

static void help_option(struct shell *sh, struct buf *out, const struct option *o,
                        const char *choice)
{
    const char *help = o->help;
    for (const struct option_choice *c = o->choices; choice && c->name; c++)
        if (c->name == choice)
            help = c->help;
    buf_puts(out, help);
    if (!strcmp(o->name, "sample_index"))
        buf_printf(out, "Or use sample_index=name, with name in %s.\n", sh->type_names);
    buf_putc(out, '\n');
}

void shell_help(struct shell *sh, const char *topic)
{
    struct arena scratch;
    struct buf text;
    const char *choice;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    const struct command *c = command_find(topic);
    const struct option *o = settings_find(topic, &choice);
    if (!*topic)
        help_all(&text);
    else if (c && !c->hidden)
        help_command(&text, c);
    else if (o && (choice || !o->choices))
        help_option(sh, &text, o, choice);
    if (text.len)
        ui_print(buf_cstr(&text));
    else
        ui_errorf("Unknown command: %s", topic);
    arena_free(&scratch);
}

/* ---- options ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "[a | b]" */
static const char *list_choices(struct arena *a, const struct option *o)
{
    const char *sorted[16];
    size_t count = 0;
    struct buf text;
    buf_init(&text, a);
    for (const struct option_choice *c = o->choices; c->name; c++)
        sorted[count++] = c->name;
    sort_list(sorted, count, sizeof *sorted, by_text);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s", i ? " | " : "[", sorted[i]);
    buf_putc(&text, ']');
    return buf_cstr(&text);
}

/* The same of the profile's sample types; the last one is what is shown when none is set. */
static const char *list_types(struct arena *a, const struct profile *p, const char **last)
{
    struct buf text;
    buf_init(&text, a);
    buf_putc(&text, '[');
    *last = "";
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str type = p->strings[p->sample_types[i].type];
        buf_puts(&text, i ? " | " : "");
        buf_append(&text, type.ptr, type.len);
        *last = arena_strndup(a, type.ptr, type.len);
    }
    buf_putc(&text, ']');
    return buf_cstr(&text);
}

static size_t count_runes(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static const char *option_line(struct shell *sh, const struct option *o, struct arena *a)
{
    struct buf text, line;
    const char *comment = "", *last;
    buf_init(&text, a);
    buf_init(&line, a);
    settings_get(&sh->request.settings, o, &text);
    const char *value = buf_cstr(&text);
    if (o->choices) {
        comment = list_choices(a, o);
        value = !strcmp(o->name, "granularity") && !*value ? "(default)" : value;
    } else if (!strcmp(o->name, "sample_index")) {
        comment = list_types(a, sh->p, &last);
        value = *value ? value : last;
    } else if (!strcmp(o->name, "nodecount") && !strcmp(value, "-1")) {
        comment = "default";
    } else if (!*value) {
        value = "\"\"";
    }
    buf_printf(&line, "  %-25s = %s", o->name, value);
    for (size_t n = count_runes(value); n < 20; n++)
        buf_putc(&line, ' ');
    buf_printf(&line, " %s%s", *comment ? "//: " : "", comment);
    return buf_cstr(&line);
}

void shell_options(struct shell *sh)
{
    struct arena scratch;
    struct buf text;
    const char *lines[64];
    size_t count = 0;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    for (const struct option *o = options; o->name; o++)
        if (strcmp(o->name, "source_path"))
            lines[count++] = option_line(sh, o, &scratch);
    sort_list(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s\n", lines[i]);
    ui_print(buf_cstr(&text));
    arena_free(&scratch);
}
