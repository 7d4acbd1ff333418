/* SPDX-License-Identifier: MIT
 *
 * Memory maps at the end of legacy profiles: /proc/PID/maps and a shorter form, with substitutions
 * ("build=/x" makes $build /x in later lines) and the prefixes of a log. Then what pprof does to
 * mappings before it gives them to locations (legacy_profile.go, parseProcMaps to remapMappingIDs;
 * profile.go, massageMappings). */
#include "profile/import/import_internal.h"

#define SPACE "[\\t\\n\\f\\r ]"
#define HEX   "(?:0x)?([[:xdigit:]]+)"
#define RANGE "^" SPACE "*" HEX "(?:[\\t\\n\\f\\r -])?" SPACE "*" HEX ":?"
#define PERM  "(?:" SPACE "+([-rwxp]+))?"
#define WORD  "(?:" SPACE "+([^\\t\\n\\f\\r ]+))?"

static const struct import_pattern proc_maps = {RANGE PERM "(?:" SPACE "+([[:xdigit:]]+))?" SPACE
                                                           "+[[:xdigit:]]+:[[:xdigit:]]+" SPACE
                                                           "+[0-9]+" WORD,
                                                0};
static const struct import_pattern brief_maps = {
    RANGE PERM WORD "(?:" SPACE "+\\(@([[:xdigit:]]+)\\))?(?:" SPACE "+([[:xdigit:]]+))?", 1};
static const struct import_pattern log_prefix = {"^[^\\[\\]]+:[0-9]+]" SPACE, 2};

bool maps_is_sentinel(struct text line)
{
    return text_contains(line, "--- Memory map: ---") || text_contains(line, "MAPPED_LIBRARIES:");
}

/* ---- substitutions: strings.Replacer with "$name" ---- */

struct substitution {
    struct text name, value;
    struct substitution *next;
};

struct substitutions {
    struct substitution *first, **last;
};

static void add_substitution(struct import *im, struct substitutions *all, struct text name,
                             struct text value)
{
    struct substitution *s = arena_alloc(&im->scratch, sizeof *s);
    /* The line itself may be made anew; what is kept is copied. */
    *s = (struct substitution){{arena_strndup(&im->scratch, name.s, name.n), name.n},
                               {arena_strndup(&im->scratch, value.s, value.n), value.n},
                               NULL};
    *all->last = s;
    all->last = &s->next;
}

static const struct substitution *find(const struct substitutions *all, struct text at)
{
    for (const struct substitution *s = all->first; s; s = s->next)
        if (s->name.n <= at.n && !memcmp(s->name.s, at.s, s->name.n))
            return s;
    return NULL;
}

static struct text substitute(struct import *im, const struct substitutions *all, struct text t)
{
    if (!all->first || !t.n || !memchr(t.s, '$', t.n))
        return t;
    struct buf out;
    buf_init(&out, &im->scratch);
    for (size_t i = 0; i < t.n;) {
        const struct substitution *s = t.s[i] == '$' ? find(all, text_from(t, i + 1)) : NULL;
        if (s) {
            buf_append(&out, s->value.s, s->value.n);
            i += s->name.n + 1;
        } else {
            buf_putc(&out, t.s[i++]);
        }
    }
    return (struct text){out.data, out.len};
}

/* ---- lines ---- */

/* False when the line is none of a memory map. One that is not executable is left out. */
static bool read_mapping(struct import *im, struct text line)
{
    struct text g[IMPORT_GROUPS_MAX], perm, offset, file, build_id = {NULL, 0};
    if (import_match(im, &proc_maps, line, g)) {
        perm = g[3];
        offset = g[4];
        file = g[5];
    } else if (import_match(im, &brief_maps, line, g)) {
        perm = g[3];
        file = g[4];
        offset = g[5];
        build_id = g[6];
    } else {
        return false;
    }
    if (perm.n && !memchr(perm.s, 'x', perm.n))
        return true;
    struct profile_mapping m = {0};
    if (!import_hex(g[1], &m.start) || !import_hex(g[2], &m.limit) ||
        (offset.n && !import_hex(offset, &m.offset)))
        return false;
    m.file = import_string(im, file);
    m.build_id = import_string(im, build_id);
    import_mapping(im, &m);
    return true;
}

static int read_lines(struct import *im, struct lines *l)
{
    struct substitutions all = {.last = &all.first};
    while (lines_next(l)) {
        struct text g[IMPORT_GROUPS_MAX], line = l->line, name, value;
        if (import_match(im, &log_prefix, line, g))
            line = text_from(line, g[0].n);
        line = substitute(im, &all, line);
        if (!read_mapping(im, line) && text_cut(line, '=', &name, &value))
            add_substitution(im, &all, text_trim(name), text_trim(value));
    }
    return l->too_long ? IMPORT_LINE_TOO_LONG : 0;
}

/* ---- order ---- */

