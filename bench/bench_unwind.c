/* SPDX-License-Identifier: MIT
 *
 * bench_unwind [--short]: what one frame costs. The same stacks, of 128 functions of four kinds, no
 * two frames of one function, are walked by strobe (rules in the cache, and after a flush, when
 * each frame's must be interpreted), by libunwind (its cached unw_backtrace and its step loop), by
 * libgcc's _Unwind_Backtrace, which is glibc's backtrace() and keeps no cache, and by frame
 * pointers, the floor. Rounds are interleaved; the table has the fastest round of each, in ns a
 * frame, and its ratio to strobe warm. Libraries that are not installed are left out. */
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

enum { MAX = 512, METHODS = 6 };

#define NOINLINE __attribute__((noinline, optimize("no-optimize-sibling-calls")))
#ifdef __clang__
#undef NOINLINE
#define NOINLINE __attribute__((noinline, disable_tail_calls))
#endif

static struct unwind_cache *cache;
static struct unwind_bounds bounds;
static struct unwind_regs leaf;
static uint64_t pcs[MAX];
static void *frames[MAX];

/* ---- methods: each walks the present stack once and returns how many frames it saw ---- */

static unsigned strobe_warm(void)
{
    struct unwind_trace trace = {.pcs = pcs, .max = MAX};
    return unwind_walk(cache, &leaf, &bounds, &trace);
}

static unsigned strobe_cold(void)
{
    unwind_cache_flush(cache);
    return strobe_warm();
}

static int (*libunwind_backtrace)(void **, int);

static unsigned libunwind_cached(void)
{
    return libunwind_backtrace ? (unsigned)libunwind_backtrace(frames, MAX) : 0;
}

static int (*libunwind_getcontext)(void *);
static int (*libunwind_init)(void *, void *);
static int (*libunwind_step)(void *);

static unsigned libunwind_steps(void)
{
    /* unw_context_t and unw_cursor_t of x86-64: a ucontext_t and 127 words. */
    static ucontext_t context;
    static uint64_t cursor[256];
    unsigned n = 1;
    if (!libunwind_step || !libunwind_getcontext || !libunwind_init)
        return 0;
    libunwind_getcontext(&context);
    libunwind_init(cursor, &context);
    while (libunwind_step(cursor) > 0)
        n++;
    return n;
}

static int (*libgcc_backtrace)(int (*)(void *, void *), void *);

static int count_frame(void *context, void *arg)
{
    ++*(unsigned *)arg;
    return 0;
}

static unsigned libgcc(void)
{
    unsigned n = 0;
    if (libgcc_backtrace)
        libgcc_backtrace(count_frame, &n);
    return n;
}

static unsigned frame_pointers(void)
{
    unsigned n = 0;
    uintptr_t bp = (uintptr_t)__builtin_frame_address(0);
    while (bp >= bounds.lo && bp + 16 <= bounds.hi && n < MAX) {
        const uintptr_t *at = (const uintptr_t *)bp;
        pcs[n++] = at[1];
        if (at[0] <= bp)
            break;
        bp = at[0];
    }
    return n;
}

static const struct method {
    const char *name;
    unsigned (*walk)(void);
} methods[METHODS] = {
    {"strobe, rules in the cache", strobe_warm},   {"strobe, after a flush", strobe_cold},
    {"libunwind unw_backtrace", libunwind_cached}, {"libunwind unw_step", libunwind_steps},
    {"libgcc _Unwind_Backtrace", libgcc},          {"frame pointers", frame_pointers},
};

/* ---- the stacks ---- */

static double ns_a_frame[METHODS];
static int rounds;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

NOINLINE static int measure(void)
{
    ucontext_t context;
    getcontext(&context);
    unwind_regs_from_ucontext(&leaf, &context);
    for (int m = 0; m < METHODS; m++)
        ns_a_frame[m] = 0;
    for (int round = 0; round < rounds; round++) {
        for (int m = 0; m < METHODS; m++) {
            unsigned seen = methods[m].walk(); /* and warms up */
            const int walks = 64;
            double start = now_ns();
            for (int i = 0; i < walks && seen; i++)
                seen = methods[m].walk();
            double ns = seen ? (now_ns() - start) / walks / seen : 0;
            if (round == 0 || ns < ns_a_frame[m])
                ns_a_frame[m] = ns;
        }
    }
    return 0;
}

