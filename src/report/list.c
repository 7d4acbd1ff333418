/* SPDX-License-Identifier: MIT
 *
 * list: the source of the functions whose name matches, with the weight of each line
 * (internal/report/source.go, printSource). */
#include "report/report.h"

#include "analyze/source.h"
#include "analyze/unit.h"
#include "base/sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 5 }; /* lines before the first and behind the last sample */

struct printer {
    struct report *r;
    struct out *out;
    struct graph_frames frames;
    struct graph graph;
    struct source_reader reader;
    uint32_t *nodes; /* those that match, by function, then file */
    uint32_t node_count;
};

static const struct names_item *text_of(const struct printer *w, uint32_t name)
{
    return &w->frames.names.items[name];
}

static int compare_texts(const struct names_item *a, const struct names_item *b)
{
    int order = memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int by_function_and_file(const void *a, const void *b, void *context)
{
    const struct printer *w = context;
    uint32_t m = *(const uint32_t *)a, n = *(const uint32_t *)b;
    const struct graph_info *x = &w->frames.infos[m], *y = &w->frames.infos[n];
    int order = compare_texts(text_of(w, x->name), text_of(w, y->name));
    if (!order)
        order = compare_texts(text_of(w, x->file), text_of(w, y->file));
    return order ? order : (m > n) - (m < n);
}

static void choose_nodes(struct printer *w)
{
    const struct graph *g = &w->graph;
    w->nodes = arena_array(&w->r->arena, g->shown_count, sizeof *w->nodes);
    for (uint32_t i = 0; i < g->shown_count; i++) {
        const struct names_item *name = text_of(w, w->frames.infos[g->shown[i]].name);
        if (regex_matches(w->r->o.symbol, name->ptr, name->len))
            w->nodes[w->node_count++] = g->shown[i];
    }
    qsort_r(w->nodes, w->node_count, sizeof *w->nodes, by_function_and_file, w);
}

static void put_value(struct printer *w, int64_t value, bool dot)
{
    const char *text = value || !dot ? report_value(w->r, value) : ".";
    out_right(w->out, text, strlen(text), 10);
    out_putc(w->out, ' ');
}

static void put_text(struct printer *w, const struct names_item *text)
{
    out_write(w->out, text->ptr, text->len);
}

/* The lines from the function's start, or before its first sample, to behind its last one. pprof
 * leaves the end where it was for a sample that moves the start. */
static void find_range(const struct printer *w, const uint32_t *nodes, uint32_t count,
                       int64_t *first, int64_t *last)
{
    *first = INT64_MAX;
    *last = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        const struct graph_info *n = &w->frames.infos[nodes[i]];
        int64_t start = n->start_line ? n->start_line : n->line - MARGIN, end = n->line + MARGIN;
        if (i == 0)
            *last = end;
        if (start < *first)
            *first = start;
        else if (end > *last)
            *last = end;
    }
    if (*first < 1)
        *first = 1;
}

struct line_weight {
    int64_t line, flat, cum;
};

static int by_line(const void *a, const void *b)
{
    const struct line_weight *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

static void print_lines(struct printer *w, struct profile_str file, const uint32_t *nodes,
                        uint32_t count)
{
    struct line_weight *weights = arena_array(&w->r->arena, count, sizeof *weights);
    int64_t first, last;
    find_range(w, nodes, count, &first, &last);
    for (uint32_t i = 0; i < count; i++)
        weights[i] = (struct line_weight){w->frames.infos[nodes[i]].line, w->graph.flat[nodes[i]],
                                          w->graph.cum[nodes[i]]};
    sort_list(weights, count, sizeof *weights, by_line);
    uint32_t next = 0;
    for (int64_t line = first; line <= last; line++) {
        struct profile_str text;
        int64_t flat = 0, cum = 0;
        if (!source_line(&w->reader, file, line, &text))
            return;
        for (; next < count && weights[next].line <= line; next++) {
            flat += weights[next].line == line ? weights[next].flat : 0;
            cum += weights[next].line == line ? weights[next].cum : 0;
        }
        put_value(w, flat, true);
        put_value(w, cum, true);
        out_int(w->out, line, 6);
        out_putc(w->out, ':');
        out_write(w->out, text.ptr, text.len);
        out_putc(w->out, '\n');
    }
}

static void print_file(struct printer *w, const uint32_t *nodes, uint32_t count)
{
    const struct graph_info *info = &w->frames.infos[nodes[0]];
    const struct names_item *file = text_of(w, info->file);
    char percent[UNIT_PERCENT_SIZE];
    int64_t flat = 0, cum = 0;
    for (uint32_t i = 0; i < count; i++) {
        flat += w->graph.flat[nodes[i]];
        cum += w->graph.cum[nodes[i]];
    }
    out_puts(w->out, "ROUTINE ======================== ");
    put_text(w, text_of(w, info->name));
    out_puts(w->out, " in ");
    put_text(w, file);
    out_putc(w->out, '\n');
    put_value(w, flat, false);
    put_value(w, cum, false);
    out_printf(w->out, "(flat, cum) %s of Total\n", unit_percent(percent, cum, w->r->total));
    struct profile_str name = {file->ptr, file->len};
    print_lines(w, name, nodes, count);
    const char *error = source_known_error(&w->reader, name); /* then there were no lines */
    if (error)
        out_printf(w->out, " Error: %s\n", error);
}

static void print_function(struct printer *w, const uint32_t *nodes, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0, next; i < count; i = next) {
        uint32_t file = w->frames.infos[nodes[i]].file;
        for (next = i + 1; next < count && w->frames.infos[nodes[next]].file == file; next++)
            ;
        if (!file)
            continue;
        any = true;
        print_file(w, nodes + i, next - i);
    }
    if (!any) {
        out_puts(w->out, "No source information for ");
        put_text(w, text_of(w, w->frames.infos[nodes[0]].name));
        out_putc(w->out, '\n');
    }
}

int report_list(struct report *r, struct out *out, struct err *e)
{
    struct printer w = {.r = r, .out = out};
    report_graph_listed(r, &w.frames, &w.graph);
    choose_nodes(&w);
    int rc = 0;
    if (!w.node_count)
        rc = err_set(e, -ENOENT, "no matches found for regexp: %s", regex_pattern(r->o.symbol));
    if (!rc)
        rc = source_reader_init(&w.reader, &r->arena, r->o.source_path, r->o.trim_path, e);
    if (!rc)
        out_printf(out, "Total: %s\n", report_value(r, r->total));
    for (uint32_t i = 0, next; !rc && i < w.node_count; i = next) {
        uint32_t name = w.frames.infos[w.nodes[i]].name;
        for (next = i + 1; next < w.node_count && w.frames.infos[w.nodes[next]].name == name;
             next++)
            ;
        print_function(&w, w.nodes + i, next - i);
    }
    graph_free(&w.graph);
    graph_frames_free(&w.frames);
    return rc;
}
