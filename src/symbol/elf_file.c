/* SPDX-License-Identifier: MIT
 *
 * One ELF file, mapped and checked: program headers, sections, build id, strings, addresses.
 *
 * libelf reads the file through a private mapping, so only pages that are looked at are read: a
 * debug file of gigabytes costs its headers. Everything taken from the file is bounded here; the
 * other files of this module use these functions and never a raw offset. */
#include "symbol/elf_file.h"

#include "base/limits.h"
#include "symbol/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* glibc has had it since 2.37. */
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

static const char *read_headers(struct elf_file *f, struct arena *a)
{
    if (elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &f->ehdr))
        return "it is not an ELF file";
    size_t count;
    if (elf_getphdrnum(f->elf, &count))
        return "its program headers are damaged";
    if (count > LIMIT_ELF_HEADERS)
        return "it has too many program headers";
    f->phdrs = arena_array(a, count, sizeof *f->phdrs);
    for (size_t i = 0; i < count; i++) {
        if (!gelf_getphdr(f->elf, (int)i, &f->phdrs[i]))
            return "its program headers are damaged";
    }
    f->phdr_count = count;
    return NULL;
}

/* Missing or damaged section headers are no reason to refuse a file: they only leave out what needs
 * them (symbols, DWARF). The loader does not need them either. */
static void read_sections(struct elf_file *f, struct arena *a)
{
    size_t count, names;
    if (elf_getshdrnum(f->elf, &count) || elf_getshdrstrndx(f->elf, &names) ||
        count > LIMIT_ELF_HEADERS)
        return;
    f->sections = arena_zarray(a, count ? count : 1, sizeof *f->sections);
    for (size_t i = 0; i < count; i++) {
        struct section *s = &f->sections[i];
        Elf_Scn *scn = elf_getscn(f->elf, i);
        GElf_Shdr h;
        s->name = "";
        if (i == 0 || !scn || !gelf_getshdr(scn, &h))
            continue;
        const char *name = elf_strptr(f->elf, names, h.sh_name);
        s->name = name ? name : "";
        s->addr = h.sh_addr;
        s->size = h.sh_size;
        s->offset = h.sh_offset;
        s->entsize = h.sh_entsize;
        s->type = h.sh_type;
        s->link = h.sh_link;
        s->alloc = h.sh_flags & SHF_ALLOC;
        s->exec = s->alloc && (h.sh_flags & SHF_EXECINSTR);
    }
    f->section_count = count;
}

/* Notes: name size, descriptor size, type, then both, each padded to four bytes (gABI; build ids
 * are never in the eight-byte kind). */
static void scan_notes(struct elf_file *f, const uint8_t *p, size_t size)
{
    while (size >= 12 && !f->build_id) {
        uint32_t n[3];
        memcpy(n, p, sizeof n);
        uint64_t name = ((uint64_t)n[0] + 3) & ~3ull, desc = ((uint64_t)n[1] + 3) & ~3ull;
        if (12 + name + desc > size)
            return;
        if (n[2] == NT_GNU_BUILD_ID && n[0] == 4 && !memcmp(p + 12, "GNU", 4) && n[1]) {
            f->build_id = p + 12 + name;
            f->build_id_size = n[1];
        }
        p += 12 + name + desc;
        size -= 12 + name + desc;
    }
}

static void find_build_id(struct elf_file *f)
{
    size_t size;
    const uint8_t *bytes = (const uint8_t *)elf_rawfile(f->elf, &size);
    if (!bytes)
        return;
    for (size_t i = 0; i < f->phdr_count && !f->build_id; i++) {
        const GElf_Phdr *h = &f->phdrs[i];
        if (h->p_type == PT_NOTE && h->p_offset <= size && h->p_filesz <= size - h->p_offset)
            scan_notes(f, bytes + h->p_offset, h->p_filesz);
    }
    /* objcopy --only-keep-debug leaves the program headers as they were, pointing at nothing. */
    for (size_t i = 0; i < f->section_count && !f->build_id; i++) {
        const struct section *s = &f->sections[i];
        if (s->type == SHT_NOTE && s->offset <= size && s->size <= size - s->offset)
            scan_notes(f, bytes + s->offset, s->size);
    }
}

static const char *begin(struct elf_file *f, struct arena *a)
{
    f->arena = a;
    const char *reason = read_headers(f, a);
    if (reason) {
        elf_file_close(f);
        return reason;
    }
    read_sections(f, a);
    find_build_id(f);
    return NULL;
}

