/* SPDX-License-Identifier: MIT
 *
 * The files of the page inside the binary. The table is made at build time by web/build.mjs: every
 * file gzip'ed, scripts and styles under names that carry a hash of their content, so that a
 * browser may keep them for ever and a new version is fetched at once. */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

#include "web/http.h"

struct asset {
    const char *path; /* of the URL */
    const char *type;
    const unsigned char *gzip;
    size_t gzip_size, size; /* compressed, plain */
    bool immutable;         /* its name has its hash */
    bool compiles;          /* a worker that may compile WebAssembly, and reach nothing */
};

/* Ends with a row whose path is NULL. */
extern const struct asset web_assets[];

/* Answers with the asset of x->path, or with assets_not_found. */
void assets_serve(struct http_exchange *x);
/* Answers with the asset at `path`, which must be in the table. */
void assets_serve_path(struct http_exchange *x, const char *path, int status);
/* A page that says so to people, a sentence in JSON under /api/. */
void assets_not_found(struct http_exchange *x);

#endif
