/* SPDX-License-Identifier: MIT
 *
 * step [-n STEPS] [-v] PROGRAM [ARG…]: runs a program one instruction at a time, in all its
 * threads, and walks its stack after each. The truth does not come from call frame information but
 * from the instructions themselves: each call that was seen is put on a shadow stack. A walk must
 * give exactly the shadow stack and end at a root. Prints the places where it did not; exits 1 if
 * there was one, 77 if tracing is not permitted. */
#include "mirror.h"
#include "unwind/arch.h"
#include "unwind/cfi.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FRAMES  4096
#define MAX_THREADS 64
#define MAX_STACK   (1u << 20)
#define MAX_PLACES  65536

struct call {
    uint64_t slot, pc; /* where the return address is, and what it is */
    int exact;         /* pc was interrupted by a signal; slot is the stack pointer then */
};

struct thread {
    pid_t tid;
    struct user_regs_struct regs; /* at the previous stop */
    uint32_t depth;
    int started, signalled;
    int leaving; /* by longjmp: the stack is another one's already, the pc not yet */
    struct call calls[MAX_FRAMES];
};

/* An address at which a walk was wrong. */
struct place {
    uint64_t pc;
    unsigned long times;
    const char *what;
    char text[160];
};

static struct mirror mirror;
static struct unwind_cache *cache;
static struct thread *threads[MAX_THREADS];
static struct place places[MAX_PLACES];
static size_t place_count;
static unsigned long steps, wrong, approximate, thrown_away, skipped;
static unsigned long max_steps = ~0ul;
static int verbose, maps_changed = 1;
static unsigned char stack_copy[MAX_STACK + 16];
static uint64_t pcs[MAX_FRAMES];

static void complain(uint64_t pc, const char *what, const char *detail)
{
    size_t i;
    wrong++;
    for (i = 0; i < place_count; i++)
        if (places[i].pc == pc && strcmp(places[i].what, what) == 0)
            break;
    if (i == MAX_PLACES)
        return;
    if (i == place_count) {
        places[place_count++] = (struct place){.pc = pc, .what = what};
        snprintf(places[i].text, sizeof places[i].text, "%s %s", mirror_name(&mirror, pc), detail);
    }
    places[i].times++;
}

static void dwarf_regs(const struct user_regs_struct *u, struct unwind_regs *out)
{
    const unsigned long long in[UNWIND_REGS] = {u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi,
                                                u->rbp, u->rsp, u->r8,  u->r9,  u->r10, u->r11,
                                                u->r12, u->r13, u->r14, u->r15, u->rip};
    for (int i = 0; i < UNWIND_REGS; i++)
        out->r[i] = in[i];
}

/* Copies the stack around `sp`, up to the end of its mapping. */
static int copy_stack(uintptr_t sp, struct unwind_bounds *bounds, unsigned char *copy)
{
    const struct mapping *map = mirror_find(&mirror, sp);
    if (!map) {
        mirror_update(&mirror, mirror.pid);
        map = mirror_find(&mirror, sp);
    }
    for (uintptr_t up = sp; !map && up - sp < MAX_STACK; up += 4096)
        map = mirror_find(&mirror, up); /* a stack that has not grown yet */
    if (!map)
        return 0;
    uintptr_t start = sp < map->start ? map->start : sp;
    bounds->lo = sp;
    bounds->hi = map->end - sp > MAX_STACK ? sp + MAX_STACK : map->end;
    bounds->copy = copy;
    struct iovec here = {copy + (start - sp), bounds->hi - start};
    struct iovec there = {(void *)start, bounds->hi - start};
    return process_vm_readv(mirror.pid, &here, 1, &there, 1, 0) == (ssize_t)here.iov_len;
}

/* The hook for signal frames: other stacks are copied into memory of their own. */
static int other_stack(void *ctx, uintptr_t sp, struct unwind_bounds *bounds)
{
    static unsigned char copies[4][MAX_STACK];
    static unsigned turn;
    return copy_stack(sp, bounds, copies[turn++ % 4]);
}

static uint64_t word_at(const struct unwind_bounds *b, uint64_t addr)
{
    uint64_t v = 0;
    if (addr >= b->lo && addr + 8 <= b->hi)
        memcpy(&v, b->copy + (addr - b->lo), 8);
    return v;
}

static void push_call(struct thread *t, uint64_t slot, uint64_t pc, int exact)
{
    if (t->depth < MAX_FRAMES)
        t->calls[t->depth++] = (struct call){slot, pc, exact};
}

