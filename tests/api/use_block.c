/* SPDX-License-Identifier: MIT
 *
 * A program that turns the profiles of waits on and off itself, and has a lock of its own making:
 * use_block FILE. It prints what its waits must be in the block profile that it writes there, in
 * the form of tests/programs/wait.c. */
#include <strobe/strobe.h>

#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KNOWN __attribute__((noinline, noclone, used))

static uint32_t word;
static uint64_t waited_ns;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 30 ms, in two futex waits: as one wait where the program says so. */
static void doze(void)
{
    struct timespec t = {0, 15000000};
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0);
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0);
}

KNOWN static void before(void)
{
    doze();
    __asm__ volatile("" ::: "memory");
}

KNOWN static void home_made(void)
{
    uint64_t began = now();
    strobe_block_begin("my lock");
    doze();
    strobe_block_end();
    waited_ns += now() - began;
}

KNOWN static void raw_futex(void)
{
    uint64_t began = now();
    doze();
    waited_ns += now() - began;
}

KNOWN static void after(void)
{
    doze();
    __asm__ volatile("" ::: "memory");
}

static int write_file(void *file, const void *bytes, size_t size)
{
    return fwrite(bytes, 1, size, file) != size;
}

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "wb") : NULL;
    if (!f)
        return 2;
    before();
    strobe_block_end(); /* of nothing */
    if (strobe_set_block_rate(1) != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        home_made();
    printf("block home_made 3 %llu\n", (unsigned long long)waited_ns);
    waited_ns = 0;
    raw_futex();
    printf("block raw_futex 2 %llu\n", (unsigned long long)waited_ns);
    strobe_set_block_rate(0);
    after();
    if (strobe_set_mutex_fraction(5) != 0 || strobe_set_mutex_fraction(-1) != 5 ||
        strobe_set_mutex_fraction(0) != 5)
        return 1;
    if (strobe_write(strobe_lookup("block"), write_file, f, 0) != 0)
        return 1;
    return fclose(f) != 0;
}
