/* SPDX-License-Identifier: MIT
 *
 * Shared by the files of the decoder: decode.c (the file and its tables) and decode_sample.c. */
#ifndef PROFILE_DECODE_INTERNAL_H
#define PROFILE_DECODE_INTERNAL_H

#include "profile/profile_internal.h"
#include "profile/varints.h"
#include "profile/wire.h"

enum { PROFILE_FIELDS = 16 };

/* From ids of the wire to indexes. Ids 1..count in order (every writer but the odd one) need no
 * table; other small ids are an array; the rest goes through a hash. */
struct idmap {
    uint32_t count;
    uint64_t dense_count; /* 0: identity */
    uint32_t *dense;      /* [id], PROFILE_NONE: no such id */
    struct map sparse;    /* indexes by hash of the id; compared through `ids` */
    const uint64_t *ids;  /* [index] */
};

struct decoder {
    struct profile *p;
    struct err *e;
    struct arena scratch; /* freed at the end of decoding */
    const uint8_t *base;  /* of the inflated data: offsets in errors count from here */
    const uint8_t *end;
    enum profile_input input;
    const struct varints *varints;

    /* Of each top-level field: how many there are, and the part of the file that holds them all. */
    struct wire range[PROFILE_FIELDS];
    uint64_t count[PROFILE_FIELDS];

    uint32_t *canonical; /* string -> first string equal to it; NULL: all are distinct */
    struct idmap mappings, functions, locations;

    /* What CheckValid would say first of mappings, functions and locations; code 0: nothing. */
    struct err invalid;
};

/* e = "unrecognized profile format: WHAT at byte N", code -EPROTO. */
int decode_malformed(struct decoder *d, const uint8_t *at, const char *what);

/* Keeps what is wrong with a table that can be read, unless something is kept: pprof reads all of a
 * file before it judges what that says, and judges samples first. */
void decode_invalid(struct decoder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads a message that has scalar fields only: v[number] is its last value. Fields from `count` on
 * are skipped. 0 or an error. */
int decode_scalars(struct decoder *d, struct wire msg, uint64_t *v, unsigned count);

/* Checks a string index of the message at `at` and makes it canonical. 0 or an error. */
int decode_string(struct decoder *d, const uint8_t *at, uint64_t index, uint32_t *out);

uint32_t idmap_find_slow(const struct idmap *m, uint64_t id);

static inline uint32_t idmap_find(const struct idmap *m, uint64_t id)
{
    if (m->dense_count == 0)
        return id - 1 < m->count ? (uint32_t)(id - 1) : PROFILE_NONE;
    return idmap_find_slow(m, id);
}

/* Counts what the samples hold, makes the arrays and fills them. Everything else is decoded. Where
 * anything is wrong, the error is the one that pprof comes upon first. */
int decode_samples(struct decoder *d);

#endif
