/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a profile. They are refused with an error, or they are a profile: then it holds its
 * invariants, is the same after encoding and decoding, and can be merged with itself. Errors have a
 * text, and refused input leaves an empty profile. */
#include "profile/profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok, const char *what, const struct err *e)
{
    if (ok)
        return;
    fprintf(stderr, "%s: %s\n", what, e->msg);
    abort();
}

/* A label whose value is "" or a 0 with the unit "" has a value in memory, as in pprof, but none on
 * the wire: there it is a key alone, and is dropped when it is read. */
static bool has_fleeting_labels(const struct profile *p)
{
    for (uint64_t i = 0; i < p->label_count; i++) {
        const struct profile_label *l = &p->labels[i];
        if (p->strings[l->str].len == 0 && p->strings[l->num_unit].len == 0 && l->num == 0)
            return true;
    }
    return false;
}

/* Encoding what was decoded from an encoding gives the same bytes. */
static void check_round_trip(const struct profile *p, struct err *e)
{
    struct arena arena;
    struct buf first, second;
    struct profile again;
    arena_init(&arena);
    buf_init(&first, &arena);
    buf_init(&second, &arena);
    require(profile_encode(p, &first) == 0, "encode", e);
    require(profile_decode(&again, first.data, first.len, true, e) == 0, "decode again", e);
    require(profile_check(&again, e) == 0, "check again", e);
    require(profile_encode(&again, &second) == 0, "encode again", e);
    require(again.sample_count == p->sample_count && again.loc_ref_count == p->loc_ref_count &&
                again.location_count == p->location_count && again.line_count == p->line_count &&
                again.function_count == p->function_count &&
                again.mapping_count == p->mapping_count,
            "the second profile has other tables", e);
    require(has_fleeting_labels(p) ||
                (first.len == second.len && memcmp(first.data, second.data, first.len) == 0),
            "the second encoding differs", e);
    profile_free(&again);
    arena_free(&arena);
}

static void check_merge(struct profile *p, struct err *e)
{
    struct profile one, two;
    struct profile *in[] = {p, p};
    if (profile_merge(&one, in, 1, e) == 0)
        require(profile_check(&one, e) == 0, "check of a copy", e);
    profile_free(&one);
    if (profile_merge(&two, in, 2, e) == 0) {
        require(profile_check(&two, e) == 0, "check of a merge", e);
        require(two.sample_count <= p->sample_count, "a merge with itself has more samples", e);
        check_round_trip(&two, e);
    }
    profile_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile p;
    struct err e = {0};
    if (profile_decode(&p, data, size, size % 2, &e) != 0) {
        require(e.code < 0 && e.msg[0] && p.sample_count == 0, "an error without words", &e);
        profile_free(&p);
        return 0;
    }
    require(profile_check(&p, &e) == 0, "check", &e);
    check_round_trip(&p, &e);
    check_merge(&p, &e);
    profile_free(&p);
    return 0;
}
