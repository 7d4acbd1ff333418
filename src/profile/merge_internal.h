/* SPDX-License-Identifier: MIT
 *
 * Shared by the files of merging: merge.c (tables and samples) and merge_header.c (sample types,
 * units, header). */
#ifndef PROFILE_MERGE_INTERNAL_H
#define PROFILE_MERGE_INTERNAL_H

#include "profile/profile_internal.h"

/* How a source is read, so that sources stay as they are: which of its sample types are kept, in
 * which order, by what they are multiplied, and what its header becomes. */
struct merge_view {
    const struct profile *src;
    uint32_t types;           /* of the result */
    uint32_t *type_index;     /* of the source, by type of the result */
    double *ratio;            /* by type of the result */
    struct profile_str *unit; /* by type of the result */
    bool scaled;              /* some ratio is not 1 */
    bool retyped;             /* the source's list of types is not the result's */
    struct profile_str default_sample_type, period_unit;
    int64_t period;
};

/* Fills `views` (zeroed) so that all sources have the same sample types and units: google/pprof's
 * CompatibilizeSampleTypes (profile/merge.go) and ScaleProfiles (internal/measurement). */
int merge_make_views(struct merge_view *views, struct profile *const *in, uint32_t count,
                     struct arena *scratch, struct err *e);

/* The view of a source as it is. */
void merge_plain_view(struct merge_view *view, const struct profile *src, struct arena *scratch);

/* Writes what of the result's header is the first one's; `out` is empty. Sources that cannot be
 * added up are an error. */
int merge_header_start(struct profile *out, const struct merge_view *views, uint32_t count,
                       struct err *e);

/* Adds the header of one source. `seen` has the comments of `out`, `room` is that of their array.
 */
void merge_header_add(struct profile *out, const struct merge_view *view, struct map *seen,
                      uint32_t *room);

/* Whether a profile has the sum's sample types, in its order and units, each once, and its period
 * type: then its view does not depend on what other sources there are. */
bool merge_is_alike(const struct profile *sum, const struct profile *p);

/* The view of a source like others: what merge_make_views makes of it among them. */
void merge_alike_view(struct merge_view *view, const struct profile *src, struct arena *scratch);

/* The values of sample i of a view. false: pprof drops the sample when it scales it. */
bool merge_values(const struct merge_view *view, uint32_t i, int64_t *out);

/* A copy of the view's source with the view's sample types; units and values as they were. */
void merge_copy(struct profile *out, const struct merge_view *view);

/* A string of another profile, in `out`. */
uint32_t merge_string(struct profile *out, struct profile_str s);

#endif
