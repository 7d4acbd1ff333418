/* SPDX-License-Identifier: MIT
 *
 * The counting table: equal stacks are one entry, different ones never are, and every point that
 * was added is either read back or counted as lost, also by many threads at once. Run under TSan,
 * too. */
#include "base/stacktab.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

static struct stacktab *table;

static int make(void **state)
{
    (void)state;
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return table == MAP_FAILED;
}

static int drop(void **state)
{
    (void)state;
    return munmap(table, sizeof *table);
}

static void add(uint16_t depth, const uint64_t *pcs, uint64_t weight)
{
    struct stacktab_key key = {.depth = depth};
    stacktab_add(table, &key, pcs, weight);
}

/* The number of stacks that can be read, and the sum of their points. */
static uint32_t count(uint64_t *points)
{
    uint32_t n = 0;
    *points = 0;
    for (uint32_t i = 0; (i = stacktab_next(table, i)) < STACKTAB_ENTRIES; i++)
        if (atomic_load(&table->entries[i].ready)) {
            n++;
            *points += atomic_load(&table->entries[i].weight);
        }
    return n;
}

static const struct stacktab_entry *find(uint16_t depth, const uint64_t *pcs)
{
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &table->entries[i];
        if (atomic_load(&e->ready) && e->key.depth == depth &&
            memcmp(table->words + e->first, pcs, depth * sizeof *pcs) == 0)
            return e;
    }
    return NULL;
}

static void equal_stacks_are_added(void **state)
{
    (void)state;
    const uint64_t pcs[] = {3, 2, 1};
    uint64_t points;
    add(3, pcs, 5);
    add(3, pcs, 7);
    add(2, pcs, 1);
    add(0, pcs, 2);
    assert_int_equal(count(&points), 3);
    assert_int_equal(points, 15);
    assert_int_equal(atomic_load(&find(3, pcs)->weight), 12);
    assert_int_equal(atomic_load(&find(2, pcs)->weight), 1);
    assert_int_equal(atomic_load(&find(0, pcs)->weight), 2);
    assert_int_equal(stacktab_lost(table), 0);
}

static void every_part_of_the_key_tells_stacks_apart(void **state)
{
    (void)state;
    const uint64_t pcs[] = {1, 2}, swapped[] = {2, 1};
    const struct stacktab_key keys[] = {{.depth = 2},
                                        {.depth = 2, .flags = 1},
                                        {.depth = 2, .flags = 2},
                                        {.depth = 2, .reason = 1},
                                        {.depth = 2, .epoch = 1},
                                        {.depth = 1}};
    uint64_t points;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        stacktab_add(table, &keys[i], pcs, 1);
    add(2, swapped, 1);
    assert_int_equal(count(&points), sizeof keys / sizeof *keys + 1);
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++)
        if (atomic_load(&table->entries[i].ready))
            assert_int_equal(atomic_load(&table->entries[i].weight), 1);
}

/* More stacks than entries, then one that is known: it is still counted. */
static void a_full_table_counts_what_it_loses(void **state)
{
    (void)state;
    uint64_t points, first = 1;
    add(1, &first, 1);
    for (uint64_t pc = 2; pc <= 2 * STACKTAB_ENTRIES; pc++)
        add(1, &pc, 3);
    assert_true(count(&points) <= STACKTAB_ENTRIES);
    assert_true(count(&points) > STACKTAB_ENTRIES * 9 / 10);
    assert_true(stacktab_lost(table) > 0);
    assert_int_equal(points + stacktab_lost(table), 1 + 3 * (2 * STACKTAB_ENTRIES - 1));
    uint64_t lost = stacktab_lost(table);
    add(1, &first, 10);
    assert_int_equal(stacktab_lost(table), lost);
    assert_int_equal(atomic_load(&find(1, &first)->weight), 11);
}

static void stacks_without_room_for_their_words_are_lost_and_counted(void **state)
{
    (void)state;
    enum { DEPTH = 512, STACKS = STACKTAB_WORDS / DEPTH };
    uint64_t pcs[DEPTH] = {0}, points;
    for (uint64_t i = 0; i < STACKS + 100; i++) {
        pcs[0] = i + 1;
        add(DEPTH, pcs, 2);
        add(DEPTH, pcs, 1);
    }
    assert_int_equal(count(&points), STACKS);
    assert_int_equal(points, 3 * STACKS);
    assert_int_equal(stacktab_lost(table), 300);
    pcs[0] = 1;
    add(DEPTH, pcs, 1);
    assert_int_equal(atomic_load(&find(DEPTH, pcs)->weight), 4);
}

static void a_cleared_table_is_empty_and_usable(void **state)
{
    (void)state;
    uint64_t pc = 1, points;
    for (; pc <= 2 * STACKTAB_ENTRIES; pc++)
        add(1, &pc, 1);
    stacktab_clear(table);
    assert_int_equal(count(&points), 0);
    assert_int_equal(stacktab_lost(table), 0);
    add(1, &pc, 4);
    assert_int_equal(count(&points), 1);
    assert_int_equal(points, 4);
}

/* ---- many threads ---- */

enum { THREADS = 4, ROUNDS = 20000, KINDS = 500 };

static _Atomic int writing;

/* Stack k has k % 40 + 2 frames, each k * 1000 + its place: a torn one shows. */
static uint16_t stack_of(uint64_t k, uint64_t *pcs)
{
    uint16_t depth = (uint16_t)(k % 40 + 2);
    for (uint16_t i = 0; i < depth; i++)
        pcs[i] = k * 1000 + i;
    return depth;
}

static void *write_stacks(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    uint64_t pcs[64];
    for (int i = 0; i < ROUNDS; i++) {
        uint16_t depth = stack_of((uint64_t)rand_r(&seed) % KINDS, pcs);
        add(depth, pcs, (uint64_t)i % 3 + 1);
    }
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

static void check_entry(const struct stacktab_entry *e)
{
    uint64_t pcs[64];
    assert_in_range(e->first + (uint64_t)e->key.depth, 2, STACKTAB_WORDS);
    uint64_t k = table->words[e->first] / 1000;
    assert_true(k < KINDS);
    assert_int_equal(stack_of(k, pcs), e->key.depth);
    assert_memory_equal(table->words + e->first, pcs, e->key.depth * sizeof *pcs);
}

static void many_threads_lose_and_tear_nothing(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    atomic_store(&writing, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, write_stacks, &seeds[i]), 0);
    }
    do { /* what is ready is whole, while others write */
        for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++)
            if (atomic_load_explicit(&table->entries[i].ready, memory_order_acquire))
                check_entry(&table->entries[i]);
    } while (atomic_load(&writing));
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    uint64_t want = 0, points;
    for (int i = 0; i < ROUNDS; i++)
        want += (uint64_t)(i % 3 + 1) * THREADS;
    assert_int_equal(count(&points), KINDS);
    assert_int_equal(points, want);
    assert_int_equal(stacktab_lost(table), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_stacks_are_added, make, drop),
        cmocka_unit_test_setup_teardown(every_part_of_the_key_tells_stacks_apart, make, drop),
        cmocka_unit_test_setup_teardown(a_full_table_counts_what_it_loses, make, drop),
        cmocka_unit_test_setup_teardown(stacks_without_room_for_their_words_are_lost_and_counted,
                                        make, drop),
        cmocka_unit_test_setup_teardown(a_cleared_table_is_empty_and_usable, make, drop),
        cmocka_unit_test_setup_teardown(many_threads_lose_and_tear_nothing, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
