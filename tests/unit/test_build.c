/* SPDX-License-Identifier: MIT
 *
 * From counted stacks to a profile: nothing is made twice, everything that is made is valid, and
 * without memory it fails with -ENOMEM and not otherwise. */
#include "profile/build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

static struct profile p;
static struct profile_build b;

static int make(void **state)
{
    (void)state;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_cpu(&b, &p, 10000000);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    profile_free(&p);
    return 0;
}

static const char *string(uint32_t i)
{
    static char text[4][256];
    static int next;
    next = (next + 1) % 4;
    assert_true(i < p.string_count && p.strings[i].len < 256);
    memcpy(text[next], p.strings[i].ptr, p.strings[i].len);
    text[next][p.strings[i].len] = 0;
    return text[next];
}

static void expect_valid(void)
{
    struct err e;
    assert_int_equal(profile_build_finish(&b), 0);
    if (profile_check(&p, &e) != 0)
        fail_msg("%s", e.msg);
}

static void add(const uint32_t *locations, uint32_t count, int64_t points)
{
    struct profile_build_sample s = {
        .locations = locations, .location_count = count, .values = {points, points * 10000000}};
    profile_build_add(&b, &s);
}

static struct profile_build_mapping libc(uint64_t start)
{
    static const uint8_t id[] = {0x01, 0xab, 0xff};
    return (struct profile_build_mapping){.start = start,
                                          .limit = start + 0x1000,
                                          .offset = 0x200,
                                          .file = "/lib/libc.so.6",
                                          .file_len = 14,
                                          .build_id = id,
                                          .build_id_len = 3};
}

static void an_empty_cpu_profile_says_what_it_is(void **state)
{
    (void)state;
    expect_valid();
    assert_int_equal(p.sample_type_count, 2);
    assert_string_equal(string(p.sample_types[0].type), "samples");
    assert_string_equal(string(p.sample_types[0].unit), "count");
    assert_string_equal(string(p.sample_types[1].type), "cpu");
    assert_string_equal(string(p.sample_types[1].unit), "nanoseconds");
    assert_string_equal(string(p.period_type.type), "cpu");
    assert_string_equal(string(p.period_type.unit), "nanoseconds");
    assert_int_equal(p.period, 10000000);
}

static void a_file_is_one_mapping_wherever_it_was_loaded(void **state)
{
    (void)state;
    struct profile_build_mapping m = libc(0x10000), other = libc(0x90000);
    uint32_t first = profile_build_mapping(&b, &m);
    assert_int_equal(profile_build_mapping(&b, &other), first);
    assert_int_equal(p.mappings[first].start, 0x10000);
    assert_string_equal(string(p.mappings[first].file), "/lib/libc.so.6");
    assert_string_equal(string(p.mappings[first].build_id), "01abff");
    other.build_id_len = 2; /* replaced by an upgrade while the program ran */
    assert_int_not_equal(profile_build_mapping(&b, &other), first);
    other = m;
    other.offset += 0x1000; /* its second executable segment */
    assert_int_not_equal(profile_build_mapping(&b, &other), first);
    other = m;
    other.file_len--;
    assert_int_not_equal(profile_build_mapping(&b, &other), first);
    other = m;
    other.limit++;
    assert_int_not_equal(profile_build_mapping(&b, &other), first);
    assert_int_equal(p.mapping_count, 5);
    expect_valid();
}

static void equal_stacks_are_one_sample(void **state)
{
    (void)state;
    struct profile_build_mapping m = libc(0x10000);
    uint32_t map = profile_build_mapping(&b, &m);
    uint32_t a = profile_build_location(&b, map, 0x10010);
    uint32_t c = profile_build_location(&b, map, 0x10020);
    uint32_t without = profile_build_location(&b, PROFILE_NONE, 0x10010);
    assert_int_equal(profile_build_location(&b, map, 0x10010), a);
    assert_int_not_equal(without, a);
    add((uint32_t[]){a, c}, 2, 3);
    add((uint32_t[]){c, a}, 2, 1);
    add((uint32_t[]){a, c}, 2, 4);
    add((uint32_t[]){a}, 1, 1);
    add((uint32_t[]){without}, 1, 1);
    add(NULL, 0, 2); /* a stack of which nothing is known is still CPU time */
    add(NULL, 0, 2);
    expect_valid();
    assert_int_equal(p.sample_count, 5);
    assert_int_equal(p.values[0], 7);
    assert_int_equal(p.values[1], 70000000);
    assert_int_equal(p.values[8], 4);
}

