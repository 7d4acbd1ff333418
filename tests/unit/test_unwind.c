/* SPDX-License-Identifier: MIT
 *
 * Walks from signal handlers of this very program: what a walk promises about order, depth, bounds,
 * signal frames, flushes and modules. Every instruction of many kinds of frames is in
 * tests/unwind/. */
#include "unwind/unwind.h"

#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>

#define MAX 1024

static struct unwind_cache *cache;
static struct unwind_bounds bounds; /* of the main thread */
static uint64_t pcs[MAX];
static uint32_t max_depth;
static struct unwind_trace result;
static uint64_t interrupted_pc;

static struct unwind_cache *new_cache(const struct unwind_config *config)
{
    void *mem =
        mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(mem != MAP_FAILED);
    return unwind_cache_init(mem, config);
}

static void walk_in_handler(int sig, siginfo_t *info, void *ctx)
{
    struct unwind_regs regs;
    unwind_regs_from_ucontext(&regs, ctx);
    interrupted_pc = regs.r[UNWIND_PC];
    result.pcs = pcs;
    result.max = max_depth;
    unwind_walk(cache, &regs, &bounds, &result);
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaction(sig, &sa, NULL);
}

static struct unwind_bounds stack_of_this_thread(void)
{
    pthread_attr_t attr;
    void *lo;
    size_t size;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstack(&attr, &lo, &size);
    pthread_attr_destroy(&attr);
    return (struct unwind_bounds){(uintptr_t)lo, (uintptr_t)lo + size, NULL};
}

static int setup(void **state)
{
    struct unwind_config config;
    unwind_config_default(&config);
    cache = new_cache(&config);
    bounds = stack_of_this_thread();
    max_depth = MAX;
    memset(&result, 0, sizeof result);
    handle(SIGUSR1, walk_in_handler, 0);
    return 0;
}

static int teardown(void **state)
{
    munmap(cache, unwind_cache_size());
    return 0;
}

/* Code in a section of its own has known bounds. */
#define OWN_SECTION(name) __attribute__((noinline, section(#name "_code")))
#define COUNT(name)       count_inside(__start_##name##_code, __stop_##name##_code)
extern const char __start_recurse_code[], __stop_recurse_code[];
extern const char __start_on_usr2_code[], __stop_on_usr2_code[];
extern const char __start_thread_main_code[], __stop_thread_main_code[];
extern const char __start_tests_code[], __stop_tests_code[];

OWN_SECTION(recurse) static int recurse(int n)
{
    int ret = n == 0 ? raise(SIGUSR1) : recurse(n - 1);
    __asm__ volatile("" : "+r"(ret)); /* no tail call */
    return ret;
}

static uint32_t count_inside(const char *start, const char *stop)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < result.depth; i++)
        n += pcs[i] >= (uintptr_t)start && pcs[i] < (uintptr_t)stop;
    return n;
}

static void reaches_the_root_from_a_handler(void **state)
{
    recurse(300);
    assert_int_equal(result.end, UNWIND_ROOT);
    assert_int_equal(result.reason, UNWIND_NONE);
    assert_int_equal(result.flags, 0);
    assert_int_equal(pcs[0], interrupted_pc);
    assert_int_equal(COUNT(recurse), 301);
}

static void a_second_walk_finds_every_rule_in_the_cache(void **state)
{
    uint32_t depth = 0;
    for (volatile int round = 0; round < 3; round++) { /* one call site: the same pcs */
        if (round == 2)
            unwind_cache_flush(cache);
        recurse(50);
        assert_int_equal(result.end, UNWIND_ROOT);
        assert_true(round == 1 ? result.misses == 0 : result.misses > 0);
        assert_true(round == 0 || result.depth == depth);
        depth = result.depth;
    }
}

static int in_tests(uint64_t pc)
{
    return pc >= (uintptr_t)__start_tests_code && pc < (uintptr_t)__stop_tests_code;
}

/* But for the frame of the test, which may call from several places. */
static void assert_same_frames(const uint64_t *a, const uint64_t *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        assert_true(a[i] == b[i] || (in_tests(a[i]) && in_tests(b[i])));
}

OWN_SECTION(tests) static void keeps_the_rootmost_frames_of_a_deep_stack(void **state)
{
    static uint64_t all[MAX];
    recurse(300);
    uint32_t depth = result.depth;
    memcpy(all, pcs, sizeof all);
    for (max_depth = 1; max_depth < depth; max_depth += 37) {
        recurse(300);
        assert_int_equal(result.end, UNWIND_DEPTH);
        assert_int_equal(result.depth, max_depth);
        assert_int_equal(result.steps, depth);
        assert_same_frames(pcs, &all[depth - max_depth], max_depth);
        assert_int_equal(pcs[max_depth - 1], all[depth - 1]);
    }
}

