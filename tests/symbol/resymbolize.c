/* SPDX-License-Identifier: MIT
 *
 * resymbolize PROFILE: forgets the names, files and lines of a profile, finds them again from the
 * binaries, and says for how many locations every line of both is the same. For profiles that
 * somebody else has symbolized who must know: a Go program itself. */
#include "profile/profile.h"
#include "symbol/symbol.h"

#include <stdio.h>
#include <string.h>

static bool same_text(const struct profile *a, uint32_t x, const struct profile *b, uint32_t y)
{
    struct profile_str s = a->strings[x], t = b->strings[y];
    return s.len == t.len && memcmp(s.ptr, t.ptr, s.len) == 0;
}

static bool same_line(const struct profile *a, const struct profile_line *x,
                      const struct profile *b, const struct profile_line *y)
{
    const struct profile_function *f = &a->functions[x->function], *g = &b->functions[y->function];
    return x->line == y->line && same_text(a, f->name, b, g->name) &&
           same_text(a, f->file, b, g->file);
}

static bool same_location(const struct profile *a, const struct profile *b, uint32_t i)
{
    const struct profile_location *x = &a->locations[i], *y = &b->locations[i];
    bool same = x->line_count == y->line_count;
    for (uint32_t k = 0; same && k < x->line_count; k++)
        same = same_line(a, &a->lines[x->line_first + k], b, &b->lines[y->line_first + k]);
    return same;
}

static void show(const struct profile *p, uint32_t i)
{
    const struct profile_location *l = &p->locations[i];
    printf("  0x%llx", (unsigned long long)l->address);
    for (uint32_t k = 0; k < l->line_count; k++) {
        const struct profile_line *n = &p->lines[l->line_first + k];
        const struct profile_function *f = &p->functions[n->function];
        struct profile_str name = p->strings[f->name], file = p->strings[f->file];
        printf(" | %.*s %.*s:%lld", (int)name.len, name.ptr, (int)file.len, file.ptr,
               (long long)n->line);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    struct profile theirs, ours;
    struct symbol_options o;
    struct err e = {0};
    uint32_t same = 0, inlined = 0;
    if (argc != 2 || profile_read_file(&theirs, argv[1], &e) < 0) {
        fprintf(stderr, "usage: resymbolize PROFILE: %s\n", e.msg);
        return 2;
    }
    profile_copy(&ours, &theirs);
    symbol_options_default(&o);
    o.force = true;
    if (symbol_profile(&ours, &o, NULL, &e) < 0) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    for (uint32_t i = 0; i < ours.location_count; i++) {
        bool equal = same_location(&theirs, &ours, i);
        same += equal;
        inlined += equal && ours.locations[i].line_count > 1;
        if (!equal) {
            show(&theirs, i);
            show(&ours, i);
        }
    }
    printf("locations %u same %u inlined %u\n", ours.location_count, same, inlined);
    profile_free(&theirs);
    profile_free(&ours);
    return 0;
}
