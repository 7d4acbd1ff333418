/* SPDX-License-Identifier: MIT
 *
 * The symbolizer on this very program, on libc, the vdso, and on damaged copies of this program.
 * How it does on binaries built in other ways is in tests/symbol. */
#include "symbol/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cmocka.h>

__attribute__((noinline)) static int plain_function(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

/* A profile with one location for each address, and a mapping for the file. */
static void make(struct profile *p, const char *file, uint64_t start, uint64_t offset)
{
    profile_init(p);
    p->mappings = arena_zarray(&p->arena, 1, sizeof *p->mappings);
    p->mappings[0] = (struct profile_mapping){.id = 1, .start = start, .limit = UINT64_MAX};
    p->mappings[0].offset = offset;
    p->mappings[0].file = profile_intern_cstr(p, file);
    p->mapping_count = 1;
    p->locations = arena_zarray(&p->arena, 64, sizeof *p->locations);
}

static void add(struct profile *p, uint64_t address)
{
    uint32_t i = p->location_count++;
    p->locations[i] = (struct profile_location){.id = i + 1, .address = address};
}

/* The executable mapping of this process that contains `address`. */
static void mapping_of(const void *address, uint64_t *start, uint64_t *offset, char *file)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4500];
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long lo, hi, off;
        file[0] = 0;
        sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095[^\n]", &lo, &hi, &off, file);
        if ((uintptr_t)address >= lo && (uintptr_t)address < hi) {
            *start = lo;
            *offset = off;
            break;
        }
    }
    fclose(maps);
}

static void make_for(struct profile *p, const void *address)
{
    uint64_t start = 0, offset = 0;
    char file[4096];
    mapping_of(address, &start, &offset, file);
    make(p, file, start, offset);
    add(p, (uintptr_t)address);
}

static const char *string(const struct profile *p, uint32_t index)
{
    static char text[4096];
    struct profile_str s = profile_string(p, index);
    snprintf(text, sizeof text, "%.*s", (int)s.len, s.ptr);
    return text;
}

static const struct profile_function *outermost(const struct profile *p, uint32_t location)
{
    const struct profile_location *l = &p->locations[location];
    assert_true(l->line_count > 0);
    return &p->functions[p->lines[l->line_first + l->line_count - 1].function];
}

static struct symbol_stats symbolize(struct profile *p, const struct symbol_options *o)
{
    struct symbol_stats stats;
    struct err e = {0};
    assert_int_equal(symbol_profile(p, o, &stats, &e), 0);
    assert_int_equal(stats.locations,
                     stats.with_function + stats.by_unwind_entry + stats.without_name);
    if (profile_check(p, &e))
        fail_msg("%s", e.msg);
    return stats;
}

static void names_a_static_function_of_a_program(void **state)
{
    struct profile p;
    make_for(&p, (const char *)plain_function + 1);
    struct symbol_stats stats = symbolize(&p, NULL);
    assert_string_equal(string(&p, outermost(&p, 0)->name), "plain_function");
    assert_int_equal(stats.with_function, 1);
    assert_true(p.mappings[0].has_functions);
    assert_int_equal(p.mappings[0].has_line_numbers, stats.with_line > 0);
    profile_free(&p);
}

static void names_libc_by_the_names_that_programs_use(void **state)
{
    static const char *const names[] = {"malloc", "puts", "qsort", "write", "fork", "fopen"};
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    assert_non_null(libc);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct profile p;
        /* Sanitizers put functions of their own before libc's in the program's scope. */
        make_for(&p, dlsym(libc, names[i]));
        symbolize(&p, NULL);
        assert_string_equal(string(&p, outermost(&p, 0)->name), names[i]);
        profile_free(&p);
    }
    dlclose(libc);
}

static void names_the_vdso(void **state)
{
    uintptr_t base = getauxval(AT_SYSINFO_EHDR);
    if (!base) {
        print_message("this kernel has no vdso\n");
        skip();
    }
    /* The address of clock_gettime's implementation, from the vdso's own symbol table. */
    Elf64_Ehdr h;
    memcpy(&h, (const void *)base, sizeof h); /* NOLINT: the kernel hands out a number */
    struct profile p;
    make(&p, "[vdso]", base, 0);
    add(&p, base + h.e_entry);
    for (int i = 0; i < h.e_shnum; i++) {
        Elf64_Shdr s;
        memcpy(&s, (const char *)base + h.e_shoff + (size_t)i * h.e_shentsize, sizeof s);
        if (s.sh_type == SHT_PROGBITS && (s.sh_flags & SHF_EXECINSTR) && s.sh_size > 64)
            p.locations[0].address = base + s.sh_addr + s.sh_size / 2;
    }
    struct symbol_stats stats = symbolize(&p, NULL);
    assert_int_equal(stats.without_name, 0);
    assert_true(p.mappings[0].has_functions);
    profile_free(&p);
}

