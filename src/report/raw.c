/* SPDX-License-Identifier: MIT
 *
 * raw: the profile as it is, as text (google/pprof profile/profile.go, String). It streams. */
#include "report/report.h"

#include "base/gotext.h"
#include "report/sample_labels.h"

#include <stdio.h>
#include <string.h>

static const char label_indent[] = "                ", line_indent[] = "             ";

static void put_string(struct out *out, const struct profile *p, uint32_t string)
{
    out_write(out, p->strings[string].ptr, p->strings[string].len);
}

static bool same_text(const struct profile *p, uint32_t x, uint32_t y)
{
    return x == y || (p->strings[x].len == p->strings[y].len &&
                      !memcmp(p->strings[x].ptr, p->strings[y].ptr, p->strings[x].len));
}

/* %.4v of a Go duration: its first four characters. */
static void print_duration(struct report *r, struct out *out)
{
    struct buf text;
    buf_init(&text, &r->arena);
    gotext_duration(&text, r->p->duration_nanos);
    size_t at = 0;
    for (int runes = 0; runes < 4 && at < text.len; runes++) {
        uint32_t rune;
        at += gotext_rune(text.data + at, text.len - at, &rune);
    }
    out_puts(out, "Duration: ");
    out_write(out, text.data, at);
    out_putc(out, '\n');
}

static void print_head(struct report *r, struct out *out)
{
    const struct profile *p = r->p;
    for (uint32_t i = 0; i < p->comment_count; i++) {
        out_puts(out, "Comment: ");
        put_string(out, p, p->comments[i]);
        out_putc(out, '\n');
    }
    if (p->strings[p->doc_url].len) {
        out_puts(out, "Doc: ");
        put_string(out, p, p->doc_url);
        out_putc(out, '\n');
    }
    out_puts(out, "PeriodType: ");
    put_string(out, p, p->period_type.type);
    out_putc(out, ' ');
    put_string(out, p, p->period_type.unit);
    out_printf(out, "\nPeriod: %lld\n", (long long)p->period);
    if (p->time_nanos) {
        struct buf text;
        buf_init(&text, &r->arena);
        gotext_time(&text, p->time_nanos, true);
        out_printf(out, "Time: %s\n", buf_cstr(&text));
    }
    if (p->duration_nanos)
        print_duration(r, out);
}

/* Blanks at both ends of the line are cut, as pprof cuts them. */
static void print_types(struct report *r, struct out *out)
{
    const struct profile *p = r->p;
    struct buf line;
    buf_init(&line, &r->arena);
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str type = p->strings[p->sample_types[i].type];
        struct profile_str unit = p->strings[p->sample_types[i].unit];
        buf_append(&line, type.ptr, type.len);
        buf_putc(&line, '/');
        buf_append(&line, unit.ptr, unit.len);
        if (same_text(p, p->sample_types[i].type, p->default_sample_type))
            buf_puts(&line, "[dflt]");
        buf_putc(&line, ' ');
    }
    size_t from = 0;
    while (line.len && strchr(" \t\n\v\f\r", line.data[line.len - 1]))
        line.len--;
    while (from < line.len && strchr(" \t\n\v\f\r", line.data[from]))
        from++;
    out_write(out, line.data + from, line.len - from);
    out_putc(out, '\n');
}

static void format_text(struct buf *out, const struct sample_group *g, void *context)
{
    buf_append(out, g->key.ptr, g->key.len);
    buf_puts(out, ":[");
    for (uint32_t i = 0; i < g->count; i++) {
        struct profile_str s = g->p->strings[g->p->labels[g->labels[i]].str];
        if (i)
            buf_putc(out, ' ');
        buf_append(out, s.ptr, s.len);
    }
    buf_putc(out, ']');
}

static void format_numbers(struct buf *out, const struct sample_group *g, void *context)
{
    buf_append(out, g->key.ptr, g->key.len);
    buf_puts(out, ":[");
    for (uint32_t i = 0; i < g->count; i++) {
        const struct profile_label *l = &g->p->labels[g->labels[i]];
        buf_printf(out, "%s%lld", i ? " " : "", (long long)l->num);
        if (g->has_units) {
            buf_putc(out, ' ');
            buf_append(out, g->p->strings[l->num_unit].ptr, g->p->strings[l->num_unit].len);
        }
    }
    buf_putc(out, ']');
}

static void print_labels(struct sample_labels *labels, struct out *out, uint32_t sample)
{
    for (int numeric = 0; numeric < 2; numeric++) {
        sample_labels_make(labels, sample, numeric, numeric ? format_numbers : format_text, NULL);
        if (!labels->line_count)
            continue;
        out_puts(out, label_indent);
        for (uint32_t i = 0; i < labels->line_count; i++) {
            if (i)
                out_putc(out, ' ');
            out_write(out, labels->text.data + labels->lines[i].at, labels->lines[i].len);
        }
        out_putc(out, '\n');
    }
}

