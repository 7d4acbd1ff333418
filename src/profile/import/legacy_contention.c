/* SPDX-License-Identifier: MIT
 *
 * Waits for locks: gperftools' contentionz, and Go's block and mutex texts (legacy_profile.go,
 * parseContention). */
#include "profile/import/import_internal.h"

static const struct import_pattern sample = {"([0-9]+) *([0-9]+) @([ x0-9a-f]*)", 10};

/* One "name = value". 0, IMPORT_UNKNOWN, or 1 when it is none: samples begin. */
static int read_attribute(struct import *im, struct text line, int64_t *cpu_hz)
{
    struct profile *p = im->p;
    struct text key, value;
    int64_t number;
    if (!text_cut(line, '=', &key, &value))
        return 1;
    key = text_trim(key);
    value = text_trim(value);
    if (text_is(key, "discarded samples"))
        return 0;
    bool is_hz = text_is(key, "cycles/second"), is_period = text_is(key, "sampling period");
    if (!is_hz && !is_period && !text_is(key, "ms since reset"))
        return IMPORT_UNKNOWN; /* "format" and "resolution" are Java's */
    if (!import_int(im, value, 0, &number))
        return IMPORT_UNKNOWN;
    if (is_hz)
        *cpu_hz = number;
    else if (is_period)
        p->period = number;
    else
        p->duration_nanos = (int64_t)((uint64_t)number * 1000000);
    return 0;
}

static int read_sample(struct import *im, struct text line, int64_t cpu_hz)
{
    struct text g[IMPORT_GROUPS_MAX];
    int64_t delay, count, period = im->p->period;
    if (!import_match(im, &sample, line, g))
        return IMPORT_UNKNOWN;
    if (!import_int(im, g[1], 10, &delay) || !import_int(im, g[2], 10, &count))
        return import_fail(im, "malformed sample: %.*s: %s", (int)line.n, line.s, im->number_error);
    if (period > 0) {
        if (cpu_hz > 0)
            delay = import_int64((double)delay * (double)period / ((double)cpu_hz / 1e9));
        count = (int64_t)((uint64_t)count * (uint64_t)period);
    }
    struct import_sample *s = import_sample(im);
    s->values[0] = count;
    s->values[1] = delay;
    return import_addresses(im, g[3], IMPORT_LEAF_IS_CALL, line);
}

static int read_samples(struct import *im, struct lines *l, int64_t cpu_hz)
{
    do {
        struct text line = text_trim(l->line);
        if (text_starts(line, "---"))
            break;
        int rc = lines_is_comment(line) ? 0 : read_sample(im, line, cpu_hz);
        if (rc)
            return rc;
    } while (lines_next(l));
    return l->too_long ? IMPORT_LINE_TOO_LONG : maps_read_section(im, l);
}

int import_legacy_contention(struct import *im)
{
    struct lines l;
    int64_t cpu_hz = 0;
    lines_init(&l, im->input.s, im->input.n);
    if (!lines_next(&l))
        return l.too_long ? IMPORT_LINE_TOO_LONG : IMPORT_UNKNOWN;
    if (!text_starts(l.line, "--- contentionz ") && !text_starts(l.line, "--- mutex:") &&
        !text_starts(l.line, "--- contention:"))
        return IMPORT_UNKNOWN;
    import_period(im, "contentions", "count", 1);
    import_sample_type(im, "contentions", "count");
    import_sample_type(im, "delay", "nanoseconds");
    while (lines_next(&l)) {
        struct text line = text_trim(l.line);
        if (lines_is_comment(line))
            continue;
        int rc = text_starts(line, "---") ? 1 : read_attribute(im, line, &cpu_hz);
        if (rc < 0)
            return rc;
        if (rc)
            break;
    }
    return l.too_long ? IMPORT_LINE_TOO_LONG : read_samples(im, &l, cpu_hz);
}
