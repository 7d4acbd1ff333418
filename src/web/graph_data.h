/* SPDX-License-Identifier: MIT
 *
 * The call graph as the page draws it: /api/graph. Nodes, edges and what is left out of them are
 * those of `strobe dot` with the same settings; ask.h has the parameters, and
 *
 *   svg=1  the drawing too, where the program dot is installed
 *
 * The answer is JSON:
 *
 *   "unit", "total"   of the values; percentages are of the total
 *   "legend"          the lines that say what is shown and what was dropped, and why
 *   "nodes"           [{"name": as printed, "function", "flat", "cum"}]: the drawing's N1, N2 …
 *   "edges"           [{"from", "to": numbers of nodes from 1, "weight", "inlined", "residual"}]
 *   "dot"             the drawing in the language of Graphviz, without a legend
 *   "svg"             as dot drew it, or null
 *   "svg_error"       why not, where dot is installed and could not */
#ifndef WEB_GRAPH_DATA_H
#define WEB_GRAPH_DATA_H

#include "web/ask.h"

/* Answers `x` with the graph of what it asks for, or with a sentence and status 400. */
void graph_data_serve(struct http_exchange *x, const struct ask *from);

#endif
