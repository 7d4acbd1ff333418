/* SPDX-License-Identifier: MIT
 *
 * Finds the separate debug file of a binary, where distributions and objcopy put it (gdb's manual,
 * "Separate Debug Files"): by build id below /usr/lib/debug/.build-id, else by the name in
 * .gnu_debuglink beside the binary, in .debug/ there, or below /usr/lib/debug. A file counts only
 * if its build id is the same or, without build ids, the checksum in the link. */
#include "symbol/symbol_internal.h"

#include "base/limits.h"

#include <string.h>

#define DEBUG_DIR "/usr/lib/debug"

/* The CRC-32 of gdb's manual, reflected polynomial 0xedb88320: zlib's, without zlib. */
static uint32_t crc32_of(const uint8_t *p, size_t size)
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ p[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

/* `crc` may be NULL: then only an equal build id counts. */
static bool try_file(struct module *m, const char *path, const uint32_t *crc)
{
    struct elf_file *d = &m->debug_elf;
    if (elf_file_open(d, path, &m->arena))
        return false;
    bool same;
    if (m->elf.build_id && d->build_id) {
        same = m->elf.build_id_size == d->build_id_size &&
               !memcmp(m->elf.build_id, d->build_id, d->build_id_size);
    } else {
        size_t size;
        const uint8_t *bytes = (const uint8_t *)elf_rawfile(d->elf, &size);
        same = crc && bytes && crc32_of(bytes, size) == *crc;
    }
    if (same && d->ehdr.e_machine == m->elf.ehdr.e_machine) {
        m->debug = path;
        return true;
    }
    elf_file_close(d);
    return false;
}

static bool by_build_id(struct module *m)
{
    char hex[2 * 64 + 1];
    size_t n = m->elf.build_id_size;
    if (!m->elf.build_id || n < 2 || n > 64)
        return false;
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[m->elf.build_id[i] >> 4];
        hex[2 * i + 1] = digits[m->elf.build_id[i] & 15];
    }
    hex[2 * n] = 0;
    return try_file(m,
                    arena_printf(&m->arena, "%s" DEBUG_DIR "/.build-id/%.2s/%s.debug", m->sysroot,
                                 hex, hex + 2),
                    NULL);
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
    const char *forms[] = {
        arena_printf(&m->arena, "%s%.*s/%s", m->sysroot, dir, m->file, name),
        arena_printf(&m->arena, "%s%.*s/.debug/%s", m->sysroot, dir, m->file, name),
        arena_printf(&m->arena, "%s" DEBUG_DIR "%.*s/%s", m->sysroot, dir, m->file, name),
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (try_file(m, forms[i], &crc))
            return;
    }
}

void debug_file_find(struct module *m)
{
    if (!by_build_id(m))
        by_link(m);
}
