/* SPDX-License-Identifier: MIT
 *
 * The modules of this process where libc cannot search them in a handler (glibc before 2.35 has no
 * _dl_find_object). dl_iterate_phdr takes the loader's lock, and a dlopen cannot be interposed
 * without changing whose RUNPATH it searches; so the table is made from /proc/self/maps, by raw
 * system calls: at the start, and in the handler that meets code of no known module. Without /proc
 * it is made by dl_iterate_phdr, at the start and after dlclose; what dlopen brings later is then
 * walked by frame pointers, if at all.
 *
 * Two blocks take turns: one is published, the other is filled when no handler but the one that
 * fills is at work, so that nobody can still read it. A third has what the program was started
 * with, which no dlclose unmaps: it is published while one is at work. */
#include "runtime/modtable.h"

#include "base/sigsafe.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/uio.h>

enum { PAGE = 4096, PATIENCE = 100, TRIES = 100000 };

/* A line of the maps, as far as it was read, and the image whose first line came before it. */
struct maps {
    struct modtable *to;
    uint64_t lo, hi, offset;
    int field; /* 0: lo, 1: hi, 2: permissions, 3: offset, 4: device, 5: inode, 6: path */
    bool readable, executable;
    uint32_t path_len;
    char path[RUNTIME_PATH];
    uint64_t image; /* start of the image whose lines these are, 0: none */
    bool added;     /* it is the last of to->list */
    char image_path[RUNTIME_PATH];
};

static struct {
    struct modtable *blocks; /* two, or NULL: libc searches */
    _Atomic uint32_t current;
    _Atomic uint32_t busy;    /* somebody fills the other one; guards what follows */
    _Atomic uint64_t rest_ns; /* no scan before: the last one found nothing new */
    struct maps maps;
    _Alignas(8) char page[PAGE];
} table;

/* ---- one image ---- */

static bool same_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* The call frame information that the headers in the first page tell of. The page is read as a
 * debugger would: since the maps were read it may have gone, and the file may have been cut. */
static const void *find_eh_frame_hdr(uint64_t start)
{
    struct iovec mine = {table.page, PAGE}, theirs = {(void *)(uintptr_t)start, PAGE};
    if (sigsafe_syscall6(SYS_process_vm_readv, (long)rt.pid, (long)&mine, 1, (long)&theirs, 1, 0) !=
        PAGE)
        return NULL;
    const ElfW(Ehdr) *eh = (const ElfW(Ehdr) *)table.page;
    if (eh->e_ident[0] != 0x7f || eh->e_ident[1] != 'E' || eh->e_ident[2] != 'L' ||
        eh->e_ident[3] != 'F' || eh->e_phentsize != sizeof(ElfW(Phdr)) || eh->e_phoff > PAGE ||
        eh->e_phoff % 8 || eh->e_phnum * sizeof(ElfW(Phdr)) > PAGE - eh->e_phoff)
        return NULL;
    const ElfW(Phdr) *ph = (const ElfW(Phdr) *)(table.page + eh->e_phoff);
    uint64_t bias = 0;
    bool biased = false;
    for (unsigned i = 0; i < eh->e_phnum && !biased; i++)
        if (ph[i].p_type == PT_LOAD) {
            bias = start - (ph[i].p_vaddr & ~(uint64_t)(PAGE - 1));
            biased = true;
        }
    for (unsigned i = 0; i < eh->e_phnum && biased; i++)
        if (ph[i].p_type == PT_GNU_EH_FRAME)
            return (const void *)(uintptr_t)(bias + ph[i].p_vaddr);
    return NULL;
}

void modtable_add(struct modtable *to, const struct unwind_module *m, const char *path)
{
    size_t at = to->modules.count, n = sigsafe_strnlen(path, RUNTIME_PATH - 1);
    if (!m->eh_frame_hdr || at == RUNTIME_MODULES)
        return;
    to->modules.count++;
    for (; at > 0 && to->list[at - 1].start > m->start; at--) { /* not in the order of addresses */
        sigsafe_copy(&to->list[at], &to->list[at - 1], sizeof *m);
        sigsafe_copy(to->paths[at], to->paths[at - 1], RUNTIME_PATH);
    }
    sigsafe_copy(&to->list[at], m, sizeof *m);
    sigsafe_copy(to->paths[at], path, n);
    to->paths[at][n] = 0;
}

static void add_image(struct modtable *to, uint64_t start, uint64_t end, const char *path)
{
    struct unwind_module m;
    sigsafe_zero(&m, sizeof m);
    m.start = start;
    m.end = end;
    m.eh_frame_hdr = find_eh_frame_hdr(start);
    modtable_add(to, &m, path);
}

/* An image begins with the file's first bytes, and its other segments follow under the same name.
 * Its headers are read once a segment of it turns out to be code: other mapped files may be shorter
 * than their mapping. */
static void end_line(struct maps *m)
{
    m->path[m->path_len] = 0;
    bool named = m->path[0] == '/' || same_text(m->path, "[vdso]");
    if (named && m->offset == 0 && m->readable) {
        m->image = m->lo;
        m->added = false;
        sigsafe_copy(m->image_path, m->path, m->path_len + 1);
    } else if (!named || !same_text(m->path, m->image_path)) {
        m->image = 0;
    }
    if (m->image && m->executable && !m->added) {
        size_t before = m->to->modules.count;
        add_image(m->to, m->image, m->hi, m->path);
        m->added = m->to->modules.count > before;
    }
    if (m->image && m->added)
        m->to->list[m->to->modules.count - 1].end = m->hi;
    m->lo = m->hi = m->offset = m->path_len = 0;
    m->field = 0;
    m->readable = m->executable = false;
}

