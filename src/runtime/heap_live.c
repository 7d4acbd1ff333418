/* SPDX-License-Identifier: MIT
 *
 * The sampled objects that are live, by address: linear probing without tombstones, in shards that
 * grow by themselves, each under a lock that is held for a few instructions and never over a call
 * into the program. A thread that is interrupted there by a signal does not come here again (its
 * `busy`), so nobody waits for himself.
 *
 * Where every free is looked up, nearly none is of a sampled object: a filter of counters by hash
 * says so without a lock. A counter belongs to one shard, and changes under its lock; one that is
 * full stays so, and says "perhaps" for ever. */
#include "runtime/heap.h"

#include "base/limits.h"
#include "base/sigsafe.h"

#include <errno.h>
#include <sys/mman.h>

enum { SHARD_BITS = 5, SHARDS = 1 << SHARD_BITS, FIRST_BITS = 7, SPINS = 200, FILTER_BITS = 16 };

/* 16 bytes, because nearly each look-up misses the cache. The weight is the size's at the site's
 * rate. */
struct slot {
    uint64_t address_born; /* 48 bits of address, 16 of time; 0: free */
    uint64_t size_site;    /* 40 and 24 bits */
};

enum { BORN_BITS = 16, SITE_BITS = 24 };

struct shard {
    _Atomic uint32_t locked;
    uint32_t count, bits; /* bits 0: no slots yet */
    struct slot *slots;
} __attribute__((aligned(64)));

static struct shard shards[SHARDS];

/* How many objects there are whose hash begins with the index. */
static _Atomic uint16_t filter[1 << FILTER_BITS];

static uint64_t hash_of(uint64_t address)
{
    return (address >> 4) * 0x9e3779b97f4a7c15ull;
}

static _Atomic uint16_t *counter_of(uint64_t address)
{
    return &filter[hash_of(address) >> (64 - FILTER_BITS)];
}

/* Where nearly each free is of a sampled object, the filter would say what is known. */
static _Atomic bool is_unfiltered;

/* Under the lock of its shard. */
static inline void count_in(_Atomic uint16_t *counter, int by)
{
    uint16_t n = atomic_load_explicit(counter, memory_order_relaxed);
    if (n != UINT16_MAX)
        atomic_store_explicit(counter, (uint16_t)(n + by), memory_order_relaxed);
}

static inline void change_counter(uint64_t address, int by)
{
    if (!atomic_load_explicit(&is_unfiltered, memory_order_relaxed))
        count_in(counter_of(address), by);
}

bool live_may_have(uint64_t address)
{
    return atomic_load_explicit(&is_unfiltered, memory_order_acquire) ||
           atomic_load_explicit(counter_of(address), memory_order_relaxed) != 0;
}

static inline struct shard *lock_shard(uint64_t hash)
{
    struct shard *s = &shards[hash >> (64 - SHARD_BITS)];
    for (uint32_t i = 0; !heap_try_lock(&s->locked); i++)
        if (i > SPINS)
            sigsafe_syscall0(SYS_sched_yield);
    return s;
}

static inline void unlock(struct shard *s)
{
    atomic_store_explicit(&s->locked, 0, memory_order_release);
}

static size_t bytes_of(uint32_t bits)
{
    return sizeof(struct slot) << bits;
}

static uint64_t address_of(const struct slot *x)
{
    return x->address_born >> BORN_BITS;
}

static uint32_t home(const struct shard *s, uint64_t hash)
{
    return (uint32_t)(hash << SHARD_BITS >> (64 - s->bits));
}

static void insert(struct shard *s, const struct slot *x)
{
    uint32_t mask = (1u << s->bits) - 1, i = home(s, hash_of(address_of(x)));
    while (s->slots[i].address_born)
        i = (i + 1) & mask;
    s->slots[i] = *x;
    s->count++;
}

static bool grow(struct shard *s)
{
    uint32_t bits = s->bits ? s->bits + 1 : FIRST_BITS;
    if (bits + SHARD_BITS > LIMIT_HEAP_LIVE_BITS)
        return false;
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes_of(bits), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p < 0 && p > -4096)
        return false;
    struct shard old = {.bits = s->bits, .slots = s->slots};
    s->bits = bits;
    s->count = 0;
    s->slots = (struct slot *)p;
    for (uint32_t i = 0; old.slots && i < 1u << old.bits; i++)
        if (old.slots[i].address_born)
            insert(s, &old.slots[i]);
    if (old.slots)
        sigsafe_syscall2(SYS_munmap, old.slots, bytes_of(old.bits));
    return true;
}