/* Brings the shadow stack from the previous stop to this one. */
static void follow(struct thread *t, const struct user_regs_struct *now,
                   const struct unwind_bounds *b)
{
    const struct user_regs_struct *was = &t->regs;
    int sig = t->signalled;
    t->signalled = 0;
    /* The kernel has built a frame, with the handler's return address on top; unless the signal was
     * ignored. */
    if (sig && now->rdi == (unsigned)sig && now->rip != was->rip && was->rsp - now->rsp > 128) {
        push_call(t, was->rsp, was->rip, 1);
        push_call(t, now->rsp, word_at(b, now->rsp), 0);
        return;
    }
    if (was->rax == SYS_rt_sigreturn && now->rip != was->rip + 2) {
        uint32_t d = t->depth;
        while (d > 0 && !t->calls[d - 1].exact)
            d--;
        if (d > 0 && t->calls[d - 1].pc == now->rip && t->calls[d - 1].slot == now->rsp) {
            t->depth = d - 1;
            return;
        }
    }
    uint8_t code[4] = {0};
    struct iovec here = {code, sizeof code}, there = {(void *)was->rip, sizeof code};
    if (t->leaving && now->rip - was->rip > 15)
        t->leaving = 0;
    for (int n = 0;
         t->depth > 0 && !t->calls[t->depth - 1].exact && t->calls[t->depth - 1].slot < now->rsp;
         n++) {
        t->depth--;
        process_vm_readv(mirror.pid, &here, 1, &there, 1, 0);
        int is_return = code[0] == 0xc3 || code[0] == 0xc2 ||
                        (code[0] == 0xf3 && code[1] == 0xc3) ||
                        (code[0] == 0xf2 && code[1] == 0xc3);
        t->leaving |= n > 0 || !is_return;
    }
    if (t->leaving && now->rip - was->rip > 15)
        t->leaving = 0;
    uint64_t top = word_at(b, now->rsp);
    if (now->rsp == was->rsp - 8 && top - was->rip >= 2 && top - was->rip <= 15 && now->rip != top)
        push_call(t, now->rsp, top, 0);
}

static int find_row(uint64_t pc, struct cfi_fde *fde, struct cfi_row *row)
{
    for (size_t i = 0; i < mirror.modules.count; i++)
        if (pc >= mirror.list[i].start && pc < mirror.list[i].end)
            return cfi_find(&mirror.list[i], pc, fde) == 0 && cfi_row_at(fde, pc, row) == 0;
    return 0;
}

/* glibc's longjmp says that its caller is the place it is going to. */
static int caller_is_in_a_register(uint64_t pc)
{
    struct cfi_fde fde;
    struct cfi_row row;
    return find_row(pc, &fde, &row) && row.kind[UNWIND_PC] == CFI_REGISTER;
}

/* Does it leave to handlers of exceptions? */
static int is_unwinder(uint64_t pc)
{
    struct cfi_fde fde;
    struct cfi_row row;
    return find_row(pc, &fde, &row) && row.kind[ARCH_EH_DATA] == CFI_OFFSET;
}

static int same_function(uint64_t pc, uint64_t other)
{
    struct cfi_fde fde;
    struct cfi_row row;
    return find_row(pc, &fde, &row) && other >= fde.start && other < fde.end;
}

/* The call after `i`, from the top, that a walk may have gone on with as frame `pc`: an unwinder
 * that is about to leave has its registers from there. */
static uint32_t catching_call(const struct thread *t, uint32_t i, uint64_t pc)
{
    for (; i < t->depth; i++) {
        const struct call *c = &t->calls[t->depth - 1 - i];
        if (pc == c->pc - !c->exact || same_function(pc, c->pc))
            break;
    }
    return i;
}

static void check(struct thread *t, const struct user_regs_struct *now,
                  const struct unwind_bounds *b)
{
    struct unwind_regs regs;
    struct unwind_trace trace = {.pcs = pcs, .max = MAX_FRAMES};
    char text[96];
    dwarf_regs(now, &regs);
    if (steps % 4099 == 0)
        unwind_cache_flush(cache);
    unwind_walk(cache, &regs, b, &trace);
    steps++;
    approximate += trace.flags & UNWIND_APPROXIMATE;
    if (pcs[0] != now->rip)
        complain(now->rip, "another leaf", "");
    uint32_t i = 0, left_out = 0;
    int leaves = is_unwinder(pcs[0]);
    for (; i + left_out < t->depth && i + 1 < trace.depth; i++) {
        const struct call *c = &t->calls[t->depth - 1 - i - left_out];
        uint64_t pc = pcs[i + 1];
        if (pc != c->pc - !c->exact && leaves && trace.flags & UNWIND_APPROXIMATE && !left_out)
            left_out = catching_call(t, i, pc) - i;
        else if (pc != c->pc - !c->exact) {
            snprintf(text, sizeof text, "frame %u is 0x%lx, not 0x%lx", i + 1, (unsigned long)pc,
                     (unsigned long)c->pc);
            complain(now->rip, "another caller", text);
            return;
        }
        leaves |= is_unwinder(pc);
    }
    thrown_away += left_out > 0;
    snprintf(text, sizeof text, "%u frames of %u: %s", trace.depth, t->depth + 1,
             unwind_reason_text(trace.reason));
    uint32_t depth = t->depth - left_out + 1;
    if (trace.depth != depth)
        complain(now->rip, trace.depth > depth ? "too deep" : "not deep enough", text);
    else if (trace.end != UNWIND_ROOT)
        complain(now->rip, "not rooted", text);
}

