/* SPDX-License-Identifier: MIT
 *
 * Go's texts that count stacks: goroutine, threadcreate and custom profiles with debug=1
 * (legacy_profile.go, parseGoCount). */
#include "profile/import/import_internal.h"

static const struct import_pattern count_start = {"\\A([^\\t\\n\\f\\r ]+) profile: total [0-9]+\\z",
                                                  6};
static const struct import_pattern count_sample = {"\\A([0-9]+) @((?: 0x[0-9a-f]+)+)\\z", 7};

static int read_sample(struct import *im, struct text line)
{
    struct text g[IMPORT_GROUPS_MAX];
    int64_t count;
    if (!import_match(im, &count_sample, line, g) || !import_int(im, g[1], 0, &count))
        return import_fail(im, "malformed profile format");
    import_sample(im)->values[0] = count;
    if (import_addresses(im, g[2], IMPORT_LEAF_IS_CALL, line))
        return import_fail(im, "malformed profile format");
    return 0;
}

int import_legacy_count(struct import *im)
{
    struct text g[IMPORT_GROUPS_MAX];
    struct lines l;
    lines_init(&l, im->input.s, im->input.n);
    while (lines_next(&l) && lines_is_comment(l.line))
        ;
    if (l.too_long)
        return IMPORT_LINE_TOO_LONG;
    if (!import_match(im, &count_start, l.line, g))
        return IMPORT_UNKNOWN;
    const char *type = arena_strndup(&im->scratch, g[1].s, g[1].n);
    import_period(im, type, "count", 1);
    import_sample_type(im, type, "count");
    while (lines_next(&l)) {
        if (lines_is_comment(l.line))
            continue;
        if (text_starts(l.line, "---"))
            break;
        int rc = read_sample(im, l.line);
        if (rc)
            return rc;
    }
    return l.too_long ? IMPORT_LINE_TOO_LONG : maps_read_section(im, &l);
}
