/* SPDX-License-Identifier: MIT
 *
 * Profiles of every format, cut off and with bits turned over, at many places: each is a profile
 * that holds its invariants, or refused in one sentence; nothing is left of what was refused.
 * Sanitizers look on where the build has them. CORPUS and GOLDEN are folders of good profiles. */
#include "base/gzip.h"
#include "profile/profile.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLACES = 48, SIZE_MAX_READ = 1 << 20 };

struct file {
    char path[512];
    uint8_t *bytes;
    size_t size;
};

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

/* A sentence: some words on one line, without control characters. */
static void assert_sentence(const struct file *f, const char *how, const struct err *e)
{
    size_t n = strlen(e->msg);
    bool good = n > 4 && e->code < 0;
    for (size_t i = 0; i < n; i++)
        good &= e->msg[i] != '\n';
    if (!good)
        fail_msg("%s, %s: refused with \"%s\" (%d)", f->path, how, e->msg, e->code);
}

/* Decodes an exact copy, which is gone before the profile is looked at. */
static void decode(const struct file *f, const uint8_t *bytes, size_t size, const char *how)
{
    struct profile p;
    struct err e = {0};
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int rc = profile_decode(&p, copy, size, false, &e);
    free(copy);
    if (rc) {
        assert_sentence(f, how, &e);
        assert_int_equal(p.sample_count, 0);
        return;
    }
    if (profile_check(&p, &e) != 0)
        fail_msg("%s, %s: %s", f->path, how, e.msg);
    profile_free(&p);
}

static void cut(const struct file *f)
{
    char how[64];
    for (size_t i = 0; i < PLACES; i++) {
        size_t at = f->size > PLACES ? f->size * i / PLACES + i % 7 : i;
        if (at >= f->size)
            return;
        snprintf(how, sizeof how, "cut at byte %zu", at);
        decode(f, f->bytes, at, how);
    }
}

/* One bit, or some; sometimes a byte is missing or there twice. */
static void damage(const struct file *f)
{
    uint64_t seed = 88172645463325252ull + f->size;
    uint8_t *bytes = malloc(f->size + 1);
    char how[64];
    for (int i = 0; i < 2 * PLACES && f->size; i++) {
        size_t size = f->size, at = 0;
        memcpy(bytes, f->bytes, size);
        for (int k = 0; k <= i % 3; k++) {
            at = next_random(&seed) % size;
            bytes[at] ^= (uint8_t)(1u << next_random(&seed) % 8);
        }
        if (i % 8 == 5)
            memmove(bytes + at, bytes + at + 1, --size - at);
        if (i % 8 == 6)
            memmove(bytes + at + 1, bytes + at, size++ - at);
        snprintf(how, sizeof how, "damage %d at byte %zu", i, at);
        decode(f, bytes, size, how);
    }
    free(bytes);
}

static bool load(struct file *f, const char *folder, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", folder, name);
    FILE *file = fopen(f->path, "rb");
    if (!file)
        return false;
    f->bytes = malloc(SIZE_MAX_READ);
    f->size = fread(f->bytes, 1, SIZE_MAX_READ, file);
    fclose(file);
    return f->size > 0;
}

/* What is compressed is damaged outside and inside of its compression. */
static void break_file(struct file *f)
{
    cut(f);
    damage(f);
    struct arena arena;
    struct err e;
    void *inflated;
    struct file inside = *f;
    arena_init(&arena);
    if (gzip_is(f->bytes, f->size) &&
        gzip_inflate(&arena, f->bytes, f->size, &inflated, &inside.size, &e) == 0) {
        inside.bytes = inflated;
        cut(&inside);
        damage(&inside);
    }
    arena_free(&arena);
}

static uint32_t break_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    uint32_t count = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        struct file f = {0};
        if (entry->d_name[0] != '.' && load(&f, folder, entry->d_name)) {
            break_file(&f);
            count++;
        }
        free(f.bytes);
    }
    closedir(dir);
    return count;
}

static void foreign_formats_are_refused_in_a_sentence(void **state)
{
    (void)state;
    assert_true(break_folder(CORPUS "/import") > 20);
}

static void odd_profiles_are_refused_in_a_sentence(void **state)
{
    (void)state;
    assert_true(break_folder(CORPUS "/profile") > 20);
}

static void real_profiles_are_refused_in_a_sentence(void **state)
{
    (void)state;
    assert_true(break_folder(GOLDEN) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_formats_are_refused_in_a_sentence),
        cmocka_unit_test(odd_profiles_are_refused_in_a_sentence),
        cmocka_unit_test(real_profiles_are_refused_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
