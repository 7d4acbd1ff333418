/* SPDX-License-Identifier: MIT
 *
 * The sum of profiles, by google/pprof's rules (profile/merge.go): what is one mapping, function,
 * location or sample is decided by content, the first one met gives it its place and its id. Every
 * key is a few integers because strings of the result are unique, and a sample is looked up where
 * it was written: appended to the result's arrays, and taken back if it is there already. So
 * merging allocates per source and per doubling of the result, never per sample. */
#include "profile/merge_internal.h"

#include <errno.h>
#include <stdlib.h>

/* An array of the result that grows: in an arena of its own, so that what it outgrew is freed. */
struct column {
    struct arena arena;
    void *data;
    uint64_t cap;
    size_t size; /* of an element */
};

struct merger {
    struct profile *out;
    struct err *e;
    struct arena scratch; /* the tables below */
    struct map mappings, functions, locations, samples;
    struct column col_mappings, col_functions, col_locations, col_lines, col_refs, col_values,
        col_labels, col_loc_end, col_label_end;

    /* Of the source that is being added; indexes of the result by index of the source. */
    const struct merge_view *view;
    struct arena source_scratch;
    uint32_t *to_string, *to_mapping, *to_function, *to_location;
    struct profile_label *sorted;
    uint64_t sorted_cap;

    struct map comments; /* of the result */
    uint32_t comment_room;

    /* What the source is likely to have next: what follows in the result on what it had last.
     * Profiles of one program are written in the same order, and to look there first costs little.
     */
    uint32_t next_string, next_function, next_location, next_sample;
};

/* ---- columns ---- */

/* Makes room for `need` elements of which `used` are written; returns the data. */
static void *column_room(struct column *c, uint64_t used, uint64_t need)
{
    if (need <= c->cap)
        return c->data;
    uint64_t cap = c->cap ? c->cap : 64;
    while (cap < need)
        cap *= 2;
    struct arena fresh;
    arena_init(&fresh);
    void *data = arena_array(&fresh, cap, c->size);
    if (used)
        memcpy(data, c->data, used * c->size);
    arena_free(&c->arena);
    c->arena = fresh;
    c->data = data;
    c->cap = cap;
    return data;
}

static void columns_each(struct merger *m, void (*f)(struct merger *, struct column *))
{
    struct column *const all[] = {&m->col_mappings, &m->col_functions, &m->col_locations,
                                  &m->col_lines,    &m->col_refs,      &m->col_values,
                                  &m->col_labels,   &m->col_loc_end,   &m->col_label_end};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        f(m, all[i]);
}

/* No array of a result is NULL, so that none has to be asked for before an index is added to it. */
static void start_column(struct merger *m, struct column *c)
{
    (void)m;
    column_room(c, 0, 1);
}

static void adopt_column(struct merger *m, struct column *c)
{
    arena_adopt(&m->out->arena, &c->arena);
}

static void free_column(struct merger *m, struct column *c)
{
    (void)m;
    arena_free(&c->arena);
}

/* ---- strings, mappings, functions ---- */

static uint32_t map_string(struct merger *m, uint32_t s)
{
    if (s == 0)
        return 0;
    if (m->to_string[s] == PROFILE_NONE) {
        struct profile_str text = m->view->src->strings[s];
        uint32_t next = m->next_string;
        if (text.len == 0 || next >= m->out->string_count ||
            !profile_str_equal(m->out->strings[next], text))
            next = merge_string(m->out, text);
        m->to_string[s] = next;
        m->next_string = next + 1;
    }
    return m->to_string[s];
}

/* What makes mappings the same: the size in pages of 4 KiB, since a loader may round it, the
 * offset, and the build id or else the file. One with neither is made up, and all of those are one.
 */
struct mapping_key {
    uint64_t size, offset;
    uint32_t name;
};

static struct mapping_key mapping_key(const struct profile_mapping *m)
{
    uint64_t size = m->limit - m->start + 0xfff;
    return (struct mapping_key){size - size % 0x1000, m->offset,
                                m->build_id ? m->build_id : m->file};
}

