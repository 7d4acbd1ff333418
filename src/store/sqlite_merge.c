/* SPDX-License-Identifier: MIT
 *
 * Merging a range. Integers are added first, whole blocks at a time; what they mean is looked up
 * once at the end. Profiles whose sample types or period type differ are added apart and then
 * merged by profile_merge, which knows what agrees. Levels are added up series by series, so that
 * each can be divided by its own number of profiles. */
#include "store/sqlite_internal.h"
#include "base/sort.h"
#include "store/sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct heard { /* what a profile, or a block, says beside its samples */
    int64_t time_ns;
    uint32_t order, header;
    struct block_text comments;
};

struct group { /* of one schema */
    struct group *next;
    uint32_t schema;
    struct sums all, own; /* own: of the series at hand, where a type is a level */
    uint64_t own_profiles;
    bool has_levels, levels[LIMIT_PROFILE_SAMPLE_TYPES];
    struct heard *heard;
    uint32_t heard_count, heard_cap;
    int64_t first_ns, duration_ns;
};

struct merging {
    struct reader *reader;
    const struct series *series;
    const struct store_merge_options *o;
    struct arena a;
    struct group *groups;
    struct store_merge_info *info;
    uint64_t profiles_before;
};

/* ---- collecting ---- */

/* Which types are levels is the series' to say. */
static void mark_levels(struct merging *m, struct group *g, const struct schema *s)
{
    g->has_levels = false;
    for (uint32_t t = 0; t < s->types; t++) {
        const char *name = symbol_get_text(&m->reader->symbols, s->type[t], &m->a);
        uint32_t i = sqlite_type_of(m->series, name);
        g->levels[t] =
            !m->o->add_levels && i != PROFILE_NONE && m->series->types[i].mode == STORE_LEVEL;
        g->has_levels = g->has_levels || g->levels[t];
    }
}

static struct group *group_of(struct merging *m, const struct scan_part *part)
{
    struct group *g = m->groups;
    struct schema s;
    while (g && g->schema != part->schema)
        g = g->next;
    if (g && g->own_profiles)
        return g;
    if (symbol_get_schema(&m->reader->symbols, part->schema, &s) != 0 ||
        s.types != part->samples.types)
        return NULL;
    if (!g) {
        g = arena_zalloc(&m->a, sizeof *g);
        g->schema = part->schema;
        g->first_ns = INT64_MAX;
        sums_init(&g->all, s.types);
        sums_init(&g->own, s.types);
        g->next = m->groups;
        m->groups = g;
    }
    mark_levels(m, g, &s);
    return g;
}

static void hear(struct merging *m, struct group *g, struct heard h)
{
    struct heard *last = g->heard_count ? &g->heard[g->heard_count - 1] : NULL;
    if (last && last->header == h.header && last->comments.len == h.comments.len &&
        last->time_ns <= h.time_ns &&
        (h.comments.len == 0 || memcmp(last->comments.ptr, h.comments.ptr, h.comments.len) == 0))
        return;
    if (g->heard_count == g->heard_cap) {
        uint32_t cap = g->heard_cap ? g->heard_cap * 2 : 64;
        g->heard =
            arena_grow(&m->a, g->heard, g->heard_cap * sizeof *g->heard, cap * sizeof *g->heard);
        g->heard_cap = cap;
    }
    h.comments.ptr = arena_strndup(&m->a, h.comments.len ? h.comments.ptr : "", h.comments.len);
    h.order = g->heard_count;
    g->heard[g->heard_count++] = h;
}

static void hear_block(struct merging *m, struct group *g, const struct block_summary *b)
{
    uint32_t n = b->header_count > b->comment_count ? b->header_count : b->comment_count;
    for (uint32_t i = 0; i < n; i++)
        hear(m, g,
             (struct heard){
                 .time_ns = b->first_ns,
                 .header = b->header_count ? b->headers[i < b->header_count ? i : 0] : 0,
                 .comments = b->comment_count ? b->comments[i < b->comment_count ? i : 0]
                                              : (struct block_text){"", 0},
             });
}

