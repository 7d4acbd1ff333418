/* SPDX-License-Identifier: MIT
 *
 * The texts of the debug switches, in the form of Go's tracebacks and fatal errors: what was done,
 * where, and where the object is from. Symbol tables are opened once and stay open. */
#include "runtime/debug.h"

#include "base/sigsafe.h"
#include "runtime/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

static struct text_names names;
static struct arena names_arena;

/* Who asks for traces gets all of them: these wait for a slow reader. */
void debug_write(const char *text, size_t n)
{
    struct say_quiet quiet;
    int saved = errno;
    say_quiet_begin(&quiet);
    long r = say_can() ? sigsafe_syscall3(SYS_write, STDERR_FILENO, text, n) : 0;
    say_quiet_end(&quiet, r);
    errno = saved;
}

void debug_text_begin(struct buf *out, struct arena *arena)
{
    arena_init_nullable(arena);
    buf_init(out, arena);
    if (!names.files) {
        arena_init_nullable(&names_arena);
        text_begin(&names, &names_arena);
    }
}

void debug_text_end(struct buf *out, struct arena *arena)
{
    if (!out->failed)
        debug_write(out->data, out->len);
    arena_free(arena);
}

void debug_put_frames(struct buf *out, const uint64_t *pcs, uint32_t depth)
{
    for (uint32_t i = 0; i < depth; i++)
        text_put_call(&names, out, pcs[i]);
    if (depth == DEBUG_FRAMES)
        buf_puts(out, "...additional frames elided...\n");
}

/* "0x10 is 8 bytes inside an object of 32 bytes at 0x8, which is live" */
static void put_place(struct buf *out, uint64_t address, const struct debug_object *o)
{
    uint64_t end = o->address + o->size;
    unsigned long long by = address < o->address ? o->address - address
                            : address < end      ? address - o->address
                                                 : address - end;
    buf_printf(out, "0x%llx is %llu bytes %s an object of %llu bytes at 0x%llx, which %s\n",
               (unsigned long long)address, by,
               address < o->address ? "before"
               : address < end      ? "inside"
                                    : "behind the end of",
               (unsigned long long)o->size, (unsigned long long)o->address,
               o->state == DEBUG_LIVE ? "is live" : "was freed");
}

static void put_history(struct buf *out, const struct debug_object *o)
{
    if (o->state != DEBUG_LIVE)
        debug_put_stack(out, "\nfreed by goroutine %u:\n", o->free_tid, o->free_stack);
    debug_put_stack(out, "\nallocated by goroutine %u:\n", o->alloc_tid, o->alloc_stack);
}

void debug_die(const char *what, const char *why, uint64_t address, const struct debug_object *o)
{
    struct buf out;
    struct arena arena;
    debug_text_begin(&out, &arena);
    buf_printf(&out, "fatal error: %s 0x%llx%s\n", what, (unsigned long long)address, why);
    if (o)
        put_place(&out, address, o);
    debug_put_stack(&out, "\ngoroutine %u [running]:\n", runtime_tid(), debug_stack_here());
    if (o)
        put_history(&out, o);
    debug_text_end(&out, &arena);
    debug_unlock();
    abort();
}

/* ---- faults ---- */

/* With clobberfree an address that was read from freed memory is no address at all: the kernel does
 * not say which. An object of which some register still has the address is the likely one. */
static const struct debug_object *freed_in_registers(const ucontext_t *context)
{
    struct unwind_regs regs;
    unwind_regs_from_ucontext(&regs, context);
    for (int i = 0; i < UNWIND_REGS; i++) {
        const struct debug_object *o =
            i == UNWIND_PC || i == UNWIND_SP ? NULL : debug_object_around(regs.r[i]);
        if (o && o->state == DEBUG_FREED)
            return o;
    }
    return NULL;
}

static bool is_clobbered(const ucontext_t *context)
{
    struct unwind_regs regs;
    bool found = false;
    unwind_regs_from_ucontext(&regs, context);
    for (int i = 0; i < UNWIND_REGS; i++)
        found |= regs.r[i] >> 32 == 0xdeadbeef;
    return found;
}

static bool is_write(const ucontext_t *context)
{
#if defined(__x86_64__)
    return context->uc_mcontext.gregs[REG_ERR] & 2;
#else
    (void)context;
    return false;
#endif
}

/* "use of freed memory" and the like, or NULL: it is not our business. */
static const char *judge_fault(const siginfo_t *si, const void *context,
                               const struct debug_object **o, uint64_t *address)
{
    *address = (uint64_t)(uintptr_t)si->si_addr;
    *o = *address ? debug_object_around(*address) : NULL;
    if (*o && (*o)->state == DEBUG_FREED)
        return "freed memory was used";
    if (*o)
        return *address < (*o)->address ? "memory before an object was used"
                                        : "memory behind an object's end was used";
    if (!debug.clobberfree || !is_clobbered(context))
        return NULL;
    *o = freed_in_registers(context);
    return "an address that was read from freed memory was used";
}

void debug_fault(int sig, const siginfo_t *si, const void *context)
{
    if ((sig != SIGSEGV && sig != SIGBUS) || si->si_code <= 0 || heap_self.debugging ||
        (!debug.efence && !debug.clobberfree))
        return;
    const struct debug_object *o;
    uint64_t address, pcs[DEBUG_FRAMES];
    struct buf out;
    struct arena arena;
    heap_self.debugging = 1;
    debug_lock();
    const char *what = judge_fault(si, context, &o, &address);
    if (what) {
        debug_text_begin(&out, &arena);
        buf_printf(&out, "unexpected fault address 0x%llx\nfatal error: %s (%s)\n",
                   (unsigned long long)address, what, is_write(context) ? "a write" : "a read");
        if (o && address)
            put_place(&out, address, o);
        else if (o)
            buf_printf(&out, "likely from the object of %llu bytes at 0x%llx, which was freed\n",
                       (unsigned long long)o->size, (unsigned long long)o->address);
        buf_printf(&out, "\ngoroutine %u [running]:\n", runtime_tid());
        debug_put_frames(&out, pcs, debug_stack_of(context, pcs));
        if (o)
            put_history(&out, o);
        debug_text_end(&out, &arena);
    }
    debug_unlock();
    heap_self.debugging = 0;
}
