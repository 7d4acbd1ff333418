/* SPDX-License-Identifier: MIT
 *
 * From raw stacks to a profile: what libstrobe (inside the program) and the recorder (outside) both
 * do with counted program counters. Locations are made once for each address of a mapping, equal
 * stacks with equal labels are added. Needs libc only; memory comes from the profile's arena, and
 * with a nullable one every failure is sticky: profile_build_finish returns -ENOMEM. */
#ifndef PROFILE_BUILD_H
#define PROFILE_BUILD_H

#include "base/map.h"
#include "profile/profile.h"

struct profile_build {
    struct profile *p;
    struct map locations, samples, functions, mappings;
    /* capacities of the profile's growing arrays */
    uint32_t mapping_cap, location_cap, line_cap, function_cap, sample_cap;
    uint64_t ref_cap, label_cap;
    int failed;
};

/* What identifies a mapping: the executable segment of a file, where it was loaded first. */
struct profile_build_mapping {
    uint64_t start, limit, offset;
    const char *file;
    uint32_t file_len;
    const uint8_t *build_id; /* bytes; written as hex */
    uint32_t build_id_len;
};

struct profile_build_sample {
    const uint32_t *locations; /* leaf first */
    uint32_t location_count;
    int64_t values[4];                  /* as many as the profile has sample types */
    const struct profile_label *labels; /* strings of this profile */
    uint32_t label_count;
};

/* Makes `p` (initialised, empty) a CPU profile: samples/count and cpu/nanoseconds, `period_ns`. */
void profile_build_cpu(struct profile_build *b, struct profile *p, int64_t period_ns);
/* The same for wall time: samples/count and wall/nanoseconds. */
void profile_build_wall(struct profile_build *b, struct profile *p, int64_t period_ns);
/* The same for the heap: alloc_objects, alloc_space, inuse_objects and inuse_space, in this order,
 * one sample of `rate_bytes` on average. */
void profile_build_heap(struct profile_build *b, struct profile *p, int64_t rate_bytes);
/* The same for waits: contentions/count and delay/nanoseconds, with Go's period of 1. */
void profile_build_contention(struct profile_build *b, struct profile *p);
/* The same for things counted now: one sample type, `type` in count. */
void profile_build_count(struct profile_build *b, struct profile *p, const char *type);
/* The mapping with this file, build id and offset; added if new. Index, or PROFILE_NONE. */
uint32_t profile_build_mapping(struct profile_build *b, const struct profile_build_mapping *m);
/* The location of `address` in a mapping (PROFILE_NONE: in none). Index, or PROFILE_NONE. */
uint32_t profile_build_location(struct profile_build *b, uint32_t mapping, uint64_t address);
/* A location without address that is one function of this name: "[exit]". */
uint32_t profile_build_pseudo(struct profile_build *b, const char *name);
/* Gives a location the one function `name` (no file, no line). */
void profile_build_name(struct profile_build *b, uint32_t location, const char *name, size_t len);
void profile_build_add(struct profile_build *b, const struct profile_build_sample *s);
/* A comment; pprof prints those that do not start with '#' above its reports. */
void profile_build_comment(struct profile_build *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* 0 or -ENOMEM. The profile satisfies profile_check's invariants. */
int profile_build_finish(struct profile_build *b);

#endif
