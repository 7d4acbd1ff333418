/* SPDX-License-Identifier: MIT
 *
 * dot: the call graph as a drawing in the language of Graphviz (google/pprof
 * internal/graph/dotgraph.go, ComposeDot). Sizes say flat, colours cum, thickness the weight of a
 * call. svg, png and the like are this text given to the program dot. */
#include "report/dot.h"

#include "analyze/unit.h"
#include "base/gotext.h"
#include "base/sort.h"
#include "report/short_name.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLOR_SIZE = 8 };

void dot_escape(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\n') {
            buf_puts(out, "\\l");
            continue;
        }
        if (s[i] == '\\' || s[i] == '"')
            buf_putc(out, '\\');
        buf_putc(out, s[i]);
    }
}

void dot_put_name(struct dot *d, const char *s, size_t len)
{
    if (!d->r->o.escape_all) {
        out_write(d->out, s, len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bool line_end = s[i] == '\\' && i + 1 < len && s[i + 1] == 'n';
        if (s[i] == '"' || (s[i] == '\\' && !line_end))
            out_putc(d->out, '\\');
        out_putc(d->out, s[i]);
    }
}

/* ---- colours ---- */

/* uint8(v) as Go does it on amd64: 0 for what is no number. */
static unsigned channel(double v)
{
    return (unsigned)(uint8_t)graph_int64(v * 255.0);
}

/* From green at -1 over grey to red at 1. A background is pale. */
static const char *color(char text[COLOR_SIZE], double score, bool background)
{
    double saturation = background ? 0.1 : 1.0, value = background ? 0.93 : 0.7;
    score = score < -1 ? -1 : score > 1 ? 1 : score;
    if (fabs(score) < 0.2)
        saturation *= fabs(score) / 0.2;
    /* Away from the grey in the middle: |score| to the power of 0.3, as Go computes it. */
    if (score > 0)
        score = exp(0.3 * log(score));
    if (score < 0)
        score = -exp(0.3 * log(-score));
    double r = value, g = value, b = value * (1 - saturation);
    if (score < 0)
        r = value * (1 + saturation * score);
    else
        g = value * (1 - saturation * score);
    snprintf(text, COLOR_SIZE, "#%02x%02x%02x", channel(r), channel(g), channel(b));
    return text;
}

static double share(const struct dot *d, int64_t v)
{
    return (double)v / (double)graph_abs(d->r->total);
}

/* ---- nodes ---- */

static void put_replaced(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == ':' && i + 1 < len && s[i + 1] == ':') {
            buf_puts(out, "\\n");
            i++;
        } else if (len - i >= 5 && !memcmp(s + i, "[...]", 5)) {
            buf_puts(out, "[…]"); /* Go's type parameters stay on one line */
            i += 4;
        } else if (s[i] == '.') {
            buf_puts(out, "\\n");
        } else {
            buf_putc(out, s[i]);
        }
    }
}

/* The parts of the printable name, shortened, one a line. */
static void put_node_name(struct dot *d, uint32_t node)
{
    const struct graph_info *info = &d->t->frames.infos[node];
    const struct names_item *items = d->t->frames.names.items;
    struct names_item name = items[info->name], file = items[info->file];
    struct buf shorter, escaped;
    size_t base_len = 0;
    buf_init(&shorter, &d->r->arena);
    buf_init(&escaped, &d->r->arena);
    short_name(&shorter, name.ptr, name.len);
    dot_escape(&escaped, shorter.data, shorter.len);
    const char *base = file.len ? gotext_base(file.ptr, file.len, &base_len) : "";
    if (info->address)
        out_printf(d->out, "%016llx\\n", (unsigned long long)info->address);
    if (escaped.len) {
        shorter.len = 0;
        put_replaced(&shorter, escaped.data, escaped.len);
        out_write(d->out, shorter.data, shorter.len);
        out_puts(d->out, "\\n");
    }
    if (info->line || file.len) {
        out_write(d->out, base, base_len);
        if (info->line)
            out_printf(d->out, ":%lld", (long long)info->line);
        if (info->line && info->column)
            out_printf(d->out, ":%lld", (long long)info->column);
        out_puts(d->out, "\\n");
    } else if (!escaped.len && info->object) {
        base = gotext_base(items[info->object].ptr, items[info->object].len, &base_len);
        out_putc(d->out, '[');
        out_write(d->out, base, base_len);
        out_puts(d->out, "]\\n");
    } else if (!escaped.len) {
        out_puts(d->out, "<unknown>\\n");
    }
}

static void put_percent(struct dot *d, int64_t v)
{
    char percent[UNIT_PERCENT_SIZE];
    const char *text = unit_percent(percent, v, d->r->total);
    out_printf(d->out, " (%s)", text + strspn(text, " "));
}

