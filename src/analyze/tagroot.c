/* SPDX-License-Identifier: MIT
 *
 * -tagroot and -tagleaf (google/pprof internal/driver/tagroot.go): labels become frames at the root
 * or the leaf of each stack, so that every report can group by them. A frame's function is the
 * label's values, its file the key. A sample without the label gets a frame without name. */
#include "analyze/refine.h"
#include "analyze/unit.h"

#include <stdio.h>
#include <string.h>

enum { KEYS_MAX = 64 };

struct tag_keys {
    const char *key[KEYS_MAX];
    uint32_t string[KEYS_MAX]; /* of the key, in the profile */
    size_t len[KEYS_MAX];
    int count;
};

struct frames {
    struct profile *p;
    struct arena scratch;
    struct names known;         /* "values\0key" of frames there are */
    uint32_t *location_of_name; /* by number in `known` */
    uint32_t location_cap, function_cap, line_cap, name_cap;
    uint64_t next_location_id, next_function_id;
    const char *unit;
    struct buf text;
};

static void split_keys(struct profile *p, const char *list, struct tag_keys *keys)
{
    keys->count = 0;
    while (list && *list && keys->count < KEYS_MAX) {
        size_t n = strcspn(list, ",");
        if (n) {
            keys->key[keys->count] = list;
            keys->len[keys->count] = n;
            keys->string[keys->count++] = profile_intern(p, list, n);
        }
        list += n + (list[n] == ',');
    }
}

static bool same_key(const struct profile *p, uint32_t string, const char *key, size_t len)
{
    struct profile_str s = p->strings[string];
    return s.len == len && !memcmp(s.ptr, key, len);
}

/* Writes the values of a sample's label joined by commas; returns how many there are. */
static int format_values(struct frames *f, uint32_t sample, const char *key, size_t len)
{
    const struct profile *p = f->p;
    uint64_t first = profile_label_first(p, sample), last = p->sample_label_end[sample];
    int count = 0;
    bool has_units = false;
    f->text.len = 0;
    for (uint64_t k = first; k < last; k++) {
        const struct profile_label *l = &p->labels[k];
        if (!same_key(p, l->key, key, len))
            continue;
        has_units |= !l->str && l->num_unit;
        if (!l->str)
            continue;
        if (count++)
            buf_putc(&f->text, ',');
        buf_append(&f->text, p->strings[l->str].ptr, p->strings[l->str].len);
    }
    for (uint64_t k = first; k < last; k++) {
        const struct profile_label *l = &p->labels[k];
        if (l->str || !same_key(p, l->key, key, len))
            continue;
        if (count++)
            buf_putc(&f->text, ',');
        char unit[64];
        struct profile_str s = p->strings[l->num_unit];
        snprintf(unit, sizeof unit, "%.*s", (int)s.len, s.ptr);
        unit_label(&f->text, l->num, unit, has_units ? f->unit : "");
    }
    return count;
}

static uint32_t add_location(struct frames *f, const char *name, size_t len, uint32_t key)
{
    struct profile *p = f->p;
#define GROW(array, count, cap)                                                                    \
    if (p->count == f->cap) {                                                                      \
        uint32_t grown = p->count + p->count / 2 + 64;                                             \
        p->array = arena_grow(&p->arena, p->array, p->count * sizeof *p->array,                    \
                              grown * sizeof *p->array);                                           \
        f->cap = grown;                                                                            \
    }
    GROW(functions, function_count, function_cap)
    GROW(lines, line_count, line_cap)
    GROW(locations, location_count, location_cap)
#undef GROW
    p->functions[p->function_count] = (struct profile_function){
        .id = f->next_function_id++,
        .name = profile_intern(p, name, len),
        .file = key,
    };
    p->lines[p->line_count] = (struct profile_line){.function = p->function_count++};
    p->locations[p->location_count] = (struct profile_location){
        .id = f->next_location_id++,
        .mapping = PROFILE_NONE,
        .line_first = p->line_count++,
        .line_count = 1,
    };
    return p->location_count++;
}

/* The frame for key `i` of the sample, made when it is new. */
static uint32_t frame_of(struct frames *f, uint32_t sample, const struct tag_keys *keys, int i,
                         bool *matched)
{
    *matched |= format_values(f, sample, keys->key[i], keys->len[i]) > 0;
    size_t len = f->text.len;
    buf_putc(&f->text, 0);
    buf_append(&f->text, keys->key[i], keys->len[i]);
    uint32_t number = names_find(&f->known, f->text.data, f->text.len);
    if (number != UINT32_MAX)
        return f->location_of_name[number];
    char *copy = arena_strndup(&f->scratch, f->text.data, f->text.len);
    memcpy(copy, f->text.data, f->text.len);
    number = names_intern(&f->known, copy, f->text.len);
    if (number >= f->name_cap) {
        f->location_of_name =
            arena_grow(&f->scratch, f->location_of_name, f->name_cap * sizeof(uint32_t),
                       (number + 1) * 2 * sizeof(uint32_t));
        f->name_cap = (number + 1) * 2;
    }
    return f->location_of_name[number] = add_location(f, copy, len, keys->string[i]);
}

static void begin_frames(struct frames *f, struct profile *p, const char *unit)
{
    *f = (struct frames){.p = p, .unit = unit};
    f->location_cap = p->location_count;
    f->function_cap = p->function_count;
    f->line_cap = p->line_count;
    names_init(&f->known, &f->scratch);
    buf_init(&f->text, &f->scratch);
    for (uint32_t i = 0; i < p->location_count; i++)
        if (p->locations[i].id > f->next_location_id)
            f->next_location_id = p->locations[i].id;
    for (uint32_t i = 0; i < p->function_count; i++)
        if (p->functions[i].id > f->next_function_id)
            f->next_function_id = p->functions[i].id;
    f->next_location_id++;
    f->next_function_id++;
}

void refine_tag_frames(struct profile *p, struct refine_tag_frames *frames)
{
    frames->root_matched = frames->leaf_matched = false;
    struct tag_keys root, leaf;
    split_keys(p, frames->root, &root);
    split_keys(p, frames->leaf, &leaf);
    if (!root.count && !leaf.count)
        return;
    struct frames f;
    begin_frames(&f, p, frames->unit);
    uint64_t extra = (uint64_t)(root.count + leaf.count) * p->sample_count;
    uint32_t *refs = arena_array(&p->arena, p->loc_ref_count + extra, sizeof *refs);
    uint64_t out = 0, first = 0;
    for (uint32_t s = 0; s < p->sample_count; s++) {
        uint64_t last = p->sample_loc_end[s];
        /* The root's frames are made first: pprof numbers them so. */
        uint64_t middle = out + (uint64_t)leaf.count;
        uint64_t above = middle + (last - first);
        for (int i = 0; i < root.count; i++)
            refs[above + (uint64_t)i] =
                frame_of(&f, s, &root, root.count - 1 - i, &frames->root_matched);
        for (int i = 0; i < leaf.count; i++)
            refs[out + (uint64_t)i] =
                frame_of(&f, s, &leaf, leaf.count - 1 - i, &frames->leaf_matched);
        memcpy(refs + middle, p->loc_refs + first, (size_t)(last - first) * sizeof *refs);
        first = last;
        out = above + (uint64_t)root.count;
        p->sample_loc_end[s] = out;
    }
    p->loc_refs = refs;
    p->loc_ref_count = out;
    arena_free(&f.scratch);
}
