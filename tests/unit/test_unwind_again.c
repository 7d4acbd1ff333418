/* SPDX-License-Identifier: MIT
 *
 * Walks that take over what they can from those before, held against whole walks: in calls that go
 * up and down at random through all kinds of frames, after longjmp, and on other stacks. */
#include "runtime/here.h"
#include "unwind/again.h"
#include "unwind/unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>

#define NOINLINE __attribute__((noinline))

enum { PROBES = 200000, KNOWN = 64, MAX_DEPTH = 40, STACK_BYTES = 256 << 10 };

extern void *__libc_stack_end;

static struct unwind_cache *cache;
static struct unwind_memo memo;
static struct unwind_known known[KNOWN];
static uintptr_t stack_hi;
static uint64_t chance = 88172645463325252ull;
static long probes, walked, again, recognized;

static uint32_t draw(uint32_t n)
{
    chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
    return (uint32_t)(chance >> 33) % n;
}

/* The whole stack from the return to `ra` on. */
static NOINLINE uint32_t walk_whole(uint64_t *pcs, const void *ra, uint64_t *hash)
{
    struct unwind_regs regs;
    here_registers(&regs);
    struct unwind_bounds b = {.lo = regs.r[UNWIND_SP] - 128, .hi = stack_hi};
    struct unwind_trace t = {.pcs = pcs, .max = LIMIT_STACK_DEPTH};
    uint32_t skip = 0, depth = unwind_walk(cache, &regs, &b, &t);
    if (t.end != UNWIND_ROOT)
        return 0;
    while (skip < depth && pcs[skip] != (uint64_t)(uintptr_t)ra - 1)
        skip++;
    *hash = unwind_hash(pcs + skip, depth - skip);
    return depth - skip;
}

/* Both ways of taking over say what the whole walk does. */
static NOINLINE void probe(void)
{
    static uint64_t pcs[LIMIT_STACK_DEPTH];
    const struct here_caller c = here_from(__builtin_return_address(0));
    const struct unwind_return from = {(uint64_t)(uintptr_t)c.ra, c.sp, c.bp};
    const struct unwind_bounds b = {.lo = c.sp, .hi = stack_hi};
    struct unwind_known *k = &known[(from.ra * 31 ^ from.sp >> 4) % KNOWN];
    uint64_t hash;
    uint32_t depth = walk_whole(pcs, c.ra, &hash);
    probes++;
    if (!depth || !c.sp)
        return;
    walked++;
    if (unwind_is_known(cache, k, &from, &b)) {
        recognized++;
        assert_int_equal(k->depth, depth);
        assert_true(k->hash == hash);
    }
    uint32_t before = memo.count;
    uint32_t got = unwind_walk_again(cache, &from, &b, &memo);
    if (!got)
        return;
    again += before != 0;
    assert_int_equal(got, depth);
    assert_true(unwind_memo_hash(&memo) == hash);
    unwind_know(k, &memo);
}

/* ---- frames of all kinds ---- */

typedef void frame_fn(uint32_t depth);
static frame_fn plain, large, with_alloca, realigned, with_frame_pointer, many_saved;
static frame_fn *const kinds[] = {plain,     large, with_alloca, realigned, with_frame_pointer,
                                  many_saved};
static volatile unsigned char sink;

static NOINLINE void go_on(uint32_t depth)
{
    if (depth == 0 || probes >= PROBES) {
        probe();
        return;
    }
    for (uint32_t i = draw(3) + 1; i > 0; i--)
        kinds[draw(sizeof kinds / sizeof *kinds)](depth - 1);
    sink++;
}

static NOINLINE void plain(uint32_t depth)
{
    go_on(depth);
    sink++;
}

static NOINLINE void large(uint32_t depth)
{
    volatile unsigned char bytes[3000];
    bytes[depth] = 1;
    go_on(depth);
    sink += bytes[depth];
}

static NOINLINE void with_alloca(uint32_t depth)
{
    volatile unsigned char *bytes = __builtin_alloca(16 + draw(4) * 64);
    bytes[0] = 1;
    go_on(depth);
    sink += bytes[0];
}

static NOINLINE void realigned(uint32_t depth)
{
    _Alignas(64) volatile unsigned char bytes[64];
    bytes[0] = (unsigned char)((uintptr_t)bytes % 64);
    go_on(depth);
    sink += bytes[0];
}

static NOINLINE void with_frame_pointer(uint32_t depth)
{
    volatile uintptr_t mine = (uintptr_t)__builtin_frame_address(0);
    go_on(depth);
    sink += (unsigned char)mine;
}

/* More values over the call than there are registers: all are saved, and hold what they will. */
static NOINLINE void many_saved(uint32_t depth)
{
    uint32_t a = draw(9), b = draw(9), c = draw(9), d = draw(9), e = draw(9), f = draw(9);
    go_on(depth);
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    sink += (unsigned char)(a + b + c + d + e + f);
}

/* ---- the tests ---- */

static void reset(void)
{
    memset(&memo, 0, sizeof memo);
    memset(known, 0, sizeof known);
    probes = walked = again = recognized = 0;
    stack_hi = ((uintptr_t)__libc_stack_end + 4096) & ~(uintptr_t)4095;
}

static void walks_take_over_only_what_is_the_same(void **state)
{
    (void)state;
    reset();
    while (probes < PROBES)
        go_on(draw(MAX_DEPTH / 4) + 1);
    if (!walked)
        skip(); /* a C library without call frame information */
    assert_true(again > walked / 2);
}

static jmp_buf back;

static NOINLINE void jump(uint32_t depth)
{
    go_on(depth);
    longjmp(back, 1);
}

static void jumps_over_frames_leave_nothing_wrong(void **state)
{
    (void)state;
    reset();
    for (volatile int i = 0; i < 3000; i++)
        if (!setjmp(back))
            jump(draw(6));
    if (!walked)
        skip();
    assert_true(again > walked / 4);
}

static ucontext_t home, other;

static void on_other_stack(void)
{
    go_on(4);
}

/* A new stack where an old one was, with other bounds. */
static void stacks_come_and_go(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        void *stack =
            mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(stack != MAP_FAILED);
        assert_int_equal(getcontext(&other), 0);
        other.uc_stack.ss_sp = stack;
        other.uc_stack.ss_size = STACK_BYTES - draw(4) * 4096;
        other.uc_link = &home;
        stack_hi = (uintptr_t)stack + other.uc_stack.ss_size;
        probes = 0;
        makecontext(&other, on_other_stack, 0);
        assert_int_equal(swapcontext(&home, &other), 0);
        assert_true(probes > 0);
        munmap(stack, STACK_BYTES);
    }
    reset();
}

/* What a flush may have made another's is walked anew. */
static void a_flush_forgets(void **state)
{
    (void)state;
    reset();
    go_on(3);
    uint32_t before = memo.count;
    uint64_t salt = memo.salt;
    unwind_cache_flush(cache);
    go_on(3);
    assert_true(!before || memo.salt != salt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_take_over_only_what_is_the_same),
        cmocka_unit_test(jumps_over_frames_leave_nothing_wrong),
        cmocka_unit_test(stacks_come_and_go),
        cmocka_unit_test(a_flush_forgets),
    };
    struct unwind_config config;
    unwind_config_default(&config);
    void *memory =
        mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    cache = unwind_cache_init(memory, &config);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
