/* SPDX-License-Identifier: MIT
 *
 * For tests of profiles: equality by content, and random profiles from a seed. */
#ifndef TESTS_UNIT_PROFILE_SUPPORT_H
#define TESTS_UNIT_PROFILE_SUPPORT_H

#include "profile/profile.h"

/* NULL when `a` and `b` have equal content (ids and order included; string numbers may differ),
 * else what differs first. */
const char *profile_difference(const struct profile *a, const struct profile *b);

struct random_profile {
    uint64_t seed;
    uint32_t samples, locations, functions, mappings;
    bool sparse_ids;
};

/* A valid profile, the same one for the same options. */
void profile_random(struct profile *p, struct random_profile o);

/* xorshift64*; the state must not be 0. */
uint64_t random_next(uint64_t *state);

#endif