static void labels_keep_samples_apart(void **state)
{
    (void)state;
    uint32_t key = profile_intern_cstr(&p, "pid"), at = profile_build_location(&b, PROFILE_NONE, 1);
    struct profile_label labels[] = {{.key = key, .str = profile_intern_cstr(&p, "1")},
                                     {.key = key, .str = profile_intern_cstr(&p, "2")}};
    for (int i = 0; i < 6; i++) {
        struct profile_build_sample s = {.locations = &at,
                                         .location_count = 1,
                                         .values = {1, 1},
                                         .labels = &labels[i % 2],
                                         .label_count = i < 4};
        profile_build_add(&b, &s);
    }
    expect_valid();
    assert_int_equal(p.sample_count, 3);
    assert_int_equal(p.values[0], 2);
    assert_int_equal(p.values[2], 2);
    assert_int_equal(p.values[4], 2);
    assert_string_equal(string(p.labels[1].str), "2");
}

static void a_pseudo_function_has_a_name_and_no_place(void **state)
{
    (void)state;
    uint32_t end = profile_build_pseudo(&b, "[exit]"), exec = profile_build_pseudo(&b, "[exec]");
    assert_int_equal(profile_build_pseudo(&b, "[exit]"), end);
    assert_int_not_equal(exec, end);
    uint32_t real = profile_build_location(&b, PROFILE_NONE, 0x77);
    profile_build_name(&b, real, "[exit]", 6); /* the same function in another place */
    expect_valid();
    assert_int_equal(p.function_count, 2);
    assert_int_equal(p.locations[end].address, 0);
    assert_int_equal(p.locations[end].mapping, PROFILE_NONE);
    assert_string_equal(string(p.functions[p.lines[p.locations[exec].line_first].function].name),
                        "[exec]");
}

static void long_comments_are_cut(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    profile_build_comment(&b, "%s", text);
    profile_build_comment(&b, "%d lost", 3);
    expect_valid();
    assert_int_equal(p.comment_count, 2);
    assert_int_equal(p.strings[p.comments[0]].len, 511);
    assert_string_equal(string(p.comments[1]), "3 lost");
}

/* A large profile, through the wire and back: every stack with its points. */
static void many_stacks_survive_the_wire(void **state)
{
    (void)state;
    enum { STACKS = 20000 };
    struct profile_build_mapping m = libc(0x10000);
    m.limit = 0x100000;
    uint32_t map = profile_build_mapping(&b, &m), stack[40];
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < STACKS; i++) {
            uint32_t depth = i % 40 + 1;
            for (uint32_t k = 0; k < depth; k++)
                stack[k] = profile_build_location(&b, map, 0x10000 + i % 5000 + k);
            add(stack, depth, i + 1);
        }
    expect_valid();
    struct arena arena;
    struct buf bytes;
    struct profile back;
    struct err e;
    arena_init(&arena);
    buf_init(&bytes, &arena);
    assert_int_equal(profile_encode(&p, &bytes), 0);
    assert_int_equal(profile_decode(&back, bytes.data, bytes.len, false, &e), 0);
    int64_t points = 0;
    for (uint32_t i = 0; i < back.sample_count; i++)
        points += back.values[2 * i];
    assert_int_equal(points, (int64_t)STACKS * (STACKS + 1));
    assert_int_equal(back.sample_count, p.sample_count);
    assert_int_equal(back.loc_ref_count, p.loc_ref_count);
    profile_free(&back);
    arena_free(&arena);
}

#ifndef UNDER_SANITIZER
/* In a child that may map only `more` bytes: how it ends. */
static int build_with(size_t more)
{
    char line[256];
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || !fgets(line, sizeof line, f) || sscanf(line, "%ld", &pages) != 1)
        return 99;
    fclose(f);
    rlim_t now = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit = {now + more, now + more};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 98;
    make(NULL);
    for (uint32_t i = 0; i < 50000; i++) {
        char name[32];
        uint32_t at = profile_build_location(&b, PROFILE_NONE, i + 1);
        int n = snprintf(name, sizeof name, "f%u", i);
        profile_build_name(&b, at, name, (size_t)n);
        add(&at, 1, 1);
        if (i % 1000 == 0)
            profile_build_comment(&b, "%u", i);
    }
    int r = profile_build_finish(&b);
    if (r == 0 && p.sample_count != 50000)
        return 97;
    return r == -ENOMEM ? 1 : r == 0 ? 0 : 96;
}

static void without_memory_it_fails_and_says_so(void **state)
{
    (void)state;
    int failed = 0, made = 0;
    for (size_t more = 0; more <= 64u << 20; more = more ? more * 2 : 4096) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(build_with(more));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), 0, 1);
        failed += WEXITSTATUS(status);
        made += !WEXITSTATUS(status);
    }
    assert_true(failed > 3);
    assert_true(made > 0);
}
#endif

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_cpu_profile_says_what_it_is),
        TEST(a_file_is_one_mapping_wherever_it_was_loaded),
        TEST(equal_stacks_are_one_sample),
        TEST(labels_keep_samples_apart),
        TEST(a_pseudo_function_has_a_name_and_no_place),
        TEST(long_comments_are_cut),
        TEST(many_stacks_survive_the_wire),
#ifndef UNDER_SANITIZER
        cmocka_unit_test(without_memory_it_fails_and_says_so),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
