/* SPDX-License-Identifier: MIT
 *
 * Inside report/: what the files that write a graph in the language of dot share. */
#ifndef REPORT_DOT_H
#define REPORT_DOT_H

#include "report/report.h"

struct dot {
    struct report *r;
    struct out *out;
    const struct graph_trimmed *t;
    uint32_t *ids;   /* by node: its number in the picture, from 1; 0 for none */
    struct buf text; /* scratch */
    double most;     /* the largest |flat| */
    const struct dot_style *style;
};

/* Text within quotes: backslashes and quotes escaped, lines ended at the left. */
void dot_escape(struct buf *out, const char *s, size_t len);
/* A name as pprof writes it, which is as it is, unless escape_all is set. */
void dot_put_name(struct dot *d, const char *s, size_t len);
/* The boxes of a node's labels, at most four and as many below each. Whether there is any. */
bool dot_tags(struct dot *d, uint32_t node);

#endif
