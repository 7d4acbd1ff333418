/* SPDX-License-Identifier: MIT
 *
 * One cache, many threads: all of them walk while one flushes and another replaces the table of
 * modules. Each walk must find the same frames. Run under TSan, too. */
#include "unwind/unwind.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define THREADS 3
#define ROUNDS  2000
#define FRAMES  256

/* A synthetic module, so that nothing depends on this build: functions of 16 bytes, whose frames
 * are 8, 16, 24 … bytes in turn. Header, table, one CIE, and an FDE for each function. */
static uint8_t image[1 << 16] __attribute__((aligned(4096)));
static struct unwind_module module;
static struct unwind_modules tables[2] = {{1, &module}, {1, &module}};
static struct unwind_cache *cache;
static atomic_int stop, wrong;

#define CODE      0x8000
#define FUNCTIONS 64

static uint8_t *put32(uint8_t *p, int64_t v)
{
    int32_t word = (int32_t)v;
    memcpy(p, &word, 4);
    return p + 4;
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

/* Function 0 has no caller: its return address is undefined. */
static uint8_t *put_fde(uint8_t *p, const uint8_t *cie, int i)
{
    uint8_t *start = p;
    p = put32(p, 20);
    p = put32(p, p - cie);
    p = put32(p, image + CODE + 16 * i - p);
    p = put32(p, 16);
    const uint8_t ops[8] = {0, 0x0e, (uint8_t)(8 + 8 * (i % 8)), i ? 0 : 0x07, i ? 0 : 16};
    p = put_bytes(p, ops, sizeof ops);
    assert_int_equal(p - start, 24);
    return p;
}

static int build(void **state)
{
    const uint8_t cie[] = {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0};
    uint8_t *eh_frame = image + 0x1000, *p = eh_frame, *hdr = image;
    const uint8_t head[] = {1, 0x1b, 0x03, 0x3b};
    hdr = put_bytes(hdr, head, 4);
    hdr = put32(hdr, eh_frame - hdr);
    hdr = put32(hdr, FUNCTIONS);
    p = put32(p, 4 + sizeof cie);
    p = put32(p, 0);
    p = put_bytes(p, cie, sizeof cie);
    for (int i = 0; i < FUNCTIONS; i++) {
        hdr = put32(hdr, CODE + 16 * i);
        hdr = put32(hdr, p - image);
        p = put_fde(p, eh_frame, i);
    }
    put32(p, 0);
    module = (struct unwind_module){(uintptr_t)image, (uintptr_t)image + sizeof image, image, NULL};
    struct unwind_config config = {.no_find_object = 1};
    size_t size = (unwind_cache_size() + 63) / 64 * 64;
    cache = aligned_alloc(64, size);
    memset(cache, 0, size);
    unwind_cache_init(cache, &config);
    unwind_set_modules(cache, &tables[0]);
    return 0;
}

/* A stack on which function `first` was called by first - 1, and so on down to function 0. */
static void build_stack(uint64_t *stack, int first)
{
    size_t at = 0;
    for (int i = first; i > 0; i--) {
        at += (size_t)(i % 8);
        stack[at++] = (uintptr_t)image + CODE + 16u * (unsigned)(i - 1) + 5;
    }
}

static void *walk(void *arg)
{
    uint64_t stack[FRAMES * 9] = {0}, pcs[FRAMES];
    unsigned seed = *(unsigned *)arg;
    struct unwind_bounds bounds = {(uintptr_t)stack, (uintptr_t)(stack + FRAMES * 9), NULL};
    for (int round = 0; round < ROUNDS; round++) {
        int first = rand_r(&seed) % FUNCTIONS;
        struct unwind_regs regs = {{0}};
        struct unwind_trace trace = {.pcs = pcs, .max = FRAMES};
        build_stack(stack, first);
        regs.r[UNWIND_SP] = (uintptr_t)stack;
        regs.r[UNWIND_PC] = (uintptr_t)image + CODE + 16u * (unsigned)first + 4;
        unwind_walk(cache, &regs, &bounds, &trace);
        int good = trace.end == UNWIND_ROOT && trace.depth == (uint32_t)first + 1;
        for (int i = 0; good && i <= first; i++)
            good = pcs[i] == (uintptr_t)image + CODE + 16u * (unsigned)(first - i) + 4;
        wrong += !good;
    }
    return NULL;
}

static void *disturb(void *arg)
{
    for (int i = 0; !stop; i++) {
        unwind_cache_flush(cache);
        unwind_set_modules(cache, &tables[i % 2]);
        usleep(50);
    }
    return NULL;
}

static void walks_agree_while_the_cache_is_flushed(void **state)
{
    pthread_t threads[THREADS], other;
    unsigned seeds[THREADS];
    pthread_create(&other, NULL, disturb, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        pthread_create(&threads[i], NULL, walk, &seeds[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    stop = 1;
    pthread_join(other, NULL);
    assert_int_equal(wrong, 0);
}

static void stack_copies_are_walked_as_the_stack_itself(void **state)
{
    static uint64_t stack[FRAMES * 9];
    uint64_t pcs[2][FRAMES];
    struct unwind_regs regs = {{0}};
    build_stack(stack, 40);
    for (int copied = 0; copied < 2; copied++) {
        uintptr_t at = copied ? 0x700000001000 : (uintptr_t)stack;
        struct unwind_bounds bounds = {at, at + sizeof stack,
                                       copied ? (const unsigned char *)stack : NULL};
        struct unwind_trace trace = {.pcs = pcs[copied], .max = FRAMES};
        regs.r[UNWIND_SP] = at;
        regs.r[UNWIND_PC] = (uintptr_t)image + CODE + 16u * 40 + 4;
        unwind_walk(cache, &regs, &bounds, &trace);
        assert_int_equal(trace.end, UNWIND_ROOT);
        assert_int_equal(trace.depth, 41);
    }
    assert_memory_equal(pcs[0], pcs[1], 41 * sizeof(uint64_t));
}

static void an_unsorted_table_is_read_in_full(void **state)
{
    struct unwind_config config = {.no_find_object = 1};
    uint8_t saved[FUNCTIONS * 8];
    memcpy(saved, image + 12, sizeof saved);
    for (int i = 0; i < FUNCTIONS; i++) /* reversed */
        memcpy(image + 12 + 8 * i, saved + 8 * (FUNCTIONS - 1 - i), 8);
    memset(cache, 0, unwind_cache_size());
    unwind_cache_init(cache, &config);
    unwind_set_modules(cache, &tables[0]);
    unsigned seed = 7;
    wrong = 0;
    walk(&seed);
    memcpy(image + 12, saved, sizeof saved);
    assert_int_equal(wrong, 0);
}

/* Function 32, entered `offset` bytes, and called by function 0, which lies in another block. */
static uint32_t misses_at(unsigned offset)
{
    uint64_t stack[FRAMES] = {0}, pcs[FRAMES];
    struct unwind_regs regs = {{0}};
    struct unwind_bounds bounds = {(uintptr_t)stack, (uintptr_t)(stack + FRAMES), NULL};
    struct unwind_trace trace = {.pcs = pcs, .max = FRAMES};
    stack[0] = (uintptr_t)image + CODE + 5;
    regs.r[UNWIND_SP] = (uintptr_t)stack;
    regs.r[UNWIND_PC] = (uintptr_t)image + CODE + 16 * 32 + offset;
    unwind_walk(cache, &regs, &bounds, &trace);
    assert_int_equal(trace.end, UNWIND_ROOT);
    assert_int_equal(trace.depth, 2);
    return trace.misses;
}

static void a_row_that_was_met_is_known_at_its_other_addresses(void **state)
{
    unwind_cache_flush(cache);
    assert_int_equal(misses_at(4), 2);
    assert_int_equal(misses_at(9), 0);
    assert_int_equal(misses_at(0), 0);
    /* Behind the last byte another row begins: it is asked about by itself. */
    assert_int_equal(misses_at(15), 1);
    unwind_cache_flush(cache);
    assert_int_equal(misses_at(9), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_agree_while_the_cache_is_flushed),
        cmocka_unit_test(stack_copies_are_walked_as_the_stack_itself),
        cmocka_unit_test(a_row_that_was_met_is_known_at_its_other_addresses),
        cmocka_unit_test(an_unsorted_table_is_read_in_full),
    };
    return cmocka_run_group_tests(tests, build, NULL);
}
