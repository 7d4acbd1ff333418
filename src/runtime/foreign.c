/* SPDX-License-Identifier: MIT
 *
 * The files that another process has mapped, mapped here segment by segment at the same distances,
 * so that the unwinder finds each one's call frame information by a bias. A file is opened once for
 * all processes of a look; one that is not there any more, or no object of this machine, is a
 * module without call frame information. What is in another process's address space is not
 * believed: only files are read, and only inside of their own bounds. */
#include "runtime/foreign.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, FILES = 512, MAPS_MAX = 4 << 20, EMPTY = 8, SPAN_MAX = 1 << 30 };

struct foreign_file {
    char *path;
    char *copy;            /* its image, or NULL */
    uint64_t bytes;        /* of it */
    uint64_t eh_frame_hdr; /* in it; 0: none */
    uint8_t build_id[SHM_BUILD_ID_MAX];
    uint8_t build_id_len;
};

/* ---- a file ---- */

/* Program headers lie in the first page of nearly every object; others are left alone. */
static const Elf64_Phdr *read_head(int fd, unsigned char head[PAGE], uint32_t *count)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)head;
    ssize_t n = pread(fd, head, PAGE, 0);
    if (n < (ssize_t)sizeof *eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
        eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phentsize != sizeof(Elf64_Phdr) ||
        eh->e_phoff % 8 || eh->e_phoff > PAGE ||
        eh->e_phnum * sizeof(Elf64_Phdr) > (size_t)n - eh->e_phoff)
        return NULL;
    *count = eh->e_phnum;
    return (const Elf64_Phdr *)(head + eh->e_phoff);
}

static uint64_t down(uint64_t x)
{
    return x & ~(uint64_t)(PAGE - 1);
}

static bool find_span(const Elf64_Phdr *ph, uint32_t n, uint64_t *lo, uint64_t *hi)
{
    *lo = UINT64_MAX;
    *hi = 0;
    for (uint32_t i = 0; i < n; i++)
        if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr + ph[i].p_memsz >= ph[i].p_vaddr) {
            *lo = down(ph[i].p_vaddr) < *lo ? down(ph[i].p_vaddr) : *lo;
            *hi = ph[i].p_vaddr + ph[i].p_memsz > *hi ? ph[i].p_vaddr + ph[i].p_memsz : *hi;
        }
    return *lo < *hi && *hi - *lo <= SPAN_MAX;
}

static void read_build_id(struct foreign_file *f, uint64_t at, uint64_t size)
{
    if (at > f->bytes || size > f->bytes - at)
        return;
    for (uint64_t end = at + size; end - at > sizeof(Elf64_Nhdr);) {
        const Elf64_Nhdr *n = (const Elf64_Nhdr *)(f->copy + at);
        uint64_t desc = at + sizeof *n + ((n->n_namesz + 3ull) & ~3ull);
        uint64_t next = desc + ((n->n_descsz + 3ull) & ~3ull);
        if (next > end || at % 4)
            return;
        if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && n->n_descsz <= SHM_BUILD_ID_MAX) {
            f->build_id_len = (uint8_t)n->n_descsz;
            memcpy(f->build_id, f->copy + desc, n->n_descsz);
            return;
        }
        at = next;
    }
}

/* Reading behind a file's end would be SIGBUS: its segments must lie in it. */
static bool map_segments(struct foreign_file *f, int fd, const Elf64_Phdr *ph, uint32_t n)
{
    struct stat st;
    uint64_t lo, hi;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !find_span(ph, n, &lo, &hi))
        return false;
    f->bytes = down(hi - lo + PAGE - 1);
    char *to = mmap(NULL, f->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (to == MAP_FAILED)
        return false;
    f->copy = to;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = down(ph[i].p_vaddr) - lo, from = down(ph[i].p_offset);
        uint64_t size = ph[i].p_filesz + (ph[i].p_vaddr - down(ph[i].p_vaddr));
        if (ph[i].p_type != PT_LOAD || !ph[i].p_filesz || (ph[i].p_flags & PF_W))
            continue;
        if (from + size < from || from + size > (uint64_t)st.st_size || at + size > f->bytes ||
            mmap(to + at, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, (off_t)from) == MAP_FAILED)
            return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (ph[i].p_type == PT_GNU_EH_FRAME && ph[i].p_vaddr - lo < f->bytes)
            f->eh_frame_hdr = ph[i].p_vaddr - lo;
        if (ph[i].p_type == PT_NOTE && !f->build_id_len)
            read_build_id(f, ph[i].p_vaddr - lo, ph[i].p_memsz);
    }
    return true;
}

