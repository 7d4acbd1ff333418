/* SPDX-License-Identifier: MIT
 *
 * Any bytes to the readers of foreign formats, without profile.proto's before them; with FORMAT, to
 * that one alone, so that a search spends its time there. The format does not know the bytes, or
 * refuses them with a reason, or there is a profile that holds its invariants and can be written
 * and read again. */
#include "profile/import/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef FORMAT
#define FORMAT NULL
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok, const char *what, const struct err *e)
{
    if (ok)
        return;
    fprintf(stderr, "%s: %s\n", what, e->msg);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile p, again;
    struct err e = {0};
    struct arena arena;
    struct buf bytes;
    profile_init(&p);
    int rc = import_profile_as(&p, FORMAT, (const char *)data, size, &e);
    if (rc) {
        require(p.sample_count == 0 && (rc == -ENOMSG || (e.code == rc && e.msg[0])),
                "refused without words", &e);
        return 0;
    }
    arena_init(&arena);
    buf_init(&bytes, &arena);
    require(profile_check(&p, &e) == 0, "check", &e);
    require(profile_encode(&p, &bytes) == 0, "encode", &e);
    if (bytes.len) {
        require(profile_decode(&again, bytes.data, bytes.len, true, &e) == 0, "decode", &e);
        require(again.sample_count == p.sample_count, "another number of samples", &e);
        profile_free(&again);
    }
    profile_free(&p);
    arena_free(&arena);
    return 0;
}
