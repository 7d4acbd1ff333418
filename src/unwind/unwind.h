/* SPDX-License-Identifier: MIT
 *
 * Stack walks by the call frame information (.eh_frame) of the loaded modules, made to run inside a
 * signal handler of a program about which nothing is known.
 *
 * Everything in this header except unwind_config_default() is async-signal-safe and thread-safe: no
 * allocation, no lock, no TLS, no errno, no libc function but _dl_find_object (glibc >= 2.35, which
 * is lock-free; taken by address, so that no lazy binding happens in a handler). One cache serves
 * all threads of a process; they read and write it at once. A walk needs up to 1.9 KB of stack,
 * 3 KB where it meets code without call frame information.
 *
 * What a walk reads: the stack, only inside the bounds the caller gives; the modules' ELF headers
 * and call frame information, only inside their mapped segments; instruction bytes of modules
 * (signal trampolines; call instructions before a return address). Malformed information ends the
 * walk with a reason and never crashes or loops. */
#ifndef UNWIND_UNWIND_H
#define UNWIND_UNWIND_H

#include <stddef.h>
#include <stdint.h>

/* Registers in DWARF numbering (x86-64 psABI, figure 3.36). */
#define UNWIND_REGS 17
enum { UNWIND_BP = 6, UNWIND_SP = 7, UNWIND_PC = 16 };

struct unwind_regs {
    uint64_t r[UNWIND_REGS];
};

/* Fills `regs` from the third argument of an SA_SIGINFO handler. */
void unwind_regs_from_ucontext(struct unwind_regs *regs, const void *ucontext);

/* Stack memory [lo, hi) that may be read; lo is at most sp, and best the red zone's 128 bytes lower
 * (in epilogues, saved registers are found there at once). `copy` NULL: it is read where it is.
 * Otherwise the bytes of [lo, hi) are at `copy`, as taken from another thread or process, and
 * addresses found on the stack are translated. */
struct unwind_bounds {
    uintptr_t lo, hi;
    const unsigned char *copy;
};

/* A loaded object. `eh_frame_hdr` is the address of its PT_GNU_EH_FRAME or NULL; `link_map` is set
 * when the object was found by _dl_find_object. */
struct unwind_module {
    uintptr_t start, end; /* mapped addresses [start, end), start = that of its first PT_LOAD */
    const void *eh_frame_hdr;
    const void *link_map;
    /* Where another process is walked: its addresses plus this are those of our copy of the object,
     * a multiple of the page size. eh_frame_hdr is in the copy. 0: it is mapped where it runs. */
    uintptr_t bias;
    /* Not 0: eh_frame_hdr was made by the owner, is this long, and lies outside of the object. */
    size_t made_bytes;
};

/* Modules for systems without _dl_find_object, sorted by start, not overlapping. */
struct unwind_modules {
    size_t count;
    const struct unwind_module *list;
};

struct unwind_cache;

/* How to leave a frame that is described by other means than .eh_frame. */
enum unwind_leave {
    UNWIND_LEAVE_UNKNOWN, /* it is not described: look for call frame information */
    UNWIND_LEAVE_SP,      /* the return address is `ra_offset` above the stack pointer */
    UNWIND_LEAVE_ROOT,    /* it is a thread's first */
    UNWIND_LEAVE_STACK    /* its caller is on a stack that is not known */
};

struct unwind_hint {
    int32_t ra_offset;
    int bp_saved; /* the caller's frame pointer is right below the return address */
};

/* What the owner tells a cache. All-zero is valid. Hooks run inside walks, thus inside handlers. */
struct unwind_config {
    void *ctx; /* first argument of the hooks */
    /* Called in each walk that meets a pc which is not in the cache, for the known module in which
     * it lies, at least once: note the module. */
    void (*module_seen)(void *ctx, const struct unwind_module *module);
    /* A signal frame or a frame that switches stacks restored the stack pointer `sp`, which is
     * outside the bounds. Returns 1 and fills the bounds of the stack which `sp` is on, or 0. */
    int (*find_bounds)(void *ctx, uintptr_t sp, struct unwind_bounds *bounds);
    /* Is `pc` code outside of all modules (JIT)? Without it, a frame pointer chain into unknown
     * code is followed as long as it has the shape of one. */
    int (*is_code)(void *ctx, uintptr_t pc);
    /* Asked first for each pc that is not in the cache: enum unwind_leave, and the hint filled for
     * UNWIND_LEAVE_SP. For Go, whose functions have a table of their own. */
    int (*find_frame)(void *ctx, uintptr_t pc, struct unwind_hint *hint);
    /* Entry points of the executable and of its ELF interpreter: the function around each is a
     * root, whatever its call frame information says (or if it has none). 0 = unknown. */
    uintptr_t entry, interp_entry;
    /* Where the executable's image begins and ends: glibc has only the segment of an address where
     * there are gaps between them. 0 = as glibc has it. */
    uintptr_t program_start, program_end;
    int no_find_object; /* 1: use the table of unwind_set_modules() even if glibc can search */
};

