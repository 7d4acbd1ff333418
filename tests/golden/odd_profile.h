/* SPDX-License-Identifier: MIT
 *
 * Profiles of odd shapes from a seed, for comparisons with the real pprof. */
#ifndef TESTS_GOLDEN_ODD_PROFILE_H
#define TESTS_GOLDEN_ODD_PROFILE_H

#include "profile/profile.h"

/* A valid profile. What is odd about it differs from seed to seed: no samples, no mappings, no
 * names, negative and huge values, recursion, inlining, names that need quoting, labels of every
 * kind. */
void odd_profile(struct profile *p, uint64_t seed);

#endif
