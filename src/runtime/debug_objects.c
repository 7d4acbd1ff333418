/* SPDX-License-Identifier: MIT
 *
 * What is known of each object: a table by address, which grows and forgets nothing. An address
 * that the allocator gives again takes its old entry, so that the table has as many entries as the
 * heap ever had addresses; those of objects with pages of their own are never given again. One lock
 * for all of the debug layer: who debugs does not measure. */
#include "runtime/debug.h"

#include "base/sigsafe.h"

#include <sys/mman.h>

enum { FIRST_BITS = 14, LAST_BITS = 26, SPINS = 200, PAGE = 4096 };

static struct {
    struct debug_object *slots;
    uint32_t bits, count;
} table;

static _Atomic uint32_t locked;

void debug_lock(void)
{
    for (uint32_t i = 0; atomic_exchange_explicit(&locked, 1, memory_order_acquire); i++)
        if (i > SPINS)
            sigsafe_syscall0(SYS_sched_yield);
}

void debug_unlock(void)
{
    atomic_store_explicit(&locked, 0, memory_order_release);
}

void debug_lock_forget(void)
{
    debug_unlock();
}

static struct debug_object *slot_of(struct debug_object *slots, uint32_t bits, uint64_t address)
{
    uint64_t mask = (1ull << bits) - 1, i = (address >> 4) * 0x9e3779b97f4a7c15ull >> (64 - bits);
    while (slots[i].address && slots[i].address != address)
        i = (i + 1) & mask;
    return &slots[i];
}

static bool grow(void)
{
    uint32_t bits = table.bits ? table.bits + 1 : FIRST_BITS;
    size_t bytes = sizeof *table.slots << bits;
    long p = bits > LAST_BITS
                 ? -1
                 : sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p < 0 && p > -4096)
        return false;
    struct debug_object *old = table.slots, *slots = (struct debug_object *)p;
    for (uint64_t i = 0; old && i < 1ull << table.bits; i++)
        if (old[i].address)
            *slot_of(slots, bits, old[i].address) = old[i];
    if (old)
        sigsafe_syscall2(SYS_munmap, old, sizeof *old << table.bits);
    table.slots = slots;
    table.bits = bits;
    return true;
}

struct debug_object *debug_object_find(uint64_t address)
{
    struct debug_object *o = table.slots ? slot_of(table.slots, table.bits, address) : NULL;
    return o && o->address ? o : NULL;
}

struct debug_object *debug_object_put(uint64_t address)
{
    struct debug_object *o = debug_object_find(address);
    if (o)
        return o;
    bool roomy = table.slots && table.count < 1u << (table.bits - 1);
    if (!roomy && !grow() && (!table.slots || table.count >= (1u << table.bits) / 8 * 7))
        return NULL;
    o = slot_of(table.slots, table.bits, address);
    o->address = address;
    table.count++;
    return o;
}

/* How near an address is: 0 inside, else the distance behind the end, or a lot. */
static uint64_t distance(const struct debug_object *o, uint64_t address)
{
    uint64_t lo = o->address, hi = o->address + (o->size ? o->size : 1);
    if (!o->block)
        fence_bounds(o, &lo, &hi);
    if (address >= o->address && address < o->address + o->size)
        return 0;
    if (address < lo || address >= hi + (o->block ? 64 : 0))
        return UINT64_MAX;
    return address < o->address ? o->address - address : address - o->address - o->size + 1;
}

const struct debug_object *debug_object_around(uint64_t address)
{
    const struct debug_object *best = NULL;
    uint64_t least = UINT64_MAX;
    for (uint64_t i = 0; table.slots && i < 1ull << table.bits; i++) {
        const struct debug_object *o = &table.slots[i];
        uint64_t d =
            o->state == DEBUG_NONE || o->state == DEBUG_GONE ? UINT64_MAX : distance(o, address);
        if (d < least || (best && d == least && d != UINT64_MAX && o->state == DEBUG_LIVE)) {
            best = o;
            least = d;
        }
    }
    return best;
}
