/* SPDX-License-Identifier: MIT
 *
 * The profile that bench/ works on where none is given: as of a large server, from a generator, so
 * that it is the same everywhere. Stacks of 30 to 60 frames walk a call graph in which each
 * location calls one of four, the first most. */
#ifndef BENCH_LARGE_PROFILE_H
#define BENCH_LARGE_PROFILE_H

#include <stdint.h>

struct large_profile {
    uint32_t samples, locations, functions;
};

/* Writes it compressed, and the source of its functions beside it (PATH.c), for `list`; ends the
 * program with a message when that fails. */
void large_profile_write(const char *path, const struct large_profile *size);
void large_profile_remove(const char *path);

#endif
