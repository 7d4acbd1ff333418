/* SPDX-License-Identifier: MIT
 *
 * Inside report/: the labels of a sample as lines of text, one a key. Keys can repeat; pprof holds
 * labels as maps, so what belongs to one key is printed together, in the sample's order, and the
 * finished lines are sorted. */
#ifndef REPORT_SAMPLE_LABELS_H
#define REPORT_SAMPLE_LABELS_H

#include "base/buf.h"
#include "profile/profile.h"

struct sample_labels {
    const struct profile *p;
    struct arena arena;
    struct buf text;
    struct sample_line {
        size_t at, len; /* in text */
    } *lines;
    uint64_t *order; /* label indexes, by key */
    uint32_t line_count, line_cap;
    uint64_t order_cap;
};

/* Labels of one key, in the sample's order. */
struct sample_group {
    const struct profile *p;
    const uint64_t *labels; /* indexes */
    uint32_t count;
    struct profile_str key;
    bool has_units; /* any number has a unit */
};

/* Writes a group's line into `out`. */
typedef void sample_labels_format(struct buf *out, const struct sample_group *group, void *context);

void sample_labels_init(struct sample_labels *s, const struct profile *p);
void sample_labels_free(struct sample_labels *s);
/* Makes the sample's sorted lines, of its numeric or its text labels. */
void sample_labels_make(struct sample_labels *s, uint32_t sample, bool numeric,
                        sample_labels_format *format, void *context);

#endif