static void put_value(struct dot *d, int64_t v)
{
    const char *text = report_value(d->r, v);
    out_write(d->out, text, d->r->value.len);
}

static void put_full_name(struct dot *d, uint32_t node)
{
    struct arena scratch;
    struct buf name;
    arena_init(&scratch);
    buf_init(&name, &scratch);
    graph_node_name(&d->t->frames, node, &name);
    d->text.len = 0;
    dot_escape(&d->text, name.data, name.len);
    out_write(d->out, d->text.data, d->text.len);
    arena_free(&scratch);
}

static void put_node_values(struct dot *d, int64_t flat, int64_t cum)
{
    if (flat) {
        put_value(d, flat);
        put_percent(d, flat);
    } else {
        out_putc(d->out, '0');
    }
    if (cum != flat) {
        out_puts(d->out, flat ? "\\nof " : " of ");
        put_value(d, cum);
        put_percent(d, cum);
    }
}

/* From 8 to 24: not linear, to make what has little flat visible. */
static int font_size(const struct dot *d, int64_t flat)
{
    double weight = (double)graph_abs(flat);
    int size = 8;
    if (d->most != 0 && flat && weight <= d->most)
        size += (int)ceil(16.0 * sqrt(weight / d->most));
    return size < d->style->least_size ? d->style->least_size : size;
}

static void put_node(struct dot *d, uint32_t node)
{
    const struct graph *g = &d->t->graph;
    int64_t flat = graph_flat(g, node), cum = graph_cum(g, node);
    char line[COLOR_SIZE], fill[COLOR_SIZE];
    out_printf(d->out, "N%u [label=\"", d->ids[node]);
    put_node_name(d, node);
    put_node_values(d, flat, cum);
    out_printf(d->out, "\" id=\"node%u\" fontsize=%d shape=box tooltip=\"", d->ids[node],
               font_size(d, flat));
    put_full_name(d, node);
    out_puts(d->out, " (");
    put_value(d, cum);
    out_printf(d->out, ")\" color=\"%s\" fillcolor=\"%s\"]\n", color(line, share(d, cum), false),
               color(fill, share(d, cum), true));
}

/* ---- edges ---- */

struct edge_key {
    int64_t weight;
    const char *src, *dest; /* names */
    uint32_t src_len, dest_len, edge;
    bool tags; /* the source has some */
};

static int compare_names(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_weight(const void *a, const void *b)
{
    const struct edge_key *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    int order = compare_names(x->src, x->src_len, y->src, y->src_len);
    if (!order)
        order = compare_names(x->dest, x->dest_len, y->dest, y->dest_len);
    return order ? order : (x->edge > y->edge) - (x->edge < y->edge);
}

static int64_t steps(const struct dot *d, int64_t weight, int64_t most)
{
    int64_t n = weight * most, total = d->r->total;
    n = graph_abs(total == -1 ? -n : n / total);
    return 1 + (n < most ? n : most);
}

static void put_edge(struct dot *d, const struct edge_key *k)
{
    const struct graph_edge *e = &d->t->graph.edges[k->edge];
    int64_t weight = graph_mean(e->weight, e->weight_div);
    out_printf(d->out, "N%u -> N%u [label=\" ", d->ids[e->src], d->ids[e->dest]);
    put_value(d, weight);
    out_puts(d->out, e->inlined ? "\\n (inline)\"" : "\"");
    if (d->r->total) {
        char line[COLOR_SIZE];
        int64_t heavy = steps(d, weight, 100), wide = steps(d, weight, 5);
        if (heavy > 1)
            out_printf(d->out, " weight=%lld", (long long)heavy);
        if (wide > 1)
            out_printf(d->out, " penwidth=%lld", (long long)wide);
        out_printf(d->out, " color=\"%s\"", color(line, share(d, weight), false));
    }
    static const char *const attributes[] = {" tooltip=\"", " labeltooltip=\""};
    for (size_t i = 0; i < 2; i++) {
        out_puts(d->out, attributes[i]);
        put_full_name(d, e->src);
        out_puts(d->out, e->residual ? " ... " : " -> ");
        put_full_name(d, e->dest);
        out_puts(d->out, " (");
        put_value(d, weight);
        out_puts(d->out, ")\"");
    }
    if (e->residual)
        out_puts(d->out, " style=\"dotted\"");
    if (k->tags)
        out_puts(d->out, " minlen=2");
    out_puts(d->out, "]\n");
}

/* Names of nodes, each made once. */
struct node_names {
    struct arena arena;
    struct names_item *names;
};

static struct names_item name_of(struct dot *d, struct node_names *n, uint32_t node)
{
    if (!n->names[node].ptr) {
        struct buf text;
        buf_init(&text, &n->arena);
        graph_node_name(&d->t->frames, node, &text);
        n->names[node] = (struct names_item){buf_cstr(&text), (uint32_t)text.len};
    }
    return n->names[node];
}

/* All edges of the nodes shown, heaviest first. One may lead to a node that is not: pprof draws it
 * to a node without number. */
static void put_edges(struct dot *d, const bool *tags)
{
    const struct graph *g = &d->t->graph;
    struct node_names names;
    arena_init(&names.arena);
    names.names = arena_zarray(&names.arena, g->frames->node_count, sizeof *names.names);
    struct edge_key *keys = arena_array(&names.arena, g->edge_count, sizeof *keys);
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        uint32_t node = g->shown[i];
        for (uint32_t e = g->first_out[node]; e != GRAPH_NONE; e = g->edges[e].next_out) {
            if (g->edges[e].removed)
                continue;
            struct names_item src = name_of(d, &names, node);
            struct names_item dest = name_of(d, &names, g->edges[e].dest);
            keys[count++] = (struct edge_key){
                graph_abs(g->edges[e].weight), src.ptr, dest.ptr, src.len, dest.len, e, tags[i]};
        }
    }
    sort_list(keys, count, sizeof *keys, by_weight);
    for (uint32_t i = 0; i < count; i++)
        put_edge(d, &keys[i]);
    arena_free(&names.arena);
}

