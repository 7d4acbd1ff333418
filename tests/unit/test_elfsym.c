/* SPDX-License-Identifier: MIT
 *
 * Function names read from inside a host program: of this very program, of a small ELF file made by
 * hand, and of that file damaged in every place. */
#include "base/elfsym.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/strobe-elfsym-XXXXXX";
static struct arena arena;

/* Address 0x400000 + x is file offset x. */
struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr load, note;
    Elf64_Nhdr other_head;
    char other[8];
    Elf64_Nhdr id_head;
    char id_name[4];
    uint8_t id[4];
    Elf64_Sym symbols[10];
    char strings[64];
    Elf64_Shdr sections[3];
    uint8_t code[4096];
};

enum { BASE = 0x400000, CODE = offsetof(struct image, code) };

static const char strings[] = "\0outer\0inner\0short\0long\0data\0undefined\0far\0last";

static uint32_t string(const char *s)
{
    for (uint32_t i = 1; i < sizeof strings; i++)
        if (strcmp(strings + i, s) == 0)
            return i;
    fail();
    return 0;
}

static Elf64_Sym function(const char *name, uint64_t at, uint64_t size)
{
    return (Elf64_Sym){.st_name = string(name),
                       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                       .st_shndx = 1,
                       .st_value = BASE + CODE + at,
                       .st_size = size};
}

static struct image good(void)
{
    struct image i = {
        .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_EXEC,
               .e_machine = EM_X86_64,
               .e_version = EV_CURRENT,
               .e_phoff = offsetof(struct image, load),
               .e_shoff = offsetof(struct image, sections),
               .e_ehsize = sizeof(Elf64_Ehdr),
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 2,
               .e_shentsize = sizeof(Elf64_Shdr),
               .e_shnum = 3},
        .load = {.p_type = PT_LOAD,
                 .p_vaddr = BASE,
                 .p_filesz = sizeof(struct image),
                 .p_memsz = sizeof(struct image)},
        .note = {.p_type = PT_NOTE,
                 .p_offset = offsetof(struct image, other_head),
                 .p_filesz = offsetof(struct image, symbols) - offsetof(struct image, other_head)},
        .other_head = {.n_namesz = 2, .n_descsz = 3, .n_type = 1},
        .id_head = {.n_namesz = 4, .n_descsz = 4, .n_type = NT_GNU_BUILD_ID},
        .id_name = "GNU",
        .id = {0xde, 0xad, 0xbe, 0xef},
        .sections = {{0},
                     {.sh_type = SHT_SYMTAB,
                      .sh_link = 2,
                      .sh_offset = offsetof(struct image, symbols),
                      .sh_size = sizeof(Elf64_Sym) * 10},
                     {.sh_type = SHT_STRTAB,
                      .sh_offset = offsetof(struct image, strings),
                      .sh_size = sizeof strings}},
    };
    memcpy(i.strings, strings, sizeof strings);
    Elf64_Sym symbols[] = {{0},
                           function("long", 1000, 100),
                           function("short", 1000, 10),
                           function("inner", 120, 20),
                           function("outer", 100, 100),
                           function("data", 300, 8),
                           function("undefined", 310, 8),
                           function("far", 0x10000, 8),
                           function("last", 4095, 1),
                           function("outer", 320, 0)};
    symbols[5].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
    symbols[6].st_shndx = SHN_UNDEF;
    memcpy(i.symbols, symbols, sizeof symbols);
    return i;
}

static void put(const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static int open_image(struct elfsym *s, const struct image *i)
{
    put(i, sizeof *i);
    return elfsym_open(s, &arena, path, NULL, 0);
}

static int make(void **state)
{
    (void)state;
    arena_init_nullable(&arena);
    int fd = mkstemp(path);
    return fd < 0 ? 1 : close(fd);
}

static int drop(void **state)
{
    (void)state;
    arena_free(&arena);
    return unlink(path);
}

static const char *name_at(const struct elfsym *s, uint64_t at)
{
    const struct elfsym_function *f = elfsym_find(s, CODE + at);
    return f ? f->name : "none";
}

/* ---- what is right ---- */

static void functions_are_found_by_file_offset(void **state)
{
    (void)state;
    struct image i = good();
    struct elfsym s;
    assert_int_equal(open_image(&s, &i), 0);
    assert_string_equal(name_at(&s, 99), "none");
    assert_string_equal(name_at(&s, 100), "outer");
    assert_string_equal(name_at(&s, 119), "outer");
    assert_string_equal(name_at(&s, 199), "outer");
    assert_string_equal(name_at(&s, 200), "none");
    assert_string_equal(name_at(&s, 300), "none"); /* data */
    assert_string_equal(name_at(&s, 310), "none"); /* undefined */
    assert_string_equal(name_at(&s, 320), "none"); /* no size */
    assert_string_equal(name_at(&s, 4095), "last");
    assert_string_equal(name_at(&s, 4096), "none");
    assert_null(elfsym_find(&s, 0));
    assert_null(elfsym_find(&s, UINT64_MAX));
    elfsym_close(&s);
    assert_null(elfsym_find(&s, CODE + 100));
}

/* Assemblers nest functions and give them several names: the innermost that contains it counts. */
static void nested_functions_do_not_hide_their_outer_one(void **state)
{
    (void)state;
    struct image i = good();
    struct elfsym s;
    assert_int_equal(open_image(&s, &i), 0);
    assert_string_equal(name_at(&s, 120), "inner");
    assert_string_equal(name_at(&s, 139), "inner");
    assert_string_equal(name_at(&s, 140), "outer");
    assert_string_equal(name_at(&s, 1050), "long"); /* "short" begins there as well */
    assert_string_equal(name_at(&s, 1099), "long");
    assert_string_equal(name_at(&s, 1100), "none");
    elfsym_close(&s);
}

static void dynamic_symbols_stand_in_for_a_stripped_table(void **state)
{
    (void)state;
    struct image i = good();
    struct elfsym s;
    i.sections[1].sh_type = SHT_DYNSYM;
    assert_int_equal(open_image(&s, &i), 0);
    assert_string_equal(name_at(&s, 100), "outer");
    elfsym_close(&s);
    i.eh.e_shnum = 0; /* nothing at all: no names, but no error */
    i.eh.e_shoff = 0;
    assert_int_equal(open_image(&s, &i), 0);
    assert_string_equal(name_at(&s, 100), "none");
    elfsym_close(&s);
}

static void only_the_file_with_the_build_id_is_read(void **state)
{
    (void)state;
    struct image i = good();
    struct elfsym s;
    put(&i, sizeof i);
    const uint8_t other[] = {0xde, 0xad, 0xbe, 0xee};
    assert_int_equal(elfsym_open(&s, &arena, path, i.id, 4), 0);
    elfsym_close(&s);
    assert_int_equal(elfsym_open(&s, &arena, path, other, 4), -ESTALE);
    assert_int_equal(elfsym_open(&s, &arena, path, i.id, 3), -ESTALE);
    i.id_head.n_descsz = 1000; /* beyond the note */
    put(&i, sizeof i);
    assert_int_equal(elfsym_open(&s, &arena, path, i.id, 4), -ESTALE);
}

__attribute__((noinline)) static int a_function_of_this_program(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x * 3;
}

static int find_offset(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    uint64_t *offset = ctx, at = *offset - info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && at >= info->dlpi_phdr[i].p_vaddr &&
            at - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_filesz) {
            *offset = at - info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_offset;
            return 1;
        }
    return 1; /* the first is the program itself */
}