static bool may_be_one(uint32_t a, uint32_t b)
{
    return !a || !b || a == b;
}

static bool is_adjacent(const struct profile_mapping *a, const struct profile_mapping *b)
{
    if (!may_be_one(a->file, b->file) || !may_be_one(a->build_id, b->build_id) ||
        a->limit != b->start)
        return false;
    return !a->offset || !b->offset || a->offset + (a->limit - a->start) == b->offset;
}

static void join_adjacent(struct profile *p)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct profile_mapping *m = &p->mappings[i];
        struct profile_mapping *last = kept ? &p->mappings[kept - 1] : NULL;
        if (!last || !is_adjacent(last, m)) {
            p->mappings[kept++] = *m;
            continue;
        }
        last->limit = m->limit;
        if (m->file)
            last->file = m->file;
        if (m->build_id)
            last->build_id = m->build_id;
    }
    p->mapping_count = kept;
}

/* "\.so$" or "\.so[._][0-9]+" */
static bool is_library(struct text file)
{
    for (size_t i = 0; i + 3 <= file.n; i++) {
        if (memcmp(file.s + i, ".so", 3))
            continue;
        const char *at = file.s + i + 3;
        size_t left = file.n - i - 3;
        if (!left || (left >= 2 && (*at == '.' || *at == '_') && at[1] >= '0' && at[1] <= '9'))
            return true;
    }
    return false;
}

/* The name without "(deleted)". */
static struct text plain_name(struct import *im, struct text file)
{
    static const char deleted[] = "(deleted)";
    size_t n = sizeof deleted - 1;
    struct buf out;
    if (!text_contains(file, deleted))
        return text_trim(file);
    buf_init(&out, &im->scratch);
    for (size_t i = 0; i < file.n;) {
        if (file.n - i >= n && !memcmp(file.s + i, deleted, n))
            i += n;
        else
            buf_putc(&out, file.s[i++]);
    }
    return text_trim((struct text){out.data, out.len});
}

static void move_main_first(struct import *im)
{
    struct profile *p = im->p;
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_str s = p->strings[p->mappings[i].file];
        struct text file = plain_name(im, (struct text){s.ptr, s.len});
        if (!file.n || is_library(file) || file.s[0] == '[')
            continue;
        struct profile_mapping main = p->mappings[i];
        p->mappings[i] = p->mappings[0];
        p->mappings[0] = main;
        return;
    }
}

/* ---- locations ---- */

enum { MAIN_START = 0x400000 };

static void fix_main(struct profile *p)
{
    struct profile_mapping *m = p->mappings;
    if (p->mapping_count > 1 && m[0].limit == m[1].start) {
        struct profile_str file = p->strings[m[0].file];
        if (text_starts((struct text){file.ptr, file.len}, "/anon_hugepage"))
            memmove(m, m + 1, --p->mapping_count * sizeof *m);
    }
    if (p->mapping_count && m[0].start - m[0].offset == MAIN_START) {
        m[0].start = MAIN_START;
        m[0].offset = 0;
    }
}

static uint32_t find_mapping(struct profile *p, uint64_t address)
{
    for (uint32_t i = 0; i < p->mapping_count; i++)
        if (p->mappings[i].start <= address && address < p->mappings[i].limit)
            return i;
    /* Handlers that leave the first of several adjacent ranges out. */
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_mapping *m = &p->mappings[i];
        if (m->offset && m->start - m->offset <= address && address < m->start) {
            m->start -= m->offset;
            m->offset = 0;
            return i;
        }
    }
    return PROFILE_NONE;
}

void maps_assign(struct import *im)
{
    struct profile *p = im->p;
    uint32_t made = PROFILE_NONE; /* one for all that lie in no other */
    if (p->mapping_count)
        fix_main(p);
    for (uint32_t i = 0; i < im->location_count; i++) {
        struct profile_location *l = &im->locations[i];
        if (!l->address || l->mapping != PROFILE_NONE)
            continue;
        uint32_t m = find_mapping(p, l->address);
        if (m == PROFILE_NONE && made == PROFILE_NONE) {
            made = p->mapping_count;
            import_mapping(im, &(struct profile_mapping){.limit = UINT64_MAX});
        }
        l->mapping = m == PROFILE_NONE ? made : m;
    }
    for (uint32_t i = 0; i < p->mapping_count; i++)
        p->mappings[i].id = i + 1;
}

int maps_read(struct import *im, struct lines *l)
{
    int rc = read_lines(im, l);
    if (rc)
        return rc;
    join_adjacent(im->p);
    move_main_first(im);
    import_order_locations(im);
    maps_assign(im);
    return 0;
}

int maps_read_section(struct import *im, struct lines *l)
{
    while (!maps_is_sentinel(l->line) && lines_next(l))
        ;
    return l->too_long ? IMPORT_LINE_TOO_LONG : maps_read(im, l);
}
