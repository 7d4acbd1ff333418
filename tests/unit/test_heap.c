/* SPDX-License-Identifier: MIT
 *
 * The parts of the heap profile: chance and weights against their formulas, the table of live
 * objects against a plain list, the log of sites as writers and as hostile programs leave it. */
#include "base/heaptab.h"
#include "runtime/heap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

/* ---- chance ---- */

static void intervals_are_exponential(void **state)
{
    (void)state;
    struct heap_thread t = {.random = 12345};
    enum { N = 200000 };
    const double rate = 1000;
    double sum = 0;
    long above = 0;
    for (int i = 0; i < N; i++) {
        uint64_t x = heap_random_interval(&t, (uint64_t)rate);
        sum += (double)x;
        above += x >= 1000;
    }
    /* Geometric: the mean is that of floor(X), 1/(e^(1/rate)-1); the deviation is about the rate.
     */
    assert_true(fabs(sum / N - 1 / expm1(1 / rate)) < 3 * rate / sqrt(N));
    double p = exp(-1);
    assert_true(fabs((double)above / N - p) < 3 * sqrt(p * (1 - p) / N));
}

static void every_byte_is_a_point_at_rate_1(void **state)
{
    (void)state;
    struct heap_thread t = {.random = 1};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(heap_random_interval(&t, 1), 0);
    assert_true(heap_weight(0, 1) == 1 && heap_weight(1 << 20, 1) == 1);
}

static void weights_are_one_over_the_probability(void **state)
{
    (void)state;
    const uint64_t rates[] = {2, 100, 4096, 524288, 1ull << 40};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t n = 0; n < (1ull << 36); n = n * 3 + 1) {
            double q = -expm1(-((double)n + 1) / (double)rates[r]);
            assert_true(fabs((double)heap_weight(n, rates[r]) * q - 1) < 1e-6);
        }
}

/* ---- the table of live objects ---- */

enum { MODEL = 20000 };

static void live_objects_are_found_until_they_are_taken(void **state)
{
    (void)state;
    static struct heap_object model[MODEL];
    struct heap_object was;
    uint64_t x = 88172645463325252ull;
    live_clear();
    for (int step = 0; step < 400000; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        struct heap_object *m = &model[x % MODEL];
        uint64_t address = 0x7f0000000000 + (x % MODEL) * 4096;
        if (m->address) {
            assert_true(live_may_have(address));
            assert_true(live_take(address, &was));
            assert_int_equal(was.size, m->size);
            assert_int_equal(was.site, m->site);
            assert_int_equal(was.born_s, m->born_s);
            m->address = 0;
        } else {
            *m = (struct heap_object){.address = address,
                                      .size = x >> 20 & 0xffffffffff,
                                      .site = x >> 3 & 0xffffff,
                                      .born_s = x >> 40 & 0xffff};
            assert_int_equal(live_put(m, &was), 0);
            assert_int_equal(was.address, 0);
        }
    }
    for (int i = 0; i < MODEL; i++)
        assert_int_equal(live_take(0x7f0000000000 + (uint64_t)i * 4096, &was),
                         model[i].address != 0);
    live_clear();
}

static void what_never_was_live_is_seldom_suspected(void **state)
{
    (void)state;
    struct heap_object was;
    int suspected = 0;
    live_clear();
    for (uint64_t i = 0; i < 1000; i++) {
        struct heap_object o = {.address = 0x7f0000000000 + i * 4096, .size = 10, .site = 1};
        assert_int_equal(live_put(&o, &was), 0);
    }
    for (uint64_t i = 0; i < 10000; i++)
        suspected += live_may_have(0x550000000000 + i * 16);
    assert_true(suspected < 1000); /* about 1000 of 65536 counters are not zero */
    for (uint64_t i = 0; i < 1000; i++)
        assert_true(live_take(0x7f0000000000 + i * 4096, &was));
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(live_may_have(0x7f0000000000 + i * 4096));
}

static void an_address_that_comes_again_says_what_was_there(void **state)
{
    (void)state;
    struct heap_object first = {.address = 4096, .size = 10, .site = 1}, old;
    struct heap_object second = {.address = 4096, .size = 20, .site = 2};
    assert_int_equal(live_put(&first, &old), 0);
    assert_int_equal(live_put(&second, &old), 0);
    assert_int_equal(old.address, 4096);
    assert_int_equal(old.size, 10);
    assert_true(live_take(4096, &old));
    assert_int_equal(old.size, 20);
    assert_false(live_take(4096, &old));
    live_clear();
}

