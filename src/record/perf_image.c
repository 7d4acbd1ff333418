/* SPDX-License-Identifier: MIT
 *
 * See perf_image.h. A file is looked for where the program has it: under its own name when that is
 * the same file (device and inode), else through its root, which in a container is another, else by
 * the mapping itself (/proc/PID/map_files) or /proc/PID/exe, which work for deleted files.
 *
 * Programs may lack .eh_frame_hdr, the search table of .eh_frame (linked with --no-eh-frame-hdr, or
 * by musl's tools): it is made here, behind the copy, because the unwinder wants one. */
#include "record/perf_image.h"

#include "base/limits.h"
#include "record/perf_eh_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE 4096ull

void perf_images_init(struct perf_images *s, struct arena *arena)
{
    *s = (struct perf_images){.arena = arena};
    map_init(&s->by_file, arena, 64);
}

void perf_images_free(struct perf_images *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct perf_image *m = s->list[i];
        if (m->is_elf)
            elf_file_close(&m->elf);
        if (m->fd >= 0)
            close(m->fd);
        if (m->copy && m->copy_bytes)
            munmap(m->copy, m->copy_bytes);
    }
    *s = (struct perf_images){0};
}

/* ---- opening ---- */

static bool is_it(int fd, const struct perf_image_key *key)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    /* Some file systems (overlay, btrfs) show mappings with another device: the inode decides. */
    return !key->inode || (uint64_t)st.st_ino == key->inode;
}

static int try_open(const char *path, const struct perf_image_key *key)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && !is_it(fd, key)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_file(struct arena *a, const struct perf_image_key *key)
{
    const int pid = (int)key->pid;
    const char *const forms[] = {
        key->path,
        arena_printf(a, "/proc/%d/root%s", pid, key->path),
        arena_printf(a, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)key->start,
                     (unsigned long long)key->end),
        arena_printf(a, "/proc/%d/exe", pid),
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int fd = forms[i][0] == '/' ? try_open(forms[i], key) : -1;
        if (fd >= 0)
            return fd;
        /* Without an inode to compare, the last would be any file. */
        if (i == 2 && !key->inode)
            break;
    }
    return -1;
}

/* ---- the copy ---- */

static bool measure(struct perf_image *m)
{
    m->low = UINT64_MAX;
    m->high = 0;
    for (size_t i = 0; i < m->elf.phdr_count; i++) {
        const GElf_Phdr *h = &m->elf.phdrs[i];
        if (h->p_type != PT_LOAD || h->p_memsz > LIMIT_IMAGE_SPAN || h->p_vaddr > UINT64_MAX / 2)
            continue;
        uint64_t low = h->p_vaddr & ~(PAGE - 1);
        uint64_t high = (h->p_vaddr + h->p_memsz + PAGE - 1) & ~(PAGE - 1);
        m->low = low < m->low ? low : m->low;
        m->high = high > m->high ? high : m->high;
    }
    return m->high > m->low && m->high - m->low <= LIMIT_IMAGE_SPAN;
}

/* Maps the file's pages over zeroed ones. Pages beyond the file's end stay zero: to read them would
 * raise SIGBUS. */
static void map_segments(struct perf_image *m, uint64_t file_bytes)
{
    for (size_t i = 0; i < m->elf.phdr_count; i++) {
        const GElf_Phdr *h = &m->elf.phdrs[i];
        if (h->p_type != PT_LOAD || !h->p_filesz || h->p_memsz > LIMIT_IMAGE_SPAN ||
            (h->p_vaddr - h->p_offset) % PAGE || h->p_offset >= file_bytes)
            continue;
        uint64_t from = h->p_offset & ~(PAGE - 1), end = h->p_offset + h->p_filesz;
        if (end < h->p_offset || end > file_bytes)
            end = file_bytes;
        uint64_t at = (h->p_vaddr & ~(PAGE - 1)) - m->low;
        if (end - from > m->high - m->low - at)
            end = from + (m->high - m->low - at);
        mmap(m->copy + at, end - from, PROT_READ, MAP_PRIVATE | MAP_FIXED, m->fd, (off_t)from);
    }
}

static void find_unwind_tables(struct perf_image *m, size_t table_bytes)
{
    for (size_t i = 0; i < m->elf.phdr_count; i++) {
        const GElf_Phdr *h = &m->elf.phdrs[i];
        if (h->p_type == PT_GNU_EH_FRAME && h->p_vaddr >= m->low && h->p_vaddr < m->high) {
            m->eh_frame_hdr = m->copy + (h->p_vaddr - m->low);
            return;
        }
    }
    uint8_t *table = m->copy + (m->high - m->low);
    if (table_bytes && mprotect(table, table_bytes, PROT_READ | PROT_WRITE) == 0 &&
        perf_eh_table_make(&m->elf, table, table_bytes, (uintptr_t)m->copy - m->low)) {
        m->eh_frame_hdr = table;
        m->made_bytes = table_bytes;
    }
}