static uint32_t map_mapping(struct merger *m, uint32_t i)
{
    struct profile *out = m->out;
    if (i == PROFILE_NONE)
        return PROFILE_NONE;
    if (m->to_mapping[i] != PROFILE_NONE)
        return m->to_mapping[i];
    struct profile_mapping copy = m->view->src->mappings[i];
    copy.file = map_string(m, copy.file);
    copy.build_id = map_string(m, copy.build_id);
    copy.id = (uint64_t)out->mapping_count + 1;
    struct mapping_key key = mapping_key(&copy);
    uint64_t hash = hash_mix(hash_mix(hash_mix(0, key.size), key.offset), key.name);
    struct map_probe at = map_find(&m->mappings, hash);
    uint32_t k;
    while ((k = map_next(&m->mappings, &at)) != MAP_NONE) {
        struct mapping_key other = mapping_key(&out->mappings[k]);
        if (other.size == key.size && other.offset == key.offset && other.name == key.name)
            return m->to_mapping[i] = k;
    }
    out->mappings =
        column_room(&m->col_mappings, out->mapping_count, (uint64_t)out->mapping_count + 1);
    out->mappings[out->mapping_count] = copy;
    map_put(&m->mappings, hash, out->mapping_count);
    return m->to_mapping[i] = out->mapping_count++;
}

static bool functions_equal(const struct profile_function *a, const struct profile_function *b)
{
    return a->name == b->name && a->system_name == b->system_name && a->file == b->file &&
           a->start_line == b->start_line;
}

static uint32_t map_function(struct merger *m, uint32_t i)
{
    struct profile *out = m->out;
    if (i == PROFILE_NONE)
        return PROFILE_NONE;
    if (m->to_function[i] != PROFILE_NONE)
        return m->to_function[i];
    struct profile_function f = m->view->src->functions[i];
    f.name = map_string(m, f.name);
    f.system_name = map_string(m, f.system_name);
    f.file = map_string(m, f.file);
    f.id = (uint64_t)out->function_count + 1;
    uint32_t k = m->next_function++;
    if (k < out->function_count && functions_equal(&out->functions[k], &f))
        return m->to_function[i] = k;
    uint64_t hash = hash_mix(hash_mix(0, (uint64_t)f.name << 32 | f.system_name), f.file);
    hash = hash_mix(hash, (uint64_t)f.start_line);
    struct map_probe at = map_find(&m->functions, hash);
    while ((k = map_next(&m->functions, &at)) != MAP_NONE &&
           !functions_equal(&out->functions[k], &f))
        continue;
    m->next_function = (k == MAP_NONE ? out->function_count : k) + 1;
    if (k != MAP_NONE)
        return m->to_function[i] = k;
    out->functions =
        column_room(&m->col_functions, out->function_count, (uint64_t)out->function_count + 1);
    out->functions[out->function_count] = f;
    map_put(&m->functions, hash, out->function_count);
    return m->to_function[i] = out->function_count++;
}

/* ---- locations ---- */

/* The key of lines as pprof b9395ee makes it: it writes three fields a line two places apart, so
 * the column of every line but the last is overwritten and is no part of the key. */
static bool lines_equal(const struct profile_line *a, const struct profile_line *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (a[i].function != b[i].function || a[i].line != b[i].line)
            return false;
    return n == 0 || a[n - 1].column == b[n - 1].column;
}

static uint64_t lines_hash(uint64_t h, const struct profile_line *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        h = hash_mix(hash_mix(h, l[i].function), (uint64_t)l[i].line);
    return n ? hash_mix(h, (uint64_t)l[n - 1].column) : h;
}

/* The address within its mapping, so that a mapping that was loaded elsewhere is the same. */
static uint64_t relative(const struct profile *out, const struct profile_location *l)
{
    return l->address - (l->mapping == PROFILE_NONE ? 0 : out->mappings[l->mapping].start);
}

