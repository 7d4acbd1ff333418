/* SPDX-License-Identifier: MIT
 *
 * The profile module from the command line, for comparison with the real pprof:
 *   profile_tool merge OUT IN…     OUT is the plain encoding of the sum (of one IN: of itself)
 *   profile_tool random OUT SEED   a random profile; those of equal SEED % 7 have equal tables
 *   profile_tool odd OUT SEED      a profile of odd shape (odd_profile.h)
 * Exit status 2 and the error on stderr when it cannot. */
#include "../unit/profile_support.h"
#include "odd_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct err *e)
{
    fprintf(stderr, "%s\n", e->msg);
    return 2;
}

static int write_plain(const struct profile *p, const char *path)
{
    struct arena arena;
    struct buf bytes;
    arena_init(&arena);
    buf_init(&bytes, &arena);
    FILE *f = fopen(path, "wb");
    int ok = f && profile_encode(p, &bytes) == 0 &&
             fwrite(bytes.data, 1, bytes.len, f) == bytes.len && fclose(f) == 0;
    arena_free(&arena);
    return ok ? 0 : 2;
}

static int merge(const char *out_path, char **paths, uint32_t count)
{
    struct profile *profiles = calloc(count, sizeof *profiles), out;
    struct profile **in = calloc(count, sizeof *in);
    struct err e;
    if (!profiles || !in)
        return 2;
    for (uint32_t i = 0; i < count; i++) {
        in[i] = &profiles[i];
        if (profile_read_file(in[i], paths[i], &e) != 0)
            return fail(&e);
    }
    if (profile_merge(&out, in, count, &e) != 0 || profile_check(&out, &e) != 0)
        return fail(&e);
    int rc = write_plain(&out, out_path);
    for (uint32_t i = 0; i < count; i++)
        profile_free(in[i]);
    profile_free(&out);
    free(in);
    free(profiles);
    return rc;
}

static int make_random(const char *path, uint64_t seed)
{
    struct profile p;
    profile_random(&p, (struct random_profile){.seed = seed % 7,
                                               .samples = 40,
                                               .locations = 12,
                                               .functions = 6,
                                               .mappings = (uint32_t)(seed % 7) % 4 + 1,
                                               .sparse_ids = seed % 2});
    for (uint32_t i = 0; i < p.sample_count; i++) { /* shorter stacks of fewer locations, so that */
        uint64_t s = seed * 1000 + i + 1;           /* some are equal in two profiles and cancel */
        for (uint64_t k = profile_loc_first(&p, i); k < p.sample_loc_end[i]; k++)
            if (random_next(&s) % 8 == 0)
                p.loc_refs[k] = (uint32_t)(random_next(&s) % p.location_count);
        for (uint32_t t = 0; t < p.sample_type_count; t++)
            if (seed > 7 && random_next(&s) % 2)
                p.values[(uint64_t)i * p.sample_type_count + t] *= -1;
    }
    int rc = write_plain(&p, path);
    profile_free(&p);
    return rc;
}

static int make_odd(const char *path, uint64_t seed)
{
    struct profile p;
    odd_profile(&p, seed);
    int rc = write_plain(&p, path);
    profile_free(&p);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "merge") == 0)
        return merge(argv[2], argv + 3, (uint32_t)argc - 3);
    if (argc == 4 && strcmp(argv[1], "random") == 0)
        return make_random(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "odd") == 0)
        return make_odd(argv[2], strtoull(argv[3], NULL, 10));
    fprintf(stderr, "usage: profile_tool merge OUT IN... | random OUT SEED | odd OUT SEED\n");
    return 2;
}
