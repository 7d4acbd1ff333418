/* SPDX-License-Identifier: MIT
 *
 * A profile as the page asks for it: refined, of one sample type, walked one way. The parameters of
 * the request, which are pprof's where pprof's page has them:
 *
 *   si  sample type, by name or number            default: the profile's
 *   f   focus, i  ignore, h  hide, s  show        regular expressions, as the flags of `strobe top`
 *   sf  show_from
 *   tf  tagfocus, ti  tagignore                   [KEY=]REGEXP or range
 *   walk    "leaf": inverted; "callers", "callees": of the function `fn`
 *   fn      its name in full
 *
 * f to ti may be given several times; each is applied to what the one before has left. With one of
 * each the numbers are those of `strobe top` with these flags: the total is that of the profile
 * before it was refined. */
#ifndef WEB_VIEW_H
#define WEB_VIEW_H

#include "web/http.h"
#include "profile/profile.h"

/* Answers `x` with the body (body.h) of what it asks for of `p`, or with a sentence: 404 for a
 * sample type that is not there, 400 for an expression that is none. `p` stays as it is. */
void view_serve(struct http_exchange *x, const struct profile *p, const char *title);

/* Applies what `x` asks for (f to ti) to `p`, in place: -EINVAL for an expression that is none, and
 * for too many. */
int view_refine(struct http_exchange *x, struct profile *p, struct err *e);

/* Finds a sample type by number, by name, or by name without "inuse_", as pprof's -sample_index;
 * NULL and "" are the default one. False if the profile has none of that name. */
bool view_find_type(const struct profile *p, const char *asked, uint32_t *type);

#endif
