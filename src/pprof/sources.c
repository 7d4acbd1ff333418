/* SPDX-License-Identifier: MIT
 *
 * From file names to the one profile that commands work on (google/pprof internal/driver/fetch.go):
 * read, merge, subtract the base, symbolize, prune. The order is pprof's, because each step sees
 * what the one before left. */
#include "pprof/fetch.h"
#include "pprof/perf_data.h"
#include "pprof/pprof_internal.h"
#include "pprof/symbolz.h"

#include "analyze/refine.h"
#include "base/gotext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 128 }; /* profiles in memory before they are merged */

/* Leaves of a decoding error what pprof prints: not the place, nor the reason of the format's. */
static void cut_to_pprof(struct err *e)
{
    static const char format[] = "unrecognized profile format";
    char *at = strstr(e->msg, format);
    if (at)
        at[sizeof format - 1] = 0;
    at = e->code == -EINVAL ? strrchr(e->msg, '(') : NULL;
    if (at && at > e->msg && at[-1] == ' ' && strstr(at, "at byte"))
        at[-1] = 0;
}

static int read_one(struct profile *p, const struct source *s, const char *name, struct err *e)
{
    struct stat st;
    if ((s->exact || strcmp(name, "-")) && stat(name, &st))
        return err_set(e, -errno, "%s: stat %s: %s", name, name, gotext_errno(errno));
    if (strcmp(name, "-") && perf_data_is(name))
        return perf_data_read(p, s, name, e);
    int rc = profile_read_file(p, name, e);
    if (rc && s->exact)
        cut_to_pprof(e);
    return rc;
}

static int read_fetched(struct profile *p, const struct source *s, struct fetch *f,
                        const char *name, struct err *e)
{
    int rc = fetch_profile(f, p, e);
    if (rc && s->exact)
        cut_to_pprof(e);
    return rc ? err_prefix(e, "%s", name) : 0;
}

/* pprof's command line reads what pprof reads; the short verbs read all formats we know, and know
 * what is wrong with a file in one of them. */
static int check_format(struct profile *p, int rc, const struct source *s, const char *name,
                        struct err *e)
{
    if (!s->exact || !p->is_foreign)
        return rc;
    profile_free(p);
    return err_set(e, -EPROTO, "%s: parsing profile: unrecognized profile format", name);
}

/* Profiles stay where they were made: they point into themselves. */
static struct profile *new_profile(void)
{
    struct profile *p = malloc(sizeof *p);
    if (!p) {
        ui_error("out of memory reading profiles");
        exit(2);
    }
    profile_init(p);
    return p;
}

static void drop_profile(struct profile **p)
{
    if (*p)
        profile_free(*p);
    free(*p);
    *p = NULL;
}

static bool is_repeated(const struct profile *p, uint32_t type)
{
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        if (i != type && p->sample_types[i].type == p->sample_types[type].type)
            return true;
    return false;
}

/* Sample types of the same name go, all of them: pprof looks for what is in each profile once. */
static void drop_repeated_types(struct profile *p)
{
    uint32_t *kept = arena_array(&p->arena, p->sample_type_count, sizeof *kept);
    uint32_t count = 0, types = p->sample_type_count;
    bool has_default = false;
    for (uint32_t i = 0; i < types; i++) {
        if (is_repeated(p, i))
            continue;
        has_default |= p->sample_types[i].type == p->default_sample_type;
        kept[count++] = i;
    }
    if (count == types)
        return;
    for (uint32_t i = 0; i < count; i++)
        p->sample_types[i] = p->sample_types[kept[i]];
    for (size_t s = 0; s < p->sample_count; s++)
        for (uint32_t i = 0; i < count; i++)
            p->values[s * count + i] = p->values[s * types + kept[i]];
    p->sample_type_count = count;
    if (count && !has_default)
        p->default_sample_type = p->sample_types[0].type;
}

/* Merges `count` profiles into one in place of the first, and frees them. */
static int merge(struct profile **profiles, uint32_t count, struct err *e)
{
    if (count == 1)
        drop_repeated_types(profiles[0]);
    if (count < 2)
        return 0;
    struct profile *merged = new_profile();
    int rc = profile_merge(merged, profiles, count, e);
    for (uint32_t i = 0; i < count; i++)
        drop_profile(&profiles[i]);
    if (rc)
        free(merged);
    else
        profiles[0] = merged;
    return rc;
}

struct group {
    const struct source *source;
    char **files;
    int count;
    struct fetch *fetches; /* of the chunk that is read */
    int read_count;        /* of those that could be read */
    bool any_remote;
    struct symbolz *origins;
};

static int chunk_size(const struct group *g, int first)
{
    return g->count - first < CHUNK ? g->count - first : CHUNK;
}

/* Begins to fetch those files of the chunk at `first` that are on servers. */
static void begin_chunk(struct group *g, int first)
{
    g->fetches = calloc((size_t)chunk_size(g, first) + 1, sizeof *g->fetches);
    if (!g->fetches) {
        ui_error("out of memory fetching profiles");
        exit(2);
    }
    for (int i = 0; i < chunk_size(g, first); i++)
        fetch_begin(&g->fetches[i], g->source, g->files[first + i]);
}

