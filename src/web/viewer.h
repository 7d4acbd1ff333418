/* SPDX-License-Identifier: MIT
 *
 * The routes of `strobe web`: the page, and the one profile it shows.
 *
 *   /             the page; its state is in the query, which only the page itself reads
 *   /assets/…     its script and styles
 *   /api/profile  the profile as the page asks for it: view.h has the parameters
 *   /api/text     what a command prints: ?report=NAME&re=REGEXP, and ask.h's parameters */
#ifndef WEB_VIEWER_H
#define WEB_VIEWER_H

#include "profile/profile.h"
#include "web/http.h"

struct viewer;

/* Serves `p` until viewer_stop; the profile and the title must live as long. Errors: http_start's.
 */
int viewer_start(struct viewer **out, const struct profile *p, const char *title,
                 const char *address, struct err *e);
const char *viewer_url(const struct viewer *v);
void viewer_stop(struct viewer *v);

#endif
