/* SPDX-License-Identifier: MIT
 *
 * disasm: the instructions of the functions whose name matches, or which hold an address, with the
 * weight of each (internal/report/report.go, PrintAssembly). Functions are found in the binaries'
 * symbol tables, not in the profile: a sample belongs to the symbol its address lies in. */
#include "report/report.h"

#include "analyze/unit.h"
#include "base/gotext.h"
#include "base/sort.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct located {
    uint64_t address; /* in the file */
    uint32_t node;
};

/* A symbol with samples. */
struct routine {
    struct object_symbol symbol;
    const char *file;
    struct located *nodes; /* ascending */
    uint32_t node_count;
    int64_t flat;
};

struct printer {
    struct report *r;
    struct out *out;
    struct graph_frames frames;
    struct graph graph;
    bool has_address;
    uint64_t address;
    struct object **objects;
    uint32_t object_count;
    struct routine *routines;
    uint32_t routine_count, symbol_count;
};

/* strconv.ParseUint(s, 0, 64) */
static bool parse_address(const char *s, uint64_t *out)
{
    int64_t v;
    if (*s == '-' || *s == '+' || gotext_parse_int(s, 0, &v) != GOTEXT_OK) {
        char *end;
        errno = 0;
        *out = strtoull(s, &end, 0); /* beyond the signed ones */
        return s[0] >= '0' && s[0] <= '9' && !*end && !errno;
    }
    *out = (uint64_t)v;
    return true;
}

/* Whether a node of the binary matches by its printed name. */
static bool has_match(struct printer *w, struct profile_str file)
{
    struct buf name;
    buf_init(&name, &w->r->arena);
    for (uint32_t i = 0; i < w->graph.shown_count; i++) {
        uint32_t node = w->graph.shown[i];
        const struct names_item *object = &w->frames.names.items[w->frames.infos[node].object];
        if (!object->len || object->len != file.len || memcmp(object->ptr, file.ptr, file.len) != 0)
            continue;
        name.len = 0;
        graph_node_name(&w->frames, node, &name);
        if (regex_matches(w->r->o.symbol, name.data, name.len))
            return true;
    }
    return false;
}

static int by_address(const void *a, const void *b)
{
    const struct located *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* The nodes of a mapping by their addresses in its file. */
static struct located *locate_nodes(struct printer *w, struct object *o,
                                    const struct profile_mapping *m, uint32_t *count)
{
    struct located *nodes = arena_array(&w->r->arena, w->graph.shown_count, sizeof *nodes);
    *count = 0;
    bool any = m->start == 0 && m->limit == 0;
    for (uint32_t i = 0; i < w->graph.shown_count; i++) {
        uint32_t node = w->graph.shown[i];
        uint64_t address = w->frames.infos[node].address;
        struct located *l = &nodes[*count];
        if (!any && (address < m->start || address >= m->limit))
            continue;
        l->node = node;
        *count += object_address(o, address, &l->address);
    }
    sort_list(nodes, *count, sizeof *nodes, by_address);
    return nodes;
}

static uint32_t first_at(const struct located *nodes, uint32_t count, uint64_t address)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (nodes[mid].address < address)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void add_routines(struct printer *w, const struct profile_mapping *m, struct object *o,
                         const char *file)
{
    struct object_symbol *symbols;
    struct arena *a = &w->r->arena;
    uint32_t node_count,
        count = object_symbols(o, w->r->o.symbol, w->has_address ? w->address : 0, a, &symbols);
    struct located *nodes = locate_nodes(w, o, m, &node_count);
    w->symbol_count += count;
    w->routines = arena_grow(a, w->routines, w->routine_count * sizeof *w->routines,
                             (w->routine_count + (size_t)count) * sizeof *w->routines);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = first_at(nodes, node_count, symbols[i].start);
        uint32_t end = first_at(nodes, node_count, symbols[i].end);
        if (first < end)
            w->routines[w->routine_count++] =
                (struct routine){symbols[i], file, nodes + first, end - first, 0};
    }
}

