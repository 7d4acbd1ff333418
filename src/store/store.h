/* SPDX-License-Identifier: MIT
 *
 * The store: profiles of many programs over time. This header is the contract; engines stand behind
 * it (store_engine.h) and are named by URL. Nothing above it may know which one it is.
 *
 * Words. A series is one target's one kind: kind + labels, of which `service_name` is one and is
 * always there. It holds profiles, each at a time. A sample type of a series is a rate (cpu,
 * alloc_*, delay: what happened in the profile's duration; added up over time) or a level (inuse_*,
 * threads: how much there was at that moment; averaged over the profiles of a series, then added
 * over series). Cumulative types are differenced before they come in.
 *
 * What is kept of a profile is its meaning: equal samples are added, those that are all zero are
 * dropped, and samples, mappings and locations come back in the store's order and numbered anew. A
 * mapping's start is kept for each profile.
 *
 * Time is nanoseconds since 1970, signed; ranges are half open, [from, until). Profiles may come in
 * any order, with any times, from any number of threads: all functions may be called from several
 * threads at once, but for store_open and store_close of one store. Results live in the caller's
 * arena. Errors are 0 or a negative errno with a sentence:
 *   -EINVAL the question, -ENOENT nothing of that name, -EBUSY another process has the store,
 *   -ENOSPC the disk is full, -EIO the file cannot be read or is damaged, -EPROTONOSUPPORT it was
 *   written by a newer strobe, -EFBIG a limit of base/limits.h.
 * A damaged part of the store is passed over, counted (`damaged`) and never fails a whole query. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

#define STORE_TIME_MIN INT64_MIN
#define STORE_TIME_MAX INT64_MAX

/* ---- opening ---- */

struct store_options {
    int64_t retain_ns;     /* older profiles are deleted; < 0: never */
    int64_t retain_bytes;  /* beyond this size the oldest are deleted; < 0: any size */
    int64_t downsample_ns; /* older ones are kept as ten-minute sums only; < 0: never */
    const char *holder;    /* who we are, for the others that find it locked: "strobe serve" */
    bool no_background;    /* compaction and retention only by store_maintain: for tests */
};

/* 30 days, 10 GB, sums after 7 days. */
void store_options_default(struct store_options *o);

/* Opens, or makes (mode 0600), the store at `url`: "sqlite:PATH"; a URL without a scheme is a PATH.
 * It is locked until it is closed: -EBUSY names the process that has it. `o` may be NULL. */
int store_open(struct store **out, const char *url, const struct store_options *o, struct err *e);
/* Waits for what is being written. *s is NULL afterwards; NULL is fine. */
void store_close(struct store **s);

/* ---- writing ---- */

struct store_label {
    const char *name, *value;
};

/* A profile by what it is, the same on every node: what lists give out and store_merge takes. */
struct store_profile_id {
    uint64_t series; /* hash of kind and labels */
    int64_t time_ns;
    uint32_t content; /* hash of its samples */
};

#define STORE_ID_TEXT_MAX 48
/* "series-time-content", for URLs; and back: 0 or -EINVAL. */
void store_id_format(struct store_profile_id id, char text[STORE_ID_TEXT_MAX]);
int store_id_parse(const char *text, struct store_profile_id *id, struct err *e);

enum store_mode {
    STORE_RATE,
    STORE_LEVEL,
};

/* The mode of a sample type by its name, for profiles that do not say: design by pprof's names. */
enum store_mode store_mode_of(const char *kind, const char *type, const char *unit);

struct store_append {
    const char *service_name, *kind;
    const struct store_label *labels; /* any order, unique names; without service_name, pid, tid */
    uint32_t label_count;
    const struct profile *profile; /* valid (profile_check); stays the caller's */
    int64_t time_ns;               /* 0: the profile's, else now */
    const enum store_mode *modes;  /* by sample type; NULL: store_mode_of */
    int64_t lost_samples;          /* < 0: what the profile's comments say */
};

/* Stores a profile. Returns when it is on disk and would survive the loss of power: 0, or 1 when
 * the same profile (series, time, content) was there already. `id` may be NULL. */
int store_append(struct store *s, const struct store_append *a, struct store_profile_id *id,
                 struct err *e);

/* The same without waiting: `done` is called once, on a thread of the store's, when the profile is
 * on disk (rc 0 or 1) or cannot be stored (rc < 0, e->msg says why). It must be short and may not
 * call the store. The profile may be freed as soon as this returns. An error returned here means
 * that `done` is not called. Waits while too much is queued (LIMIT_STORE_QUEUE). */
typedef void store_done(void *arg, int rc, const struct store_profile_id *id, const struct err *e);
int store_append_start(struct store *s, const struct store_append *a, store_done *done, void *arg,
                       struct err *e);

/* ---- asking ---- */

