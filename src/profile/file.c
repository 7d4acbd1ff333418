/* SPDX-License-Identifier: MIT
 *
 * Profiles in files: compressed, read, and written so that nobody sees half of one. The file's
 * bytes are released before the inflated ones are decoded, and those when decoding is done: what
 * stays is the profile. */
#include "base/gzip.h"
#include "base/whole.h"
#include "profile/import/import.h"
#include "profile/profile_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is large is mostly stacks, where more effort finds little: level 6 takes twice the time of
 * level 1 to make them two in a hundred smaller. What is small costs nothing either way. */
enum { LEVEL_LARGE = 1, LEVEL_SMALL = 6, LARGE_BYTES = 4 << 20 };

/* Inflated bytes: profile.proto, or else one of the formats of import/. A file of several profiles
 * one after another is neither. */
static int decode_any(struct profile *p, const void *bytes, size_t size, enum profile_input input,
                      struct err *e)
{
    struct err first = {0};
    int rc = profile_decode_plain(p, bytes, size, input, &first), import_rc = -ENOMSG;
    if (rc == -EPROTO && strncmp(first.msg, "concatenated", 12) != 0)
        import_rc = import_profile(p, bytes, size, e);
    if (import_rc != -ENOMSG)
        return import_rc;
    if (rc && e)
        *e = first;
    return rc;
}

/* Decodes what was inflated into `arena`, and frees that. */
static int decode_inflated(struct profile *p, struct arena *arena, const void *bytes, size_t size,
                           struct err *e)
{
    bool kept = arena_keeps(arena->mapped_bytes); /* its pages are wanted again */
    int rc = decode_any(p, bytes, size, kept ? PROFILE_INPUT_COPIED : PROFILE_INPUT_CONSUMED, e);
    arena_free(arena);
    arena_drop_spare(&p->arena);
    return rc;
}

int profile_decode(struct profile *p, const void *bytes, size_t size, bool borrow, struct err *e)
{
    profile_init(p);
    if (!gzip_is(bytes, size))
        return decode_any(p, bytes, size, borrow ? PROFILE_INPUT_BORROWED : PROFILE_INPUT_COPIED,
                          e);
    struct arena arena;
    void *inflated;
    size_t inflated_size;
    arena_init(&arena);
    int rc = gzip_inflate(&arena, bytes, size, &inflated, &inflated_size, e);
    if (rc != 0) {
        arena_free(&arena);
        return rc;
    }
    return decode_inflated(p, &arena, inflated, inflated_size, e);
}

const char *profile_stage(int code)
{
    switch (code) {
    case -EBADMSG: return "decompressing profile";
    case -EINVAL: return "malformed profile";
    default: return "parsing profile";
    }
}

/* ---- reading ---- */

/* Inflates `file` if it is compressed, and decodes. The file's memory becomes the profile's. */
static int decode_file(struct profile *p, struct arena *file, char *data, size_t size,
                       struct err *e)
{
    if (!gzip_is(data, size))
        return decode_inflated(p, file, data, size, e);
    struct arena arena;
    void *inflated;
    size_t inflated_size;
    arena_init(&arena);
    int rc = gzip_inflate(&arena, data, size, &inflated, &inflated_size, e);
    arena_inherit(&p->arena, file);
    if (rc == 0)
        return decode_inflated(p, &arena, inflated, inflated_size, e);
    arena_free(&arena);
    profile_free(p);
    return rc;
}

/* "open: no such file or directory", in lower case as Go prints it. */
static int system_error(struct err *e, int code, const char *verb, const char *path)
{
    char text[128];
    snprintf(text, sizeof text, "%s", strerror(-code));
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a')
        text[0] = (char)(text[0] | 0x20);
    return err_set(e, code, "%s %s: %s", verb, path, text);
}

int profile_read_file(struct profile *p, const char *path, struct err *e)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct arena file;
    struct buf data;
    profile_init(p);
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int code = system_error(e, -errno, "open", path);
        err_prefix(e, "%s", path);
        return code;
    }
    arena_init(&file);
    buf_init(&data, &file);
    int rc = whole_read(&data, fd, LIMIT_PROFILE_BYTES);
    if (!is_stdin)
        close(fd);
    if (rc != 0) {
        system_error(e, rc, "read", path);
    } else {
        rc = decode_file(p, &file, data.data, data.len, e);
        if (rc != 0)
            err_prefix(e, "%s", profile_stage(rc));
    }
    arena_free(&file);
    if (rc != 0)
        err_prefix(e, "%s", path);
    return rc;
}

/* ---- writing ---- */

/* About what its plain form takes, rather more than less: so that the buffer need not grow, which
 * would copy it. Memory that is not written to is not there. */
static size_t about_plain_size(const struct profile *p)
{
    size_t id_size = 1, n = 0;
    for (uint32_t ids = p->location_count; ids >= 128; ids >>= 7)
        id_size++;
    n += p->loc_ref_count * id_size + (uint64_t)p->sample_count * (8 + 5 * p->sample_type_count);
    n += p->label_count * 12 + 24ull * p->location_count + 12ull * p->line_count;
    n += 24ull * p->function_count;
    for (uint32_t i = 0; i < p->string_count; i++)
        n += p->strings[i].len + 3ull;
    return n;
}

int profile_encode_gzip(const struct profile *p, struct buf *out, struct err *e)
{
    struct arena arena;
    struct buf plain;
    arena_init(&arena);
    buf_init(&plain, &arena);
    buf_reserve(&plain, about_plain_size(p));
    int rc = profile_encode(p, &plain);
    rc = rc ? err_set(e, rc, "out of memory encoding the profile")
            : gzip_deflate(out, plain.data, plain.len,
                           plain.len < LARGE_BYTES ? LEVEL_SMALL : LEVEL_LARGE, e);
    arena_free(&arena);
    return rc;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Into a temporary in the same directory, then over the target, which keeps its mode. A target that
 * is no regular file (a pipe, /dev/null) is written directly, a symbolic link is followed. */
static int write_beside(const char *path, const struct buf *bytes, struct arena *arena)
{
    struct stat st;
    char real[PATH_MAX];
    bool there = stat(path, &st) == 0, direct = there && !S_ISREG(st.st_mode);
    if (there && !direct && realpath(path, real))
        path = real;
    char *name = direct ? arena_strdup(arena, path) : arena_printf(arena, "%s.XXXXXX", path);
    int fd = direct ? open(name, O_WRONLY | O_CLOEXEC) : mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, bytes->data, bytes->len);
    if (there && !direct && rc == 0 && fchmod(fd, st.st_mode & 0777) != 0)
        rc = -errno;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    if (!direct && rc == 0 && rename(name, path) != 0)
        rc = -errno;
    if (!direct && rc != 0)
        unlink(name);
    return rc;
}

int profile_write_bytes(const struct buf *bytes, const char *path, struct err *e)
{
    struct arena arena;
    arena_init(&arena);
    int rc = strcmp(path, "-") == 0 ? write_all(STDOUT_FILENO, bytes->data, bytes->len)
                                    : write_beside(path, bytes, &arena);
    if (rc != 0)
        system_error(e, rc, "write", path);
    arena_free(&arena);
    return rc;
}

int profile_write_file(const struct profile *p, const char *path, struct err *e)
{
    struct arena arena;
    struct buf bytes;
    arena_init(&arena);
    buf_init(&bytes, &arena);
    int rc = profile_encode_gzip(p, &bytes, e);
    if (rc == 0)
        rc = profile_write_bytes(&bytes, path, e);
    arena_free(&arena);
    return rc;
}
