/* SPDX-License-Identifier: MIT
 *
 * Heap profiles of gperftools, of Go before profile.proto, and those of growth and fragmentation
 * (legacy_profile.go, parseHeap). */
#include "profile/import/import_internal.h"

static const struct import_pattern heap_header = {
    "heap profile: *([0-9]+): *([0-9]+) *\\[ *([0-9]+): *([0-9]+) *\\] *@ *(heap[_a-z0-9]*)/?"
    "([0-9]*)",
    3};
static const struct import_pattern other_header = {
    "heap profile: *([0-9]+): *([0-9]+) *\\[ *([0-9]+): *([0-9]+) *\\] @ (?:growth|fragmentation)",
    4};
static const struct import_pattern heap_sample = {
    "(-?[0-9]+): *(-?[0-9]+) *\\[ *([0-9]+): *([0-9]+) *] @([ x0-9a-f]*)", 5};

struct heap {
    struct import *im;
    bool scaled;    /* sampled by bytes, as in version 2 */
    bool has_alloc; /* what was ever allocated stands beside what is live */
    int64_t block_size;
};

static bool texts_equal(struct text a, struct text b)
{
    return a.n == b.n && !memcmp(a.s, b.s, a.n);
}

static int read_header(struct heap *h, struct text line)
{
    struct text g[IMPORT_GROUPS_MAX];
    int64_t period = 0;
    if (!import_match(h->im, &heap_header, line, g)) {
        h->im->p->period = 1;
        return import_match(h->im, &other_header, line, g) ? 0 : IMPORT_UNKNOWN;
    }
    if (g[6].n && !import_int(h->im, g[6], 10, &period))
        return IMPORT_UNKNOWN;
    h->has_alloc = (!texts_equal(g[3], g[1]) && !text_is(g[3], "0")) ||
                   (!texts_equal(g[4], g[2]) && !text_is(g[4], "0"));
    if (text_is(g[5], "heapz_v2") || text_is(g[5], "heap_v2")) {
        h->scaled = true;
    } else if (text_is(g[5], "heapprofile")) {
        period = 1;
    } else if (text_is(g[5], "heap")) {
        h->scaled = true;
        period /= 2;
    } else {
        return IMPORT_UNKNOWN;
    }
    h->im->p->period = period;
    return 0;
}

/* Objects and bytes, scaled to what was sampled. */
static int read_values(struct heap *h, struct text line, struct text count_text,
                       struct text size_text, int64_t values[2])
{
    struct import *im = h->im;
    bool is_alloc = values == im->samples[im->sample_count - 1].values && h->has_alloc;
    const char *label = is_alloc ? "allocation" : "inuse";
    int64_t count, size;
    if (!import_int(im, count_text, 10, &count) || !import_int(im, size_text, 10, &size))
        return import_fail(im, "malformed sample: %.*s: %s", (int)line.n, line.s, im->number_error);
    if (count == 0 && size != 0)
        return import_fail(im, "%s count was 0 but %s bytes was %lld", label, label,
                           (long long)size);
    if (count != 0) {
        h->block_size = count == -1 ? (int64_t)(0 - (uint64_t)size) : size / count;
        if (h->scaled)
            import_scale_heap(&count, &size, im->p->period);
    }
    values[0] = count;
    values[1] = size;
    return 0;
}

static int read_sample(struct heap *h, struct text line)
{
    struct import *im = h->im;
    struct text g[IMPORT_GROUPS_MAX];
    if (!import_match(im, &heap_sample, line, g))
        return import_fail(im, "unexpected number of sample values: got 0, want 6");
    struct import_sample *s = import_sample(im);
    h->block_size = 0;
    int rc = 0;
    if (h->has_alloc)
        rc = read_values(h, line, g[3], g[4], s->values);
    if (!rc)
        rc = read_values(h, line, g[1], g[2], s->values + (h->has_alloc ? 2 : 0));
    if (!rc)
        rc = import_addresses(im, g[5], IMPORT_LEAF_IS_CALL, line);
    if (!rc)
        import_number(im, "bytes", h->block_size);
    return rc;
}

int import_legacy_heap(struct import *im)
{
    struct heap h = {.im = im};
    struct lines l;
    lines_init(&l, im->input.s, im->input.n);
    if (!lines_next(&l))
        return l.too_long ? IMPORT_LINE_TOO_LONG : IMPORT_UNKNOWN;
    int rc = read_header(&h, l.line);
    if (rc)
        return rc;
    import_period(im, "space", "bytes", im->p->period);
    if (h.has_alloc) {
        /* Before what is in use, so that pprof's default is what is in use. */
        import_sample_type(im, "alloc_objects", "count");
        import_sample_type(im, "alloc_space", "bytes");
    }
    import_sample_type(im, h.has_alloc ? "inuse_objects" : "objects", "count");
    import_sample_type(im, h.has_alloc ? "inuse_space" : "space", "bytes");
    while (lines_next(&l)) {
        struct text line = text_trim(l.line);
        if (lines_is_comment(line))
            continue;
        if (maps_is_sentinel(line))
            break;
        rc = read_sample(&h, line);
        if (rc)
            return rc;
    }
    return l.too_long ? IMPORT_LINE_TOO_LONG : maps_read_section(im, &l);
}
