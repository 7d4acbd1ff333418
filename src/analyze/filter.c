/* SPDX-License-Identifier: MIT
 *
 * Filters by name (google/pprof profile/filter.go). A verdict is made once for each location; the
 * pass over the samples only looks verdicts up. */
#include "analyze/match.h"
#include "analyze/refine.h"
#include "analyze/samples.h"

enum verdict { FOCUSED = 1, IGNORED = 2, HIDDEN = 4, ANCHOR = 8 };

static bool location_matches(struct match *m, const struct profile *p,
                             const struct profile_location *l)
{
    for (uint32_t i = 0; i < l->line_count; i++)
        if (match_line(m, &p->lines[l->line_first + i]))
            return true;
    return match_mapping(m, l);
}

/* Leaves the lines whose match is `wanted`; lines without function stay in any case. */
static void keep_lines(struct match *m, struct profile *p, struct profile_location *l, bool wanted)
{
    struct profile_line *lines = p->lines + l->line_first;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->line_count; i++)
        if (lines[i].function == PROFILE_NONE || match_line(m, &lines[i]) == wanted)
            lines[kept++] = lines[i];
    l->line_count = kept;
}

static void hide_lines(struct match *m, struct profile *p, struct profile_location *l)
{
    if (match_mapping(m, l))
        l->line_count = 0;
    else
        keep_lines(m, p, l, false);
}

/* Drops samples that are not focused, or ignored, or have no frame left. */
static void drop_samples(struct profile *p, const uint8_t *verdicts)
{
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        uint8_t any = 0, all = HIDDEN;
        for (uint64_t k = e.loc_first; k < e.loc_last; k++) {
            any |= verdicts[p->loc_refs[k]];
            all &= verdicts[p->loc_refs[k]];
        }
        if (!(any & FOCUSED) || (any & IGNORED) || (all & HIDDEN))
            continue;
        if (any & HIDDEN) {
            for (uint64_t k = e.loc_first; k < e.loc_last; k++)
                if (!(verdicts[p->loc_refs[k]] & HIDDEN))
                    samples_push_loc(&e, p->loc_refs[k]);
        } else {
            samples_push_locs(&e, e.loc_first, e.loc_last);
        }
        samples_push_labels(&e, e.label_first, e.label_last);
        samples_commit(&e);
    }
    samples_end(&e);
}

struct refine_matched refine_by_name(struct profile *p, const struct refine_names *rx)
{
    struct refine_matched found = {0};
    if (!rx->focus && !rx->ignore && !rx->hide && !rx->show) {
        found.focus = true;
        return found;
    }
    struct match focus, ignore, hide, show;
    match_init(&focus, p, rx->focus);
    match_init(&ignore, p, rx->ignore);
    match_init(&hide, p, rx->hide);
    match_init(&show, p, rx->show);
    uint8_t *verdicts = arena_zarray(&p->arena, p->location_count, 1);
    for (uint32_t i = 0; i < p->location_count; i++) {
        struct profile_location *l = &p->locations[i];
        if (rx->ignore && location_matches(&ignore, p, l)) {
            found.ignore = true;
            verdicts[i] |= IGNORED;
        } else if (!rx->focus || location_matches(&focus, p, l)) {
            found.focus = true;
            verdicts[i] |= FOCUSED;
        }
        if (rx->hide && location_matches(&hide, p, l)) {
            found.hide = true;
            hide_lines(&hide, p, l);
            verdicts[i] |= l->line_count ? 0 : HIDDEN;
        }
        if (rx->show) {
            if (!match_mapping(&show, l))
                keep_lines(&show, p, l, true);
            verdicts[i] |= l->line_count ? 0 : HIDDEN;
            found.show |= l->line_count > 0;
        }
    }
    drop_samples(p, verdicts);
    return found;
}

/* Whether the location anchors the view; its lines above the matching one go. */
static bool anchors(struct match *m, struct profile *p, struct profile_location *l)
{
    if (match_mapping(m, l))
        return true;
    for (uint32_t i = l->line_count; i > 0; i--) {
        if (match_line(m, &p->lines[l->line_first + i - 1])) {
            l->line_count = i;
            return true;
        }
    }
    return false;
}

bool refine_show_from(struct profile *p, struct regex *show_from)
{
    if (!show_from)
        return false;
    struct match m;
    match_init(&m, p, show_from);
    bool found = false;
    uint8_t *verdicts = arena_zarray(&p->arena, p->location_count, 1);
    for (uint32_t i = 0; i < p->location_count; i++) {
        if (anchors(&m, p, &p->locations[i])) {
            verdicts[i] = ANCHOR;
            found = true;
        }
    }
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        uint64_t last = e.loc_last;
        while (last > e.loc_first && !verdicts[p->loc_refs[last - 1]])
            last--;
        if (last == e.loc_first)
            continue;
        samples_push_locs(&e, e.loc_first, last);
        samples_push_labels(&e, e.label_first, e.label_last);
        samples_commit(&e);
    }
    samples_end(&e);
    return found;
}
