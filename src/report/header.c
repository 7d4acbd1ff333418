/* SPDX-License-Identifier: MIT
 *
 * The lines above a report (google/pprof internal/report/report.go, ProfileLabels and
 * reportLabels): what was measured, how long, which filters hold, how much is not shown. */
#include "report/report.h"

#include "analyze/unit.h"
#include "base/gotext.h"

#include <string.h>

enum { FILTER_BYTES_MAX = 80 };

static void put_string(struct out *out, const char *before, struct profile_str s)
{
    out_puts(out, before);
    out_write(out, s.ptr, s.len);
    out_putc(out, '\n');
}

static void print_duration(struct report *r, struct out *out)
{
    struct buf text;
    buf_init(&text, &r->arena);
    unit_label(&text, r->p->duration_nanos, "nanoseconds", "auto");
    out_printf(out, "Duration: %s, Total samples = ", buf_cstr(&text));
    out_puts(out, report_value(r, r->total));
    out_putc(out, ' '); /* pprof leaves it there without a percentage, too */
    struct unit_scaled nanos = unit_scale(r->total, r->o.sample_unit, "nanoseconds");
    char percent[UNIT_PERCENT_SIZE];
    if (!strcmp(nanos.unit, "ns") && nanos.value != 0)
        out_printf(out, "(%s)",
                   unit_percent(percent, graph_int64(nanos.value), r->p->duration_nanos));
    out_putc(out, '\n');
}

void report_profile_header(struct report *r, struct out *out)
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
    if (*r->o.sample_type)
        out_printf(out, "Type: %s\n", r->o.sample_type);
    if (p->strings[p->doc_url].len)
        put_string(out, "Doc: ", p->strings[p->doc_url]);
    if (p->time_nanos) {
        struct buf text;
        buf_init(&text, &r->arena);
        gotext_time(&text, p->time_nanos, false);
        out_printf(out, "Time: %s\n", buf_cstr(&text));
    }
    if (p->duration_nanos)
        print_duration(r, out);
}

static void print_filters(struct report *r, struct out *out)
{
    if (!r->o.active_filters || !r->o.active_filters[0])
        return;
    out_puts(out, "Active filters:\n");
    for (const char *const *f = r->o.active_filters; *f; f++) {
        size_t len = strlen(*f);
        out_puts(out, "   ");
        out_write(out, *f, len > FILTER_BYTES_MAX ? FILTER_BYTES_MAX : len);
        out_puts(out, len > FILTER_BYTES_MAX ? "…\n" : "\n");
    }
}

static void print_dropped(struct report *r, struct out *out, uint32_t dropped)
{
    int64_t least = graph_abs(graph_int64((double)r->total * r->o.node_fraction));
    if (dropped)
        out_printf(out, "Dropped %u %s (cum <= %s)\n", dropped, dropped > 1 ? "nodes" : "node",
                   report_value(r, least));
}

void report_header(struct report *r, struct out *out, const struct graph_trimmed *t)
{
    const struct graph *g = &t->graph;
    if (!r->o.compact_labels)
        report_profile_header(r, out);
    print_filters(r, out);
    int64_t shown = 0;
    for (uint32_t i = 0; i < g->shown_count; i++)
        shown += graph_flat(g, g->shown[i]);
    char percent[UNIT_PERCENT_SIZE];
    const char *text = unit_percent(percent, shown, r->total);
    out_printf(out, "Showing nodes accounting for %s, ", report_value(r, shown));
    out_puts(out, text + strspn(text, " "));
    out_printf(out, " of %s total\n", report_value(r, r->total));
    if (!r->total)
        return;
    print_dropped(r, out, t->dropped_nodes);
    if (g->shown_count && g->shown_count < t->orig_count)
        out_printf(out, "Showing top %u nodes out of %u\n", g->shown_count, t->orig_count);
}
