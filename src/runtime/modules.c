/* SPDX-License-Identifier: MIT
 *
 * The modules that samples lie in. The unwinder calls in here, inside the handler, each time it
 * meets a program counter that is not in its cache; so a module is known from its first sample on,
 * also when it is gone (dlclose) before the profile is written. What is noted is what a line of
 * /proc/self/maps would say of its executable segment, and its build id, read from the loaded
 * image's own headers.
 *
 * An entry is claimed by moving module_count and published by `ready`; two threads may note the
 * same module twice, which the reader of the list does not mind. Nothing is ever removed. Where a
 * module is met at the place of another one, a new epoch begins, which tells whose the addresses of
 * a sample are: the youngest entry not after it. One that is loaded again at its own place, as most
 * are, begins none: equal stacks stay equal. Samples take their epoch behind the walk that may have
 * begun it. */
#include "base/sigsafe.h"
#include "runtime/modtable.h"
#include "runtime/runtime.h"

#include <elf.h>
#include <link.h>

enum { PAGE = 4096, PHDRS_MAX = 64 };

struct image {
    uintptr_t bias;
    const ElfW(Phdr) * phdr;
    uint32_t phnum;
};

/* The program headers lie in the first page of nearly every object; others are left alone. */
static bool read_image(const struct unwind_module *m, struct image *img)
{
    const ElfW(Ehdr) *eh = (const ElfW(Ehdr) *)m->start;
    if (m->end - m->start < PAGE || eh->e_ident[0] != 0x7f || eh->e_ident[1] != 'E' ||
        eh->e_ident[2] != 'L' || eh->e_ident[3] != 'F' || eh->e_phnum > PHDRS_MAX ||
        eh->e_phoff > PAGE - eh->e_phnum * sizeof(ElfW(Phdr)))
        return false;
    img->phdr = (const ElfW(Phdr) *)(m->start + eh->e_phoff);
    img->phnum = eh->e_phnum;
    for (uint32_t i = 0; i < img->phnum; i++)
        if (img->phdr[i].p_type == PT_LOAD) { /* the first: it holds the headers */
            img->bias = m->start - (img->phdr[i].p_vaddr & ~(uintptr_t)(PAGE - 1));
            return true;
        }
    return false;
}

static void read_build_id(const struct unwind_module *m, const struct image *img, struct module *to)
{
    to->build_id_len = 0;
    for (uint32_t i = 0; i < img->phnum; i++) {
        const ElfW(Phdr) *ph = &img->phdr[i];
        uintptr_t at = img->bias + ph->p_vaddr, end = at + ph->p_memsz;
        if (ph->p_type != PT_NOTE || at < m->start || end > m->end || end < at)
            continue;
        while (end - at > sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)at;
            uintptr_t name = at + sizeof *n, desc = name + ((n->n_namesz + 3u) & ~3u);
            uintptr_t next = desc + ((n->n_descsz + 3u) & ~3u);
            if (next > end || next <= at)
                break;
            if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
                n->n_descsz <= SHM_BUILD_ID_MAX) {
                to->build_id_len = (uint8_t)n->n_descsz;
                sigsafe_copy(to->build_id, (const void *)desc, n->n_descsz);
                return;
            }
            at = next;
        }
    }
}

static void append_path(struct module *m, const char *s)
{
    size_t n = sigsafe_strnlen(s, sizeof m->path - 1 - m->path_len);
    sigsafe_copy(m->path + m->path_len, s, n);
    m->path_len = (uint16_t)(m->path_len + n);
    m->path[m->path_len] = 0;
}

static bool starts_with(const char *s, const char *with)
{
    while (*with)
        if (*s++ != *with++)
            return false;
    return true;
}

static void read_path(const struct unwind_module *m, struct module *to)
{
    const struct link_map *lm = m->link_map;
    const char *name = lm ? lm->l_name : modtable_path(m->start);
    name = name ? name : "";
    to->path_len = 0;
    if (starts_with(name, "linux-vdso") || starts_with(name, "[vdso]") ||
        starts_with(name, "linux-gate")) {
        append_path(to, "[vdso]");
    } else if (!name[0]) {
        append_path(to, rt.exe);
    } else {
        if (name[0] != '/') {
            append_path(to, rt.cwd);
            append_path(to, "/");
        }
        append_path(to, name);
    }
}

