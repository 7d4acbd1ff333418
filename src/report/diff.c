/* SPDX-License-Identifier: MIT
 *
 * diff: what changed since a base. Ours, not pprof's: its verdict comes first, in a sentence, and
 * then the functions that explain it, those with the largest change of their own value. The profile
 * is a source and its base (-diff_base), merged: the base's samples have the label pprof::base and
 * negative values.
 *
 * Noise. Where the profile counts its samples (cpu, wall), each is one hit of a Poisson process, so
 * that a value that is the sum of n hits of weight w has the variance n w^2: of a stack with value
 * v and count c, v^2 / c. A change below two standard deviations of before and after together is
 * what two runs of the same program may show, and is counted instead of listed. This is the noise
 * of sampling alone, not that from run to run. Other profiles (heap, contentions) do not say how
 * often they were hit, and everything is listed. */
#include "analyze/unit.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVIATIONS = 2 };

/* One node's, or the whole profile's. */
struct change {
    uint32_t node;
    int64_t before, after, cum_before, cum_after;
    double variance; /* of after - before, by what the list is sorted by */
};

struct diff {
    struct report *r;
    struct graph_frames frames;
    struct change total, *nodes;
    uint32_t *seen;       /* by node: the last sample, plus 1, that counted for its cum */
    uint32_t count_index; /* of the sample type that counts hits, or PROFILE_NONE */
    struct buf name;
};

static uint32_t find_count(const struct profile *p)
{
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        if (profile_str_is(p->strings[p->sample_types[i].unit], "count") &&
            (profile_str_is(p->strings[p->sample_types[i].type], "samples") ||
             profile_str_is(p->strings[p->sample_types[i].type], "sample")))
            return i;
    return PROFILE_NONE;
}

static double variance_of(const struct diff *d, const int64_t *values)
{
    if (d->count_index == PROFILE_NONE || !values[d->count_index])
        return 0;
    double v = (double)values[d->r->o.values.index];
    return v * v / fabs((double)values[d->count_index]);
}

static void add(int64_t *before, int64_t *after, bool is_base, int64_t value)
{
    *(is_base ? before : after) += is_base ? -value : value;
}

static void add_sample(struct diff *d, uint32_t i)
{
    const struct profile *p = d->r->p;
    const int64_t *values = p->values + (size_t)i * p->sample_type_count;
    int64_t value = values[d->r->o.values.index];
    bool is_base = refine_is_base(p, i), leaf = true;
    double variance = variance_of(d, values);
    add(&d->total.before, &d->total.after, is_base, value);
    d->total.variance += variance;
    for (uint64_t k = profile_loc_first(p, i); k < p->sample_loc_end[i]; k++) {
        const struct graph_frames *f = &d->frames;
        uint32_t location = p->loc_refs[k];
        for (uint32_t l = f->loc_first[location]; l < f->loc_first[location + 1]; l++) {
            struct change *c = &d->nodes[f->line_nodes[l]];
            if (leaf)
                add(&c->before, &c->after, is_base, value);
            if (leaf && !d->r->o.by_cum)
                c->variance += variance;
            leaf = false;
            if (d->seen[f->line_nodes[l]] == i + 1)
                continue;
            d->seen[f->line_nodes[l]] = i + 1;
            add(&c->cum_before, &c->cum_after, is_base, value);
            if (d->r->o.by_cum)
                c->variance += variance;
        }
    }
}

static void sum(struct diff *d)
{
    struct report *r = d->r;
    graph_frames_make(&d->frames, r->p, false);
    d->nodes = arena_array(&r->arena, d->frames.node_count + 1, sizeof *d->nodes);
    d->seen = arena_array(&r->arena, d->frames.node_count + 1, sizeof *d->seen);
    memset(d->nodes, 0, (d->frames.node_count + 1) * sizeof *d->nodes);
    memset(d->seen, 0, (d->frames.node_count + 1) * sizeof *d->seen);
    for (uint32_t i = 0; i < d->frames.node_count; i++)
        d->nodes[i].node = i;
    d->count_index = find_count(r->p);
    for (uint32_t i = 0; i < r->p->sample_count; i++)
        add_sample(d, i);
}

static int64_t change_of(const struct diff *d, const struct change *c)
{
    return d->r->o.by_cum ? c->cum_after - c->cum_before : c->after - c->before;
}

static bool is_noise(const struct change *c, int64_t change)
{
    return c->variance > 0 && fabs((double)change) < DEVIATIONS * sqrt(c->variance);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct change *x = a, *y = b;
    int64_t dx = graph_abs(change_of(context, x)), dy = graph_abs(change_of(context, y));
    return dx != dy ? (dx < dy) - (dx > dy) : (x->node > y->node) - (x->node < y->node);
}

