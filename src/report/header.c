/* SPDX-License-Identifier: MIT
 *
 * The lines above a report (google/pprof internal/report/report.go, ProfileLabels and
 * reportLabels): what was measured, how long, which filters hold, how much is not shown. They are
 * made as text first, because a drawing shows them in a box of its own. */
#include "report/report.h"

#include "analyze/unit.h"
#include "base/gotext.h"

#include <string.h>

enum { FILTER_BYTES_MAX = 80 };

static void put_string(struct buf *out, const char *before, struct profile_str s)
{
    buf_puts(out, before);
    buf_append(out, s.ptr, s.len);
    buf_putc(out, '\n');
}

static void put_duration(struct report *r, struct buf *out)
{
    buf_puts(out, "Duration: ");
    unit_label(out, r->p->duration_nanos, "nanoseconds", "auto");
    buf_puts(out, ", Total samples = ");
    buf_puts(out, report_value(r, r->total));
    buf_putc(out, ' '); /* pprof leaves it there without a percentage, too */
    struct unit_scaled nanos = unit_scale(r->total, r->o.sample_unit, "nanoseconds");
    char percent[UNIT_PERCENT_SIZE];
    if (!strcmp(nanos.unit, "ns") && nanos.value != 0)
        buf_printf(out, "(%s)",
                   unit_percent(percent, graph_int64(nanos.value), r->p->duration_nanos));
    buf_putc(out, '\n');
}

void report_profile_labels(struct report *r, struct buf *out)
{
    const struct profile *p = r->p;
    if (p->mapping_count) {
        struct profile_str file = p->strings[p->mappings[0].file];
        struct profile_str build_id = p->strings[p->mappings[0].build_id];
        size_t len;
        const char *base = gotext_base(file.ptr, file.len, &len);
        if (file.len)
            put_string(out, "File: ", (struct profile_str){base, (uint32_t)len});
        if (build_id.len)
            put_string(out, "Build ID: ", build_id);
    }
    for (uint32_t i = 0; i < p->comment_count; i++) {
        struct profile_str comment = p->strings[p->comments[i]];
        if (!comment.len || comment.ptr[0] != '#')
            put_string(out, "", comment);
    }
    if (*r->o.sample_type) {
        buf_puts(out, "Type: ");
        buf_puts(out, r->o.sample_type);
        buf_putc(out, '\n');
    }
    if (p->strings[p->doc_url].len)
        put_string(out, "Doc: ", p->strings[p->doc_url]);
    if (p->time_nanos) {
        buf_puts(out, "Time: ");
        gotext_time(out, p->time_nanos, false);
        buf_putc(out, '\n');
    }
    if (p->duration_nanos)
        put_duration(r, out);
}

static void put_filters(struct report *r, struct buf *out)
{
    if (!r->o.active_filters || !r->o.active_filters[0])
        return;
    buf_puts(out, "Active filters:\n");
    for (const char *const *f = r->o.active_filters; *f; f++) {
        size_t len = strlen(*f);
        buf_puts(out, "   ");
        buf_append(out, *f, len > FILTER_BYTES_MAX ? FILTER_BYTES_MAX : len);
        buf_puts(out, len > FILTER_BYTES_MAX ? "…\n" : "\n");
    }
}

static void put_dropped(struct report *r, struct buf *out, uint32_t dropped, const char *what[2],
                        double fraction)
{
    int64_t least = graph_abs(graph_int64((double)r->total * fraction));
    if (dropped)
        buf_printf(out, "Dropped %u %s%s (%s <= %s)\n", dropped, what[0], dropped > 1 ? "s" : "",
                   what[1], report_value(r, least));
}

/* A comment can have several lines. */
static size_t first_label(struct report *r, const struct buf *out)
{
    const struct profile *p = r->p;
    size_t newline = 0;
    bool file = p->mapping_count && p->strings[p->mappings[0].file].len;
    bool build_id = p->mapping_count && p->strings[p->mappings[0].build_id].len;
    for (uint32_t i = 0; i < p->comment_count && !file && !build_id; i++) {
        struct profile_str comment = p->strings[p->comments[i]];
        if (!comment.len || comment.ptr[0] != '#')
            return comment.len;
    }
    while (newline < out->len && out->data[newline] != '\n')
        newline++;
    return newline;
}

size_t report_labels(struct report *r, struct buf *out, const struct graph_trimmed *t, bool drawn)
{
    const struct graph *g = &t->graph;
    if (drawn || !r->o.compact_labels)
        report_profile_labels(r, out);
    put_filters(r, out);
    int64_t shown = 0;
    for (uint32_t i = 0; i < g->shown_count; i++)
        shown += graph_flat(g, g->shown[i]);
    char percent[UNIT_PERCENT_SIZE];
    const char *text = unit_percent(percent, shown, r->total);
    buf_printf(out, "Showing nodes accounting for %s, ", report_value(r, shown));
    buf_puts(out, text + strspn(text, " "));
    buf_printf(out, " of %s total\n", report_value(r, r->total));
    if (r->total) {
        put_dropped(r, out, t->dropped_nodes, (const char *[]){"node", "cum"}, r->o.node_fraction);
        if (drawn)
            put_dropped(r, out, t->dropped_edges, (const char *[]){"edge", "freq"},
                        r->o.edge_fraction);
        if (g->shown_count && g->shown_count < t->orig_count)
            buf_printf(out, "Showing top %u nodes out of %u\n", g->shown_count, t->orig_count);
    }
    if (drawn)
        buf_puts(out, "\nSee https://git.io/JfYMW for how to read the graph\n");
    return drawn ? first_label(r, out) : 0;
}

void report_profile_header(struct report *r, struct out *out)
{
    struct buf text;
    buf_init(&text, &r->arena);
    report_profile_labels(r, &text);
    out_write(out, text.data, text.len);
}

void report_header(struct report *r, struct out *out, const struct graph_trimmed *t)
{
    struct buf text;
    buf_init(&text, &r->arena);
    report_labels(r, &text, t, false);
    out_write(out, text.data, text.len);
}
