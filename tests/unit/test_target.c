/* SPDX-License-Identifier: MIT
 *
 * What `strobe record` makes of the name it is given: the file that a shell would run, and the
 * sentence for those that cannot be recorded. Files are made in a folder of the test's own. */
#include "record/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/strobe-target-XXXXXX";
static char out[PATH_MAX];
static struct err e;
static struct target_kind kind;

static const char *in_dir(const char *name)
{
    static char path[4][PATH_MAX];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", dir, name);
    return path[next];
}

static const char *put(const char *name, const void *bytes, size_t size, mode_t mode)
{
    const char *path = in_dir(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static const char *put_text(const char *name, const char *text, mode_t mode)
{
    return put(name, text, strlen(text), mode);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : 1;
}

static int drop(void **state)
{
    char command[PATH_MAX];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return chdir("/") != 0 || system(command) != 0;
}

static void says(const char *word)
{
    if (!strstr(e.msg, word))
        fail_msg("'%s' does not say '%s'", e.msg, word);
}

static int find(const char *name)
{
    return target_find(out, sizeof out, name, &e);
}

/* ---- finding ---- */

static void path_is_searched_in_order(void **state)
{
    (void)state;
    char path[PATH_MAX];
    mkdir("a", 0755);
    mkdir("b", 0755);
    put_text("b/tool", "x", 0755);
    snprintf(path, sizeof path, "/nonexistent:%s/a:%s/b", dir, dir);
    setenv("PATH", path, 1);
    assert_int_equal(find("tool"), 0);
    assert_string_equal(out, in_dir("b/tool"));
    put_text("a/tool", "x", 0755);
    assert_int_equal(find("tool"), 0);
    assert_string_equal(out, in_dir("a/tool"));
    chmod("a/tool", 0644); /* not executable: the search goes on */
    assert_int_equal(find("tool"), 0);
    assert_string_equal(out, in_dir("b/tool"));
    chmod("b/tool", 0644);
    assert_int_equal(find("tool"), -EACCES);
    says("permission denied");
    unlink("a/tool");
    mkdir("a/tool", 0755); /* a folder is no program */
    chmod("b/tool", 0755);
    assert_int_equal(find("tool"), 0);
    assert_string_equal(out, in_dir("b/tool"));
}

static void nothing_found_is_said(void **state)
{
    (void)state;
    setenv("PATH", "/nonexistent", 1);
    assert_int_equal(find("no-such-program"), -ENOENT);
    says("no-such-program");
    assert_int_equal(find(""), -ENOENT);
    assert_int_equal(find("./no-such-program"), -ENOENT);
    assert_int_equal(find("/no/such/program"), -ENOENT);
}

/* As in execvp, an empty element of PATH is the working directory, wherever it stands. */
static void empty_elements_are_the_working_directory(void **state)
{
    (void)state;
    put_text("here", "x", 0755);
    const char *paths[] = {"", ":/nonexistent", "/nonexistent:", "/nonexistent::/nonexistent", ":"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        setenv("PATH", paths[i], 1);
        assert_int_equal(find("here"), 0);
        assert_int_equal(access(out, X_OK), 0);
        assert_non_null(strchr(out, '/')); /* execve must not search again */
    }
    setenv("PATH", "/nonexistent", 1);
    assert_int_equal(find("here"), -ENOENT);
}

static void without_path_the_system_is_searched(void **state)
{
    (void)state;
    unsetenv("PATH");
    assert_int_equal(find("sh"), 0);
    assert_string_equal(out, "/bin/sh");
}

static void a_slash_means_no_search(void **state)
{
    (void)state;
    setenv("PATH", "/bin", 1);
    put_text("prog", "x", 0755);
    assert_int_equal(find("./prog"), 0);
    assert_string_equal(out, "./prog");
    assert_int_equal(find("./sh"), -ENOENT);
    assert_int_equal(find("."), -ENOENT); /* no slash: a name to search for */
    assert_int_equal(find("./"), -EACCES);
    says("directory");
    put_text("plain", "x", 0644);
    assert_int_equal(find("./plain"), -EACCES);
    says("not executable");
    assert_int_equal(find("./prog/more"), -ENOTDIR);
}

static void long_names_are_refused(void **state)
{
    (void)state;
    char name[PATH_MAX + 100];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    setenv("PATH", "/bin:/usr/bin", 1);
    assert_int_equal(find(name), -ENOENT);
    name[1] = '/';
    assert_int_equal(find(name), -ENAMETOOLONG);
    assert_int_equal(target_find(out, 4, "./prog", &e), -ENAMETOOLONG);
}

/* ---- judging ---- */

/* An ELF file with one program header of the type. */
struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr ph;
};

static struct image elf(uint32_t type)
{
    struct image i = {.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                             .e_type = ET_DYN,
                             .e_version = EV_CURRENT,
                             .e_phoff = sizeof(Elf64_Ehdr),
                             .e_ehsize = sizeof(Elf64_Ehdr),
                             .e_phentsize = sizeof(Elf64_Phdr),
                             .e_phnum = 1},
                      .ph = {.p_type = type}};
#if defined(__x86_64__)
    i.eh.e_machine = EM_X86_64;
#else
    i.eh.e_machine = EM_AARCH64;
#endif
    return i;
}

