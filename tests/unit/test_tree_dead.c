/* SPDX-License-Identifier: MIT
 *
 * The sum of a tree's processes that have ended: equal stacks are one, wherever their modules lay;
 * modules in each other's way are told apart; and what a program has scribbled over harms nobody.
 */
#include "base/waittab.h"
#include "runtime/encode.h"
#include "runtime/sites.h"
#include "runtime/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { LOG_BYTES = 1 << 20, DEPTH = 3 };

struct process {
    struct module modules[RUNTIME_MODULES];
    struct stacktab cpu, creations;
    struct sites heap;
    unsigned char heap_log[LOG_BYTES], waits_log[LOG_BYTES];
};

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static void load(struct process *p, const char *path, uint64_t start, uint64_t size)
{
    uint32_t n = 0;
    while (p->modules[n].limit)
        n++;
    struct module *m = &p->modules[n];
    m->start = start;
    m->limit = start + size;
    m->path_len = (uint16_t)strlen(path);
    strcpy(m->path, path);
    atomic_store(&m->ready, 1);
}

/* Allocates `count` objects of 100 bytes, all of them kept. */
static void allocate(struct process *p, const uint64_t *pcs, uint64_t count)
{
    struct heap_stack s = {.pcs = pcs, .depth = DEPTH, .rate = 1};
    if (!p->heap.tab)
        sites_use(&p->heap, p->heap_log, LOG_BYTES);
    uint32_t number = sites_find(&p->heap, &s, 100);
    assert_true(number != 0);
    struct heaptab_site *site = sites_get(&p->heap, number);
    atomic_fetch_add(&site->n[HEAPTAB_RAW_ALLOCS], count);
    atomic_fetch_add(&site->n[HEAPTAB_RAW_ALLOC_BYTES], count * 100);
}

static struct tree_process as_source(struct process *p)
{
    return (struct tree_process){.modules = p->modules,
                                 .heap = (struct heaptab *)p->heap_log,
                                 .waits = (struct heaptab *)p->waits_log,
                                 .heap_bytes = LOG_BYTES,
                                 .waits_bytes = LOG_BYTES,
                                 .cpu = &p->cpu,
                                 .creations = &p->creations};
}

static struct tree_grave as_grave(struct process *p)
{
    return (struct tree_grave){.modules = p->modules,
                               .heap = (struct heaptab *)p->heap_log,
                               .waits = (struct heaptab *)p->waits_log,
                               .heap_bytes = LOG_BYTES,
                               .waits_bytes = LOG_BYTES,
                               .cpu = &p->cpu,
                               .creations = &p->creations};
}

static void bury(struct tree_dead *d, struct process *p, struct process *sum)
{
    struct tree_process from = as_source(p);
    struct tree_grave to = as_grave(sum);
    rt.pid = 1;
    assert_true(tree_dead_lock(d));
    tree_bury(d, &from, &to, true);
    tree_dead_unlock(d);
}

/* The number of sites, and what all of them have. */
static uint32_t sum_up(struct process *sum, struct heaptab_values *all)
{
    const struct heaptab *t = (struct heaptab *)sum->heap_log;
    uint32_t n = 0;
    *all = (struct heaptab_values){0};
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(t, LOG_BYTES, s)); n++) {
        struct heaptab_values v;
        heaptab_read(t, s, false, &v);
        all->alloc_objects += v.alloc_objects;
        all->alloc_bytes += v.alloc_bytes;
        all->inuse_objects += v.inuse_objects;
    }
    return n;
}

static void equal_stacks_are_one_wherever_they_lay(void **state)
{
    (void)state;
    struct tree_dead *d = map(sizeof *d);
    struct process *sum = map(sizeof *sum);
    struct heaptab_values all;
    for (uint64_t i = 0; i < 200; i++) {
        struct process *p = map(sizeof *p);
        uint64_t base = 0x10000000 + i * 0x100000;
        load(p, "/bin/program", base, 0x10000);
        uint64_t pcs[DEPTH] = {base + 0x100, base + 0x200, base + 0x300};
        struct stacktab_key key = {.depth = DEPTH};
        allocate(p, pcs, i);
        stacktab_add(&p->creations, &key, pcs, 2);
        stacktab_add(&p->cpu, &key, pcs, 3);
        bury(d, p, sum);
        munmap(p, sizeof *p);
    }
    assert_int_equal(sum_up(sum, &all), 1);
    assert_int_equal(all.alloc_objects, 199 * 200 / 2);
    assert_int_equal(all.alloc_bytes, 199 * 200 / 2 * 100);
    assert_int_equal(all.inuse_objects, 0);
    assert_int_equal(d->processes, 200);
    assert_int_equal(d->cut, 0);
    uint32_t at = stacktab_next(&sum->creations, 0);
    assert_true(at < STACKTAB_ENTRIES);
    assert_int_equal(sum->creations.entries[at].weight, 400);
    assert_int_equal(stacktab_next(&sum->creations, at + 1), STACKTAB_ENTRIES);
    at = stacktab_next(&sum->cpu, 0);
    assert_int_equal(sum->cpu.entries[at].weight, 600);
    munmap(sum, sizeof *sum);
    munmap(d, sizeof *d);
}

