/* SPDX-License-Identifier: MIT
 *
 * Varints without anything that only some processors have. Where they end is found for many bytes
 * at a time, so that their values do not wait for each other's lengths. */
#include "profile/varints.h"

/* Bit i is set when a varint ends in byte i of the 64 at `p`. The multiplication gathers the top
 * bits of eight bytes in one. */
static inline uint64_t ends_of(const uint8_t *p)
{
    uint64_t ends = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t tops = (~wire_load(p + 8 * i) & 0x8080808080808080ull) >> 7;
        ends |= (tops * 0x0102040810204080ull >> 56) << (8 * i);
    }
    return ends;
}

static int64_t read_any(struct wire w, const uint8_t *input_end, uint32_t *out, uint32_t *largest)
{
    uint32_t *to = out, worst = *largest;
    const uint8_t *start = w.at;
    if (input_end - w.end < VARINTS_MARGIN)
        return -1;
    for (const uint8_t *block = w.at; block < w.end; block += 64) {
        uint64_t ends = ends_of(block);
        if (w.end - block < 64)
            ends &= (1ull << (w.end - block)) - 1;
        for (; ends; ends &= ends - 1) {
            const uint8_t *next = block + __builtin_ctzll(ends) + 1;
            unsigned length = (unsigned)(next - start);
            if (length > 4)
                return -1;
            uint32_t v = (uint32_t)wire_load(start) & UINT32_MAX >> (32 - 8 * length);
            v = (v & 0x7f) | (v >> 1 & 0x3f80) | (v >> 2 & 0x1fc000) | (v >> 3 & 0xfe00000);
            v--;
            worst = v > worst ? v : worst;
            *to++ = v;
            start = next;
        }
    }
    *largest = worst;
    return start == w.end ? to - out : -1;
}

static uint64_t count_any(struct wire w, const uint8_t *input_end)
{
    (void)input_end;
    return wire_count_varints(w);
}

const struct varints varints_any = {read_any, count_any};
