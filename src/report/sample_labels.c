/* SPDX-License-Identifier: MIT
 *
 * Grouping and sorting of one sample's labels. The memory is kept from sample to sample. */
#include "report/sample_labels.h"

#include <stdlib.h>
#include <string.h>

void sample_labels_init(struct sample_labels *s, const struct profile *p)
{
    *s = (struct sample_labels){.p = p};
    buf_init(&s->text, &s->arena);
}

void sample_labels_free(struct sample_labels *s)
{
    arena_free(&s->arena);
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_text(const void *a, const void *b, void *text)
{
    const struct sample_line *x = a, *y = b;
    const char *base = text;
    return compare_bytes(base + x->at, x->len, base + y->at, y->len);
}

static int by_key(const void *a, const void *b, void *profile)
{
    const struct profile *p = profile;
    uint64_t i = *(const uint64_t *)a, k = *(const uint64_t *)b;
    uint32_t x = p->labels[i].key, y = p->labels[k].key;
    int order = x == y ? 0
                       : compare_bytes(p->strings[x].ptr, p->strings[x].len, p->strings[y].ptr,
                                       p->strings[y].len);
    return order ? order : (i > k) - (i < k);
}

static bool same_key(const struct profile *p, uint32_t x, uint32_t y)
{
    return x == y || !compare_bytes(p->strings[x].ptr, p->strings[x].len, p->strings[y].ptr,
                                    p->strings[y].len);
}

static uint32_t collect(struct sample_labels *s, uint32_t sample, bool numeric)
{
    const struct profile *p = s->p;
    uint64_t first = profile_label_first(p, sample), last = p->sample_label_end[sample];
    if (last - first > s->order_cap) {
        s->order_cap = (last - first) * 2;
        s->order = arena_array(&s->arena, s->order_cap, sizeof *s->order);
    }
    uint32_t count = 0;
    for (uint64_t k = first; k < last; k++)
        if (!p->labels[k].str == numeric)
            s->order[count++] = k;
    if (count > 1)
        qsort_r(s->order, count, sizeof *s->order, by_key, (void *)p);
    return count;
}

static void add_line(struct sample_labels *s, size_t at)
{
    if (s->line_count == s->line_cap) {
        uint32_t cap = s->line_cap ? s->line_cap * 2 : 16;
        s->lines = arena_grow(&s->arena, s->lines, s->line_cap * sizeof *s->lines,
                              cap * sizeof *s->lines);
        s->line_cap = cap;
    }
    s->lines[s->line_count++] = (struct sample_line){at, s->text.len - at};
}

void sample_labels_make(struct sample_labels *s, uint32_t sample, bool numeric,
                        sample_labels_format *format, void *context)
{
    s->text.len = 0;
    s->line_count = 0;
    if (profile_label_first(s->p, sample) == s->p->sample_label_end[sample])
        return;
    uint32_t count = collect(s, sample, numeric);
    for (uint32_t i = 0; i < count;) {
        const struct profile_label *l = &s->p->labels[s->order[i]];
        struct sample_group group = {s->p, s->order + i, 0, s->p->strings[l->key], false};
        uint32_t key = l->key;
        for (; i < count && same_key(s->p, s->p->labels[s->order[i]].key, key); i++) {
            group.count++;
            group.has_units |= s->p->labels[s->order[i]].num_unit != 0;
        }
        size_t at = s->text.len;
        format(&s->text, &group, context);
        add_line(s, at);
    }
    if (s->line_count > 1)
        qsort_r(s->lines, s->line_count, sizeof *s->lines, by_text, s->text.data);
}
