/* SPDX-License-Identifier: MIT
 *
 * Reading a large profile is inflating and decoding it, which touches nothing that is shared; what
 * is printed about it, and in which order, stays with who asked for it. */
#include "pprof/read_ahead.h"

#include "pprof/perf_data.h"

#include <sys/stat.h>

enum { SMALL_BYTES = 64 << 10 }; /* read sooner than a thread is there */

static void *work(void *context)
{
    struct read_ahead *r = context;
    r->rc = profile_read_file(r->p, r->name, &r->error);
    return NULL;
}

void read_ahead_begin(struct read_ahead *r, struct profile *p, const char *name)
{
    struct stat st;
    if (r->running || stat(name, &st) || !S_ISREG(st.st_mode) || st.st_size < SMALL_BYTES ||
        perf_data_is(name))
        return;
    r->name = name;
    r->p = p;
    r->running = !pthread_create(&r->thread, NULL, work, r);
}

int read_ahead_get(struct read_ahead *r, struct profile *p, const char *name, struct err *e)
{
    if (!r->running)
        return profile_read_file(p, name, e);
    pthread_join(r->thread, NULL);
    r->running = false;
    if (r->rc)
        *e = r->error;
    return r->rc;
}

void read_ahead_end(struct read_ahead *r)
{
    if (r->running)
        pthread_join(r->thread, NULL);
    r->running = false;
}