static void this_program_is_read(void **state)
{
    (void)state;
    struct elfsym s;
    uint64_t offset = (uintptr_t)a_function_of_this_program;
    assert_int_equal(a_function_of_this_program(2), 6);
    dl_iterate_phdr(find_offset, &offset);
    assert_int_equal(elfsym_open(&s, &arena, "/proc/self/exe", NULL, 0), 0);
    const struct elfsym_function *f = elfsym_find(&s, offset + 1);
    assert_non_null(f);
    assert_string_equal(f->name, "a_function_of_this_program");
    assert_int_equal(f->start, offset);
    for (size_t i = 1; i < s.count; i++)
        assert_true(s.functions[i - 1].start <= s.functions[i].start);
    elfsym_close(&s);
}

/* ---- what is wrong ---- */

static void what_is_no_elf_file_is_an_error(void **state)
{
    (void)state;
    struct elfsym s;
    struct image i = good();
    assert_int_equal(elfsym_open(&s, &arena, "/nonexistent", NULL, 0), -ENOENT);
    assert_int_equal(elfsym_open(&s, &arena, "/", NULL, 0), -ENOEXEC);
    put("", 0);
    assert_int_equal(elfsym_open(&s, &arena, path, NULL, 0), -ENOEXEC);
    put("#!/bin/sh\n", 10);
    assert_int_equal(elfsym_open(&s, &arena, path, NULL, 0), -ENOEXEC);
    i.eh.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(open_image(&s, &i), -ENOEXEC);
    i = good();
    i.eh.e_phoff = sizeof i;
    assert_int_equal(open_image(&s, &i), -ENOEXEC);
    i = good();
    i.sections[2].sh_size--; /* names without an end */
    i.strings[sizeof strings - 2] = 'x';
    assert_int_equal(open_image(&s, &i), -ENOEXEC);
}

static void use(struct elfsym *s)
{
    for (uint64_t at = 0; at < 5000; at += 17) {
        const struct elfsym_function *f = elfsym_find(s, at);
        if (f)
            assert_true(strlen(f->name) < sizeof(struct image));
    }
}

static void truncated_files_are_survived(void **state)
{
    (void)state;
    struct image i = good();
    struct elfsym s;
    for (size_t n = 0; n < CODE; n += 3) {
        put(&i, n);
        if (elfsym_open(&s, &arena, path, NULL, 0) == 0) {
            use(&s);
            elfsym_close(&s);
        }
    }
}

/* Each byte of the headers and tables in turn, to three values. */
static void damaged_files_are_survived(void **state)
{
    (void)state;
    const unsigned char values[] = {0xff, 0x80, 0x01};
    for (size_t at = 0; at < CODE; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            struct image i = good();
            struct elfsym s;
            ((unsigned char *)&i)[at] ^= values[v];
            if (open_image(&s, &i) == 0) {
                use(&s);
                elfsym_close(&s);
            }
            arena_free(&arena);
            arena_init_nullable(&arena);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_found_by_file_offset),
        cmocka_unit_test(nested_functions_do_not_hide_their_outer_one),
        cmocka_unit_test(dynamic_symbols_stand_in_for_a_stripped_table),
        cmocka_unit_test(only_the_file_with_the_build_id_is_read),
        cmocka_unit_test(this_program_is_read),
        cmocka_unit_test(what_is_no_elf_file_is_an_error),
        cmocka_unit_test(truncated_files_are_survived),
        cmocka_unit_test(damaged_files_are_survived),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