static void find_routines(struct printer *w)
{
    const struct profile *p = w->r->p;
    w->objects = arena_array(&w->r->arena, p->mapping_count, sizeof *w->objects);
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct profile_mapping *m = &p->mappings[i];
        struct profile_str file = p->strings[m->file];
        if (!has_match(w, file) &&
            (!w->has_address || m->start > w->address || w->address > m->limit))
            continue;
        const char *path = arena_strndup(&w->r->arena, file.ptr, file.len);
        struct object_mapping mapping = {m->start, m->limit, m->offset, NULL};
        struct object *o;
        struct err e = {0};
        if (object_open(&o, path, &mapping, &e)) {
            if (!w->r->o.quiet)
                printf("%s\n", e.msg); /* pprof writes it there, before its report */
            continue;
        }
        w->objects[w->object_count++] = o;
        if (w->r->o.tools->symbols)
            add_routines(w, m, o, path);
    }
    fflush(stdout);
}

static int by_name(const void *a, const void *b)
{
    const struct routine *x = a, *y = b;
    int order = strcmp(x->symbol.names[0], y->symbol.names[0]);
    if (order)
        return order;
    return (x->symbol.start > y->symbol.start) - (x->symbol.start < y->symbol.start);
}

static int by_flat(const void *a, const void *b)
{
    const struct routine *x = a, *y = b;
    if (x->flat != y->flat)
        return x->flat > y->flat ? -1 : 1;
    return by_name(a, b);
}

/* By name all, else the heaviest. */
static void choose_routines(struct printer *w)
{
    int64_t max = w->r->o.max_listed;
    for (uint32_t i = 0; i < w->routine_count; i++)
        for (uint32_t k = 0; k < w->routines[i].node_count; k++)
            w->routines[i].flat += w->graph.flat[w->routines[i].nodes[k].node];
    sort_list(w->routines, w->routine_count, sizeof *w->routines, max > 0 ? by_flat : by_name);
    if (max > 0 && w->routine_count > max)
        w->routine_count = (uint32_t)max;
}

static int check_found(const struct printer *w, struct err *e)
{
    if (w->routine_count)
        return 0;
    if (!w->has_address)
        return err_set(e, -ENOENT, "no matches found for regexp %s", regex_pattern(w->r->o.symbol));
    if (!w->symbol_count)
        return err_set(e, -ENOENT, "no matches found for address 0x%llx",
                       (unsigned long long)w->address);
    return err_set(e, -ENOENT,
                   "address 0x%llx found in binary, but the corresponding symbols do not have "
                   "samples in the profile",
                   (unsigned long long)w->address);
}

/* ---- printing ---- */

static void put_value(struct printer *w, int64_t value, bool dot)
{
    const char *text = value || !dot ? report_value(w->r, value) : ".";
    out_right(w->out, text, strlen(text), 10);
    out_putc(w->out, ' ');
}

struct line {
    struct object_inst inst;
    int64_t flat, flat_div, cum, cum_div;
};

static const char *base_name(struct arena *a, const char *path)
{
    size_t len;
    const char *base = gotext_base(path, strlen(path), &len);
    return *path ? arena_strndup(a, base, len) : "";
}

/* What the disassembler does not know is taken from the first sample that does. */
static void add_node(struct printer *w, struct line *l, uint32_t node)
{
    const struct graph_info *info = &w->frames.infos[node];
    const struct names_item *items = w->frames.names.items;
    struct arena *a = &w->r->arena;
    l->flat += w->graph.flat[node];
    l->flat_div += w->graph.flat_div[node];
    l->cum += w->graph.cum[node];
    l->cum_div += w->graph.cum_div[node];
    if (info->file && !*l->inst.file)
        l->inst.file = base_name(a, arena_strndup(a, items[info->file].ptr, items[info->file].len));
    if (info->line && !l->inst.line)
        l->inst.line = info->line;
    if (info->name && !*l->inst.function)
        l->inst.function = arena_strndup(a, items[info->name].ptr, items[info->name].len);
}

