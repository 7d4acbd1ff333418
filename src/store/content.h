/* SPDX-License-Identifier: MIT
 *
 * Inside store/: a profile by content. Every string, function, mapping, location, stack and set of
 * labels gets a 64-bit hash of what it says, whatever its number and wherever it was loaded, so
 * that a store looks up one hash for a stack it knows. Hashes are seeded by a secret of the store:
 * nobody can make two stacks that it takes for one. */
#ifndef STORE_CONTENT_H
#define STORE_CONTENT_H

#include "profile/profile.h"

struct content_sample {
    uint64_t stack, labels; /* labels 0: none */
    uint32_t sample;        /* one that has them: where the words are found */
    uint32_t values;        /* first of its values */
};

struct content {
    const struct profile *p;
    struct arena arena;
    uint64_t seed;
    uint64_t *strings; /* by index; 0: not asked for yet, see content_string */
    uint64_t *functions, *mappings, *locations; /* by index */
    struct content_sample *samples;             /* by stack and labels; distinct, not all zero */
    uint32_t sample_count;
    int64_t *values;
    int64_t *totals; /* by sample type */
    uint64_t hash;   /* of samples and sample types */
};

/* Does not change the profile, which must outlive it. Free with content_free. */
void content_make(struct content *c, const struct profile *p, uint64_t seed);
void content_free(struct content *c);

uint64_t content_hash(uint64_t seed, const void *p, size_t n);

/* The hash of a string, made at the first call: a profile may hold many that no sample needs. */
static inline uint64_t content_string(const struct content *c, uint32_t i)
{
    if (!c->strings[i])
        c->strings[i] = content_hash(c->seed, c->p->strings[i].ptr, c->p->strings[i].len);
    return c->strings[i];
}

#endif
