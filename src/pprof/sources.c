/* SPDX-License-Identifier: MIT
 *
 * From file names to the one profile that commands work on (google/pprof internal/driver/fetch.go):
 * read, merge, subtract the base, symbolize, prune. The order is pprof's, because each step sees
 * what the one before left. */
#include "pprof/pprof_internal.h"

#include "analyze/refine.h"
#include "base/gotext.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 128 }; /* profiles in memory before they are merged */

/* scheme:… with letters, digits, "+", "-" and "." in the scheme. */
static bool is_url(const char *name)
{
    const char *c = name;
    if (!isalpha((unsigned char)*c))
        return false;
    while (isalnum((unsigned char)*c) || (*c && strchr("+-.", *c)))
        c++;
    return *c == ':';
}

static int read_one(struct profile *p, const struct source *s, const char *name, struct err *e)
{
    struct stat st;
    if (strcmp(name, "-") && stat(name, &st)) {
        if (is_url(name))
            return err_set(e, -ENOTSUP,
                           "%s: fetching over HTTP is not in this version; fetch it with curl and "
                           "give the file",
                           name);
        return err_set(e, -errno, "%s: stat %s: %s", name, name, gotext_errno(errno));
    }
    int rc = profile_read_file(p, name, e);
    if (!rc)
        binaries_locate(p, s);
    return rc;
}

/* Merges `count` profiles into the first, and frees the others. */
static int merge(struct profile *profiles, uint32_t count, struct err *e)
{
    struct profile *in[CHUNK + 1], merged;
    if (count < 2)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        in[i] = &profiles[i];
    int rc = profile_merge(&merged, in, count, e);
    for (uint32_t i = rc ? 1 : 0; i < count; i++)
        profile_free(&profiles[i]);
    if (!rc)
        profiles[0] = merged;
    return rc;
}

struct group {
    char **files;
    int count;
    const char *kind; /* "source" or "base" */
    int read_count;   /* of those that could be read */
};

/* Reads and merges files; those that cannot be read are told of and left out. */
static int read_all(struct profile *out, const struct source *s, struct group *g, struct err *e)
{
    struct profile *chunk = calloc(CHUNK + 1, sizeof *chunk);
    uint32_t held = 0;
    int rc = chunk ? 0 : err_set(e, -ENOMEM, "out of memory reading profiles");
    for (int i = 0; i < g->count && !rc; i++) {
        struct err one = {0};
        if (read_one(&chunk[held], s, g->files[i], &one)) {
            ui_error(one.msg);
        } else {
            held++;
            g->read_count++;
        }
        /* The first of a chunk is what earlier ones were merged into. */
        bool full = (i + 1) % CHUNK == 0 || i + 1 == g->count;
        if (full && held) {
            rc = merge(chunk, held, e);
            held = 1;
        }
    }
    if (!rc && held)
        *out = chunk[0];
    free(chunk);
    return rc;
}

static int read_group(struct profile *p, const struct source *s, struct group *g, struct err *e)
{
    if (read_all(p, s, g, e))
        return err_prefix(e, "problem fetching %s profiles", g->kind);
    if (!g->read_count)
        return err_set(e, -ENOENT, "failed to fetch any %s profiles", g->kind);
    if (g->read_count != g->count)
        ui_errorf("Fetched %d %s profiles out of %d", g->read_count, g->kind, g->count);
    if (!p->sample_type_count) {
        profile_free(p);
        return err_set(e, -EINVAL,
                       "problem fetching %s profiles: profiles have empty common sample type list",
                       g->kind);
    }
    return 0;
}

static int subtract_base(struct profile *p, const struct source *s, struct profile *base,
                         struct err *e)
{
    if (s->diff_base)
        refine_set_label(base, "pprof::base", "true");
    int rc = s->normalize ? refine_normalize(p, base, e) : 0;
    double *ratios = arena_array(&base->arena, base->sample_type_count, sizeof *ratios);
    for (uint32_t i = 0; i < base->sample_type_count; i++)
        ratios[i] = -1;
    refine_scale(base, ratios);
    struct profile *both[] = {p, base}, merged;
    if (!rc)
        rc = profile_merge(&merged, both, 2, e);
    profile_free(base);
    if (rc)
        return rc;
    profile_free(p);
    *p = merged;
    return 0;
}

static void add_comment(struct profile *p, const char *text)
{
    uint32_t *comments = arena_array(&p->arena, p->comment_count + 1, sizeof *comments);
    if (p->comment_count)
        memcpy(comments, p->comments, p->comment_count * sizeof *comments);
    comments[p->comment_count++] = profile_intern_cstr(p, text);
    p->comments = comments;
}

static int prepare(struct profile *p, const struct source *s, struct err *e)
{
    if (s->all_frames)
        p->drop_frames = p->keep_frames = 0;
    int rc = symbolize(p, s->symbolize, e);
    if (rc)
        return rc;
    refine_drop_frames(p);
    if (*s->comment)
        add_comment(p, s->comment);
    return 0;
}

int sources_read(struct profile *p, const struct source *s, struct err *e)
{
    char *base_file = (char *)s->base;
    struct group files = {s->files, s->file_count, "source", 0};
    struct group bases = {&base_file, 1, "base", 0};
    int rc = read_group(p, s, &files, e);
    if (rc)
        return rc;
    if (*s->base) {
        struct profile base;
        rc = read_group(&base, s, &bases, e);
        if (!rc)
            rc = subtract_base(p, s, &base, e);
    }
    if (!rc)
        rc = prepare(p, s, e);
    if (rc)
        profile_free(p);
    return rc;
}