const char *elf_file_open(struct elf_file *f, const char *path, struct arena *a)
{
    struct stat st;
    *f = (struct elf_file){0};
    elf_version(EV_CURRENT); /* or libelf refuses everything */
    /* A device or a pipe may block or have effects when opened: look first. */
    if (stat(path, &st))
        return errno == ENOENT ? "the file is gone"
                               : arena_printf(a, "the file cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return "it is not a regular file";
    if ((uint64_t)st.st_size > LIMIT_ELF_BYTES)
        return "the file is too large";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return arena_printf(a, "the file cannot be read: %s", strerror(errno));
    f->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    /* The file is mapped, or is read now where it cannot be: no descriptor is kept, because a
     * program may have its debug information in thousands of files. */
    bool good = f->elf && elf_cntl(f->elf, ELF_C_FDREAD) == 0;
    close(fd);
    if (!good) {
        elf_file_close(f);
        return "it is not an ELF file";
    }
    return begin(f, a);
}

const char *elf_file_memory(struct elf_file *f, char *bytes, size_t size, struct arena *a)
{
    elf_version(EV_CURRENT);
    *f = (struct elf_file){.elf = elf_memory(bytes, size)};
    return f->elf ? begin(f, a) : "it is not an ELF file";
}

void elf_file_close(struct elf_file *f)
{
    if (f->elf)
        elf_end(f->elf);
    *f = (struct elf_file){0};
}

bool elf_file_vaddr(const struct elf_file *f, uint64_t offset, uint64_t *vaddr)
{
    /* The kernel maps whole pages, so a page between two segments is mapped by both; the bytes of
     * code belong to the executable one. The last round takes the page's rest of a segment. */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < f->phdr_count; i++) {
            const GElf_Phdr *h = &f->phdrs[i];
            if (h->p_type != PT_LOAD || (round != 1 && !(h->p_flags & PF_X)))
                continue;
            uint64_t slack = round == 2 ? 4096 : 0;
            uint64_t first = h->p_offset - (h->p_offset < slack ? h->p_offset : slack);
            if (offset >= first && offset - first < h->p_filesz + 2 * slack) {
                *vaddr = offset - h->p_offset + h->p_vaddr;
                return true;
            }
        }
    }
    return false;
}

const uint8_t *elf_file_at(const struct elf_file *f, uint64_t vaddr, size_t *size)
{
    size_t total;
    const uint8_t *bytes = (const uint8_t *)elf_rawfile(f->elf, &total);
    for (size_t i = 0; bytes && i < f->phdr_count; i++) {
        const GElf_Phdr *h = &f->phdrs[i];
        if (h->p_type != PT_LOAD || vaddr < h->p_vaddr || vaddr - h->p_vaddr >= h->p_filesz)
            continue;
        uint64_t at = vaddr - h->p_vaddr;
        if (h->p_offset > total || at >= total - h->p_offset)
            return NULL;
        uint64_t rest = total - h->p_offset - at;
        *size = h->p_filesz - at < rest ? h->p_filesz - at : rest;
        return bytes + h->p_offset + at;
    }
    return NULL;
}

const struct section *elf_file_section_at(const struct elf_file *f, uint64_t vaddr)
{
    for (size_t i = 0; i < f->section_count; i++) {
        const struct section *s = &f->sections[i];
        if (s->alloc && vaddr >= s->addr && vaddr - s->addr < s->size)
            return s;
    }
    return NULL;
}

/* Before ELF had compressed sections, GNU's tools (and Go's linker) called them ".zdebug_…". */
static bool is_gnu_compressed(const char *name)
{
    return !strncmp(name, ".zdebug_", 8);
}

const struct section *elf_file_section(const struct elf_file *f, const char *name)
{
    bool debug = !strncmp(name, ".debug_", 7);
    for (size_t i = 1; i < f->section_count; i++) {
        const char *found = f->sections[i].name;
        if (!strcmp(found, name) ||
            (debug && is_gnu_compressed(found) && !strcmp(found + 8, name + 7)))
            return &f->sections[i];
    }
    return NULL;
}

/* How a section is packed. */
struct packing {
    bool (*unpack)(const void *in, size_t in_size, void *out, size_t out_size);
    size_t header;      /* bytes before the data */
    uint64_t size;      /* unpacked */
    uint32_t ratio_max; /* the method cannot do better, so a larger claim is a lie */
};