/* The slot of an address, or the free one where it would be; NULL: there are none at all. */
static inline struct slot *find(struct shard *s, uint64_t address)
{
    if (!s->bits)
        return NULL;
    uint32_t mask = (1u << s->bits) - 1, i = home(s, hash_of(address));
    while (s->slots[i].address_born && address_of(&s->slots[i]) != address)
        i = (i + 1) & mask;
    return &s->slots[i];
}

static void read_slot(const struct slot *x, struct heap_object *o)
{
    *o = (struct heap_object){.address = address_of(x),
                              .size = x->size_site >> SITE_BITS,
                              .born_s = x->address_born & ((1u << BORN_BITS) - 1),
                              .site = x->size_site & ((1u << SITE_BITS) - 1)};
}

int live_put(const struct heap_object *o, struct heap_object *old)
{
    if (o->address >> (64 - BORN_BITS) || o->size >> (64 - SITE_BITS) || o->site >> SITE_BITS)
        return -ENOMEM; /* no object of this machine's: the caller counts it as lost */
    struct slot x = {.address_born = o->address << BORN_BITS | o->born_s,
                     .size_site = o->size << SITE_BITS | o->site};
    struct shard *s = lock_shard(hash_of(o->address));
    struct slot *at = find(s, o->address);
    int r = 0;
    old->address = 0;
    if (at && at->address_born) {
        read_slot(at, old);
        *at = x;
    } else if (at && s->count < 1u << (s->bits - 1)) { /* half full: a search meets few others */
        *at = x;
        s->count++;
        change_counter(o->address, 1);
    } else if (grow(s)) {
        insert(s, &x);
        change_counter(o->address, 1);
    } else {
        r = -ENOMEM;
    }
    unlock(s);
    return r;
}

/* Closes the gap at i: what probed past it moves up. */
static void close_gap(struct shard *s, uint32_t i)
{
    uint32_t mask = (1u << s->bits) - 1;
    for (uint32_t k = (i + 1) & mask; s->slots[k].address_born; k = (k + 1) & mask) {
        uint32_t from = home(s, hash_of(address_of(&s->slots[k])));
        if (((k - from) & mask) < ((k - i) & mask))
            continue; /* it is at home behind the gap */
        s->slots[i] = s->slots[k];
        i = k;
    }
    s->slots[i].address_born = 0;
    s->count--;
}

bool live_take(uint64_t address, struct heap_object *was)
{
    struct shard *s = lock_shard(hash_of(address));
    struct slot *x = find(s, address);
    bool known = x && x->address_born;
    if (known) {
        read_slot(x, was);
        close_gap(s, (uint32_t)(x - s->slots));
        change_counter(address, -1);
    }
    unlock(s);
    return known;
}

void live_set_filter(bool on)
{
    for (uint64_t i = 0; i < SHARDS; i++)
        lock_shard(i << (64 - SHARD_BITS));
    bool was_off = atomic_load_explicit(&is_unfiltered, memory_order_relaxed);
    for (uint32_t i = 0; on && was_off && i < 1 << FILTER_BITS; i++)
        atomic_store_explicit(&filter[i], 0, memory_order_relaxed);
    for (uint32_t i = 0; on && was_off && i < SHARDS; i++)
        for (uint32_t k = 0; shards[i].slots && k < 1u << shards[i].bits; k++)
            if (shards[i].slots[k].address_born)
                count_in(counter_of(address_of(&shards[i].slots[k])), 1);
    atomic_store_explicit(&is_unfiltered, !on, memory_order_release);
    for (uint32_t i = 0; i < SHARDS; i++)
        unlock(&shards[i]);
}

/* Without the lock: what is read may be stale, and a prefetch of nowhere does nothing. */
void live_prefetch(uint64_t address)
{
    uint64_t hash = hash_of(address);
    const struct shard *s = &shards[hash >> (64 - SHARD_BITS)];
    const struct slot *slots = s->slots;
    uint32_t bits = s->bits;
    if (bits)
        __builtin_prefetch(
            (const char *)slots + sizeof *slots * (size_t)(hash << SHARD_BITS >> (64 - bits)), 1);
}

void live_clear(void)
{
    for (uint32_t i = 0; i < 1 << FILTER_BITS; i++)
        if (atomic_load_explicit(&filter[i], memory_order_relaxed)) /* touch no other */
            atomic_store_explicit(&filter[i], 0, memory_order_relaxed);
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (shards[i].slots)
            sigsafe_syscall2(SYS_munmap, shards[i].slots, bytes_of(shards[i].bits));
        shards[i].slots = NULL;
        shards[i].count = shards[i].bits = 0;
        unlock(&shards[i]);
    }
}

uint64_t live_memory(void)
{
    uint64_t sum = sizeof filter;
    for (uint32_t i = 0; i < SHARDS; i++)
        sum += shards[i].bits ? bytes_of(shards[i].bits) : 0;
    return sum;
}