static struct profile_location translate_location(struct merger *m, uint32_t i)
{
    const struct profile *src = m->view->src;
    struct profile *out = m->out;
    struct profile_location l = src->locations[i];
    const struct profile_line *lines = l.line_count ? src->lines + l.line_first : NULL;
    uint32_t from = l.mapping;
    l.mapping = map_mapping(m, from);
    if (from != PROFILE_NONE)
        l.address += out->mappings[l.mapping].start - src->mappings[from].start;
    l.id = (uint64_t)out->location_count + 1;
    l.line_first = out->line_count;
    out->lines =
        column_room(&m->col_lines, out->line_count, (uint64_t)out->line_count + l.line_count);
    for (uint32_t k = 0; k < l.line_count; k++) {
        uint32_t function = map_function(m, lines[k].function);
        out->lines[l.line_first + k] = lines[k];
        out->lines[l.line_first + k].function = function;
    }
    return l;
}

/* Whether location k of the result is `l`, whose lines lie in the result as well. */
static bool is_location(const struct profile *out, uint32_t k, const struct profile_location *l)
{
    const struct profile_location *o = &out->locations[k];
    return relative(out, o) == relative(out, l) && o->mapping == l->mapping &&
           o->is_folded == l->is_folded && o->line_count == l->line_count &&
           lines_equal(out->lines + o->line_first, out->lines + l->line_first, l->line_count);
}

static uint32_t map_new_location(struct merger *m, uint32_t i)
{
    struct profile *out = m->out;
    struct profile_location l = translate_location(m, i);
    uint32_t k = m->next_location++;
    if (k < out->location_count && is_location(out, k, &l))
        return m->to_location[i] = k;
    uint64_t hash = hash_mix(hash_mix(l.is_folded, relative(out, &l)), l.mapping);
    hash = lines_hash(hash, out->lines + l.line_first, l.line_count);
    struct map_probe at = map_find(&m->locations, hash);
    while ((k = map_next(&m->locations, &at)) != MAP_NONE && !is_location(out, k, &l))
        continue;
    m->next_location = (k == MAP_NONE ? out->location_count : k) + 1;
    if (k != MAP_NONE)
        return m->to_location[i] = k;
    out->locations =
        column_room(&m->col_locations, out->location_count, (uint64_t)out->location_count + 1);
    out->locations[out->location_count] = l;
    out->line_count += l.line_count;
    map_put(&m->locations, hash, out->location_count);
    return m->to_location[i] = out->location_count++;
}

/* ---- samples ---- */

static uint64_t append_stack(struct merger *m, uint32_t i)
{
    const struct profile *src = m->view->src;
    struct profile *out = m->out;
    uint64_t n = src->sample_loc_end[i] - profile_loc_first(src, i), used = out->loc_ref_count;
    const uint32_t *from = n ? src->loc_refs + profile_loc_first(src, i) : NULL;
    out->loc_refs = column_room(&m->col_refs, used, used + n);
    uint32_t *to = out->loc_refs + used;
    for (uint64_t k = 0; k < n; k++) {
        uint32_t location = m->to_location[from[k]];
        to[k] = location != PROFILE_NONE ? location : map_new_location(m, from[k]);
    }
    return n;
}

/* The sample's labels in pprof's order; makers other than decode and merge may not keep it. */
static const struct profile_label *source_labels(struct merger *m, uint32_t i, uint64_t n)
{
    const struct profile *src = m->view->src;
    const struct profile_label *from = src->labels + profile_label_first(src, i);
    if (n < 2 || profile_labels_sorted(src, from, n))
        return from;
    if (n > m->sorted_cap) {
        m->sorted_cap = 2 * n;
        m->sorted = arena_array(&m->source_scratch, m->sorted_cap, sizeof *m->sorted);
    }
    memcpy(m->sorted, from, n * sizeof *from);
    profile_sort_labels(src, m->sorted, n, &m->source_scratch);
    return m->sorted;
}

