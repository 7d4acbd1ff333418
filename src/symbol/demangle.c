/* SPDX-License-Identifier: MIT
 *
 * C++ and Rust names for people, by GNU's libiberty. */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <stdlib.h>

const char *demangle(struct arena *a, const char *name)
{
    if (name[0] != '_')
        return name;
    char *s = cplus_demangle(name, DMGL_AUTO);
    if (!s)
        return name;
    char *r = arena_strdup(a, s);
    free(s);
    return r;
}
