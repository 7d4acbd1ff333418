/* SPDX-License-Identifier: MIT
 *
 * The pprof profile in memory: struct of arrays, everything by dense 32-bit index, one arena.
 * The words are profile.proto's (github.com/google/pprof, proto/profile.proto).
 *
 * Indexes: mappings, locations, functions and strings are named by their place in the arrays below;
 * the ids of the wire are kept beside them (`id`), because pprof prints them, and are never used to
 * look anything up. PROFILE_NONE marks "no mapping", "no function".
 *
 * Invariants (profile_check tests them; decode, merge and every other maker leave them true):
 *   string 0 is "";  every string index < string_count
 *   sample_loc_end[i-1] <= sample_loc_end[i] <= loc_ref_count, likewise labels (with [-1] = 0)
 *   every loc_refs[k] < location_count
 *   location.line_first + location.line_count <= line_count
 *   location.mapping, line.function: PROFILE_NONE or in range
 *   value_count = sample_count * sample_type_count;  sample_type_count >= 1 if sample_count > 0
 *   ids of mappings, locations and functions are non-zero and unique in their table
 *   line.function is never PROFILE_NONE (pprof refuses such files)
 * Decode, merge and profile_intern moreover see to it that
 *   strings named by records are equal only if their indexes are (a label's "" that is there,
 *   unlike one that is not, is an empty string other than string 0)
 *   the labels of a sample are in pprof's order: strings by key, then numbers by key
 */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PROFILE_NONE UINT32_MAX

/* Not NUL-terminated: points into the inflated file or the arena. */
struct profile_str {
    const char *ptr;
    uint32_t len;
};

static inline bool profile_str_is(struct profile_str s, const char *text)
{
    return s.len == strlen(text) && !memcmp(s.ptr, text, s.len);
}

struct profile_value_type {
    uint32_t type, unit; /* strings */
};

struct profile_mapping {
    uint64_t id, start, limit, offset;
    uint32_t file, build_id; /* strings */
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct profile_function {
    uint64_t id;
    int64_t start_line;
    uint32_t name, system_name, file; /* strings */
};

struct profile_line {
    int64_t line, column;
    uint32_t function; /* index */
};

/* Lines of a location: innermost inlined first, the physical function last. */
struct profile_location {
    uint64_t id, address;
    uint32_t mapping; /* index or PROFILE_NONE */
    uint32_t line_first, line_count;
    bool is_folded;
};

struct profile_label {
    uint32_t key, str, num_unit; /* strings; numeric iff str == 0 (as pprof decides it) */
    int64_t num;
};

struct profile {
    struct arena arena; /* owns all of the below */

    struct profile_value_type *sample_types;
    uint32_t sample_type_count;
    struct profile_value_type period_type;
    int64_t period, time_nanos, duration_nanos;
    uint32_t default_sample_type, drop_frames, keep_frames, doc_url; /* strings */
    uint32_t *comments;                                              /* strings */
    uint32_t comment_count;

    struct profile_str *strings;
    uint32_t string_count;

    struct profile_mapping *mappings;
    uint32_t mapping_count;
    struct profile_function *functions;
    uint32_t function_count;
    struct profile_line *lines;
    uint32_t line_count;
    struct profile_location *locations;
    uint32_t location_count;

    /* Sample i has the locations loc_refs[sample_loc_end[i-1] .. sample_loc_end[i]), leaf first,
     * the values values[i * sample_type_count ..] and its labels likewise by sample_label_end. */
    uint32_t sample_count;
    uint64_t *sample_loc_end;
    uint32_t *loc_refs;
    uint64_t loc_ref_count;
    int64_t *values;
    uint64_t *sample_label_end;
    struct profile_label *labels;
    uint64_t label_count;

