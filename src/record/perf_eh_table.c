/* SPDX-License-Identifier: MIT
 *
 * Makes the .eh_frame_hdr that a linker was told to leave out (or did not know to make): the
 * entries of .eh_frame, found by its section header, sorted by address. Format: Linux Standard Base
 * core, "The .eh_frame_hdr section": version 1, then the encodings of the pointer to .eh_frame, of
 * the count and of the table, whose values are 4-byte differences from the table's own address. */
#include "record/perf_eh_table.h"

#include "base/sort.h"
#include "unwind/cfi.h"

#include <stdlib.h>
#include <string.h>

#define HEADER    12
#define ENTRY     8
#define FDE_BYTES 16 /* the smallest possible */

static const struct section *frames_of(const struct elf_file *f)
{
    for (size_t i = 0; i < f->phdr_count; i++)
        if (f->phdrs[i].p_type == PT_GNU_EH_FRAME)
            return NULL;
    return elf_file_section(f, ".eh_frame");
}

size_t perf_eh_table_bytes(const struct elf_file *f)
{
    const struct section *s = frames_of(f);
    return s && s->alloc && s->size < INT32_MAX ? HEADER + s->size / FDE_BYTES * ENTRY : 0;
}

static int by_start(const void *a, const void *b)
{
    int32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static bool put_difference(uint8_t *out, uintptr_t value, uintptr_t base)
{
    int64_t d = (int64_t)(value - base);
    int32_t v = (int32_t)d;
    memcpy(out, &v, sizeof v);
    return v == d;
}

bool perf_eh_table_make(const struct elf_file *f, uint8_t *out, size_t size, uintptr_t base)
{
    const struct section *s = frames_of(f);
    size_t room;
    if (!s || size < HEADER || !elf_file_at(f, s->addr, &room) || room < s->size)
        return false;
    const uint8_t *at = (const uint8_t *)(base + s->addr);
    struct span seg = {at, at + s->size};
    uint32_t count = 0;
    for (uint32_t length; seg.hi - at >= 8; at += 4 + (size_t)length) {
        struct cfi_fde fde;
        memcpy(&length, at, sizeof length);
        if (!length || length > (size_t)(seg.hi - at) - 4)
            break;
        if (cfi_parse(&seg, at, &fde) < 0 || HEADER + (count + 1ull) * ENTRY > size)
            continue;
        uint8_t *entry = out + HEADER + (size_t)count * ENTRY;
        if (put_difference(entry, fde.start, (uintptr_t)out) &&
            put_difference(entry + 4, (uintptr_t)at, (uintptr_t)out))
            count++;
    }
    /* udata4 count; pc-relative sdata4 pointer; data-relative sdata4 table */
    static const uint8_t encodings[4] = {1, 0x1b, 0x03, 0x3b};
    memcpy(out, encodings, sizeof encodings);
    memcpy(out + 8, &count, sizeof count);
    sort_list(out + HEADER, count, ENTRY, by_start);
    return put_difference(out + 4, base + s->addr, (uintptr_t)out + 4) && count;
}
