/* SPDX-License-Identifier: MIT
 *
 * The labels of samples, by the nodes of a graph they went through: what is drawn beside a node
 * (google/pprof internal/graph/graph.go, addSample). A sample's text labels are one tag,
 * "key:value" sorted and joined; each number of its label "bytes" is a tag below that one. */
#ifndef ANALYZE_NODE_TAGS_H
#define ANALYZE_NODE_TAGS_H

#include "analyze/names.h"
#include "base/map.h"
#include "profile/profile.h"

#define NODE_TAG_NONE UINT32_MAX

struct node_tag {
    uint32_t node, next; /* of the same node */
    uint32_t labels;     /* text: the joined labels, 0 for none */
    uint32_t name;       /* of a number; NODE_TAG_NONE where the tag is the labels themselves */
    int64_t value;       /* of a number */
    int64_t flat, flat_div, cum, cum_div;
};

struct node_tags {
    struct arena arena;
    struct names texts;
    struct node_tag *tags;
    uint32_t count, cap;
    uint32_t *first;  /* by node; NULL when no sample has a label */
    const char *unit; /* of the numbers */
    int64_t least;    /* tags of less weight do not count */
};

struct graph_frames;
struct graph_values;

/* How the nodes of a sample are found: along the stack in a graph, up from the leaf in a tree. */
struct node_tags_paths {
    const struct graph_frames *frames;
    const uint8_t *kept;     /* by node, of a graph; NULL for all */
    const uint32_t *leaf_of; /* by sample, of a tree; NULL in a graph */
    const uint32_t *parent;  /* by node, of a tree */
    uint32_t node_count;
    const char *bytes_unit, *unit; /* of numbers, and the one their texts are in */
};

/* The unit is borrowed. Free with node_tags_free; all-zero tags are none. */
void node_tags_make(struct node_tags *t, const struct profile *p, const struct graph_values *v,
                    const struct node_tags_paths *paths);
void node_tags_free(struct node_tags *t);

/* Whether the tag is heavy enough. */
bool node_tags_counts(const struct node_tags *t, const struct node_tag *tag);

#endif
