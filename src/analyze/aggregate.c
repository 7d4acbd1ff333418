/* SPDX-License-Identifier: MIT
 *
 * Granularity (google/pprof profile/profile.go, Aggregate): what a report shall not tell apart is
 * cleared in functions, locations and mappings. Locations are not merged here: what is equal
 * afterwards meets in the graph's nodes. */
#include "analyze/refine.h"

static void clear_functions(struct profile *p, const struct refine_detail *keep)
{
    for (uint32_t i = 0; i < p->function_count; i++) {
        struct profile_function *f = &p->functions[i];
        if (!keep->function)
            f->name = f->system_name = 0;
        if (!keep->file)
            f->file = 0;
    }
}

void refine_aggregate(struct profile *p, const struct refine_detail *keep)
{
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_mapping *m = &p->mappings[i];
        m->has_inline_frames &= keep->inlines;
        m->has_functions &= keep->function;
        m->has_filenames &= keep->file;
        m->has_line_numbers &= keep->line;
    }
    if (!keep->function || !keep->file)
        clear_functions(p, keep);
    for (uint32_t i = 0; i < p->location_count; i++) {
        struct profile_location *l = &p->locations[i];
        if (!keep->inlines && l->line_count > 1) {
            l->line_first += l->line_count - 1;
            l->line_count = 1;
        }
        for (uint32_t n = 0; n < l->line_count; n++) {
            struct profile_line *line = &p->lines[l->line_first + n];
            if (!keep->line)
                line->line = 0;
            if (!keep->line || !keep->column)
                line->column = 0;
        }
        if (!keep->address)
            l->address = 0;
    }
}
