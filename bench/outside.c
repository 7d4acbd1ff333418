/* SPDX-License-Identifier: MIT
 *
 * outside ROUNDS: the same work each time, 30 frames deep; prints the CPU time that it took, in
 * nanoseconds. Linked statically it is what strobe samples from outside. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

__attribute__((noinline)) static unsigned long work(unsigned long x)
{
    for (unsigned long i = 0; i < 2000; i++)
        x = x * 6364136223846793005ul + i;
    return x;
}

__attribute__((noinline)) static unsigned long deep(unsigned depth, unsigned long x)
{
    volatile char room[200];
    room[depth] = 1;
    return depth ? deep(depth - 1, x) + (unsigned long)room[depth] : work(x);
}

int main(int argc, char **argv)
{
    struct timespec t;
    for (long i = 0; i < atol(argv[argc - 1]); i++)
        sink += deep(30, (unsigned long)i);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    printf("%lld\n", (long long)t.tv_sec * 1000000000 + t.tv_nsec);
    return 0;
}
