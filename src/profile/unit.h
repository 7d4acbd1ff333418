/* SPDX-License-Identifier: MIT
 *
 * Units of sample values and how they convert: google/pprof's table (internal/measurement). */
#ifndef PROFILE_UNIT_H
#define PROFILE_UNIT_H

#include "profile/profile.h"

enum unit_family { UNIT_NONE, UNIT_MEMORY, UNIT_TIME, UNIT_GCU };

struct unit {
    enum unit_family family;
    double factor;         /* in bytes, nanoseconds, GCU */
    const char *canonical; /* as pprof prints it: "MB", "ms", "hrs" */
};

/* The unit of that name: case does not matter, nor a final s of names longer than two characters.
 * Family UNIT_NONE when pprof does not know it. */
struct unit unit_find(struct profile_str name);

/* `wanted` when it is of the family, else the unit in which pprof shows the family (B, s, GCU). */
struct unit unit_of_family(struct unit wanted, enum unit_family family);

/* The largest unit in which a value, in bytes, nanoseconds or GCU, is at least 1; the family's
 * default (as above) when there is none. */
struct unit unit_largest(enum unit_family family, double value);

/* pprof's Scale for two given units: `value` of `from` in `to`; unchanged when `from` is not known;
 * in the family's default unit (B, s, GCU) when `to` is not of the same family. */
double unit_convert(int64_t value, struct unit from, struct unit to);

#endif
