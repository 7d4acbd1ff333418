/* SPDX-License-Identifier: MIT
 *
 * Profiles that come from outside: decoded under the server's limits, and stored. */
#ifndef SERVER_INGEST_H
#define SERVER_INGEST_H

#include "profile/profile.h"
#include "web/http.h"

/* Decodes a body, gzip'ed or plain, of at most LIMIT_INGEST_PROFILE bytes inflated. The profile
 * owns all it refers to. Errors are profile_decode's, with pprof's words before them. */
int ingest_decode(struct profile *p, const void *bytes, size_t size, struct err *e);

/* POST /api/v1/profiles (docs/api.md). */
void ingest_post(struct http_exchange *x);
/* POST /api/v1/runs. */
void ingest_post_run(struct http_exchange *x);

#endif
