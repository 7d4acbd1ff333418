/* SPDX-License-Identifier: MIT
 *
 * topproto: the rows of top as a profile.proto, a sample of one location each (report.go,
 * printTopProto). Values are whole numbers of the report's unit. */
#include "report/report.h"

#include "analyze/unit.h"

#include <string.h>

static int64_t scaled(const struct report *r, int64_t value)
{
    return graph_int64(unit_scale(value, r->o.sample_unit, r->o.unit).value);
}

static bool same_function(const struct profile_function *a, const struct profile_function *b)
{
    return a->name == b->name && a->file == b->file && a->start_line == b->start_line;
}

/* The function of a node, added if new. */
static uint32_t add_function(struct profile *p, struct map *known, const struct graph_frames *f,
                             const struct graph_info *info)
{
    struct names_item name = f->names.items[info->name], file = f->names.items[info->file];
    struct profile_function new = {.id = p->function_count + 1, .start_line = info->start_line};
    new.name = profile_intern(p, name.ptr, name.len);
    new.file = profile_intern(p, file.ptr, file.len);
    uint64_t hash = hash_mix(hash_mix(new.name, new.file), (uint64_t) new.start_line);
    struct map_probe at = map_find(known, hash);
    uint32_t i;
    while ((i = map_next(known, &at)) != MAP_NONE)
        if (same_function(&p->functions[i], &new))
            return i;
    map_put(known, hash, p->function_count);
    p->functions[p->function_count] = new;
    return p->function_count++;
}

static uint32_t copy_string(struct profile *to, const struct profile *from, uint32_t string)
{
    return profile_intern(to, from->strings[string].ptr, from->strings[string].len);
}

static void copy_header(struct profile *p, const struct report *r)
{
    const struct profile *from = r->p;
    uint32_t unit = profile_intern_cstr(p, r->o.unit);
    p->sample_types = arena_array(&p->arena, 2, sizeof *p->sample_types);
    p->sample_types[0] = (struct profile_value_type){profile_intern_cstr(p, "cum"), unit};
    p->sample_types[1] = (struct profile_value_type){profile_intern_cstr(p, "flat"), unit};
    p->sample_type_count = 2;
    p->time_nanos = from->time_nanos;
    p->duration_nanos = from->duration_nanos;
    p->period = from->period;
    p->period_type.type = copy_string(p, from, from->period_type.type);
    p->period_type.unit = copy_string(p, from, from->period_type.unit);
}

static void reserve_rows(struct profile *p, uint32_t n)
{
    p->functions = arena_array(&p->arena, n, sizeof *p->functions);
    p->lines = arena_array(&p->arena, n, sizeof *p->lines);
    p->locations = arena_array(&p->arena, n, sizeof *p->locations);
    p->sample_loc_end = arena_array(&p->arena, n, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(&p->arena, n, sizeof *p->sample_label_end);
    p->loc_refs = arena_array(&p->arena, n, sizeof *p->loc_refs);
    p->values = arena_array(&p->arena, (size_t)n * 2, sizeof *p->values);
}

static void add_rows(struct profile *p, const struct report *r, const struct graph_trimmed *t)
{
    const struct graph *g = &t->graph;
    struct map functions;
    reserve_rows(p, g->shown_count);
    map_init(&functions, &p->arena, g->shown_count);
    for (uint32_t i = 0; i < g->shown_count; i++) {
        const struct graph_info *info = &t->frames.infos[g->shown[i]];
        p->lines[i] = (struct profile_line){info->line, info->column,
                                            add_function(p, &functions, &t->frames, info)};
        p->locations[i] = (struct profile_location){.id = i + 1,
                                                    .address = info->address,
                                                    .mapping = PROFILE_NONE,
                                                    .line_first = i,
                                                    .line_count = 1};
        p->loc_refs[i] = i;
        p->sample_loc_end[i] = i + 1;
        p->values[(size_t)i * 2] = scaled(r, graph_cum(g, g->shown[i]));
        p->values[(size_t)i * 2 + 1] = scaled(r, graph_flat(g, g->shown[i]));
    }
    p->line_count = p->location_count = p->sample_count = g->shown_count;
    p->loc_ref_count = g->shown_count;
}

int report_topproto(struct report *r, struct out *out, struct err *e)
{
    struct graph_trimmed t;
    struct profile p;
    struct buf bytes;
    report_graph(r, &t);
    profile_init(&p);
    copy_header(&p, r);
    add_rows(&p, r, &t);
    buf_init(&bytes, &r->arena);
    int rc = profile_encode_gzip(&p, &bytes, e);
    if (!rc)
        out_write(out, bytes.data, bytes.len);
    profile_free(&p);
    graph_trimmed_free(&t);
    return rc;
}