/* ---- the whole ---- */

/* The name of the first mapping's file; it is not escaped in pprof either. */
static struct profile_str title(const struct profile *p)
{
    static const struct profile_str none = {"", 0};
    if (!p->mapping_count || !p->strings[p->mappings[0].file].len)
        return none;
    struct profile_str file = p->strings[p->mappings[0].file];
    size_t len;
    const char *base = gotext_base(file.ptr, file.len, &len);
    return (struct profile_str){base, (uint32_t)len};
}

static void put_legend(struct dot *d, struct profile_str name)
{
    struct buf labels;
    buf_init(&labels, &d->r->arena);
    size_t first = report_labels(d->r, &labels, d->t, true);
    d->text.len = 0;
    dot_escape(&d->text, labels.data, first);
    out_puts(d->out, "subgraph cluster_L { \"");
    out_write(d->out, d->text.data, d->text.len);
    out_puts(d->out, "\" [shape=box fontsize=16 label=\"");
    d->text.len = 0;
    dot_escape(&d->text, labels.data, labels.len);
    out_write(d->out, d->text.data, d->text.len);
    out_putc(d->out, '"');
    if (name.len) {
        out_puts(d->out, " tooltip=\"");
        dot_put_name(d, name.ptr, name.len);
        out_putc(d->out, '"');
    }
    out_puts(d->out, "] }\n");
}

static void put_graph(struct dot *d)
{
    const struct graph *g = &d->t->graph;
    for (uint32_t i = 0; i < g->shown_count; i++) {
        double flat = (double)graph_abs(graph_flat(g, g->shown[i]));
        d->ids[g->shown[i]] = i + 1;
        if (!i || flat > d->most)
            d->most = flat;
    }
    bool *tags = arena_zarray(&d->r->arena, g->shown_count, sizeof *tags);
    for (uint32_t i = 0; i < g->shown_count; i++) {
        put_node(d, g->shown[i]);
        tags[i] = dot_tags(d, g->shown[i]);
    }
    put_edges(d, tags);
}

void report_dot_graph(struct report *r, struct out *out, const struct graph_trimmed *t,
                      const struct dot_style *style)
{
    struct profile_str name = title(r->p);
    struct dot d = {.r = r, .out = out, .t = t, .style = style};
    d.ids = arena_zarray(&r->arena, t->frames.node_count, sizeof *d.ids);
    buf_init(&d.text, &r->arena);
    out_puts(out, "digraph \"");
    if (name.len)
        dot_put_name(&d, name.ptr, name.len);
    else
        out_puts(out, "unnamed");
    out_puts(out, "\" {\nnode [style=filled fillcolor=\"#f8f8f8\"]\n");
    if (style->font)
        out_printf(out, "node [fontname=\"%s\"]\nedge [fontname=\"%s\"]\n", style->font,
                   style->font);
    if (!style->bare)
        put_legend(&d, name);
    if (t->graph.shown_count)
        put_graph(&d);
    out_puts(out, "}\n");
}

int report_dot(struct report *r, struct out *out, struct err *e)
{
    struct graph_trimmed t;
    report_graph_drawn(r, &t);
    report_dot_graph(r, out, &t, &(struct dot_style){.bare = false});
    graph_trimmed_free(&t);
    return 0;
}
