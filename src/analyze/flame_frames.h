/* SPDX-License-Identifier: MIT
 *
 * The names of a flame graph: which functions and frames the locations of a profile stand for.
 * Private to analyze/flame*.c. */
#ifndef ANALYZE_FLAME_FRAMES_H
#define ANALYZE_FLAME_FRAMES_H

#include "analyze/flame.h"

/* The frames of location i, caller first: lines[first[i] .. first[i + 1]). At least one each. */
struct flame_line {
    uint32_t frame, function;
};

struct flame_stacks {
    uint32_t *first;
    struct flame_line *lines;
};

/* Fills the functions and frames of `f` (flat and cum are 0); `out` lives in `scratch`. By rows:
 * see flame_options. */
void flame_frames_build(struct flame *f, const struct profile *p, bool by_rows,
                        struct arena *scratch, struct flame_stacks *out);

#endif
