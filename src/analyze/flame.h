/* SPDX-License-Identifier: MIT
 *
 * The merged stack tree of a profile, for one sample type, as plain columns: what a flame graph and
 * its table are drawn from.
 *
 * Three tables, each by dense index:
 *   functions  one per name, as in pprof's reports at granularity "functions" (or as in others: see
 *              flame_options): flat and cum are the
 *              numbers `strobe top` prints; a recursive function is counted once per sample. Frames
 *              without a function are "[binary]", one per binary, or "<unknown>".
 *   frames     one per (function, file, module, inlined): what a box of the graph stands for. They
 *              are numbered by the profile's locations, so that they are the same for every sample
 *              type and filter.
 *   nodes      the tree, breadth first: node 0 is the root (frame FLAME_NONE), a parent comes
 * before its children, the children of one parent are adjacent, the heaviest first, equal ones by
 * name, file and module. So the nodes of one depth are adjacent as well and go from left to right,
 * and a reader needs neither child lists nor depths.
 *
 * Invariants:
 *   node_parent[i] < i and node_parent[i-1] <= node_parent[i] for i > 1;  node_parent[0] = 0
 *   the sum of node_self over all nodes = the sum of all samples' values
 *   node_weight, if not NULL: the sum of |value| of the samples that end there; present only when a
 *   value is negative (a difference of profiles), because boxes cannot be narrower than nothing.
 *
 * A tree may also be walked the other way, or from the middle: see enum flame_walk. Its functions
 * are the same numbers then; what a node's self means is said there.
 *
 * Locations without lines are functions, but no nodes: pprof's flame graph steps over them (report/
 * stacks.go, makeInitialStacks), so that what ends there is the self of the caller. `lineless` says
 * how much of the profile that concerns.
 *
 * Trees of more than `node_limit` nodes keep the heaviest. The callees of a node that is too light
 * to be opened become one child of frame FLAME_LEFT_OUT, so that every sum stays right. Functions
 * are never cut. */
#ifndef ANALYZE_FLAME_H
#define ANALYZE_FLAME_H

#include "profile/profile.h"

#define FLAME_NONE     UINT32_MAX
#define FLAME_LEFT_OUT (UINT32_MAX - 1)

struct flame_function {
    struct profile_str name;
    int64_t flat, cum;
    int64_t flat_div, cum_div; /* of the divisor, if there is one */
};

struct flame_frame {
    uint32_t function;
    struct profile_str file;   /* as the profile has it, or empty */
    struct profile_str module; /* the mapping's file, or empty */
    int64_t line;              /* where the function starts, else the first line seen; 0 unknown */
    bool inlined;
};

struct flame {
    struct arena arena; /* owns the arrays; names point into the profile, or here */
    struct flame_function *functions;
    uint32_t function_count;
    struct flame_frame *frames;
    uint32_t frame_count;
    uint32_t node_count;
    uint32_t *node_parent, *node_frame;
    int64_t *node_self;
    uint64_t *node_weight;   /* or NULL */
    int64_t *node_div;       /* or NULL: as node_self, of the divisor */
    uint64_t lineless;       /* sum of |value| of the samples with a location that has no line */
    int64_t total;           /* what percentages are of: pprof's rule, see flame_build */
    uint32_t left_out_count; /* nodes of frame FLAME_LEFT_OUT */
};

/* Where the walks of the samples begin and which way they go. */
enum flame_walk {
    FLAME_FROM_ROOT, /* the stack as it was called; self is what ends in a frame */
    FLAME_FROM_LEAF, /* inverted: below the root are the leaves, below these their callers */
    /* Of one function, from its outermost call in each stack, so that recursion counts once and the
     * root's total is the function's cum. The root is the function: node_frame[0] is one of its
     * frames (FLAME_NONE if no sample has it). */
    FLAME_CALLEES, /* towards the leaf; the root's self is what ends in that call */
    FLAME_CALLERS, /* towards the start; self is of those that nobody called */
};

struct flame_options {
    uint32_t type;       /* of samples: < sample_type_count, or 0 when there is none */
    uint32_t node_limit; /* at most so many nodes, the left-out ones included; more only by the
                            children of the one node that met the limit */
    enum flame_walk walk;
    struct profile_str function; /* of FLAME_CALLEES and FLAME_CALLERS, by its name in full */
    bool mean;                   /* value 0 divides the others: its sums are counted, too */
    bool by_rows; /* a function is what is one row of a table at the profile's own granularity, and
                     named so: a file, a line, an address; not: all of one name */
};

/* Builds the tree. `total` is flame_total. The profile must outlive the flame. */
void flame_build_walk(struct flame *f, const struct profile *p, const struct flame_options *o);
/* FLAME_FROM_ROOT. */
void flame_build(struct flame *f, const struct profile *p, uint32_t type, uint32_t node_limit);
void flame_free(struct flame *f);

/* The sum of |value|, or of the samples labelled pprof::base=true alone where these are not all
 * zero (google/pprof, internal/report/report.go, computeTotal). */
int64_t flame_total(const struct profile *p, uint32_t type);

/* The sample type shown when none is asked for: the profile's default, else the last one. */
uint32_t flame_default_type(const struct profile *p);

#endif