enum store_op {
    STORE_EQUAL,     /* =   */
    STORE_NOT_EQUAL, /* !=  */
    STORE_MATCH,     /* =~  the whole value, as in PromQL */
    STORE_NOT_MATCH, /* !~  */
};

struct store_match {
    const char *name, *value; /* a label that is not there is "" */
    enum store_op op;
};

struct store_query {
    const char *kind;                  /* NULL: every kind */
    const char *type;                  /* a sample type; NULL: the default one */
    const struct store_match *matches; /* all must hold */
    uint32_t match_count;
    int64_t from_ns, until_ns;
};

/* Reads `cpu{service_name="api",env=~"prod.*"}`, `heap/inuse_space{…}`, `{…}`, `block/delay`: kind,
 * type and matches; values are quoted with " and \ as in PromQL. The range is left as it is. Texts
 * are in `a`. -EINVAL says at which column and what was expected. */
int store_query_parse(struct store_query *q, const char *text, struct arena *a, struct err *e);

struct store_type {
    const char *name, *unit;
    enum store_mode mode;
};

struct store_series {
    uint64_t id;
    const char *kind;
    const char *service_name;
    const struct store_label *labels; /* by name, with service_name */
    uint32_t label_count;
    const struct store_type *types;
    uint32_t type_count;
    uint32_t default_type;     /* what is shown when none is asked for */
    int64_t first_ns, last_ns; /* times of its profiles; of all, not only of the range */
    uint64_t profile_count;
};

struct store_series_list {
    struct store_series *series; /* by service_name, kind, labels */
    uint32_t count;
};

/* The series that match and (where a range is given) have profiles in or around it. */
int store_list_series(struct store *s, const struct store_query *q, struct arena *a,
                      struct store_series_list *out, struct err *e);

struct store_names {
    const char **names; /* sorted, unique */
    uint32_t count;
};

/* Names of labels of the series that match; values of one label. "kind" is not a label. */
int store_list_labels(struct store *s, const struct store_query *q, struct arena *a,
                      struct store_names *out, struct err *e);
int store_list_values(struct store *s, const struct store_query *q, const char *label,
                      struct arena *a, struct store_names *out, struct err *e);

/* ---- lists of profiles ---- */

struct store_profile {
    struct store_profile_id id;
    int64_t time_ns, duration_ns, period;
    uint32_t sample_count;
    int64_t lost_samples; /* < 0: not known */
    int64_t total;        /* of the type asked for */
    bool only_sum;        /* downsampled: cannot be had alone any more */
};

struct store_profile_list {
    struct store_profile *profiles; /* by time */
    uint32_t count;
    bool more; /* `limit` cut older ones off */
    uint64_t damaged;
};

/* The newest `limit` profiles (0: LIMIT_STORE_LIST) of the series that match, within the range. */
int store_list_profiles(struct store *s, const struct store_query *q, uint32_t limit,
                        struct arena *a, struct store_profile_list *out, struct err *e);

/* ---- over time ---- */

struct store_timeline_options {
    int64_t step_ns;      /* of a bucket; bucket i begins at from_ns + i * step_ns */
    const char *group_by; /* a label: one line a value; NULL: one line a series */
    bool total;           /* one line for all; group_by is not looked at */
};

struct store_line {
    uint64_t series;      /* where lines are series, else 0 */
    const char *name;     /* the label's value, or the series' service_name */
    double *values;       /* by bucket; rates: the sum, levels: the average */
    uint32_t *profiles;   /* by bucket: how many; 0: a hole, not a zero */
    int64_t *duration_ns; /* by bucket: sum of durations, for rates per second */
};

struct store_timeline {
    const char *unit;
    enum store_mode mode;
    int64_t from_ns, step_ns;
    uint32_t buckets;
    struct store_line *lines; /* the largest sum first */
    uint32_t line_count;
    uint64_t damaged;
};

/* Needs a range of both ends with at most LIMIT_STORE_BUCKETS buckets. */
int store_timeline(struct store *s, const struct store_query *q,
                   const struct store_timeline_options *o, struct arena *a,
                   struct store_timeline *out, struct err *e);

/* The functions with the largest flat (or cum) values in the range, and these over time. */
struct store_top_options {
    int64_t step_ns; /* 0: one bucket for all */
    uint32_t limit;  /* functions; 0: 20 */
    bool by_cum;
    /* Just these functions, by name, in their order, without a limit; one that is nowhere in the
     * range has zeros. NULL and 0: whichever are the largest. */
    const char *const *only;
    uint32_t only_count;
};

struct store_top_function {
    const char *name;
    int64_t flat, cum;                 /* of the range */
    int64_t *flat_values, *cum_values; /* by bucket */
};

