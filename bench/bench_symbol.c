/* SPDX-License-Identifier: MIT
 *
 * Names, lines and inlined frames of many addresses of two binaries with debug information: this
 * build's strobe, and the C library with its separate debug file where that is installed. Beside
 * the tools that pprof and perf ask: each is given all addresses at once, as we are, on its
 * standard input. The time is what the whole answer takes, from opening the file on. */
#include "symbol/elf_file.h"
#include "symbol/symbol.h"

#include <gnu/lib-names.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ADDRESSES = 20000, ADDRESSES_SHORT = 2000, ROUNDS = 3 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Where the code is: addresses of the file, and the offset of the first. */
struct code {
    uint64_t address, offset, size;
};

static bool find_code(const char *path, struct code *c)
{
    struct arena a = {0};
    struct elf_file f;
    bool found = false;
    if (!elf_file_open(&f, path, &a)) {
        const struct section *s = elf_file_section(&f, ".text");
        if (s) {
            *c = (struct code){s->addr, s->offset, s->size};
            found = s->size > ADDRESSES;
        }
        elf_file_close(&f);
    }
    arena_free(&a);
    return found;
}

static uint64_t place(const struct code *c, uint32_t i, uint32_t count)
{
    return c->size / count * i;
}

static double ours(const char *path, const struct code *c, uint32_t count, uint32_t *with_line)
{
    struct profile p;
    struct symbol_stats stats = {0};
    struct err e = {0};
    profile_init(&p);
    p.mappings = arena_zarray(&p.arena, 1, sizeof *p.mappings);
    p.mappings[0] = (struct profile_mapping){.id = 1, .limit = UINT64_MAX};
    p.mappings[0].file = profile_intern_cstr(&p, path);
    p.mapping_count = 1;
    p.locations = arena_zarray(&p.arena, count, sizeof *p.locations);
    for (uint32_t i = 0; i < count; i++)
        p.locations[i] =
            (struct profile_location){.id = i + 1, .address = c->offset + place(c, i, count)};
    p.location_count = count;
    double start = now_s();
    if (symbol_profile(&p, NULL, &stats, &e))
        fprintf(stderr, "%s\n", e.msg);
    double took = now_s() - start;
    *with_line = stats.with_line;
    profile_free(&p);
    return took;
}

/* -1: the tool is not there. */
static double theirs(const char *command, const struct code *c, uint32_t count)
{
    double start = now_s();
    FILE *in = popen(command, "w"); /* NOLINT: a command of this file */
    for (uint32_t i = 0; in && i < count; i++)
        fprintf(in, "0x%llx\n", (unsigned long long)(c->address + place(c, i, count)));
    int status = in ? pclose(in) : -1;
    return status == 0 ? now_s() - start : -1;
}

static void compare(const char *name, const char *path, uint32_t count)
{
    static const char *const tools[][2] = {
        {"llvm-symbolizer", "llvm-symbolizer --inlines --demangle --obj=%s >/dev/null 2>&1"},
        {"addr2line", "addr2line -afiC -e %s >/dev/null 2>&1"},
        {"eu-addr2line", "eu-addr2line -afiC -e %s >/dev/null 2>&1"},
    };
    struct code c;
    uint32_t with_line = 0;
    if (!find_code(path, &c)) {
        printf("%-24s not here\n", name);
        return;
    }
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        double took = ours(path, &c, count, &with_line);
        best = took < best ? took : best;
    }
    printf("%-24s strobe %.3f s for %u addresses, %u with a line\n", name, best, count, with_line);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        char command[PATH_MAX + 100];
        snprintf(command, sizeof command, tools[i][1], path);
        double took = theirs(command, &c, count);
        if (took < 0)
            printf("%-24s %s: not here, or it failed\n", "", tools[i][0]);
        else
            printf("%-24s %s %.3f s, %.1f times ours\n", "", tools[i][0], took, took / best);
    }
}

int main(int argc, char **argv)
{
    char self[PATH_MAX], path[PATH_MAX + 32];
    uint32_t count = argc > 1 && !strcmp(argv[1], "--short") ? ADDRESSES_SHORT : ADDRESSES;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    unsetenv("DEBUGINFOD_URLS");
    snprintf(path, sizeof path, "%s/../strobe", self);
    char *real = realpath(path, NULL);
    compare("strobe itself", real ? real : path, count);
    free(real);
    real = realpath("/lib/x86_64-linux-gnu/" LIBC_SO, NULL);
    compare("libc, separate debug", real ? real : "", count);
    free(real);
    return 0;
}
