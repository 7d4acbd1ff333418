/* SPDX-License-Identifier: MIT
 *
 * What a seccomp filter would do to libstrobe's own system calls is known before the kernel has the
 * filter. The filters are those that sandboxes write: lists by number, by architecture and by
 * argument, and what none should write. */
#include "runtime/runtime.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <cmocka.h>

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IF(value)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)

#define DENIES(...)                                                                                \
    __extension__({                                                                                \
        struct sock_filter filter[] = {__VA_ARGS__};                                               \
        struct sock_fprog program = {sizeof filter / sizeof *filter, filter};                      \
        sandbox_denies(&program);                                                                  \
    })

static void what_is_allowed_is_done(void **state)
{
    (void)state;
    assert_int_equal(DENIES(RETURN(SECCOMP_RET_ALLOW)), 0);
    assert_int_equal(DENIES(RETURN(SECCOMP_RET_LOG)), 0);
    /* An architecture check, as every filter begins. */
    assert_int_equal(DENIES(LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 1),
                            RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)),
                     0);
}

static void one_call_takes_one_right(void **state)
{
    (void)state;
    assert_int_equal(DENIES(LOAD(nr), IF(SYS_perf_event_open), RETURN(SECCOMP_RET_TRAP),
                            RETURN(SECCOMP_RET_ALLOW)),
                     NEED_ARM);
    assert_int_equal(DENIES(LOAD(nr), IF(SYS_process_vm_readv), RETURN(SECCOMP_RET_KILL_THREAD),
                            RETURN(SECCOMP_RET_ALLOW)),
                     NEED_COPY);
    assert_int_equal(
        DENIES(LOAD(nr), IF(SYS_gettid), RETURN(SECCOMP_RET_USER_NOTIF), RETURN(SECCOMP_RET_ALLOW)),
        NEED_IDS);
}

#define LETS_SERVE(...)                                                                            \
    __extension__({                                                                                \
        struct sock_filter filter[] = {__VA_ARGS__};                                               \
        struct sock_fprog program = {sizeof filter / sizeof *filter, filter};                      \
        sandbox_lets_serve(&program);                                                              \
    })

/* The server's thread would be killed by its next call, or spin where poll fails. */
static void the_server_needs_its_calls(void **state)
{
    (void)state;
    assert_true(LETS_SERVE(RETURN(SECCOMP_RET_ALLOW)));
    assert_true(LETS_SERVE(LOAD(nr), IF(SYS_perf_event_open), RETURN(SECCOMP_RET_KILL_PROCESS),
                           RETURN(SECCOMP_RET_ALLOW)));
    assert_false(LETS_SERVE(LOAD(nr), IF(SYS_poll), RETURN(SECCOMP_RET_ERRNO | EPERM),
                            RETURN(SECCOMP_RET_ALLOW)));
    assert_false(LETS_SERVE(LOAD(nr), IF(SYS_accept4), RETURN(SECCOMP_RET_KILL_PROCESS),
                            RETURN(SECCOMP_RET_ALLOW)));
}

/* perf_event_open that fails is what a container has; a signal handler that cannot return is death.
 */
static void an_error_harms_only_where_it_would(void **state)
{
    (void)state;
    assert_int_equal(DENIES(LOAD(nr), IF(SYS_perf_event_open), RETURN(SECCOMP_RET_ERRNO | EPERM),
                            RETURN(SECCOMP_RET_ALLOW)),
                     0);
    assert_int_equal(DENIES(LOAD(nr), IF(SYS_rt_sigreturn), RETURN(SECCOMP_RET_ERRNO | EPERM),
                            RETURN(SECCOMP_RET_ALLOW)),
                     NEED_RETURN);
    assert_int_equal(DENIES(RETURN(SECCOMP_RET_ERRNO | ENOSYS)),
                     NEED_RETURN | NEED_CLOCK | NEED_IDS);
}

static void arguments_are_looked_at(void **state)
{
    (void)state;
    /* Only the thread's own CPU clock may be read: comparison, arithmetic and memory on the way. */
    assert_int_equal(DENIES(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 6),
                            LOAD(args[0]), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 7),
                            BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_THREAD_CPUTIME_ID + 7, 1, 0),
                            RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)),
                     NEED_CLOCK);
    assert_int_equal(DENIES(LOAD(nr), IF(SYS_clock_gettime), LOAD(args[0]),
                            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1u << 30, 0, 0),
                            RETURN(SECCOMP_RET_ALLOW)),
                     0);
}

static void nonsense_forbids_all(void **state)
{
    (void)state;
    uint32_t all = NEED_RETURN | NEED_CLOCK | NEED_IDS | NEED_COPY | NEED_ARM | NEED_FILE |
                   NEED_DOOR | NEED_LOOK | NEED_SAY;
    assert_int_equal(DENIES(LOAD(nr)), all); /* runs off its end */
    assert_int_equal(DENIES(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4096), RETURN(SECCOMP_RET_ALLOW)),
                     all);
    assert_int_equal(DENIES(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RETURN(SECCOMP_RET_ALLOW)),
                     all); /* back to itself, for ever */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allowed_is_done),
        cmocka_unit_test(one_call_takes_one_right),
        cmocka_unit_test(the_server_needs_its_calls),
        cmocka_unit_test(an_error_harms_only_where_it_would),
        cmocka_unit_test(arguments_are_looked_at),
        cmocka_unit_test(nonsense_forbids_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