/* ---- the log ---- */

enum { LOG_BYTES = 1 << 20 };

static struct heaptab *make_log(void)
{
    void *p = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    heaptab_init(p, LOG_BYTES, LOG_BYTES);
    return p;
}

static void sites_are_read_in_the_order_they_were_added(void **state)
{
    (void)state;
    struct heaptab *t = make_log();
    uint32_t n = 0;
    for (struct heaptab_site *s; (s = heaptab_append(t, n % 20)); n++) {
        s->size = n;
        s->ready = n % 7 != 3; /* one in seven is being written for ever */
    }
    assert_true(n > 1000);
    uint32_t seen = 0;
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(t, LOG_BYTES, s)); seen++) {
        while (seen % 7 == 3)
            seen++;
        assert_int_equal(s->size, seen);
        assert_int_equal(s->depth, seen % 20);
    }
    munmap(t, LOG_BYTES);
}

static void what_a_program_scribbled_on_the_log_leads_nowhere(void **state)
{
    (void)state;
    struct heaptab *t = make_log();
    struct heaptab_site *s = NULL;
    for (int i = 0; i < 3; i++) {
        s = heaptab_append(t, 4);
        s->ready = 1;
    }
    uint64_t used = t->used;
    const uint64_t bad_used[] = {UINT64_MAX, LOG_BYTES, 1, used - 8};
    for (size_t i = 0; i < sizeof bad_used / sizeof *bad_used; i++) {
        t->used = bad_used[i];
        for (const struct heaptab_site *x = NULL; (x = heaptab_next(t, LOG_BYTES, x));)
            assert_true((const char *)x + x->bytes <= (const char *)t + LOG_BYTES);
    }
    t->used = used;
    const uint32_t bad_bytes[] = {0, 1, 8, UINT32_MAX, UINT32_MAX - 7};
    for (size_t i = 0; i < sizeof bad_bytes / sizeof *bad_bytes; i++) {
        int n = 0;
        s->bytes = bad_bytes[i];
        for (const struct heaptab_site *x = NULL; (x = heaptab_next(t, LOG_BYTES, x));)
            n++;
        assert_int_equal(n, 2);
    }
    munmap(t, LOG_BYTES);
}

static void in_use_is_what_was_not_freed_and_never_negative(void **state)
{
    (void)state;
    struct heaptab *t = make_log();
    struct heaptab_site *s = heaptab_append(t, 1);
    struct heaptab_values v;
    s->n[HEAPTAB_ALLOC_OBJECTS] = 5 * HEAPTAB_ONE + HEAPTAB_ONE / 2;
    s->n[HEAPTAB_FREE_OBJECTS] = 2 * HEAPTAB_ONE;
    s->n[HEAPTAB_ALLOC_BYTES] = 100;
    s->n[HEAPTAB_FREE_BYTES] = 101;
    heaptab_read(t, s, false, &v);
    assert_int_equal(v.alloc_objects, 6);
    assert_int_equal(v.inuse_objects, 4);
    assert_int_equal(v.inuse_bytes, 0);
    s->peak_objects = 9 * HEAPTAB_ONE;
    s->peak_bytes = 900;
    heaptab_read(t, s, true, &v); /* nothing has peaked since: the peak is what was kept */
    assert_int_equal(v.inuse_objects, 9);
    t->peak_id = 1; /* there was one since the site changed last: it had then what it has now */
    heaptab_read(t, s, true, &v);
    assert_int_equal(v.inuse_objects, 4);
    munmap(t, LOG_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_exponential),
        cmocka_unit_test(every_byte_is_a_point_at_rate_1),
        cmocka_unit_test(weights_are_one_over_the_probability),
        cmocka_unit_test(live_objects_are_found_until_they_are_taken),
        cmocka_unit_test(what_never_was_live_is_seldom_suspected),
        cmocka_unit_test(an_address_that_comes_again_says_what_was_there),
        cmocka_unit_test(sites_are_read_in_the_order_they_were_added),
        cmocka_unit_test(what_a_program_scribbled_on_the_log_leads_nowhere),
        cmocka_unit_test(in_use_is_what_was_not_freed_and_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
