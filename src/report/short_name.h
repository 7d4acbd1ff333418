/* SPDX-License-Identifier: MIT
 *
 * A function's name without what can be spared in a picture: package paths, versions of modules,
 * namespaces, arguments (google/pprof internal/graph/graph.go, ShortenFunctionName). */
#ifndef REPORT_SHORT_NAME_H
#define REPORT_SHORT_NAME_H

#include "base/buf.h"

void short_name(struct buf *out, const char *name, size_t len);

#endif