/* One file of the chunk; NULL, after a message, if it cannot be read. */
static struct profile *read_member(struct group *g, int first, int i)
{
    struct fetch *f = &g->fetches[i];
    const char *name = g->files[first + i];
    struct profile *p = new_profile();
    struct err e = {0};
    int rc = f->url ? read_fetched(p, g->source, f, name, &e) : read_one(p, g->source, name, &e);
    rc = check_format(p, rc, g->source, name, &e);
    if (rc) {
        ui_error(e.msg);
        free(p);
        p = NULL;
    } else {
        binaries_locate(p, g->source);
        if (f->url)
            symbolz_add_mappings(g->origins, p, f->url);
        g->any_remote |= f->url != NULL;
        g->read_count++;
    }
    fetch_end(f);
    return p;
}

/* Reads and merges files; those that cannot be read are told of and left out. The first chunk was
 * begun by the caller. */
static int read_all(struct profile **out, struct group *g, struct err *e)
{
    struct profile *chunk[CHUNK + 1] = {NULL};
    uint32_t held = 0;
    int rc = 0;
    for (int first = 0; first < g->count && !rc; first += CHUNK) {
        int size = chunk_size(g, first);
        if (first)
            begin_chunk(g, first);
        for (int i = 0; i < size; i++) {
            struct profile *p = read_member(g, first, i);
            if (p)
                chunk[held++] = p;
        }
        free(g->fetches);
        /* The first of a chunk is what earlier ones were merged into. */
        if (held)
            rc = merge(chunk, held, e);
        held = held > 0;
    }
    if (!rc && held && !chunk[0]->sample_type_count)
        rc = err_set(e, -EINVAL, "profiles have empty common sample type list");
    *out = chunk[0];
    return rc;
}

/* What is known of the sources besides their profile. */
struct reading {
    const struct source *source;
    struct symbolz origins;
    bool any_remote;
};

/* Reads sources and base, then says what was not to be had, in pprof's order: it reads all of them
 * at the same time. */
static int read_both(struct reading *r, struct profile **p, struct profile **base, struct err *e)
{
    const struct source *s = r->source;
    char *base_file = (char *)s->base;
    struct group sources = {
        .source = s, .files = s->files, .count = s->file_count, .origins = &r->origins};
    struct group bases = {
        .source = s, .files = &base_file, .count = *s->base ? 1 : 0, .origins = &r->origins};
    struct err base_error = {0};
    begin_chunk(&sources, 0);
    begin_chunk(&bases, 0);
    int rc = read_all(p, &sources, e);
    int base_rc = read_all(base, &bases, &base_error);
    if (!bases.count)
        free(bases.fetches);
    r->any_remote = sources.any_remote || bases.any_remote;
    if (rc)
        return err_prefix(e, "problem fetching source profiles");
    if (base_rc)
        return err_set(e, base_rc, "problem fetching base profiles: %s,", base_error.msg);
    if (!sources.read_count)
        return err_set(e, -ENOENT, "failed to fetch any source profiles");
    if (!bases.read_count && bases.count)
        return err_set(e, -ENOENT, "failed to fetch any base profiles");
    if (sources.read_count != sources.count)
        ui_errorf("Fetched %d source profiles out of %d", sources.read_count, sources.count);
    return 0;
}

/* `*p` becomes the difference; `base` is freed. */
static int subtract_base(struct profile **p, const struct source *s, struct profile *base,
                         struct err *e)
{
    if (s->diff_base)
        refine_set_label(base, "pprof::base", "true");
    struct profile *both[] = {*p, base};
    int rc = s->normalize ? refine_normalize(*p, base, e) : 0;
    double *ratios = arena_array(&base->arena, base->sample_type_count, sizeof *ratios);
    for (uint32_t i = 0; i < base->sample_type_count; i++)
        ratios[i] = -1;
    refine_scale(base, ratios);
    if (!rc) {
        rc = merge(both, 2, e);
        *p = both[0];
    } else {
        drop_profile(&base);
    }
    return rc;
}

static void add_comment(struct profile *p, const char *text)
{
    uint32_t *comments = arena_array(&p->arena, p->comment_count + 1, sizeof *comments);
    if (p->comment_count)
        memcpy(comments, p->comments, p->comment_count * sizeof *comments);
    comments[p->comment_count++] = profile_intern_cstr(p, text);
    p->comments = comments;
}

static int prepare(struct profile *p, struct reading *r, struct err *e)
{
    const struct source *s = r->source;
    if (s->all_frames)
        p->drop_frames = p->keep_frames = 0;
    int rc = symbolize(p, s, &r->origins, e);
    if (rc)
        return rc;
    refine_drop_frames(p);
    symbolz_forget_mappings(&r->origins, p);
    if (*s->comment)
        add_comment(p, s->comment);
    if (r->any_remote)
        fetch_save(p);
    return 0;
}

int sources_read(struct profile **p, const struct source *s, struct err *e)
{
    struct profile *base = NULL;
    struct reading r = {.source = s};
    *p = NULL;
    int rc = read_both(&r, p, &base, e);
    if (!rc && base) {
        rc = subtract_base(p, s, base, e);
        base = NULL;
    }
    if (!rc)
        rc = prepare(*p, &r, e);
    drop_profile(&base);
    arena_free(&r.origins.arena);
    if (rc)
        drop_profile(p);
    return rc;
}

void sources_free(struct profile *p)
{
    drop_profile(&p);
}
