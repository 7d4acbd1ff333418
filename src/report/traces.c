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

struct node_texts {
    const struct graph_frames *frames;
    struct buf text;
    struct {
        size_t at; /* in text, behind one: 0 is "not made yet" */
        uint32_t len;
    } *of_line; /* by place in frames->line_nodes */
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

/* A frame's whole line, made once for each line of each location: inlined or not is a matter of the
 * line's place. The first frame of a stack has the value in place of the first blanks. */
enum { VALUE_WIDTH = 10, FRAME_INDENT = 13 };

static void make_line(struct node_texts *t, uint32_t line, bool inlined)
{
    size_t at = t->text.len;
    for (int i = 0; i < FRAME_INDENT; i++)
        buf_putc(&t->text, ' ');
    graph_node_name(t->frames, t->frames->line_nodes[line], &t->text);
    buf_puts(&t->text, inlined ? " (inline)\n" : "\n");
    t->of_line[line].len = (uint32_t)(t->text.len - at);
    t->of_line[line].at = at + 1;
}

static void print_stack(struct report *r, struct node_texts *t, struct out *out, uint32_t sample)
{
    const struct profile *p = r->p;
    const struct graph_frames *f = t->frames;
    const int64_t *values = p->values + (size_t)sample * p->sample_type_count;
    int64_t value = graph_mean(values[r->o.values.index], r->o.values.mean ? values[0] : 0);
    const char *text = report_value(r, value);
    out_right(out, text, r->value.len, VALUE_WIDTH);
    size_t skip = VALUE_WIDTH;
    for (uint64_t k = profile_loc_first(p, sample); k < p->sample_loc_end[sample]; k++) {
        uint32_t last = f->loc_first[p->loc_refs[k] + 1];
        for (uint32_t n = f->loc_first[p->loc_refs[k]]; n < last; n++) {
            if (!t->of_line[n].at)
                make_line(t, n, n + 1 < last);
            out_write(out, t->text.data + t->of_line[n].at - 1 + skip, t->of_line[n].len - skip);
            skip = 0;
        }
    }
}

int report_traces(struct report *r, struct out *out, struct err *e)
{
    report_profile_header(r, out);
    struct graph_frames frames;
    graph_frames_make(&frames, r->p, false);
    struct node_texts texts = {.frames = &frames};
    buf_init(&texts.text, &r->arena);
    texts.of_line = arena_zarray(&r->arena, frames.loc_first[frames.location_count],
                                 sizeof *texts.of_line);
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
