/* SPDX-License-Identifier: MIT
 *
 * The bounds of the unwind entry (FDE) that contains an address, from .eh_frame_hdr's table, or
 * from .eh_frame read through where there is no table. Format: LSB, "Exception Frames".
 *
 * Unwind entries are the only thing in a stripped binary that says where functions begin and end;
 * they name code without symbols and keep a symbol from swallowing what lies behind its function.
 */
#include "symbol/symbol_internal.h"

#include <string.h>

#define PE_OMIT 0xff

/* A place to read from. Reading past the end sets `bad` and gives 0. */
struct reader {
    const uint8_t *at, *end;
    uint64_t vaddr; /* of `at` */
    bool bad;
};

static uint64_t read_bytes(struct reader *r, size_t n)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->at) < n) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->at, n);
    r->at += n;
    r->vaddr += n;
    return v;
}

static uint64_t read_uleb(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t b = read_bytes(r, 1);
        v |= (b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    r->bad = true;
    return 0;
}

static uint64_t read_encoded(struct reader *r, uint8_t enc, uint64_t datarel)
{
    uint64_t base = (enc & 0x70) == 0x10 ? r->vaddr : (enc & 0x70) == 0x30 ? datarel : 0, v;
    if ((enc & 0x70) != 0 && (enc & 0x70) != 0x10 && (enc & 0x70) != 0x30)
        r->bad = true;
    switch (enc & 0x0f) {
    case 0x01: v = read_uleb(r); break;
    case 0x02: v = read_bytes(r, 2); break;
    case 0x03: v = read_bytes(r, 4); break;
    case 0x00:
    case 0x04:
    case 0x0c: v = read_bytes(r, 8); break;
    case 0x0a: v = (uint64_t)(int16_t)read_bytes(r, 2); break;
    case 0x0b: v = (uint64_t)(int32_t)read_bytes(r, 4); break;
    default: r->bad = true; return 0;
    }
    return base + v;
}

static struct reader reader_at(const struct elf_file *f, uint64_t vaddr)
{
    size_t size = 0;
    const uint8_t *p = elf_file_at(f, vaddr, &size);
    return (struct reader){p, p ? p + size : p, vaddr, !p};
}

/* The encoding of code addresses, from the augmentation of a CIE. */
static uint8_t cie_encoding(const struct elf_file *f, uint64_t vaddr)
{
    struct reader r = reader_at(f, vaddr);
    uint64_t length = read_bytes(&r, 4);
    if (length == 0xffffffff)
        read_bytes(&r, 8);
    read_bytes(&r, 4);
    uint8_t version = (uint8_t)read_bytes(&r, 1);
    char aug[8] = "";
    for (unsigned i = 0; i < sizeof aug && !r.bad; i++) {
        aug[i] = (char)read_bytes(&r, 1);
        if (!aug[i])
            break;
    }
    if (r.bad || aug[sizeof aug - 1] || aug[0] != 'z')
        return aug[0] ? PE_OMIT : 0;
    read_uleb(&r);
    read_uleb(&r); /* a signed LEB has the same length */
    if (version == 1)
        read_bytes(&r, 1);
    else
        read_uleb(&r);
    read_uleb(&r);
    for (const char *c = aug + 1; *c && !r.bad; c++) {
        if (*c == 'R')
            return (uint8_t)read_bytes(&r, 1);
        if (*c == 'P')
            read_encoded(&r, (uint8_t)read_bytes(&r, 1) & 0x0f, 0);
        else if (*c == 'L')
            read_bytes(&r, 1);
    }
    return 0;
}

/* Reads the entry at `vaddr`. Returns the address of the next one, or 0 at the end or on damage.
 * `*start` is 0 for a CIE. */
static uint64_t read_entry(const struct elf_file *f, uint64_t vaddr, uint64_t *start, uint64_t *end)
{
    struct reader r = reader_at(f, vaddr);
    uint64_t length = read_bytes(&r, 4);
    if (length == 0xffffffff)
        length = read_bytes(&r, 8);
    *start = *end = 0;
    if (r.bad || length < 4 || length > (uint64_t)(r.end - r.at))
        return 0;
    uint64_t here = r.vaddr, next = here + length;
    uint64_t cie = read_bytes(&r, 4);
    if (cie == 0)
        return next;
    uint8_t enc = cie_encoding(f, here - cie);
    if (enc == PE_OMIT)
        return next;
    uint64_t first = read_encoded(&r, enc, 0);
    uint64_t size = read_encoded(&r, enc & 0x0f, 0);
    if (!r.bad && size && first + size > first) {
        *start = first;
        *end = first + size;
    }
    return next;
}

static bool search_table(const struct elf_file *f, uint64_t hdr, uint64_t addr, uint64_t *fde)
{
    struct reader r = reader_at(f, hdr);
    uint8_t e[4];
    for (unsigned i = 0; i < 4; i++)
        e[i] = (uint8_t)read_bytes(&r, 1);
    if (r.bad || e[0] != 1 || e[2] == PE_OMIT || e[3] != 0x3b)
        return false;
    read_encoded(&r, e[1], hdr);
    uint64_t count = read_encoded(&r, e[2], hdr);
    if (r.bad || count > (uint64_t)(r.end - r.at) / 8)
        return false;
    uint64_t lo = 0, hi = count;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        int32_t start;
        memcpy(&start, r.at + 8 * mid, 4);
        if (hdr + (uint64_t)(int64_t)start <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    int32_t at;
    *fde = 0;
    if (lo) {
        memcpy(&at, r.at + 8 * (lo - 1) + 4, 4);
        *fde = hdr + (uint64_t)(int64_t)at;
    }
    return true;
}

bool unwind_entry_find(const struct elf_file *f, uint64_t addr, uint64_t *start, uint64_t *end)
{
    for (size_t i = 0; i < f->phdr_count; i++) {
        uint64_t fde;
        if (f->phdrs[i].p_type != PT_GNU_EH_FRAME ||
            !search_table(f, f->phdrs[i].p_vaddr, addr, &fde))
            continue;
        if (!fde)
            return false;
        read_entry(f, fde, start, end);
        return *start <= addr && addr < *end;
    }
    const struct section *s = elf_file_section(f, ".eh_frame");
    if (!s || s->type == SHT_NOBITS)
        return false;
    uint64_t at = s->addr, next;
    while (at && at - s->addr < s->size) {
        next = read_entry(f, at, start, end);
        if (*start <= addr && addr < *end)
            return true;
        if (next <= at)
            break;
        at = next;
    }
    return false;
}
