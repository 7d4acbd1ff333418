/* SPDX-License-Identifier: MIT
 *
 * Reports: a profile that was refined (analyze/refine.h), printed. Each report is one row of the
 * table in report.c and one file with one function. Output is google/pprof's byte for byte where
 * pprof has the report (internal/report/report.go).
 *
 * Order of use: report_begin on the profile whose total counts, refinements, report_print. The
 * profile, the options and all their texts are borrowed until report_end. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "analyze/graph.h"
#include "analyze/refine.h"
#include "base/buf.h"
#include "report/out.h"
#include "symbol/objdump.h"

struct report_options {
    struct graph_values values;
    const char *sample_type; /* with "mean_" before it if values.mean */
    const char *sample_unit;
    const char *unit; /* "minimum", "auto" or a unit */
    double ratio;     /* values are multiplied by it */
    bool compact_labels, by_cum, drop_negative;
    bool escape_all;    /* drawings: also what pprof does not, so that dot can read any name */
    bool call_tree;     /* drawings and callgrind: a node for each path */
    int64_t node_count; /* <= 0: all */
    double node_fraction, edge_fraction;
    const char *const *active_filters; /* "focus=x", NULL at the end */
    const struct refine_units *label_units;
    const char *source_path, *trim_path; /* lists with ":" */
    struct regex *symbol;                /* of reports that take an expression */
    struct object_tools *tools;          /* of those that disassemble */
    bool intel_syntax;                   /* theirs */
    int64_t max_listed; /* > 0: at most so many functions of -disasm, those with the most first */
    bool quiet;         /* -disasm does not say which binaries it cannot read */
    bool code_within;   /* of weblist: unlike pprof, see weblist_data.c */
};

struct report {
    struct profile *p;
    struct report_options o; /* o.unit is settled when the nodes shown are known */
    int64_t total;           /* sum of |value|; of the base's alone when there is one */
    struct arena arena;
    struct buf value; /* scratch of report_value */
};

struct report_kind {
    const char *name;
    int (*print)(struct report *r, struct out *out, struct err *e);
};

/* Ends with a row whose name is NULL. A report that fails writes nothing. */
extern const struct report_kind report_kinds[];
const struct report_kind *report_find(const char *name);

void report_begin(struct report *r, struct profile *p, const struct report_options *o);
void report_end(struct report *r);

/* ---- for the reports themselves ---- */

/* A value as text, in the report's unit. Valid until the next call. */
const char *report_value(struct report *r, int64_t value);

/* Cuts files' paths as the options say; what makes graphs does it. */
void report_trim_paths(struct report *r);

/* The graph to show, with the options' limits; settles the unit; trims the files' paths. Free with
 * graph_trimmed_free. */
void report_graph(struct report *r, struct graph_trimmed *t);
/* The same, with edges from and to the nodes that `wants` names only (struct graph_limits). */
typedef bool report_wants_edges(void *context, const struct graph_frames *f, uint32_t node);
void report_graph_at(struct report *r, struct graph_trimmed *t, report_wants_edges *wants,
                     void *context);
/* The same, with no edges but those to nodes that are inlined somewhere: much less time. */
void report_nodes(struct report *r, struct graph_trimmed *t);
/* All nodes, with their binaries, and no edges; the unit stays open: what shows source and code.
 * Free with graph_free and graph_frames_free. */
void report_graph_listed(struct report *r, struct graph_frames *f, struct graph *g);
/* The same for a drawing: chosen and ordered so, with labels, a tree if call_tree says it. */
void report_graph_drawn(struct report *r, struct graph_trimmed *t);
/* Whole, functions of different binaries apart, a tree if call_tree says it; in whole units. */
void report_graph_whole(struct report *r, struct graph_trimmed *t);

/* File, build id, comments, type, times: a line each. */
void report_profile_labels(struct report *r, struct buf *out);
void report_profile_header(struct report *r, struct out *out);
/* All lines above a graph report's own. For a drawing they are more and never compact, and the
 * length of the first is returned. */
size_t report_labels(struct report *r, struct buf *out, const struct graph_trimmed *t, bool drawn);
void report_header(struct report *r, struct out *out, const struct graph_trimmed *t);

/* How a drawing differs from pprof's. All-zero: not at all. */
struct dot_style {
    bool bare;        /* no box that says what it is of */
    const char *font; /* of all texts; NULL: Graphviz' own, as in pprof */
    int least_size;   /* of a node's text, points; 0: pprof's 8 */
};

/* The drawing of a graph that report_graph_drawn made. Node `shown[i]` is the drawing's
 * "N<i + 1>". */
void report_dot_graph(struct report *r, struct out *out, const struct graph_trimmed *t,
                      const struct dot_style *style);

int report_top(struct report *r, struct out *out, struct err *e);
int report_traces(struct report *r, struct out *out, struct err *e);
int report_raw(struct report *r, struct out *out, struct err *e);
int report_folded(struct report *r, struct out *out, struct err *e);
int report_tree(struct report *r, struct out *out, struct err *e); /* and peek */
/* What report_tree would return, without what is printed: much less time. */
int report_tree_check(struct report *r, struct err *e);
int report_tags(struct report *r, struct out *out, struct err *e);
int report_comments(struct report *r, struct out *out, struct err *e);
int report_dot(struct report *r, struct out *out, struct err *e);
int report_callgrind(struct report *r, struct out *out, struct err *e);
int report_topproto(struct report *r, struct out *out, struct err *e);
int report_list(struct report *r, struct out *out, struct err *e);
int report_disasm(struct report *r, struct out *out, struct err *e);
int report_weblist(struct report *r, struct out *out, struct err *e);
int report_proto(struct report *r, struct out *out, struct err *e);
int report_diff(struct report *r, struct out *out, struct err *e);

#endif
