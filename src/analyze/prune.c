/* SPDX-License-Identifier: MIT
 *
 * Pruning of stacks (google/pprof profile/prune.go): below frames that nobody wants to see, such as
 * the inside of an allocator, and from a frame downwards. Names are simplified before they are
 * matched: arguments do not count. */
#include "analyze/match.h"
#include "analyze/refine.h"
#include "analyze/samples.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHOLE = 1, BENEATH = 2 };

/* Without the leading dot of the old PowerPC ABI and without arguments: what stands before the
 * first "(" that does not belong to a reserved name. */
static struct profile_str simplify(struct profile_str s)
{
    static const char *const reserved[] = {"(anonymous namespace)", "operator()"};
    if (s.len && s.ptr[0] == '.') {
        s.ptr++;
        s.len--;
    }
    for (uint32_t i = 0; i < s.len; i++) {
        bool skipped = false;
        for (int r = 0; r < 2 && !skipped; r++) {
            size_t n = strlen(reserved[r]);
            skipped = s.len - i >= n && !memcmp(s.ptr + i, reserved[r], n);
            if (skipped)
                i += (uint32_t)n - 1;
        }
        if (!skipped && s.ptr[i] == '(')
            s.len = i;
    }
    return s;
}

/* By function: whether its simplified name matches `drop` and not `keep`. */
static bool *unwanted_functions(struct profile *p, struct regex *drop, struct regex *keep)
{
    bool *unwanted = arena_zarray(&p->arena, p->function_count, sizeof *unwanted);
    for (uint32_t i = 0; i < p->function_count; i++) {
        struct profile_str s = p->strings[p->functions[i].name];
        if (!s.len)
            continue;
        s = simplify(s);
        unwanted[i] =
            regex_matches(drop, s.ptr, s.len) && !(keep && regex_matches(keep, s.ptr, s.len));
    }
    return unwanted;
}

static bool line_unwanted(const struct profile *p, const bool *unwanted, uint32_t line)
{
    uint32_t f = p->lines[line].function;
    return f != PROFILE_NONE && unwanted[f];
}

/* The first frame kept: behind the root-most unwanted one that has a wanted one above it. */
static uint64_t first_wanted(const struct samples_edit *e, const uint8_t *verdicts)
{
    bool user = false;
    for (uint64_t k = e->loc_last; k > e->loc_first; k--) {
        uint8_t v = verdicts[e->p->loc_refs[k - 1]];
        if (!v)
            user = true;
        else if (user)
            return v & WHOLE ? k : k - 1;
    }
    return e->loc_first;
}

void refine_prune(struct profile *p, struct regex *drop, struct regex *keep)
{
    bool *unwanted = unwanted_functions(p, drop, keep);
    uint8_t *verdicts = arena_zarray(&p->arena, p->location_count, 1);
    for (uint32_t i = 0; i < p->location_count; i++) {
        struct profile_location *l = &p->locations[i];
        uint32_t n = l->line_count;
        while (n && !line_unwanted(p, unwanted, l->line_first + n - 1))
            n--;
        if (!n)
            continue;
        verdicts[i] = BENEATH;
        if (n == l->line_count) {
            verdicts[i] |= WHOLE;
        } else {
            l->line_first += n;
            l->line_count -= n;
        }
    }
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        samples_push_locs(&e, first_wanted(&e, verdicts), e.loc_last);
        samples_push_labels(&e, e.label_first, e.label_last);
        samples_commit(&e);
    }
    samples_end(&e);
}

static struct regex *compile_anchored(struct profile *p, uint32_t string)
{
    struct profile_str s = p->strings[string];
    if (!s.len)
        return NULL;
    char *text = arena_alloc(&p->arena, s.len + 5);
    int n = snprintf(text, s.len + 5, "^(%.*s)$", (int)s.len, s.ptr);
    return regex_compile(text, (size_t)n, NULL);
}

void refine_drop_frames(struct profile *p)
{
    struct regex *drop = compile_anchored(p, p->drop_frames);
    struct regex *keep = drop ? compile_anchored(p, p->keep_frames) : NULL;
    if (drop && (keep || !p->strings[p->keep_frames].len))
        refine_prune(p, drop, keep);
    regex_free(drop);
    regex_free(keep);
}

void refine_prune_from(struct profile *p, struct regex *from)
{
    bool *unwanted = unwanted_functions(p, from, NULL);
    uint8_t *verdicts = arena_zarray(&p->arena, p->location_count, 1);
    for (uint32_t i = 0; i < p->location_count; i++) {
        struct profile_location *l = &p->locations[i];
        for (uint32_t n = 0; n < l->line_count; n++) {
            if (line_unwanted(p, unwanted, l->line_first + n)) {
                verdicts[i] = BENEATH;
                l->line_first += n;
                l->line_count -= n;
                break;
            }
        }
    }
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        uint64_t first = e.loc_first;
        while (first < e.loc_last && !verdicts[p->loc_refs[first]])
            first++;
        samples_push_locs(&e, first < e.loc_last ? first : e.loc_first, e.loc_last);
        samples_push_labels(&e, e.label_first, e.label_last);
        samples_commit(&e);
    }
    samples_end(&e);
}