static int check(const struct image *i, mode_t mode)
{
    return target_check(put("elf", i, sizeof *i, mode), &kind, &e);
}

static void programs_with_an_interpreter_are_taken(void **state)
{
    (void)state;
    struct image i = elf(PT_INTERP);
    assert_int_equal(check(&i, 0755), 0);
    assert_int_equal(target_check("/bin/sh", &kind, &e), 0);
    assert_int_equal(target_check("/proc/self/exe", &kind, &e), 0);
}

static void static_programs_are_sampled_from_outside(void **state)
{
    (void)state;
    struct image i = elf(PT_INTERP);
    assert_int_equal(check(&i, 0755), 0);
    assert_null(kind.why_outside);
    i = elf(PT_LOAD);
    assert_int_equal(check(&i, 0755), 0);
    assert_string_equal(kind.why_outside, "statically linked");
    assert_false(kind.is_go);
    i.eh.e_phnum = 0;
    assert_int_equal(check(&i, 0755), -ENOEXEC);
    i.eh.e_phnum = UINT16_MAX; /* and not there */
    i.eh.e_phoff = UINT64_MAX - 100;
    assert_int_equal(check(&i, 0755), -ENOEXEC);
}

static void programs_of_other_machines_are_refused(void **state)
{
    (void)state;
    struct image i = elf(PT_INTERP);
    i.eh.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(check(&i, 0755), -ENOEXEC);
    says("32-bit");
    i = elf(PT_INTERP);
    i.eh.e_machine = EM_RISCV;
    assert_int_equal(check(&i, 0755), -ENOEXEC);
}

/* A 32-bit program's header is shorter than ours: it is 32-bit, not truncated. */
static void a_short_32_bit_program_is_32_bit(void **state)
{
    (void)state;
    struct image i = elf(PT_INTERP);
    i.eh.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(target_check(put("short", &i, sizeof(Elf32_Ehdr), 0755), &kind, &e), -ENOEXEC);
    says("32-bit");
}

static void truncated_programs_are_refused(void **state)
{
    (void)state;
    struct image i = elf(PT_INTERP);
    for (size_t n = SELFMAG; n < sizeof i; n++)
        assert_int_equal(target_check(put("cut", &i, n, 0755), &kind, &e), -ENOEXEC);
    says("cut");
}

