/* SPDX-License-Identifier: MIT
 *
 * What an address asks for of a profile, with the parameters of pprof's pages (report/settings.h
 * has the table; their meaning, order and errors are pprof's):
 *
 *   si  sample type, by name or number
 *   f   focus, i  ignore, h  hide, s  show, sf  show_from, prunefrom     regular expressions
 *   tf  tagfocus, ti  tagignore, ts  tagshow, th  taghide, tagroot, tagleaf
 *   g   granularity, noinlines, showcolumns
 *   n, nf, ef, trim, sort, dropneg, rel, calltree, compact, unit, mean, norm, intel
 *
 * f to sf, tf and ti may be given several times: a sample has to pass all of them. What the command
 * line says holds where the address says nothing. */
#ifndef WEB_ASK_H
#define WEB_ASK_H

#include "report/prepare.h"
#include "web/http.h"

enum {
    ASK_LISTED = 50
}; /* files, or functions, of one listing of source or code: pprof's number */

/* What is asked, and what the command line said of it. Borrowed. */
struct ask {
    const struct profile *profile;
    const struct settings *settings; /* NULL: pprof's defaults */
    const char *tools, *symbolize;   /* as prepare_request; NULL: "" */
};

/* What a view wants to be different (makeReport's configEditor). All-zero: nothing. */
struct ask_options {
    const char *command;     /* in report/command.h: its overrides */
    const char *param;       /* its regular expression, or NULL */
    int64_t node_count;      /* > 0: in place of the address's */
    const char *granularity; /* likewise; NULL: none */
    int64_t max_listed;      /* see report_options */
    bool escape_all;
};

struct ask_read {
    struct settings settings;
    struct prepare_filter *more; /* filters beyond the first of a kind */
    size_t more_count;
};

/* Reads the parameters; texts are the exchange's. -EINVAL with pprof's words, or for too many
 * filters. */
int ask_read(struct http_exchange *x, const struct ask *from, struct ask_read *out, struct err *e);

/* Warnings are lines for the reader of the page, beside any answer: the header X-Strobe-Warnings, a
 * JSON array of texts, percent-encoded. */
struct refine_say ask_say(struct http_exchange *x);

/* Who gets the report. */
struct ask_use {
    int (*take)(struct report *r, void *arg, struct err *e);
    void *arg;
};

/* Reads the parameters, prepares a copy of the profile, calls `use` with the report begun, and
 * frees both. Returns what `use` does, or an error that belongs into status 400. */
int ask_report(struct http_exchange *x, const struct ask *from, const struct ask_options *o,
               const struct ask_use *use, struct err *e);

/* The text of a command's report, in the exchange's arena. */
int ask_text(struct http_exchange *x, const struct ask *from, const struct ask_options *o,
             struct buf *text, struct err *e);

#endif
