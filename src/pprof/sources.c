/* SPDX-License-Identifier: MIT
 *
 * From file names to the one profile that commands work on (google/pprof internal/driver/fetch.go):
 * read, merge, subtract the base, symbolize, prune. The order is pprof's, because each step sees
 * what the one before left. */
#include "pprof/fetch.h"
#include "pprof/kinds.h"
#include "pprof/perf_data.h"
#include "pprof/pprof_internal.h"
#include "pprof/read_ahead.h"
#include "pprof/symbolz.h"

#include "analyze/refine.h"
#include "base/gotext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 128 };           /* profiles in memory before they are merged */
enum { KEEP_BYTES = 256 << 20 }; /* of one file's memory, for the next */

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

static int read_one(struct profile *p, const struct source *s, struct read_ahead *ahead,
                    const char *name, struct err *e)
{
    struct stat st;
    if ((s->exact || strcmp(name, "-")) && stat(name, &st))
        return err_set(e, -errno, "%s: stat %s: %s", name, name, gotext_errno(errno));
    if (strcmp(name, "-") && perf_data_is(name))
        return perf_data_read(p, s, name, e);
    int rc = read_ahead_get(ahead, p, name, e);
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

/* The short verbs say which kinds they are, where it is that what they cannot be merged for. */
static void explain(struct profile **profiles, const char *const *names, uint32_t count,
                    const struct source *s, struct err *e)
{
    struct kinds_file files[CHUNK + 1];
    for (uint32_t i = 0; i < count; i++) /* the base last, which comes first in a comparison */
        files[*s->base ? count - 1 - i : i] = (struct kinds_file){profiles[i], names[i]};
    if (!s->exact)
        kinds_differ(files, count, *s->base ? "compared" : "added up", e);
}

/* Merges `count` profiles into one in place of the first, and frees them. */
static int merge(struct profile **profiles, const char *const *names, uint32_t count,
                 const struct source *s, struct err *e)
{
    if (count == 1)
        drop_repeated_types(profiles[0]);
    if (count < 2)
        return 0;
    struct profile *merged = new_profile();
    int rc = profile_merge(merged, profiles, count, e);
    if (rc == -EINVAL)
        explain(profiles, names, count, s, e);
    for (uint32_t i = 0; i < count; i++)
        drop_profile(&profiles[i]);
    if (rc)
        free(merged);
    else
        profiles[0] = merged;
    return rc;
}

/* A file of the chunk that is read. */
struct member {
    struct fetch fetch;
    struct read_ahead ahead;
    struct profile *p; /* begun to be read, and not handed on */
};

struct group {
    const struct source *source;
    char **files;
    int count;
    struct member *members; /* of the chunk that is read */
    int read_count;         /* of those that could be read */
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
    g->members = calloc((size_t)chunk_size(g, first) + 1, sizeof *g->members);
    if (!g->members) {
        ui_error("out of memory fetching profiles");
        exit(2);
    }
    for (int i = 0; i < chunk_size(g, first); i++)
        fetch_begin(&g->members[i].fetch, g->source, g->files[first + i]);
}

/* Begins to read a file; when its turn comes, it is there. */
static void begin_member(struct group *g, int first, int i)
{
    struct member *m = &g->members[i];
    const char *name = g->files[first + i];
    if (m->p || m->fetch.url || (!g->source->exact && !strcmp(name, "-")))
        return;
    m->p = new_profile();
    read_ahead_begin(&m->ahead, m->p, name);
}

/* One file of the chunk; NULL, after a message, if it cannot be read. */
static struct profile *read_member(struct group *g, int first, int i)
{
    struct member *m = &g->members[i];
    struct fetch *f = &m->fetch;
    const char *name = g->files[first + i];
    struct profile *p = m->p ? m->p : new_profile();
    struct err e = {0};
    int rc = f->url ? read_fetched(p, g->source, f, name, &e)
                    : read_one(p, g->source, &m->ahead, name, &e);
    read_ahead_end(&m->ahead);
    m->p = NULL;
    rc = check_format(p, rc, g->source, name, &e);
    if (rc) {
        ui_error(e.msg);
        drop_profile(&p);
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

/* ---- the sum of a chunk ---- */

/* Profiles that agree are added up as they come, so that few are in memory at a time. Where one
 * does not agree with those before it, what to make of any of them depends on all: they are kept,
 * and read once more if they are gone. */
struct pile {
    struct profile *kept[CHUNK + 1];
    uint32_t count;
    struct profile_sum *sum; /* of the first `count`; or NULL, and they are in `kept` */
    struct profile *total;   /* where it goes */
    const char *names[CHUNK + 1];
    bool keep_all;
};

static void drop_sum(struct pile *pile)
{
    profile_sum_drop(&pile->sum);
    drop_profile(&pile->total);
}

static void drop_kept(struct pile *pile)
{
    for (uint32_t i = 0; i < pile->count; i++)
        drop_profile(&pile->kept[i]);
}

/* Where there were no names, profiles are still there. */
static int read_again(struct pile *pile, const struct source *s, struct err *e)
{
    int rc = 0;
    for (uint32_t i = 0; i < pile->count && !rc; i++) {
        if (pile->kept[i])
            continue;
        pile->kept[i] = new_profile();
        rc = profile_read_file(pile->kept[i], pile->names[i], e);
        if (!rc)
            binaries_locate(pile->kept[i], s);
    }
    return rc;
}

/* The sum of the two in `kept`. -EAGAIN: they do not agree. */
static int begin_sum(struct pile *pile, struct err *e)
{
    pile->total = new_profile();
    int rc = profile_sum_start(&pile->sum, pile->total, pile->kept[0], e);
    if (!rc)
        rc = profile_sum_add(pile->sum, pile->kept[1], e);
    if (rc)
        drop_sum(pile);
    for (uint32_t i = 0; i < 2 && !rc; i++)
        if (pile->names[i])
            drop_profile(&pile->kept[i]);
    return rc;
}

/* `name` is the file that `p` can be read from again, or NULL. */
static int add_to_pile(struct pile *pile, struct profile *p, const char *name,
                       const struct source *s, struct err *e)
{
    int rc = pile->sum ? profile_sum_add(pile->sum, p, e) : 0;
    pile->names[pile->count] = name;
    pile->kept[pile->count] = p;
    if (pile->sum && rc == -EAGAIN) {
        drop_sum(pile);
        pile->keep_all = true;
        pile->count++;
        return read_again(pile, s, e);
    }
    if (pile->sum && name)
        drop_profile(&pile->kept[pile->count]);
    pile->count++;
    if (!rc && !pile->sum && !pile->keep_all && pile->count == 2) {
        rc = begin_sum(pile, e);
        pile->keep_all = rc == -EAGAIN;
        rc = pile->keep_all ? 0 : rc;
    }
    return rc;
}

/* Leaves the sum as the only one of the pile. */
static int finish_pile(struct pile *pile, const struct source *s, struct err *e)
{
    int rc = 0;
    if (!pile->sum) {
        rc = merge(pile->kept, pile->names, pile->count, s, e);
    } else {
        rc = profile_sum_finish(&pile->sum, e);
        drop_kept(pile);
        pile->kept[0] = pile->total;
        pile->total = NULL;
    }
    pile->names[0] = NULL;
    pile->count = pile->count > 0;
    return rc;
}

/* Only what stays as it is can be read twice. */
static const char *name_to_read_again(const struct group *g, int first, int i)
{
    struct stat st;
    const char *name = g->files[first + i];
    bool is_file = !g->members[i].fetch.url && strcmp(name, "-") && !stat(name, &st) &&
                   S_ISREG(st.st_mode) && !perf_data_is(name);
    return is_file ? name : NULL;
}

/* Reads and merges files; those that cannot be read are told of and left out. The first chunk was
 * begun by the caller. */
static int read_all(struct profile **out, struct group *g, struct err *e)
{
    struct pile pile = {.count = 0};
    size_t kept_before = g->count > 1 ? arena_recycle(KEEP_BYTES) : 0;
    int rc = 0;
    for (int first = 0; first < g->count && !rc; first += CHUNK) {
        int size = chunk_size(g, first);
        if (first)
            begin_chunk(g, first);
        for (int i = 0; i < size; i++) {
            for (int next = i; next <= i + READ_AHEAD_FILES && next < size && size > 1; next++)
                begin_member(g, first, next);
            struct profile *p = read_member(g, first, i);
            if (p && !rc)
                rc = add_to_pile(&pile, p, name_to_read_again(g, first, i), g->source, e);
            else
                drop_profile(&p);
        }
        free(g->members);
        /* The first of a chunk is what earlier ones were merged into. */
        if (!rc)
            rc = finish_pile(&pile, g->source, e);
    }
    if (rc) {
        drop_sum(&pile);
        drop_kept(&pile);
    }
    if (g->count > 1)
        arena_recycle(kept_before);
    if (!rc && pile.count && !pile.kept[0]->sample_type_count)
        rc = err_set(e, -EINVAL, "profiles have empty common sample type list");
    *out = pile.kept[0];
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
    if (bases.count)
        begin_member(&bases, 0, 0);
    int rc = read_all(p, &sources, e);
    int base_rc = read_all(base, &bases, &base_error);
    if (!bases.count)
        free(bases.members);
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
    const char *const names[] = {s->file_count == 1 ? s->files[0] : NULL, s->base};
    int rc = s->normalize ? refine_normalize(*p, base, e) : 0;
    if (rc)
        explain(both, names, 2, s, e);
    double *ratios = arena_array(&base->arena, base->sample_type_count, sizeof *ratios);
    for (uint32_t i = 0; i < base->sample_type_count; i++)
        ratios[i] = -1;
    refine_scale(base, ratios);
    if (!rc) {
        rc = merge(both, names, 2, s, e);
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