static void make_copy(struct perf_image *m)
{
    struct stat st;
    if (!measure(m) || fstat(m->fd, &st) != 0)
        return;
    size_t table = (perf_eh_table_bytes(&m->elf) + PAGE - 1) & ~(size_t)(PAGE - 1);
    m->copy_bytes = (size_t)(m->high - m->low) + table;
    void *p =
        mmap(NULL, m->copy_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return;
    m->copy = p;
    map_segments(m, (uint64_t)st.st_size);
    find_unwind_tables(m, table);
}

/* Every process of this boot has the same vdso, and so have we. */
static void use_vdso(struct perf_image *m)
{
    uint8_t *own = (uint8_t *)getauxval(AT_SYSINFO_EHDR); /* NOLINT: a number from the kernel */
    Elf64_Ehdr h;
    if (!own)
        return;
    memcpy(&h, own, sizeof h);
    size_t size = h.e_shoff + (size_t)h.e_shentsize * h.e_shnum;
    if (elf_file_memory(&m->elf, (char *)own, size, m->elf.arena))
        return;
    m->is_elf = true;
    if (!measure(m))
        return;
    m->copy = own; /* copy_bytes stays 0: it is not ours to unmap */
    for (size_t i = 0; i < m->elf.phdr_count; i++)
        if (m->elf.phdrs[i].p_type == PT_GNU_EH_FRAME)
            m->eh_frame_hdr = own + (m->elf.phdrs[i].p_vaddr - m->low);
}

static bool has_interpreters_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    return !strncmp(base, "ld-", 3) || !strncmp(base, "ld.so", 5) || !strncmp(base, "ld64", 4);
}

/* Statically linked, or a loader (musl's is its libc): it can be executed, and needs no loader. */
static bool brings_libc(const struct perf_image *m)
{
    for (size_t i = 0; i < m->elf.phdr_count; i++)
        if (m->elf.phdrs[i].p_type == PT_INTERP)
            return false;
    return m->elf.ehdr.e_entry != 0;
}

static void open_image(struct perf_images *s, struct perf_image *m,
                       const struct perf_image_key *key)
{
    m->fd = open_file(s->arena, key);
    if (m->fd < 0)
        return;
    snprintf(m->name, sizeof m->name, "/proc/self/fd/%d", m->fd);
    if (elf_file_open(&m->elf, m->name, s->arena))
        return;
    m->is_elf = true;
    m->entry = m->elf.ehdr.e_entry;
    m->is_interpreter = has_interpreters_name(m->path);
    make_copy(m);
    if (brings_libc(m))
        perf_roots_find(m);
    m->has_go = pclntab_open(&m->go, &m->elf) && pclntab_range(&m->go, &m->go_low, &m->go_high);
}

struct perf_image *perf_image_get(struct perf_images *s, const struct perf_image_key *key)
{
    static const char deleted[] = " (deleted)";
    size_t len = strlen(key->path), cut = sizeof deleted - 1;
    if (len > cut && !strcmp(key->path + len - cut, deleted))
        len -= cut;
    uint64_t hash = hash_mix(hash_bytes(key->path, len), key->inode);
    struct map_probe at = map_find(&s->by_file, hash);
    for (uint32_t i; (i = map_next(&s->by_file, &at)) != MAP_NONE;) {
        struct perf_image *m = s->list[i];
        if (m->inode == key->inode && m->device == key->device && strlen(m->path) == len &&
            !memcmp(m->path, key->path, len))
            return m;
    }
    struct perf_image *m = arena_zalloc(s->arena, sizeof *m);
    m->path = arena_strndup(s->arena, key->path, len);
    m->device = key->device;
    m->inode = key->inode;
    m->fd = -1;
    m->elf.arena = s->arena;
    struct perf_image_key named = *key;
    named.path = m->path;
    if (!strcmp(m->path, "[vdso]"))
        use_vdso(m);
    else if (m->path[0] == '/')
        open_image(s, m, &named);
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 16;
        s->list = arena_grow(s->arena, s->list, s->cap * sizeof *s->list, cap * sizeof *s->list);
        s->cap = cap;
    }
    map_put(&s->by_file, hash, s->count);
    s->list[s->count++] = m;
    return m;
}

bool perf_image_bias(const struct perf_image *m, uint64_t start, uint64_t offset, uint64_t *bias)
{
    for (size_t i = 0; m->is_elf && i < m->elf.phdr_count; i++) {
        const GElf_Phdr *h = &m->elf.phdrs[i];
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_X))
            continue;
        uint64_t first = h->p_offset & ~(PAGE - 1);
        if (offset < first || offset - h->p_offset + PAGE >= h->p_filesz + 2 * PAGE)
            continue;
        *bias = start - (offset - h->p_offset + h->p_vaddr);
        return true;
    }
    return false;
}

const char *perf_image_open_as(void *ctx, const char *file, const char *build_id)
{
    struct perf_images *s = ctx;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct perf_image *m = s->list[i];
        if (m->fd >= 0 && !strcmp(m->path, file) &&
            (!*build_id || (m->is_elf && elf_file_has_build_id(&m->elf, build_id))))
            return m->name;
    }
    return NULL;
}
