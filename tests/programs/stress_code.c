/* SPDX-License-Identifier: MIT
 *
 * Code that is hard to unwind: stress_code CASE [FILE]. Coroutines on stacks of their own, jumps,
 * the kernel's page of code, code made at run time, calls that never return, modules that come and
 * go. Each prints what must be the same under strobe, and its samples must reach a root. */
#include "stress.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { COROUTINES = 50, ROUNDS = 20, STACK = 64 << 10 };

static ucontext_t home, coroutines[COROUTINES];
static int switches;

static void coroutine(int i)
{
    for (int k = 0; k < ROUNDS; k++) {
        stress_sink += burn_rounds(300000);
        switches++;
        swapcontext(&coroutines[i], &home);
    }
}

static void make_coroutine(int i)
{
    char *stack = malloc(STACK);
    MUST(stack && getcontext(&coroutines[i]) == 0);
    coroutines[i].uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK};
    coroutines[i].uc_link = &home;
    makecontext(&coroutines[i], (void (*)(void))coroutine, 1, i);
}

static void case_coroutines(const char *file)
{
    (void)file;
    for (int i = 0; i < COROUTINES; i++)
        make_coroutine(i);
    for (int k = 0; k < ROUNDS; k++)
        for (int i = 0; i < COROUTINES; i++)
            swapcontext(&home, &coroutines[i]);
    printf("%d switches\n", switches);
}

static jmp_buf top;

KEEP static int descend(int n, int rounds)
{
    if (n == 0) {
        stress_sink += burn_rounds((uint64_t)rounds);
        if (rounds)
            longjmp(top, 1);
        return 0;
    }
    return descend(n - 1, rounds) + 1;
}

static void case_longjmp(const char *file)
{
    volatile int n = 0;
    (void)file;
    while (n < 3000)
        if (setjmp(top) == 0)
            descend(n % 50, 20000);
        else
            n = n + 1;
    printf("%d jumps\n", n);
}

static void case_vdso(const char *file)
{
    struct timespec t;
    double end = cpu_s(CLOCK_THREAD_CPUTIME_ID) + 0.3;
    (void)file;
    while (cpu_s(CLOCK_THREAD_CPUTIME_ID) < end)
        for (int i = 0; i < 1000; i++)
            clock_gettime(CLOCK_MONOTONIC, &t);
    printf("the clock was asked\n");
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

/* Short calls through the PLT, callbacks from libc, tail calls into it. */
KEEP static size_t tail(const char *s)
{
    return strlen(s);
}

static void case_calls(const char *file)
{
    static uint64_t table[4096];
    char text[64] = "a text";
    (void)file;
    for (int k = 0; k < 60; k++) {
        for (int i = 0; i < 4096; i++)
            table[i] = stress_sink = stress_sink * 6364136223846793005u + 1;
        qsort(table, 4096, sizeof *table, compare);
        for (int i = 0; i < 20000; i++) {
            text[i % 6] = 'b';
            stress_sink += tail(text) + (uint64_t)abs(i);
        }
    }
    printf("sorted\n");
}

/* A call that is the last instruction of its function: the return address lies in the next one. */
__attribute__((noreturn, noinline)) static void never_returns(void)
{
    burn_cpu(0.2);
    printf("left from below\n");
    exit(0);
}

KEEP static void ends_in_call(int go)
{
    if (go)
        never_returns();
    __builtin_unreachable();
}

static void case_noreturn(const char *file)
{
    (void)file;
    ends_in_call(1);
}

/* Machine code without any table, but with a frame pointer, as JIT compilers make it:
 * push rbp; mov rbp, rsp; mov rax, rdi; call rax; pop rbp; ret */
static void case_jit(const char *file)
{
    (void)file;
#if defined(__x86_64__)
    static const unsigned char frame[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x89,
                                          0xf8, 0xff, 0xd0, 0x5d, 0xc3};
    /* push rbp; mov rbp, rsp; mov rax, rdi; 1: dec rax; jnz 1b; pop rbp; ret */
    static const unsigned char loop[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8,
                                         0x48, 0xff, 0xc8, 0x75, 0xfb, 0x5d, 0xc3};
    unsigned char *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(code != MAP_FAILED);
    memcpy(code, frame, sizeof frame);
    memcpy(code + 64, loop, sizeof loop);
    double end = cpu_s(CLOCK_THREAD_CPUTIME_ID) + 0.3;
    while (cpu_s(CLOCK_THREAD_CPUTIME_ID) < end)
        ((void (*)(uint64_t))(uintptr_t)(code + 64))(200000);
    void (*through)(void (*)(void)) = (void (*)(void (*)(void)))(uintptr_t)code;
    through((void (*)(void))never_returns);
#endif
}

static int stop;

static void *load_and_unload(void *file)
{
    long loads = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *h = dlopen(file, RTLD_NOW);
        MUST(h);
        void (*burn)(uint64_t);
        *(void **)&burn = dlsym(h, "plugin_burn");
        MUST(burn);
        burn(50000);
        dlclose(h);
        loads++;
    }
    return (void *)loads;
}

static void case_dlopen(const char *file)
{
    pthread_t t[2];
    void *loads;
    long all = 0;
    MUST(file);
    for (int i = 0; i < 2; i++)
        MUST(pthread_create(&t[i], NULL, load_and_unload, (void *)file) == 0);
    burn_cpu(0.3);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], &loads);
        all += (long)loads;
    }
    printf("%s\n", all > 10 ? "loaded and unloaded" : "too few");
}

static const struct {
    const char *name;
    void (*run)(const char *file);
} cases[] = {
    {"coroutines", case_coroutines}, {"longjmp", case_longjmp},   {"vdso", case_vdso},
    {"calls", case_calls},           {"noreturn", case_noreturn}, {"jit", case_jit},
    {"dlopen", case_dlopen},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(argc > 2 ? argv[2] : NULL);
            return 0;
        }
    fprintf(stderr, "usage: stress_code CASE [FILE]\n");
    return 2;
}
