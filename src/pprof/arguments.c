/* SPDX-License-Identifier: MIT
 *
 * From the command line to settings, sources and a command (google/pprof internal/driver/cli.go).
 * Errors come in pprof's order: flags, option groups, commands, -http, legacy value flags, bases,
 * -normalize. */
#include "base/nearest.h"
#include "pprof/flags.h"
#include "pprof/pprof_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS_MAX = 128, CHOICES_MAX = 16, COMMANDS_MAX = 32 };

/* Flags of old that stand for a sample_index, in the order in which they are looked at. */
static const struct {
    const char *name, *sample_type;
} value_flags[] = {
    {"total_delay", "delay"},           {"mean_delay", "delay"},
    {"contentions", "contentions"},     {"inuse_space", "inuse_space"},
    {"inuse_objects", "inuse_objects"}, {"alloc_space", "alloc_space"},
    {"alloc_objects", "alloc_objects"},
};
enum { VALUE_FLAGS = sizeof value_flags / sizeof *value_flags, MEAN_DELAY = 1 };

struct arguments {
    struct flag flags[FLAGS_MAX];
    size_t flag_count;
    struct settings *settings;
    struct source *source;
    const char *base, *diff_base;
    bool values[VALUE_FLAGS];
    bool choices[CHOICES_MAX];               /* in the order of the tables */
    bool command_set[COMMANDS_MAX];          /* of commands without parameter */
    const char *command_param[COMMANDS_MAX]; /* of those with one, "" for not given */
};

static void add_flag(struct arguments *a, const char *name, enum option_type type, void *target)
{
    a->flags[a->flag_count++] = (struct flag){name, type, target};
}

static void add_source_flags(struct arguments *a)
{
    struct source *s = a->source;
    add_flag(a, "diff_base", OPTION_STRING, &a->diff_base);
    add_flag(a, "base", OPTION_STRING, &a->base);
    add_flag(a, "symbolize", OPTION_STRING, &s->symbolize);
    add_flag(a, "buildid", OPTION_STRING, &s->build_id);
    add_flag(a, "timeout", OPTION_INT, &s->timeout_seconds);
    add_flag(a, "add_comment", OPTION_STRING, &s->comment);
    add_flag(a, "all_frames", OPTION_BOOL, &s->all_frames);
    add_flag(a, "seconds", OPTION_INT, &s->seconds);
    add_flag(a, "tools", OPTION_STRING, &a->source->tools);
    add_flag(a, "http", OPTION_STRING, &s->http);
    add_flag(a, "no_browser", OPTION_BOOL, &a->source->no_browser);
    add_flag(a, "tls_cert", OPTION_STRING, &a->source->tls_cert);
    add_flag(a, "tls_key", OPTION_STRING, &a->source->tls_key);
    add_flag(a, "tls_ca", OPTION_STRING, &a->source->tls_ca);
    for (size_t i = 0; i < VALUE_FLAGS; i++)
        add_flag(a, value_flags[i].name, OPTION_BOOL, &a->values[i]);
}

static void add_option_flags(struct arguments *a)
{
    size_t choice = 0;
    for (const struct option *o = options; o->name; o++) {
        if (o->type != OPTION_CHOICE)
            add_flag(a, o->name, o->type, settings_field(a->settings, o));
        for (const struct option_choice *c = o->choices; c && c->name; c++)
            add_flag(a, c->name, OPTION_BOOL, &a->choices[choice++]);
    }
}

static void add_command_flags(struct arguments *a)
{
    for (size_t i = 0; commands[i].name; i++) {
        if (commands[i].has_param)
            add_flag(a, commands[i].name, OPTION_STRING, &a->command_param[i]);
        else
            add_flag(a, commands[i].name, OPTION_BOOL, &a->command_set[i]);
    }
}

static int settle_choices(struct arguments *a, struct err *e)
{
    size_t choice = 0;
    for (const struct option *o = options; o->name; o++) {
        char names[128] = "";
        int set = 0;
        for (const struct option_choice *c = o->choices; c && c->name; c++) {
            if (!a->choices[choice++])
                continue;
            *(const char **)settings_field(a->settings, o) = c->name;
            size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", set++ ? " " : "", c->name);
        }
        if (set > 1)
            return err_set(e, -EINVAL, "conflicting options set: [%s]", names);
    }
    return 0;
}

static int settle_command(const struct arguments *a, const struct command **c, const char **param,
                          struct err *e)
{
    for (size_t i = 0; commands[i].name; i++) {
        if (!a->command_set[i] && !*a->command_param[i])
            continue;
        if (*c)
            return err_set(e, -EINVAL, "must set at most one output format");
        *c = &commands[i];
        *param = commands[i].has_param ? a->command_param[i] : NULL;
    }
    return 0;
}

static void settle_values(struct arguments *a)
{
    for (size_t i = 0; i < VALUE_FLAGS; i++) {
        if (!a->values[i])
            continue;
        if (*a->settings->sample_index)
            ui_errorf("Multiple value selections, ignoring -%s", value_flags[i].name);
        else
            a->settings->sample_index = value_flags[i].sample_type;
    }
    if (a->values[MEAN_DELAY])
        a->settings->mean = true;
}

