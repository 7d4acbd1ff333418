/* SPDX-License-Identifier: MIT
 *
 * Mirrors the readable file mappings and the vdso of a stopped process. */
#include "mirror.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static void give_up(const char *what, uintptr_t at)
{
    printf("cannot mirror %s at 0x%lx: %s\n", what, (unsigned long)at, strerror(errno));
    exit(77);
}

static void mirror_one(struct mirror *m, const struct mapping *map, off_t offset, int is_vdso)
{
    size_t size = map->end - map->start;
    void *at = (void *)map->start;
    int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | (is_vdso ? MAP_ANONYMOUS : 0);
    int fd = is_vdso ? -1 : open(map->path, O_RDONLY);
    if (!is_vdso && fd < 0)
        return;
    if (mmap(at, size, PROT_READ | (is_vdso ? PROT_WRITE : 0), flags, fd, offset) == MAP_FAILED)
        give_up(map->path, map->start);
    if (fd >= 0)
        close(fd);
    struct iovec there = {at, size};
    if (is_vdso && process_vm_readv(m->pid, &there, 1, &there, 1, 0) != (ssize_t)size)
        give_up("the vdso", map->start);
    m->mirrored[m->mirrored_count++] = *map;
}

/* The first mapping of a file begins a module, those that follow extend it. */
static void add_to_modules(struct mirror *m, const struct mapping *map, off_t offset)
{
    static char last[256];
    struct unwind_module *prev = m->modules.count ? &m->list[m->modules.count - 1] : NULL;
    if (prev && offset != 0 && strcmp(last, map->path) == 0) {
        prev->end = map->end;
        return;
    }
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)map->start;
    if (offset != 0 || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
        return;
    snprintf(last, sizeof last, "%s", map->path);
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(map->start + eh->e_phoff);
    struct unwind_module module = {map->start, map->end, NULL, NULL};
    uint64_t bias = 0;
    for (int i = eh->e_phnum - 1; i >= 0; i--)
        if (ph[i].p_type == PT_LOAD)
            bias = map->start - (ph[i].p_vaddr & ~4095ull);
    for (int i = 0; i < eh->e_phnum; i++)
        if (ph[i].p_type == PT_GNU_EH_FRAME)
            module.eh_frame_hdr = (const void *)(bias + ph[i].p_vaddr);
    m->list[m->modules.count++] = module;
}

void mirror_update(struct mirror *m, pid_t pid)
{
    char line[512], perms[8], path[64];
    unsigned long start, end, offset;
    m->pid = pid;
    for (size_t i = 0; i < m->mirrored_count; i++)
        munmap((void *)m->mirrored[i].start, m->mirrored[i].end - m->mirrored[i].start);
    m->mirrored_count = m->modules.count = m->count = 0;
    m->modules.list = m->list;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f) && m->count < MIRROR_MAX) {
        struct mapping *map = &m->maps[m->count];
        map->path[0] = '\0';
        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255[^\n]", &start, &end, perms, &offset,
                   map->path) < 4)
            continue;
        map->start = start;
        map->end = end;
        m->count++;
        int is_vdso = strcmp(map->path, "[vdso]") == 0;
        if (perms[0] != 'r' || (map->path[0] != '/' && !is_vdso))
            continue;
        mirror_one(m, map, (off_t)offset, is_vdso);
        if (m->mirrored_count && m->mirrored[m->mirrored_count - 1].start == map->start)
            add_to_modules(m, map, (off_t)offset);
    }
    if (f)
        fclose(f);
}

const struct mapping *mirror_find(const struct mirror *m, uintptr_t addr)
{
    for (size_t i = 0; i < m->count; i++)
        if (addr >= m->maps[i].start && addr < m->maps[i].end)
            return &m->maps[i];
    return NULL;
}

const char *mirror_name(const struct mirror *m, uintptr_t addr)
{
    static char text[512];
    const struct mapping *map = mirror_find(m, addr);
    if (!map) {
        snprintf(text, sizeof text, "0x%lx", (unsigned long)addr);
        return text;
    }
    const char *base = strrchr(map->path, '/') ? strrchr(map->path, '/') + 1 : map->path;
    uintptr_t start = map->start;
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->maps[i].path, map->path) == 0 && m->maps[i].start < start)
            start = m->maps[i].start;
    snprintf(text, sizeof text, "%s+0x%lx", base, (unsigned long)(addr - start));
    return text;
}