/* Where the code comes from, when that changed since the line before. */
static const char *place_of(struct arena *a, const struct object_inst *i,
                            const struct object_inst *before)
{
    if (!strcmp(i->function, before->function) && !strcmp(i->file, before->file) &&
        i->line == before->line)
        return "";
    struct buf text;
    buf_init(&text, a);
    if (*i->function)
        buf_printf(&text, "%s ", i->function);
    buf_puts(&text, i->file);
    if (*i->file && i->line)
        buf_printf(&text, ":%lld", (long long)i->line);
    return buf_cstr(&text);
}

static size_t characters(const char *s)
{
    size_t n = 0, len = strlen(s), used;
    uint32_t rune;
    for (; (used = gotext_rune(s, len, &rune)) > 0; s += used, len -= used)
        n++;
    return n;
}

static void print_line(struct printer *w, const struct line *l, const char *place)
{
    enum { TEXT_WIDTH = 40, PLACE_COLUMN = 74 };
    const char *text = l->inst.text;
    bool beside = *place && strlen(text) < TEXT_WIDTH;
    char address[24];
    if (*place && !beside) {
        out_spaces(w->out, PLACE_COLUMN);
        out_printf(w->out, ";%s\n", place);
    }
    put_value(w, graph_mean(l->flat, l->flat_div), true);
    put_value(w, graph_mean(l->cum, l->cum_div), true);
    snprintf(address, sizeof address, "%10llx: ", (unsigned long long)l->inst.address);
    out_puts(w->out, address);
    out_puts(w->out, text);
    if (beside) {
        out_spaces(w->out, TEXT_WIDTH - characters(text));
        out_printf(w->out, ";%s", place);
    }
    out_putc(w->out, '\n');
}

static void print_head(struct printer *w, const struct routine *routine)
{
    int64_t flat = 0, cum = 0;
    char percent[UNIT_PERCENT_SIZE];
    for (uint32_t i = 0; i < routine->node_count; i++) {
        flat += w->graph.flat[routine->nodes[i].node];
        cum += w->graph.cum[routine->nodes[i].node];
    }
    out_printf(w->out, "ROUTINE ======================== %s\n", routine->symbol.names[0]);
    for (uint32_t i = 1; i < routine->symbol.name_count; i++)
        out_printf(w->out, "    AKA ======================== %s\n", routine->symbol.names[i]);
    put_value(w, flat, false);
    put_value(w, cum, false);
    out_printf(w->out, "(flat, cum) %s of Total\n", unit_percent(percent, cum, w->r->total));
}

static int print_routine(struct printer *w, const struct routine *routine, struct err *e)
{
    struct arena *a = &w->r->arena;
    struct object_range range = {routine->file, routine->symbol.start, routine->symbol.end,
                                 w->r->o.intel_syntax};
    struct object_code code;
    uint32_t next = 0;
    int rc = object_disassemble(w->r->o.tools, &range, a, &code, e);
    if (rc)
        return rc;
    print_head(w, routine);
    struct object_inst before = {.function = "", .file = ""};
    for (uint32_t i = 0; i < code.count; i++) {
        struct line l = {.inst = code.insts[i]};
        uint64_t end = i + 1 < code.count ? code.insts[i + 1].address : UINT64_MAX;
        l.inst.file = base_name(a, code.insts[i].file);
        for (; next < routine->node_count && routine->nodes[next].address < end; next++)
            add_node(w, &l, routine->nodes[next].node);
        const char *place = place_of(a, &l.inst, &before);
        before = l.inst;
        print_line(w, &l, place);
    }
    return 0;
}

int report_disasm(struct report *r, struct out *out, struct err *e)
{
    struct printer w = {.r = r, .out = out};
    report_graph_listed(r, &w.frames, &w.graph);
    w.has_address = parse_address(regex_pattern(r->o.symbol), &w.address);
    find_routines(&w);
    int rc = check_found(&w, e);
    if (!rc) {
        choose_routines(&w);
        out_printf(out, "Total: %s\n", report_value(r, r->total));
    }
    for (uint32_t i = 0; !rc && i < w.routine_count; i++)
        rc = print_routine(&w, &w.routines[i], e);
    for (uint32_t i = 0; i < w.object_count; i++)
        object_close(w.objects[i]);
    graph_free(&w.graph);
    graph_frames_free(&w.frames);
    return rc;
}