#define FUNCTIONS 128

static int (*volatile steps[FUNCTIONS])(int, int);

#define CALL(n, x) ((n) > 0 ? steps[(n) % FUNCTIONS]((n)-1, x) : measure())

/* Four functions: plain, with saved registers, with locals, with a frame that is not of one size.
 */
#define FOUR(i)                                                                                    \
    NOINLINE static int plain_##i(int n, int x)                                                    \
    {                                                                                              \
        return CALL(n, x + 1) + n;                                                                 \
    }                                                                                              \
    NOINLINE static int saving_##i(int n, int x)                                                   \
    {                                                                                              \
        int a = x * 3, b = x ^ n, c = x + n;                                                       \
        int below = CALL(n, a);                                                                    \
        return below + a * b - c + n;                                                              \
    }                                                                                              \
    NOINLINE static int local_##i(int n, int x)                                                    \
    {                                                                                              \
        volatile char bytes[200];                                                                  \
        bytes[n & 63] = (char)x;                                                                   \
        int below = CALL(n, x);                                                                    \
        return below + bytes[n & 63];                                                              \
    }                                                                                              \
    NOINLINE static int dynamic_##i(int n, int x)                                                  \
    {                                                                                              \
        volatile char *bytes = __builtin_alloca((size_t)(n & 15) + 16);                            \
        bytes[0] = (char)x;                                                                        \
        int below = CALL(n, x);                                                                    \
        return below + bytes[0];                                                                   \
    }

#define NAMES_OF_FOUR(i) plain_##i, saving_##i, local_##i, dynamic_##i,
#define EIGHT(m, i)      m(i##0) m(i##1) m(i##2) m(i##3) m(i##4) m(i##5) m(i##6) m(i##7)
#define THIRTY_TWO(m)    EIGHT(m, a) EIGHT(m, b) EIGHT(m, c) EIGHT(m, d)

THIRTY_TWO(FOUR)

static int (*const functions[FUNCTIONS])(int, int) = {THIRTY_TWO(NAMES_OF_FOUR)};

static void set_up(void)
{
    pthread_attr_t attr;
    struct unwind_config config;
    void *lo;
    size_t size;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstack(&attr, &lo, &size);
    bounds = (struct unwind_bounds){(uintptr_t)lo, (uintptr_t)lo + size, NULL};
    unwind_config_default(&config);
    cache = unwind_cache_init(
        mmap(NULL, unwind_cache_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        &config);
    /* Not linked: either would take over backtrace() for the other. */
    void *unwind = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    void *gcc = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
    if (unwind) {
        *(void **)&libunwind_backtrace = dlsym(unwind, "unw_backtrace");
        *(void **)&libunwind_getcontext = dlsym(unwind, "_Ux86_64_getcontext");
        *(void **)&libunwind_init = dlsym(unwind, "_ULx86_64_init_local");
        *(void **)&libunwind_step = dlsym(unwind, "_ULx86_64_step");
    }
    if (gcc)
        *(void **)&libgcc_backtrace = dlsym(gcc, "_Unwind_Backtrace");
    for (int i = 0; i < FUNCTIONS; i++)
        steps[i] = functions[i];
}

int main(int argc, char **argv)
{
    static const int depths[] = {8, 33, 103};
    double ns[3][METHODS];
    rounds = argc > 1 && strcmp(argv[1], "--short") == 0 ? 20 : 200;
    set_up();
    for (int d = 0; d < 3; d++) {
        (void)steps[depths[d] % FUNCTIONS](depths[d] - 5,
                                           d); /* main, its two callers, measure and the walk */
        memcpy(ns[d], ns_a_frame, sizeof ns_a_frame);
    }
    printf("%-28s %10s %10s %10s %8s\n", "ns a frame; stack of", "8", "33", "103", "ratio");
    for (int m = 0; m < METHODS; m++) {
        if (ns[2][m] == 0) {
            printf("%-28s not installed\n", methods[m].name);
            continue;
        }
        printf("%-28s %10.1f %10.1f %10.1f %8.2f\n", methods[m].name, ns[0][m], ns[1][m], ns[2][m],
               ns[2][m] / ns[2][0]);
    }
    return 0;
}
