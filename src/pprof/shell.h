/* SPDX-License-Identifier: MIT
 *
 * Inside pprof/: the interactive shell. */
#ifndef PPROF_SHELL_H
#define PPROF_SHELL_H

#include "pprof/pprof_internal.h"

/* A line of the shell that expands to others: ":" and those of each sample type. */
struct shell_shortcut {
    const char *name, *lines[6]; /* up to a NULL */
};

struct shell {
    const struct profile *p;
    struct request request;           /* settings as they stand; sources as they were */
    struct arena arena;               /* texts of settings, words of lines */
    struct shell_shortcut *shortcuts; /* up to a NULL name; later ones hide earlier ones */
    const char *type_names;           /* "[samples cpu]" */
};

/* ---- shell_line.c: what a line asks for ---- */

/* A command with its words, on a copy of the settings. -EINVAL with pprof's words. */
int shell_parse(struct shell *sh, char **words, size_t count, struct request *r, struct err *e);
/* Splits at white space, into the shell's arena; words end with NULL. */
char **shell_split(struct shell *sh, const char *line, size_t *count);
/* Without white space at both ends; in the shell's arena. */
char *shell_trim(struct shell *sh, const char *s, size_t len);

/* ---- shell_help.c ---- */

void shell_help(struct shell *sh, const char *topic);
void shell_options(struct shell *sh);

/* ---- shell_input.c: where lines come from ---- */

struct shell_input;
/* On a terminal an editor with history and completion, else plain lines. */
struct shell_input *shell_input_open(struct shell *sh);
void shell_input_close(struct shell_input *in);
/* The next line without its newline, valid until the next call; NULL at the end. */
const char *shell_input_read(struct shell_input *in);

/* ---- shell_complete.c ---- */

struct shell_completion {
    const char *text;              /* what the word under the cursor becomes */
    const char *const *candidates; /* if there are several */
    size_t count;
    bool is_whole; /* nothing more can follow in this word */
};
/* Completes the last word of `line`, which ends at the cursor. Texts are `arena`'s. */
struct shell_completion shell_complete(struct shell *sh, const char *line, struct arena *arena);

#endif