static bool merge_part(void *arg, const struct scan_part *part)
{
    struct merging *m = arg;
    struct store_merge_info *info = m->info;
    struct group *g = group_of(m, part);
    const struct block_profile *p = part->profile;
    if (!g) {
        info->damaged++;
        return true;
    }
    int64_t first = p ? p->time_ns : part->summary.first_ns;
    int64_t last = p ? p->time_ns : part->summary.last_ns;
    int64_t lost = p ? p->lost_samples : part->summary.lost_samples;
    int64_t duration = p ? p->duration_ns : part->summary.duration_ns;
    uint64_t profiles = p ? 1 : part->summary.profile_count;
    g->own_profiles += profiles;
    g->first_ns = first < g->first_ns ? first : g->first_ns;
    g->duration_ns = (int64_t)((uint64_t)g->duration_ns + (uint64_t)duration);
    info->first_ns = info->profiles == 0 || first < info->first_ns ? first : info->first_ns;
    info->last_ns = info->profiles == 0 || last > info->last_ns ? last : info->last_ns;
    info->profiles += profiles;
    info->lost_samples += lost > 0 ? lost : 0;
    info->rounded = info->rounded || part->rounded;
    if (p)
        hear(m, g, (struct heard){p->time_ns, 0, p->header, p->comments});
    else
        hear_block(m, g, &part->summary);
    sums_add(g->has_levels ? &g->own : &g->all, &part->samples);
    return true;
}

/* The series is done: its levels become averages and join the others'. */
static void end_series(struct merging *m)
{
    for (struct group *g = m->groups; g; g = g->next) {
        if (g->has_levels && g->own_profiles) {
            struct block_samples own;
            sums_average(&g->own, g->levels, g->own_profiles);
            own = sums_samples(&g->own);
            sums_add(&g->all, &own);
            sums_free(&g->own);
            sums_init(&g->own, g->all.types);
        }
        g->own_profiles = 0;
    }
    m->info->series += m->info->profiles > m->profiles_before;
    m->profiles_before = m->info->profiles;
}

/* ---- from groups to profiles ---- */

static int by_time(const void *a, const void *b)
{
    const struct heard *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static bool known(const struct map *seen, const struct heard *list, uint64_t hash,
                  const struct heard *h)
{
    struct map_probe at = map_find(seen, hash);
    uint32_t i;
    while ((i = map_next(seen, &at)) != MAP_NONE)
        if (list[i].header == h->header && list[i].comments.len == h->comments.len &&
            memcmp(list[i].comments.ptr, h->comments.ptr, h->comments.len) == 0)
            return true;
    return false;
}

static int make_one(struct merging *m, struct group *g, struct profile *out)
{
    struct map seen;
    uint32_t *headers = arena_array(&m->a, g->heard_count, sizeof *headers);
    struct block_text *comments = arena_array(&m->a, g->heard_count, sizeof *comments);
    struct summed in = {.schema = g->schema,
                        .samples = sums_samples(&g->all),
                        .headers = headers,
                        .comments = comments,
                        .time_ns = g->first_ns,
                        .duration_ns = g->duration_ns};
    bool again;
    if (g->heard_count)
        sort_list(g->heard, g->heard_count, sizeof *g->heard, by_time);
    map_init(&seen, &m->a, g->heard_count);
    for (uint32_t i = 0; i < g->heard_count; i++) {
        const struct heard *h = &g->heard[i];
        uint64_t hash = hash_mix(hash_bytes(h->comments.ptr, h->comments.len), h->header);
        if (known(&seen, g->heard, hash, h))
            continue;
        map_put(&seen, hash, i);
        if (in.header_count == 0 || headers[in.header_count - 1] != h->header)
            headers[in.header_count++] = h->header;
        comments[in.comment_count++] = h->comments;
    }
    profile_init(out);
    if (sqlite_make_profile(out, &m->reader->symbols, &in, &m->info->damaged, &again) != 0) {
        m->info->damaged++;
        profile_free(out);
        return -ENOENT;
    }
    if (!again)
        return 0;
    /* pprof sees equals where content differs: its own merge, with a source that adds nothing. */
    struct profile merged, nothing = *out;
    nothing.sample_count = nothing.duration_nanos = 0;
    int rc = profile_merge(&merged, (struct profile *[]){out, &nothing}, 2, NULL);
    if (rc == 0) {
        profile_free(out);
        *out = merged;
    }
    return 0;
}

static int make_all(struct merging *m, struct profile *out, struct err *e)
{
    uint32_t count = 0, made = 0;
    int rc = 0;
    for (struct group *g = m->groups; g; g = g->next)
        count++;
    struct group **order = arena_array(&m->a, count, sizeof *order);
    struct profile *list = arena_array(&m->a, count, sizeof *list);
    struct profile **in = arena_array(&m->a, count, sizeof *in);
    for (struct group *g = m->groups; g; g = g->next) { /* few: by time, by insertion */
        uint32_t k = made++;
        for (; k > 0 && order[k - 1]->first_ns > g->first_ns; k--)
            order[k] = order[k - 1];
        order[k] = g;
    }
    made = 0;
    for (uint32_t i = 0; i < count; i++)
        if (make_one(m, order[i], &list[made]) == 0) {
            in[made] = &list[made];
            made++;
        }
    if (made == 1)
        *out = list[0];
    else if (made > 1)
        rc = profile_merge(out, in, made, e);
    for (uint32_t i = 0; made > 1 && i < made; i++)
        profile_free(&list[i]);
    m->info->duration_ns = out->duration_nanos;
    return rc;
}

/* ---- what is asked for ---- */

static int scan_series(struct sqlite_store *s, struct merging *m, const struct series *one,
                       struct scan *sc)
{
    m->series = one;
    sc->store = s;
    sc->reader = m->reader;
    sc->series = one;
    sc->want_samples = true;
    sc->each = merge_part;
    sc->arg = m;
    int rc = sqlite_scan(sc);
    m->info->damaged += sc->damaged;
    return rc;
}

static int scan_query(struct sqlite_store *s, struct merging *m, const struct store_query *q,
                      struct err *e)
{
    struct series_set set;
    int rc = sqlite_match(s, q, &m->a, &set, e);
    for (uint32_t i = 0; rc == 0 && i < set.count; i++) {
        struct scan sc = {.from_ns = q->from_ns, .until_ns = q->until_ns};
        rc = scan_series(s, m, set.list[i], &sc);
        if (rc != SQLITE_OK)
            rc = sqlite_error(s, m->reader->db, rc, "merging", e);
        end_series(m);
    }
    return rc;
}

static int by_id(const void *a, const void *b)
{
    const struct store_profile_id *x = a, *y = b;
    if (x->series != y->series)
        return x->series < y->series ? -1 : 1;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->content > y->content) - (x->content < y->content);
}

