/* SPDX-License-Identifier: MIT
 *
 * Inside analyze/: rewriting a profile's samples in place, in one pass, dropping samples, frames
 * and labels. What is kept can only move towards the front, so no memory is needed. */
#ifndef ANALYZE_SAMPLES_H
#define ANALYZE_SAMPLES_H

#include "profile/profile.h"

#include <string.h>

struct samples_edit {
    struct profile *p;
    uint32_t next;                    /* the sample read after this one */
    uint64_t loc_first, loc_last;     /* the current sample's frames as they were: [first, last) */
    uint64_t label_first, label_last; /* and labels */
    uint32_t kept;
    uint64_t loc_out, label_out; /* written so far; never ahead of what was read */
};

static inline void samples_begin(struct samples_edit *e, struct profile *p)
{
    *e = (struct samples_edit){.p = p};
}

/* Moves to the next sample; false behind the last one. */
static inline bool samples_next(struct samples_edit *e)
{
    if (e->next == e->p->sample_count)
        return false;
    e->loc_first = e->loc_last;
    e->label_first = e->label_last;
    e->loc_last = e->p->sample_loc_end[e->next];
    e->label_last = e->p->sample_label_end ? e->p->sample_label_end[e->next] : 0;
    e->next++;
    return true;
}

static inline void samples_push_loc(struct samples_edit *e, uint32_t location)
{
    e->p->loc_refs[e->loc_out++] = location;
}

static inline void samples_push_locs(struct samples_edit *e, uint64_t first, uint64_t last)
{
    if (last > first && e->loc_out != first)
        memmove(e->p->loc_refs + e->loc_out, e->p->loc_refs + first,
                (size_t)(last - first) * sizeof *e->p->loc_refs);
    e->loc_out += last - first;
}

static inline void samples_push_labels(struct samples_edit *e, uint64_t first, uint64_t last)
{
    if (last > first && e->label_out != first)
        memmove(e->p->labels + e->label_out, e->p->labels + first,
                (size_t)(last - first) * sizeof *e->p->labels);
    e->label_out += last - first;
}

/* Keeps the current sample with the frames and labels pushed since the last commit. */
static inline void samples_commit(struct samples_edit *e)
{
    struct profile *p = e->p;
    uint32_t from = e->next - 1, types = p->sample_type_count;
    if (from != e->kept)
        memmove(p->values + (size_t)e->kept * types, p->values + (size_t)from * types,
                types * sizeof *p->values);
    p->sample_loc_end[e->kept] = e->loc_out;
    if (p->sample_label_end)
        p->sample_label_end[e->kept] = e->label_out;
    e->kept++;
}

static inline void samples_end(struct samples_edit *e)
{
    e->p->sample_count = e->kept;
    e->p->loc_ref_count = e->loc_out;
    e->p->label_count = e->label_out;
}

#endif
