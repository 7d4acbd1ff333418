/* SPDX-License-Identifier: MIT
 *
 * A program that knows its own symbols: it prints its executable mappings, and for places in its
 * code the address and the frames that a symbolizer must find there, innermost first. Compiled
 * in many ways by formats.sh. always_inline holds at -O0 too, so the frames are the same in all. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER  __attribute__((noinline))
#define ALWAYS static inline __attribute__((always_inline))
#define KEEP() __asm__ volatile("" ::: "memory") /* a call before it is no tail call */

NEVER void here(const char *frames)
{
    KEEP();
    printf("at %lx %s\n", (unsigned long)(uintptr_t)__builtin_return_address(0) - 1, frames);
}

#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)

#define INNER_LINE 30
#define MID_LINE   37
#define OUTER_LINE 43
#define FRAMES     "inner:" TEXT(INNER_LINE) " mid:" TEXT(MID_LINE) " outer:" TEXT(OUTER_LINE)

ALWAYS int inner(int x)
{
    here(FRAMES); /* INNER */
    KEEP();
    return x * 3;
}

ALWAYS int mid(int x)
{
    int y = inner(x + 1); /* MID */
    return y ^ 5;
}

NEVER int outer(int x)
{
    int y = mid(x) + 1; /* OUTER */
    here("outer:" TEXT(__LINE__));
    KEEP();
    return y;
}

static NEVER int other(int x)
{
    here("other:" TEXT(__LINE__));
    KEEP();
    here("other:" TEXT(__LINE__));
    KEEP();
    return x + 7;
}

static void print_mappings(void)
{
    char line[4500], path[4096];
    unsigned long lo, hi, offset;
    char mode[8];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        path[0] = 0;
        int n = sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &lo, &hi, mode, &offset, path);
        if (n >= 4 && mode[2] == 'x')
            printf("map %lx %lx %lx %s\n", lo, hi, offset, path);
    }
}

int main(int argc, char **argv)
{
    print_mappings();
    int x = outer(argc) + other(argc);
    here("main:" TEXT(__LINE__));
    KEEP();
    return x == 12345 && argv[1] != NULL;
}
