/* SPDX-License-Identifier: MIT
 *
 * Profiles that count what is there: threads by where they are, threads by who made them, what a
 * program has added to a profile of its own. A list of stacks becomes a profile.proto with one
 * sample type, or the text of Go's debug=1 (src/runtime/pprof/pprof.go, printCountProfile). */
#ifndef RUNTIME_COUNT_LIST_H
#define RUNTIME_COUNT_LIST_H

#include "base/buf.h"
#include "runtime/runtime.h"

struct count_stack {
    const uint64_t *pcs; /* leaf first */
    uint32_t depth, epoch, flags;
    uint32_t labels;              /* the number of a set: labels.h */
    const char *state, *thread;   /* labels of a thread, or NULL */
    uint32_t pid;                 /* as a label; 0: none; or TREE_ENDED */
    const struct module *modules; /* of its process; NULL: this one */
    int64_t count;
};

struct count_list {
    const char *name; /* of the profile, and of its sample type */
    struct count_stack *list;
    uint32_t count;
    bool of_tree;         /* all processes of a tree: comments say which are not in it */
    bool says_truncated;  /* a comment has how many stacks there are, and are not whole */
    uint64_t duration_ns; /* 0: of one moment */
    const char *missing;  /* a comment: which processes are not in it; or NULL */
};

/* A source of such lists: fills `out`, whose memory is in the arena. 0 or -ENOMEM. */
typedef int (*count_take_fn)(const void *what, struct arena *arena, struct count_list *out);

/* Appends the stacks of a table that have a weight, each with what `like` has of labels and
 * modules. The table may be another process's. 0 or -ENOMEM. */
int count_take_table(const struct stacktab *t, const struct count_stack *like, struct arena *arena,
                     struct count_list *out);
/* Adds up the counts, each stack's as it is. */
int64_t count_total(const struct count_list *l);
/* Makes `l` what has come (positive) and gone (negative) since `before`. 0 or -ENOMEM. */
int count_subtract(struct count_list *l, const struct count_list *before, struct arena *arena);
/* Writes the profile. 0, -ENOMEM, or -EIO: `write` failed. */
int count_write(const struct count_list *l, strobe_write_fn write, void *ctx);
/* Writes the text, equal stacks with equal labels together, the most frequent first. */
void count_write_text(const struct count_list *l, struct buf *out);
/* A set of labels as Go writes it, after the process (0: none): `"key":"value", …`; or, in a
 * traceback, `, key: "value"…`. */
void count_put_labels(struct buf *out, uint32_t set, uint32_t pid, bool traceback);

/* ---- http_counts.c ---- */
struct http_request;
struct http_answer;
/* Answers for a source: binary, debug=1, or seconds=N. */
void http_serve_counts(const struct http_request *r, struct http_answer *a, count_take_fn take,
                       const void *what);

#endif
