/* SPDX-License-Identifier: MIT
 *
 * Why profiles cannot be added up or compared, in the short verbs' words: which kinds they are. */
#ifndef PPROF_KINDS_H
#define PPROF_KINDS_H

#include "profile/profile.h"

struct kinds_file {
    const struct profile *p;
    const char *name; /* of the file, or NULL */
};

/* Whether the profiles measure different things; then `e` becomes a sentence that names two that
 * do, what each has, and what to do. Else `e` stays. `verb` is "compared" or "added up". */
bool kinds_differ(const struct kinds_file *files, uint32_t count, const char *verb, struct err *e);

#endif
