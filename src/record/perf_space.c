/* SPDX-License-Identifier: MIT
 *
 * See perf_space.h. Records of unmapping do not exist: a mapping ends where a later one lies over
 * it. Files are opened when they are mapped, not when a sample lies in them, because by then they
 * may be gone. */
#include "record/perf_space.h"

#include "base/sort.h"
#include "record/perf_go.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define USER_LIMIT (1ull << 47)

void perf_spaces_init(struct perf_spaces *s, struct drain *d)
{
    *s = (struct perf_spaces){.arena = &d->arena, .drain = d};
    perf_images_init(&s->images, &d->arena);
    map_init(&s->by_pid, &d->arena, 64);
}

static void drop_unwinder(struct perf_process *p)
{
    if (p->cache)
        munmap(p->cache, unwind_cache_size());
    free(p->modules);
    p->cache = NULL;
    p->modules = NULL;
}

void perf_spaces_free(struct perf_spaces *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        drop_unwinder(s->list[i]);
    perf_images_free(&s->images);
    *s = (struct perf_spaces){0};
}

struct perf_process *perf_space_find(struct perf_spaces *s, uint32_t pid)
{
    struct map_probe at = map_find(&s->by_pid, hash_mix(0, pid));
    for (uint32_t i; (i = map_next(&s->by_pid, &at)) != MAP_NONE;)
        if (s->list[i]->pid == pid)
            return s->list[i];
    return NULL;
}

struct perf_process *perf_space_add(struct perf_spaces *s, uint32_t pid)
{
    struct perf_process *former = perf_space_find(s, pid);
    if (former) { /* the number is used again */
        former->pid = 0;
        drop_unwinder(former);
    }
    struct perf_process *p = arena_zalloc(s->arena, sizeof *p);
    p->owner = s;
    p->pid = pid;
    p->exe = "";
    p->image = DRAIN_NONE;
    p->stale = true;
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 16;
        s->list = arena_grow(s->arena, s->list, s->cap * sizeof *s->list, cap * sizeof *s->list);
        s->cap = cap;
    }
    map_put(&s->by_pid, hash_mix(0, pid), s->count);
    s->list[s->count++] = p;
    return p;
}

/* ---- mappings ---- */

static bool is_same(const struct perf_mapping *a, const struct perf_mapping *b)
{
    return a->start == b->start && a->end == b->end && a->offset == b->offset &&
           a->image == b->image;
}

/* Cuts what lies under the new mapping. One that it splits keeps its lower part. */
static void make_room(struct perf_process *p, const struct perf_mapping *m)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->map_count; i++) {
        struct perf_mapping *o = &p->maps[i];
        if (o->start < m->end && m->start < o->end) {
            /* JIT compilers change the protection of parts of their memory again and again; it
             * stays what it was. */
            p->reused |= o->image != m->image;
            if (o->start < m->start)
                o->end = m->start;
            else if (o->end > m->end && !o->image)
                o->start = m->end;
            else
                continue;
        }
        p->maps[kept++] = *o;
    }
    p->map_count = kept;
}

static void add_mapping(struct perf_process *p, const struct perf_mapping *m)
{
    for (uint32_t i = 0; i < p->map_count; i++)
        if (is_same(&p->maps[i], m))
            return;
    bool before = p->reused;
    make_room(p, m);
    if (p->reused && !before)
        p->epoch++;
    if (p->map_count == p->map_cap) {
        uint32_t cap = p->map_cap ? p->map_cap * 2 : 16;
        p->maps = arena_grow(p->owner->arena, p->maps, p->map_cap * sizeof *p->maps,
                             cap * sizeof *p->maps);
        p->map_cap = cap;
    }
    p->maps[p->map_count++] = *m;
    p->stale = true;
}

static bool is_file(const char *path)
{
    return (path[0] == '/' && path[1] != '/' && strncmp(path, "/memfd:", 7) &&
            strncmp(path, "/dev/", 5) && strncmp(path, "/SYSV", 5)) ||
           !strcmp(path, "[vdso]");
}

