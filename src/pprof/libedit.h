/* SPDX-License-Identifier: MIT
 *
 * libedit, which is loaded when lines are edited on a terminal (base/late.h). Include this and not
 * <histedit.h>, and call libedit_load before anything else. `history` is a name that others have as
 * well: it is called as libedit.history. */
#ifndef PPROF_LIBEDIT_H
#define PPROF_LIBEDIT_H

#include "base/err.h"

#include <histedit.h>

/* 0, or a sentence that names the package. */
int libedit_load(struct err *e);

#define LIBEDIT_FUNCTIONS(F)                                                                       \
    F(el_cursor)                                                                                   \
    F(el_deletestr)                                                                                \
    F(el_end)                                                                                      \
    F(el_get)                                                                                      \
    F(el_gets)                                                                                     \
    F(el_init)                                                                                     \
    F(el_insertstr)                                                                                \
    F(el_line)                                                                                     \
    F(el_set)                                                                                      \
    F(el_source)                                                                                   \
    F(history)                                                                                     \
    F(history_end)                                                                                 \
    F(history_init)

struct libedit {
#define LIBEDIT_FIELD(name) __typeof__(name) *name;
    LIBEDIT_FUNCTIONS(LIBEDIT_FIELD)
#undef LIBEDIT_FIELD
};
extern struct libedit libedit;

#define el_cursor    libedit.el_cursor
#define el_deletestr libedit.el_deletestr
#define el_end       libedit.el_end
#define el_get       libedit.el_get
#define el_gets      libedit.el_gets
#define el_init      libedit.el_init
#define el_insertstr libedit.el_insertstr
#define el_line      libedit.el_line
#define el_set       libedit.el_set
#define el_source    libedit.el_source
#define history_end  libedit.history_end
#define history_init libedit.history_init

#endif
