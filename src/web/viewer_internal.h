/* SPDX-License-Identifier: MIT
 *
 * What the routes of the viewer share. */
#ifndef WEB_VIEWER_INTERNAL_H
#define WEB_VIEWER_INTERNAL_H

#include "web/viewer.h"

struct viewer {
    struct viewer_options options;
    struct http_server *server;
};

/* pages.c: everything under /ui/, and the way there from any other path. */
void pages_serve(struct http_exchange *x);

#endif