/* Two programs at the same addresses: each stack lies in its own. */
static void modules_in_the_way_are_moved(void **state)
{
    (void)state;
    static const char *const paths[] = {"/bin/one", "/bin/other"};
    struct tree_dead *d = map(sizeof *d);
    struct process *sum = map(sizeof *sum);
    uint64_t pcs[DEPTH] = {0x400100, 0x400200, 0x400300};
    for (int i = 0; i < 2; i++) {
        struct process *p = map(sizeof *p);
        load(p, paths[i], 0x400000, 0x10000);
        allocate(p, pcs, 1 + (uint64_t)i);
        bury(d, p, sum);
        munmap(p, sizeof *p);
    }
    const struct heaptab *t = (struct heaptab *)sum->heap_log;
    const struct heaptab_site *s = NULL;
    for (int i = 0; i < 2; i++) {
        s = heaptab_next(t, LOG_BYTES, s);
        assert_non_null(s);
        assert_int_equal(s->n[HEAPTAB_RAW_ALLOCS], 1 + i);
        for (uint32_t k = 0; k < DEPTH; k++) {
            const struct module *m = encode_find_module(sum->modules, s->pcs[k], s->epoch);
            assert_non_null(m);
            assert_string_equal(m->path, paths[i]);
            assert_int_equal(s->pcs[k] - m->start, pcs[k] - 0x400000);
        }
    }
    assert_null(heaptab_next(t, LOG_BYTES, s));
    munmap(sum, sizeof *sum);
    munmap(d, sizeof *d);
}

/* Bytes of the segment that a program has written over, in the process's part and in the sum. */
static void what_was_scribbled_over_harms_nobody(void **state)
{
    (void)state;
    struct tree_dead *d = map(sizeof *d);
    struct process *sum = map(sizeof *sum), *p = map(sizeof *p);
    load(p, "/bin/program", 0x10000000, 0x10000);
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t pcs[DEPTH] = {0x10000100 + i, 0x10000200, 0x10000300};
        struct stacktab_key key = {.depth = DEPTH};
        allocate(p, pcs, 1);
        stacktab_add(&p->creations, &key, pcs, 1);
    }
    srand(7);
    for (int i = 0; i < 3000; i++) {
        p->heap_log[(size_t)rand() % 8192] = (unsigned char)rand();
        uint32_t at = stacktab_next(&p->creations, (uint32_t)rand() % STACKTAB_ENTRIES);
        if (at < STACKTAB_ENTRIES)
            ((unsigned char *)&p->creations.entries[at])[rand() % 40] = (unsigned char)rand();
        if (i % 3 == 0)
            d->heap_index[rand() % TREE_DEAD_INDEX] = (uint32_t)rand();
        if (i % 5 == 0)
            sum->heap_log[(size_t)rand() % 4096] = (unsigned char)rand();
        bury(d, p, sum);
        if (i % 50 == 0) { /* else nothing is left that looks like a log */
            memset(sum->heap_log, 0, sizeof(struct heaptab));
            memset(p->heap_log, 0, LOG_BYTES);
            sites_clear(&p->heap);
            uint64_t pcs[DEPTH] = {0x10000100, 0x10000200, 0x10000300};
            allocate(p, pcs, 1);
        }
    }
    assert_int_equal(d->processes, 3000);
    munmap(p, sizeof *p);
    munmap(sum, sizeof *sum);
    munmap(d, sizeof *d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_stacks_are_one_wherever_they_lay),
        cmocka_unit_test(modules_in_the_way_are_moved),
        cmocka_unit_test(what_was_scribbled_over_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
