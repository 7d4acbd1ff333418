/* SPDX-License-Identifier: MIT
 *
 * Debug files from servers that have them by build id: debuginfod, as elfutils' own client asks it
 * (debuginfod-find(1), debuginfod-client-config(7)), with the same variables and the same cache.
 *
 *   DEBUGINFOD_URLS        the servers, with blanks between them; without it nothing is asked
 *   DEBUGINFOD_CACHE_PATH  else $XDG_CACHE_HOME/debuginfod_client or ~/.cache/debuginfod_client
 *   DEBUGINFOD_TIMEOUT     seconds in which 100 KiB must have come (here: 15, elfutils': 90)
 *   DEBUGINFOD_MAXTIME     seconds that one file may take (here: 60, elfutils': no limit)
 *   DEBUGINFOD_MAXSIZE     bytes that one file may have (no limit)
 *   DEBUGINFOD_PROGRESS    if set, downloads are shown on stderr
 *
 * A server that cannot be reached, or is too slow, is not asked again for a minute: a profile of a
 * hundred libraries waits for it once. Safe from any thread. */
#ifndef SYMBOL_DEBUGINFOD_H
#define SYMBOL_DEBUGINFOD_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum debuginfod_kind { DEBUGINFOD_DEBUGINFO, DEBUGINFOD_EXECUTABLE };

/* Called some times a second while a file comes, by the thread that waits for it. `total` is 0
 * where the server does not say. With done == total it is there. */
typedef void debuginfod_progress(void *ctx, const char *name, uint64_t done, uint64_t total);

struct debuginfod_request {
    const uint8_t *build_id;
    size_t build_id_size;
    enum debuginfod_kind kind;
    const char *name;              /* whose file it is, for people */
    debuginfod_progress *progress; /* or NULL */
    void *progress_ctx;
};

/* The file's path in the cache, fetched first if it is not there; in `a`. NULL: there is none to be
 * had; `*why` is then NULL when no server is configured or none has it, else a sentence. */
const char *debuginfod_find(const struct debuginfod_request *r, struct arena *a, const char **why);

#endif
