/* SPDX-License-Identifier: MIT
 *
 * What the program sees of its environment, and what its children get. libstrobe is linked in, so
 * its constructor has run and found nothing; each case makes an environment, hides it anew, and
 * runs in a child of its own, because what is hidden stays hidden. */
#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* In the child a failure is its line, as exit status. */
#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "line %d: %s\n", __LINE__, #x);                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void in_child(void (*f)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        f();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static char self[RUNTIME_PATH]; /* this program stands in for the library's file */
static char texts[32][1024];
static char *array[33];

/* Makes the strings the environment ("%L" is the library) and hides what is ours. */
static void set_environment(const char *const *entries)
{
    size_t n = 0;
    for (; entries[n]; n++) {
        const char *at = strstr(entries[n], "%L");
        if (at)
            snprintf(texts[n], sizeof texts[n], "%.*s%s%s", (int)(at - entries[n]), entries[n],
                     self, at + 2);
        else
            snprintf(texts[n], sizeof texts[n], "%s", entries[n]);
        array[n] = texts[n];
    }
    array[n] = NULL;
    environ = array;
    strcpy(rt.lib, self);
    environ_hide();
}

static bool environment_is(char *const *have, const char *const *want)
{
    size_t n = 0;
    for (; want[n] && have[n]; n++) {
        char text[1024];
        const char *at = strstr(want[n], "%L");
        snprintf(text, sizeof text, "%.*s%s%s", at ? (int)(at - want[n]) : (int)strlen(want[n]),
                 want[n], at ? self : "", at ? at + 2 : "");
        if (strcmp(text, have[n]) != 0) {
            fprintf(stderr, "have '%s', want '%s'\n", have[n], text);
            return false;
        }
    }
    return !want[n] && !have[n];
}

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* The environment of a child for which the program passes `envp`; every byte of what was measured
 * may be used and none beyond. */
static char **restored(char *const envp[])
{
    size_t pointers, bytes;
    environ_measure(envp, &pointers, &bytes);
    MUST(pointers > 0);
    char **out = malloc(pointers * sizeof *out), *text = malloc(bytes);
    MUST(out && text);
    environ_restore(envp, out, text);
    return out;
}

static void hide_preloaded(void)
{
    set_environment(LIST("A=1", "STROBE=cpu", "LD_PRELOAD=%L", "STROBE_HZ=50", "STROBEX=2", "Z="));
    MUST(environment_is(environ, LIST("A=1", "STROBEX=2", "Z=")));
    MUST(strcmp(environ_get("STROBE"), "cpu") == 0);
    MUST(strcmp(environ_get("STROBE_HZ"), "50") == 0);
    MUST(environ_get("STROBE_H") == NULL);
    MUST(environ_get("STROBEX") == NULL);
    MUST(environment_is(restored(environ), LIST("A=1", "STROBEX=2", "Z=", "STROBE=cpu",
                                                "STROBE_HZ=50", "LD_PRELOAD=%L")));
}

static void the_program_sees_nothing_of_us_and_its_children_get_all(void **state)
{
    (void)state;
    in_child(hide_preloaded);
}

static void keep_theirs_first(void)
{
    set_environment(LIST("LD_PRELOAD=%L:/lib/theirs.so other.so", "STROBE=cpu"));
    MUST(environment_is(environ, LIST("LD_PRELOAD=/lib/theirs.so other.so")));
    MUST(environment_is(restored(environ),
                        LIST("STROBE=cpu", "LD_PRELOAD=%L:/lib/theirs.so other.so")));
}

static void keep_theirs_last(void)
{
    set_environment(LIST("LD_PRELOAD=/lib/theirs.so:%L", "STROBE=cpu"));
    MUST(environment_is(environ, LIST("LD_PRELOAD=/lib/theirs.so")));
}

static void keep_theirs_around(void)
{
    set_environment(LIST("LD_PRELOAD=a.so %L b.so"));
    MUST(environment_is(environ, LIST("LD_PRELOAD=a.so b.so")));
}

static void keep_similar(void)
{
    set_environment(LIST("LD_PRELOAD=%L.bak", "STROBE=cpu"));
    MUST(environment_is(environ, LIST("LD_PRELOAD=%L.bak", "STROBE=cpu")));
}

static void libraries_of_the_program_stay(void **state)
{
    (void)state;
    in_child(keep_theirs_first);
    in_child(keep_theirs_last);
    in_child(keep_theirs_around);
    in_child(keep_similar);
}

/* Linked with us and not preloaded: the settings are the program's, and go to its children in the
 * usual way. */
