/* SPDX-License-Identifier: MIT
 *
 * Files read whole: of a known size, of none, too large, and what is no file. */
#include "base/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 300000 };

struct fixture {
    struct arena arena;
    struct buf out;
    char path[64];
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    arena_init(&f->arena);
    buf_init(&f->out, &f->arena);
    strcpy(f->path, "/tmp/strobe-whole-XXXXXX");
    int fd = mkstemp(f->path);
    char *bytes = arena_alloc(&f->arena, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 >> 3);
    assert_int_equal(write(fd, bytes, SIZE), SIZE);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    arena_free(&f->arena);
    test_free(f);
    return 0;
}

static void assert_is(const struct fixture *f, size_t size)
{
    assert_int_equal(f->out.len, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(f->out.data[i], (char)(i * 7 >> 3));
}

static void test_a_file_is_read_whole(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(whole_read_file(&f->out, f->path, SIZE), 0);
    assert_is(f, SIZE);
}

static void test_a_limit_is_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(whole_read_file(&f->out, f->path, SIZE - 1), -EFBIG);
    assert_is(f, SIZE - 1);
}

static void test_a_descriptor_is_read_from_where_it_stands(void **state)
{
    struct fixture *f = *state;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    lseek(fd, SIZE - 3, SEEK_SET);
    buf_puts(&f->out, "before");
    assert_int_equal(whole_read(&f->out, fd, SIZE), 0);
    assert_int_equal(f->out.len, 9);
    assert_memory_equal(f->out.data, "before", 6);
    assert_int_equal(f->out.data[8], (char)((SIZE - 1) * 7 >> 3));
    close(fd);
}

/* A pipe, and files of /proc, do not say how much they have. */
static void test_what_has_no_size_is_read_whole(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "some", 4), 4);
    close(ends[1]);
    assert_int_equal(whole_read(&f->out, ends[0], SIZE), 0);
    close(ends[0]);
    assert_int_equal(f->out.len, 4);
    assert_int_equal(whole_read_file(&f->out, "/proc/self/maps", SIZE), 0);
    assert_true(f->out.len > 100);
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(whole_read_file(&f->out, "/tmp", SIZE), -EISDIR);
    assert_int_equal(whole_read_file(&f->out, "/tmp/no/such/file", SIZE), -ENOENT);
    assert_int_equal(f->out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_is_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_limit_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_descriptor_is_read_from_where_it_stands, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_has_no_size_is_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
