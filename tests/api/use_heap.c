/* SPDX-License-Identifier: MIT
 *
 * A program that samples its heap at one rate after the other: use_heap FILE. It prints what must
 * be in the profile that it writes there: function, objects and bytes allocated, objects and bytes
 * in use, and the rate of the time. */
#include <strobe/strobe.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define KNOWN __attribute__((noinline, noclone, used))

enum { KEPT_MAX = 40000, BEFORE = 1000, EVERY_ONE = 2000 };

static void *kept[KEPT_MAX];
static int kept_count;

/* Allocates and frees every second one. */
static inline __attribute__((always_inline)) void work(int objects, size_t size)
{
    for (int i = 0; i < objects; i++) {
        void *p = malloc(size);
        __asm__ volatile("" : : "r"(p) : "memory");
        if (i % 2)
            free(p);
        else
            kept[kept_count++] = p;
    }
}

static void say(const char *name, int objects, size_t size, int rate)
{
    printf("%s %d %zu %d %zu %d\n", name, objects, (size_t)objects * size, objects / 2,
           (size_t)(objects / 2) * size, rate);
}

KNOWN static void before(void)
{
    work(BEFORE, 100);
}

KNOWN static void every_one(void)
{
    work(EVERY_ONE, 72);
    printf("every_one %d %d 0 0 1\n", EVERY_ONE, EVERY_ONE * 72); /* main frees the others */
}

KNOWN static void some(void)
{
    work(8000, 200);
    say("some", 8000, 200, 4096);
}

KNOWN static void few(void)
{
    work(20000, 1000);
    say("few", 20000, 1000, 65536);
}

KNOWN static void none(void)
{
    work(1000, 100000);
}

KNOWN static void again(void)
{
    work(3000, 24);
    for (int i = kept_count - 1500; i < kept_count - 1000; i++)
        free(kept[i]);
    printf("again 3000 72000 1000 24000 1\n");
}

/* The rate changes in the middle of it, by another thread: the estimate stays without bias. The
 * spread is at most that of the larger rate. */
enum { CHANGES = 40, PIECE = 500, PIECE_BYTES = 300 };

static atomic_int turn;

KNOWN static void all_the_while(void)
{
    for (int i = 0; i < PIECE; i++) {
        void *p = malloc(PIECE_BYTES);
        __asm__ volatile("" : : "r"(p) : "memory");
        free(p);
    }
}

static void *other_thread(void *unused)
{
    for (int i = 0; i < CHANGES; i++) {
        while (atomic_load(&turn) != 2 * i + 1)
            sched_yield();
        all_the_while();
        atomic_store(&turn, 2 * i + 2);
    }
    return unused;
}

static void change_under_another(void)
{
    pthread_t t;
    pthread_create(&t, NULL, other_thread, NULL);
    for (int i = 0; i < CHANGES; i++) {
        strobe_heap_set_rate(i % 2 ? 2048 : 32768);
        atomic_store(&turn, 2 * i + 1);
        while (atomic_load(&turn) != 2 * i + 2)
            sched_yield();
    }
    pthread_join(t, NULL);
    printf("all_the_while %d %d 0 0 32768\n", CHANGES * PIECE, CHANGES * PIECE * PIECE_BYTES);
}

static int write_to(void *file, const void *bytes, size_t size)
{
    return fwrite(bytes, 1, size, file) != size;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    before();
    if (strobe_heap_set_rate(1) != 0)
        return 1;
    every_one();
    strobe_heap_set_rate(4096);
    some();
    strobe_heap_set_rate(65536);
    few();
    for (int i = 0; i < BEFORE / 2 + EVERY_ONE / 2; i++) /* what was sampled is followed */
        free(kept[i]);
    strobe_heap_set_rate(0);
    none();
    change_under_another();
    strobe_heap_set_rate(1);
    again();
    FILE *f = fopen(argv[1], "w");
    return !f || strobe_write(strobe_lookup("heap"), write_to, f, 0) != 0 || fclose(f) != 0;
}