static bool same_module(const struct module *a, const struct module *b)
{
    if (a->start != b->start || a->limit != b->limit || a->path_len != b->path_len ||
        a->build_id_len != b->build_id_len)
        return false;
    for (uint32_t i = 0; i < a->build_id_len; i++)
        if (a->build_id[i] != b->build_id[i])
            return false;
    for (uint32_t i = 0; i < a->path_len; i++)
        if (a->path[i] != b->path[i])
            return false;
    return true;
}

static uint32_t known_modules(void)
{
    uint32_t n = atomic_load_explicit(&rt.module_count, memory_order_acquire);
    return n < RUNTIME_MODULES ? n : RUNTIME_MODULES;
}

/* A record of at most SHM_CHUNK_DATA bytes; without a recorder nothing. */
static void announce(const struct module *m)
{
    struct shm_module r = {.r.type = SHM_MODULE,
                           .r.epoch = m->epoch,
                           .start = m->start,
                           .limit = m->limit,
                           .offset = m->offset,
                           .path_len = m->path_len,
                           .build_id_len = m->build_id_len};
    sigsafe_copy(r.build_id, m->build_id, m->build_id_len);
    runtime_emit(&r.r, sizeof r, m->path, m->path_len);
}

/* What was there last. */
static struct module *youngest_at(uint64_t start, uint64_t limit)
{
    for (uint32_t i = known_modules(); i-- > 0;) {
        struct module *m = &rt.modules[i];
        if (atomic_load_explicit(&m->ready, memory_order_acquire) && m->start < limit &&
            start < m->limit)
            return m;
    }
    return NULL;
}

/* Whose place changes so often that the list would end gets an entry without a name, behind which
 * nothing more is noted of it. */
enum { MODULES_SPARE = RUNTIME_MODULES / 4 };

static bool is_nameless(const struct module *m)
{
    return !m->path_len;
}

static void note_segment(struct module *found)
{
    uint32_t unloads = atomic_load_explicit(&rt.unloads, memory_order_relaxed);
    struct module *before = youngest_at(found->start, found->limit);
    if (before && (is_nameless(before) || same_module(before, found))) {
        atomic_store_explicit(&before->seen_unloads, unloads, memory_order_relaxed);
        return;
    }
    if (before && known_modules() >= RUNTIME_MODULES - MODULES_SPARE) {
        found->path_len = found->build_id_len = 0;
        found->path[0] = 0;
    }
    uint32_t at = atomic_fetch_add_explicit(&rt.module_count, 1, memory_order_acq_rel);
    if (at >= RUNTIME_MODULES)
        return;
    struct module *m = &rt.modules[at];
    m->start = found->start;
    m->limit = found->limit;
    m->offset = found->offset;
    m->epoch = before ? atomic_fetch_add(&rt.epoch, 1) + 1 : 0;
    m->path_len = found->path_len;
    m->build_id_len = found->build_id_len;
    sigsafe_copy(m->build_id, found->build_id, sizeof m->build_id);
    sigsafe_copy(m->path, found->path, found->path_len + 1u);
    atomic_store_explicit(&m->seen_unloads, unloads, memory_order_relaxed);
    atomic_store_explicit(&m->ready, 1, memory_order_release);
    announce(m);
}

/* Was this image noted, and found to be there since the last dlclose? The common case of a miss. */
static bool is_current(const struct unwind_module *m)
{
    uint32_t unloads = atomic_load_explicit(&rt.unloads, memory_order_relaxed);
    for (uint32_t i = known_modules(); i-- > 0;) {
        const struct module *k = &rt.modules[i];
        if (atomic_load_explicit(&k->ready, memory_order_acquire) && k->start >= m->start &&
            k->start < m->end &&
            atomic_load_explicit(&k->seen_unloads, memory_order_relaxed) == unloads)
            return true;
    }
    return false;
}

void runtime_note_module(void *ctx, const struct unwind_module *m)
{
    (void)ctx;
    struct image img;
    if (is_current(m) || !read_image(m, &img))
        return;
    struct module found;
    found.epoch = 0;
    read_build_id(m, &img, &found);
    read_path(m, &found);
    for (uint32_t i = 0; i < img.phnum; i++) {
        const ElfW(Phdr) *ph = &img.phdr[i];
        if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
            continue;
        uintptr_t in_page = ph->p_vaddr & (PAGE - 1);
        found.start = img.bias + ph->p_vaddr - in_page;
        found.limit = (img.bias + ph->p_vaddr + ph->p_memsz + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
        found.offset = ph->p_offset - in_page;
        note_segment(&found);
    }
}

void runtime_modules_changed(void)
{
    atomic_fetch_add(&rt.unloads, 1);
    if (rt.cache)
        unwind_cache_flush(rt.cache);
}