    bool is_foreign;                 /* read from a format that google/pprof does not read */
    struct profile_interns *interns; /* private to profile_intern */
};

static inline uint64_t profile_loc_first(const struct profile *p, uint32_t sample)
{
    return sample ? p->sample_loc_end[sample - 1] : 0;
}

static inline uint64_t profile_label_first(const struct profile *p, uint32_t sample)
{
    return sample ? p->sample_label_end[sample - 1] : 0;
}

/* An empty profile: string 0, no sample types; nothing is allocated. Free with profile_free. Inside
 * a host program set p->arena.null_on_oom afterwards: then nothing here exits. */
void profile_init(struct profile *p);
/* Frees everything; `p` is an empty profile again. */
void profile_free(struct profile *p);

/* Decodes `size` bytes, gzip'ed or plain, into `p` (which need not be initialised): profile.proto,
 * or one of the formats of import/import.h, recognised by content. The bytes are
 * not referenced afterwards unless `borrow` is set: then plain input must outlive the profile.
 * On error `p` is empty and `e` says what is wrong and at which byte of the inflated data, in
 * pprof's words where it has some; its code tells the stage that failed (see profile_stage):
 *   -EBADMSG  the compressed data         "unexpected EOF", "gzip: invalid checksum" …
 *   -ENODATA  no bytes at all             "empty input file"
 *   -EPROTO   not profile.proto           "unrecognized profile format: bad varint at byte 17"
 *   -EINVAL   pprof's CheckValid          "mismatch: sample has 3 values vs. 2 types …"
 *   -EFBIG    a limit of base/limits.h */
int profile_decode(struct profile *p, const void *bytes, size_t size, bool borrow, struct err *e);

/* What pprof puts before the message of such an error: "decompressing profile" (-EBADMSG),
 * "malformed profile" (-EINVAL), else "parsing profile". */
const char *profile_stage(int code);

/* Reads a file ("-" is standard input) and decodes it. The error is the whole line pprof prints:
 * "NAME: parsing profile: empty input file", "NAME: open NAME: no such file or directory". */
int profile_read_file(struct profile *p, const char *path, struct err *e);

/* Appends the plain wire form, byte for byte the same for the same profile. Only strings that are
 * used are written, renumbered in order of first use as google/pprof's encoder does. Safe inside a
 * host program: memory comes from `out`'s arena only. Returns 0 or -ENOMEM. */
int profile_encode(const struct profile *p, struct buf *out);

/* encode + gzip (libdeflate). */
int profile_encode_gzip(const struct profile *p, struct buf *out, struct err *e);

/* encode + gzip to a file, through a temporary beside it and a rename, so that a reader never sees
 * half a profile; mode 0600 & ~umask for new files. "-" is standard output. */
int profile_write_file(const struct profile *p, const char *path, struct err *e);
/* The same for bytes of another kind, as they are. */
int profile_write_bytes(const struct buf *bytes, const char *path, struct err *e);

/* Tests every invariant above, and pprof's CheckValid (profile/profile.go): 0, or -EINVAL. */
int profile_check(const struct profile *p, struct err *e);

/* Merges `count` profiles into the uninitialised `out` by pprof's rules (driver/fetch.go,
 * combineProfiles, and profile/merge.go): sample types common to all in the first one's order,
 * units brought to the finest, mappings by size, offset and build id or file, functions and
 * locations by content, equal samples added, all-zero samples dropped. Of one profile it is a copy
 * that keeps its ids. The sources stay as they are and are not referenced afterwards. -EINVAL with
 * pprof's words when they cannot be added up, -EFBIG; then `out` is empty. (pprof merges more than
 * 128 sources in groups of 128, then each group's sum to the sum so far; a caller with so many does
 * the same and holds 128 in memory.) */
int profile_merge(struct profile *out, struct profile *const *in, uint32_t count, struct err *e);

/* The same sum made of sources one by one, so that each can be freed when it is added. That is
 * possible for profiles with the same sample types in one order and unit, and the same period type:
 * -EAGAIN says that `first`, or `p`, is none of those, or that memory is out, and that
 * profile_merge has to be asked, with all of them. `out` need not be initialised, and is the sum
 * when it is finished; until then it stays where it is and is not looked at. After another error it
 * is empty, and the sum can only be dropped; *sum is NULL after start has failed, finish and drop.
 */
struct profile_sum;
int profile_sum_start(struct profile_sum **sum, struct profile *out, const struct profile *first,
                      struct err *e);
int profile_sum_add(struct profile_sum *sum, const struct profile *p, struct err *e);
int profile_sum_finish(struct profile_sum **sum, struct err *e);
void profile_sum_drop(struct profile_sum **sum);

/* An independent copy in the uninitialised `out`; ids and numbers of strings stay. */
void profile_copy(struct profile *out, const struct profile *p);

/* ---- building and changing ---- */

/* The index of a string, added if new. The bytes are copied. Linear-time amortised: the profile
 * keeps a hash of its strings, made at the first call. PROFILE_NONE when memory is out (nullable
 * arenas only) or a limit is met. Once called, strings are added by it alone. */
uint32_t profile_intern(struct profile *p, const char *s, size_t len);
uint32_t profile_intern_cstr(struct profile *p, const char *s);

static inline struct profile_str profile_string(const struct profile *p, uint32_t index)
{
    return p->strings[index];
}

#endif