/* Ids of one series together, so that its levels are averaged over them. */
static int scan_ids(struct sqlite_store *s, struct merging *m, struct err *e)
{
    uint32_t n = m->o->id_count;
    struct store_profile_id *ids = arena_array(&m->a, n, sizeof *ids);
    memcpy(ids, m->o->ids, n * sizeof *ids);
    sort_list(ids, n, sizeof *ids, by_id);
    for (uint32_t i = 0; i < n; i++) {
        struct scan sc = {
            .from_ns = ids[i].time_ns, .until_ns = ids[i].time_ns + 1, .only = &ids[i]};
        struct series *one = sqlite_series_of(s, ids[i].series);
        uint64_t before = m->info->profiles;
        char text[STORE_ID_TEXT_MAX];
        if (i > 0 && by_id(&ids[i], &ids[i - 1]) == 0)
            continue;
        if (i > 0 && ids[i].series != ids[i - 1].series)
            end_series(m);
        int rc = one ? scan_series(s, m, one, &sc) : SQLITE_OK;
        if (rc != SQLITE_OK)
            return sqlite_error(s, m->reader->db, rc, "merging", e);
        store_id_format(ids[i], text);
        if (m->info->profiles == before)
            return err_set(e, -ENOENT,
                           "there is no profile %s; it was deleted, or only the sum of its ten "
                           "minutes was kept",
                           text);
    }
    end_series(m);
    return 0;
}

int sqlite_merge(struct store *base, const struct store_query *q,
                 const struct store_merge_options *o, struct profile *out,
                 struct store_merge_info *info, struct err *e)
{
    struct sqlite_store *s = sqlite_of(base);
    struct err why = {0};
    struct merging m = {.o = o, .info = info, .reader = sqlite_take_reader(s, &why)};
    if (!m.reader)
        return e ? (*e = why, why.code) : why.code;
    int rc = o->id_count ? scan_ids(s, &m, e) : scan_query(s, &m, q, e);
    if (rc == 0)
        rc = make_all(&m, out, e);
    for (struct group *g = m.groups; g; g = g->next) {
        sums_free(&g->all);
        sums_free(&g->own);
    }
    arena_free(&m.a);
    sqlite_put_reader(s, m.reader);
    return rc;
}