static void scripts_are_judged_by_their_interpreter(void **state)
{
    (void)state;
    char text[PATH_MAX + 8];
    struct image fixed = elf(PT_LOAD);
    assert_int_equal(target_check(put_text("s", "#!/bin/sh\n", 0755), &kind, &e), 0);
    assert_int_equal(target_check(put_text("s", "#! /bin/sh -e\necho\n", 0755), &kind, &e), 0);
    assert_int_equal(target_check(put_text("s", "#!/bin/sh", 0755), &kind, &e), 0);
    snprintf(text, sizeof text, "#!%s\n", put("fixed", &fixed, sizeof fixed, 0755));
    assert_int_equal(target_check(put_text("s", text, 0755), &kind, &e), 0);
    assert_string_equal(kind.why_outside, "statically linked");
    snprintf(text, sizeof text, "#!%s\n", in_dir("s"));
    assert_int_equal(target_check(put_text("t", text, 0755), &kind, &e), 0); /* of a script */
    assert_string_equal(kind.why_outside, "statically linked");
    snprintf(text, sizeof text, "#!%s\n", in_dir("loop"));
    put_text("loop", text, 0755);
    assert_int_equal(target_check(in_dir("loop"), &kind, &e), 0); /* ends; execve says ELOOP */
}

static void what_execve_will_judge_is_let_through(void **state)
{
    (void)state;
    const char *texts[] = {"",
                           "#",
                           "#!",
                           "#!\n",
                           "#! \t \n",
                           "echo\n",
                           "\177EL"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(target_check(put_text("odd", texts[i], 0755), &kind, &e), 0);
    char *long_line = calloc(1, 5000);
    memset(long_line, 'x', 4999);
    memcpy(long_line, "#!/", 3);
    assert_int_equal(target_check(put_text("odd", long_line, 0755), &kind, &e), 0);
    free(long_line);
    assert_int_equal(target_check(in_dir("nothing"), &kind, &e), 0);
}

static void programs_that_gain_rights_are_refused(void **state)
{
    (void)state;
    struct image i = elf(PT_INTERP);
    if (geteuid() != 0) {
        print_message("not root: no file of another user can be made\n");
        skip();
    }
    const char *path = put("suid", &i, sizeof i, 0755);
    assert_int_equal(chown(path, 65534, 0), 0);
    assert_int_equal(chmod(path, 04755), 0);
    assert_int_equal(target_check(path, &kind, &e), -EPERM);
    says("set-user-id");
    says("sudo");
    assert_int_equal(chown(path, 0, 65534), 0);
    assert_int_equal(chmod(path, 02755), 0);
    assert_int_equal(target_check(path, &kind, &e), -EPERM);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chmod(path, 06755), 0); /* of this very user: nothing is gained */
    assert_int_equal(target_check(path, &kind, &e), 0);
}

/* ---- the library ---- */

static void the_library_is_where_it_is_said_to_be(void **state)
{
    (void)state;
    put_text("lib.so", "x", 0644);
    setenv("STROBE_LIB", in_dir("lib.so"), 1);
    assert_int_equal(target_library(out, sizeof out, &e), 0);
    assert_int_equal(out[0], '/');
    assert_non_null(strstr(out, "/lib.so"));
    setenv("STROBE_LIB", in_dir("none.so"), 1);
    assert_int_equal(target_library(out, sizeof out, &e), -ENOENT);
    says("STROBE_LIB");
    says("none.so");
    unsetenv("STROBE_LIB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_searched_in_order),
        cmocka_unit_test(nothing_found_is_said),
        cmocka_unit_test(empty_elements_are_the_working_directory),
        cmocka_unit_test(without_path_the_system_is_searched),
        cmocka_unit_test(a_slash_means_no_search),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(programs_with_an_interpreter_are_taken),
        cmocka_unit_test(static_programs_are_sampled_from_outside),
        cmocka_unit_test(programs_of_other_machines_are_refused),
        cmocka_unit_test(a_short_32_bit_program_is_32_bit),
        cmocka_unit_test(truncated_programs_are_refused),
        cmocka_unit_test(scripts_are_judged_by_their_interpreter),
        cmocka_unit_test(what_execve_will_judge_is_let_through),
        cmocka_unit_test(programs_that_gain_rights_are_refused),
        cmocka_unit_test(the_library_is_where_it_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
