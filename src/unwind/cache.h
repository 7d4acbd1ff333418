/* SPDX-License-Identifier: MIT
 *
 * The rule cache: two slots for each return address (or pc + 1), shared by all threads without
 * locks. A rule is one 64-bit word; an entry stores it beside a key which mixes it, the rule and
 * the cache's generation, so that an entry which two threads wrote at once, or which is from before
 * a flush, does not match.
 *
 * Behind it are ranges, for pcs that were not met before: a row of call frame information covers
 * most of a function, so that the next sample in a loop has the rule of the one before it. Code is
 * divided into blocks; a block's slot has the last rule that was found in it, and the part of the
 * block that it holds for. */
#ifndef UNWIND_CACHE_H
#define UNWIND_CACHE_H

#include "unwind/module.h"
#include "unwind/unwind.h"

#include <stdatomic.h>
#include <stdint.h>

/* A rule, from bit 0:
 *   3 kind
 *   2 where the caller's frame pointer is: enum bp_kind
 *   5 base register of the CFA (RULE_REG, RULE_DEREF)
 *   2 unused
 *  20 signed: offset of the saved frame pointer, in words
 *  32 signed: CFA offset; RULE_DEREF: 16 signed inside, 16 signed outside of the load
 * The return address is always at CFA - 8 and the caller's sp always the CFA; a frame of which that
 * is not true is RULE_FULL. */
enum rule_kind {
    RULE_NONE,   /* not known, or no call frame information */
    RULE_SP,     /* CFA = sp + offset */
    RULE_BP,     /* CFA = bp + offset */
    RULE_REG,    /* CFA = register + offset */
    RULE_DEREF,  /* CFA = *(register + inside) + outside */
    RULE_FULL,   /* its FDE is interpreted each time */
    RULE_SIGNAL, /* a signal trampoline */
    RULE_ROOT    /* the thread's first frame */
};

enum bp_kind { BP_SAME, BP_CFA, BP_BP };

static inline uint64_t rule_make(enum rule_kind kind, unsigned base, int32_t offset)
{
    return (uint64_t)kind | (uint64_t)base << 5 | (uint64_t)(uint32_t)offset << 32;
}

static inline uint64_t rule_with_bp(uint64_t rule, enum bp_kind kind, int32_t words)
{
    return rule | (uint64_t)kind << 3 | (uint64_t)((uint32_t)words & 0xfffff) << 12;
}

static inline enum rule_kind rule_kind(uint64_t rule)
{
    return (enum rule_kind)(rule & 7);
}

static inline enum bp_kind rule_bp_kind(uint64_t rule)
{
    return (enum bp_kind)((rule >> 3) & 3);
}

static inline unsigned rule_base(uint64_t rule)
{
    return (rule >> 5) & 31;
}

static inline int64_t rule_bp_bytes(uint64_t rule)
{
    return ((int64_t)(rule << 32) >> 44) * 8;
}

static inline int64_t rule_offset(uint64_t rule)
{
    return (int64_t)rule >> 32;
}

#define CACHE_BITS    14
#define CACHE_ENTRIES (1u << CACHE_BITS)
#define CACHE_MIX     0x9e3779b97f4a7c15u /* odd, bits spread: 2^64 divided by the golden ratio */

#define RANGE_BITS    12
#define RANGE_ENTRIES (1u << RANGE_BITS)
#define RANGE_BLOCK   9 /* bits: blocks of 512 bytes */

struct cache_entry {
    _Atomic uint64_t key, rule;
};

struct unwind_cache {
    _Atomic uint64_t generation; /* >= 1 */
    struct module_source source;
    struct unwind_config config;
    struct cache_entry entries[CACHE_ENTRIES] __attribute__((aligned(64)));
    /* The key is that of the range's word: block, offset of its first byte, offset of its last. */
    struct cache_entry ranges[RANGE_ENTRIES];
};

/* Different in each generation, and never the difference of two addresses. */
static inline uint64_t cache_salt(struct unwind_cache *cache)
{
    return atomic_load_explicit(&cache->generation, memory_order_acquire) * CACHE_MIX;
}

static inline struct cache_entry *cache_slot(struct unwind_cache *cache, uint64_t ra)
{
    /* The entry's offset in bytes at once: this is on the walk's critical path. Nothing is mixed
     * in: code is dense, and neighbours in a loop then share the processor's cache lines. */
    const uint64_t mask = (CACHE_ENTRIES - 1) * sizeof(struct cache_entry);
    return (struct cache_entry *)((char *)cache->entries +
                                  ((ra * sizeof(struct cache_entry)) & mask));
}