static void map_file(struct perf_process *p, struct perf_mapping *m,
                     const struct perf_image_key *key)
{
    if (m->start >= m->end || m->end > USER_LIMIT || !strcmp(key->path, "[vsyscall]"))
        return;
    if (is_file(key->path)) {
        m->image = perf_image_get(&p->owner->images, key);
        m->placed = perf_image_bias(m->image, m->start, m->offset, &m->bias);
        if (p->executed && m->image->path[0] == '/') {
            m->is_program = true;
            p->exe = m->image->path;
            p->executed = false;
        }
    }
    add_mapping(p, m);
}

/* ---- a process that runs ---- */

static void read_line(struct perf_process *p, char *line)
{
    struct perf_mapping m = {0};
    unsigned long long start, end, offset, inode;
    unsigned major, minor;
    char perms[5];
    int at = 0;
    if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perms, &offset, &major,
               &minor, &inode, &at) < 7 ||
        !at || !strchr(perms, 'x'))
        return;
    line[strcspn(line, "\n")] = 0;
    m.start = start;
    m.end = end;
    m.offset = offset;
    struct perf_image_key key = {.path = line + at,
                                 .device = makedev(major, minor),
                                 .inode = inode,
                                 .start = start,
                                 .end = end,
                                 .pid = (pid_t)p->pid};
    p->executed = p->exe[0] && !strcmp(line + at, p->exe);
    map_file(p, &m, &key);
}

struct perf_process *perf_space_read(struct perf_spaces *s, uint32_t pid)
{
    struct perf_process *p = perf_space_add(s, pid);
    char path[64], exe[PATH_MAX], *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%u/exe", pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    p->exe = n > 0 ? arena_strndup(s->arena, exe, (size_t)n) : "";
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *f = fopen(path, "re");
    while (f && getline(&line, &size, f) > 0)
        read_line(p, line);
    p->executed = false;
    free(line);
    if (f)
        fclose(f);
    return p;
}

/* ---- records ---- */

static struct perf_process *get(struct perf_spaces *s, uint32_t pid)
{
    struct perf_process *p = perf_space_find(s, pid);
    return p ? p : perf_space_read(s, pid);
}

static void follow_map(struct perf_spaces *s, const struct perf_record *r)
{
    struct perf_mapping m = {
        .start = r->map.start, .end = r->map.start + r->map.length, .offset = r->map.offset};
    struct perf_image_key key = {.path = r->map.path,
                                 .device = makedev(r->map.major, r->map.minor),
                                 .inode = r->map.inode,
                                 .start = m.start,
                                 .end = m.end,
                                 .pid = (pid_t)r->pid};
    map_file(get(s, r->pid), &m, &key);
}

/* A new program in an old process: an image of its own. */
static void follow_exec(struct perf_spaces *s, uint32_t pid)
{
    struct perf_process *p = get(s, pid);
    p->map_count = 0;
    p->epoch = 0;
    p->image = DRAIN_NONE;
    p->executed = true;
    p->exe = "";
    p->stale = p->reused = true;
}

static void follow_fork(struct perf_spaces *s, const struct perf_record *r)
{
    if (r->pid == r->fork.ppid)
        return;
    struct perf_process *parent = get(s, r->fork.ppid), *p = perf_space_add(s, r->pid);
    p->exe = parent->exe;
    p->map_count = p->map_cap = parent->map_count;
    p->maps = arena_array(s->arena, p->map_count, sizeof *p->maps);
    for (uint32_t i = 0; i < p->map_count; i++) {
        p->maps[i] = parent->maps[i];
        p->maps[i].told = false;
    }
}

void perf_space_follow(struct perf_spaces *s, const struct perf_record *r)
{
    struct perf_process *p;
    switch (r->type) {
    case PERF_RECORD_MMAP2: follow_map(s, r); break;
    case PERF_RECORD_COMM:
        if (r->comm.exec)
            follow_exec(s, r->pid);
        break;
    case PERF_RECORD_FORK: follow_fork(s, r); break;
    case PERF_RECORD_EXIT:
        p = r->pid == r->tid ? perf_space_find(s, r->pid) : NULL;
        if (p)
            drop_unwinder(p);
        break;
    default: break;
    }
}

/* ---- questions ---- */

