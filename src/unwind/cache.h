/* SPDX-License-Identifier: MIT
 *
 * The rule cache: two slots for each pc, shared by all threads without locks. A rule is one
 * 64-bit word; an entry stores it beside a key which mixes pc, rule and the cache's generation, so
 * that an entry which two threads wrote at once, or which is from before a flush, does not match.
 */
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

struct cache_entry {
    _Atomic uint64_t key, rule;
};

struct unwind_cache {
    _Atomic uint64_t generation; /* >= 1 */
    struct module_source source;
    struct unwind_config config;
    struct cache_entry entries[CACHE_ENTRIES] __attribute__((aligned(64)));
};

/* Different in each generation, and never the difference of two addresses. */
static inline uint64_t cache_salt(struct unwind_cache *cache)
{
    return atomic_load_explicit(&cache->generation, memory_order_acquire) * CACHE_MIX;
}

static inline struct cache_entry *cache_slot(struct unwind_cache *cache, uint64_t pc)
{
    /* The entry's offset in bytes at once: this is on the walk's critical path. */
    const uint64_t mask = (CACHE_ENTRIES - 1) * sizeof(struct cache_entry);
    uint64_t offset = ((pc * sizeof(struct cache_entry)) ^ (pc >> 10)) & mask;
    return (struct cache_entry *)((char *)cache->entries + offset);
}

static inline struct cache_entry *cache_second(struct unwind_cache *cache, struct cache_entry *e)
{
    return &cache->entries[(size_t)(e - cache->entries) ^ 1];
}

static inline uint64_t cache_probe(const struct cache_entry *e, uint64_t salt, uint64_t pc)
{
    uint64_t rule = atomic_load_explicit(&e->rule, memory_order_relaxed);
    uint64_t key = atomic_load_explicit(&e->key, memory_order_relaxed);
    return key == (pc ^ salt ^ rule * CACHE_MIX) ? rule : 0;
}

/* The rule of `pc`, or 0. */
static inline uint64_t cache_get(struct unwind_cache *cache, uint64_t salt, uint64_t pc)
{
    return cache_probe(cache_slot(cache, pc), salt, pc);
}

/* The same, where it was not in its own slot: it may have had to make room. */
static inline uint64_t cache_get_second(struct unwind_cache *cache, uint64_t salt, uint64_t pc)
{
    return cache_probe(cache_second(cache, cache_slot(cache, pc)), salt, pc);
}

/* The former entry moves to the neighbouring slot, so that two pcs of one stack that share a slot
 * do not drive each other out. */
static inline void cache_put(struct unwind_cache *cache, uint64_t salt, uint64_t pc, uint64_t rule)
{
    struct cache_entry *e = cache_slot(cache, pc), *other = cache_second(cache, e);
    uint64_t old_rule = atomic_load_explicit(&e->rule, memory_order_relaxed);
    uint64_t old_key = atomic_load_explicit(&e->key, memory_order_relaxed);
    atomic_store_explicit(&other->rule, old_rule, memory_order_relaxed);
    atomic_store_explicit(&other->key, old_key, memory_order_relaxed);
    atomic_store_explicit(&e->rule, rule, memory_order_relaxed);
    atomic_store_explicit(&e->key, pc ^ salt ^ rule * CACHE_MIX, memory_order_relaxed);
}

#endif