static void never_reads_outside_the_bounds(void **state)
{
    /* Bounds that end anywhere inside the stack: no crash is the point; and no false root. */
    struct unwind_bounds whole = bounds;
    char here;
    for (uintptr_t hi = (uintptr_t)&here - 4096; hi < (uintptr_t)&here + 512; hi += 8) {
        bounds.hi = hi;
        recurse(3);
        if (result.end == UNWIND_TRUNCATED)
            assert_int_equal(result.reason, UNWIND_BOUNDS);
    }
    bounds = whole;
}

OWN_SECTION(on_usr2) static void on_usr2(int sig, siginfo_t *info, void *ctx)
{
    recurse(2);
    __asm__ volatile(""); /* no tail call */
}

static void walks_through_a_signal_frame(void **state)
{
    handle(SIGUSR2, on_usr2, 0);
    raise(SIGUSR2);
    assert_int_equal(result.end, UNWIND_ROOT);
    assert_int_equal(COUNT(recurse), 3);
    assert_int_equal(COUNT(on_usr2), 1);
}

static int find_main_stack(void *ctx, uintptr_t sp, struct unwind_bounds *out)
{
    const struct unwind_bounds *known = ctx;
    if (sp < known->lo || sp >= known->hi)
        return 0;
    *out = *known;
    return 1;
}

static void asks_for_the_stack_under_an_alternate_one(void **state)
{
    static char alternate[65536];
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate}, off = {.ss_flags = SS_DISABLE};
    struct unwind_bounds main_stack = bounds;
    sigaltstack(&ss, NULL);
    handle(SIGUSR2, on_usr2, SA_ONSTACK);
    bounds.lo = (uintptr_t)alternate;
    bounds.hi = bounds.lo + sizeof alternate;
    raise(SIGUSR2);
    assert_int_equal(result.end, UNWIND_TRUNCATED);
    assert_int_equal(result.reason, UNWIND_BOUNDS);
    uint32_t without = result.depth;

    struct unwind_config config;
    unwind_config_default(&config);
    config.ctx = &main_stack;
    config.find_bounds = find_main_stack;
    teardown(state);
    cache = new_cache(&config);
    raise(SIGUSR2);
    sigaltstack(&off, NULL);
    bounds = main_stack;
    assert_int_equal(result.end, UNWIND_ROOT);
    assert_true(result.depth > without);
}

OWN_SECTION(thread_main) static void *thread_main(void *arg)
{
    bounds = stack_of_this_thread();
    recurse(5);
    return NULL;
}

static void reaches_the_root_of_a_thread(void **state)
{
    pthread_t t;
    pthread_create(&t, NULL, thread_main, NULL);
    pthread_join(t, NULL);
    assert_int_equal(result.end, UNWIND_ROOT);
    assert_int_equal(COUNT(thread_main), 1);
}

/* A table of modules made from dl_iterate_phdr, as the runtime makes it. */
static struct unwind_module module_list[64];
static struct unwind_modules modules = {0, module_list};

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct unwind_module m = {UINTPTR_MAX, 0, NULL, NULL};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_GNU_EH_FRAME)
            m.eh_frame_hdr = (const void *)at;
        if (ph->p_type == PT_LOAD && (at & ~4095ul) < m.start)
            m.start = at & ~4095ul;
        if (ph->p_type == PT_LOAD && at + ph->p_memsz > m.end)
            m.end = at + ph->p_memsz;
    }
    size_t i = modules.count++;
    assert_true(i < 64);
    for (; i > 0 && module_list[i - 1].start > m.start; i--)
        module_list[i] = module_list[i - 1];
    module_list[i] = m;
    return 0;
}

OWN_SECTION(tests) static void finds_the_same_frames_through_a_table_of_modules(void **state)
{
    static uint64_t all[MAX];
    struct unwind_config config;
    for (int table = 0; table < 2; table++) {
        if (table) {
            memcpy(all, pcs, sizeof all);
            unwind_config_default(&config);
            config.no_find_object = 1;
            teardown(state);
            cache = new_cache(&config);
            modules.count = 0;
            dl_iterate_phdr(add_module, NULL);
            unwind_set_modules(cache, &modules);
        }
        recurse(10);
        assert_int_equal(result.end, UNWIND_ROOT);
    }
    assert_same_frames(all, pcs, result.depth);
}

static int seen_modules;

static void count_module(void *ctx, const struct unwind_module *module)
{
    seen_modules++;
    assert_true(module->start < module->end);
}

static void tells_of_the_modules_it_meets(void **state)
{
    struct unwind_config config = {.module_seen = count_module};
    teardown(state);
    cache = new_cache(&config);
    recurse(4);
    assert_int_equal(result.end, UNWIND_ROOT);
    assert_true(seen_modules > 0 && seen_modules <= (int)result.misses);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(reaches_the_root_from_a_handler),
        T(a_second_walk_finds_every_rule_in_the_cache),
        T(keeps_the_rootmost_frames_of_a_deep_stack),
        T(never_reads_outside_the_bounds),
        T(walks_through_a_signal_frame),
        T(asks_for_the_stack_under_an_alternate_one),
        T(reaches_the_root_of_a_thread),
        T(finds_the_same_frames_through_a_table_of_modules),
        T(tells_of_the_modules_it_meets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