/* Fills entry, interp_entry and the program's place from the auxiliary vector, zeroes the rest. Not
 * for handlers. */
void unwind_config_default(struct unwind_config *config);

/* Bytes that a cache needs. The caller gives zeroed memory, aligned to 64 (an mmap is best: pages
 * are touched only when used), and owns it. */
size_t unwind_cache_size(void);
/* Once, before the first walk. `config` is copied; NULL = all-zero. */
struct unwind_cache *unwind_cache_init(void *zeroed, const struct unwind_config *config);
/* Forgets all rules. To be called after dlclose (and after anything else that replaces code at an
 * address); walks that run meanwhile in other threads are safe and leave nothing stale behind. */
void unwind_cache_flush(struct unwind_cache *cache);
/* Whether modules must be given by unwind_set_modules(): libc cannot search them, or does not find
 * even the caller's own code. */
int unwind_needs_modules(const struct unwind_cache *cache);
/* Publishes a table of modules, used when there is no _dl_find_object. The table and its list
 * belong to the caller, and must stay until no walk that began before the next call can still run.
 */
void unwind_set_modules(struct unwind_cache *cache, const struct unwind_modules *modules);

enum unwind_end {
    UNWIND_ROOT,      /* reached the thread's first frame */
    UNWIND_TRUNCATED, /* ended before: see the reason */
    UNWIND_DEPTH      /* reached the root, but only the `max` root-most frames were kept */
};

enum unwind_reason {
    UNWIND_NONE,
    UNWIND_NO_MODULE, /* pc outside of all modules and no usable frame pointer */
    UNWIND_NO_FDE,    /* pc in a module, but not covered, and no usable frame pointer */
    UNWIND_BAD_CFI,   /* malformed or unsupported call frame information */
    UNWIND_BAD_CFA,   /* the frame does not lie above its callee */
    UNWIND_BOUNDS,    /* a read would have left the bounds */
    UNWIND_ZERO_PC,   /* return address 0 in a frame that is no known root */
    UNWIND_STEPS,     /* more frames than a walk may visit */
    UNWIND_STACK,     /* the frame's caller is on another stack */
    UNWIND_REASON_COUNT
};

enum { UNWIND_APPROXIMATE = 1 }; /* flags: some frame was found by frame pointer or by guess */

/* A walk's result, and where it goes. */
struct unwind_trace {
    uint64_t *pcs; /* in: room for `max` frames, the caller's */
    uint32_t max;
    uint32_t depth; /* frames stored; what follows is set by the walk */
    enum unwind_end end;
    enum unwind_reason reason; /* why truncated */
    uint32_t misses;           /* frames whose rule was not in the cache */
    uint32_t flags;
    uint32_t steps; /* frames visited; > depth when only the root-most were kept */
};

/* Walks from `regs` to the root of the stack. Stores at most trace->max frames in trace->pcs, leaf
 * first, and returns how many. pcs[0] is the exact pc, as is the pc of a frame interrupted by a
 * signal; those of callers are return address - 1. A stack deeper than `max` keeps its root-most
 * frames. */
uint32_t unwind_walk(struct unwind_cache *cache, const struct unwind_regs *regs,
                     const struct unwind_bounds *bounds, struct unwind_trace *trace);

/* Is `pc` (exact, or return address - 1) in a frame that is a thread's first, by the information of
 * its module? */
int unwind_is_root(struct unwind_cache *cache, uint64_t pc);

/* A static text such as "no call frame information". */
const char *unwind_reason_text(enum unwind_reason reason);

#endif
