/* SPDX-License-Identifier: MIT
 *
 * threadz: the stacks of all threads as text (legacy_profile.go, parseThread). */
#include "profile/import/import_internal.h"

static const struct import_pattern threadz_start = {"--- threadz [0-9]+ ---", 8};
static const struct import_pattern thread_start = {
    "--- Thread ([[:xdigit:]]+) \\(name: (.*)/([0-9]+)\\) stack: ---", 9};

/* A stack up to the next line with dashes, which `line` becomes. */
static int read_stack(struct import *im, struct lines *l, struct text *line)
{
    bool same = false;
    *line = (struct text){NULL, 0};
    struct import_sample *s = import_sample(im);
    uint64_t first = im->ref_count;
    s->values[0] = 1;
    while (lines_next(l)) {
        *line = text_trim(l->line);
        if (!line->n)
            continue;
        if (text_starts(*line, "---"))
            break;
        if (text_contains(*line, "same as previous thread")) {
            same = true;
            continue;
        }
        bool leaf = im->ref_count == first;
        int rc = import_addresses(im, *line, leaf ? IMPORT_LEAF_IS_PC : IMPORT_LEAF_IS_CALL, *line);
        if (rc)
            return rc;
    }
    if (l->too_long)
        return IMPORT_LINE_TOO_LONG;
    if (same || im->ref_count == first) {
        im->ref_count = first;
        if (--im->sample_count > 0)
            im->samples[im->sample_count - 1].values[0]++;
    }
    return 0;
}

int import_legacy_thread(struct import *im)
{
    struct text g[IMPORT_GROUPS_MAX], line;
    struct lines l;
    lines_init(&l, im->input.s, im->input.n);
    while (lines_next(&l) && lines_is_comment(l.line))
        ;
    if (l.too_long)
        return IMPORT_UNKNOWN; /* pprof looks at the line, which is empty then */
    line = l.line;
    if (import_match(im, &threadz_start, line, g)) {
        while (lines_next(&l)) {
            line = l.line;
            if (maps_is_sentinel(line) || text_starts(line, "-"))
                break;
        }
    } else if (!import_match(im, &thread_start, line, g)) {
        return IMPORT_UNKNOWN;
    }
    import_sample_type(im, "thread", "count");
    import_period(im, "thread", "count", 1);
    while (!maps_is_sentinel(line) && !text_starts(line, "---- no stack trace for")) {
        if (!import_match(im, &thread_start, line, g))
            return IMPORT_UNKNOWN;
        int rc = read_stack(im, &l, &line);
        if (rc)
            return rc;
    }
    int rc = maps_read_section(im, &l);
    if (!rc)
        import_drop_doubled_leaf(im);
    return rc;
}