static inline struct cache_entry *cache_second(struct unwind_cache *cache, struct cache_entry *e)
{
    return &cache->entries[(size_t)(e - cache->entries) ^ 1];
}

static inline uint64_t cache_probe(const struct cache_entry *e, uint64_t salt, uint64_t ra)
{
    uint64_t rule = atomic_load_explicit(&e->rule, memory_order_relaxed);
    uint64_t key = atomic_load_explicit(&e->key, memory_order_relaxed);
    return key == (ra ^ salt ^ rule * CACHE_MIX) ? rule : 0;
}

/* The rule of the frame that returns to `ra`, or is at ra - 1; or 0. */
static inline uint64_t cache_get(struct unwind_cache *cache, uint64_t salt, uint64_t ra)
{
    return cache_probe(cache_slot(cache, ra), salt, ra);
}

/* The same, where it was not in its own slot: it may have had to make room. */
static inline uint64_t cache_get_second(struct unwind_cache *cache, uint64_t salt, uint64_t ra)
{
    return cache_probe(cache_second(cache, cache_slot(cache, ra)), salt, ra);
}

/* The former entry moves to the neighbouring slot, so that two frames of one stack that share a
 * slot do not drive each other out. */
static inline void cache_put(struct unwind_cache *cache, uint64_t salt, uint64_t ra, uint64_t rule)
{
    struct cache_entry *e = cache_slot(cache, ra), *other = cache_second(cache, e);
    uint64_t old_rule = atomic_load_explicit(&e->rule, memory_order_relaxed);
    uint64_t old_key = atomic_load_explicit(&e->key, memory_order_relaxed);
    atomic_store_explicit(&other->rule, old_rule, memory_order_relaxed);
    atomic_store_explicit(&other->key, old_key, memory_order_relaxed);
    atomic_store_explicit(&e->rule, rule, memory_order_relaxed);
    atomic_store_explicit(&e->key, ra ^ salt ^ rule * CACHE_MIX, memory_order_relaxed);
}

/* Addresses [lo, hi) with one rule; none where lo = hi. */
struct cache_range {
    uint64_t lo, hi;
};

static inline struct cache_entry *range_slot(struct unwind_cache *cache, uint64_t pc)
{
    uint64_t block = pc >> RANGE_BLOCK;
    return &cache->ranges[(block ^ block >> RANGE_BITS) & (RANGE_ENTRIES - 1)];
}

/* The rule of a range that holds `pc`, or 0. A mismatched key yields a random word: that its upper
 * 46 bits are those of an address is as good as never. */
static inline uint64_t cache_get_range(struct unwind_cache *cache, uint64_t salt, uint64_t pc)
{
    const struct cache_entry *e = range_slot(cache, pc);
    const uint64_t mask = (1u << RANGE_BLOCK) - 1;
    uint64_t rule = atomic_load_explicit(&e->rule, memory_order_relaxed);
    uint64_t key = atomic_load_explicit(&e->key, memory_order_relaxed);
    uint64_t word = key ^ salt ^ rule * CACHE_MIX, at = pc & mask;
    return word >> 2 * RANGE_BLOCK == pc >> RANGE_BLOCK && at >= (word >> RANGE_BLOCK & mask) &&
                   at <= (word & mask)
               ? rule
               : 0;
}

/* `rule` holds in [lo, hi), in which `pc` lies. */
static inline void cache_put_range(struct unwind_cache *cache, uint64_t salt, uint64_t pc,
                                   uint64_t rule, const struct cache_range *range)
{
    struct cache_entry *e = range_slot(cache, pc);
    const uint64_t size = 1u << RANGE_BLOCK, block = pc & -size;
    uint64_t first = range->lo > block ? range->lo - block : 0;
    uint64_t last = range->hi - block < size ? range->hi - block - 1 : size - 1;
    uint64_t word = block << RANGE_BLOCK | first << RANGE_BLOCK | last;
    atomic_store_explicit(&e->rule, rule, memory_order_relaxed);
    atomic_store_explicit(&e->key, word ^ salt ^ rule * CACHE_MIX, memory_order_relaxed);
}

#endif