static void drop_copy(struct foreign_file *f)
{
    if (f->copy)
        munmap(f->copy, f->bytes);
    f->copy = NULL;
    f->eh_frame_hdr = 0;
}

static void read_file(struct foreign_file *f, uint32_t pid)
{
    unsigned char head[PAGE] __attribute__((aligned(8)));
    char path[RUNTIME_PATH + 32];
    uint32_t n;
    snprintf(path, sizeof path, "/proc/%u/root%s", pid, f->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const Elf64_Phdr *ph = fd >= 0 ? read_head(fd, head, &n) : NULL;
    if (!ph || !map_segments(f, fd, ph, n))
        drop_copy(f);
    if (fd >= 0)
        close(fd);
}

/* NULL: there is no room. */
static struct foreign_file *find_file(struct foreign_files *files, const char *path, uint32_t pid,
                                      struct arena *arena)
{
    for (uint32_t i = 0; i < files->count; i++)
        if (!strcmp(files->list[i].path, path))
            return &files->list[i];
    if (!files->list)
        files->list = arena_zarray(arena, FILES, sizeof *files->list);
    if (!files->list || files->count == FILES)
        return NULL;
    struct foreign_file *f = &files->list[files->count];
    f->path = arena_strndup(arena, path, strlen(path));
    if (!f->path)
        return NULL;
    files->count++;
    read_file(f, pid);
    return f;
}

void foreign_files_close(struct foreign_files *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        drop_copy(&files->list[i]);
    files->count = 0;
}

/* ---- a process ---- */

static int read_maps(struct foreign *f, struct arena *arena)
{
    char path[32];
    size_t size = 64 << 10, len = 0;
    snprintf(path, sizeof path, "/proc/%u/maps", f->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    f->maps = arena_alloc(arena, size);
    for (ssize_t n = 1; f->maps && n > 0;) {
        if (size - len < PAGE + 1 && size < MAPS_MAX) {
            char *more = arena_alloc(arena, size * 2);
            if (more)
                memcpy(more, f->maps, len);
            f->maps = more;
            size *= 2;
        }
        n = f->maps && size - len > 1 ? read(fd, f->maps + len, size - len - 1) : 0;
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (!f->maps)
        return -ENOMEM;
    f->maps[len] = 0;
    return len ? 0 : -EACCES; /* opened, but what is in it we may not know; or it has ended */
}

struct line {
    uint64_t start, end, offset;
    bool executable;
    const char *path; /* not ended */
    size_t path_len;
};

/* The line at `*at`, which goes on to the next. False: the end. */
static bool next_line(const char **at, struct line *l)
{
    char *end;
    const char *text = *at;
    if (!*text)
        return false;
    size_t len = strcspn(text, "\n");
    *at = text + len + (text[len] == '\n');
    *l = (struct line){.start = strtoull(text, &end, 16)};
    l->end = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
    l->executable = *end == ' ' && end[1] && end[2] && end[3] == 'x';
    const char *field = end;
    for (int i = 0; i < 4 && field < text + len; i++) {
        field++;
        if (i == 1)
            l->offset = strtoull(field, NULL, 16);
        field += strcspn(field, " \n");
    }
    while (field < text + len && *field == ' ')
        field++;
    l->path = field;
    l->path_len = (size_t)(text + len - field);
    return true;
}

/* As the process itself calls it: /lib may be a link to /usr/lib, and one file has one mapping in a
 * profile. */
static void rename_module(const struct foreign *f, struct module *m)
{
    for (uint32_t i = 0, empty = 0; f->known && i < RUNTIME_MODULES; i++) {
        const struct module *k = &f->known[i];
        uint32_t n = k->path_len;
        if (!k->limit && ++empty >= EMPTY)
            return;
        if (k->start != m->start || n >= sizeof m->path || k->build_id_len != m->build_id_len ||
            memcmp(k->build_id, m->build_id, m->build_id_len) != 0)
            continue;
        memcpy(m->path, k->path, n);
        m->path[n] = 0;
        m->path_len = (uint16_t)n;
        return;
    }
}

static void note_module(struct foreign *f, const struct line *l, const struct foreign_file *file)
{
    struct module *m = &f->modules[f->module_count++];
    size_t n = l->path_len < sizeof m->path ? l->path_len : sizeof m->path - 1;
    m->start = l->start;
    m->limit = l->end;
    m->offset = l->offset;
    m->path_len = (uint16_t)n;
    memcpy(m->path, l->path, n);
    if (file && file->build_id_len) {
        m->build_id_len = file->build_id_len;
        memcpy(m->build_id, file->build_id, file->build_id_len);
    }
    rename_module(f, m);
    atomic_store(&m->ready, 1);
}

static void note_object(struct foreign *f, uint64_t start, const struct foreign_file *file)
{
    struct unwind_module *o = &f->objects[f->table.count];
    if (!file->copy || !file->eh_frame_hdr ||
        (f->table.count && o[-1].end > start)) /* overlapping: it is not what it seems */
        return;
    *o = (struct unwind_module){.start = start,
                                .end = start + file->bytes,
                                .eh_frame_hdr = file->copy + file->eh_frame_hdr,
                                .bias = (uintptr_t)file->copy - start};
    f->table.count++;
}

/* Where each file begins is the line with offset 0 before its executable one. */
static void note_lines(struct foreign *f, struct foreign_files *files, struct arena *arena)
{
    struct line l;
    uint64_t first = 0;
    char path[RUNTIME_PATH], of_first[RUNTIME_PATH] = "";
    for (const char *at = f->maps; next_line(&at, &l) && f->module_count < RUNTIME_MODULES;) {
        if (l.path_len >= sizeof path || !l.path_len || *l.path != '/')
            continue;
        memcpy(path, l.path, l.path_len);
        path[l.path_len] = 0;
        if (!l.offset) {
            first = l.start;
            strcpy(of_first, path);
        }
        if (!l.executable)
            continue;
        struct foreign_file *file = find_file(files, path, f->pid, arena);
        note_module(f, &l, file);
        if (file && !strcmp(path, of_first))
            note_object(f, first, file);
    }
}

int foreign_hash(uint32_t pid, struct arena *arena, uint64_t *hash)
{
    struct foreign f = {.pid = pid};
    struct line l;
    uint64_t h = 1;
    int r = read_maps(&f, arena);
    for (const char *at = f.maps; r == 0 && next_line(&at, &l);) {
        if (!l.executable || !l.path_len || *l.path != '/')
            continue;
        uint64_t words[3] = {l.start, l.end, l.offset};
        for (size_t i = 0; i < 3; i++)
            h = ((h ^ words[i]) * 0x9e3779b97f4a7c15ull) ^ h >> 29;
        for (size_t i = 0; i < l.path_len; i++)
            h = (h ^ (unsigned char)l.path[i]) * 0x100000001b3ull;
    }
    *hash = h;
    return r;
}

int foreign_open(struct foreign *f, uint32_t pid, const struct module *known,
                 struct foreign_files *files, struct arena *arena)
{
    *f = (struct foreign){.pid = pid, .known = known};
    int r = read_maps(f, arena);
    if (r < 0)
        return r;
    uint32_t lines = 0;
    for (const char *p = f->maps; *p; p++)
        lines += *p == '\n';
    uint32_t max = lines < RUNTIME_MODULES ? lines : RUNTIME_MODULES;
    f->modules = arena_zarray(arena, max + EMPTY, sizeof *f->modules);
    f->objects = arena_zarray(arena, max + EMPTY, sizeof *f->objects);
    if (!f->modules || !f->objects)
        return -ENOMEM;
    f->table.list = f->objects;
    note_lines(f, files, arena);
    void *memory = mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    struct unwind_config config = {.no_find_object = 1};
    f->cache = unwind_cache_init(memory, &config);
    unwind_set_modules(f->cache, &f->table);
    return 0;
}

void foreign_close(struct foreign *f)
{
    if (f->cache)
        munmap(f->cache, unwind_cache_size());
    f->cache = NULL;
}
