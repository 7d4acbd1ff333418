/* SPDX-License-Identifier: MIT
 *
 * Profiles from servers (google/pprof internal/driver/fetch.go, from fetch to fetchURL, and its
 * temporary files). Each is fetched by a thread of its own, for a CPU profile takes its time and
 * those of several servers are wanted of the same time. */
#ifndef PPROF_FETCH_H
#define PPROF_FETCH_H

#include "pprof/http.h"

#include <pthread.h>

struct fetch {
    const struct source *source;
    const char *url; /* NULL: the source is none */
    int64_t timeout_s;
    struct arena arena;
    struct http_response response;
    struct err error;
    int rc;
    pthread_t thread;
    bool running;
};

/* Begins to fetch the source `name` if it is no file and is an address; says so. */
void fetch_begin(struct fetch *f, const struct source *s, const char *name);
/* Waits for it and decodes it. The error is pprof's, without the source's name. */
int fetch_profile(struct fetch *f, struct profile *p, struct err *e);
void fetch_end(struct fetch *f);

/* Writes a copy of what was fetched where pprof does, and says where. */
void fetch_save(const struct profile *p);

#endif
