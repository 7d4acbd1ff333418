/* SPDX-License-Identifier: MIT
 *
 * Units of numeric labels (google/pprof profile/profile.go, NumLabelUnits) and label filters by
 * key. A profile says a number's unit on each label, or not at all; a report has to print all
 * numbers of a key in one. */
#include "analyze/refine.h"
#include "analyze/match.h"
#include "analyze/samples.h"
#include "base/sort.h"

#include <stdlib.h>

enum { NOT_SEEN = UINT32_MAX };

struct conflict {
    uint32_t key;
    const char *unit;
};

struct collector {
    struct refine_units *u;
    const struct profile *p;
    uint32_t *key_of_string; /* numbers of keys, NOT_SEEN where not asked yet */
    struct conflict *conflicts;
    uint32_t conflict_count, conflict_cap;
};

static uint32_t key_number(struct collector *c, uint32_t string)
{
    uint32_t *number = &c->key_of_string[string];
    if (*number == NOT_SEEN) {
        struct profile_str s = c->p->strings[string];
        uint32_t before = c->u->keys.count;
        *number = names_intern(&c->u->keys, s.ptr, s.len);
        if (*number == before) {
            c->u->unit_of_key = arena_grow(&c->u->arena, c->u->unit_of_key, before * sizeof(char *),
                                           (before + 1) * sizeof(char *));
            c->u->unit_of_key[before] = NULL;
        }
    }
    return *number;
}

static void add_conflict(struct collector *c, uint32_t key, const char *unit)
{
    for (uint32_t i = 0; i < c->conflict_count; i++)
        if (c->conflicts[i].key == key && !strcmp(c->conflicts[i].unit, unit))
            return;
    if (c->conflict_count == c->conflict_cap) {
        uint32_t cap = c->conflict_cap ? c->conflict_cap * 2 : 8;
        c->conflicts =
            arena_grow(&c->u->arena, c->conflicts, c->conflict_cap * sizeof *c->conflicts,
                       cap * sizeof *c->conflicts);
        c->conflict_cap = cap;
    }
    c->conflicts[c->conflict_count++] = (struct conflict){key, unit};
}

static int by_key_and_unit(const void *a, const void *b)
{
    const struct conflict *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return strcmp(x->unit, y->unit);
}

static void print_conflicts(struct collector *c, const struct refine_say *warn)
{
    if (!c->conflict_count)
        return;
    sort_list(c->conflicts, c->conflict_count, sizeof *c->conflicts, by_key_and_unit);
    for (uint32_t i = 0; i < c->conflict_count;) {
        uint32_t key = c->conflicts[i].key;
        struct names_item name = c->u->keys.items[key];
        struct buf line;
        buf_init(&line, &c->u->arena);
        buf_printf(&line, "For tag %.*s used unit %s, also encountered unit(s) ", (int)name.len,
                   name.ptr, c->u->unit_of_key[key]);
        for (const char *comma = ""; i < c->conflict_count && c->conflicts[i].key == key; i++) {
            buf_printf(&line, "%s%s", comma, c->conflicts[i].unit);
            comma = ", ";
        }
        warn->line(warn->arg, buf_cstr(&line));
    }
}

static void infer_units(struct refine_units *u)
{
    for (uint32_t i = 0; i < u->keys.count; i++) {
        if (u->unit_of_key[i])
            continue;
        struct names_item key = u->keys.items[i];
        const char *text = arena_strndup(&u->arena, key.ptr, key.len);
        bool bytes = !strcmp(text, "alignment") || !strcmp(text, "request");
        u->unit_of_key[i] = bytes ? "bytes" : text;
    }
}

void refine_units_make(struct refine_units *u, const struct profile *p,
                       const struct refine_say *warn)
{
    arena_init(&u->arena);
    names_init(&u->keys, &u->arena);
    u->unit_of_key = arena_zarray(&u->arena, 1, sizeof *u->unit_of_key);
    if (!p->label_count)
        return;
    struct arena scratch;
    arena_init(&scratch);
    struct collector c = {.u = u, .p = p};
    c.key_of_string = arena_array(&scratch, p->string_count, sizeof *c.key_of_string);
    memset(c.key_of_string, 0xff, (size_t)p->string_count * sizeof *c.key_of_string);
    const char **units = arena_zarray(&scratch, p->string_count, sizeof *units);
    for (uint64_t i = 0; i < p->label_count; i++) {
        const struct profile_label *l = &p->labels[i];
        if (l->str)
            continue;
        uint32_t key = key_number(&c, l->key);
        if (!p->strings[l->num_unit].len)
            continue;
        if (!units[l->num_unit])
            units[l->num_unit] =
                arena_strndup(&u->arena, p->strings[l->num_unit].ptr, p->strings[l->num_unit].len);
        const char *unit = units[l->num_unit], **known = &u->unit_of_key[key];
        if (!*known)
            *known = unit;
        else if (*known != unit && strcmp(*known, unit))
            add_conflict(&c, key, unit);
    }
    infer_units(u);
    print_conflicts(&c, warn);
    arena_free(&scratch);
}

void refine_units_free(struct refine_units *u)
{
    arena_free(&u->arena);
}

const char *refine_unit(const struct refine_units *u, const char *key, size_t len)
{
    uint32_t number = names_find(&u->keys, key, len);
    return number == UINT32_MAX || !u->unit_of_key[number] ? "" : u->unit_of_key[number];
}

struct refine_matched refine_tags(struct profile *p, struct regex *show, struct regex *hide)
{
    struct refine_matched found = {0};
    struct match m_show, m_hide;
    match_init(&m_show, p, show);
    match_init(&m_hide, p, hide);
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        samples_push_locs(&e, e.loc_first, e.loc_last);
        for (uint64_t k = e.label_first; k < e.label_last; k++) {
            bool shown = !show || match_string(&m_show, p->labels[k].key);
            bool hidden = hide && match_string(&m_hide, p->labels[k].key);
            found.show |= shown;
            found.hide |= hidden;
            if (shown && !hidden)
                samples_push_labels(&e, k, k + 1);
        }
        samples_commit(&e);
    }
    samples_end(&e);
    return found;
}
