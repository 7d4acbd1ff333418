/* SPDX-License-Identifier: MIT
 *
 * tags: for each label key the weight of its values (report.go, printTags). */
#include "report/report.h"

#include "analyze/unit.h"
#include "report/tabwriter.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct tag {
    uint32_t key, value; /* numbers in names */
    int64_t weight;
};

struct tags {
    struct report *r;
    struct arena arena;
    struct names names;
    struct tag *items;
    uint32_t *slots, count, cap, slot_mask;
};

static uint32_t *find_slot(const struct tags *t, uint32_t key, uint32_t value)
{
    uint64_t h = ((uint64_t)key << 32 | value) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(h >> 32) & t->slot_mask;
    for (;; at = (at + 1) & t->slot_mask) {
        uint32_t i = t->slots[at];
        if (i == NONE || (t->items[i].key == key && t->items[i].value == value))
            return &t->slots[at];
    }
}

static void grow(struct tags *t)
{
    uint32_t cap = t->cap ? t->cap * 2 : 256;
    t->items = arena_grow(&t->arena, t->items, t->cap * sizeof *t->items, cap * sizeof *t->items);
    t->cap = cap;
    t->slots = arena_array(&t->arena, cap * 2, sizeof *t->slots);
    memset(t->slots, 0xff, cap * 2 * sizeof *t->slots);
    t->slot_mask = cap * 2 - 1;
    for (uint32_t i = 0; i < t->count; i++)
        *find_slot(t, t->items[i].key, t->items[i].value) = i;
}

static void add(struct tags *t, uint32_t key, uint32_t value, int64_t weight)
{
    if (t->count == t->cap)
        grow(t);
    uint32_t *slot = find_slot(t, key, value);
    if (*slot == NONE) {
        *slot = t->count;
        t->items[t->count++] = (struct tag){key, value, 0};
    }
    t->items[*slot].weight += weight;
}

/* The number of a numeric label's text in the report's unit. */
static uint32_t number_text(struct tags *t, const struct profile_label *l, struct buf *text)
{
    struct profile_str key = t->r->p->strings[l->key];
    text->len = 0;
    unit_label(text, l->num, refine_unit(t->r->o.label_units, key.ptr, key.len), t->r->o.unit);
    uint32_t found = names_find(&t->names, text->data, text->len);
    if (found != NONE)
        return found;
    return names_intern(&t->names, arena_strndup(&t->arena, text->data, text->len), text->len);
}

static void collect(struct tags *t)
{
    const struct profile *p = t->r->p;
    struct buf text;
    buf_init(&text, &t->arena);
    uint64_t k = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        int64_t weight = p->values[(size_t)i * p->sample_type_count + t->r->o.values.index];
        for (; k < p->sample_label_end[i]; k++) {
            const struct profile_label *l = &p->labels[k];
            struct profile_str key = p->strings[l->key], str = p->strings[l->str];
            uint32_t value =
                l->str ? names_intern(&t->names, str.ptr, str.len) : number_text(t, l, &text);
            add(t, names_intern(&t->names, key.ptr, key.len), value, weight);
        }
    }
}

static int compare_names(struct names_item a, struct names_item b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_key_and_weight(const void *a, const void *b, void *names)
{
    const struct tag *x = a, *y = b;
    const struct names_item *items = names;
    if (x->key != y->key)
        return compare_names(items[x->key], items[y->key]);
    int64_t v = graph_abs(x->weight), w = graph_abs(y->weight);
    return v != w ? (v > w ? -1 : 1) : compare_names(items[x->value], items[y->value]);
}

/* ---- the table ---- */

static void put_percent(struct tags *t, struct buf *out, int64_t weight)
{
    char percent[UNIT_PERCENT_SIZE];
    if (t->r->total > 0)
        buf_printf(out, " (%s)", unit_percent(percent, weight, t->r->total));
}

/* The rows of one key: its total, its values. */
static void put_key(struct tags *t, struct buf *out, const struct tag *tags, uint32_t count)
{
    const struct names_item *items = t->names.items;
    int64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += tags[i].weight;
    buf_append(out, items[tags->key].ptr, items[tags->key].len);
    buf_puts(out, ":\t Total ");
    buf_puts(out, report_value(t->r, total));
    buf_puts(out, " of ");
    buf_puts(out, report_value(t->r, t->r->total));
    put_percent(t, out, total);
    buf_putc(out, '\n');
    for (uint32_t i = 0; i < count; i++) {
        buf_puts(out, " \t");
        buf_puts(out, report_value(t->r, tags[i].weight));
        put_percent(t, out, tags[i].weight);
        buf_puts(out, ":\t ");
        buf_append(out, items[tags[i].value].ptr, items[tags[i].value].len);
        buf_putc(out, '\n');
    }
    buf_putc(out, '\n');
}

int report_tags(struct report *r, struct out *out, struct err *e)
{
    struct tags t = {.r = r};
    struct buf text;
    names_init(&t.names, &t.arena);
    buf_init(&text, &t.arena);
    collect(&t);
    if (t.count)
        qsort_r(t.items, t.count, sizeof *t.items, by_key_and_weight, t.names.items);
    for (uint32_t i = 0, last; i < t.count; i = last) {
        for (last = i; last < t.count && t.items[last].key == t.items[i].key;)
            last++;
        put_key(&t, &text, t.items + i, last - i);
    }
    tabwriter_print(out, text.data, text.len);
    arena_free(&t.arena);
    return 0;
}
