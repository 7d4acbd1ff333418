/* SPDX-License-Identifier: MIT
 *
 * What the files of pprof/ share. */
#ifndef PPROF_INTERNAL_H
#define PPROF_INTERNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "report/command.h"
#include "pprof/pprof.h"
#include "report/settings.h"
#include "profile/profile.h"

/* What to read, as the flags say it. Texts are borrowed from argv. */
struct source {
    char **files;
    int file_count;
    const char *exec_name; /* overrides the first mapping's file; NULL: no */
    const char *build_id;  /* of the first mapping if it has none; "" */
    const char *base;      /* one file, "" for none */
    bool diff_base;
    bool normalize, all_frames;
    int64_t seconds, timeout_seconds;
    const char *symbolize, *http, *comment;
    const char *tools; /* where the tools for binaries are, "" for $PATH */
    const char *tls_cert, *tls_key, *tls_ca;
    bool no_browser;
    const char *export; /* of strobe web: the file that the page is saved as, "" for none */
    bool exact; /* as pprof: its error texts without ours behind them, no "-" for standard input */
};

/* ---- ui.c ---- */

/* A message on standard error with a newline. */
void ui_print(const char *line);
/* The same, red on a terminal, but not with NO_COLOR. */
void ui_error(const char *line);
void ui_errorf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- usage.c ---- */

void pprof_usage(struct buf *out);
/* The shell's part of it: commands and options without dashes. */
void pprof_shell_usage(struct buf *out);

/* ---- arguments.c ---- */

enum arguments_result { ARGUMENTS_OK, ARGUMENTS_HELP, ARGUMENTS_USAGE, ARGUMENTS_ERROR };
/* What the command line asks for. */
struct request {
    struct settings settings;
    struct source source;
    const struct command *command; /* NULL when none is named */
    const char *param;             /* the command's regular expression, or NULL */
    bool in_shell;                 /* typed there */
};

/* The files of `r` stand in argv, whose order is changed. ARGUMENTS_USAGE: an error that wants the
 * usage text with it. */
enum arguments_result arguments_parse(int argc, char **argv, const struct pprof_front *front,
                                      struct request *r, struct err *e);

/* ---- sources.c ---- */

/* Reads, merges, subtracts the base, symbolizes and prunes: the profile that commands work on. Free
 * with sources_free. */
int sources_read(struct profile **p, const struct source *s, struct err *e);
void sources_free(struct profile *p);

/* ---- binaries.c ---- */

/* Whether the file is an executable in ELF: as first argument it is no profile. */
bool binaries_is_executable(const char *path);
/* Replaces the files of mappings by those found on $PPROF_BINARY_PATH, and by the overrides of the
 * command line; a profile without mappings gets one. */
void binaries_locate(struct profile *p, const struct source *s);

/* ---- symbolize.c ---- */

struct symbolz;
/* Looks names and lines up as -symbolize says, and demangles. `origins`: whom else to ask. */
int symbolize(struct profile *p, const struct source *s, struct symbolz *origins, struct err *e);

/* ---- run.c ---- */

/* One command on a profile, which is changed by it. */
int run_command(struct profile *p, const struct request *request, struct err *e);
/* What the shell says of a profile when it begins. */
void run_greet(struct profile *p, const struct settings *s);

/* ---- serve.c ---- */

/* Serves the page on source.http until a signal, which ends the process as it would have, unless it
 * is no exact pprof: then 0 is returned. */
int serve_run(struct profile *p, const struct request *request, struct err *e);

/* ---- shell.c ---- */

/* Reads commands from standard input until it ends. */
int shell_run(struct profile *p, const struct request *request, struct err *e);

#endif
