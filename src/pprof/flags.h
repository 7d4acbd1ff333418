/* SPDX-License-Identifier: MIT
 *
 * A command line with the rules of Go's flag package, which scripts written for pprof rely on. */
#ifndef PPROF_FLAGS_H
#define PPROF_FLAGS_H

#include "base/err.h"
#include "report/settings.h"

struct flag {
    const char *name;
    enum option_type type; /* not OPTION_CHOICE */
    void *target;          /* bool, int64_t, double or const char * */
};

enum flags_result { FLAGS_OK, FLAGS_HELP, FLAGS_ERROR };

/* Reads flags from argv[*at] on; *at is the first argument that is none. -f, --f, -f=v, -f v; "--"
 * ends. A flag's value may begin with a dash. -h and -help give FLAGS_HELP. After an error *at is
 * behind the flag; the error's code is -ENOENT if there is no such one. */
enum flags_result flags_parse(const struct flag *flags, char **argv, int argc, int *at,
                              struct err *e);

#endif
