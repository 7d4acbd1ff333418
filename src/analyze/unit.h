/* SPDX-License-Identifier: MIT
 *
 * Units of measurement: scaling, labels and percentages by the rules of google/pprof's
 * internal/measurement. Units are NUL-terminated text, aliases in any case, "" for none. */
#ifndef ANALYZE_UNIT_H
#define ANALYZE_UNIT_H

#include "base/buf.h"

#include <stdint.h>

struct unit_scaled {
    double value;
    const char *unit; /* canonical and static, or `to` itself, or "" if it says nothing */
};

/* `to` may be "auto" or "minimum": the largest unit in which the value is at least 1. A known
 * family's unknown target gives the family's default unit (bytes, seconds). */
struct unit_scaled unit_scale(int64_t value, const char *from, const char *to);

/* "1.50MB", "10ms", "0": two decimals, dropped when they are zeros. */
void unit_label(struct buf *out, int64_t value, const char *from, const char *to);

#define UNIT_PERCENT_SIZE 32
/* "42.00%", "  100%", " 0.5%": at least 6 wide. Returns `text`. */
const char *unit_percent(char text[UNIT_PERCENT_SIZE], int64_t value, int64_t total);

#endif