static uint64_t append_labels(struct merger *m, uint32_t i)
{
    const struct profile *src = m->view->src;
    struct profile *out = m->out;
    uint64_t n = src->sample_label_end[i] - profile_label_first(src, i), used = out->label_count;
    if (n == 0)
        return 0;
    const struct profile_label *from = source_labels(m, i, n);
    out->labels = column_room(&m->col_labels, used, used + n);
    for (uint64_t k = 0; k < n; k++) {
        struct profile_label l = {.key = map_string(m, from[k].key)};
        if (from[k].str != 0) {
            l.str = map_string(m, from[k].str);
            l.str = l.str ? l.str : profile_empty_twin(out);
        } else {
            l.num = from[k].num;
            l.num_unit = map_string(m, from[k].num_unit);
        }
        out->labels[used + k] = l;
    }
    return n;
}

static uint64_t sample_hash(const struct profile *out, uint64_t refs, uint64_t labels)
{
    uint64_t h = hash_bytes(out->loc_refs + out->loc_ref_count, refs * sizeof *out->loc_refs);
    for (uint64_t k = 0; k < labels; k++) {
        const struct profile_label *l = &out->labels[out->label_count + k];
        h = hash_mix(hash_mix(h, (uint64_t)l->key << 32 | l->str),
                     (uint64_t)l->num * 31 + l->num_unit);
    }
    return h;
}

static bool labels_equal(const struct profile_label *a, const struct profile_label *b, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (a[i].key != b[i].key || a[i].str != b[i].str || a[i].num != b[i].num ||
            a[i].num_unit != b[i].num_unit)
            return false;
    return true;
}

/* Whether sample i equals the one just appended behind the last. */
static bool is_sample(const struct profile *out, uint32_t i, uint64_t refs, uint64_t labels)
{
    uint64_t first = profile_loc_first(out, i), label_first = profile_label_first(out, i);
    return out->sample_loc_end[i] - first == refs &&
           out->sample_label_end[i] - label_first == labels &&
           memcmp(out->loc_refs + first, out->loc_refs + out->loc_ref_count,
                  refs * sizeof *out->loc_refs) == 0 &&
           labels_equal(out->labels + label_first, out->labels + out->label_count, labels);
}

static int keep_sample(struct merger *m, uint64_t hash, uint64_t refs, uint64_t labels,
                       const int64_t *values)
{
    struct profile *out = m->out;
    uint64_t n = out->sample_count, types = out->sample_type_count;
    if (n >= LIMIT_PROFILE_TABLE)
        return err_set(m->e, -EFBIG, "the merged profile has more than %u samples",
                       LIMIT_PROFILE_TABLE);
    out->values = column_room(&m->col_values, n * types, (n + 1) * types);
    out->sample_loc_end = column_room(&m->col_loc_end, n, n + 1);
    out->sample_label_end = column_room(&m->col_label_end, n, n + 1);
    out->sample_loc_end[n] = out->loc_ref_count += refs;
    out->sample_label_end[n] = out->label_count += labels;
    memcpy(out->values + n * types, values, types * sizeof *values);
    map_put(&m->samples, hash, out->sample_count++);
    return 0;
}

static bool all_zero(const int64_t *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (values[i] != 0)
            return false;
    return true;
}

/* Whether sample i of the source is the expected one of the result, as far as that is known without
 * writing it there: it has no labels, and its locations were met before. */
static bool is_expected(const struct merger *m, uint32_t i, uint32_t expected)
{
    const struct profile *src = m->view->src, *out = m->out;
    if (expected >= out->sample_count || src->sample_label_end[i] != profile_label_first(src, i) ||
        out->sample_label_end[expected] != profile_label_first(out, expected))
        return false;
    uint64_t first = profile_loc_first(src, i), n = src->sample_loc_end[i] - first;
    uint64_t out_first = profile_loc_first(out, expected);
    if (n != out->sample_loc_end[expected] - out_first)
        return false;
    uint64_t k = 0;
    while (k < n && m->to_location[src->loc_refs[first + k]] == out->loc_refs[out_first + k])
        k++;
    return k == n;
}

