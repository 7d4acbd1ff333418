/* SPDX-License-Identifier: MIT
 *
 * Everything that is done for one file: open it, check that it is the one that ran, turn the
 * addresses into its own, ask each source of names in turn. Runs on a worker thread and touches
 * nothing but its module. */
#include "symbol/symbol_internal.h"
#include "base/sort.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

uint32_t query_lower_bound(const struct query *q, uint32_t count, uint64_t addr)
{
    uint32_t lo = 0, hi = count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (q[mid].addr < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int by_address(const void *a, const void *b)
{
    const struct query *x = a, *y = b;
    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    return x->location < y->location ? -1 : x->location > y->location;
}

/* The vdso is in no file, but every process of this boot has the same one. Its size is where its
 * section headers, which the linker puts last, end. */
static const char *open_vdso(struct module *m)
{
    char *bytes = (char *)getauxval(AT_SYSINFO_EHDR); /* NOLINT: the kernel hands out a number */
    Elf64_Ehdr h;
    if (!bytes)
        return "this process has no vdso to compare it with";
    memcpy(&h, bytes, sizeof h);
    size_t size = h.e_shoff + (size_t)h.e_shentsize * h.e_shnum;
    return elf_file_memory(&m->elf, bytes, size, &m->arena);
}

static const char *open_module(struct module *m)
{
    static const char deleted[] = " (deleted)";
    size_t len = strlen(m->file);
    if (!strcmp(m->file, "[vdso]"))
        return open_vdso(m);
    if (m->open_as)
        return elf_file_open(&m->elf, m->open_as, &m->arena);
    if (m->file[0] != '/')
        return "it is no file";
    if (len > sizeof deleted && !strcmp(m->file + len - (sizeof deleted - 1), deleted)) {
        if (!m->build_id[0])
            return "the file was deleted";
        m->file = arena_strndup(&m->arena, m->file, len - (sizeof deleted - 1));
        m->base = strrchr(m->file, '/') + 1;
    }
    return elf_file_open(&m->elf, arena_printf(&m->arena, "%s%s", m->places.sysroot, m->file),
                         &m->arena);
}

static const char *check_build_id(const struct module *m)
{
    if (!m->build_id[0] || elf_file_has_build_id(&m->elf, m->build_id))
        return NULL;
    return m->elf.build_id ? "the file was replaced since: its build id differs"
                           : "the file was replaced since: it has no build id";
}

/* Turns file offsets into virtual addresses. An offset outside of the file's segments keeps no
 * query: no symbol of the file can be meant. */
static void translate(struct module *m)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->query_count; i++) {
        if (elf_file_vaddr(&m->elf, m->queries[i].addr, &m->queries[i].addr))
            m->queries[kept++] = m->queries[i];
    }
    m->query_count = kept;
    sort_list(m->queries, kept, sizeof *m->queries, by_address);
}

static void name_from_tables(struct module *m)
{
    if (m->file[0] == '/')
        debug_file_find(m);
    if (m->debug_elf.elf)
        symtab_name(m, &m->debug_elf, &m->elf);
    symtab_name(m, &m->elf, &m->elf);
    debug_file_unpack(m);
    if (m->mini_elf.elf)
        symtab_name(m, &m->mini_elf, &m->elf);
    if (m->lines)
        lines_find(m);
}

static void name_entry_points(struct module *m)
{
    struct entry_points ep = {0};
    bool looked = false;
    for (uint32_t k = 0; k < m->query_count; k++) {
        struct query *q = &m->queries[k];
        uint64_t start, end;
        if (q->kind == NAME_REAL)
            continue;
        if (!looked)
            entry_point_find(&m->elf, &ep);
        looked = true;
        if (!ep.start)
            return;
        if (!unwind_entry_find(&m->elf, q->addr, &start, &end))
            continue;
        if (start != ep.start && start != ep.main)
            continue;
        q->name = start == ep.start ? "_start" : "main";
        q->kind = NAME_REAL;
        q->entry = start;
    }
}

static void name_by_unwind_entry(struct module *m)
{
    uint64_t start = 0, end = 0;
    const char *name = NULL;
    for (uint32_t k = 0; k < m->query_count; k++) {
        struct query *q = &m->queries[k];
        if (q->kind == NAME_REAL)
            continue;
        if (!name || q->addr < start || q->addr >= end) {
            if (unwind_entry_find(&m->elf, q->addr, &start, &end)) {
                name = arena_printf(&m->arena, "%s!0x%llx", m->base, (unsigned long long)start);
            } else {
                const struct section *s = elf_file_section_at(&m->elf, q->addr);
                name =
                    arena_printf(&m->arena, "%s!%s", m->base, s && s->name[0] ? s->name : "text");
                start = q->addr;
                end = start + 1;
            }
        }
        q->name = name;
        q->kind = NAME_GROUP;
        q->entry = start;
    }
}

/* A physical function that DWARF names but no symbol does: stripped of .symtab, not of DWARF. */
static void name_from_frames(struct module *m)
{
    for (uint32_t k = 0; k < m->query_count; k++) {
        struct query *q = &m->queries[k];
        const char *name = q->frame_count ? q->frames[q->frame_count - 1].name : NULL;
        if (q->kind == NAME_REAL || !name)
            continue;
        q->name = name;
        q->kind = NAME_REAL;
    }
}

void module_symbolize(struct module *m)
{
    m->reason = open_module(m);
    if (!m->reason) {
        m->reason = check_build_id(m);
        if (m->reason)
            elf_file_close(&m->elf);
    }
    if (m->reason && debug_file_executable(m))
        m->reason = NULL;
    if (m->reason)
        return;
    translate(m);
    if (!go_name(m)) {
        name_from_tables(m);
        go_name(m);
    }
    name_from_frames(m);
    plt_name(m);
    name_entry_points(m);
    name_by_unwind_entry(m);
}

void module_close(struct module *m)
{
    lines_close(m);
    if (m->mini_elf.elf)
        elf_file_close(&m->mini_elf);
    if (m->debug_elf.elf)
        elf_file_close(&m->debug_elf);
    if (m->elf.elf)
        elf_file_close(&m->elf);
    arena_free(&m->arena);
}
