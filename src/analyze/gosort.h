/* SPDX-License-Identifier: MIT
 *
 * sort.Sort of Go's standard library, step for step: it is not stable, and where pprof sorts what
 * was sorted before by another key, equal elements stand in its output in the order that this very
 * algorithm leaves them in. */
#ifndef ANALYZE_GOSORT_H
#define ANALYZE_GOSORT_H

#include <stdbool.h>
#include <stddef.h>

struct gosort {
    char *data;
    size_t size; /* of an element, at most GOSORT_SIZE_MAX */
    bool (*less)(const void *a, const void *b, const void *context);
    const void *context;
};

enum { GOSORT_SIZE_MAX = 64 };

void gosort(const struct gosort *s, size_t count);

#endif
