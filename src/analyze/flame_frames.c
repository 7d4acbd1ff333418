/* SPDX-License-Identifier: MIT
 *
 * Names the boxes of a flame graph. Strings are compared by their bytes, not by their index: two
 * profiles that were merged, or a foreign encoder, may hold one name twice. The rules of naming are
 * pprof's at granularity "functions" (internal/graph/graph.go, nodeInfo and NameComponents), so
 * that a function here is a row of `strobe top`. */
#include "analyze/flame_frames.h"
#include "analyze/graph.h"
#include "analyze/pair_index.h"

#include <string.h>

/* Numbers strings by content. */
struct string_index {
    struct map map;
    struct profile_str *strings;
    uint32_t count;
};

enum { KIND_FUNCTION, KIND_BINARY, KIND_ROW };

struct naming {
    struct flame *f;
    const struct profile *p;
    struct string_index strings;
    struct pair_index functions;     /* (string, kind): the name, or the binary's file */
    struct pair_index placed;        /* (function, file) */
    struct pair_index frames;        /* (placed, module * 2 + inlined) */
    const struct graph_frames *rows; /* or NULL */
};

/* Room for `max` strings at most. */
static void string_index_init(struct string_index *x, struct arena *arena, uint32_t max)
{
    *x = (struct string_index){.strings = arena_array(arena, max, sizeof *x->strings)};
    map_init(&x->map, arena, max);
}

static uint32_t string_number(struct string_index *x, struct profile_str s)
{
    uint64_t hash = hash_bytes(s.ptr, s.len);
    struct map_probe at = map_find(&x->map, hash);
    uint32_t i;
    while ((i = map_next(&x->map, &at)) != MAP_NONE) {
        struct profile_str t = x->strings[i];
        if (t.len == s.len && (s.len == 0 || !memcmp(t.ptr, s.ptr, s.len)))
            return i;
    }
    x->strings[x->count] = s;
    map_put(&x->map, hash, x->count);
    return x->count++;
}

/* "[libfoo.so]" of "/usr/lib/libfoo.so"; "<unknown>" without a file. */
static struct profile_str binary_name(struct flame *f, struct profile_str file)
{
    static const char unknown[] = "<unknown>";
    if (!file.len)
        return (struct profile_str){unknown, sizeof unknown - 1};
    uint32_t end = file.len;
    while (end > 1 && file.ptr[end - 1] == '/')
        end--;
    uint32_t start = end;
    while (start > 0 && file.ptr[start - 1] != '/')
        start--;
    if (start == end) /* the file is "/" */
        start--;
    char *name = arena_printf(&f->arena, "[%.*s]", (int)(end - start), file.ptr + start);
    return (struct profile_str){name, end - start + 2};
}

/* Names that are empty are pprof's <unknown>, as are frames without function and binary. */
static uint32_t function_number(struct naming *n, struct profile_str name, struct profile_str file)
{
    bool named = name.len > 0;
    uint32_t string = string_number(&n->strings, named ? name : file);
    uint32_t known = n->functions.count;
    uint32_t kind = named ? KIND_FUNCTION : KIND_BINARY;
    uint32_t number = pair_index_put(&n->functions, string, kind);
    if (number == known)
        n->f->functions[number].name = named ? name : binary_name(n->f, file);
    return number;
}

/* The row of a line as a function; its name is what a report prints. */
static uint32_t row_number(struct naming *n, uint32_t location, uint32_t line)
{
    uint32_t row = n->rows->line_nodes[n->rows->loc_first[location] + line];
    uint32_t known = n->functions.count, number = pair_index_put(&n->functions, row, KIND_ROW);
    if (number == known) {
        struct buf name;
        buf_init(&name, &n->f->arena);
        graph_node_name(n->rows, row, &name);
        n->f->functions[number].name = (struct profile_str){name.data, (uint32_t)name.len};
    }
    return number;
}

static uint32_t frame_number(struct naming *n, uint32_t location, uint32_t line)
{
    const struct profile *p = n->p;
    const struct profile_location *loc = &p->locations[location];
    struct profile_str none = {"", 0}, name = none, file = none, module = none;
    int64_t start_line = 0;
    bool inlined = line + 1 < loc->line_count;
    if (loc->mapping != PROFILE_NONE)
        module = profile_string(p, p->mappings[loc->mapping].file);
    struct profile_str binary = module;
    if (line < loc->line_count) {
        const struct profile_line *l = &p->lines[loc->line_first + line];
        if (l->function != PROFILE_NONE) {
            const struct profile_function *fn = &p->functions[l->function];
            name = profile_string(p, fn->name);
            file = profile_string(p, fn->file);
            start_line = fn->start_line ? fn->start_line : l->line;
            binary = none;
        }
    }
    uint32_t function = n->rows ? row_number(n, location, line) : function_number(n, name, binary);
    uint32_t placed = pair_index_put(&n->placed, function, string_number(&n->strings, file));
    uint32_t known = n->frames.count;
    uint32_t number =
        pair_index_put(&n->frames, placed, string_number(&n->strings, module) * 2 + inlined);
    if (number == known)
        n->f->frames[number] = (struct flame_frame){
            .function = function,
            .file = file,
            .module = module,
            .line = start_line,
            .inlined = inlined,
        };
    return number;
}

void flame_frames_build(struct flame *f, const struct profile *p, bool by_rows,
                        struct arena *scratch, struct flame_stacks *out)
{
    struct graph_frames rows;
    size_t count = 0;
    for (uint32_t i = 0; i < p->location_count; i++)
        count += p->locations[i].line_count ? p->locations[i].line_count : 1;
    struct naming n = {.f = f, .p = p, .rows = by_rows ? &rows : NULL};
    if (by_rows)
        graph_frames_make(&rows, p, false);
    string_index_init(&n.strings, scratch, 2 * p->function_count + p->mapping_count + 1);
    pair_index_init(&n.functions, scratch);
    pair_index_init(&n.placed, scratch);
    pair_index_init(&n.frames, scratch);
    size_t functions = by_rows ? rows.node_count : p->function_count + (size_t)p->mapping_count + 1;
    f->functions = arena_zarray(&f->arena, functions, sizeof *f->functions);
    f->frames = arena_array(&f->arena, count, sizeof *f->frames);
    out->first = arena_array(scratch, (size_t)p->location_count + 1, sizeof *out->first);
    out->lines = arena_array(scratch, count, sizeof *out->lines);
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *loc = &p->locations[i];
        uint32_t lines = loc->line_count ? loc->line_count : 1;
        out->first[i] = at;
        for (uint32_t line = lines; line-- > 0;) {
            uint32_t frame = frame_number(&n, i, line);
            out->lines[at++] = (struct flame_line){frame, f->frames[frame].function};
        }
    }
    out->first[p->location_count] = at;
    f->function_count = n.functions.count;
    f->frame_count = n.frames.count;
    if (by_rows)
        graph_frames_free(&rows);
}