static void add_digit(uint64_t *n, char c)
{
    *n = *n * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* "7f00-7f10 r-xp 00000000 08:01 1234   /path with blanks". */
static void read_char(struct maps *m, char c)
{
    if (c == '\n')
        end_line(m);
    else if (m->field == 6 && (c != ' ' || m->path_len))
        m->path_len += m->path_len < RUNTIME_PATH - 1 ? (m->path[m->path_len] = c, 1) : 0;
    else if (m->field == 6)
        return;
    else if (c == ' ' || (c == '-' && m->field == 0))
        m->field++;
    else if (m->field == 0)
        add_digit(&m->lo, c);
    else if (m->field == 1)
        add_digit(&m->hi, c);
    else if (m->field == 3)
        add_digit(&m->offset, c);
    else if (m->field == 2) {
        m->readable |= c == 'r';
        m->executable |= c == 'x';
    }
}

/* ---- the table ---- */

/* The block that nobody reads, emptied, or NULL if it is being filled. */
static struct modtable *take(void)
{
    uint32_t idle = 0;
    if (!table.blocks || !atomic_compare_exchange_strong(&table.busy, &idle, 1))
        return NULL;
    struct modtable *to = &table.blocks[atomic_load(&table.current) != 1];
    to->modules.count = 0;
    to->modules.list = to->list;
    return to;
}

static void publish(const struct modtable *to)
{
    atomic_store(&table.current, (uint32_t)(to - table.blocks));
    unwind_set_modules(rt.cache, &to->modules);
}

static void put(const struct modtable *filled)
{
    if (filled)
        publish(filled);
    atomic_store(&table.busy, 0);
}

static bool read_maps(struct modtable *to, char *buffer, size_t size)
{
    long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct maps *m = &table.maps;
    sigsafe_zero(m, sizeof *m);
    m->to = to;
    long n;
    while ((n = sigsafe_syscall3(SYS_read, fd, buffer, size)) > 0)
        for (long i = 0; i < n; i++)
            read_char(m, buffer[i]);
    sigsafe_syscall1(SYS_close, fd);
    return to->modules.count > 0;
}

static bool differs(const struct modtable *a, const struct modtable *b)
{
    if (a->modules.count != b->modules.count)
        return true;
    for (size_t i = 0; i < a->modules.count; i++)
        if (a->list[i].start != b->list[i].start || a->list[i].end != b->list[i].end ||
            !same_text(a->paths[i], b->paths[i]))
            return true;
    return false;
}

bool modtable_scan(char *buffer, size_t size)
{
    uint64_t began = sigsafe_clock_ns(CLOCK_MONOTONIC);
    if (!table.blocks || began < atomic_load(&table.rest_ns) || atomic_load(&rt.walkers) > 1 ||
        atomic_load(&rt.closers) || (atomic_load(&rt.denied) & (NEED_FILE | NEED_ARM | NEED_COPY)))
        return false;
    struct modtable *to = take();
    if (!to)
        return false;
    bool found =
        read_maps(to, buffer, size) && differs(to, &table.blocks[atomic_load(&table.current)]);
    put(found ? to : NULL);
    uint64_t now = sigsafe_clock_ns(CLOCK_MONOTONIC);
    atomic_store(&table.rest_ns, found ? 0 : now + (now - began) * PATIENCE);
    return found;
}

void modtable_fill(void (*otherwise)(struct modtable *to))
{
    char buffer[PAGE];
    struct modtable *to = NULL;
    /* Another dlclose may have read what was there before ours. */
    for (int i = 0; table.blocks && !(to = take()) && i < TRIES; i++)
        sigsafe_syscall0(SYS_sched_yield);
    if (!to)
        return;
    if (!read_maps(to, buffer, sizeof buffer))
        otherwise(to);
    put(to);
}

bool modtable_init(void *zeroed)
{
    if (table.blocks)
        return false;
    table.blocks = zeroed;
    table.blocks[MODTABLE_FIRST].modules.list = table.blocks[MODTABLE_FIRST].list;
    return true;
}

void modtable_keep(void)
{
    struct modtable *to = &table.blocks[MODTABLE_FIRST];
    const struct modtable *from = &table.blocks[atomic_load(&table.current)];
    for (size_t i = 0; i < from->modules.count && to->modules.count < MODTABLE_KEPT; i++)
        modtable_add(to, &from->list[i], from->paths[i]);
}

void modtable_drop(void)
{
    if (table.blocks)
        publish(&table.blocks[MODTABLE_FIRST]);
}

const char *modtable_path(uintptr_t start)
{
    if (!table.blocks)
        return NULL;
    const struct modtable *b = &table.blocks[atomic_load(&table.current)];
    for (size_t i = 0; i < b->modules.count; i++)
        if (b->list[i].start == start)
            return b->paths[i];
    return NULL;
}

void modtable_forget(void)
{
    atomic_store(&table.busy, 0);
}
