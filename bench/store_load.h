/* SPDX-License-Identifier: MIT
 *
 * The load of bench_store: profiles as a fleet of services sends them, 20 services of 5 pods. Each
 * service is a call graph that is walked with a skewed choice, so that stacks share their roots as
 * real ones do; its 2000 stacks are then chosen by Zipf's law, a few dozen samples a second. Sizes
 * are those that the layouts were first compared with: 40 000 stacks of 22 frames, 5000 functions,
 * about 23 samples a profile. The same seed makes the same load. */
#ifndef BENCH_STORE_LOAD_H
#define BENCH_STORE_LOAD_H

#include "profile/profile.h"

enum { LOAD_SERVICES = 20, LOAD_PODS = 5, LOAD_SERIES = LOAD_SERVICES * LOAD_PODS };

struct load;

struct load *load_make(void);
void load_free(struct load *l);
/* One second's CPU profile of a series; *p is made anew and the caller's. It has the tables of a
 * real profile: only what its samples need. */
void load_profile(struct load *l, uint32_t series, struct profile *p);
/* The heap profile of a Go program of `samples` call sites: four types, two of them levels. */
void load_heap_profile(struct load *l, uint32_t series, uint32_t samples, struct profile *p);

#endif