struct store_top {
    const char *unit;
    int64_t from_ns, step_ns, total;
    uint32_t buckets;
    int64_t *totals; /* by bucket */
    struct store_top_function *functions;
    uint32_t function_count;
    uint64_t damaged;
};

int store_top(struct store *s, const struct store_query *q, const struct store_top_options *o,
              struct arena *a, struct store_top *out, struct err *e);

/* One function over the profiles of the range, or over buckets. */
struct store_trend_options {
    const char *function; /* its name, in full */
    uint32_t last;        /* only the last N profiles; 0: all in the range */
    int64_t step_ns;      /* > 0: by bucket instead of by profile */
};

struct store_trend_point {
    int64_t time_ns;
    int64_t flat, cum, total; /* share = flat / total */
};

struct store_trend {
    struct store_trend_point *points; /* by time */
    uint32_t count;
    uint64_t damaged;
};

int store_trend(struct store *s, const struct store_query *q, const struct store_trend_options *o,
                struct arena *a, struct store_trend *out, struct err *e);

/* ---- merging ---- */

struct store_merge_options {
    const struct store_profile_id *ids; /* just these; matches, kind and range are not looked at */
    uint32_t id_count;
    bool add_levels; /* what pprof does: levels are added like rates */
};

struct store_merge_info {
    uint64_t profiles, series;
    int64_t first_ns, last_ns; /* times of the profiles */
    int64_t duration_ns;       /* sum */
    int64_t lost_samples;      /* sum of what is known */
    uint64_t damaged;          /* parts that could not be read */
    bool rounded;              /* downsampled: whole ten minutes were taken at the ends */
};

/* Merges into the uninitialised `out`, which holds every sample type. Rates are pprof's sums: the
 * result equals profile_merge of the same profiles in order of time. Levels are averaged over each
 * series' profiles and added over series, rounded so that the sum stays right; with add_levels the
 * result is profile_merge's in every type. No profile: `out` is empty and info->profiles 0. An id
 * that is not there is -ENOENT. On error `out` is empty. `info` and `o` may be NULL. */
int store_merge(struct store *s, const struct store_query *q, const struct store_merge_options *o,
                struct profile *out, struct store_merge_info *info, struct err *e);

/* ---- deleting and upkeep ---- */

/* Deletes the profiles in [from, until) of the series that match; series without profiles go.
 * *deleted (may be NULL) counts profiles. */
int store_delete(struct store *s, const struct store_query *q, uint64_t *deleted, struct err *e);

/* Compacts, downsamples and deletes what is due at `now_ns` (0: now). Runs by itself in the
 * background; returns when done. */
int store_maintain(struct store *s, int64_t now_ns, struct err *e);

struct store_stats {
    uint64_t bytes;                   /* on disk, with its log */
    uint64_t bytes_free;              /* of these, for use by what comes next */
    uint64_t retain_bytes;            /* the limit; 0: none */
    int64_t retain_ns, downsample_ns; /* < 0: never */
    uint64_t series, profiles, fresh_profiles, blocks, samples;
    uint64_t stacks, functions, strings;
    int64_t first_ns, last_ns;
    /* since it was opened */
    uint64_t appended, duplicates, failed, commits, deleted, damaged;
    uint64_t queued;
    char last_damage[256]; /* "" or what could not be read */
};

int store_stats(struct store *s, struct store_stats *out, struct err *e);

/* ---- runs of the suite, and settings ---- */

/* Pointers of a run that is put are the caller's; of one that is read, the arena's. Any text but
 * `id` may be NULL when put; it is "" when read. */
struct store_run {
    const char *id; /* chosen by the suite; putting an id again replaces the run */
    const char *program, *input, *kind;
    const char *status;           /* the suite's words: running, passed, failed, stopped … */
    int64_t started_ns, ended_ns; /* ended 0: not yet */
    const char *metrics;          /* JSON text, kept as it is */
    const struct store_profile_id *profiles;
    uint32_t profile_count;
};

struct store_run_list {
    struct store_run *runs; /* the newest first */
    uint32_t count;
};

struct store_run_query {
    const char *id, *program, *input, *kind; /* NULL: any */
    uint32_t limit;                          /* 0: 100 */
};

/* On disk when it returns. */
int store_put_run(struct store *s, const struct store_run *run, struct err *e);
int store_list_runs(struct store *s, const struct store_run_query *q, struct arena *a,
                    struct store_run_list *out, struct err *e);
/* -ENOENT if there is none. */
int store_delete_run(struct store *s, const char *id, struct err *e);

/* On disk when it returns; a NULL value deletes. */
int store_put_setting(struct store *s, const char *key, const char *value, struct err *e);
/* 0 with *value in the arena, or NULL when there is none. */
int store_get_setting(struct store *s, const char *key, struct arena *a, const char **value,
                      struct err *e);

#endif
