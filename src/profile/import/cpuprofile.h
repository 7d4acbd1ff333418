/* SPDX-License-Identifier: MIT
 *
 * A CPU profile of V8 as its pieces come: nodes, samples, the end. For cpuprofile.c and traces. */
#ifndef PROFILE_IMPORT_CPUPROFILE_H
#define PROFILE_IMPORT_CPUPROFILE_H

#include "profile/import/import_internal.h"

#define V8_ROOT UINT32_MAX

struct v8_node {
    int64_t id;
    uint32_t parent; /* its place; V8_ROOT: it is a root */
    uint32_t call;   /* of the tree */
};

struct v8_sample {
    uint32_t call;
    int64_t delta_us; /* since the sample before */
};

struct v8_profile {
    struct import *im;
    struct call_tree tree;
    struct v8_node *nodes;
    struct v8_sample *samples;
    uint32_t count, cap, sample_count, sample_cap;
    struct map by_id;
};

void v8_init(struct v8_profile *v, struct import *im);
/* Lists of the JSON; NULL has none. 0, or -EPROTO with a sentence. Nodes come before samples and
 * nodes that name them. */
int v8_add_nodes(struct v8_profile *v, const struct jsondoc *nodes);
int v8_add_samples(struct v8_profile *v, const struct jsondoc *samples,
                   const struct jsondoc *deltas);
/* Makes the import's samples; `span_us` is the time from the profile's start to its end. */
void v8_finish(struct v8_profile *v, int64_t span_us, const struct call_tree_samples *as);

#endif
