/* SPDX-License-Identifier: MIT
 *
 * perf's recordings (perf.data), which another program has to read. */
#ifndef PPROF_PERF_DATA_H
#define PPROF_PERF_DATA_H

#include "pprof/pprof_internal.h"

bool perf_data_is(const char *path);

/* As pprof does, by perf_to_profile, with its message and its error; the short verbs by perf
 * itself. The error begins with the file's name. */
int perf_data_read(struct profile *p, const struct source *s, const char *path, struct err *e);

#endif
