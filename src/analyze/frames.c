/* SPDX-License-Identifier: MIT
 *
 * From locations to nodes: the only place where texts are compared. After it, aggregation is
 * arithmetic on dense numbers. */
#include "analyze/graph.h"
#include "base/gotext.h"

#include <string.h>

struct builder {
    struct graph_frames *f;
    const struct profile *p;
    uint32_t *slots; /* nodes by hash of their info, GRAPH_NONE when free */
    uint32_t slot_mask, node_cap;
    uint32_t *function_name, *function_file; /* names of functions, resolved once */
    uint32_t *mapping_object;
    bool object_names;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint32_t hash_info(const struct graph_info *i)
{
    uint64_t h = mix(i->name, i->file);
    h = mix(h, i->object);
    h = mix(h, i->address);
    h = mix(h, (uint64_t)i->line);
    h = mix(h, (uint64_t)i->column);
    return (uint32_t)(mix(h, (uint64_t)i->start_line) >> 32);
}

static bool same_info(const struct graph_info *a, const struct graph_info *b)
{
    return a->name == b->name && a->file == b->file && a->object == b->object &&
           a->address == b->address && a->line == b->line && a->column == b->column &&
           a->start_line == b->start_line;
}

static uint32_t *find_slot(const struct builder *b, const struct graph_info *info)
{
    uint32_t at = hash_info(info) & b->slot_mask;
    while (b->slots[at] != GRAPH_NONE && !same_info(&b->f->infos[b->slots[at]], info))
        at = (at + 1) & b->slot_mask;
    return &b->slots[at];
}

static void make_slots(struct builder *b, struct arena *scratch, uint32_t lines)
{
    uint32_t count = 1024;
    while (count < lines && count < 1u << 30)
        count *= 2;
    count *= 2;
    b->slots = arena_array(scratch, count, sizeof *b->slots);
    memset(b->slots, 0xff, (size_t)count * sizeof *b->slots);
    b->slot_mask = count - 1;
}

static uint32_t node_of(struct builder *b, const struct graph_info *info)
{
    uint32_t *slot = find_slot(b, info);
    if (*slot != GRAPH_NONE)
        return *slot;
    struct graph_frames *f = b->f;
    if (f->node_count == b->node_cap) {
        uint32_t cap = b->node_cap ? b->node_cap * 2 : 1024;
        f->infos =
            arena_grow(&f->arena, f->infos, b->node_cap * sizeof *f->infos, cap * sizeof *f->infos);
        b->node_cap = cap;
    }
    f->infos[f->node_count] = *info;
    return *slot = f->node_count++;
}

static uint32_t intern_string(struct builder *b, uint32_t string)
{
    struct profile_str s = b->p->strings[string];
    return names_intern(&b->f->names, s.ptr, s.len);
}

/* Files are compared and printed without "." and ".." in them. */
static uint32_t intern_file(struct builder *b, uint32_t string)
{
    struct profile_str s = b->p->strings[string];
    struct buf clean;
    buf_init(&clean, &b->f->arena);
    gotext_clean(&clean, s.ptr, s.len);
    return names_intern(&b->f->names, clean.data ? clean.data : "", clean.len);
}

static void resolve_texts(struct builder *b, struct arena *scratch)
{
    const struct profile *p = b->p;
    b->function_name = arena_array(scratch, p->function_count, sizeof *b->function_name);
    b->function_file = arena_array(scratch, p->function_count, sizeof *b->function_file);
    b->mapping_object = arena_array(scratch, p->mapping_count, sizeof *b->mapping_object);
    uint32_t *cleaned = arena_zarray(scratch, p->string_count, sizeof *cleaned);
    for (uint32_t i = 0; i < p->function_count; i++) {
        uint32_t file = p->functions[i].file;
        b->function_name[i] = intern_string(b, p->functions[i].name);
        if (!cleaned[file])
            cleaned[file] = intern_file(b, file) + 1;
        b->function_file[i] = cleaned[file] - 1;
    }
    for (uint32_t i = 0; i < p->mapping_count; i++)
        b->mapping_object[i] = intern_string(b, p->mappings[i].file);
}

static uint32_t line_node(struct builder *b, const struct profile_location *l,
                          const struct profile_line *line)
{
    uint32_t object = l->mapping == PROFILE_NONE ? 0 : b->mapping_object[l->mapping];
    struct graph_info info = {.address = l->address, .object = object};
    if (line && line->function != PROFILE_NONE) {
        info.name = b->function_name[line->function];
        info.file = b->function_file[line->function];
        info.line = line->line;
        info.column = line->column;
        /* The binary would keep one function's copies in two binaries apart. */
        if (info.name && !b->object_names)
            info.object = 0;
        else
            info.start_line = b->p->functions[line->function].start_line;
    }
    return node_of(b, &info);
}

void graph_frames_make(struct graph_frames *f, const struct profile *p, bool object_names)
{
    *f = (struct graph_frames){.location_count = p->location_count};
    names_init(&f->names, &f->arena);
    struct arena scratch;
    arena_init(&scratch);
    struct builder b = {.f = f, .p = p, .object_names = object_names};
    resolve_texts(&b, &scratch);
    uint32_t lines = 0;
    for (uint32_t i = 0; i < p->location_count; i++)
        lines += p->locations[i].line_count ? p->locations[i].line_count : 1;
    make_slots(&b, &scratch, lines);
    f->loc_first = arena_array(&f->arena, p->location_count + 1, sizeof *f->loc_first);
    f->line_nodes = arena_array(&f->arena, lines, sizeof *f->line_nodes);
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *l = &p->locations[i];
        f->loc_first[i] = at;
        if (!l->line_count)
            f->line_nodes[at++] = line_node(&b, l, NULL);
        for (uint32_t n = 0; n < l->line_count; n++)
            f->line_nodes[at++] = line_node(&b, l, &p->lines[l->line_first + n]);
    }
    f->loc_first[p->location_count] = at;
    arena_free(&scratch);
}

