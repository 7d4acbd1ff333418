/* SPDX-License-Identifier: MIT
 *
 * gperftools' CPU profiles, and Java's in the same frame: words of 32 or 64 bits of either order,
 * then text (legacy_profile.go, parseCPU). */
#include "profile/import/import_internal.h"

struct words {
    const uint8_t *at, *end; /* at NULL: read past the end */
    unsigned size;
    bool big;
};

static uint64_t next_word(struct words *w)
{
    if (!w->at || (size_t)(w->end - w->at) < w->size) {
        w->at = NULL;
        return 0;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < w->size; i++)
        v |= (uint64_t)w->at[i] << 8 * (w->big ? w->size - 1 - i : i);
    w->at += w->size;
    return v;
}

static size_t words_left(const struct words *w)
{
    return w->at ? (size_t)(w->end - w->at) : 0;
}

/* Samples: how often, how many frames, the frames. Ends at 0, 1, 0. */
static int read_samples(struct import *im, struct words *w, bool adjust)
{
    while (words_left(w) > 0) {
        uint64_t count = next_word(w), depth = next_word(w);
        if (!w->at || depth > words_left(w) / 4)
            return IMPORT_UNKNOWN;
        struct words ahead = *w;
        if (count == 0 && depth == 1 && next_word(&ahead) == 0) {
            *w = ahead;
            return 0;
        }
        struct import_sample *s = import_sample(im);
        s->values[0] = (int64_t)count;
        s->values[1] = (int64_t)(count * (uint64_t)im->p->period);
        for (uint64_t i = 0; i < depth; i++) {
            uint64_t address = next_word(w);
            import_frame(im, import_location(im, address - (adjust && i > 0)));
        }
    }
    return 0;
}

/* The address that is second in nearly all samples was pushed by the signal handler. */
static bool drop_second_frame(struct import *im)
{
    uint32_t margin = im->sample_count / 32;
    uint32_t *counts = arena_zarray(&im->scratch, im->location_count, sizeof *counts);
    uint32_t common = PROFILE_NONE;
    for (uint32_t i = 0; i < im->sample_count && common == PROFILE_NONE; i++) {
        const struct import_sample *s = &im->samples[i];
        if (s->ref_count > 1) {
            uint32_t second = im->refs[s->ref_first + 1];
            if (++counts[second] >= im->sample_count - margin)
                common = second;
        }
    }
    for (uint32_t i = 0; i < im->sample_count && common != PROFILE_NONE; i++) {
        struct import_sample *s = &im->samples[i];
        if (s->ref_count > 1 && im->refs[s->ref_first + 1] == common)
            import_drop_frame(im, s, 1);
    }
    return common != PROFILE_NONE;
}

void import_drop_doubled_leaf(struct import *im)
{
    for (uint32_t i = 0; i < im->sample_count; i++) {
        struct import_sample *s = &im->samples[i];
        if (s->ref_count > 1 &&
            import_frame_address(im, s, 0) == import_frame_address(im, s, 1) + 1)
            import_drop_frame(im, s, 1);
    }
}

static int read_profile(struct import *im, struct words *w, uint64_t period_us, bool java)
{
    import_period(im, "cpu", "nanoseconds", (int64_t)(period_us * 1000));
    import_sample_type(im, "samples", "count");
    import_sample_type(im, "cpu", "nanoseconds");
    int rc = read_samples(im, w, !java);
    if (rc)
        return rc;
    struct text rest = {w->at ? (const char *)w->at : "", words_left(w)};
    if (java)
        return import_java_locations(im, rest);
    if (drop_second_frame(im))
        drop_second_frame(im);
    struct lines l;
    lines_init(&l, rest.s, rest.n);
    rc = maps_read(im, &l);
    if (!rc)
        import_drop_doubled_leaf(im);
    return rc;
}

int import_legacy_cpu(struct import *im)
{
    static const struct {
        unsigned size;
        bool big;
    } orders[] = {{4, false}, {4, true}, {8, false}, {8, true}};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        const uint8_t *bytes = (const uint8_t *)im->input.s;
        struct words w = {bytes, bytes + im->input.n, orders[i].size, orders[i].big};
        uint64_t header[5];
        for (size_t k = 0; k < 5; k++)
            header[k] = next_word(&w);
        if (w.at && header[0] == 0 && header[1] == 3 && header[2] <= 1 && header[3] > 0 &&
            header[4] == 0)
            return read_profile(im, &w, header[3], header[2] == 1);
    }
    return IMPORT_UNKNOWN;
}
