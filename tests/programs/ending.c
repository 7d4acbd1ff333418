/* SPDX-License-Identifier: MIT
 *
 * Burns CPU and ends in one of the ways a program can end; the profile must be there after each.
 * usage: ending MILLISECONDS HOW, with HOW of return exit _exit quick_exit abort segv term kill, or
 * hang, which burns on until a signal ends it. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile uintptr_t nowhere = 8;

static void burn_until(double cpu_s)
{
    struct timespec t;
    do {
        for (volatile int i = 0; i < 100000; i++)
            continue;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while ((double)t.tv_sec + (double)t.tv_nsec / 1e9 < cpu_s);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *how = argv[2];
    burn_until(atof(argv[1]) / 1000);
    printf("done\n");
    fflush(stdout);
    if (strcmp(how, "exit") == 0)
        exit(7);
    if (strcmp(how, "_exit") == 0)
        _exit(7);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(7);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "segv") == 0)
        *(volatile int *)nowhere = 1;
    if (strcmp(how, "term") == 0)
        raise(SIGTERM);
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "hang") == 0)
        burn_until(1e6);
    return 7;
}
