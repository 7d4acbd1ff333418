/* SPDX-License-Identifier: MIT
 *
 * Addresses of profiles on servers, by the rules of Go's net/url as pprof uses them. */
#ifndef PPROF_URL_H
#define PPROF_URL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts are in the arena; "" where there is none. */
struct url {
    const char *scheme, *authority, *path, *query, *fragment;
    bool has_query; /* also an empty one */
};

/* False if it is no address at all, as url.Parse says it. One with a scheme and no "//" has neither
 * authority nor path. */
bool url_parse(struct url *u, const char *text, struct arena *a);
const char *url_text(const struct url *u, struct arena *a);

/* adjustURL of fetch.go: the address to fetch for a source, with or without "http://" before it,
 * and with `seconds` in its query unless that is <= 0. NULL if the source is no address.
 * *timeout_s <= 0 becomes one and a half times the profile's duration, or a minute. */
const char *url_of_source(const char *source, int64_t seconds, int64_t *timeout_s, struct arena *a);

/* Where the server of a fetched profile answers with the names of addresses (symbolz.go), or NULL.
 */
const char *url_of_symbols(const char *source, struct arena *a);

#endif
