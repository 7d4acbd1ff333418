/* SPDX-License-Identifier: MIT
 *
 * The stacks that the debug switches remember, each once: an object has the numbers of two. They
 * lie in a log with an index over it, both reserved in full and touched as they are used; where the
 * log is full, number 0 says that a stack was not kept. Under debug_lock, but for the walk. */
#include "runtime/debug.h"

#include "base/sigsafe.h"

#include <sys/auxv.h>
#include <sys/mman.h>

enum { INDEX_BITS = 20, INDEX = 1 << INDEX_BITS, WORDS = 32 << 20 };

/* In the log: depth, then program counters. A number is where it begins, and 0 is none. */
static struct {
    uint64_t *log;
    uint32_t *index;
    uint64_t used;
    uint32_t count;
} stacks;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* Whether code is this library's own. Linked into the program it cannot be told from that. */
static bool is_ours(uint64_t pc)
{
    static uintptr_t program;
    uintptr_t lo = (uintptr_t)__ehdr_start, hi = (uintptr_t)_end;
    program = program ? program : getauxval(AT_PHDR);
    return pc >= lo && pc < hi && !(program >= lo && program < hi);
}

static void *map(size_t bytes)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

static bool begin(void)
{
    if (!stacks.log)
        stacks.log = map(WORDS * sizeof *stacks.log);
    if (!stacks.index)
        stacks.index = map(INDEX * sizeof *stacks.index);
    stacks.used = stacks.used ? stacks.used : 1;
    return stacks.log && stacks.index;
}

static bool same(const uint64_t *kept, const uint64_t *pcs, uint32_t depth)
{
    if (kept[0] != depth)
        return false;
    for (uint32_t i = 0; i < depth; i++)
        if (kept[i + 1] != pcs[i])
            return false;
    return true;
}

static uint32_t keep(const uint64_t *pcs, uint32_t depth)
{
    uint64_t hash = depth;
    if (!depth || !begin())
        return 0;
    for (uint32_t i = 0; i < depth; i++)
        hash = (hash ^ pcs[i]) * 0x9e3779b97f4a7c15ull;
    uint32_t at = (uint32_t)(hash >> (64 - INDEX_BITS));
    for (; stacks.index[at]; at = (at + 1) % INDEX)
        if (same(&stacks.log[stacks.index[at]], pcs, depth))
            return stacks.index[at];
    if (stacks.used + depth + 1 > WORDS || stacks.count >= INDEX / 2)
        return 0;
    uint32_t number = (uint32_t)stacks.used;
    stacks.log[number] = depth;
    for (uint32_t i = 0; i < depth; i++)
        stacks.log[number + 1 + i] = pcs[i];
    stacks.used += depth + 1;
    stacks.count++;
    stacks.index[at] = number;
    return number;
}

uint32_t debug_stack_here(void)
{
    uint64_t pcs[DEBUG_FRAMES];
    if (!rt.cache)
        return 0;
    uint32_t depth = heap_walk(NULL, is_ours, pcs, DEBUG_FRAMES);
    return keep(pcs, depth);
}

uint32_t debug_stack_of(const void *context, uint64_t *pcs)
{
    struct unwind_regs regs;
    unwind_regs_from_ucontext(&regs, context);
    return rt.cache ? heap_walk(&regs, is_ours, pcs, DEBUG_FRAMES) : 0;
}

void debug_put_stack(struct buf *out, const char *head, uint32_t tid, uint32_t stack)
{
    buf_printf(out, head, tid);
    if (stack)
        debug_put_frames(out, &stacks.log[stack + 1], (uint32_t)stacks.log[stack]);
    else
        buf_puts(out, "\t(its stack was not kept)\n");
}

uint64_t debug_stack_memory(void)
{
    return stacks.used * sizeof *stacks.log + stacks.count * sizeof *stacks.index;
}
