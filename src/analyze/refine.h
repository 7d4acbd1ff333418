/* SPDX-License-Identifier: MIT
 *
 * What is done to a profile between reading and reporting: dropping samples, frames and labels,
 * adding frames for labels, coarser granularity, subtraction of a base. Everything changes the
 * profile in place, by the rules of google/pprof's profile/filter.go, prune.go, profile.go and
 * internal/driver (reference in each .c). A profile that must survive is copied by the caller.
 *
 * Regular expressions are borrowed; NULL means "not set". */
#ifndef ANALYZE_REFINE_H
#define ANALYZE_REFINE_H

#include "analyze/names.h"
#include "base/regex.h"
#include "profile/profile.h"

/* Who is told what is worth a word and no error: a line without its newline. */
struct refine_say {
    void (*line)(void *arg, const char *line);
    void *arg;
};

/* ---- frames: filter.c ---- */

struct refine_names {
    struct regex *focus, *ignore, *hide, *show;
};
struct refine_matched {
    bool focus, ignore, hide, show; /* whether any location matched */
};
/* FilterSamplesByName. */
struct refine_matched refine_by_name(struct profile *p, const struct refine_names *rx);
/* ShowFrom: cuts above the root-most matching frame. Returns whether any location matched. */
bool refine_show_from(struct profile *p, struct regex *show_from);

/* ---- frames: prune.c ---- */

/* Prune: cuts from the root-most frame matching `drop` but not `keep` down to the leaf, though not
 * before the first other frame. */
void refine_prune(struct profile *p, struct regex *drop, struct regex *keep);
/* RemoveUninteresting: prunes by the profile's own drop_frames and keep_frames. Expressions that
 * do not compile are passed over, as pprof does. */
void refine_drop_frames(struct profile *p);
/* PruneFrom: cuts below the leaf-most matching frame. */
void refine_prune_from(struct profile *p, struct regex *from);

/* ---- labels: labels.c ---- */

struct refine_units {
    struct names keys;        /* of numeric labels */
    const char **unit_of_key; /* by keys' numbers; NULL for number 0 if "" is no key */
    struct arena arena;
};
/* NumLabelUnits: each numeric key's unit, the first one seen or one inferred from the key. `warn`
 * gets a line for each key that has several. Free with refine_units_free. */
void refine_units_make(struct refine_units *u, const struct profile *p,
                       const struct refine_say *warn);
void refine_units_free(struct refine_units *u);
/* The unit of a key; "" for one that no sample has. */
const char *refine_unit(const struct refine_units *u, const char *key, size_t len);

/* ---- labels: tagfilter.c ---- */

struct tag_filter;
/* A -tagfocus or -tagignore value: [key=]range or [key=]regexp[,regexp…]. *out is NULL for an empty
 * value. `say` gets the line that tells of a range. `option` names it in errors. */
int tag_filter_make(struct tag_filter **out, const char *option, const char *value,
                    const struct refine_say *say, struct err *e);
void tag_filter_free(struct tag_filter *f);
/* FilterSamplesByTag. Returns whether any sample matched each. */
struct refine_matched refine_by_tag(struct profile *p, struct tag_filter *focus,
                                    struct tag_filter *ignore, const struct refine_units *units);
/* FilterTagsByName: keeps labels by their keys. */
struct refine_matched refine_tags(struct profile *p, struct regex *show, struct regex *hide);

/* ---- labels as frames: tagroot.c ---- */

struct refine_tag_frames {
    const char *root, *leaf;         /* comma separated keys, "" for none */
    const char *unit;                /* numeric labels are written in */
    bool root_matched, leaf_matched; /* out */
};
void refine_tag_frames(struct profile *p, struct refine_tag_frames *frames);

/* ---- granularity: aggregate.c ---- */

struct refine_detail {
    bool inlines, function, file, line, column, address; /* what is kept */
};
void refine_aggregate(struct profile *p, const struct refine_detail *keep);

/* ---- values: scale.c ---- */

/* ScaleN: multiplies values by their type's ratio, rounded, and drops samples that have no non-zero
 * value among those scaled. */
void refine_scale(struct profile *p, const double *ratios);
/* Normalize: scales `p` type by type so that its sums are those of `base`. */
int refine_normalize(struct profile *p, const struct profile *base, struct err *e);
/* SetLabel: gives every sample the text label, in place of any others of that key. */
void refine_set_label(struct profile *p, const char *key, const char *value);
/* Whether the sample came from a base (-diff_base): it has the label pprof::base=true. */
bool refine_is_base(const struct profile *p, uint32_t sample);

#endif