static int settle_bases(struct arguments *a, struct err *e)
{
    struct source *s = a->source;
    if (*a->base && *a->diff_base)
        return err_set(e, -EINVAL, "-base and -diff_base flags cannot both be specified");
    s->diff_base = *a->diff_base;
    s->base = s->diff_base ? a->diff_base : a->base;
    s->normalize = a->settings->normalize;
    if (s->normalize && !*s->base)
        return err_set(e, -EINVAL, "must have base profile to normalize by");
    return 0;
}

/* The short verbs' words for a flag that is none of theirs. */
static void suggest(const struct arguments *a, const char *given, struct err *e)
{
    const char *name = given + strspn(given, "-");
    size_t len = strcspn(name, "=");
    struct nearest near = nearest_to(name, len);
    for (size_t i = 0; i < a->flag_count; i++)
        nearest_see(&near, a->flags[i].name, strlen(a->flags[i].name));
    if (near.best)
        err_set(e, -ENOENT, "there is no option '%.*s': did you mean -%s?",
                (int)strcspn(given, "="), given, near.best);
    else
        err_set(e, -ENOENT, "there is no option '%.*s'", (int)strcspn(given, "="), given);
}

/* Reads all flags; what is no flag is moved to the front of argv, as the source's files. */
static enum flags_result parse_all(struct arguments *a, int argc, char **argv, bool anywhere,
                                   struct err *e)
{
    int at = 1, *count = &a->source->file_count;
    a->source->files = argv;
    for (;;) {
        int before = at;
        enum flags_result rc = flags_parse(a->flags, argv, argc, &at, e);
        if (rc == FLAGS_ERROR && e->code == -ENOENT && anywhere)
            suggest(a, argv[at - 1], e);
        if (rc != FLAGS_OK || at >= argc)
            return rc;
        bool ended = at > before && !strcmp(argv[at - 1], "--");
        if (anywhere && !ended) {
            argv[(*count)++] = argv[at++];
            continue;
        }
        while (at < argc)
            argv[(*count)++] = argv[at++];
        return FLAGS_OK;
    }
}

static int settle(struct arguments *a, const struct pprof_front *front, struct request *r,
                  struct err *e)
{
    struct source *s = a->source;
    if (s->file_count > 1 && binaries_is_executable(s->files[0])) {
        s->exec_name = s->files[0];
        s->files++;
        s->file_count--;
    }
    int rc = settle_choices(a, e);
    if (!rc)
        rc = settle_command(a, &r->command, &r->param, e);
    if (rc)
        return rc;
    if (front->command)
        r->command = command_find(front->command);
    if (r->command && *s->http)
        return err_set(e, -EINVAL,
                       "-http is not compatible with an output format on the command line");
    if (s->no_browser && !*s->http)
        return err_set(e, -EINVAL, "-no_browser only makes sense with -http");
    if (*s->export && strcmp(s->http, ":"))
        return err_set(e, -EINVAL, "-export writes a file and serves nothing: leave out -http");
    settle_values(a);
    return settle_bases(a, e);
}

/* The short verbs' first word where it is no file of the source. */
static int take_operand(struct arguments *a, const struct pprof_front *front, struct request *r,
                        struct err *e)
{
    struct source *s = &r->source;
    bool is_base = front->operands == PPROF_BASE_FIRST;
    if (is_base && (*a->base || *a->diff_base))
        return 0;
    if (s->file_count < 2)
        return err_set(e, -EINVAL,
                       is_base ? "two profiles are needed: the one before and the one after"
                               : "a regular expression and a profile are needed");
    *(is_base ? &a->diff_base : &r->param) = s->files[0];
    s->files++;
    s->file_count--;
    return 0;
}

static void begin(struct arguments *a, struct request *r)
{
    const char *tools = getenv("PPROF_TOOLS");
    *r = (struct request){.source = {.build_id = "",
                                     .base = "",
                                     .seconds = -1,
                                     .timeout_seconds = -1,
                                     .symbolize = "",
                                     .http = "",
                                     .export = "",
                                     .comment = "",
                                     .tools = tools ? tools : "",
                                     .tls_cert = "",
                                     .tls_key = "",
                                     .tls_ca = ""}};
    *a = (struct arguments){
        .settings = &r->settings, .source = &r->source, .base = "", .diff_base = ""};
    settings_default(&r->settings);
    for (size_t i = 0; i < COMMANDS_MAX; i++)
        a->command_param[i] = "";
}

enum arguments_result arguments_parse(int argc, char **argv, const struct pprof_front *front,
                                      struct request *r, struct err *e)
{
    struct arguments a;
    begin(&a, r);
    bool is_pprof = !front->command && !front->web;
    r->source.exact = is_pprof;
    r->source.http = front->web ? ":" : "";
    add_source_flags(&a);
    add_option_flags(&a);
    if (front->web)
        add_flag(&a, "export", OPTION_STRING, &r->source.export);
    if (front->command)
        add_flag(&a, "o", OPTION_STRING, &r->settings.output);
    else if (is_pprof)
        add_command_flags(&a);
    enum flags_result rc = parse_all(&a, argc, argv, !is_pprof, e);
    if (rc != FLAGS_OK)
        return rc == FLAGS_HELP ? ARGUMENTS_HELP : ARGUMENTS_USAGE;
    if (front->operands != PPROF_FILES && take_operand(&a, front, r, e))
        return ARGUMENTS_USAGE;
    if (!r->source.file_count) {
        err_set(e, -EINVAL, "no profile source specified");
        return ARGUMENTS_USAGE;
    }
    return settle(&a, front, r, e) ? ARGUMENTS_ERROR : ARGUMENTS_OK;
}
