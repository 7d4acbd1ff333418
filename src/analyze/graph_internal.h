/* SPDX-License-Identifier: MIT
 *
 * Shared by graph.c (nodes) and graph_edges.c. */
#ifndef ANALYZE_GRAPH_INTERNAL_H
#define ANALYZE_GRAPH_INTERNAL_H

#include "analyze/graph.h"

/* Makes the edges of a graph whose nodes are there. */
void graph_sum_edges(struct graph *g, const struct profile *p, const struct graph_options *o);

#endif
