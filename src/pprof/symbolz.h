/* SPDX-License-Identifier: MIT
 *
 * Remote symbolization: which server each mapping came from, and its answers. */
#ifndef PPROF_SYMBOLZ_H
#define PPROF_SYMBOLZ_H

#include "pprof/pprof_internal.h"

/* All-zero is an empty one; its arena is freed by the owner. */
struct symbolz {
    struct arena arena;
    struct symbolz_origin {
        const char *key; /* the mapping's build id, or file */
        const char *url; /* the profile's */
        uint64_t start;  /* of the mapping in that profile */
    } * origins;
    uint32_t count, cap;
};

/* The mappings of a profile that was fetched from `url`. One with neither file nor build id gets
 * the address as its file until symbolz_forget_mappings. */
void symbolz_add_mappings(struct symbolz *z, struct profile *p, const char *url);
void symbolz_forget_mappings(struct symbolz *z, struct profile *p);

/* Asks for the names that the mappings without functions lack; all mappings, with `force`. */
int symbolz(struct symbolz *z, struct profile *p, const struct source *s, bool force,
            struct err *e);

#endif
