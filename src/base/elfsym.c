/* SPDX-License-Identifier: MIT
 *
 * A reader of ELF symbol tables for use inside a host program: the file is mapped, every offset is
 * checked against its size, names stay where they are. It reads what is there and nothing else: a
 * function without a symbol has no name here. */
#include "base/elfsym.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOADS_MAX = 16 };

struct loads { /* to turn virtual addresses into file offsets */
    ElfW(Phdr) segment[LOADS_MAX];
    size_t count;
};

static const void *at(const struct elfsym *s, uint64_t offset, uint64_t size)
{
    return offset <= s->size && size <= s->size - offset ? s->bytes + offset : NULL;
}

/* The same for an array of `count` structs, which no sane file misaligns. */
static const void *table(const struct elfsym *s, uint64_t offset, uint64_t count, size_t size)
{
    return offset % sizeof(void *) == 0 && count <= s->size ? at(s, offset, count * size) : NULL;
}

static const ElfW(Ehdr) * header(const struct elfsym *s)
{
    const ElfW(Ehdr) *eh = at(s, 0, sizeof *eh);
    if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
        eh->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        eh->e_phentsize != sizeof(ElfW(Phdr)) || eh->e_shentsize != sizeof(ElfW(Shdr)))
        return NULL;
    return eh;
}

static bool has_build_id(const struct elfsym *s, const ElfW(Phdr) * ph, const uint8_t *id,
                         uint32_t len)
{
    const unsigned char *p = at(s, ph->p_offset, ph->p_filesz);
    size_t left = p ? ph->p_filesz : 0;
    while (left >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) n;
        memcpy(&n, p, sizeof n);
        size_t name = (n.n_namesz + 3ull) & ~3ull, desc = (n.n_descsz + 3ull) & ~3ull;
        if (name > left - sizeof n || desc > left - sizeof n - name)
            return false;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4)
            return n.n_descsz == len && memcmp(p + sizeof n + name, id, len) == 0;
        p += sizeof n + name + desc;
        left -= sizeof n + name + desc;
    }
    return false;
}

static int read_segments(const struct elfsym *s, const ElfW(Ehdr) * eh, struct loads *loads,
                         const uint8_t *id, uint32_t id_len)
{
    const ElfW(Phdr) *ph = table(s, eh->e_phoff, eh->e_phnum, sizeof *ph);
    bool right = id_len == 0;
    if (!ph)
        return -ENOEXEC;
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD && loads->count < LOADS_MAX)
            loads->segment[loads->count++] = ph[i];
        if (ph[i].p_type == PT_NOTE && !right)
            right = has_build_id(s, &ph[i], id, id_len);
    }
    return right ? 0 : -ESTALE;
}

static const ElfW(Shdr) *
    symbol_section(const struct elfsym *s, const ElfW(Ehdr) * eh, const ElfW(Shdr) * *strings)
{
    const ElfW(Shdr) *sh = table(s, eh->e_shoff, eh->e_shnum, sizeof *sh), *best = NULL;
    for (unsigned i = 0; sh && i < eh->e_shnum; i++)
        if (sh[i].sh_link < eh->e_shnum &&
            (sh[i].sh_type == SHT_SYMTAB || (sh[i].sh_type == SHT_DYNSYM && !best)))
            best = &sh[i];
    if (best)
        *strings = &sh[best->sh_link];
    return best;
}

static uint64_t offset_of(const struct loads *l, uint64_t vaddr)
{
    for (size_t i = 0; i < l->count; i++)
        if (vaddr >= l->segment[i].p_vaddr &&
            vaddr - l->segment[i].p_vaddr < l->segment[i].p_filesz)
            return vaddr - l->segment[i].p_vaddr + l->segment[i].p_offset;
    return UINT64_MAX;
}

/* Of equal starts the longest comes first, so that what is nested stands behind its outer one. */
static bool is_after(const struct elfsym_function *a, const struct elfsym_function *b)
{
    return a->start != b->start ? a->start > b->start : a->end < b->end;
}

/* Heap sort: no recursion, no allocation. */
static void sift(struct elfsym_function *f, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_after(&f[child + 1], &f[child]))
            child++;
        if (!is_after(&f[child], &f[root]))
            return;
        struct elfsym_function t = f[root];
        f[root] = f[child];
        f[child] = t;
    }
}

static void sort(struct elfsym_function *f, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(f, i, count);
    for (size_t i = count; i-- > 1;) {
        struct elfsym_function t = f[0];
        f[0] = f[i];
        f[i] = t;
        sift(f, 0, i);
    }
}

/* Assembly code has functions inside functions, and several names for one with different ends. */
static void link_outer(struct elfsym_function *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t outer = i;
        while (outer && f[outer - 1].end <= f[i].start)
            outer = f[outer - 1].outer;
        f[i].outer = outer;
    }
}

static int read_functions(struct elfsym *s, struct arena *arena, const struct loads *loads)
{
    const ElfW(Shdr) *strings = NULL, *symbols = symbol_section(s, header(s), &strings);
    if (!symbols)
        return 0;
    size_t n = symbols->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *sym = table(s, symbols->sh_offset, n, sizeof *sym);
    const char *text = at(s, strings->sh_offset, strings->sh_size);
    if (!sym || !text || !strings->sh_size || text[strings->sh_size - 1])
        return -ENOEXEC;
    s->functions = arena_array(arena, n, sizeof *s->functions);
    if (!s->functions)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        unsigned type = sym[i].st_info & 15;
        uint64_t start = offset_of(loads, sym[i].st_value);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym[i].st_shndx == SHN_UNDEF ||
            sym[i].st_name >= strings->sh_size || start == UINT64_MAX || !sym[i].st_size)
            continue;
        s->functions[s->count++] =
            (struct elfsym_function){start, start + sym[i].st_size, text + sym[i].st_name, 0};
    }
    sort(s->functions, s->count);
    link_outer(s->functions, s->count);
    return 0;
}

int elfsym_open(struct elfsym *s, struct arena *arena, const char *path, const uint8_t *build_id,
                uint32_t build_id_len)
{
    struct stat st;
    struct loads loads = {.count = 0};
    *s = (struct elfsym){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return -ENOEXEC;
    s->bytes = p;
    s->size = (size_t)st.st_size;
    const ElfW(Ehdr) *eh = header(s);
    int r = eh ? read_segments(s, eh, &loads, build_id, build_id_len) : -ENOEXEC;
    if (r == 0)
        r = read_functions(s, arena, &loads);
    if (r < 0)
        elfsym_close(s);
    return r;
}

void elfsym_close(struct elfsym *s)
{
    if (s->bytes)
        munmap((void *)s->bytes, s->size);
    *s = (struct elfsym){0};
}

const struct elfsym_function *elfsym_find(const struct elfsym *s, uint64_t offset)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->functions[mid].start <= offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    while (lo && offset >= s->functions[lo - 1].end)
        lo = s->functions[lo - 1].outer;
    return lo ? &s->functions[lo - 1] : NULL;
}