void graph_frames_free(struct graph_frames *f)
{
    arena_free(&f->arena);
}

static void put_part(struct buf *out, size_t start, const struct names_item *text)
{
    if (out->len > start)
        buf_putc(out, ' ');
    buf_append(out, text->ptr, text->len);
}

void graph_node_name(const struct graph_frames *f, uint32_t node, struct buf *out)
{
    const struct graph_info *i = &f->infos[node];
    const struct names_item *items = f->names.items;
    size_t start = out->len;
    if (i->address)
        buf_printf(out, "%016llx", (unsigned long long)i->address);
    if (i->name)
        put_part(out, start, &items[i->name]);
    if (i->line) {
        put_part(out, start, &items[i->file]);
        buf_printf(out, ":%lld", (long long)i->line);
        if (i->column)
            buf_printf(out, ":%lld", (long long)i->column);
    } else if (i->file) {
        put_part(out, start, &items[i->file]);
    } else if (!i->name) {
        struct names_item base = {"<unknown>", 9};
        if (i->object) {
            size_t len;
            base.ptr = gotext_base(items[i->object].ptr, items[i->object].len, &len);
            base.len = (uint32_t)len;
        }
        if (out->len > start)
            buf_putc(out, ' ');
        buf_printf(out, i->object ? "[%.*s]" : "%.*s", (int)base.len, base.ptr);
    }
}

void graph_node_fields(const struct graph_frames *f, uint32_t node, struct buf *out)
{
    const struct graph_info *i = &f->infos[node];
    const struct names_item *items = f->names.items;
    buf_putc(out, '{');
    buf_append(out, items[i->name].ptr, items[i->name].len);
    buf_printf(out, "  %llu ", (unsigned long long)i->address);
    buf_append(out, items[i->file].ptr, items[i->file].len);
    buf_printf(out, " %lld %lld %lld ", (long long)i->start_line, (long long)i->line,
               (long long)i->column);
    buf_append(out, items[i->object].ptr, items[i->object].len);
    buf_putc(out, '}');
}
