/* SPDX-License-Identifier: MIT
 *
 * Finds the separate debug file of a binary, where distributions and objcopy put it (gdb's manual,
 * "Separate Debug Files"): by build id below a debug directory's .build-id, else by the name in
 * .gnu_debuglink beside the binary, in .debug/ there, or below a debug directory; and where none of
 * them has it, from the servers of debuginfod. A file counts only if its build id is the same or,
 * without build ids, the checksum in the link.
 *
 * What a distribution leaves in the binary itself, a packed symbol table in .gnu_debugdata, is
 * unpacked here as well. */
#include "symbol/symbol_internal.h"

#include "base/limits.h"
#include "symbol/debuginfod.h"
#include "symbol/unpack.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#define DEBUG_DIR "/usr/lib/debug"

/* The next directory of a list with colons between them, under the sysroot; the default one is
 * always the last. NULL at the end. */
static const char *next_dir(struct module *m, const char **at)
{
    while (*at && !**at)
        *at = NULL;
    if (!*at)
        return NULL;
    size_t n = strcspn(*at, ":");
    const char *dir = arena_printf(&m->arena, "%s%.*s", m->places.sysroot, (int)n, *at);
    *at += n + ((*at)[n] == ':');
    return dir;
}

static const char *dir_list(struct module *m)
{
    const char *set = m->places.debug_dirs;
    if (!set)
        set = secure_getenv("STROBE_DEBUG_DIR");
    return set && *set ? arena_printf(&m->arena, "%s:" DEBUG_DIR, set) : DEBUG_DIR;
}

static bool has_id(const struct elf_file *f, const uint8_t *id, size_t size)
{
    return f->build_id && f->build_id_size == size && !memcmp(f->build_id, id, size);
}

/* ---- by build id ---- */

static const char *id_path(struct module *m, const char *dir, const uint8_t *id, size_t size)
{
    char hex[2 * 64 + 1];
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = digits[id[i] >> 4];
        hex[2 * i + 1] = digits[id[i] & 15];
    }
    hex[2 * size] = 0;
    return arena_printf(&m->arena, "%s/.build-id/%.2s/%s.debug", dir, hex, hex + 2);
}

static const char *fetch(struct module *m, const uint8_t *id, size_t size,
                         enum debuginfod_kind kind)
{
    const char *why;
    struct debuginfod_request r = {.build_id = id,
                                   .build_id_size = size,
                                   .kind = kind,
                                   .name = m->base,
                                   .progress = m->places.progress,
                                   .progress_ctx = m->places.progress_ctx};
    const char *path = debuginfod_find(&r, &m->arena, &why);
    if (why)
        m->not_fetched = why;
    return path;
}

static const char *find_id(struct module *m, const uint8_t *id, size_t size, struct elf_file *out)
{
    if (size < 2 || size > 64)
        return NULL;
    for (const char *dirs = dir_list(m), *dir; (dir = next_dir(m, &dirs));) {
        const char *path = id_path(m, dir, id, size);
        if (elf_file_open(out, path, &m->arena))
            continue;
        if (has_id(out, id, size))
            return path;
        elf_file_close(out);
    }
    return NULL;
}

const char *debug_file_by_id(struct module *m, const uint8_t *id, size_t size, struct elf_file *out)
{
    const char *path = find_id(m, id, size, out);
    if (path)
        return path;
    path = fetch(m, id, size, DEBUGINFOD_DEBUGINFO);
    if (!path || elf_file_open(out, path, &m->arena))
        return NULL;
    if (has_id(out, id, size))
        return path;
    elf_file_close(out);
    return NULL;
}

bool debug_file_executable(struct module *m)
{
    uint8_t id[64];
    size_t n = strlen(m->build_id) / 2;
    for (size_t i = 0; i < n && i < sizeof id; i++) {
        char two[3] = {m->build_id[2 * i], m->build_id[2 * i + 1], 0}, *end;
        id[i] = (uint8_t)strtoul(two, &end, 16);
        if (*end)
            return false;
    }
    if (n < 2 || n > sizeof id)
        return false;
    const char *path = fetch(m, id, n, DEBUGINFOD_EXECUTABLE);
    if (!path || elf_file_open(&m->elf, path, &m->arena))
        return false;
    if (has_id(&m->elf, id, n))
        return true;
    elf_file_close(&m->elf);
    return false;
}

/* ---- by link ---- */

static bool try_link(struct module *m, const char *path, uint32_t crc)
{
    struct elf_file *d = &m->debug_elf;
    if (elf_file_open(d, path, &m->arena))
        return false;
    bool same;
    if (m->elf.build_id && d->build_id) {
        same = has_id(d, m->elf.build_id, m->elf.build_id_size);
    } else {
        size_t size;
        const void *bytes = elf_rawfile(d->elf, &size);
        same = bytes && libdeflate_crc32(0, bytes, size) == crc;
    }
    if (same) {
        m->debug = path;
        return true;
    }
    elf_file_close(d);
    return false;
}

static void by_link(struct module *m)
{
    const struct section *s = elf_file_section(&m->elf, ".gnu_debuglink");
    Elf_Data *d = s ? elf_file_data(&m->elf, s) : NULL;
    const char *name = d ? d->d_buf : NULL;
    size_t len = d ? strnlen(name, d->d_size) : 0;
    uint32_t crc;
    /* The name, its NUL, padding to four bytes, the checksum. A name with a slash would leave the
     * directories above. */
    if (!len || ((len + 4) & ~3ull) + 4 > d->d_size || memchr(name, '/', len))
        return;
    memcpy(&crc, name + ((len + 4) & ~3ull), 4);
    int dir = (int)(strrchr(m->file, '/') - m->file); /* m->file is absolute */
    const char *sysroot = m->places.sysroot;
    if (try_link(m, arena_printf(&m->arena, "%s%.*s/%s", sysroot, dir, m->file, name), crc) ||
        try_link(m, arena_printf(&m->arena, "%s%.*s/.debug/%s", sysroot, dir, m->file, name), crc))
        return;
    for (const char *dirs = dir_list(m), *below; (below = next_dir(m, &dirs));)
        if (try_link(m, arena_printf(&m->arena, "%s%.*s/%s", below, dir, m->file, name), crc))
            return;
}

void debug_file_find(struct module *m)
{
    const struct elf_file *f = &m->elf;
    if (f->build_id)
        m->debug = find_id(m, f->build_id, f->build_id_size, &m->debug_elf);
    if (!m->debug)
        by_link(m);
    if (!m->debug && f->build_id && !elf_file_section(f, ".debug_info"))
        m->debug = debug_file_by_id(m, f->build_id, f->build_id_size, &m->debug_elf);
    if (m->debug && m->debug_elf.ehdr.e_machine != f->ehdr.e_machine) {
        elf_file_close(&m->debug_elf);
        m->debug = NULL;
    }
}

/* ---- MiniDebugInfo ---- */

void debug_file_unpack(struct module *m)
{
    const struct section *s = elf_file_section(&m->elf, ".gnu_debugdata");
    Elf_Data *d = s ? elf_file_data(&m->elf, s) : NULL;
    size_t size;
    char *bytes = d ? unpack_xz(d->d_buf, d->d_size, &m->arena, &size) : NULL;
    if (bytes && elf_file_memory(&m->mini_elf, bytes, size, &m->arena))
        m->mini_elf = (struct elf_file){0};
}
