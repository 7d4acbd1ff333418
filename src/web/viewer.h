/* SPDX-License-Identifier: MIT
 *
 * One profile in a browser: the page, its data, and pprof's addresses.
 *
 *   /             307 to /ui, as every path that is none of these: so did pprof
 *   /ui/          301 to flamegraph; so do flamegraph2 and flamegraphold
 *   /ui/VIEW      the page: flamegraph, top, graph, peek, source, disasm. Its state is in the query
 *                 (ask.h), which is checked here, so that what is wrong with it is said with status
 *                 400 and pprof's words
 *   /ui/download  the profile
 *   /ui/export    the page as one file: saved.h; its query is the state that it opens with
 *   /ui/saveconfig, /ui/deleteconfig    named settings: configs.h
 *   /assets/…     the page's script and styles
 *   /api/profile  the profile as the page asks for it: view.h has the parameters
 *   /api/text     what a command prints: ?report=NAME&re=REGEXP, and ask.h's parameters
 *   /api/graph    the call graph: graph_data.h
 *   /api/source   the source of functions: source_data.h
 *   /api/configs  the list of named settings */
#ifndef WEB_VIEWER_H
#define WEB_VIEWER_H

#include "web/ask.h"

struct viewer;

/* Borrowed until viewer_stop, but for the socket. */
struct viewer_options {
    struct ask ask; /* what is shown, and the command line's settings */
    const char *title;
    const char *configs_path; /* settings.json, see configs.h */
    int socket;               /* listens; the viewer's from here on, also when it cannot start */
    const char *url, *host;   /* of the socket: see http_options */
    void (*say)(const char *line); /* for whoever started it: what was wrong with a request */
};

int viewer_start(struct viewer **out, const struct viewer_options *o, struct err *e);
void viewer_stop(struct viewer *v);

#endif
