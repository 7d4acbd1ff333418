/* SPDX-License-Identifier: MIT
 *
 * Lines for the shell. On a terminal libedit edits them: history, Tab for completion, Ctrl-C for a
 * fresh line. Elsewhere they are read as they come and nothing is echoed. */
#include "pprof/libedit.h"
#include "pprof/shell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HISTORY_MAX = 1000, LISTED_MAX = 200 };

struct shell_input {
    struct shell *sh;
    EditLine *el; /* NULL without a terminal */
    History *history;
    FILE *screen;
    char *line; /* of getline */
    size_t cap;
    struct sigaction before; /* of SIGINT */
};

static const char *prompt(EditLine *el)
{
    return "(pprof) ";
}

static struct shell_input *input_of(EditLine *el)
{
    void *data = NULL;
    el_get(el, EL_CLIENTDATA, &data);
    return data;
}

/* ---- keys ---- */

static size_t screen_width(void)
{
    struct winsize size;
    return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

/* In columns, as a shell lists files. */
static void list_candidates(struct shell_input *in, const struct shell_completion *c)
{
    size_t widest = 0, shown = c->count < LISTED_MAX ? c->count : LISTED_MAX;
    for (size_t i = 0; i < shown; i++)
        if (strlen(c->candidates[i]) > widest)
            widest = strlen(c->candidates[i]);
    size_t columns = screen_width() / (widest + 2);
    columns = columns ? columns : 1;
    size_t rows = (shown + columns - 1) / columns;
    fputc('\n', in->screen);
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = row; i < shown; i += rows)
            fprintf(in->screen, "%-*s  ", i + rows < shown ? (int)widest : 0, c->candidates[i]);
        fputc('\n', in->screen);
    }
    if (shown < c->count)
        fprintf(in->screen, "… and %zu more\n", c->count - shown);
    fflush(in->screen);
}

static unsigned char complete(EditLine *el, int key)
{
    struct shell_input *in = input_of(el);
    const LineInfo *at = el_line(el);
    size_t len = (size_t)(at->cursor - at->buffer), word = len;
    struct arena scratch;
    arena_init(&scratch);
    char *line = arena_strndup(&scratch, at->buffer, len);
    while (word && line[word - 1] != ' ' && line[word - 1] != '\t')
        word--;
    struct shell_completion c = shell_complete(in->sh, line, &scratch);
    unsigned char result = CC_ERROR;
    if (c.text && strcmp(c.text, line + word)) {
        if (len > word)
            el_deletestr(el, (int)(len - word));
        if (!el_insertstr(el, c.text) && (!c.is_whole || !el_insertstr(el, " ")))
            result = CC_REFRESH;
    } else if (c.count > 1) {
        list_candidates(in, &c);
        result = CC_REDISPLAY;
    }
    arena_free(&scratch);
    return result;
}

/* Ctrl-C: this line is given up. */
static unsigned char give_up(EditLine *el, int key)
{
    struct shell_input *in = input_of(el);
    const LineInfo *at = el_line(el);
    int len = (int)(at->lastchar - at->buffer), behind = (int)(at->lastchar - at->cursor);
    el_cursor(el, behind);
    if (len)
        el_deletestr(el, len);
    fputs("^C\n", in->screen);
    fflush(in->screen);
    return CC_REDISPLAY;
}

/* ---- the editor ---- */

static void on_interrupt(int signal)
{
}

static void open_editor(struct shell_input *in)
{
    struct err e = {0};
    HistEvent event;
    if (libedit_load(&e)) { /* lines are read as they come */
        ui_error(e.msg);
        return;
    }
    in->screen = isatty(STDOUT_FILENO) ? stdout : stderr;
    in->el = el_init("strobe", stdin, in->screen, stderr);
    if (!in->el)
        return;
    in->history = history_init();
    libedit.history(in->history, &event, H_SETSIZE, HISTORY_MAX);
    libedit.history(in->history, &event, H_SETUNIQUE, 1);
    el_set(in->el, EL_CLIENTDATA, in);
    el_set(in->el, EL_PROMPT, prompt);
    el_set(in->el, EL_EDITOR, "emacs");
    el_set(in->el, EL_HIST, libedit.history, in->history);
    el_set(in->el, EL_ADDFN, "pprof-complete", "complete a word", complete);
    el_set(in->el, EL_ADDFN, "pprof-give-up", "begin a new line", give_up);
    el_set(in->el, EL_BIND, "^I", "pprof-complete", NULL);
    el_set(in->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(in->el, NULL); /* the user's ~/.editrc */
    /* While a line is edited, Ctrl-C is a key and no signal. */
    el_set(in->el, EL_SETTY, "-d", "-isig", NULL);
    el_set(in->el, EL_BIND, "^C", "pprof-give-up", NULL);
    struct sigaction wake = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &wake, &in->before);
}

struct shell_input *shell_input_open(struct shell *sh)
{
    struct shell_input *in = arena_zalloc(&sh->arena, sizeof *in);
    in->sh = sh;
    if (isatty(STDIN_FILENO) && (isatty(STDOUT_FILENO) || isatty(STDERR_FILENO)))
        open_editor(in);
    return in;
}

void shell_input_close(struct shell_input *in)
{
    if (in->el) {
        sigaction(SIGINT, &in->before, NULL);
        history_end(in->history);
        el_end(in->el);
    }
    free(in->line);
}

static const char *read_edited(struct shell_input *in)
{
    HistEvent event;
    int count;
    const char *line;
    do {
        errno = 0;
        el_set(in->el, EL_PREP_TERM,
               1); /* before the prompt: keys may come as soon as it is seen */
        line = el_gets(in->el, &count);
    } while (!line && count < 0 && errno == EINTR);
    if (!line || count <= 0) {
        fputc('\n', in->screen);
        fflush(in->screen);
        return NULL;
    }
    if (line[strspn(line, " \t\r\n")])
        libedit.history(in->history, &event, H_ENTER, line);
    return line;
}

const char *shell_input_read(struct shell_input *in)
{
    if (in->el)
        return read_edited(in);
    ssize_t n = getline(&in->line, &in->cap, stdin);
    if (n < 0)
        return NULL;
    if (n && in->line[n - 1] == '\n')
        in->line[n - 1] = 0;
    return in->line;
}
