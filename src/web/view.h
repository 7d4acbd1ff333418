/* SPDX-License-Identifier: MIT
 *
 * A profile as the page asks for it: refined (ask.h has the parameters), of one sample type, walked
 * one way:
 *
 *   walk    "leaf": inverted; "callers", "callees": of the function `fn`
 *   fn      its name in full
 *
 * With the same filters the numbers are those of `strobe top`; the total is that of the profile
 * before it was refined, unless `rel` is set. */
#ifndef WEB_VIEW_H
#define WEB_VIEW_H

#include "web/ask.h"

/* Answers `x` with the body (body.h) of what it asks for, or with 400 and a sentence. */
void view_serve(struct http_exchange *x, const struct ask *from, const char *title);

#endif
