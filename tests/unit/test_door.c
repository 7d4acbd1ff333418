/* SPDX-License-Identifier: MIT
 *
 * The door to a recorder's segment: who knows the token gets the descriptor, nobody else does. */
#include "base/door.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child that asks with `d` gets: 1 a descriptor that reads "samples", 0 none. */
static int asks(const struct door *d, const struct door *open, int socket, int segment)
{
    pid_t pid = fork();
    if (pid == 0) {
        char text[8] = "";
        int fd = door_ask(d);
        _exit(fd >= 0 && pread(fd, text, 7, 0) == 7 && strcmp(text, "samples") == 0 &&
              (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    }
    int status;
    struct pollfd p = {.fd = socket, .events = POLLIN};
    while (waitpid(pid, &status, WNOHANG) == 0) {
        poll(&p, 1, 10);
        door_answer(open, socket, segment);
    }
    return WEXITSTATUS(status);
}

static void test_token_opens(void **state)
{
    (void)state;
    struct door d, wrong, other;
    int segment = memfd_create("test", MFD_CLOEXEC), s = door_open(&d);
    assert_int_equal(write(segment, "samples", 7), 7);
    assert_true(s >= 0);
    assert_int_equal(asks(&d, &d, s, segment), 1);
    assert_int_equal(asks(&d, &d, s, segment), 1);
    wrong = d;
    wrong.token[0] ^= 1;
    assert_int_equal(asks(&wrong, &d, s, segment), 0);
    int t = door_open(&other);
    assert_true(t >= 0);
    assert_string_not_equal(other.token, d.token);
    assert_string_not_equal(other.name, d.name);
    close(s);
    assert_int_equal(door_ask(&d), -ENOENT); /* the recorder has gone: at once */
    close(t);
    close(segment);
}

static void test_text(void **state)
{
    (void)state;
    struct door d, made = {.name = "0123456789abcdef0123456789abcdef",
                           .token = "fedcba9876543210fedcba9876543210"};
    char text[DOOR_TEXT], bare[] = "/proc/12/fd/3", cut[] = "/proc/12/fd/3 0123 4567";
    snprintf(text, sizeof text, "/proc/12/fd/3 %s %s", made.name, made.token);
    assert_int_equal(door_parse(&d, text), 0);
    assert_string_equal(text, "/proc/12/fd/3");
    assert_string_equal(d.name, made.name);
    assert_string_equal(d.token, made.token);
    assert_int_equal(door_parse(&d, bare), -EINVAL);
    assert_string_equal(bare, "/proc/12/fd/3");
    assert_int_equal(door_parse(&d, cut), -EINVAL);
    assert_string_equal(cut, "/proc/12/fd/3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_opens),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
