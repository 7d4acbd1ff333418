/* SPDX-License-Identifier: MIT
 *
 * Where the path of a request leads in pprof's page: net/http's ServeMux (Go 1.26) with its two
 * patterns, "/ui/" and "/", and the prefix taken off for the first (internal/driver/webui.go,
 * defaultWebServer). Spellings count: a path is cleaned as it was sent, with its escapes. */
#ifndef WEB_MUX_H
#define WEB_MUX_H

#include "base/arena.h"

enum mux_kind {
    MUX_BAD,      /* no path: 400 */
    MUX_REDIRECT, /* `text` is the address to go to, without the query */
    MUX_UI,       /* `text` is what is asked for below "/ui/" */
    MUX_OTHER,    /* anything outside of it */
    MUX_NOTHING,  /* below "/ui/", but not spelled so that Go would find it: 404 */
};

struct mux_place {
    enum mux_kind kind;
    const char *text; /* the arena's */
};

/* `raw` is the path as it was sent. */
struct mux_place mux_find(const char *raw, struct arena *a);

#endif