const struct perf_mapping *perf_space_at(const struct perf_process *p, uint64_t pc)
{
    for (uint32_t i = p->map_count; i-- > 0;)
        if (pc >= p->maps[i].start && pc < p->maps[i].end)
            return &p->maps[i];
    return NULL;
}

static int is_code(void *ctx, uintptr_t pc)
{
    const struct perf_mapping *m = perf_space_at(ctx, pc);
    return m && !m->image;
}

static int find_frame(void *ctx, uintptr_t pc, struct unwind_hint *hint)
{
    const struct perf_mapping *m = perf_space_at(ctx, pc);
    if (m && m->placed && m->image->root_count && perf_roots_have(m->image, pc - m->bias))
        return UNWIND_LEAVE_ROOT;
    return perf_go_find_frame(ctx, pc, hint);
}

static int by_start(const void *a, const void *b)
{
    const struct unwind_module *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

static void list_modules(struct perf_process *p, struct unwind_config *config)
{
    size_t n = 0, kept = 0;
    for (uint32_t i = 0; i < p->map_count; i++) {
        const struct perf_mapping *m = &p->maps[i];
        if (!m->image || !m->placed || !m->image->copy)
            continue;
        const struct perf_image *f = m->image;
        if (m->is_program)
            config->entry = f->entry + m->bias;
        else if (f->is_interpreter)
            config->interp_entry = f->entry + m->bias;
        struct unwind_module one = {.start = f->low + m->bias,
                                    .end = f->high + m->bias,
                                    .eh_frame_hdr = f->eh_frame_hdr,
                                    .bias = (uintptr_t)f->copy - (f->low + m->bias),
                                    .made_bytes = f->made_bytes};
        if (one.start < one.end && one.end <= USER_LIMIT)
            p->modules[n++] = one;
    }
    sort_list(p->modules, n, sizeof *p->modules, by_start);
    for (size_t i = 0; i < n; i++) /* several mappings of one file, or files that overlap */
        if (!kept || p->modules[i].start >= p->modules[kept - 1].end)
            p->modules[kept++] = p->modules[i];
    p->table = (struct unwind_modules){kept, p->modules};
}

struct unwind_cache *perf_space_unwinder(struct perf_process *p)
{
    struct unwind_config config = {
        .ctx = p, .is_code = is_code, .find_frame = find_frame, .no_find_object = 1};
    if (p->cache && !p->stale)
        return p->cache;
    free(p->modules);
    p->modules = calloc(p->map_count + 1, sizeof *p->modules);
    if (!p->modules)
        return NULL;
    list_modules(p, &config);
    if (p->cache && !p->reused) { /* what it has learnt is still true */
        unwind_set_modules(p->cache, &p->table);
        p->stale = false;
        return p->cache;
    }
    if (!p->cache) {
        void *mem = mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mem == MAP_FAILED)
            return NULL;
        p->cache = mem;
    } else {
        memset(p->cache, 0, unwind_cache_size());
    }
    unwind_cache_init(p->cache, &config);
    unwind_set_modules(p->cache, &p->table);
    p->stale = p->reused = false;
    return p->cache;
}

static void tell(struct perf_process *p, struct perf_mapping *m)
{
    const struct perf_image *f = m->image;
    m->told = true;
    if (!f)
        return;
    struct drain_module module = {.start = m->start,
                                  .limit = m->end,
                                  .offset = m->offset,
                                  .epoch = p->epoch,
                                  .path = f->path,
                                  .path_len = (uint32_t)strlen(f->path)};
    if (f->is_elf && f->elf.build_id_size <= SHM_BUILD_ID_MAX) {
        module.build_id = f->elf.build_id;
        module.build_id_len = (uint32_t)f->elf.build_id_size;
    }
    drain_add_module(p->owner->drain, p->image, &module);
}

uint32_t perf_space_image(struct perf_process *p)
{
    if (p->image == DRAIN_NONE) {
        p->image = drain_new_image(p->owner->drain, p->pid, p->exe);
        for (uint32_t i = 0; i < p->map_count; i++)
            p->maps[i].told = false;
    }
    if (p->image == DRAIN_NONE)
        return DRAIN_NONE;
    for (uint32_t i = 0; i < p->map_count; i++)
        if (!p->maps[i].told)
            tell(p, &p->maps[i]);
    return p->image;
}
