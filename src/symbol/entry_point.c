/* SPDX-License-Identifier: MIT
 *
 * Finds _start and main in a program without symbols: most of what a distribution ships.
 *
 * The ELF entry point is _start. glibc's _start (sysdeps/x86_64/start.S) is the same few
 * instructions since 2001 in a handful of variants, one of which loads the address of main for
 * __libc_start_main. It is believed only if every byte is as expected and, where the call goes
 * through the global offset table, if the slot is __libc_start_main's. */
#include "symbol/symbol_internal.h"

#include <string.h>

/* True for an executable: its entry point is a _start. Shared libraries may have an entry point of
 * their own (libc.so.6 prints its version); the dynamic loader's is called _start as well. */
static bool has_start(const struct elf_file *f)
{
    uint64_t flags = 0, soname = 0;
    if (f->ehdr.e_type == ET_EXEC)
        return true;
    if (f->ehdr.e_type != ET_DYN)
        return false;
    if (elf_file_dynamic(f, DT_FLAGS_1, &flags) && (flags & DF_1_PIE))
        return true;
    const struct section *s = elf_file_section(f, ".dynstr");
    const char *name = s && elf_file_dynamic(f, DT_SONAME, &soname)
                           ? elf_file_string(f, (uint32_t)(s - f->sections), soname)
                           : NULL;
    return name && !strncmp(name, "ld-", 3);
}

struct code {
    const uint8_t *at;
    size_t size;
    uint64_t vaddr;
};

static bool eat(struct code *c, const char *bytes, size_t n)
{
    if (c->size < n || memcmp(c->at, bytes, n))
        return false;
    c->at += n;
    c->size -= n;
    c->vaddr += n;
    return true;
}

static int32_t eat_int(struct code *c)
{
    int32_t v;
    memcpy(&v, c->at, 4);
    c->at += 4;
    c->size -= 4;
    c->vaddr += 4;
    return v;
}

/* An opcode followed by four bytes of operand. */
static bool eat_op(struct code *c, const char *bytes, size_t n, int32_t *operand)
{
    if (c->size < n + 4 || !eat(c, bytes, n))
        return false;
    *operand = eat_int(c);
    return true;
}

#define EAT(c, s)       eat(c, s, sizeof s - 1)
#define EAT_OP(c, s, v) eat_op(c, s, sizeof s - 1, v)

static uint64_t main_x86_64(const struct elf_file *f)
{
    struct code c = {.vaddr = f->ehdr.e_entry};
    int32_t v;
    c.at = elf_file_at(f, c.vaddr, &c.size);
    if (!c.at)
        return 0;
    EAT(&c, "\xf3\x0f\x1e\xfa"); /* endbr64, with IBT */
    /* xor %ebp,%ebp; mov %rdx,%r9; pop %rsi; mov %rsp,%rdx; and $-16,%rsp; push %rax; push %rsp */
    if (!EAT(&c, "\x31\xed\x49\x89\xd1\x5e\x48\x89\xe2\x48\x83\xe4\xf0\x50\x54"))
        return 0;
    /* fini in r8, init in rcx: zero since 2.34, before it lea or mov */
    if (!EAT(&c, "\x45\x31\xc0") && !EAT_OP(&c, "\x4c\x8d\x05", &v) &&
        !EAT_OP(&c, "\x49\xc7\xc0", &v))
        return 0;
    if (!EAT(&c, "\x31\xc9") && !EAT_OP(&c, "\x48\x8d\x0d", &v) && !EAT_OP(&c, "\x48\xc7\xc1", &v))
        return 0;
    uint64_t address;
    if (EAT_OP(&c, "\x48\x8d\x3d", &v)) /* lea main(%rip),%rdi */
        address = c.vaddr + (uint64_t)(int64_t)v;
    else if (EAT_OP(&c, "\x48\xc7\xc7", &v)) /* mov $main,%rdi */
        address = (uint64_t)(int64_t)v;
    else
        return 0;
    if (EAT_OP(&c, "\xff\x15", &v)) { /* call *__libc_start_main@GOTPCREL(%rip) */
        const char *name = plt_slot_symbol(f, c.vaddr + (uint64_t)(int64_t)v);
        if (!name || strncmp(name, "__libc_start_main", 17))
            return 0;
    } else if (!EAT_OP(&c, "\x67\xe8", &v) && !EAT_OP(&c, "\xe8", &v)) {
        return 0;
    }
    return EAT(&c, "\xf4") ? address : 0; /* hlt */
}

void entry_point_find(const struct elf_file *f, struct entry_points *ep)
{
    uint64_t start, end;
    *ep = (struct entry_points){0};
    if (!f->ehdr.e_entry || !has_start(f))
        return;
    ep->start = f->ehdr.e_entry;
    uint64_t address = f->ehdr.e_machine == EM_X86_64 ? main_x86_64(f) : 0;
    /* main begins an unwind entry; if it does not, this is no compiler's main. */
    if (address && unwind_entry_find(f, address, &start, &end) && start == address)
        ep->main = address;
}
