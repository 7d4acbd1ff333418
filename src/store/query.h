/* SPDX-License-Identifier: MIT
 *
 * Inside store/: which series a query means. One thread at a time: regular expressions are not for
 * two. */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "store/store.h"

struct regex;

struct matcher {
    const struct store_query *q;
    struct regex **regexes; /* by match; NULL where it is = or != */
};

/* 0 or -EINVAL with Go's words about the expression. Free with matcher_free in either case. */
int matcher_make(struct matcher *m, const struct store_query *q, struct arena *a, struct err *e);
void matcher_free(struct matcher *m);
/* Labels include service_name. */
bool matcher_matches(const struct matcher *m, const char *kind, const struct store_label *labels,
                     uint32_t label_count);

#endif
