/* SPDX-License-Identifier: MIT
 *
 * jemalloc's heap profiles (prof.dump and MALLOC_CONF=prof:true): "heap_v2/RATE", then a stack
 * ("@ 0x…") and behind it a line for all threads ("t*: objects: bytes [objects: bytes]") and one
 * for each of them, which is passed over. In brackets is what was ever allocated, where jemalloc
 * counts it. Objects were sampled by their bytes, as Go's and tcmalloc's are, and are scaled
 * likewise (jeprof does it, AdjustSamples). */
#include "profile/import/import_internal.h"

static const struct import_pattern header = {"\\Aheap_v2/([0-9]+)\\z", 16};
static const struct import_pattern counts = {
    "\\At\\*: ([0-9]+): ([0-9]+) \\[([0-9]+): ([0-9]+)\\]\\z", 17};

struct row {
    int64_t objects, bytes, all_objects, all_bytes;
};

/* False when the line is none of counts for all threads. */
static bool read_row(struct import *im, struct text line, struct row *r)
{
    struct text g[IMPORT_GROUPS_MAX];
    return import_match(im, &counts, line, g) && import_int(im, g[1], 10, &r->objects) &&
           import_int(im, g[2], 10, &r->bytes) && import_int(im, g[3], 10, &r->all_objects) &&
           import_int(im, g[4], 10, &r->all_bytes);
}

static void add_row(struct import *im, struct row r, bool has_all)
{
    int64_t *values = im->samples[im->sample_count - 1].values;
    if (r.objects)
        import_number(im, "bytes", r.bytes / r.objects);
    import_scale_heap(&r.objects, &r.bytes, im->p->period);
    import_scale_heap(&r.all_objects, &r.all_bytes, im->p->period);
    if (has_all) {
        *values++ = r.all_objects;
        *values++ = r.all_bytes;
    }
    values[0] = r.objects;
    values[1] = r.bytes;
}

static int read_stacks(struct import *im, struct lines *l, bool has_all)
{
    struct row r;
    while (lines_next(l)) {
        struct text line = text_trim(l->line);
        if (maps_is_sentinel(line))
            return 0;
        if (text_starts(line, "@")) {
            import_sample(im);
            int rc = import_addresses(im, line, IMPORT_LEAF_IS_CALL, line);
            if (rc)
                return rc;
        } else if (text_starts(line, "t*:")) {
            if (!read_row(im, line, &r))
                return import_fail(im, "malformed sample: %.*s", (int)line.n, line.s);
            if (im->sample_count)
                add_row(im, r, has_all);
        }
    }
    return 0;
}

int import_jemalloc(struct import *im)
{
    struct text g[IMPORT_GROUPS_MAX];
    struct lines l;
    struct row all = {0};
    int64_t rate;
    lines_init(&l, im->input.s, im->input.n);
    l.limit = 0;
    if (!lines_next(&l) || !import_match(im, &header, text_trim(l.line), g) ||
        !import_int(im, g[1], 10, &rate))
        return IMPORT_UNKNOWN;
    if (lines_next(&l))
        read_row(im, text_trim(l.line), &all);
    bool has_all = all.all_objects || all.all_bytes;
    import_period(im, "space", "bytes", rate);
    if (has_all) {
        import_sample_type(im, "alloc_objects", "count");
        import_sample_type(im, "alloc_space", "bytes");
    }
    import_sample_type(im, "inuse_objects", "count");
    import_sample_type(im, "inuse_space", "bytes");
    int rc = read_stacks(im, &l, has_all);
    return rc ? rc : maps_read_section(im, &l);
}
