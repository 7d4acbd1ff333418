/* SPDX-License-Identifier: MIT
 *
 * What the sampler from outside reads: the kernel's records, its symbols, JIT compilers' maps. */
#include "record/perf_account.h"
#include "record/perf_names.h"
#include "record/perf_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- names ---- */

static void the_kernels_symbols_reach_to_the_next(void **state)
{
    (void)state;
    static const char text[] = "ffffffff81000000 T _stext\n"
                               "ffffffff81000100 t helper\t[module]\n"
                               "ffffffff81000080 d data\n"
                               "0000000000000000 T hidden\n"
                               "no line of this kind\n";
    struct perf_names n;
    perf_names_parse(&n, text, sizeof text - 1, true);
    assert_int_equal(n.count, 2);
    assert_string_equal(perf_names_find(&n, 0xffffffff810000ff), "_stext");
    assert_string_equal(perf_names_find(&n, 0xffffffff81000100), "helper [module]");
    assert_null(perf_names_find(&n, 0xffffffff80000000));
    perf_names_free(&n);
}

static void later_jit_code_replaces_earlier(void **state)
{
    (void)state;
    static const char text[] = "1000 100 first\n1080 10 second\n1000 20 third with spaces\n"
                               "2000 0 nothing\nffffffffffffffff 10 around\n3000 8 last";
    struct perf_names n;
    perf_names_parse(&n, text, sizeof text - 1, false);
    assert_string_equal(perf_names_find(&n, 0x1000), "third with spaces");
    assert_string_equal(perf_names_find(&n, 0x1020), "first");
    assert_string_equal(perf_names_find(&n, 0x1088), "second");
    assert_string_equal(perf_names_find(&n, 0x1090), "first");
    assert_string_equal(perf_names_find(&n, 0x3007), "last");
    assert_null(perf_names_find(&n, 0x1100));
    assert_null(perf_names_find(&n, 0x2000));
    perf_names_free(&n);
}

/* ---- records ---- */

static const struct perf_format counted = {.read = true};

/* A sample with a chain of two, registers that are their numbers, and 16 bytes of stack. */
static size_t sample(uint64_t *out)
{
    size_t n = 1;
    out[n++] = 0x401000;       /* ip */
    out[n++] = 7ull << 32 | 6; /* pid 6, tid 7 */
    out[n++] = 1234;           /* time */
    out[n++] = 5000;           /* count */
    out[n++] = 2;              /* chain */
    out[n++] = (uint64_t)PERF_CONTEXT_USER;
    out[n++] = 0x401000;
    out[n++] = PERF_SAMPLE_REGS_ABI_64;
    for (uint64_t i = 0; i < UNWIND_REGS; i++)
        out[n++] = 100 + i;
    out[n++] = 24; /* bytes of stack, of which 16 count */
    for (uint64_t i = 0; i < 3; i++)
        out[n++] = i;
    out[n++] = 16;
    struct perf_event_header h = {PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER,
                                  (uint16_t)(n * sizeof *out)};
    memcpy(out, &h, sizeof h);
    return n * sizeof *out;
}

static void a_sample_is_taken_apart(void **state)
{
    (void)state;
    uint64_t bytes[64];
    struct perf_record r;
    size_t size = sample(bytes);
    assert_int_equal(perf_record_size((uint8_t *)bytes, size), size);
    assert_true(perf_record_parse(&counted, (uint8_t *)bytes, (uint32_t)size, &r));
    assert_int_equal(r.pid, 6);
    assert_int_equal(r.tid, 7);
    assert_int_equal(r.sample.count, 5000);
    assert_int_equal(r.sample.chain_count, 2);
    assert_true(r.sample.has_regs);
    assert_int_equal(r.sample.regs.r[UNWIND_SP], 107); /* the kernel's number of SP is 7 */
    assert_int_equal(r.sample.regs.r[UNWIND_BP], 106);
    assert_int_equal(r.sample.regs.r[UNWIND_PC], 108);
    assert_int_equal(r.sample.stack_bytes, 16);
    assert_false(r.sample.kernel);
}

static void a_cut_sample_is_malformed(void **state)
{
    (void)state;
    uint64_t bytes[64];
    struct perf_record r;
    size_t size = sample(bytes);
    for (size_t n = 8; n < size; n += 8)
        assert_false(perf_record_parse(&counted, (uint8_t *)bytes, (uint32_t)n, &r));
    assert_int_equal(perf_record_size((uint8_t *)bytes, size - 8), 0);
}

static void a_path_without_end_is_malformed(void **state)
{
    (void)state;
    struct perf_record r;
    uint64_t bytes[12] = {0, 0, 0x1000, 0x1000, 0, 0, 0, 0, 0, 0x4141414141414141, 0, 0};
    struct perf_event_header h = {PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER, sizeof bytes};
    memcpy(bytes, &h, sizeof h);
    assert_false(perf_record_parse(&counted, (uint8_t *)bytes, sizeof bytes, &r));
    memcpy(&bytes[9], "/bin/a\0", 8);
    assert_true(perf_record_parse(&counted, (uint8_t *)bytes, sizeof bytes, &r));
    assert_string_equal(r.map.path, "/bin/a");
}

/* ---- weights ---- */

/* Threads of two and a half periods are met twice; with the rests their points are their CPU time,
 * whatever the phases. */
static void weights_add_up_to_the_cpu_time(void **state)
{
    (void)state;
    enum { THREADS = 400 };
    const uint64_t period = 1000000, each = 2500000;
    static const uint64_t pc = 0x1000;
    struct drain d;
    struct perf_account a;
    drain_init_bare(&d);
    uint32_t image = drain_new_image(&d, 1, "/bin/a");
    perf_account_init(&a, &d, period, 2, 42);
    a.counted = true;
    for (uint32_t tid = 2; tid < THREADS + 2; tid++) {
        perf_account_begin(&a, 1, tid);
        for (uint64_t count = period; count <= each; count += period) {
            struct perf_thread *t = perf_account_thread(&a, 1, tid);
            struct drain_stack s = {.weight = perf_account_sample(&a, t, 0, count),
                                    .pcs = &pc,
                                    .depth = 1,
                                    .other_thread = true};
            if (!s.weight)
                continue;
            t->image = image;
            t->stack = drain_add_stack(&d, image, &s);
        }
        perf_account_end(&a, tid);
    }
    perf_account_finish(&a, THREADS * each, true);
    uint64_t want = THREADS * each / period;
    assert_in_range(d.points, want - 1, want + 1);
    drain_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_symbols_reach_to_the_next),
        cmocka_unit_test(later_jit_code_replaces_earlier),
        cmocka_unit_test(a_sample_is_taken_apart),
        cmocka_unit_test(a_cut_sample_is_malformed),
        cmocka_unit_test(a_path_without_end_is_malformed),
        cmocka_unit_test(weights_add_up_to_the_cpu_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
