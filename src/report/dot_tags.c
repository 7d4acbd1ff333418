/* SPDX-License-Identifier: MIT
 *
 * Labels in a drawing: boxes at a node for its heaviest label sets, and below these boxes for
 * numbers; many numbers become four ranges (google/pprof internal/graph/dotgraph.go). */
#include "report/dot.h"

#include "analyze/unit.h"
#include "base/sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOXES_MAX = 4, ID_SIZE = 32 };

/* A tag, or several that share a box. */
struct box {
    struct names_item name;
    int64_t value, flat, cum; /* flat and cum are what is compared: not divided for tags */
    int64_t flat_shown, cum_shown;
    int64_t flat_div, cum_div;
    uint32_t labels;
    bool by_flat; /* the order asked for */
};

/* Heaviest first, then by name. */
static int by_weight(const void *a, const void *b)
{
    const struct box *x = a, *y = b;
    if (!x->by_flat && graph_abs(x->cum) != graph_abs(y->cum))
        return graph_abs(x->cum) > graph_abs(y->cum) ? -1 : 1;
    if (graph_abs(x->flat) != graph_abs(y->flat))
        return graph_abs(x->flat) > graph_abs(y->flat) ? -1 : 1;
    uint32_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = n ? memcmp(x->name.ptr, y->name.ptr, n) : 0;
    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static struct box make_box(const struct node_tags *tags, const struct node_tag *t, bool by_flat)
{
    return (struct box){
        .name = tags->texts.items[t->name == NODE_TAG_NONE ? t->labels : t->name],
        .value = t->value,
        .flat = t->flat,
        .cum = t->cum,
        .flat_shown = graph_mean(t->flat, t->flat_div),
        .cum_shown = graph_mean(t->cum, t->cum_div),
        .flat_div = t->flat_div,
        .cum_div = t->cum_div,
        .labels = t->labels,
        .by_flat = by_flat,
    };
}

/* The node's tags of one kind, sorted: label sets, or the numbers below one (`labels`). */
static struct box *collect(struct dot *d, uint32_t node, const uint32_t *labels, bool by_flat,
                           uint32_t *count)
{
    const struct node_tags *tags = &d->t->tags;
    uint32_t room = 0;
    *count = 0;
    for (uint32_t i = tags->first[node]; i != NODE_TAG_NONE; i = tags->tags[i].next)
        room++;
    struct box *boxes = arena_array(&d->r->arena, room, sizeof *boxes);
    for (uint32_t i = tags->first[node]; i != NODE_TAG_NONE; i = tags->tags[i].next) {
        const struct node_tag *t = &tags->tags[i];
        bool wanted =
            labels ? t->name != NODE_TAG_NONE && t->labels == *labels : t->name == NODE_TAG_NONE;
        if (wanted && node_tags_counts(tags, t))
            boxes[(*count)++] = make_box(tags, t, by_flat);
    }
    sort_list(boxes, *count, sizeof *boxes, by_weight);
    return boxes;
}

/* ---- numbers ---- */

static double distance(const struct box *a, const struct box *b, const char *unit)
{
    double v = unit_scale(b->value, unit, unit).value;
    return v < (double)a->value ? (double)a->value - v : v - (double)a->value;
}

/* A range, summed up; the first box stands for a single value. */
struct range {
    struct box first;
    int64_t least, most;
    uint32_t count;
};

static void add_to_range(struct range *g, const struct box *b, const char *unit)
{
    if (!g->count++) {
        g->first = *b;
        g->least = g->most = b->value;
        return;
    }
    int64_t v = graph_int64(unit_scale(b->value, unit, unit).value);
    if (v < g->least)
        g->least = b->value;
    if (v > g->most)
        g->most = b->value;
    g->first.flat += b->flat;
    g->first.flat_div += b->flat_div;
    g->first.cum += b->cum;
    g->first.cum_div += b->cum_div;
}

static struct box range_box(struct dot *d, const struct range *g, bool by_flat)
{
    const char *unit = d->t->tags.unit;
    struct buf name;
    buf_init(&name, &d->r->arena);
    unit_label(&name, g->least, unit, "auto");
    if (g->count > 1) {
        buf_puts(&name, "..");
        unit_label(&name, g->most, unit, "auto");
    }
    int64_t flat = graph_mean(g->first.flat, g->first.flat_div);
    int64_t cum = graph_mean(g->first.cum, g->first.cum_div);
    return (struct box){.name = {name.data, (uint32_t)name.len},
                        .flat = flat,
                        .cum = cum,
                        .flat_shown = flat,
                        .cum_shown = cum,
                        .by_flat = by_flat};
}

/* At most BOXES_MAX boxes: the heaviest values begin a range each, others join the nearest. */
static uint32_t collapse(struct dot *d, struct box *boxes, uint32_t count, bool by_flat)
{
    if (count <= BOXES_MAX)
        return count;
    const char *unit = d->t->tags.unit;
    struct range ranges[BOXES_MAX] = {0};
    struct box begin[BOXES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t nearest = i;
        if (i < BOXES_MAX) {
            begin[i] = boxes[i];
        } else {
            nearest = 0;
            for (uint32_t k = 1; k < BOXES_MAX; k++)
                if (distance(&boxes[i], &begin[k], unit) <
                    distance(&boxes[i], &begin[nearest], unit))
                    nearest = k;
        }
        add_to_range(&ranges[nearest], &boxes[i], unit);
    }
    for (uint32_t k = 0; k < BOXES_MAX; k++) {
        struct box made = range_box(d, &ranges[k], by_flat);
        uint32_t i = k;
        /* Sorted as they come; equal ones stay in order. */
        for (; i > 0 && by_weight(&made, &boxes[i - 1]) < 0; i--)
            boxes[i] = boxes[i - 1];
        boxes[i] = made;
    }
    return BOXES_MAX;
}

static void put_box(struct dot *d, const char *id, struct names_item name, const char *weight)
{
    out_puts(d->out, id);
    out_puts(d->out, " [label = \"");
    dot_put_name(d, name.ptr, name.len);
    out_printf(d->out, "\" id=\"%s\" fontsize=8 shape=box3d tooltip=\"%s\"]\n", id, weight);
}

static void put_arrow(struct dot *d, const char *from, const char *to, const char *weight,
                      const char *style)
{
    out_printf(d->out, "%s -> %s [label=\" %s\" weight=100 tooltip=\"%s\" labeltooltip=\"%s\"%s]\n",
               from, to, weight, weight, weight, style);
}

/* The numbers below a box or a node, `from`. */
static bool put_numbers(struct dot *d, uint32_t node, uint32_t labels, bool by_flat,
                        const char *from)
{
    uint32_t count;
    struct box *boxes = collect(d, node, &labels, by_flat, &count);
    count = collapse(d, boxes, count, by_flat);
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        bool flat = by_flat || boxes[i].flat_shown == boxes[i].cum_shown;
        int64_t w = flat ? boxes[i].flat_shown : boxes[i].cum_shown;
        char id[ID_SIZE + 16];
        if (!w)
            continue;
        any = true;
        /* pprof puts another N before the whole. */
        snprintf(id, sizeof id, "N%s_%u", from, i);
        const char *weight = report_value(d->r, w);
        put_box(d, id, boxes[i].name, weight);
        put_arrow(d, from, id, weight, flat ? "" : " style=\"dotted\"");
    }
    return any;
}

