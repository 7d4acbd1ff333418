/* SPDX-License-Identifier: MIT
 *
 * Serves the embedded files. They are stored compressed only: nearly every client takes that, and
 * for the others (curl, some tests) inflating 100 kB on the way costs nothing worth a second copy.
 */
#include "web/assets.h"

#include <libdeflate.h>
#include <string.h>

/* A worker is under the policy of its own script. Only it may compile, so that the page need not.
 */
static const char worker_policy[] = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";

static const struct asset *find_asset(const char *path)
{
    for (const struct asset *a = web_assets; a->path; a++)
        if (!strcmp(a->path, path))
            return a;
    return NULL;
}

static void *inflate_asset(const struct asset *a, struct arena *arena)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    void *plain = arena_alloc(arena, a->size);
    enum libdeflate_result r = LIBDEFLATE_BAD_DATA;
    if (d)
        r = libdeflate_gzip_decompress(d, a->gzip, a->gzip_size, plain, a->size, NULL);
    libdeflate_free_decompressor(d);
    return r == LIBDEFLATE_SUCCESS ? plain : NULL;
}

static void reply_asset(struct http_exchange *x, const struct asset *a, int status)
{
    if (x->takes_gzip) {
        http_reply(x, status, a->type, a->gzip, a->gzip_size);
        x->reply.gzip = true;
    } else {
        void *plain = inflate_asset(a, x->arena);
        if (!plain) {
            http_reply_error(x, 500, "out of memory");
            return;
        }
        http_reply(x, status, a->type, plain, a->size);
    }
    if (a->compiles)
        x->reply.policy = worker_policy;
    x->reply.cache = a->immutable ? "public, max-age=31536000, immutable" : "no-cache";
}

void assets_serve_path(struct http_exchange *x, const char *path, int status)
{
    const struct asset *a = find_asset(path);
    if (a)
        reply_asset(x, a, status);
    else
        http_reply_error(x, 500, "%s is missing in this build of strobe", path);
}

void assets_serve(struct http_exchange *x)
{
    const struct asset *a = find_asset(x->path);
    if (a)
        reply_asset(x, a, 200);
    else
        assets_not_found(x);
}

void assets_not_found(struct http_exchange *x)
{
    if (!strncmp(x->path, "/api/", 5))
        http_reply_error(x, 404, "there is nothing at %.200s", x->path);
    else
        assets_serve_path(x, "/404.html", 404);
}
