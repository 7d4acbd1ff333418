/* SPDX-License-Identifier: MIT
 *
 * The address of -http: read, resolved and listened on as Go's net package does it, with its
 * errors. */
#ifndef PPROF_LISTEN_H
#define PPROF_LISTEN_H

#include "base/err.h"

struct listen {
    char host[256]; /* "localhost" if none was given */
    char port[24];  /* a number, "" for a free one */
    char url[320];  /* http://HOST:PORT, as pprof prints it */
    int fd;         /* after listen_open */
};

/* HOST:PORT, both of which may be empty: -EINVAL if it is something else. */
int listen_parse(struct listen *l, const char *address, struct err *e);
/* Listens, on a free port if none or 0 was given, which the URL then says. */
int listen_open(struct listen *l, struct err *e);

#endif
