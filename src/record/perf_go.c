/* SPDX-License-Identifier: MIT
 *
 * Go has no .eh_frame for its own code: pclntab says for each instruction how far the return
 * address is, exactly what Go's own profiler uses.
 *
 * On a change of stacks (runtime.systemstack and its kind) the caller's frames are on a stack of
 * which there is no copy. The frame pointer register is left as the caller had it, so the kernel's
 * chain continues with the caller's caller: the caller itself is missing. It is found by the call
 * instruction which the chain leads to: what that calls is the caller, and where in it the change
 * of stacks was called is looked up in its code. */
#include "record/perf_go.h"

#include <string.h>

bool perf_go_function(const struct perf_process *p, uint64_t pc, struct pclntab_func *fn,
                      const struct perf_mapping **m)
{
    *m = perf_space_at(p, pc);
    if (!*m || !(*m)->image || !(*m)->placed || !(*m)->image->has_go)
        return false;
    const struct perf_image *f = (*m)->image;
    uint64_t at = pc - (*m)->bias;
    return at >= f->go_low && at < f->go_high && pclntab_find(&f->go, at, fn);
}

int perf_go_find_frame(void *ctx, uintptr_t pc, struct unwind_hint *hint)
{
    struct pclntab_func fn;
    const struct perf_mapping *m;
    int32_t delta;
    if (!perf_go_function(ctx, pc, &fn, &m))
        return UNWIND_LEAVE_UNKNOWN;
    switch (pclntab_edge(&fn)) {
    case PCLNTAB_TOP: return UNWIND_LEAVE_ROOT;
    case PCLNTAB_SWITCH: return UNWIND_LEAVE_STACK;
    case PCLNTAB_CALLED: break;
    }
    /* C code in the range has functions without a table. */
    if (!pclntab_sp_delta(&m->image->go, &fn, pc - m->bias, &delta))
        return UNWIND_LEAVE_UNKNOWN;
    hint->ra_offset = delta;
    hint->bp_saved = delta >= 8;
    return UNWIND_LEAVE_SP;
}

/* Where the call that ends at `ra` goes, or 0: not a direct one (E8 rel32). Virtual addresses. */
static uint64_t call_target(const struct perf_image *f, uint64_t ra)
{
    size_t size;
    const uint8_t *code = ra > 5 ? elf_file_at(&f->elf, ra - 5, &size) : NULL;
    int32_t distance;
    if (!code || size < 5 || code[0] != 0xe8)
        return 0;
    memcpy(&distance, code + 1, sizeof distance);
    return ra + (uint64_t)(int64_t)distance;
}

/* The first call from `caller` to the function at `entry`; 0 if there is none. */
static uint64_t find_call(const struct perf_image *f, const struct pclntab_func *caller,
                          uint64_t entry)
{
    for (uint64_t at = caller->entry; at + 5 <= caller->end; at++)
        if (call_target(f, at + 5) == entry)
            return at + 4;
    return 0;
}

/* A goroutine's first function is called by nobody: what changed stacks to run runtime.f.func2 is
 * runtime.f, if it does that at all. Looking for a name is slow, so the last answer is kept. */
static bool find_parent(struct perf_image *f, const struct pclntab_func *callee,
                        struct pclntab_func *caller)
{
    const char *closure = strstr(callee->name, ".func");
    if (!closure)
        return false;
    if (f->go_closure != callee->entry) {
        f->go_closure = callee->entry;
        f->go_parent_found =
            pclntab_named(&f->go, callee->name, (size_t)(closure - callee->name), &f->go_parent);
    }
    *caller = f->go_parent;
    return f->go_parent_found;
}

uint64_t perf_go_between(const struct perf_process *p, uint64_t callee, uint64_t inner,
                         uint64_t outer)
{
    struct pclntab_func changed, caller, fn;
    const struct perf_mapping *m, *n;
    if (!perf_go_function(p, inner, &changed, &m) || !perf_go_function(p, outer, &fn, &n) ||
        m->image != n->image)
        return 0;
    struct perf_image *f = m->image;
    uint64_t target = call_target(f, outer + 1 - n->bias);
    if (target == changed.entry)
        return 0;
    if (target) {
        if (!pclntab_find(&f->go, target, &caller) || caller.entry != target)
            return 0;
    } else if (!perf_go_function(p, callee, &fn, &n) || n->image != f ||
               !find_parent(f, &fn, &caller)) {
        return 0;
    }
    uint64_t at = find_call(f, &caller, changed.entry);
    return at ? at + m->bias : 0;
}

uint32_t perf_go_elide(const struct perf_process *p, uint64_t *pcs, uint32_t depth)
{
    uint32_t kept = 0;
    struct pclntab_func fn;
    const struct perf_mapping *m;
    for (uint32_t i = 0; i < depth; i++)
        if ((!kept && i + 1 == depth) || !perf_go_function(p, pcs[i], &fn, &m) ||
            !pclntab_is_wrapper(&m->image->go, &fn) ||
            pclntab_in_inlined(&m->image->go, &fn, pcs[i] - m->bias))
            pcs[kept++] = pcs[i];
    return kept;
}