/* "ZLIB" and the size, most significant byte first. */
static bool read_gnu_header(const uint8_t *bytes, uint64_t size, struct packing *p)
{
    if (size < 12 || memcmp(bytes, "ZLIB", 4) != 0)
        return false;
    *p = (struct packing){.unpack = unpack_zlib, .header = 12, .ratio_max = 1032};
    for (int i = 4; i < 12; i++)
        p->size = p->size << 8 | bytes[i];
    return true;
}

static bool read_header(const struct elf_file *f, Elf_Scn *scn, struct packing *p)
{
    GElf_Chdr c;
    if (!gelf_getchdr(scn, &c))
        return false;
    *p = (struct packing){.header = gelf_fsize(f->elf, ELF_T_CHDR, 1, EV_CURRENT),
                          .size = c.ch_size};
    if (c.ch_type == ELFCOMPRESS_ZLIB) {
        p->unpack = unpack_zlib;
        p->ratio_max = 1032;
    } else if (c.ch_type == ELFCOMPRESS_ZSTD) {
        p->unpack = unpack_zstd;
        p->ratio_max = (128 << 10) / 4; /* a block of 128 KiB may be 4 bytes */
    }
    return p->unpack && p->header;
}

static Elf_Data *unpacked(const struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *h)
{
    struct packing p;
    size_t total;
    const uint8_t *bytes = (const uint8_t *)elf_rawfile(f->elf, &total);
    if (!bytes || h->sh_offset > total || h->sh_size > total - h->sh_offset)
        return NULL;
    bytes += h->sh_offset;
    bool good = h->sh_flags & SHF_COMPRESSED ? read_header(f, scn, &p)
                                             : read_gnu_header(bytes, h->sh_size, &p);
    if (!good || h->sh_size < p.header || !p.size || p.size > LIMIT_ELF_SECTION ||
        p.size / p.ratio_max > h->sh_size)
        return NULL;
    char *out = arena_alloc(f->arena, p.size);
    if (!p.unpack(bytes + p.header, h->sh_size - p.header, out, p.size))
        return NULL;
    Elf_Data *data = arena_zalloc(f->arena, sizeof *data);
    data->d_buf = out;
    data->d_size = p.size;
    return data;
}

Elf_Data *elf_file_data(const struct elf_file *f, const struct section *s)
{
    Elf_Scn *scn = elf_getscn(f->elf, (size_t)(s - f->sections));
    GElf_Shdr h;
    if (!scn || s->type == SHT_NOBITS || !gelf_getshdr(scn, &h))
        return NULL;
    bool packed = h.sh_flags & SHF_COMPRESSED || is_gnu_compressed(s->name);
    /* libelf's readers of symbols take data of its own only; nobody packs a symbol table. */
    if (packed && s->type != SHT_PROGBITS)
        return NULL;
    Elf_Data *d = packed ? unpacked(f, scn, &h) : elf_getdata(scn, NULL);
    return d && d->d_buf && d->d_size ? d : NULL;
}

const char *elf_file_string(const struct elf_file *f, uint32_t strtab, uint64_t offset)
{
    return elf_strptr(f->elf, strtab, offset);
}

bool elf_file_dynamic(const struct elf_file *f, int64_t tag, uint64_t *value)
{
    for (size_t i = 1; i < f->section_count; i++) {
        const struct section *s = &f->sections[i];
        if (s->type != SHT_DYNAMIC)
            continue;
        Elf_Data *d = elf_file_data(f, s);
        GElf_Dyn dyn;
        for (int k = 0; d && gelf_getdyn(d, k, &dyn) && dyn.d_tag != DT_NULL; k++) {
            if (dyn.d_tag == tag) {
                *value = dyn.d_un.d_val;
                return true;
            }
        }
    }
    return false;
}

bool elf_file_has_build_id(const struct elf_file *f, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    if (!f->build_id || strlen(hex) != 2 * f->build_id_size)
        return false;
    for (size_t i = 0; i < f->build_id_size; i++) {
        if ((hex[2 * i] | 0x20) != (digits[f->build_id[i] >> 4] | 0x20) ||
            (hex[2 * i + 1] | 0x20) != (digits[f->build_id[i] & 15] | 0x20))
            return false;
    }
    return true;
}
