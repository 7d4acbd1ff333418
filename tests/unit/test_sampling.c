/* SPDX-License-Identifier: MIT
 *
 * libstrobe linked into this program, which samples itself while its threads come and go and
 * profiles begin and end: the interposers, the handler and the tables under the sanitizers. The
 * clock is the timer, which every kernel has. What the sanitizers take from it:
 *
 * TSan puts a signal off until the thread is at a point that it knows, and hands the handler the
 * registers of before: the points are right and the stacks are not, so that names are asked for
 * only without it. */
#include "profile/profile.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strobe/strobe.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

enum { THREADS = 3, ROUNDS = 4, HZ = 500 };

static atomic_int stop;

static double cpu_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void burn_here(int ms)
{
    double end = cpu_s(CLOCK_THREAD_CPUTIME_ID) + ms / 1e3;
    volatile unsigned sum = 0;
    do {
        for (unsigned i = 0; i < 10000; i++)
            sum = sum + i;
    } while (cpu_s(CLOCK_THREAD_CPUTIME_ID) < end);
}

static void *live_shortly(void *arg)
{
    burn_here(2);
    return arg;
}

static void *make_others(void *arg)
{
    while (!atomic_load(&stop)) {
        pthread_t t;
        if (pthread_create(&t, NULL, live_shortly, NULL) == 0)
            pthread_join(t, NULL);
    }
    return arg;
}

struct bytes {
    unsigned char data[1 << 20];
    size_t size;
};

static int take(void *ctx, const void *bytes, size_t size)
{
    struct bytes *b = ctx;
    if (size > sizeof b->data - b->size)
        return -1;
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
    return 0;
}

static void read_profile(struct profile *p, const struct bytes *b)
{
    struct err e;
    if (profile_decode(p, b->data, b->size, false, &e) != 0 || profile_check(p, &e) != 0)
        fail_msg("%s", e.msg);
}

static int64_t cpu_ns(const struct profile *p)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < p->sample_count; i++)
        sum += p->values[2 * i + 1];
    return sum;
}

#ifndef UNDER_TSAN
static bool has_function(const struct profile *p, const char *name)
{
    for (uint32_t i = 0; i < p->function_count; i++) {
        struct profile_str s = profile_string(p, p->functions[i].name);
        if (s.len == strlen(name) && memcmp(s.ptr, name, s.len) == 0)
            return true;
    }
    return false;
}
#endif

/* CPU time is measured around start and stop, so the profile's is less, and more than a third: each
 * short thread may miss its last tick where ticks are late. */
static void profiles_begin_and_end_while_threads_do(void **state)
{
    static struct bytes b;
    pthread_t threads[THREADS];
    (void)state;
    assert_int_equal(strobe_cpu_set_rate(HZ), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_others, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        struct profile p;
        b.size = 0;
        double before = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
        assert_int_equal(strobe_cpu_start_writer(take, &b), 0);
        assert_int_equal(strobe_cpu_start_writer(take, &b), -EALREADY);
        burn_here(100);
        assert_int_equal(strobe_cpu_stop(), 0);
        double used_ns = (cpu_s(CLOCK_PROCESS_CPUTIME_ID) - before) * 1e9;
        read_profile(&p, &b);
        assert_true((double)cpu_ns(&p) <= used_ns * 1.1);
        assert_true((double)cpu_ns(&p) >= used_ns * 0.33);
#ifndef UNDER_TSAN
        assert_true(has_function(&p, "burn_here"));
#endif
        profile_free(&p);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (!getenv("STROBE_BACKEND")) { /* the library read its settings before main */
        setenv("STROBE_BACKEND", "timer", 1);
        execv("/proc/self/exe", argv);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_begin_and_end_while_threads_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
