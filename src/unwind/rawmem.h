/* SPDX-License-Identifier: MIT
 *
 * Loads from memory that is not ours: the host program's stack, its modules' images. No function
 * here may become a call; see base/sigsafe.h for the rest of what a handler may use. */
#ifndef UNWIND_RAWMEM_H
#define UNWIND_RAWMEM_H

#include "unwind/unwind.h"

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RAW_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RAW_SANITIZED 1
#endif
#endif

/* Sanitizers believe that red zones between stack variables and other threads' stacks may not be
 * read. A function which they shall leave alone cannot be inlined into one which they check, so it
 * is inline only in ordinary builds, where speed matters. */
#ifdef RAW_SANITIZED
#define RAW_READ                                                                                   \
    __attribute__((noinline, unused, no_sanitize("address"), no_sanitize("thread"),                \
                   no_sanitize("undefined")))
#else
#define RAW_READ inline
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Scalars that may lie at any address and alias anything. */
typedef uint64_t raw_u64 __attribute__((may_alias, aligned(1)));
typedef uint32_t raw_u32 __attribute__((may_alias, aligned(1)));
typedef uint16_t raw_u16 __attribute__((may_alias, aligned(1)));

static RAW_READ uint64_t raw_load(uintptr_t addr)
{
    return *(const raw_u64 *)addr;
}

/* Word-wise, of whole registers: unlike sigsafe_copy it is fast, and what it copies is ours. */
static inline void raw_copy_regs(struct unwind_regs *to, const struct unwind_regs *from)
{
    for (int i = 0; i < UNWIND_REGS; i++)
        to->r[i] = from->r[i];
}

/* Do `n` bytes at `addr` lie inside? */
static inline int bounds_hold(const struct unwind_bounds *b, uint64_t addr, uint64_t n)
{
    return addr >= b->lo && addr <= b->hi && b->hi - addr >= n;
}

/* One word of the stack: 0, or -UNWIND_BOUNDS. */
static inline int bounds_load(const struct unwind_bounds *b, uint64_t addr, uint64_t *out)
{
    if (unlikely(!bounds_hold(b, addr, 8)))
        return -UNWIND_BOUNDS;
    *out = raw_load(b->copy ? (uintptr_t)b->copy + (addr - b->lo) : addr);
    return 0;
}

/* `n` bytes (1 to 8), little endian, zero-extended. */
static inline int bounds_load_bytes(const struct unwind_bounds *b, uint64_t addr, unsigned n,
                                    uint64_t *out)
{
    uint64_t word;
    if (n == 8)
        return bounds_load(b, addr, out);
    if (n == 0 || n > 8 || !bounds_hold(b, addr, n))
        return -UNWIND_BOUNDS;
    /* The word that holds them may stick out of the bounds at the end: read the one that ends
     * there instead. */
    uint64_t at = b->hi - addr >= 8 ? addr : b->hi - 8;
    if (bounds_load(b, at, &word) < 0)
        return -UNWIND_BOUNDS;
    *out = (word >> (8 * (addr - at))) & ((1ull << (8 * n)) - 1);
    return 0;
}

#endif
