/* SPDX-License-Identifier: MIT
 *
 * Inside store/: how a column of values is written, for the files that make up block.h. A column is
 * divided by its greatest common divisor; one that then equals the first takes no bytes at all, as
 * the nanoseconds of a CPU profile do, which are its counts times the period. */
#ifndef STORE_BLOCK_VALUES_H
#define STORE_BLOCK_VALUES_H

#include "store/varint.h"

enum { COLUMN_OWN, COLUMN_LIKE_FIRST };

struct block_column {
    uint32_t type;
    int how;
    int64_t divisor; /* > 0 */
};

/* `v` has n * types values. */
void block_plan_values(struct block_column *columns, const int64_t *v, uint64_t n, uint32_t types);
/* Reads how and divisor of column c->type. -EBADMSG. */
int block_read_column(struct block_column *c, struct varint_reader *r);
/* Fills a column from the first one, whose divisor was `first`. */
void block_like_first(int64_t *v, uint64_t n, uint32_t types, struct block_column c, int64_t first);

#endif
