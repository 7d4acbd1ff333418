/* SPDX-License-Identifier: MIT
 *
 * One of each kind of frame that compilers make, to be stepped through instruction by instruction.
 * Built many ways; must not depend on how. */
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static volatile unsigned sink;

NOINLINE static unsigned recursion(unsigned n)
{
    unsigned below = n ? recursion(n - 1) : 1;
    return below * 3 + n;
}

NOINLINE static unsigned red_zone_leaf(unsigned a)
{
    volatile unsigned local[8];
    for (unsigned i = 0; i < 8; i++)
        local[i] = a + i;
    return local[a & 7];
}

NOINLINE static void use(char *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (char)(i + n);
    sink += (unsigned char)p[n / 2];
}

NOINLINE static unsigned with_alloca(unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        use(alloca(i * 24), i * 24);
    return sink;
}

NOINLINE static unsigned with_vla(unsigned n)
{
    char bytes[n * 16 + 1];
    use(bytes, n * 16);
    return (unsigned char)bytes[n];
}

NOINLINE static unsigned realigned(unsigned n)
{
    char block[128] __attribute__((aligned(64)));
    use(block, 128);
    return n ? realigned(n - 1) + (unsigned char)block[n] : (uintptr_t)block % 64;
}

/* Many arguments on the stack, a dynamic frame and realignment at once: both frame pointer and
 * argument pointer are needed. */
NOINLINE static unsigned realigned_dynamic(unsigned a, unsigned b, unsigned c, unsigned d,
                                           unsigned e, unsigned f, unsigned g, unsigned h)
{
    char block[64] __attribute__((aligned(32)));
    char *more = alloca(a * 8 + 1);
    use(block, 64);
    use(more, a * 8);
    return a + b + c + d + e + f + g + h + (unsigned char)block[3] + (unsigned char)more[0];
}

__attribute__((noinline, force_align_arg_pointer)) static unsigned forced(unsigned n)
{
    return red_zone_leaf(n) + recursion(2);
}

NOINLINE static unsigned tail_target(unsigned n)
{
    return n ? red_zone_leaf(n) : 5;
}

NOINLINE static unsigned tail_call(unsigned n)
{
    use((char[32]){0}, 32);
    return tail_target(n + 1);
}

static jmp_buf back;

__attribute__((noinline, noreturn)) static void never_returns(unsigned n)
{
    sink += recursion(2);
    longjmp(back, (int)n + 1);
}

/* The call is the function's last instruction: the return address lies behind its end. */
NOINLINE static void ends_in_a_call(unsigned n)
{
    sink++;
    never_returns(n);
}

NOINLINE static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

NOINLINE static void callbacks(void)
{
    unsigned v[9];
    for (unsigned i = 0; i < 9; i++)
        v[i] = (i * 7) % 9;
    qsort(v, 9, sizeof *v, compare);
    unsigned key = 4;
    sink += bsearch(&key, v, 9, sizeof *v, compare) != NULL;
}

NOINLINE static unsigned large_frame(unsigned n)
{
    volatile char block[300000];
    block[n] = (char)n;
    block[299999] = 1;
    return (unsigned char)block[n] + red_zone_leaf(n);
}

NOINLINE static double many_registers(double a, double b, unsigned n)
{
    double c = a * b, d = a + b, e = a - b, f = a / (b + 1);
    unsigned g = n * 3, h = n ^ 5, i = n + 9, j = n - 3, k = n * n, l = n << 2;
    for (unsigned m = 0; m < 3; m++) {
        sink += red_zone_leaf(m);
        c += d * m, d += e, e *= f, f -= c;
        g += h, h ^= i, i += j, j *= k, k -= l, l += g;
    }
    return c + d + e + f + g + h + i + j + k + l;
}

NOINLINE static unsigned switcher(unsigned n)
{
    switch (n % 7) {
    case 0: return red_zone_leaf(n);
    case 1: return tail_call(n);
    case 2: return with_vla(n);
    case 3: return recursion(n);
    case 4: sink++; return switcher(n + 1) + 1;
    case 5: return (unsigned)strlen("five") + n;
    default: return n;
    }
}

static void handler(int sig)
{
    sink += recursion(3) + realigned(1);
}

NOINLINE static void signals(void)
{
    static char alternate[1 << 16];
    struct sigaction sa = {.sa_handler = handler};
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    sigaltstack(&ss, NULL);
    sa.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR2);
    kill(getpid(), SIGUSR1);
}

int main(int argc, char **argv)
{
    unsigned n = (unsigned)argc + 2;
    sink += recursion(argc > 1 ? 300 : 40);
    sink += red_zone_leaf(n) + with_alloca(n + 1) + with_vla(n) + realigned(2);
    sink += realigned_dynamic(1, 2, 3, 4, 5, 6, 7, n) + forced(n) + tail_call(n);
    if (setjmp(back) == 0)
        ends_in_a_call(n);
    callbacks();
    sink += large_frame(n);
    sink += (unsigned)many_registers(1.5, 2.5, n);
    for (unsigned i = 0; i < 7; i++)
        sink += switcher(i);
    signals();
    return 0;
}
