/* SPDX-License-Identifier: MIT
 *
 * Inside analyze/: a regular expression over a profile's strings, each string matched once at most,
 * however many samples and locations name it. */
#ifndef ANALYZE_MATCH_H
#define ANALYZE_MATCH_H

#include "base/regex.h"
#include "profile/profile.h"

struct match {
    const struct profile *p;
    struct regex *re;
    uint8_t *verdicts; /* by string: 0 not asked, 1 no, 2 yes */
};

static inline void match_init(struct match *m, struct profile *p, struct regex *re)
{
    *m = (struct match){p, re, NULL};
    if (re)
        m->verdicts = arena_zarray(&p->arena, p->string_count, 1);
}

static inline bool match_string(struct match *m, uint32_t string)
{
    uint8_t *v = &m->verdicts[string];
    if (!*v) {
        struct profile_str s = m->p->strings[string];
        *v = regex_matches(m->re, s.ptr, s.len) ? 2 : 1;
    }
    return *v == 2;
}

/* Its function's name or file. Lines without function never match. */
static inline bool match_line(struct match *m, const struct profile_line *line)
{
    if (line->function == PROFILE_NONE)
        return false;
    const struct profile_function *f = &m->p->functions[line->function];
    return match_string(m, f->name) || match_string(m, f->file);
}

static inline bool match_mapping(struct match *m, const struct profile_location *l)
{
    return l->mapping != PROFILE_NONE && match_string(m, m->p->mappings[l->mapping].file);
}

#endif
