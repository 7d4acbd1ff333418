/* SPDX-License-Identifier: MIT
 *
 * The page as one file: script, styles and the profile in it, to be opened without a server and
 * without a network. What the command line's settings leave out is not in it.
 *
 * Beside the profile (gzip'ed, as every tool reads it) stands what the page cannot count by itself
 * (web/src/saved/answer.ts reads it), as compressed JSON:
 *
 *   "title", "query": the page's state when it opens, "type": the sample type shown then
 *   "totals" by sample type, "sample_count": of the profile before the settings' filters
 *   "relative": whether percentages are of what is left, "given": as in body.h
 *   "graphs", "peek": by sample type, see graph_data.h; null where there is none, or too much
 *   "source": see source_data_save
 *
 * and, where a graph could not be drawn here, the engine that draws it in the browser. */
#ifndef WEB_SAVED_H
#define WEB_SAVED_H

#include "web/ask.h"

struct saved_options {
    struct ask ask;
    const char *title, *query;
    struct refine_say say; /* gets what the settings' filters have to say */
};

/* Appends the page to `out`. Settings that a saved page cannot have are an error: -EINVAL. */
int saved_write(struct buf *out, const struct saved_options *o, struct err *e);

#endif