static void put_right(struct diff *d, struct out *out, int64_t value, bool sign)
{
    struct report *r = d->r;
    const char *text = report_value(r, value);
    char signed_text[64];
    if (sign && value > 0) {
        snprintf(signed_text, sizeof signed_text, "+%s", text);
        text = signed_text;
    }
    out_right(out, text, strlen(text), 10);
    out_putc(out, ' ');
}

static void put_row(struct diff *d, struct out *out, const struct change *c)
{
    bool cum = d->r->o.by_cum;
    char percent[UNIT_PERCENT_SIZE], signed_percent[UNIT_PERCENT_SIZE + 1];
    int64_t change = change_of(d, c), base = d->total.before ? d->total.before : d->total.after;
    const char *share = unit_percent(percent, change, base);
    snprintf(signed_percent, sizeof signed_percent, "%c%s", change < 0 ? '-' : '+',
             share + strspn(share, " "));
    put_right(d, out, cum ? c->cum_before : c->before, false);
    put_right(d, out, cum ? c->cum_after : c->after, false);
    put_right(d, out, change, true);
    out_right(out, signed_percent, strlen(signed_percent), 8);
    out_puts(out, "  ");
    d->name.len = 0;
    graph_node_name(&d->frames, c->node, &d->name);
    out_write(out, d->name.data, d->name.len);
    out_putc(out, '\n');
}

/* "38.20s before, 42.90s after: 4.70s more (12.30%), beyond the noise of sampling (0.45s)". */
static void put_verdict(struct diff *d, struct out *out)
{
    const struct change *t = &d->total;
    int64_t change = t->after - t->before;
    char percent[UNIT_PERCENT_SIZE];
    out_puts(out, report_value(d->r, t->before));
    out_puts(out, " before, ");
    out_puts(out, report_value(d->r, t->after));
    out_puts(out, " after: ");
    if (!change) {
        out_puts(out, "no change\n");
        return;
    }
    out_puts(out, report_value(d->r, graph_abs(change)));
    out_puts(out, change > 0 ? " more" : " less");
    if (t->before) {
        const char *share = unit_percent(percent, graph_abs(change), t->before);
        out_puts(out, " (");
        out_puts(out, share + strspn(share, " "));
        out_puts(out, ")");
    }
    if (t->variance > 0) {
        out_puts(out, is_noise(t, change) ? ", within" : ", beyond");
        out_puts(out, " the noise of sampling, ");
        out_puts(out, report_value(d->r, (int64_t)(DEVIATIONS * sqrt(t->variance))));
    }
    out_putc(out, '\n');
}

/* One unit for all, in which the larger total is easily read. */
static void settle_unit(struct diff *d)
{
    struct report_options *o = &d->r->o;
    int64_t most = d->total.before > d->total.after ? d->total.before : d->total.after;
    if (strcmp(o->unit, "minimum") && strcmp(o->unit, "auto"))
        return;
    const char *unit =
        unit_scale(graph_int64((double)most * o->ratio), o->sample_unit, "auto").unit;
    o->unit = *unit ? unit : o->sample_unit;
}

static void put_rest(struct diff *d, struct out *out, uint32_t count, int64_t change)
{
    char text[96];
    if (!count)
        return;
    snprintf(text, sizeof text, "%u other function%s changed by ", count, count == 1 ? "" : "s");
    out_puts(out, text);
    out_puts(out, change > 0 ? "+" : "");
    out_puts(out, report_value(d->r, change));
    out_puts(out, " in all\n");
}

static void put_rows(struct diff *d, struct out *out)
{
    const struct report_options *o = &d->r->o;
    uint32_t n = d->frames.node_count, shown = 0, others = 0;
    int64_t most = d->total.before > d->total.after ? d->total.before : d->total.after, rest = 0;
    double least = fabs((double)most * o->node_fraction);
    qsort_r(d->nodes, n, sizeof *d->nodes, compare, d);
    for (uint32_t i = 0; i < n; i++) {
        int64_t change = change_of(d, &d->nodes[i]);
        if (!change)
            break;
        bool full = o->node_count > 0 && shown >= (uint64_t)o->node_count;
        if (full || fabs((double)change) < least || is_noise(&d->nodes[i], change) ||
            (o->drop_negative && change < 0)) {
            others++;
            rest += change;
            continue;
        }
        if (!shown++)
            out_puts(out, o->by_cum ? "    before      after     change  change%  cum\n"
                                    : "    before      after     change  change%  flat\n");
        put_row(d, out, &d->nodes[i]);
    }
    if (!o->by_cum)
        put_rest(d, out, others, rest);
}

int report_diff(struct report *r, struct out *out, struct err *e)
{
    (void)e;
    struct diff d = {.r = r};
    buf_init(&d.name, &r->arena);
    sum(&d);
    settle_unit(&d);
    if (*r->o.sample_type) {
        out_puts(out, "Type: ");
        out_puts(out, r->o.sample_type);
        out_putc(out, '\n');
    }
    put_verdict(&d, out);
    put_rows(&d, out);
    graph_frames_free(&d.frames);
    return 0;
}
