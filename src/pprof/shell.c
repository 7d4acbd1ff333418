/* SPDX-License-Identifier: MIT
 *
 * The interactive shell (google/pprof internal/driver/interactive.go): lines are shortcuts,
 * assignments to options, or commands.
 *
 * Each command runs in a process of its own, forked from the shell: it may change the profile as it
 * likes without a copy being made, and Ctrl-C ends the report and not the shell. Nothing but the
 * names of temporary files comes back from it. */
#include "pprof/shell.h"

#include "base/gotext.h"
#include "pprof/output.h"
#include "report/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- commands ---- */

static void run_child(struct shell *sh, const struct request *r, int names)
{
    struct err e = {0};
    signal(SIGINT, SIG_DFL);
    int rc = run_command((struct profile *)sh->p, r, &e);
    if (rc)
        ui_error(e.msg);
    output_give(names);
    fflush(NULL);
    _exit(0);
}

static void wait_child(pid_t pid, int names)
{
    int status;
    output_take(names);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFSIGNALED(status))
        return;
    if (WTERMSIG(status) == SIGPIPE) { /* nobody reads what we print: we end as a command would */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (WTERMSIG(status) == SIGINT)
        ui_error("interrupted");
    else
        ui_errorf("the report was ended by a signal: %s", strsignal(WTERMSIG(status)));
}

static void run(struct shell *sh, const struct request *r)
{
    int names[2];
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    if (pipe2(names, O_CLOEXEC)) {
        ui_errorf("pipe: %s", gotext_errno(errno));
        return;
    }
    fflush(NULL);
    sigaction(SIGINT, &ignore, &before);
    pid_t pid = fork();
    if (!pid) {
        close(names[0]);
        run_child(sh, r, names[1]);
    }
    close(names[1]);
    if (pid < 0)
        ui_errorf("fork: %s", gotext_errno(errno));
    else
        wait_child(pid, names[0]);
    close(names[0]);
    sigaction(SIGINT, &before, NULL);
}

/* ---- assignments ---- */

/* The type's name is what is kept, so that `o` shows it. */
static int settle_index(struct shell *sh, const char **value, struct err *e)
{
    uint32_t index;
    int rc = prepare_find_index(sh->p, *value, &index, e);
    if (rc)
        return rc;
    struct profile_str type = sh->p->strings[sh->p->sample_types[index].type];
    *value = arena_strndup(&sh->arena, type.ptr, type.len);
    return 0;
}

static int set_choice(struct shell *sh, const struct option *o, const char *choice,
                      const char *value, struct err *e)
{
    bool on;
    if (gotext_parse_bool(value, &on) == GOTEXT_OK && on)
        return settings_set(&sh->request.settings, o, choice, e);
    return err_set(e, -EINVAL, "unknown config field \"%s\"", choice);
}

/* name=value, or the name alone; `value` is NULL then. */
static int assign(struct shell *sh, const struct option *o, const char *choice, const char *value,
                  struct err *e)
{
    if (!value && !choice && o->type != OPTION_BOOL)
        return err_set(e, -EINVAL, "please specify a value, e.g. %s=<val>", o->name);
    if (!value)
        value = "";
    if (choice)
        return set_choice(sh, o, choice, value, e);
    int rc = strcmp(o->name, "sample_index") ? 0 : settle_index(sh, &value, e);
    return rc ? rc : settings_set(&sh->request.settings, o, value, e);
}

/* Whether the line is an assignment; then it was made, or its error told. */
static bool try_assignment(struct shell *sh, const char *line)
{
    const char *equals = strchr(line, '='), *choice, *value = NULL;
    size_t len = equals ? (size_t)(equals - line) : strlen(line);
    const struct option *o = settings_find(shell_trim(sh, line, len), &choice);
    struct err e = {0};
    if (!o)
        return false;
    if (equals) {
        len = strlen(equals + 1);
        for (const char *at = strstr(equals + 1, "//:"); at; at = strstr(at + 1, "//:"))
            len = (size_t)(at - equals - 1);
        value = shell_trim(sh, equals + 1, len);
    }
    if (assign(sh, o, choice, value, &e))
        ui_error(e.msg);
    return true;
}

/* ---- lines ---- */

static const char *join(struct shell *sh, char **words, size_t count)
{
    struct buf text;
    buf_init(&text, &sh->arena);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s", i ? " " : "", words[i]);
    return buf_cstr(&text);
}

static bool is_any(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(word, *list))
            return true;
    return false;
}

/* One line, shortcuts expanded. False when it ends the shell. */
static bool do_line(struct shell *sh, const char *line)
{
    static const char *const quit[] = {"exit", "quit", "q", NULL};
    static const char *const show[] = {"o", "options", NULL};
    if (try_assignment(sh, line))
        return true;
    size_t count;
    char **words = shell_split(sh, line, &count);
    struct request r;
    struct err e = {0};
    if (!count)
        return true;
    if (is_any(words[0], quit))
        return false;
    if (is_any(words[0], show))
        shell_options(sh);
    else if (!strcmp(words[0], "help"))
        shell_help(sh, join(sh, words + 1, count - 1));
    else if (shell_parse(sh, words, count, &r, &e))
        ui_error(e.msg);
    else
        run(sh, &r);
    return true;
}

static bool do_input(struct shell *sh, const char *input)
{
    const char *line = shell_trim(sh, input, strlen(input));
    const struct shell_shortcut *found = NULL;
    for (const struct shell_shortcut *s = sh->shortcuts; s->name; s++)
        if (!strcmp(s->name, line))
            found = s;
    if (!found)
        return do_line(sh, line);
    for (const char *const *expanded = found->lines; *expanded; expanded++)
        if (!do_line(sh, *expanded))
            return false;
    return true;
}

/* ":" and, for each sample type, its name alone, for means and for totals. */
static void make_shortcuts(struct shell *sh)
{
    const struct profile *p = sh->p;
    struct shell_shortcut *s = arena_zarray(&sh->arena, p->sample_type_count * 3 + 2, sizeof *s);
    struct buf names;
    buf_init(&names, &sh->arena);
    buf_putc(&names, '[');
    sh->shortcuts = s;
    *s++ = (struct shell_shortcut){":", {"focus=", "ignore=", "hide=", "tagfocus=", "tagignore="}};
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str t = p->strings[p->sample_types[i].type];
        const char *type = arena_strndup(&sh->arena, t.ptr, t.len);
        const char *set = arena_printf(&sh->arena, "sample_index=%s", type);
        buf_printf(&names, "%s%s", i ? " " : "", type);
        *s++ = (struct shell_shortcut){type, {set}};
        *s++ = (struct shell_shortcut){arena_printf(&sh->arena, "total_%s", type), {"mean=0", set}};
        *s++ = (struct shell_shortcut){arena_printf(&sh->arena, "mean_%s", type), {"mean=1", set}};
    }
    buf_putc(&names, ']');
    sh->type_names = buf_cstr(&names);
}

int shell_run(struct profile *p, const struct request *request, struct err *e)
{
    struct shell sh = {.p = p, .request = *request};
    const char *line;
    arena_init(&sh.arena);
    sh.request.settings.compact_labels = true;
    make_shortcuts(&sh);
    run_greet(p, &sh.request.settings);
    struct shell_input *in = shell_input_open(&sh);
    while ((line = shell_input_read(in)) && do_input(&sh, line)) {
    }
    shell_input_close(in);
    arena_free(&sh.arena);
    return 0;
}
