/* SPDX-License-Identifier: MIT
 *
 * callgrind: the format of Valgrind's tool of that name, for KCachegrind (report.go,
 * printCallgrind; the format is described in Valgrind's manual, "Callgrind Format Specification").
 * Names are written once and by number afterwards, addresses as differences where that is shorter.
 */
#include "report/report.h"

#include "analyze/unit.h"

#include <stdio.h>
#include <string.h>

struct writer {
    struct report *r;
    struct out *out;
    const struct graph_trimmed *t;
    struct names objects, files, functions; /* those written, numbered from 1: 0 is "" */
    uint32_t *callee_name;                  /* by node: number in `called`, 0 if it is not shown */
    struct names called;                    /* names of callees, told apart */
};

static struct names_item text_of(const struct writer *w, uint32_t name)
{
    return w->t->frames.names.items[name];
}

/* "(3) name" the first time, "(3)" later, nothing for "". */
static void put_name(struct writer *w, const char *key, struct names *written,
                     struct names_item text)
{
    uint32_t before = written->count, number = names_intern(written, text.ptr, text.len);
    out_puts(w->out, key);
    if (number) {
        out_printf(w->out, number == before ? "(%u) " : "(%u)", number);
        if (number == before)
            out_write(w->out, text.ptr, text.len);
    }
    out_putc(w->out, '\n');
}

static void put_address(struct writer *w, const struct graph_info *last, uint64_t address)
{
    char absolute[24], relative[24];
    snprintf(absolute, sizeof absolute, "0x%llx", (unsigned long long)address);
    if (!last) {
        out_puts(w->out, absolute);
        return;
    }
    int64_t difference = (int64_t)(address - last->address);
    snprintf(relative, sizeof relative, "%+lld", (long long)difference);
    bool shorter = strlen(relative) < strlen(absolute);
    out_puts(w->out, !difference ? "*" : shorter ? relative : absolute);
}

static int64_t scaled(const struct writer *w, int64_t value)
{
    return graph_int64(unit_scale(value, w->r->o.sample_unit, w->r->o.unit).value);
}

/* ---- names of callees ---- */

/* Functions are apart if their binary, their first line, or in a tree their caller is (and the
 * column, where there is no line, which is as pprof has it); KCachegrind
 * knows functions by file and name alone, so those that share both get numbers. */
struct function {
    uint32_t group, index; /* of the file and name; place among those of the group */
    uint32_t object, parent;
    int64_t start_line, column;
};

struct namer {
    struct arena scratch;
    struct map functions_by_key, groups_by_key;
    struct function *functions; /* by number */
    uint32_t function_count, group_count;
    struct {
        uint32_t file, name, members;
    } * groups;
};

static uint32_t group_of(struct namer *n, const struct graph_info *info)
{
    uint64_t hash = hash_mix(0, (uint64_t)info->file << 32 | info->name);
    struct map_probe at = map_find(&n->groups_by_key, hash);
    uint32_t i;
    while ((i = map_next(&n->groups_by_key, &at)) != MAP_NONE)
        if (n->groups[i].file == info->file && n->groups[i].name == info->name)
            return i;
    map_put(&n->groups_by_key, hash, n->group_count);
    n->groups[n->group_count].file = info->file;
    n->groups[n->group_count].name = info->name;
    n->groups[n->group_count].members = 0;
    return n->group_count++;
}

static uint32_t function_of(struct namer *n, const struct graph_info *info, uint32_t parent)
{
    uint32_t group = group_of(n, info), i;
    int64_t column = info->address || info->line ? 0 : info->column;
    uint64_t hash = hash_mix(hash_mix(group, (uint64_t)info->object << 32 | parent),
                             (uint64_t)(info->start_line + column));
    struct map_probe at = map_find(&n->functions_by_key, hash);
    while ((i = map_next(&n->functions_by_key, &at)) != MAP_NONE) {
        const struct function *f = &n->functions[i];
        if (f->group == group && f->object == info->object && f->parent == parent &&
            f->start_line == info->start_line && f->column == column)
            return i;
    }
    map_put(&n->functions_by_key, hash, n->function_count);
    n->functions[n->function_count] = (struct function){group, n->groups[group].members++,
                                                        info->object, parent, info->start_line};
    return n->function_count++;
}