static void add_values(struct profile *out, uint32_t sample, const int64_t *values)
{
    uint32_t types = out->sample_type_count;
    int64_t *sum = out->values + (uint64_t)sample * types;
    for (uint32_t t = 0; t < types; t++)
        sum[t] = (int64_t)((uint64_t)sum[t] + (uint64_t)values[t]); /* wraps, as Go's does */
}

static int add_sample(struct merger *m, uint32_t i)
{
    struct profile *out = m->out;
    int64_t values[LIMIT_PROFILE_SAMPLE_TYPES];
    if (!merge_values(m->view, i, values) || all_zero(values, out->sample_type_count))
        return 0;
    uint32_t same = m->next_sample++;
    if (is_expected(m, i, same)) {
        add_values(out, same, values);
        return 0;
    }
    uint64_t refs = append_stack(m, i), labels = append_labels(m, i);
    if (same >= out->sample_count || !is_sample(out, same, refs, labels)) {
        uint64_t hash = sample_hash(out, refs, labels);
        struct map_probe at = map_find(&m->samples, hash);
        while ((same = map_next(&m->samples, &at)) != MAP_NONE &&
               !is_sample(out, same, refs, labels))
            continue;
        m->next_sample = (same == MAP_NONE ? out->sample_count : same) + 1;
        if (same == MAP_NONE)
            return keep_sample(m, hash, refs, labels, values);
    }
    add_values(out, same, values);
    return 0;
}

/* ---- sources ---- */

static uint32_t *nothing_yet(struct merger *m, uint32_t n)
{
    uint32_t *table = arena_array(&m->source_scratch, n, sizeof *table);
    return memset(table, 0xff, n * sizeof *table); /* every one PROFILE_NONE */
}

static int add_source(struct merger *m, const struct merge_view *view)
{
    const struct profile *src = view->src;
    int rc = 0;
    m->view = view;
    m->next_string = m->next_function = m->next_location = m->next_sample = 0;
    merge_header_add(m->out, view, &m->comments, &m->comment_room);
    arena_init(&m->source_scratch);
    m->sorted_cap = 0;
    m->to_string = nothing_yet(m, src->string_count);
    m->to_mapping = nothing_yet(m, src->mapping_count);
    m->to_function = nothing_yet(m, src->function_count);
    m->to_location = nothing_yet(m, src->location_count);
    if (m->out->mapping_count == 0 && src->mapping_count > 0)
        map_mapping(m, 0); /* the first mapping stands for the main program: it stays first */
    for (uint32_t i = 0; rc == 0 && i < src->sample_count; i++)
        rc = add_sample(m, i);
    arena_free(&m->source_scratch);
    return rc;
}

static void start_merger(struct merger *m, struct profile *out, const struct profile *first,
                         struct err *e)
{
    *m = (struct merger){
        .out = out,
        .e = e,
        .col_mappings.size = sizeof *out->mappings,
        .col_functions.size = sizeof *out->functions,
        .col_locations.size = sizeof *out->locations,
        .col_lines.size = sizeof *out->lines,
        .col_refs.size = sizeof *out->loc_refs,
        .col_values.size = sizeof *out->values,
        .col_labels.size = sizeof *out->labels,
        .col_loc_end.size = sizeof *out->sample_loc_end,
        .col_label_end.size = sizeof *out->sample_label_end,
    };
    columns_each(m, start_column);
    out->mappings = m->col_mappings.data;
    out->functions = m->col_functions.data;
    out->locations = m->col_locations.data;
    out->lines = m->col_lines.data;
    out->loc_refs = m->col_refs.data;
    out->values = m->col_values.data;
    out->labels = m->col_labels.data;
    out->sample_loc_end = m->col_loc_end.data;
    out->sample_label_end = m->col_label_end.data;
    arena_init(&m->scratch);
    map_init(&m->mappings, &m->scratch, 0);
    map_init(&m->functions, &m->scratch, first->function_count);
    map_init(&m->locations, &m->scratch, first->location_count);
    map_init(&m->samples, &m->scratch, first->sample_count);
    map_init(&m->comments, &m->scratch, 0);
}

