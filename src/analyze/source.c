/* SPDX-License-Identifier: MIT
 *
 * Files by the names a profile has for them. A name that is still absolute after trimming has to
 * exist as it is; others are looked for below each directory of the search path and below each of
 * its parents. Files are read once, whole, and cut into lines as Go's scanner cuts them: one that
 * is longer than it can hold ends the file. */
#include "analyze/source.h"

#include "base/gotext.h"
#include "base/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 * 1024 };

struct source_file {
    struct profile_str name;
    const char *error; /* NULL: it was opened */
    struct profile_str *lines;
    uint32_t line_count;
};

/* ---- trimming ---- */

/* Cuts behind "/base/" of the first directory of the search path whose base is in the name. */
static bool cut_behind_base(struct profile_str *file, const char *search_path)
{
    for (const char *dir = search_path; *dir;) {
        size_t n = strcspn(dir, ":"), len;
        const char *base = gotext_base(dir, n, &len), *end = file->ptr + file->len;
        for (const char *at = file->ptr; file->len && (size_t)(end - at) >= len + 2; at++) {
            if (at[0] == '/' && at[len + 1] == '/' && !memcmp(at + 1, base, len)) {
                file->len = (uint32_t)(end - (at + len + 2));
                file->ptr = at + len + 2;
                return true;
            }
        }
        dir += n + (dir[n] == ':');
    }
    return false;
}

static bool cut_prefix(struct profile_str *file, const char *prefix, size_t n)
{
    bool slash = n && prefix[n - 1] == '/';
    if (file->len < n + !slash || memcmp(file->ptr, prefix, n) || (!slash && file->ptr[n] != '/'))
        return false;
    file->ptr += n + !slash;
    file->len -= (uint32_t)(n + !slash);
    return true;
}

struct profile_str source_trim_path(struct profile_str file, const char *trim_path,
                                    const char *search_path)
{
    if (!*trim_path && cut_behind_base(&file, search_path))
        return file;
    for (const char *at = trim_path; *at; at += *at == ':') {
        size_t n = strcspn(at, ":");
        if (cut_prefix(&file, at, n))
            return file;
        at += n;
    }
    if (!cut_prefix(&file, "/proc/self/cwd/./", 17))
        cut_prefix(&file, "/proc/self/cwd/", 15);
    return file;
}

/* ---- opening ---- */

static int open_below(const char *dir, size_t n, const char *path, struct arena *a)
{
    struct buf name;
    buf_init(&name, a);
    const char *joined = arena_printf(a, "%.*s%s%s", (int)n, dir, n ? "/" : "", path);
    gotext_clean(&name, joined, strlen(joined));
    return open(buf_cstr(&name), O_RDONLY | O_CLOEXEC);
}

/* filepath.Dir of a cleaned path. */
static size_t parent(const char *dir, size_t n)
{
    while (n && dir[n - 1] != '/')
        n--;
    while (n > 1 && dir[n - 1] == '/')
        n--;
    return n;
}

static int open_in_path(const char *path, const struct source_reader *r)
{
    for (const char *at = r->search_path; *at;) {
        size_t n = strcspn(at, ":");
        for (size_t len = n;; len = parent(at, len)) {
            int fd = open_below(at, len, path, r->arena);
            if (fd >= 0)
                return fd;
            if (len == 0 || parent(at, len) == len)
                break;
        }
        at += n + (at[n] == ':');
    }
    return -1;
}

/* A descriptor, or -1 with the reason in *error. */
static int open_file(struct source_reader *r, struct profile_str file, const char **error)
{
    struct profile_str name = source_trim_path(file, r->trim_path, r->search_path);
    const char *path = arena_strndup(r->arena, name.ptr, name.len);
    bool absolute = *path == '/';
    int fd = absolute ? open(path, O_RDONLY | O_CLOEXEC) : open_in_path(path, r);
    if (fd >= 0)
        return fd;
    *error = absolute ? arena_printf(r->arena, "open %s: %s", path, gotext_errno(errno))
                      : arena_printf(r->arena, "could not find file %s on path %s", path,
                                     r->search_path);
    return -1;
}

/* ---- reading ---- */

/* What cannot be read ends the file, as it ends Go's scanner. */
static struct profile_str read_all(int fd, struct arena *a)
{
    struct buf text;
    buf_init(&text, a);
    whole_read(&text, fd, UINT32_MAX / 2);
    return (struct profile_str){text.data, (uint32_t)text.len};
}

static void cut_lines(struct source_file *f, struct profile_str text, struct arena *a)
{
    uint32_t cap = 0;
    for (const char *at = text.ptr, *end = at + text.len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        if (n >= LINE_MAX_BYTES)
            return;
        if (f->line_count == cap) {
            uint32_t more = cap ? 2 * cap : 256;
            f->lines = arena_grow(a, f->lines, cap * sizeof *f->lines, more * sizeof *f->lines);
            cap = more;
        }
        bool carriage = n && at[n - 1] == '\r';
        f->lines[f->line_count++] = (struct profile_str){at, (uint32_t)(n - carriage)};
        at += n + 1;
    }
}

/* The file, if it was read already. */
static struct source_file *find_file(const struct source_reader *r, struct profile_str name,
                                     uint64_t hash)
{
    struct map_probe at = map_find(&r->by_name, hash);
    uint32_t i;
    while ((i = map_next(&r->by_name, &at)) != MAP_NONE)
        if (r->files[i].name.len == name.len && !memcmp(r->files[i].name.ptr, name.ptr, name.len))
            return &r->files[i];
    return NULL;
}

static struct source_file *read_file(struct source_reader *r, struct profile_str name)
{
    uint64_t hash = hash_bytes(name.ptr, name.len);
    struct source_file *found = find_file(r, name, hash);
    if (found)
        return found;
    if (r->file_count == r->file_cap) {
        uint32_t more = r->file_cap ? 2 * r->file_cap : 16;
        r->files =
            arena_grow(r->arena, r->files, r->file_cap * sizeof *r->files, more * sizeof *r->files);
        r->file_cap = more;
    }
    map_put(&r->by_name, hash, r->file_count);
    struct source_file *f = &r->files[r->file_count++];
    *f = (struct source_file){.name = name};
    int fd = open_file(r, name, &f->error);
    if (fd >= 0) {
        cut_lines(f, read_all(fd, r->arena), r->arena);
        close(fd);
    }
    return f;
}

int source_reader_init(struct source_reader *r, struct arena *arena, const char *search_path,
                       const char *trim_path, struct err *e)
{
    *r = (struct source_reader){.arena = arena, .search_path = search_path, .trim_path = trim_path};
    map_init(&r->by_name, arena, 0);
    if (*search_path)
        return 0;
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return err_set(e, -errno, "could not stat current dir: getwd: %s", gotext_errno(errno));
    r->search_path = arena_strdup(arena, cwd);
    free(cwd);
    return 0;
}

bool source_line(struct source_reader *r, struct profile_str file, int64_t number,
                 struct profile_str *line)
{
    const struct source_file *f = read_file(r, file);
    if (number <= 0 || number > f->line_count)
        return false;
    *line = f->lines[number - 1];
    return true;
}

const char *source_error(struct source_reader *r, struct profile_str file)
{
    return read_file(r, file)->error;
}

const char *source_known_error(const struct source_reader *r, struct profile_str file)
{
    const struct source_file *f = find_file(r, file, hash_bytes(file.ptr, file.len));
    return f ? f->error : NULL;
}