/* "17 ": the id of a location, in one size, so that copying it is one load and one store. */
struct id_text {
    char text[15];
    uint8_t len; /* 0: longer */
};

static struct id_text *make_id_texts(struct report *r)
{
    const struct profile *p = r->p;
    struct id_text *texts = arena_zarray(&r->arena, p->location_count, sizeof *texts);
    for (uint32_t i = 0; i < p->location_count; i++) {
        char text[24];
        int n = snprintf(text, sizeof text, "%llu ", (unsigned long long)p->locations[i].id);
        if ((size_t)n > sizeof texts->text)
            continue;
        memcpy(texts[i].text, text, (size_t)n);
        texts[i].len = (uint8_t)n;
    }
    return texts;
}

enum { AT_ONCE = 128 };

/* Ids are copied behind a pointer that is the output's only every so many of them. */
static void print_ids(const struct report *r, const struct id_text *ids, struct out *out,
                      uint32_t sample)
{
    const struct profile *p = r->p;
    const uint32_t *ref = p->loc_refs + profile_loc_first(p, sample);
    uint64_t left = p->sample_loc_end[sample] - profile_loc_first(p, sample);
    while (left) {
        char *room = out_room(out, AT_ONCE * sizeof *ids), *at = room;
        const uint32_t *end = ref + (left < AT_ONCE ? left : AT_ONCE);
        left -= (uint64_t)(end - ref);
        for (; ref < end && ids[*ref].len; ref++) {
            memcpy(at, &ids[*ref], sizeof *ids);
            at += ids[*ref].len;
        }
        out_take(out, (size_t)(at - room));
        for (; ref < end; ref++) {
            out_unsigned(out, p->locations[*ref].id, 0);
            out_putc(out, ' ');
        }
    }
}

static void print_samples(struct report *r, struct out *out)
{
    const struct profile *p = r->p;
    const struct id_text *ids = make_id_texts(r);
    struct sample_labels labels;
    sample_labels_init(&labels, p);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        for (uint32_t t = 0; t < p->sample_type_count; t++) {
            out_putc(out, ' ');
            out_int(out, p->values[(size_t)i * p->sample_type_count + t], 10);
        }
        out_puts(out, ": ");
        print_ids(r, ids, out, i);
        out_putc(out, '\n');
        print_labels(&labels, out, i);
    }
    sample_labels_free(&labels);
}

static void print_line(const struct profile *p, struct out *out, const struct profile_line *line)
{
    if (line->function == PROFILE_NONE) {
        out_puts(out, "??");
        return;
    }
    const struct profile_function *f = &p->functions[line->function];
    put_string(out, p, f->name);
    out_putc(out, ' ');
    put_string(out, p, f->file);
    out_putc(out, ':');
    out_int(out, line->line, 0);
    out_putc(out, ':');
    out_int(out, line->column, 0);
    out_puts(out, " s=");
    out_int(out, f->start_line, 0);
    if (!same_text(p, f->name, f->system_name)) {
        out_putc(out, '(');
        put_string(out, p, f->system_name);
        out_putc(out, ')');
    }
}

static void print_locations(const struct profile *p, struct out *out)
{
    out_puts(out, "Locations\n");
    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *l = &p->locations[i];
        out_unsigned(out, l->id, 6);
        out_puts(out, ": ");
        out_hex(out, l->address);
        out_putc(out, ' ');
        if (l->mapping != PROFILE_NONE) {
            out_puts(out, "M=");
            out_unsigned(out, p->mappings[l->mapping].id, 0);
            out_putc(out, ' ');
        }
        if (l->is_folded)
            out_puts(out, "[F] ");
        for (uint32_t n = 0; n < l->line_count; n++) {
            if (n) {
                out_putc(out, '\n');
                out_puts(out, line_indent);
            }
            print_line(p, out, &p->lines[l->line_first + n]);
        }
        out_putc(out, '\n');
    }
}

static void print_mappings(const struct profile *p, struct out *out)
{
    out_puts(out, "Mappings\n");
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct profile_mapping *m = &p->mappings[i];
        out_unsigned(out, m->id, 0);
        out_puts(out, ": ");
        out_hex(out, m->start);
        out_putc(out, '/');
        out_hex(out, m->limit);
        out_putc(out, '/');
        out_hex(out, m->offset);
        out_putc(out, ' ');
        put_string(out, p, m->file);
        out_putc(out, ' ');
        put_string(out, p, m->build_id);
        out_putc(out, ' ');
        out_puts(out, m->has_functions ? "[FN]" : "");
        out_puts(out, m->has_filenames ? "[FL]" : "");
        out_puts(out, m->has_line_numbers ? "[LN]" : "");
        out_puts(out, m->has_inline_frames ? "[IN]" : "");
        out_putc(out, '\n');
    }
}

int report_raw(struct report *r, struct out *out, struct err *e)
{
    print_head(r, out);
    out_puts(out, "Samples:\n");
    print_types(r, out);
    print_samples(r, out);
    print_locations(r->p, out);
    print_mappings(r->p, out);
    return 0;
}
