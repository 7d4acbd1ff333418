/* SPDX-License-Identifier: MIT
 *
 * What libstrobe's gzip writer makes is what zlib reads; and it is small where it should be. */
#include "base/deflate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

struct bytes {
    unsigned char *data;
    size_t len, cap;
};

static struct deflate work;

static int collect(void *context, const void *p, size_t n)
{
    struct bytes *b = context;
    if (b->len + n > b->cap) {
        b->cap = 2 * (b->len + n);
        b->data = realloc(b->data, b->cap);
        assert_non_null(b->data);
    }
    memcpy(b->data + b->len, p, n);
    b->len += n;
    return 0;
}

static void assert_zlib_reads(const struct bytes *z, const void *expected, size_t n)
{
    unsigned char *out = malloc(n + 1);
    z_stream s = {.next_in = z->data, .avail_in = (unsigned)z->len};
    assert_non_null(out);
    s.next_out = out;
    s.avail_out = (unsigned)n + 1;
    assert_int_equal(inflateInit2(&s, 15 + 16), Z_OK);
    assert_int_equal(inflate(&s, Z_FINISH), Z_STREAM_END);
    assert_int_equal(s.avail_in, 0);
    assert_int_equal(s.total_out, n);
    if (n)
        assert_memory_equal(out, expected, n);
    inflateEnd(&s);
    free(out);
}

/* Compresses, checks with zlib, returns the compressed size. */
static size_t round_trip(const void *in, size_t n)
{
    struct bytes z = {0}, again = {0};
    memset(&work, 0xa5, sizeof work); /* it need not be initialised */
    assert_int_equal(deflate_gzip(&work, in, n, collect, &z), 0);
    assert_zlib_reads(&z, in, n);
    assert_int_equal(deflate_gzip(&work, in, n, collect, &again), 0);
    assert_int_equal(again.len, z.len);
    assert_memory_equal(again.data, z.data, z.len);
    size_t size = z.len;
    free(z.data);
    free(again.data);
    return size;
}

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

static void small_inputs_of_every_size(void **state)
{
    (void)state;
    char text[600];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)("abcabcabd"[i % 9] + i / 100);
    for (size_t n = 0; n <= sizeof text; n++)
        round_trip(text, n);
}

static void every_byte_value_alone(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[300];
        memset(text, c, sizeof text);
        assert_true(round_trip(text, sizeof text) < 60);
        round_trip(text, 1);
    }
}

static void noise_grows_by_little(void **state)
{
    (void)state;
    enum { N = 300000 };
    unsigned char *in = malloc(N);
    uint64_t s = 42;
    for (int i = 0; i < N; i++)
        in[i] = (unsigned char)next(&s);
    assert_true(round_trip(in, N) < N + N / 1000 + 64);
    free(in);
}

static void matches_of_every_length_and_distance(void **state)
{
    (void)state;
    enum { N = 400000 };
    unsigned char *in = malloc(N);
    uint64_t s = 7;
    size_t n = 0;
    while (n < N) {
        uint64_t r = next(&s);
        size_t length = 1 + r % 300, distance = 1 + (r >> 20) % 33000;
        bool copy = r >> 60 < 12 && distance <= n;
        for (size_t i = 0; i < length && n < N; i++, n++)
            in[n] = copy ? in[n - distance] : (unsigned char)(next(&s) % 50);
    }
    assert_true(round_trip(in, N) < N / 3);
    free(in);
}

static void skewed_counts_keep_codes_within_15_bits(void **state)
{
    (void)state;
    /* Fibonacci counts make the deepest Huffman trees there are. */
    enum { N = 60000 };
    unsigned char *in = malloc(N);
    size_t n = 0;
    unsigned a = 1, b = 1;
    for (int c = 0; n < N; c++) {
        for (unsigned i = 0; i < a && n < N; i++)
            in[n++] = (unsigned char)c;
        unsigned sum = a + b;
        a = b;
        b = sum;
    }
    uint64_t s = 3;
    for (size_t i = N - 1; i > 0; i--) { /* shuffled, so that they stay literals */
        size_t k = next(&s) % (i + 1);
        unsigned char t = in[i];
        in[i] = in[k];
        in[k] = t;
    }
    round_trip(in, N);
    round_trip(in, 16000);
    free(in);
}

static int refuse(void *context, const void *p, size_t n)
{
    (void)p;
    (void)n;
    ++*(int *)context;
    return -ENOSPC;
}

static void an_error_of_the_sink_ends_it(void **state)
{
    (void)state;
    enum { N = 100000 };
    unsigned char *in = malloc(N);
    uint64_t s = 42;
    int calls = 0;
    for (int i = 0; i < N; i++)
        in[i] = (unsigned char)next(&s);
    assert_int_equal(deflate_gzip(&work, in, N, refuse, &calls), -ENOSPC);
    assert_int_equal(calls, 1);
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_inputs_of_every_size),
        cmocka_unit_test(every_byte_value_alone),
        cmocka_unit_test(noise_grows_by_little),
        cmocka_unit_test(matches_of_every_length_and_distance),
        cmocka_unit_test(skewed_counts_keep_codes_within_15_bits),
        cmocka_unit_test(an_error_of_the_sink_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
