/* SPDX-License-Identifier: MIT
 *
 * Debug information that is somewhere else: an ELF file, and a second one that it may refer to as
 * its package of split units and as the file that dwz made. Four bytes are the first one's size.
 * Sections are unpacked, .gnu_debugdata is opened, and addresses in all of its code are looked up.
 * Nothing is read from the disk: what the files name is below a folder that is not there. */
#include "symbol/dwarf_reader.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUERIES = 64 };

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_debug_file: %s\n", what);
        abort();
    }
}

/* Ascending addresses, spread over the executable sections. */
static void ask(struct module *m)
{
    uint64_t last = 0;
    m->queries = arena_zarray(&m->arena, QUERIES, sizeof *m->queries);
    for (size_t i = 0; i < m->elf.section_count; i++) {
        const struct section *s = &m->elf.sections[i];
        for (unsigned k = 0; s->exec && k < 16 && m->query_count < QUERIES; k++) {
            uint64_t addr = s->addr + s->size / 16 * k + k;
            if (addr < last)
                continue;
            m->queries[m->query_count++] = (struct query){.addr = addr};
            last = addr;
        }
    }
}

static void check(const struct module *m)
{
    for (uint32_t i = 0; i < m->query_count; i++) {
        const struct query *q = &m->queries[i];
        require(!q->frame_count == !q->frames, "a count without frames");
        for (uint32_t k = 0; k < q->frame_count; k++) {
            require(!q->frames[k].name || strlen(q->frames[k].name) < SIZE_MAX, "a name");
            require(q->frames[k].line >= INT64_MIN, "a line");
        }
    }
}

/* `other` is the package and the alternate file of the module's DWARF. */
static void connect(struct module *m, struct dwarf *package, struct elf_file *other)
{
    m->dwarf = arena_alloc(&m->arena, sizeof *m->dwarf);
    dwarf_open(m->dwarf, m, &m->elf, "/nowhere/main");
    m->dwarf->package_looked = m->dwarf->alt_looked = true;
    if (!other->elf)
        return;
    dwarf_open(package, m, other, "/nowhere/other");
    package->is_split = true;
    m->dwarf->package = package;
    m->dwarf->alt = arena_alloc(&m->arena, sizeof *m->dwarf->alt);
    dwarf_open(m->dwarf->alt, m, other, "/nowhere/other");
    m->dwarf->alt->alt_looked = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dwarf package;
    struct module m = {.file = "/nowhere/main", .base = "main", .build_id = "", .lines = true};
    struct elf_file other = {0};
    uint32_t first;
    m.places.sysroot = "/nowhere";
    if (size < 8)
        return 0;
    memcpy(&first, data, 4);
    if (first > size - 4)
        first = (uint32_t)(size - 4);
    char *bytes = malloc(size); /* libelf may change what it is given */
    if (!bytes)
        return 0;
    memcpy(bytes, data + 4, size - 4);
    if (!elf_file_memory(&m.elf, bytes, first, &m.arena)) {
        if (elf_file_memory(&other, bytes + first, size - 4 - first, &m.arena))
            other = (struct elf_file){0};
        ask(&m);
        debug_file_unpack(&m);
        if (m.mini_elf.elf)
            symtab_name(&m, &m.mini_elf, &m.elf);
        connect(&m, &package, &other);
        lines_find(&m);
        check(&m);
        if (other.elf)
            elf_file_close(&other);
    }
    module_close(&m);
    free(bytes);
    return 0;
}
