/* SPDX-License-Identifier: MIT
 *
 * Where the binaries of a profile are on this machine (google/pprof internal/driver/fetch.go,
 * locateBinaries). What is found replaces the mapping's file in every report. */
#include "pprof/pprof_internal.h"

#include "base/gotext.h"
#include "symbol/object.h"

#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opens an ELF file; NULL if it is none. The caller closes both. */
static Elf *open_elf(const char *path, int *fd)
{
    elf_version(EV_CURRENT);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return NULL;
    Elf *elf = elf_begin(*fd, ELF_C_READ_MMAP, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        return elf;
    elf_end(elf);
    close(*fd);
    return NULL;
}

bool binaries_is_executable(const char *path)
{
    int fd;
    Elf *elf = open_elf(path, &fd);
    if (!elf)
        return false;
    elf_end(elf);
    close(fd);
    return true;
}

struct search {
    struct profile *p;
    struct profile_mapping *m;
    struct arena arena;
    const char *build_id;          /* of the mapping */
    const char *file, *base, *dir; /* "" without a file */
};

/* Whether the file is there and is the mapping's; then the mapping names it. */
static bool try_file(struct search *s, const char *path)
{
    struct buf clean;
    struct object_mapping mapping = {s->m->start, s->m->limit, s->m->offset, NULL};
    struct object *o;
    buf_init(&clean, &s->arena);
    gotext_clean(&clean, path, strlen(path));
    const char *name = buf_cstr(&clean);
    if (object_open(&o, name, &mapping, NULL))
        return false;
    const char *found = arena_strdup(&s->arena, object_build_id(o));
    object_close(o);
    if (*s->build_id && strcmp(s->build_id, found)) {
        ui_errorf("Ignoring local file %s: build-id mismatch (%s != %s)", name, s->build_id, found);
        return false;
    }
    s->m->file = profile_intern_cstr(s->p, name);
    return true;
}

static bool try_glob(struct search *s, const char *pattern)
{
    glob_t found;
    bool done = false;
    if (glob(pattern, 0, NULL, &found))
        return false;
    for (size_t i = 0; i < found.gl_pathc && !done; i++)
        done = try_file(s, found.gl_pathv[i]);
    globfree(&found);
    return done;
}

#define PATH(...) arena_printf(&s->arena, __VA_ARGS__)

static bool search_dir(struct search *s, const char *dir)
{
    const char *id = s->build_id;
    if (*id &&
        (try_file(s, PATH("%s/%s/%s", dir, id, s->base)) || try_glob(s, PATH("%s/%s/*", dir, id)) ||
         try_file(s, PATH("%s/%s/%s", dir, s->file, id))))
        return true;
    if (strlen(id) >= 2 && try_file(s, PATH("%s/%.2s/%s.debug", dir, id, id + 2)))
        return true;
    return *s->file &&
           (try_file(s, PATH("%s/%s", dir, s->base)) || try_file(s, PATH("%s/%s", dir, s->file)) ||
            try_file(s, PATH("%s/%s.debug", dir, s->file)) ||
            try_file(s, PATH("%s/%s/.debug/%s.debug", dir, s->dir, s->base)) ||
            try_file(s, PATH("%s/usr/lib/debug/%s/%s.debug", dir, s->dir, s->base)));
}

#undef PATH

static void locate(struct profile *p, struct profile_mapping *m, const char *path)
{
    struct search s = {.p = p, .m = m, .file = "", .base = "", .dir = ""};
    struct profile_str file = p->strings[m->file], id = p->strings[m->build_id];
    s.build_id = arena_strndup(&s.arena, id.ptr, id.len);
    if (file.len) {
        size_t len;
        const char *base = gotext_base(file.ptr, file.len, &len);
        s.file = arena_strndup(&s.arena, file.ptr, file.len);
        s.base = arena_strndup(&s.arena, base, len);
        size_t dir = file.len;
        while (dir && file.ptr[dir - 1] != '/')
            dir--;
        s.dir = dir ? arena_strndup(&s.arena, file.ptr, dir) : ".";
    }
    bool done = !*s.file && !*s.build_id;
    while (*path && !done) {
        size_t n = strcspn(path, ":");
        done = search_dir(&s, arena_strndup(&s.arena, path, n));
        path += n + (path[n] == ':');
    }
    arena_free(&s.arena);
}

static void add_mapping(struct profile *p)
{
    p->mappings = arena_zarray(&p->arena, 1, sizeof *p->mappings);
    p->mappings[0].id = 1;
    p->mapping_count = 1;
    for (uint32_t i = 0; i < p->location_count; i++)
        p->locations[i].mapping = 0;
}

void binaries_locate(struct profile *p, const struct source *s)
{
    const char *path = getenv("PPROF_BINARY_PATH"), *home = getenv("HOME");
    if (!path || !*path)
        path = arena_printf(&p->arena, "%s/pprof/binaries", home ? home : "");
    for (uint32_t i = 0; i < p->mapping_count; i++)
        locate(p, &p->mappings[i], path);
    if (!p->mapping_count)
        add_mapping(p);
    if (s->exec_name)
        p->mappings[0].file = profile_intern_cstr(p, s->exec_name);
    if (*s->build_id && !p->strings[p->mappings[0].build_id].len)
        p->mappings[0].build_id = profile_intern_cstr(p, s->build_id);
}
