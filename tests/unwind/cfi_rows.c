/* SPDX-License-Identifier: MIT
 *
 * cfi_rows ELF…: compares every row of every FDE with what libdw makes of it, the binary search
 * with the linear one, the brief row with the full one; and at every address the rule that the
 * cache would keep with that of the range it would be taken from. Prints a line a file with what
 * was compared; exits 1 on any difference, 77 if no file could be compared. */
#include "unwind/cfi.h"
#include "unwind/frame.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SHOWN 10

struct image {
    const char *path;
    int fd;
    Elf *elf;
    Dwarf_CFI *cfi;
    uint64_t bias; /* mapped address = ELF address + bias */
    struct unwind_module module;
    struct span eh_frame;
    struct unwind_modules modules; /* this one */
    struct unwind_cache *cache;
    size_t fdes, rows, bad, expressions, unknown, pcs, ranged;
};

static void differ(struct image *im, uint64_t pc, const char *what)
{
    if (im->bad++ < MAX_SHOWN)
        printf("%s: 0x%lx: %s\n", im->path, (unsigned long)(pc - im->bias), what);
}

/* Lays the segments out as the loader does. */
static int map_image(struct image *im)
{
    size_t n;
    GElf_Phdr ph;
    uint64_t lo = UINT64_MAX, hi = 0;
    if (elf_getphdrnum(im->elf, &n) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (gelf_getphdr(im->elf, (int)i, &ph) && ph.p_type == PT_LOAD) {
            lo = ph.p_vaddr < lo ? ph.p_vaddr & ~4095ull : lo;
            hi = ph.p_vaddr + ph.p_memsz > hi ? ph.p_vaddr + ph.p_memsz : hi;
        }
    if (lo >= hi)
        return -1;
    hi = (hi + 4095) & ~4095ull;
    char *base = mmap(NULL, hi - lo, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -1;
    im->bias = (uint64_t)base - lo;
    for (size_t i = 0; i < n; i++) {
        gelf_getphdr(im->elf, (int)i, &ph);
        if (ph.p_type == PT_LOAD && pread(im->fd, (char *)(im->bias + ph.p_vaddr), ph.p_filesz,
                                          (off_t)ph.p_offset) != (ssize_t)ph.p_filesz)
            return -1;
        if (ph.p_type == PT_GNU_EH_FRAME)
            im->module.eh_frame_hdr = (const void *)(im->bias + ph.p_vaddr);
    }
    im->module.start = (uintptr_t)base;
    im->module.end = (uintptr_t)base + (hi - lo);
    return 0;
}

/* The .eh_frame section, to visit what the search table may have forgotten. */
static int find_eh_frame(struct image *im)
{
    size_t names;
    Elf_Scn *scn = NULL;
    GElf_Shdr sh;
    if (elf_getshdrstrndx(im->elf, &names) != 0)
        return -1;
    while ((scn = elf_nextscn(im->elf, scn)) != NULL) {
        const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(im->elf, names, sh.sh_name) : NULL;
        if (name && strcmp(name, ".eh_frame") == 0 && sh.sh_type != SHT_NOBITS) {
            im->eh_frame.lo = (const uint8_t *)(im->bias + sh.sh_addr);
            im->eh_frame.hi = im->eh_frame.lo + sh.sh_size;
            return 0;
        }
    }
    return -1;
}

static int same_ops(struct image *im, const struct cfi_fde *fde, int32_t offset,
                    const Dwarf_Op *ops, size_t n)
{
    struct span expr;
    im->expressions++;
    if (cfi_expression(fde, offset, &expr) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (ops[i].offset >= (uint64_t)(expr.hi - expr.lo) || expr.lo[ops[i].offset] != ops[i].atom)
            return 0;
    return 1;
}

static void compare_cfa(struct image *im, const struct cfi_fde *fde, const struct cfi_row *row,
                        Dwarf_Frame *frame, uint64_t pc)
{
    Dwarf_Op *ops;
    size_t n;
    if (dwarf_frame_cfa(frame, &ops, &n) != 0) {
        im->unknown++; /* libdw drops the offset when an expression is replaced by a register */
        return;
    }
    if (row->cfa_reg == CFI_CFA_EXPR) {
        if (!same_ops(im, fde, row->cfa_expr, ops, n))
            differ(im, pc, "another CFA expression");
    } else if (n != 1 || ops[0].atom != DW_OP_bregx || ops[0].number != row->cfa_reg ||
               (int64_t)ops[0].number2 != row->cfa_offset) {
        differ(im, pc, "another CFA");
    }
}

static int same_rule(struct image *im, const struct cfi_fde *fde, const struct cfi_row *row,
                     int reg, Dwarf_Frame *frame)
{
    Dwarf_Op mem[3], *ops;
    size_t n;
    int64_t value = row->value[reg];
    if (dwarf_frame_register(frame, reg, mem, &ops, &n) != 0)
        return 0;
    int64_t given = n > 1 && ops[1].atom == DW_OP_plus_uconst ? (int64_t)ops[1].number : 0;
    int on_cfa = n >= 1 && ops[0].atom == DW_OP_call_frame_cfa;
    int is_value = n >= 1 && ops[n - 1].atom == DW_OP_stack_value;
    switch (row->kind[reg]) {
    case CFI_UNSPECIFIED: return n == 0 || (reg == UNWIND_SP && on_cfa && is_value && given == 0);
    case CFI_SAME: return n == 0 && ops == NULL;
    case CFI_UNDEFINED: return n == 0 && ops == mem;
    case CFI_OFFSET: return on_cfa && !is_value && given == value;
    case CFI_VAL_OFFSET: return on_cfa && is_value && given == value;
    case CFI_REGISTER:
        return n == 1 && ops[0].atom == DW_OP_regx && (int64_t)ops[0].number == value;
    case CFI_EXPR: return on_cfa && same_ops(im, fde, (int32_t)value, ops + 1, n - 1);
    case CFI_VAL_EXPR:
        return on_cfa && is_value && same_ops(im, fde, (int32_t)value, ops + 1, n - 2);
    }
    return 0;
}

/* Of the columns that a rule is made of. */
static void compare_brief(struct image *im, const struct cfi_fde *fde, const struct cfi_row *row,
                          uint64_t pc)
{
    static const int columns[] = {UNWIND_BP, UNWIND_SP, UNWIND_PC};
    struct cfi_row brief;
    int same = cfi_brief_row_at(fde, pc, &brief) == 0 && brief.start == row->start &&
               brief.end == row->end && brief.cfa_reg == row->cfa_reg &&
               brief.cfa_offset == row->cfa_offset && brief.cfa_expr == row->cfa_expr;
    for (int i = 0; same && i < 3; i++)
        same = brief.kind[columns[i]] == row->kind[columns[i]] &&
               brief.value[columns[i]] == row->value[columns[i]];
    if (!same || pc < row->start || pc >= row->end)
        differ(im, pc, "another brief row");
}

/* Rules found alone, each with a memo of its own, beside those found one after the other, and
 * beside those of the ranges which the cache was given. */
static void compare_rules(struct image *im, const struct cfi_fde *fde)
{
    struct frame_memo lasting = {.is_open = 0};
    struct cache_range range = {0, 0}, ignored;
    uint64_t salt = cache_salt(im->cache);
    for (uint64_t pc = fde->start; pc < fde->end; pc++) {
        struct frame_memo memo = {.is_open = 0};
        uint64_t rule = frame_rule(im->cache, pc, &memo, &ignored);
        uint64_t kept = cache_get_range(im->cache, salt, pc);
        im->pcs++;
        im->ranged += kept != RULE_NONE;
        if (kept != RULE_NONE && kept != rule)
            differ(im, pc, "another rule in a range");
        if (frame_rule(im->cache, pc, &lasting, &range) != rule)
            differ(im, pc, "another rule with the module known");
        if (kept == RULE_NONE && range.lo < range.hi) {
            cache_put_range(im->cache, salt, pc, rule, &range);
            if (cache_get_range(im->cache, salt, pc) != rule)
                differ(im, pc, "a range without the address that it was found for");
        }
    }
}

static void compare_row(struct image *im, const struct cfi_fde *fde, uint64_t pc,
                        Dwarf_Frame *frame)
{
    struct cfi_row row;
    char text[64];
    if (cfi_row_at(fde, pc, &row) < 0) {
        differ(im, pc, "we find no row");
        return;
    }
    compare_cfa(im, fde, &row, frame, pc);
    compare_brief(im, fde, &row, pc);
    for (int reg = 0; reg < UNWIND_REGS; reg++)
        if (!same_rule(im, fde, &row, reg, frame)) {
            snprintf(text, sizeof text, "another rule of register %d (ours is of kind %d)", reg,
                     row.kind[reg]);
            differ(im, pc, text);
        }
}

static void compare_fde(struct image *im, const struct cfi_fde *fde)
{
    struct cfi_fde found;
    for (uint64_t pc = fde->start; pc < fde->end;) {
        Dwarf_Frame *frame;
        Dwarf_Addr start, end;
        if (dwarf_cfi_addrframe(im->cfi, pc - im->bias, &frame) != 0) {
            differ(im, pc, "libdw finds no frame");
            return;
        }
        dwarf_frame_info(frame, &start, &end, NULL);
        end = end + im->bias > fde->end || end == 0 ? fde->end : end + im->bias;
        compare_row(im, fde, pc, frame);
        compare_row(im, fde, end - 1, frame);
        if (cfi_find(&im->module, end - 1, &found) < 0 || found.start > end - 1 ||
            found.end < end || found.ops.lo != fde->ops.lo)
            differ(im, pc, "the search finds another FDE");
        im->rows++;
        free(frame);
        pc = end;
    }
}

static void compare_image(struct image *im)
{
    const uint8_t *at = im->eh_frame.lo;
    while (im->eh_frame.hi - at >= 4) {
        struct cfi_fde fde;
        uint32_t length;
        memcpy(&length, at, 4);
        if (length == 0)
            break;
        int ret = cfi_parse(&im->eh_frame, at, &fde);
        if (ret == 0) {
            im->fdes++;
            compare_fde(im, &fde);
            compare_rules(im, &fde);
        } else if (ret != -UNWIND_NO_FDE) {
            differ(im, (uint64_t)at, "malformed entry");
        }
        at += 4 + (uint64_t)length;
    }
}

static void open_cache(struct image *im)
{
    struct unwind_config config = {.no_find_object = 1};
    void *memory =
        mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    im->modules = (struct unwind_modules){1, &im->module};
    im->cache = unwind_cache_init(memory, &config);
    unwind_set_modules(im->cache, &im->modules);
}

static int run(const char *path, size_t *compared)
{
    struct image im = {.path = path, .fd = open(path, O_RDONLY)};
    if (im.fd < 0) {
        printf("%s: %s, left out\n", path, strerror(errno));
        return 0;
    }
    im.elf = elf_begin(im.fd, ELF_C_READ_MMAP, NULL);
    im.cfi = im.elf ? dwarf_getcfi_elf(im.elf) : NULL;
    if (!im.cfi || map_image(&im) != 0 || find_eh_frame(&im) != 0) {
        printf("%s: no call frame information, left out\n", path);
        return 0;
    }
    open_cache(&im);
    compare_image(&im);
    printf("%s: %zu FDEs, %zu rows, %zu expressions, %zu unknown to libdw, %zu addresses, %zu of "
           "them by ranges, %zu differences\n",
           path, im.fdes, im.rows, im.expressions, im.unknown, im.pcs, im.ranged, im.bad);
    munmap(im.cache, unwind_cache_size());
    *compared += im.rows;
    munmap((void *)im.module.start, im.module.end - im.module.start);
    dwarf_cfi_end(im.cfi);
    elf_end(im.elf);
    close(im.fd);
    return im.bad != 0;
}

int main(int argc, char **argv)
{
    int bad = 0;
    size_t compared = 0;
    elf_version(EV_CURRENT);
    for (int i = 1; i < argc; i++)
        bad |= run(argv[i], &compared);
    return bad ? 1 : compared ? 0 : 77;
}
