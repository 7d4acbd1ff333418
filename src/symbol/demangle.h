/* SPDX-License-Identifier: MIT
 *
 * Demangles C++ (Itanium ABI) and Rust (legacy and v0) names the way google/pprof does by default:
 * no parameters, no template arguments, no return type, no clone suffix. The mangled name stays in
 * function.system_name. */
#ifndef SYMBOL_DEMANGLE_H
#define SYMBOL_DEMANGLE_H

#include "base/arena.h"

/* The demangled name in `a`, or `name` itself if it is not mangled or cannot be demangled. */
const char *demangle(struct arena *a, const char *name);

#endif