/* `out` gets the sum, or nothing after an error. */
static void end_merger(struct merger *m, int rc)
{
    columns_each(m, rc == 0 ? adopt_column : free_column);
    arena_free(&m->scratch);
    if (rc != 0)
        profile_free(m->out);
}

/* pprof's Merge of profiles that agree. */
static int merge_views(struct profile *out, const struct merge_view *views, uint32_t count,
                       struct err *e)
{
    struct merger m;
    profile_init(out);
    int rc = merge_header_start(out, views, count, e);
    if (rc != 0) {
        profile_free(out);
        return rc;
    }
    start_merger(&m, out, views[0].src, e);
    for (uint32_t k = 0; rc == 0 && k < count; k++)
        rc = add_source(&m, &views[k]);
    end_merger(&m, rc);
    return rc;
}

/* Values of different sources may cancel out. pprof then merges its result once more, which drops
 * such samples and whatever only they used. */
static int drop_cancelled(struct profile *out, struct arena *scratch, struct err *e)
{
    uint32_t types = out->sample_type_count, i = 0;
    while (i < out->sample_count && !all_zero(out->values + (uint64_t)i * types, types))
        i++;
    if (i == out->sample_count)
        return 0;
    struct profile before = *out;
    struct merge_view view = {0};
    merge_plain_view(&view, &before, scratch);
    int rc = merge_views(out, &view, 1, e);
    profile_free(&before);
    return rc;
}

int profile_merge(struct profile *out, struct profile *const *in, uint32_t count, struct err *e)
{
    struct arena scratch;
    profile_init(out);
    if (count == 0)
        return err_set(e, -EINVAL, "no profiles to merge");
    arena_init(&scratch);
    struct merge_view *views = arena_zarray(&scratch, count, sizeof *views);
    int rc = merge_make_views(views, in, count, &scratch, e);
    if (rc == 0 && count == 1) {
        merge_copy(out, &views[0]);
    } else if (rc == 0) {
        rc = merge_views(out, views, count, e);
        if (rc == 0)
            rc = drop_cancelled(out, &scratch, e);
    }
    arena_free(&scratch);
    return rc;
}

/* ---- sources that come one by one ---- */

struct profile_sum {
    struct merger merger;
};

/* Adds what is known to be alike. */
static int sum_one(struct profile_sum *s, const struct profile *p, struct err *e)
{
    struct arena scratch;
    struct merge_view view = {0};
    arena_init(&scratch);
    merge_alike_view(&view, p, &scratch);
    s->merger.e = e;
    int rc = add_source(&s->merger, &view);
    arena_free(&scratch);
    return rc;
}

int profile_sum_start(struct profile_sum **sum, struct profile *out, const struct profile *first,
                      struct err *e)
{
    struct arena scratch;
    struct merge_view view = {0};
    struct profile_sum *s = merge_is_alike(first, first) ? malloc(sizeof *s) : NULL;
    profile_init(out);
    *sum = s;
    if (!s)
        return -EAGAIN;
    arena_init(&scratch);
    merge_alike_view(&view, first, &scratch);
    merge_header_start(out, &view, 1, e);
    start_merger(&s->merger, out, first, e);
    arena_free(&scratch);
    int rc = sum_one(s, first, e);
    if (rc != 0)
        profile_sum_drop(sum);
    return rc;
}

int profile_sum_add(struct profile_sum *s, const struct profile *p, struct err *e)
{
    return merge_is_alike(s->merger.out, p) ? sum_one(s, p, e) : -EAGAIN;
}

int profile_sum_finish(struct profile_sum **sum, struct err *e)
{
    struct profile *out = (*sum)->merger.out;
    struct arena scratch;
    end_merger(&(*sum)->merger, 0);
    free(*sum);
    *sum = NULL;
    arena_init(&scratch);
    int rc = drop_cancelled(out, &scratch, e);
    arena_free(&scratch);
    return rc;
}

void profile_sum_drop(struct profile_sum **sum)
{
    if (*sum)
        end_merger(&(*sum)->merger, -ECANCELED);
    free(*sum);
    *sum = NULL;
}
