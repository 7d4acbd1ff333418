/* SPDX-License-Identifier: MIT
 *
 * Demangles C++ (Itanium ABI) and Rust (legacy and v0) names the way google/pprof does by default:
 * no parameters, no template arguments, no return type, no clone suffix. The mangled name stays in
 * function.system_name. */
#ifndef SYMBOL_DEMANGLE_H
#define SYMBOL_DEMANGLE_H

#include "base/arena.h"

/* How much of a name is shown: pprof's -symbolize=demangle=… */
enum demangle_mode {
    DEMANGLE_SHORT,     /* the default: neither parameters nor template arguments */
    DEMANGLE_TEMPLATES, /* template arguments, but no parameters and no return type */
    DEMANGLE_FULL,      /* all but the compiler's suffixes of clones */
};

/* The demangled name in `a`, or NULL if it is not mangled or cannot be demangled. */
const char *demangle_as(struct arena *a, const char *name, enum demangle_mode mode);

/* The demangled name in `a`, or `name` itself if it is not mangled or cannot be demangled. */
const char *demangle(struct arena *a, const char *name);

#endif