static bool calls_any(const struct graph *g, uint32_t node)
{
    for (uint32_t e = g->first_out[node]; e != GRAPH_NONE; e = g->edges[e].next_out)
        if (!g->edges[e].removed)
            return true;
    return false;
}

bool dot_tags(struct dot *d, uint32_t node)
{
    if (!d->t->tags.first || d->t->tags.first[node] == NODE_TAG_NONE)
        return false;
    /* A leaf stands for what it called as well, when that was cut. */
    bool by_flat = calls_any(&d->t->graph, node), any = false;
    char from[16], id[ID_SIZE];
    uint32_t count;
    struct box *boxes = collect(d, node, NULL, by_flat, &count);
    snprintf(from, sizeof from, "N%u", d->ids[node]);
    for (uint32_t i = 0; i < count && i < BOXES_MAX; i++) {
        int64_t w = by_flat ? boxes[i].flat_shown : boxes[i].cum_shown;
        if (!w)
            continue;
        any = true;
        snprintf(id, sizeof id, "%s_%u", from, i);
        const char *weight = report_value(d->r, w);
        put_box(d, id, boxes[i].name, weight);
        put_arrow(d, from, id, weight, "");
        put_numbers(d, node, boxes[i].labels, by_flat, id);
    }
    return put_numbers(d, node, 0, by_flat, from) || any;
}