static void leave_linked(void)
{
    size_t pointers, bytes;
    set_environment(LIST("A=1", "STROBE=cpu", "STROBE_HZ=50"));
    MUST(environment_is(environ, LIST("A=1", "STROBE=cpu", "STROBE_HZ=50")));
    MUST(strcmp(environ_get("STROBE_HZ"), "50") == 0);
    environ_measure(environ, &pointers, &bytes);
    MUST(pointers == 0);
}

static void a_linked_program_keeps_its_environment(void **state)
{
    (void)state;
    in_child(leave_linked);
}

static void restore_odd_ones(void)
{
    set_environment(LIST("STROBE=cpu", "LD_PRELOAD=%L"));
    MUST(environment_is(environ, (const char *const[]){NULL}));
    MUST(environment_is(restored(NULL), LIST("STROBE=cpu", "LD_PRELOAD=%L")));
    char *none[] = {NULL};
    MUST(environment_is(restored(none), LIST("STROBE=cpu", "LD_PRELOAD=%L")));
    char theirs[] = "LD_PRELOAD=their.so", empty[] = "LD_PRELOAD=", set[] = "STROBE_OUT=x";
    char *envp[] = {theirs, set, NULL};
    MUST(environment_is(restored(envp), LIST("STROBE=cpu", "LD_PRELOAD=%L:their.so")));
    char *with_empty[] = {empty, NULL};
    MUST(environment_is(restored(with_empty), LIST("STROBE=cpu", "LD_PRELOAD=%L")));
    char *twice[] = {theirs, empty, NULL}; /* the text is measured for the one that is written */
    MUST(environment_is(restored(twice), LIST("STROBE=cpu", "LD_PRELOAD=%L")));
    char *again[] = {empty, theirs, NULL};
    MUST(environment_is(restored(again), LIST("STROBE=cpu", "LD_PRELOAD=%L:their.so")));
}

static void any_environment_of_a_child_is_completed(void **state)
{
    (void)state;
    in_child(restore_odd_ones);
}

/* After a chroot, or when the library was removed, the loader would complain in every child. */
static void leave_when_gone(void)
{
    size_t pointers, bytes;
    set_environment(LIST("STROBE=cpu", "LD_PRELOAD=%L"));
    strcpy(rt.lib, "/nonexistent/libstrobe.so");
    environ_measure(environ, &pointers, &bytes);
    MUST(pointers == 0);
}

static void a_library_that_is_gone_is_not_asked_for(void **state)
{
    (void)state;
    in_child(leave_when_gone);
}

static void hide_many(void)
{
    const char *entries[32] = {"LD_PRELOAD=%L"};
    static char names[30][32];
    for (int i = 0; i < 30; i++) {
        snprintf(names[i], sizeof names[i], "STROBE_%d=x", i);
        entries[i + 1] = names[i];
    }
    set_environment(entries);
    size_t left = 0;
    while (environ[left])
        left++;
    MUST(left == 14); /* what has no place is left where it was */
    MUST(strcmp(environ_get("STROBE_15"), "x") == 0);
    char **out = restored(environ);
    size_t n = 0;
    while (out[n])
        n++;
    MUST(n == 17); /* ours go by the list that was hidden */
}

static void more_settings_than_there_are_do_no_harm(void **state)
{
    (void)state;
    in_child(hide_many);
}

static void expand(void)
{
    char out[64], want[64];
    strcpy(rt.exe, "/usr/bin/prog");
    snprintf(want, sizeof want, "prog.%d.cpu.pb.gz", (int)getpid());
    MUST(options_expand(out, sizeof out, "%e.%p.%k.pb.gz", "cpu") == 0 && strcmp(out, want) == 0);
    MUST(options_expand(out, sizeof out, "100%", "cpu") == 0 && strcmp(out, "100%") == 0);
    MUST(options_expand(out, sizeof out, "100%.pb", "cpu") == 0 && strcmp(out, "100%.pb") == 0);
    MUST(options_expand(out, sizeof out, "a%%p%x", "cpu") == 0 && strcmp(out, "a%p%x") == 0);
    MUST(options_expand(out, 4, "abc", "cpu") == 0 && strcmp(out, "abc") == 0);
    MUST(options_expand(out, 4, "abcd", "cpu") < 0);
    MUST(options_expand(out, 4, "%e", "cpu") < 0);
}

static void file_names_are_expanded(void **state)
{
    (void)state;
    in_child(expand);
}

int main(void)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_sees_nothing_of_us_and_its_children_get_all),
        cmocka_unit_test(libraries_of_the_program_stay),
        cmocka_unit_test(a_linked_program_keeps_its_environment),
        cmocka_unit_test(any_environment_of_a_child_is_completed),
        cmocka_unit_test(a_library_that_is_gone_is_not_asked_for),
        cmocka_unit_test(more_settings_than_there_are_do_no_harm),
        cmocka_unit_test(file_names_are_expanded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
