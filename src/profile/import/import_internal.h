/* SPDX-License-Identifier: MIT
 *
 * What the formats share: text taken apart in lines and by expressions, and a profile under
 * construction. Every format is one function of one file, and a row of the table in import.c. */
#ifndef PROFILE_IMPORT_INTERNAL_H
#define PROFILE_IMPORT_INTERNAL_H

#include "base/map.h"
#include "profile/import/import.h"
#include "profile/import/jsondoc.h"

#include <errno.h>
#include <string.h>

enum { IMPORT_VALUES_MAX = 8, IMPORT_GROUPS_MAX = 8 };

/* Some bytes of the input. */
struct text {
    const char *s;
    size_t n;
};

static inline bool text_is(struct text t, const char *word)
{
    return t.n == strlen(word) && !memcmp(t.s, word, t.n);
}

static inline bool text_starts(struct text t, const char *word)
{
    return t.n >= strlen(word) && !memcmp(t.s, word, strlen(word));
}

static inline struct text text_from(struct text t, size_t at)
{
    return (struct text){t.s + at, t.n - at};
}

bool text_contains(struct text t, const char *word);
/* Cuts white space at both ends, as Go's strings.TrimSpace does. */
struct text text_trim(struct text t);
/* The text up to the first `delimiter`, which `rest` begins behind; false when there is none. */
bool text_cut(struct text t, char delimiter, struct text *before, struct text *rest);

struct import;
/* strconv.ParseInt; on failure false, and im->number_error is the reason as Go words it. */
bool import_int(struct import *im, struct text t, int base, int64_t *out);
/* strconv.ParseUint of hexadecimal digits. */
bool import_hex(struct text t, uint64_t *out);

/* ---- lines, as Go's bufio.Scanner gives them ---- */

struct lines {
    const char *at, *end;
    struct text line; /* the current one, without its end; empty after the last */
    bool too_long;    /* stopped at a line that pprof's scanner would not hold */
    size_t limit;     /* of such a line; 0: none */
};

void lines_init(struct lines *l, const char *bytes, size_t size);
bool lines_next(struct lines *l);
/* Empty, or a comment beginning with '#'. */
bool lines_is_comment(struct text line);

/* ---- expressions: Perl's, made at first use and freed with the import ---- */

struct import_pattern {
    const char *text;
    unsigned number; /* distinct, below IMPORT_PATTERNS_MAX */
};
enum { IMPORT_PATTERNS_MAX = 32 };

/* The first match in `t`: group[0] is all of it, a group that took no part is {NULL, 0}. */
bool import_match(struct import *im, const struct import_pattern *pattern, struct text t,
                  struct text group[IMPORT_GROUPS_MAX]);

/* ---- the profile ---- */

struct import_sample {
    uint64_t ref_first;
    uint32_t ref_count;
    uint64_t label_first;
    uint32_t label_count;
    int64_t values[IMPORT_VALUES_MAX];
};

/* What the formats that are tried on one input share: it is taken apart as JSON once. */
struct import_shared {
    struct arena arena;
    const struct jsondoc *json; /* NULL: not yet, or malformed */
    struct err json_error;
};

struct import {
    struct profile *p; /* its header is set directly; its tables are made by import_finish */
    struct text input;
    struct err *e;
    struct arena scratch;
    struct profile_location *locations;
    uint32_t location_count, location_cap;
    struct map by_address, by_function, by_line;
    struct import_sample *samples;
    uint32_t sample_count, sample_cap;
    uint32_t *refs;
    uint64_t ref_count, ref_cap;
    struct profile_label *labels;
    uint64_t label_count, label_cap;
    uint32_t mapping_cap, function_cap, line_cap;
    void *patterns[IMPORT_PATTERNS_MAX];
    const char *number_error;
    struct import_shared *shared;
    bool has_too_many; /* frames: some were left out */
};

/* What a format says to bytes that are not its own. */
#define IMPORT_UNKNOWN (-ENOMSG)
/* What pprof's formats say to a line longer than its scanner takes. */
#define IMPORT_LINE_TOO_LONG (-EMSGSIZE)

/* Frees what the import itself holds; the profile stays. */
void import_end(struct import *im);

