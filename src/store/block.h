/* SPDX-License-Identifier: MIT
 *
 * How samples are written down, for engines that keep blobs. The format is docs/store.md's.
 *
 * A key is what makes two samples the same: the number of a stack and the number of a set of labels
 * (0: none). A list of keys with their values is one fresh profile, or the sum of a block. A block
 * is several profiles of one series that have the same sample types:
 *
 *   sum    the keys that occur, and the sum of each        merging whole blocks reads only this
 *   meta   what is known of each profile, by column        charts and lists read only this
 *   data   each profile's samples as indexes of the sum's keys, and values, by column
 *
 * Each section is sealed: a checksum, and zstd where that makes it smaller. Decoders trust nothing:
 * they return -EBADMSG for anything the encoder would not have written. */
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct block_key {
    uint32_t stack, labels;
};

/* Invariant: keys strictly ascending by (stack, labels); values are count * types. */
struct block_samples {
    uint32_t types, count;
    struct block_key *keys;
    int64_t *values;
};

struct block_text {
    const char *ptr; /* lines, each ended by NUL: comments */
    uint32_t len;
};

struct block_profile {
    int64_t time_ns, duration_ns, lost_samples;
    uint32_t header, content, sample_count;
    int64_t *totals; /* by sample type */
    struct block_text comments;
};

struct block {
    uint32_t types;
    uint32_t profile_count;
    struct block_profile *profiles; /* by time, then content */
    struct block_samples sum;
    uint64_t sample_count;
    uint32_t *sample_keys; /* indexes of sum.keys, profile after profile, each once in a profile */
    int64_t *values;       /* sample_count * types */
};

/* What a merge needs to know of the profiles of a whole block: part of its sum section. */
struct block_summary {
    int64_t first_ns, last_ns, duration_ns, lost_samples;
    uint32_t profile_count;
    uint32_t *headers; /* distinct, in order of time */
    uint32_t header_count;
    struct block_text *comments; /* distinct, in order of time */
    uint32_t comment_count;
};

/* ---- writing; appended to `out`, sealed ---- */

void block_write_samples(struct buf *out, const struct block_samples *s);
void block_write_sum(struct buf *out, const struct block *b);
void block_write_meta(struct buf *out, const struct block *b);
void block_write_data(struct buf *out, const struct block *b);

/* ---- reading; arrays are in `a`; 0, -EBADMSG, or -EFBIG ---- */

int block_read_samples(struct block_samples *s, const void *p, size_t size, struct arena *a);
int block_read_sum(struct block_samples *s, struct block_summary *summary, const void *p,
                   size_t size, struct arena *a);
/* Fills types, profile_count and profiles. */
int block_read_meta(struct block *b, const void *p, size_t size, struct arena *a);
/* Needs the meta and the sum that belong to it. */
int block_read_data(struct block *b, const void *p, size_t size, struct arena *a);
/* The same for a data section of layout 1. */
int block_read_data_1(struct block *b, const void *p, size_t size, struct arena *a);

#endif