static void says_why_a_file_was_not_used(void **state)
{
    static const struct {
        const char *file, *build_id, *reason;
    } cases[] = {
        {"/nonexistent/file", "", "the file is gone"},
        {"/proc/self/exe", "0123456789abcdef", "the file was replaced since: its build id differs"},
        {"/dev/null", "", "it is not a regular file"},
        {"/etc/passwd", "", "it is not an ELF file"},
        {"[heap]", "", "it is no file"},
        {"", "", "it is no file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct profile p;
        make(&p, cases[i].file, 0, 0);
        p.mappings[0].build_id = profile_intern_cstr(&p, cases[i].build_id);
        add(&p, 4096);
        struct symbol_stats stats = symbolize(&p, NULL);
        assert_int_equal(stats.module_count, 1);
        assert_string_equal(stats.modules[0].reason, cases[i].reason);
        assert_int_equal(p.locations[0].line_count, 0);
        assert_false(p.mappings[0].has_functions);
        profile_free(&p);
    }
}

static void leaves_alone_what_has_functions_already(void **state)
{
    struct profile p;
    struct symbol_options o;
    make_for(&p, (const char *)plain_function + 1);
    p.functions = arena_zarray(&p.arena, 1, sizeof *p.functions);
    p.functions[0] = (struct profile_function){.id = 7};
    p.functions[0].name = p.functions[0].system_name = profile_intern_cstr(&p, "known");
    p.function_count = 1;
    p.lines = arena_zarray(&p.arena, 1, sizeof *p.lines);
    p.line_count = 1;
    p.locations[0].line_count = 1;
    assert_int_equal(symbolize(&p, NULL).locations, 0);
    assert_string_equal(string(&p, outermost(&p, 0)->name), "known");
    /* With force it is done again, and the new function's id is a free one. */
    symbol_options_default(&o);
    o.force = true;
    assert_int_equal(symbolize(&p, &o).with_function, 1);
    assert_string_equal(string(&p, outermost(&p, 0)->name), "plain_function");
    assert_true(outermost(&p, 0)->id > 7);
    profile_free(&p);
}

static void gives_the_same_for_any_number_of_threads(void **state)
{
    const void *addresses[] = {(const char *)plain_function + 1, dlsym(RTLD_NEXT, "malloc"),
                               dlsym(RTLD_NEXT, "fopen")};
    struct buf out[2];
    struct profile p[2];
    for (unsigned t = 0; t < 2; t++) {
        char file[4096];
        make(&p[t], "", 0, 0);
        p[t].mappings = arena_zarray(&p[t].arena, 3, sizeof *p[t].mappings);
        for (uint32_t i = 0; i < 3; i++) {
            struct profile_mapping *m = &p[t].mappings[i];
            m->id = i + 1;
            mapping_of(addresses[i], &m->start, &m->offset, file);
            m->limit = m->start + (1u << 30);
            m->file = profile_intern_cstr(&p[t], file);
            add(&p[t], (uintptr_t)addresses[i]);
            p[t].locations[i].mapping = i;
        }
        p[t].mapping_count = 3;
        struct symbol_options o;
        symbol_options_default(&o);
        o.threads = t ? 8 : 1;
        symbolize(&p[t], &o);
        buf_init(&out[t], &p[t].arena);
        assert_int_equal(profile_encode(&p[t], &out[t]), 0);
    }
    assert_int_equal(out[0].len, out[1].len);
    assert_memory_equal(out[0].data, out[1].data, out[0].len);
    profile_free(&p[0]);
    profile_free(&p[1]);
}

/* ---- damaged files ---- */

struct file {
    char *bytes;
    size_t size;
};

static struct file read_self(void)
{
    struct file f = {0};
    FILE *in = fopen("/proc/self/exe", "rbe");
    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    f.size = (size_t)ftell(in);
    rewind(in);
    f.bytes = malloc(f.size);
    assert_int_equal(fread(f.bytes, 1, f.size, in), f.size);
    fclose(in);
    return f;
}

/* Symbolizes some addresses of a file with these bytes: only that it comes to an end matters. */
static void try_bytes(const char *bytes, size_t size, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    struct profile p;
    uint64_t start = 0, offset = 0;
    char file[4096];
    mapping_of((const void *)(uintptr_t)plain_function, &start, &offset, file);
    make(&p, path, start, offset);
    for (uint64_t i = 0; i < 48; i++)
        add(&p, (uintptr_t)plain_function - 512 + 97 * i);
    symbolize(&p, NULL);
    profile_free(&p);
}

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static void survives_damaged_files(void **state)
{
    struct file f = read_self();
    char *copy = malloc(f.size), path[] = "/tmp/test_symbol.XXXXXX";
    int fd = mkstemp(path);
    uint32_t seed = 2463534242;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < 24; i++)
        try_bytes(f.bytes, i < 8 ? 16 * i : f.size * i / 24, path);
    Elf64_Ehdr h;
    memcpy(&h, f.bytes, sizeof h);
    for (int round = 0; round < 160; round++) {
        memcpy(copy, f.bytes, f.size);
        /* Headers, section headers, or anywhere. */
        for (int k = 0; k < 1 + round % 64; k++) {
            size_t first = 0, room = f.size;
            if (round % 3 == 0)
                room = sizeof h + 16 * sizeof(Elf64_Phdr);
            else if (round % 3 == 1)
                first = h.e_shoff, room = f.size - h.e_shoff;
            copy[first + next_random(&seed) % room] = (char)next_random(&seed);
        }
        try_bytes(copy, f.size, path);
    }
    unlink(path);
    free(copy);
    free(f.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_a_static_function_of_a_program),
        cmocka_unit_test(names_libc_by_the_names_that_programs_use),
        cmocka_unit_test(names_the_vdso),
        cmocka_unit_test(says_why_a_file_was_not_used),
        cmocka_unit_test(leaves_alone_what_has_functions_already),
        cmocka_unit_test(gives_the_same_for_any_number_of_threads),
        cmocka_unit_test(survives_damaged_files),
    };
    return plain_function(-1) + cmocka_run_group_tests(tests, NULL, NULL);
}
