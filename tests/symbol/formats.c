/* SPDX-License-Identifier: MIT
 *
 * formats MODE PROGRAM: runs a program that says where it is and what must be found there (body.c),
 * symbolizes those addresses, and compares.
 *   lines     functions, lines and inlined frames
 *   names     the physical function's name
 *   stripped  main is "main"; every other function has one name, which no other has, made of the
 *             module and an address */
#include "symbol/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 64

struct place {
    char expected[512];
};

static struct place places[PLACES];
static int failures;

static bool read_line(struct profile *p, const char *line)
{
    unsigned long a, b, c;
    char rest[4096] = "";
    if (sscanf(line, "map %lx %lx %lx %4095[^\n]", &a, &b, &c, rest) >= 3) {
        struct profile_mapping *m = &p->mappings[p->mapping_count++];
        *m = (struct profile_mapping){.id = p->mapping_count, .start = a, .limit = b, .offset = c};
        m->file = profile_intern_cstr(p, rest);
        return p->mapping_count < PLACES;
    }
    if (sscanf(line, "at %lx %4095[^\n]", &a, rest) != 2)
        return true;
    struct profile_location *l = &p->locations[p->location_count];
    *l = (struct profile_location){.id = p->location_count + 1, .address = a};
    l->mapping = PROFILE_NONE;
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        if (a >= p->mappings[i].start && a < p->mappings[i].limit)
            l->mapping = i;
    }
    snprintf(places[p->location_count++].expected, sizeof places[0].expected, "%.500s", rest);
    return p->location_count < PLACES;
}

static bool run(struct profile *p, const char *program)
{
    char line[5000];
    FILE *out = popen(program, "r"); /* NOLINT: the test's own program */
    profile_init(p);
    p->mappings = arena_zarray(&p->arena, PLACES, sizeof *p->mappings);
    p->locations = arena_zarray(&p->arena, PLACES, sizeof *p->locations);
    while (out && fgets(line, sizeof line, out) && read_line(p, line))
        ;
    return out && pclose(out) == 0 && p->location_count > 2;
}

static void append_name(const struct profile *p, uint32_t function, char *out, size_t size)
{
    struct profile_str s = profile_string(p, p->functions[function].name);
    size_t len = strlen(out), n = s.len;
    /* Compilers add ".constprop.0" and the like to functions they specialise. */
    const char *dot = memchr(s.ptr, '.', n);
    if (dot && dot > s.ptr && !memchr(s.ptr, '!', n))
        n = (size_t)(dot - s.ptr);
    snprintf(out + len, size - len, "%.*s", (int)n, s.ptr);
}

/* "inner:26 mid:32 outer:38" */
static void describe(const struct profile *p, const struct profile_location *l, char *out,
                     size_t size)
{
    out[0] = 0;
    for (uint32_t i = 0; i < l->line_count; i++) {
        const struct profile_line *line = &p->lines[l->line_first + i];
        if (i)
            snprintf(out + strlen(out), size - strlen(out), " ");
        append_name(p, line->function, out, size);
        snprintf(out + strlen(out), size - strlen(out), ":%lld", (long long)line->line);
    }
}

static void fail(const struct profile *p, uint32_t i, const char *got)
{
    fprintf(stderr, "at %llx: expected %s, got %s\n", (unsigned long long)p->locations[i].address,
            places[i].expected, got);
    failures++;
}

/* "~name" stands for that name in any scope: gcc gives no linkage name to what is in an unnamed
 * namespace. */
static bool matches(const char *got, const char *expected)
{
    size_t len = strlen(got), tail = strlen(expected + 1);
    if (expected[0] != '~')
        return !strcmp(got, expected);
    return len >= tail && !strcmp(got + len - tail, expected + 1) &&
           (len == tail || got[len - tail - 1] == ':');
}

static void check_lines(const struct profile *p, uint32_t i)
{
    char got[2048], path[64];
    const struct profile_location *l = &p->locations[i];
    describe(p, l, got, sizeof got);
    if (!matches(got, places[i].expected))
        fail(p, i, got);
    for (uint32_t k = 0; k < l->line_count; k++) {
        struct profile_str file =
            profile_string(p, p->functions[p->lines[l->line_first + k].function].file);
        snprintf(path, sizeof path, "%.*s", file.len > 60 ? 60 : (int)file.len,
                 file.ptr + (file.len > 60 ? file.len - 60 : 0));
        if (!strstr(path, "/body"))
            fail(p, i, path);
    }
}

/* The last frame without its line. */
static void physical(const char *frames, char *out, size_t size)
{
    const char *last = frames, *colon = strrchr(frames, ':');
    for (const char *s = frames; (s = strstr(s, " ")) && s < colon; s++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz", s[1]) && s[-1] >= '0' && s[-1] <= '9')
            last = s + 1;
    }
    snprintf(out, size, "%.*s", (int)(colon - last), last);
}

static void found_name(const struct profile *p, uint32_t i, char *out, size_t size)
{
    const struct profile_location *l = &p->locations[i];
    out[0] = 0;
    if (l->line_count)
        append_name(p, p->lines[l->line_first + l->line_count - 1].function, out, size);
}

static void check_name(const struct profile *p, uint32_t i)
{
    char want[512], got[512];
    physical(places[i].expected, want, sizeof want);
    found_name(p, i, got, sizeof got);
    /* Rust's two manglings name methods in two ways: "a|b". */
    char *second = strchr(want, '|');
    if (second)
        *second++ = 0;
    if (strcmp(want, got) && (!second || strcmp(second, got)))
        fail(p, i, got);
}

static void check_stripped(const struct profile *p, uint32_t i)
{
    char want[512], got[512], other[512], text[512];
    physical(places[i].expected, want, sizeof want);
    found_name(p, i, got, sizeof got);
    if (!strcmp(want, "main") ? strcmp(got, "main") != 0 : !strstr(got, "!0x"))
        fail(p, i, got);
    for (uint32_t k = 0; k < i; k++) {
        physical(places[k].expected, other, sizeof other);
        found_name(p, k, text, sizeof text);
        /* Templates of several types share what is expected, not the name. */
        bool same = !strcmp(want, other), equal = !strcmp(got, text);
        if (equal && !same)
            fail(p, i, got);
        if (same && !equal && !strstr(want, "::"))
            fail(p, i, got);
    }
}

int main(int argc, char **argv)
{
    struct profile p;
    struct err e = {0};
    if (argc != 3 || !run(&p, argv[2])) {
        fprintf(stderr, "usage: formats lines|names|stripped PROGRAM\n");
        return 2;
    }
    if (symbol_profile(&p, NULL, NULL, &e) || profile_check(&p, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    for (uint32_t i = 0; i < p.location_count; i++) {
        if (!strcmp(argv[1], "lines"))
            check_lines(&p, i);
        else if (!strcmp(argv[1], "names"))
            check_name(&p, i);
        else
            check_stripped(&p, i);
    }
    profile_free(&p);
    return failures != 0;
}
