/* SPDX-License-Identifier: MIT
 *
 * The table of libedit's functions, which late_load fills by name. It is apart from shell_input.c,
 * as all such tables are from what uses them. */
#include "pprof/libedit.h"

#include "base/late.h"

struct libedit libedit;

int libedit_load(struct err *e)
{
#define NAME(name) #name,
    static const char *const names[] = {LIBEDIT_FUNCTIONS(NAME) NULL};
#undef NAME
    static struct late late = {.file = "libedit.so.2",
                               .package = "libedit2",
                               .names = names,
                               .table = &libedit,
                               .lock = PTHREAD_MUTEX_INITIALIZER};
    return late_load(&late, e);
}