/* Fails with a sentence: -EPROTO. */
int import_fail(struct import *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void import_sample_type(struct import *im, const char *type, const char *unit);
void import_period(struct import *im, const char *type, const char *unit, int64_t period);
uint32_t import_string(struct import *im, struct text t);

/* The location of an address, made when it is first asked for. */
uint32_t import_location(struct import *im, uint64_t address);
/* The function of this name and file; the same one for the same texts. */
uint32_t import_function(struct import *im, struct text name, struct text file);
/* The location without an address that is this line of a function. */
uint32_t import_line(struct import *im, uint32_t function, int64_t line);
/* The same in a mapping, or PROFILE_NONE. */
uint32_t import_line_in(struct import *im, uint32_t function, int64_t line, uint32_t mapping);
/* Gives a location one more line, outside of those it has. */
void import_add_line(struct import *im, uint32_t location, uint32_t function, int64_t line);
/* A mapping with a copy of `m`'s numbers; its id is its place. */
struct profile_mapping *import_mapping(struct import *im, const struct profile_mapping *m);

/* Begins a sample; its frames follow, leaf first, and its labels. */
struct import_sample *import_sample(struct import *im);
void import_frame(struct import *im, uint32_t location);
void import_label(struct import *im, const char *key, struct text value);
void import_number(struct import *im, const char *key, int64_t value);
/* Takes frame `at` out of a sample. */
void import_drop_frame(struct import *im, struct import_sample *s, uint32_t at);

/* Takes out the second frame where it is the leaf once more, as the handler's unwinder saw it. */
void import_drop_doubled_leaf(struct import *im);

static inline uint64_t import_frame_address(const struct import *im, const struct import_sample *s,
                                            uint32_t at)
{
    return im->locations[im->refs[s->ref_first + at]].address;
}

/* Frames of addresses in text, "0x…": all are return addresses (pprof subtracts one), or all but
 * the leaf's. -EPROTO when one is too large; `line` is quoted then. */
enum import_leaf { IMPORT_LEAF_IS_CALL, IMPORT_LEAF_IS_PC, IMPORT_LEAF_AS_IS };
int import_addresses(struct import *im, struct text t, enum import_leaf leaf, struct text line);

/* Room for one more element of an array in im->scratch. */
void *import_grow(struct import *im, void *array, uint32_t count, uint32_t *cap, size_t size);

/* ---- JSON ---- */

/* The input as JSON: IMPORT_UNKNOWN where it is no object or list, or does not hold `mark`
 * anywhere; -EPROTO with a sentence where it is malformed. */
int import_json(struct import *im, const char *mark, const struct jsondoc **root);

/* The text of a string or number in im->shared; {NULL, 0} for everything else. */
static inline struct text import_json_text(struct import *im, const struct jsondoc *v)
{
    struct jsondoc_text t = jsondoc_text(v, &im->shared->arena);
    return (struct text){t.s, t.n};
}

/* ---- call_tree.c ---- */

#define CALL_TREE_ROOT UINT32_MAX

struct call_node {
    uint32_t caller; /* before it in the tree; CALL_TREE_ROOT: none */
    uint32_t location;
    int64_t hits, value; /* its own */
};

struct call_tree {
    struct import *im;
    struct call_node *nodes; /* in im->scratch */
    uint32_t count, cap;
    struct map by_call;
};

/* How samples are made of a tree: which values they are, and what else they get. */
struct call_tree_samples {
    uint32_t hits_at, value_at;
    void (*label)(struct import *im, const void *of); /* NULL: none */
    const void *of;
};

void call_tree_init(struct call_tree *t, struct import *im);
/* The node of a location called by a node, made when it is first asked for. */
uint32_t call_tree_call(struct call_tree *t, uint32_t caller, uint32_t location);
/* A sample for each node that was hit or has a value; the tree is empty afterwards. */
void call_tree_finish(struct call_tree *t, const struct call_tree_samples *as);

/* ---- maps.c ---- */

/* What a memory map begins with. */
bool maps_is_sentinel(struct text line);
/* Skips to the memory map behind the scanner's current line, and reads it. */
int maps_read_section(struct import *im, struct lines *l);
/* Reads a memory map to the end of the lines, orders the mappings as pprof does and gives the
 * locations theirs. */
int maps_read(struct import *im, struct lines *l);
/* Gives locations their mappings: remapMappingIDs. */
void maps_assign(struct import *im);
/* Keeps the locations that samples name, in their order: remapLocationIDs. Before maps_assign. */
void import_order_locations(struct import *im);

/* ---- heap samples ---- */

/* scaleHeapSample: what was allocated, from what was sampled. */
void import_scale_heap(int64_t *count, int64_t *size, int64_t rate);
/* int64(v) as Go does on amd64. */
int64_t import_int64(double v);

/* ---- zstd.c ---- */

/* Puts what is in a zstd frame in the input's place; 0 also when it is none. */
int import_unpack(struct import *im);

/* ---- the formats ---- */

int import_jemalloc(struct import *im);
int import_heaptrack(struct import *im);
int import_firefox(struct import *im);
int import_speedscope(struct import *im);
int import_chrome_trace(struct import *im);
int import_cpuprofile(struct import *im);
int import_callgrind(struct import *im);
int import_perf_script(struct import *im);
int import_folded(struct import *im);
int import_legacy_cpu(struct import *im);
int import_legacy_heap(struct import *im);
int import_legacy_count(struct import *im);
int import_legacy_thread(struct import *im);
int import_legacy_contention(struct import *im);
int import_legacy_java(struct import *im);
/* The rest of a Java profile: names of the locations. */
int import_java_locations(struct import *im, struct text t);

#endif
