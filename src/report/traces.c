/* SPDX-License-Identifier: MIT
 *
 * traces: every sample with its labels and its stack (report.go, printTraces), in file order and
 * not merged. It streams: nothing is kept from sample to sample but the text of names. */
#include "report/report.h"

#include "analyze/unit.h"
#include "report/sample_labels.h"

#include <string.h>

static const char separator[] =
    "-----------+-------------------------------------------------------\n";

/* What is printed of a location: a line for each of its frames. Made once for each. */
struct place {
    size_t at;    /* in the text */
    uint32_t len; /* 0: not made yet */
};

/* Values repeat: what they look like is kept, by their lowest bits. */
enum { VALUES_KEPT = 512, VALUE_ROOM = 28 };

struct kept_value {
    int64_t value;
    uint32_t len; /* 0: free */
    char text[VALUE_ROOM];
};

struct stack_texts {
    const struct graph_frames *frames;
    struct buf text;
    struct place *of_location;
    struct kept_value values[VALUES_KEPT];
};

static void put_key(struct buf *out, struct profile_str key)
{
    size_t runes = 0;
    for (uint32_t i = 0; i < key.len; i++)
        runes += ((unsigned char)key.ptr[i] & 0xc0) != 0x80;
    for (; runes < 10; runes++)
        buf_putc(out, ' ');
    buf_append(out, key.ptr, key.len);
    buf_puts(out, ":  ");
}

static void format_text(struct buf *out, const struct sample_group *g, void *context)
{
    put_key(out, g->key);
    for (uint32_t i = 0; i < g->count; i++) {
        struct profile_str s = g->p->strings[g->p->labels[g->labels[i]].str];
        if (i)
            buf_putc(out, ' ');
        buf_append(out, s.ptr, s.len);
    }
    buf_putc(out, '\n');
}

static void format_numbers(struct buf *out, const struct sample_group *g, void *context)
{
    struct report *r = context;
    const char *unit = refine_unit(r->o.label_units, g->key.ptr, g->key.len);
    put_key(out, g->key);
    for (uint32_t i = 0; i < g->count; i++) {
        if (i)
            buf_putc(out, ' ');
        unit_label(out, g->p->labels[g->labels[i]].num, unit, "auto");
    }
    buf_putc(out, '\n');
}

static void print_labels(struct report *r, struct sample_labels *labels, struct out *out,
                         uint32_t sample)
{
    for (int numeric = 0; numeric < 2; numeric++) {
        sample_labels_make(labels, sample, numeric, numeric ? format_numbers : format_text, r);
        for (uint32_t i = 0; i < labels->line_count; i++)
            out_write(out, labels->text.data + labels->lines[i].at, labels->lines[i].len);
    }
}

/* The first frame of a stack has the value in place of the first blanks. Pieces of up to PIECE
 * bytes are copied as PIECE bytes, so the text has as many behind its end. */
enum { VALUE_WIDTH = 10, FRAME_INDENT = 13, PIECE = 64, AT_ONCE = 32 };

static void make_location(struct stack_texts *t, uint32_t location)
{
    const struct graph_frames *f = t->frames;
    size_t at = t->text.len;
    for (uint32_t n = f->loc_first[location]; n < f->loc_first[location + 1]; n++) {
        for (int i = 0; i < FRAME_INDENT; i++)
            buf_putc(&t->text, ' ');
        graph_node_name(f, f->line_nodes[n], &t->text);
        buf_puts(&t->text, n + 1 < f->loc_first[location + 1] ? " (inline)\n" : "\n");
    }
    t->of_location[location] = (struct place){at, (uint32_t)(t->text.len - at)};
    buf_reserve(&t->text, PIECE);
}

static void put_value(struct report *r, struct stack_texts *t, struct out *out, int64_t value)
{
    struct kept_value *kept = &t->values[(uint64_t)value % VALUES_KEPT];
    if (!kept->len || kept->value != value) {
        const char *text = report_value(r, value);
        if (r->value.len > VALUE_ROOM) {
            out_right(out, text, r->value.len, VALUE_WIDTH);
            return;
        }
        kept->value = value;
        kept->len = (uint32_t)r->value.len;
        memcpy(kept->text, text, kept->len);
    }
    out_right(out, kept->text, kept->len, VALUE_WIDTH);
}

/* The places are looked up for several frames before the first is copied: the memory is far away,
 * and the processor fetches all of it at once. */
static void put_frames(struct stack_texts *t, struct out *out, const uint32_t *refs, uint32_t count,
                       size_t skip)
{
    struct place places[AT_ONCE];
    for (uint32_t i = 0; i < count; i++) {
        if (!t->of_location[refs[i]].len)
            make_location(t, refs[i]);
        places[i] = t->of_location[refs[i]];
        __builtin_prefetch(t->text.data + places[i].at);
        __builtin_prefetch(t->text.data + places[i].at + PIECE - 1);
    }
    char *room = out_room(out, sizeof places / sizeof *places * PIECE), *at = room;
    for (uint32_t i = 0; i < count; i++, skip = 0) {
        const char *text = t->text.data + places[i].at + skip;
        size_t len = places[i].len - skip;
        if (len <= PIECE) {
            memcpy(at, text, PIECE);
            at += len;
            continue;
        }
        out_take(out, (size_t)(at - room));
        out_write(out, text, len);
        room = at = out_room(out, sizeof places / sizeof *places * PIECE);
    }
    out_take(out, (size_t)(at - room));
}

static void print_stack(struct report *r, struct stack_texts *t, struct out *out, uint32_t sample)
{
    const struct profile *p = r->p;
    const int64_t *values = p->values + (size_t)sample * p->sample_type_count;
    uint64_t k = profile_loc_first(p, sample), end = p->sample_loc_end[sample];
    size_t skip = VALUE_WIDTH;
    put_value(r, t, out, graph_mean(values[r->o.values.index], r->o.values.mean ? values[0] : 0));
    for (uint32_t n; k < end; k += n, skip = 0) {
        n = end - k < AT_ONCE ? (uint32_t)(end - k) : AT_ONCE;
        put_frames(t, out, p->loc_refs + k, n, skip);
    }
}

int report_traces(struct report *r, struct out *out, struct err *e)
{
    report_profile_header(r, out);
    struct graph_frames frames;
    graph_frames_make(&frames, r->p, false);
    struct stack_texts texts = {.frames = &frames};
    buf_init(&texts.text, &r->arena);
    texts.of_location = arena_zarray(&r->arena, frames.location_count, sizeof *texts.of_location);
    struct sample_labels labels;
    sample_labels_init(&labels, r->p);
    for (uint32_t i = 0; i < r->p->sample_count; i++) {
        if (profile_loc_first(r->p, i) == r->p->sample_loc_end[i])
            continue;
        out_puts(out, separator);
        print_labels(r, &labels, out, i);
        print_stack(r, &texts, out, i);
    }
    out_puts(out, separator);
    sample_labels_free(&labels);
    graph_frames_free(&frames);
    return 0;
}
