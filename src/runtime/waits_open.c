/* SPDX-License-Identifier: MIT
 *
 * Waits that have not ended. A wait is counted when it is over; a profile that is read meanwhile
 * has it up to then, and one that is written at the program's end has it up to the end: else a
 * thread that waits for ever would be the one that no profile shows. What a reader adds here is
 * what the wait will count for when it ends, so that of two readings the later has never less.
 *
 * A thread says where it waits (waits.h), and that place of its stack stays as it is while it does.
 * The stack is copied, and counts if the same wait still goes on afterwards. Waits that are shorter
 * than the block profile's rate are left to chance, at their end; so is a home-made one
 * (strobe_block_begin) as long as its thread is in none of our calls, where its stack is not known.
 */
#include "runtime/waits.h"

#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/labels.h"
#include "unwind/again.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum { COPY_MAX = 256 << 10, RED_ZONE = 128, OUR_FRAMES = 1 };

/* Where a stack is copied to, and what is found on it. */
struct work {
    uint64_t pcs[LIMIT_STACK_DEPTH + OUR_FRAMES];
    unsigned char copy[COPY_MAX];
};

/* Not where a sandbox may kill for it, which the program's end would then be. */
static struct work *map_work(void)
{
    if (atomic_load_explicit(&rt.denied, memory_order_relaxed) & (NEED_ARM | NEED_COPY))
        return NULL;
    long p = sigsafe_syscall6(SYS_mmap, 0, sizeof(struct work), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (struct work *)p;
}

static size_t copy_stack(struct work *w, uint64_t from)
{
    uintptr_t end = runtime_stack_end(from + RED_ZONE);
    size_t want = end > from && end - from < COPY_MAX ? end - from : COPY_MAX;
    if (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_COPY)
        return 0;
    for (; want >= 256; want /= 2) {
        struct iovec mine = {w->copy, want}, theirs = {(void *)(uintptr_t)from, want};
        long n = sigsafe_syscall6(SYS_process_vm_readv, (long)rt.pid, (long)&mine, 1, (long)&theirs,
                                  1, 0);
        if (n > 0)
            return (size_t)n;
    }
    return 0;
}

static void read_registers(const struct waits_copy *c, struct unwind_regs *regs)
{
    *regs = (struct unwind_regs){{0}};
#if defined(__x86_64__)
    static const uint8_t to[WAITS_REGISTERS] = {7, 16, 3, 6, 12, 13, 14, 15};
    for (int i = 0; i < WAITS_REGISTERS; i++)
        regs->r[to[i]] = c->r[i];
#else
    (void)c;
#endif
}

/* The site of a wait, with a stack as it has when it ends: without the frame that waits, of which
 * our interposer is the caller. 0: it is not known, or the wait is over. */
static uint32_t site_of(struct work *w, uint32_t tid, const struct waits_copy *c, uint32_t turn)
{
    struct unwind_regs regs;
    struct unwind_trace to = {.pcs = w->pcs, .max = LIMIT_STACK_DEPTH + OUR_FRAMES};
    read_registers(c, &regs);
    if (!regs.r[UNWIND_SP])
        return 0;
    struct unwind_bounds b = {.lo = regs.r[UNWIND_SP] - RED_ZONE, .copy = w->copy};
    b.hi = b.lo + copy_stack(w, b.lo);
    struct heap_stack stack = {.labels = labels_of(tid)};
    if (b.hi == b.lo || !waits_still(tid, turn))
        return 0;
    unwind_walk(rt.cache, &regs, &b, &to);
    if (to.depth <= OUR_FRAMES)
        return 0;
    stack.epoch = atomic_load(&rt.epoch);
    stack.pcs = w->pcs + OUR_FRAMES;
    stack.depth = to.depth - OUR_FRAMES;
    stack.hash = unwind_hash(stack.pcs, stack.depth);
    stack.flags = to.end == UNWIND_ROOT    ? 0
                  : to.end == UNWIND_DEPTH ? SHM_STACK_DEPTH
                                           : SHM_STACK_TRUNCATED;
    stack.reason = to.end == UNWIND_TRUNCATED ? to.reason : 0;
    stack.flags |= tid == rt.pid ? 0 : SHM_STACK_OTHER;
    return sites_find(&waits.sites, &stack, WAITTAB_BLOCK);
}

/* The thread's wait, if it is one that is counted, and longer than the rate already. A home-made
 * one has another stack when it ends: it is counted at the end of all only. */
static bool look_at(struct work *w, const struct waits_thread *t, bool at_end, struct open_wait *to)
{
    uint64_t rate = atomic_load(&waits.block_rate), now_ns = waits_now_ns();
    struct waits_copy c;
    to->tid = atomic_load(&t->tid);
    if (!to->tid || !rate || !waits_read(to->tid, &c, &to->turn))
        return false;
    bool home_made = t->user_depth != 0;
    uint64_t since_ns = home_made ? t->user[0].began_ns : c.since_ns;
    enum waits_kind kind = home_made ? WAITS_USER : c.kind;
    to->delay_ns = now_ns - since_ns;
    if (since_ns >= now_ns || to->delay_ns < rate || !waits_are_wanted(kind, to->delay_ns) ||
        (home_made && !at_end))
        return false;
    to->site = site_of(w, to->tid, &c, to->turn);
    return to->site != 0;
}

/* By site, in place: there is no libc that may allocate. */
static void sort(struct open_wait *list, uint32_t n)
{
    for (uint32_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (uint32_t i = gap; i < n; i++) {
            struct open_wait x = list[i];
            uint32_t k = i;
            for (; k >= gap && list[k - gap].site > x.site; k -= gap)
                list[k] = list[k - gap];
            list[k] = x;
        }
}

int waits_open_take(struct open_waits *open, struct arena *arena)
{
    const struct waits_thread *t;
    uint32_t max = 0;
    *open = (struct open_waits){0};
    if (waits.ended || !atomic_load(&waits.block_rate) || !waits_has_log())
        return 0;
    for (uint32_t i = 0; (t = waits_next_entry(&i));)
        max += atomic_load(&t->tid) != 0;
    struct work *w = max ? map_work() : NULL;
    open->list = arena_array(arena, max + 1, sizeof *open->list);
    if (!open->list)
        return -ENOMEM;
    max = w ? max : 0; /* without it, they are left out */
    bool mine = !waits_busy();
    for (uint32_t i = 0; open->count < max && (t = waits_next_entry(&i));)
        open->count += look_at(w, t, false, &open->list[open->count]);
    if (mine)
        waits_unbusy();
    if (w)
        sigsafe_syscall2(SYS_munmap, w, sizeof *w);
    sort(open->list, open->count);
    return 0;
}

void waits_open_add(const struct open_waits *open, uint32_t *at, struct contention_base *to)
{
    for (; *at < open->count; ++*at) {
        const struct open_wait *w = &open->list[*at];
        if (sites_get(&waits.sites, w->site) > to->site)
            return;
        if (sites_get(&waits.sites, w->site) == to->site && waits_still(w->tid, w->turn)) {
            to->contentions += HEAPTAB_ONE;
            to->delay_ns += w->delay_ns;
        }
    }
}

void waits_open_count(void)
{
    struct work *w = atomic_load(&waits.block_rate) ? map_work() : NULL;
    const struct waits_thread *t;
    struct open_wait open;
    for (uint32_t i = 0; w && (t = waits_next_entry(&i));)
        if (look_at(w, t, true, &open))
            waits_count(open.site, HEAPTAB_ONE, open.delay_ns);
    if (w)
        sigsafe_syscall2(SYS_munmap, w, sizeof *w);
    if (atomic_load(&waits.mutex_fraction))
        contention_count_open(waits_now_ns());
}
