/* SPDX-License-Identifier: MIT
 *
 * The jump slots of the loaded modules (relocations of DT_JMPREL, by which the PLT calls; generic
 * ABI and psABI of the machine). Only these are written to, never words that a program may have an
 * address from: a function has the same address in all modules. Whoever does not call through such
 * a slot (-fno-plt, libc's own malloc, a static libstrobe, a pointer) comes through us, which is
 * right as well, and costs a jump.
 *
 * A slot that is bound is changed if it leads to us, and to nobody else. One that is still to be
 * bound lazily would be bound by the scope of its module, which is the global one, where the caller
 * has seen what is found. All this holds for modules that were loaded with the program, and only
 * they are touched: those of a later dlopen may have a scope of their own (RTLD_DEEPBIND), may be
 * in the middle of their relocation, and may go away.
 *
 * A module whose tables are not as we expect is left as it is. */
#include "runtime/bypass.h"

#include "runtime/interpose.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT };
#else
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT };
#endif

struct range {
    uintptr_t from, to; /* to: behind the last byte */
};

/* What the dynamic section of a module says. */
struct linked {
    uintptr_t bias;
    struct range mapped, code, relro; /* relro: whole pages of it are read-only */
    const ElfW(Dyn) * dynamic;
    const ElfW(Rela) * relocations;
    const ElfW(Sym) * symbols;
    const char *names;
    size_t relocation_bytes, name_bytes;
    bool symbolic; /* looks its own names up in itself first */
};

struct pass {
    const struct bypass *rows;
    size_t count;
    enum { COUNT, OPEN, CLOSE } task;
    int modules;    /* so far */
    size_t callers; /* so far */
    uintptr_t page_mask;
};

/* Modules that were loaded with the program, which are the first of all; 0: not known. */
static _Atomic int first_modules;

static bool is_in(const struct range *r, uintptr_t at, size_t bytes)
{
    return at >= r->from && at <= r->to && r->to - at >= bytes;
}

/* ---- modules ---- */

static void add_to(struct range *r, uintptr_t from, uintptr_t to)
{
    if (!r->to)
        *r = (struct range){from, to};
    r->from = from < r->from ? from : r->from;
    r->to = to > r->to ? to : r->to;
}

static void read_segments(struct linked *m, const struct dl_phdr_info *info, uintptr_t page_mask)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t at = m->bias + ph->p_vaddr, end = at + ph->p_memsz;
        if (ph->p_type == PT_LOAD)
            add_to(&m->mapped, at, end);
        if (ph->p_type == PT_LOAD && ph->p_flags & PF_X)
            add_to(&m->code, at, end);
        if (ph->p_type == PT_GNU_RELRO)
            m->relro = (struct range){at & page_mask, end & page_mask};
        if (ph->p_type == PT_DYNAMIC)
            m->dynamic = (const ElfW(Dyn) *)at;
    }
}

/* glibc has added the bias to what is an address; others, and the vdso, have not. */
static uintptr_t address_of(const struct linked *m, uintptr_t value)
{
    return is_in(&m->mapped, value, 1) ? value : m->bias + value;
}

static bool read_dynamic(struct linked *m)
{
    bool rela = false;
    for (const ElfW(Dyn) *d = m->dynamic; d->d_tag != DT_NULL; d++) {
        uintptr_t at = address_of(m, d->d_un.d_ptr);
        switch (d->d_tag) {
        case DT_JMPREL: m->relocations = (const ElfW(Rela) *)at; break;
        case DT_PLTRELSZ: m->relocation_bytes = d->d_un.d_val; break;
        case DT_PLTREL: rela = d->d_un.d_val == DT_RELA; break;
        case DT_SYMTAB: m->symbols = (const ElfW(Sym) *)at; break;
        case DT_STRTAB: m->names = (const char *)at; break;
        case DT_STRSZ: m->name_bytes = d->d_un.d_val; break;
        case DT_SYMBOLIC: m->symbolic = true; break;
        case DT_FLAGS: m->symbolic |= (d->d_un.d_val & DF_SYMBOLIC) != 0; break;
        default: break;
        }
    }
    return rela && m->relocations && m->symbols && m->names && m->relocation_bytes &&
           is_in(&m->mapped, (uintptr_t)m->relocations, m->relocation_bytes) &&
           is_in(&m->mapped, (uintptr_t)m->symbols, sizeof *m->symbols) &&
           is_in(&m->mapped, (uintptr_t)m->names, m->name_bytes);
}

static bool read_module(struct linked *m, const struct dl_phdr_info *info, uintptr_t page_mask)
{
    *m = (struct linked){.bias = info->dlpi_addr};
    read_segments(m, info, page_mask);
    return m->dynamic && is_in(&m->mapped, (uintptr_t)m->dynamic, sizeof *m->dynamic) &&
           read_dynamic(m);
}

/* ---- slots ---- */

/* The row of a relocation, or NULL: it is for another function. `own`: the module has one of that
 * name, which its calls need not lead to, because others stand before it. */
