/* SPDX-License-Identifier: MIT
 *
 * frames FILE: what the symbolizer says of every third byte of a file's code, one line for
 * each: names, files and lines of all frames, innermost first. Two files with the same code and
 * different places for their debug information must print the same. In
 * names that are made of the file's name, that is left out. What was used goes to stderr. */
#include "symbol/elf_file.h"
#include "symbol/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 3 };


static bool add_segments(struct profile *p, const char *path)
{
    struct elf_file f;
    const char *reason = elf_file_open(&f, path, &p->arena);
    uint64_t low = UINT64_MAX, high = 0;
    if (reason) {
        fprintf(stderr, "%s: %s\n", path, reason);
        return false;
    }
    for (size_t i = 0; i < f.section_count; i++) {
        const struct section *s = &f.sections[i];
        if (!s->exec || !s->size || strcmp(s->name, ".text") != 0)
            continue;
        low = s->offset;
        high = s->offset + s->size;
    }
    elf_file_close(&f);
    if (high <= low)
        return false;
    uint32_t count = (uint32_t)((high - low) / STEP + 1);
    p->mappings = arena_zarray(&p->arena, 1, sizeof *p->mappings);
    p->mappings[0] = (struct profile_mapping){.id = 1, .limit = high};
    p->mappings[0].file = profile_intern_cstr(p, path);
    p->mapping_count = 1;
    p->locations = arena_zarray(&p->arena, count, sizeof *p->locations);
    for (uint64_t at = low; at < high; at += STEP) {
        struct profile_location *l = &p->locations[p->location_count++];
        *l = (struct profile_location){.id = p->location_count, .address = at};
    }
    return true;
}

static void print(const struct profile *p, const struct profile_location *l, const char *base)
{
    printf("%llx", (unsigned long long)l->address);
    for (uint32_t k = 0; k < l->line_count; k++) {
        const struct profile_line *n = &p->lines[l->line_first + k];
        const struct profile_function *f = &p->functions[n->function];
        struct profile_str name = profile_string(p, f->name), file = profile_string(p, f->file);
        size_t len = strlen(base);
        bool own = name.len > len && !memcmp(name.ptr, base, len) && name.ptr[len] == '!';
        size_t skip = own ? len : 0;
        printf(" | %.*s %.*s:%lld+%lld", (int)(name.len - skip), name.ptr + skip, (int)file.len,
               file.ptr, (long long)n->line, (long long)f->start_line);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    struct profile p;
    struct symbol_stats stats = {0};
    struct symbol_options o;
    struct err e = {0};
    profile_init(&p);
    symbol_options_default(&o);
    if (argc != 2 || !add_segments(&p, argv[1]) || symbol_profile(&p, &o, &stats, &e)) {
        fprintf(stderr, "usage: frames FILE (absolute): %s\n", e.msg);
        return 2;
    }
    const char *slash = strrchr(argv[1], '/');
    for (uint32_t i = 0; i < p.location_count; i++)
        print(&p, &p.locations[i], slash ? slash + 1 : argv[1]);
    for (uint32_t i = 0; i < stats.module_count; i++) {
        const struct symbol_module *m = &stats.modules[i];
        fprintf(stderr, "locations %u functions %u lines %u inlined %u\n", m->locations,
                m->with_function, m->with_line, stats.with_inlines);
        if (m->debug)
            fprintf(stderr, "debug file %s\n", m->debug);
        if (m->not_fetched)
            fprintf(stderr, "not fetched: %s\n", m->not_fetched);
        if (m->reason)
            fprintf(stderr, "reason: %s\n", m->reason);
    }
    profile_free(&p);
    return 0;
}