static struct thread *thread_of(pid_t tid)
{
    int free_slot = -1;
    for (int i = 0; i < MAX_THREADS; i++) {
        if (threads[i] && threads[i]->tid == tid)
            return threads[i];
        if (!threads[i] && free_slot < 0)
            free_slot = i;
    }
    if (free_slot < 0)
        exit(printf("too many threads\n") ? 2 : 2);
    struct thread *t = calloc(1, sizeof *t);
    t->tid = tid;
    return threads[free_slot] = t;
}

static void forget(pid_t tid)
{
    for (int i = 0; i < MAX_THREADS; i++)
        if (threads[i] && threads[i]->tid == tid) {
            free(threads[i]);
            threads[i] = NULL;
        }
}

/* One stop after one instruction. */
static void stopped(struct thread *t)
{
    struct user_regs_struct now;
    struct unwind_bounds b;
    if (ptrace(PTRACE_GETREGS, t->tid, NULL, &now) != 0)
        return;
    if (maps_changed) {
        mirror_update(&mirror, mirror.pid);
        unwind_cache_flush(cache);
        maps_changed = 0;
    }
    if (!copy_stack(now.rsp, &b, stack_copy))
        complain(now.rip, "no stack", "");
    else {
        if (t->started)
            follow(t, &now, &b);
        if (t->leaving || caller_is_in_a_register(now.rip))
            skipped++;
        else
            check(t, &now, &b);
    }
    t->started = 1;
    t->regs = now;
    uint64_t nr = now.rax;
    maps_changed = nr == SYS_mmap || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_mremap;
    if (maps_changed) { /* about to make that call, or just holding its number? */
        uint16_t code = 0;
        struct iovec here = {&code, 2}, there = {(void *)now.rip, 2};
        process_vm_readv(mirror.pid, &here, 1, &there, 1, 0);
        maps_changed = code == 0x050f;
    }
}

static void start_over(struct thread *t)
{
    t->depth = 0;
    t->started = 0;
    struct unwind_config config = {.no_find_object = 1, .find_bounds = other_stack};
    char path[64];
    unsigned long aux[2];
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)t->tid);
    FILE *f = fopen(path, "r");
    while (f && fread(aux, sizeof aux, 1, f) == 1 && aux[0]) {
        if (aux[0] == 9 /* AT_ENTRY */)
            config.entry = aux[1];
    }
    if (f)
        fclose(f);
    ptrace(PTRACE_GETREGS, t->tid, NULL, &t->regs);
    config.interp_entry = t->regs.rip;
    memset(cache, 0, unwind_cache_size());
    unwind_cache_init(cache, &config);
    unwind_set_modules(cache, &mirror.modules);
    maps_changed = 1;
}

static int report(const char *program)
{
    printf("%s: %lu walks, %lu wrong, %lu approximate, %lu inside longjmp\n", program, steps, wrong,
           approximate, skipped);
    for (size_t i = 0; i < place_count; i++)
        printf("  %lu times %s at %s\n", places[i].times, places[i].what, places[i].text);
    return wrong ? 1 : steps ? 0 : 77;
}

/* Decides with which signal the thread goes on. */
static int signal_to_deliver(struct thread *t, int status)
{
    int sig = WSTOPSIG(status);
    siginfo_t info;
    if (status >> 16 || sig == SIGSTOP)
        return 0;
    if (sig != SIGTRAP)
        return sig;
    ptrace(PTRACE_GETSIGINFO, t->tid, NULL, &info);
    return info.si_code == SI_USER || info.si_code == SI_TKILL ? SIGTRAP : 0;
}

static void run(pid_t child)
{
    int status;
    while (steps < max_steps) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0)
            return;
        if (!WIFSTOPPED(status)) {
            if (verbose)
                printf("%d ended: 0x%x\n", (int)tid, status);
            forget(tid);
            if (tid == child)
                return;
            continue;
        }
        struct thread *t = thread_of(tid);
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
            start_over(t);
        int sig = signal_to_deliver(t, status);
        if (sig == 0)
            stopped(t);
        t->signalled = sig;
        ptrace(PTRACE_SINGLESTEP, tid, NULL, (void *)(intptr_t)sig);
    }
    kill(child, SIGKILL);
}

int main(int argc, char **argv)
{
    int opt, status;
    while ((opt = getopt(argc, argv, "+n:v")) != -1) {
        if (opt == 'n')
            max_steps = strtoul(optarg, NULL, 0);
        else if (opt == 'v')
            verbose = 1;
        else
            return 2;
    }
    if (optind == argc)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        personality(ADDR_NO_RANDOMIZE);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        raise(SIGSTOP);
        execvp(argv[optind], &argv[optind]);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        printf("tracing is not permitted here\n");
        return 77;
    }
    cache =
        mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ptrace(PTRACE_SETOPTIONS, child, NULL,
           (void *)(PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL));
    ptrace(PTRACE_CONT, child, NULL, NULL);
    mirror.pid = child;
    run(child);
    return report(argv[optind]);
}