static const struct bypass *row_of(const struct pass *pass, const struct linked *m,
                                   const ElfW(Rela) * r, bool *own)
{
    const ElfW(Sym) *s = &m->symbols[ELF64_R_SYM(r->r_info)];
    if (ELF64_R_TYPE(r->r_info) != JUMP_SLOT || !is_in(&m->mapped, (uintptr_t)s, sizeof *s) ||
        s->st_name >= m->name_bytes)
        return NULL;
    *own = s->st_shndx != SHN_UNDEF;
    const char *name = m->names + s->st_name;
    for (size_t i = 0; i < pass->count; i++)
        if (*name == *pass->rows[i].name && !strcmp(name, pass->rows[i].name))
            return &pass->rows[i];
    return NULL;
}

/* Where a slot is to lead, whose value is `now`. */
static void *wanted(const struct pass *pass, const struct linked *m, const struct bypass *row,
                    void *now)
{
    bool unbound = !m->symbolic && is_in(&m->code, (uintptr_t)now, 1);
    if (pass->task == CLOSE)
        return now == row->behind ? row->ours : now;
    return now == row->ours || unbound ? row->behind : now;
}

/* False: the page could not be made writable. */
static bool write_slot(const struct linked *m, _Atomic(void *) *slot, void *to, bool *unlocked)
{
    if (is_in(&m->relro, (uintptr_t)slot, sizeof *slot) && !*unlocked) {
        *unlocked = mprotect((void *)m->relro.from, m->relro.to - m->relro.from,
                             PROT_READ | PROT_WRITE) == 0;
        if (!*unlocked)
            return false;
    }
    atomic_store(slot, to);
    return true;
}

static void change_slots(struct pass *pass, const struct linked *m)
{
    bool unlocked = false, own;
    size_t n = m->relocation_bytes / sizeof *m->relocations;
    for (size_t i = 0; i < n; i++) {
        const ElfW(Rela) *r = &m->relocations[i];
        const struct bypass *row = row_of(pass, m, r, &own);
        _Atomic(void *) *slot = (_Atomic(void *) *)(m->bias + r->r_offset);
        if (!row || (uintptr_t)slot % sizeof *slot ||
            !is_in(&m->mapped, (uintptr_t)slot, sizeof *slot))
            continue;
        void *now = atomic_load(slot), *to = wanted(pass, m, row, now);
        pass->callers += to != now && !own;
        if (to != now && pass->task != COUNT && !write_slot(m, slot, to, &unlocked))
            break;
    }
    if (unlocked)
        mprotect((void *)m->relro.from, m->relro.to - m->relro.from, PROT_READ);
}

static int pass_module(struct dl_phdr_info *info, size_t size, void *ctx)
{
    struct pass *pass = ctx;
    struct linked m;
    (void)size;
    if (++pass->modules > atomic_load(&first_modules))
        return 1;
    if (read_module(&m, info, pass->page_mask) && !is_in(&m.mapped, (uintptr_t)pass_module, 1))
        change_slots(pass, &m);
    return 0;
}

/* ---- from outside ---- */

/* Where a program that is not position-independent takes a function's address, that is one of its
 * own stubs, under a symbol without a section: the name says nothing of where it leads. */
bool bypass_is_ours(void *f)
{
    Dl_info theirs, ours;
    const ElfW(Sym) *symbol = NULL;
    if (!f || !dladdr1(f, &theirs, (void **)&symbol, RTLD_DL_SYMENT) ||
        !dladdr((void *)bypass_note_start, &ours))
        return false;
    return (symbol && symbol->st_shndx == SHN_UNDEF) || theirs.dli_fbase == ours.dli_fbase;
}

static int count_modules(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)info, (void)size;
    ++*(int *)ctx;
    return 0;
}

/* libc's, for a program may have one of its own, which is not ready before the program is. */
static void for_modules(int (*f)(struct dl_phdr_info *, size_t, void *), void *ctx)
{
    REAL(dl_iterate_phdr, int (*)(int (*)(struct dl_phdr_info *, size_t, void *), void *));
    real(f, ctx);
}

void bypass_note_start(void)
{
    int n = 0;
    if (atomic_load(&first_modules))
        return;
    for_modules(count_modules, &n);
    atomic_store(&first_modules, n);
}

static size_t pass_all(const struct bypass *rows, size_t count, int task)
{
    unsigned long page = getauxval(AT_PAGESZ);
    struct pass pass = {.rows = rows, .count = count, .task = task, .page_mask = ~(page - 1)};
    if (page)
        for_modules(pass_module, &pass);
    return pass.callers;
}

size_t bypass_callers(const struct bypass *rows, size_t count)
{
    return pass_all(rows, count, COUNT);
}

void bypass_open(const struct bypass *rows, size_t count)
{
    pass_all(rows, count, OPEN);
}

bool bypass_open_ours(const struct bypass *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!rows[i].behind || !bypass_is_ours(dlsym(RTLD_DEFAULT, rows[i].name)))
            return false;
    bypass_open(rows, count);
    return true;
}

void bypass_close(const struct bypass *rows, size_t count)
{
    pass_all(rows, count, CLOSE);
}
