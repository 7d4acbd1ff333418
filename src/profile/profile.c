/* SPDX-License-Identifier: MIT
 *
 * Life of a profile and its strings. libstrobe builds its profiles with this file, so it needs
 * libc only, takes memory from the profile's arena alone, and survives an arena that returns NULL.
 * profile_init allocates nothing: an empty profile costs nothing to make or to forget. */
#include "profile/profile.h"
#include "profile/profile_internal.h"

#include <string.h>

static struct profile_str empty_string[1] = {{"", 0}};

void profile_init(struct profile *p)
{
    memset(p, 0, sizeof *p);
    arena_init(&p->arena);
    p->strings = empty_string; /* replaced, never written, by the first profile_intern */
    p->string_count = 1;
}

void profile_free(struct profile *p)
{
    arena_free(&p->arena);
    profile_init(p);
}

/* Strings that were there before the first intern are entered here, the first of equal ones wins.
 * Afterwards strings are added through profile_intern only. */
struct profile_interns *profile_make_interns(struct profile *p)
{
    struct profile_interns *in = arena_zalloc(&p->arena, sizeof *in);
    if (!in || map_init(&in->map, &p->arena, p->string_count) != 0)
        return NULL;
    for (uint32_t i = 0; i < p->string_count; i++) {
        uint64_t hash = hash_bytes(p->strings[i].ptr, p->strings[i].len);
        if (profile_find_string(p, &in->map, hash, p->strings[i]) == PROFILE_NONE &&
            map_put(&in->map, hash, i) != 0)
            return NULL;
        if (i > 0 && p->strings[i].len == 0 && in->empty_twin == 0)
            in->empty_twin = i;
    }
    in->cap = p->string_count;
    return p->interns = in;
}

static int add_string(struct profile *p, const char *s, uint32_t len)
{
    struct profile_interns *in = p->interns;
    if (p->string_count == in->cap || p->strings == empty_string) {
        uint32_t cap = in->cap < 64 ? 64 : in->cap * 2;
        size_t old = p->strings == empty_string ? 0 : in->cap * sizeof *p->strings;
        struct profile_str *grown =
            arena_grow(&p->arena, old ? p->strings : NULL, old, cap * sizeof *p->strings);
        if (!grown)
            return -1;
        if (!old)
            grown[0] = empty_string[0];
        p->strings = grown;
        in->cap = cap;
    }
    char *copy = arena_alloc_aligned(&p->arena, len, 1);
    if (!copy)
        return -1;
    if (len)
        memcpy(copy, s, len);
    p->strings[p->string_count] = (struct profile_str){copy, len};
    return 0;
}

uint32_t profile_intern(struct profile *p, const char *s, size_t len)
{
    if (len == 0)
        return 0;
    if (len >= UINT32_MAX || (!p->interns && !profile_make_interns(p)))
        return PROFILE_NONE;
    struct profile_str key = {s, (uint32_t)len};
    uint64_t hash = hash_bytes(s, len);
    uint32_t found = profile_find_string(p, &p->interns->map, hash, key);
    if (found != PROFILE_NONE)
        return found;
    if (p->string_count >= LIMIT_PROFILE_STRINGS || add_string(p, s, key.len) != 0 ||
        map_put(&p->interns->map, hash, p->string_count) != 0)
        return PROFILE_NONE;
    return p->string_count++;
}

uint32_t profile_empty_twin(struct profile *p)
{
    if (!p->interns && !profile_make_interns(p))
        return PROFILE_NONE;
    if (p->interns->empty_twin == 0) {
        if (add_string(p, "", 0) != 0)
            return PROFILE_NONE;
        p->interns->empty_twin = p->string_count++;
    }
    return p->interns->empty_twin;
}

uint32_t profile_intern_cstr(struct profile *p, const char *s)
{
    return profile_intern(p, s, s ? strlen(s) : 0);
}