static uint32_t parent_of(const struct writer *w, uint32_t node)
{
    const struct graph *g = &w->t->graph;
    uint32_t e = w->r->o.call_tree ? g->first_in[node] : GRAPH_NONE;
    return e == GRAPH_NONE ? GRAPH_NONE : g->edges[e].src;
}

static uint32_t callee_name(struct writer *w, const struct namer *n, uint32_t function)
{
    const struct function *f = &n->functions[function];
    struct names_item name = text_of(w, n->groups[f->group].name);
    struct buf text;
    if (n->groups[f->group].members < 2)
        return names_intern(&w->called, name.ptr, name.len);
    buf_init(&text, &w->r->arena);
    buf_append(&text, name.ptr, name.len);
    buf_printf(&text, " [%u/%u]", f->index + 1, n->groups[f->group].members);
    return names_intern(&w->called, text.data, text.len);
}

static void name_callees(struct writer *w)
{
    const struct graph *g = &w->t->graph;
    struct namer n = {0};
    arena_init(&n.scratch);
    map_init(&n.functions_by_key, &n.scratch, g->shown_count);
    map_init(&n.groups_by_key, &n.scratch, g->shown_count);
    n.functions = arena_array(&n.scratch, g->shown_count, sizeof *n.functions);
    n.groups = arena_array(&n.scratch, g->shown_count, sizeof *n.groups);
    uint32_t *function = arena_array(&n.scratch, g->shown_count, sizeof *function);
    for (uint32_t i = 0; i < g->shown_count; i++)
        function[i] = function_of(&n, &w->t->frames.infos[g->shown[i]], parent_of(w, g->shown[i]));
    w->callee_name = arena_zarray(&w->r->arena, w->t->frames.node_count, sizeof *w->callee_name);
    for (uint32_t i = 0; i < g->shown_count; i++)
        w->callee_name[g->shown[i]] = callee_name(w, &n, function[i]);
    arena_free(&n.scratch);
}

/* ---- nodes ---- */

static void put_calls(struct writer *w, uint32_t node, const struct graph_info *last)
{
    struct arena scratch;
    arena_init(&scratch);
    const struct graph *g = &w->t->graph;
    uint32_t count, *edges = graph_edges_out(g, node, &scratch, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct graph_edge *e = &g->edges[edges[i]];
        const struct graph_info *callee = &w->t->frames.infos[e->dest];
        put_name(w, "cfl=", &w->files, text_of(w, callee->file));
        put_name(w, "cfn=", &w->functions, w->called.items[w->callee_name[e->dest]]);
        out_puts(w->out, "calls=0 ");
        put_address(w, last, callee->address);
        out_printf(w->out, " %lld\n* * %lld\n", (long long)callee->line,
                   (long long)scaled(w, e->weight));
    }
    arena_free(&scratch);
}

static void put_node(struct writer *w, uint32_t node, const struct graph_info *last)
{
    const struct graph_info *info = &w->t->frames.infos[node];
    if (!last || info->object != last->object || info->file != last->file ||
        info->name != last->name) {
        out_putc(w->out, '\n');
        put_name(w, "ob=", &w->objects, text_of(w, info->object));
        put_name(w, "fl=", &w->files, text_of(w, info->file));
        put_name(w, "fn=", &w->functions, text_of(w, info->name));
    }
    put_address(w, last, info->address);
    out_printf(w->out, " %lld %lld\n", (long long)info->line,
               (long long)scaled(w, graph_flat(&w->t->graph, node)));
    put_calls(w, node, last);
}

int report_callgrind(struct report *r, struct out *out, struct err *e)
{
    struct graph_trimmed t;
    report_graph_whole(r, &t);
    struct writer w = {.r = r, .out = out, .t = &t};
    names_init(&w.objects, &r->arena);
    names_init(&w.files, &r->arena);
    names_init(&w.functions, &r->arena);
    names_init(&w.called, &r->arena);
    name_callees(&w);
    out_puts(out, "positions: instr line\nevents: ");
    out_puts(out, r->o.sample_type);
    out_printf(out, "(%s)\n", r->o.unit);
    const struct graph_info *last = NULL;
    for (uint32_t i = 0; i < t.graph.shown_count; i++) {
        put_node(&w, t.graph.shown[i], last);
        last = &t.frames.infos[t.graph.shown[i]];
    }
    graph_trimmed_free(&t);
    return 0;
}
