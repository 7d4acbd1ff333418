/* SPDX-License-Identifier: MIT
 *
 * Names from the servers that profiles came from (google/pprof internal/symbolz): the addresses
 * without names are posted to the server's symbol page, which answers with a line for each. */
#include "pprof/symbolz.h"

#include "base/map.h"
#include "pprof/http.h"
#include "pprof/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void symbolz_add_mappings(struct symbolz *z, struct profile *p, const char *url)
{
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_mapping *m = &p->mappings[i];
        struct profile_str id = p->strings[m->build_id], file = p->strings[m->file];
        struct profile_str key = id.len ? id : file;
        if (!key.len) {
            /* So it can be found again; taken back when names are known. */
            m->file = profile_intern_cstr(p, url);
            key = p->strings[m->file];
        }
        if (z->count == z->cap) {
            uint32_t more = z->cap ? 2 * z->cap : 16;
            z->origins = arena_grow(&z->arena, z->origins, z->cap * sizeof *z->origins,
                                    more * sizeof *z->origins);
            z->cap = more;
        }
        z->origins[z->count++] = (struct symbolz_origin){arena_strndup(&z->arena, key.ptr, key.len),
                                                         arena_strdup(&z->arena, url), m->start};
    }
}

/* Whether an address can be moved so far. */
static bool adjust(uint64_t address, uint64_t offset, uint64_t *out)
{
    *out = address + offset;
    return (int64_t)offset < 0 ? *out < address : *out >= address;
}

struct batch {
    struct profile *p;
    uint32_t mapping;
    uint64_t offset;
    struct arena arena;
    struct map by_address; /* to answers */
    struct answer {
        uint64_t address;
        uint32_t function;
    } * answers;
    uint32_t count, cap;
    struct map by_name;
    uint32_t first_function, function_cap;
};

static int make_query(struct batch *b, struct buf *query, struct err *e)
{
    const struct profile *p = b->p;
    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *l = &p->locations[i];
        uint64_t address;
        if (l->mapping != b->mapping || !l->address || l->line_count)
            continue;
        if (!adjust(l->address, b->offset, &address))
            return err_set(e, -ERANGE,
                           "cannot adjust address %llu by %lld, it would overflow (mapping %llu)",
                           (unsigned long long)l->address, (long long)b->offset,
                           (unsigned long long)p->mappings[b->mapping].id);
        buf_printf(query, "%s0x%llx", query->len ? "+" : "", (unsigned long long)address);
    }
    return 0;
}

static uint32_t function_of(struct batch *b, const char *name, size_t n)
{
    struct profile *p = b->p;
    uint32_t string = profile_intern(p, name, n);
    struct map_probe at = map_find(&b->by_name, hash_mix(0, string));
    uint32_t i;
    while ((i = map_next(&b->by_name, &at)) != MAP_NONE)
        if (p->functions[i].name == string)
            return i;
    if (p->function_count >= b->function_cap) {
        b->function_cap = 2 * p->function_count + 64;
        p->functions = arena_grow(&p->arena, p->functions, p->function_count * sizeof *p->functions,
                                  b->function_cap * sizeof *p->functions);
    }
    i = p->function_count++;
    p->functions[i] = (struct profile_function){.id = i + 1, .name = string, .system_name = string};
    map_put(&b->by_name, hash_mix(0, string), i);
    return i;
}

/* The answer for an address, the last one that came. */
static struct answer *answer_of(struct batch *b, uint64_t address, bool add)
{
    uint64_t hash = hash_mix(0, address);
    struct map_probe at = map_find(&b->by_address, hash);
    uint32_t i;
    while ((i = map_next(&b->by_address, &at)) != MAP_NONE)
        if (b->answers[i].address == address)
            return &b->answers[i];
    if (!add)
        return NULL;
    if (b->count == b->cap) {
        uint32_t more = b->cap ? 2 * b->cap : 256;
        b->answers = arena_grow(&b->arena, b->answers, b->cap * sizeof *b->answers,
                                more * sizeof *b->answers);
        b->cap = more;
    }
    map_put(&b->by_address, hash, b->count);
    b->answers[b->count] = (struct answer){.address = address};
    return &b->answers[b->count++];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\n';
}

/* "0xADDR NAME" anywhere in the line. */
static int read_line(struct batch *b, const char *s, size_t n, struct err *e)
{
    for (size_t i = 0; i + 3 < n; i++) {
        size_t end = i + 2;
        if (s[i] != '0' || s[i + 1] != 'x')
            continue;
        while (end < n && isxdigit((unsigned char)s[end]))
            end++;
        if (end == i + 2 || end == n || !is_blank(s[end]))
            continue;
        const char *digits = arena_strndup(&b->arena, s + i, end - i);
        errno = 0;
        uint64_t address, origin = strtoull(digits, NULL, 16);
        if (errno)
            return err_set(e, -ERANGE,
                           "unexpected parse failure %s: strconv.ParseUint: parsing \"%s\": value "
                           "out of range",
                           digits, digits);
        if (!adjust(origin, 0 - b->offset, &address))
            return err_set(e, -ERANGE,
                           "cannot adjust symbolz address %llu by %lld, it would overflow",
                           (unsigned long long)origin, -(long long)b->offset);
        while (end < n && is_blank(s[end]))
            end++;
        uint32_t function = function_of(b, s + end, n - end);
        answer_of(b, address, true)->function = function;
        return 0;
    }
    return 0;
}

static void apply(struct batch *b)
{
    struct profile *p = b->p;
    uint32_t more = 0;
    for (uint32_t i = 0; i < p->location_count; i++)
        more += p->locations[i].mapping == b->mapping;
    p->lines = arena_grow(&p->arena, p->lines, p->line_count * sizeof *p->lines,
                          ((size_t)p->line_count + more) * sizeof *p->lines);
    for (uint32_t i = 0; i < p->location_count; i++) {
        struct profile_location *l = &p->locations[i];
        const struct answer *a = l->mapping == b->mapping ? answer_of(b, l->address, false) : NULL;
        if (!a)
            continue;
        l->line_first = p->line_count;
        l->line_count = 1;
        p->lines[p->line_count++] = (struct profile_line){.function = a->function};
    }
}

static int ask(struct batch *b, const char *url, const struct source *s, struct err *e)
{
    struct buf query;
    struct http_response response;
    buf_init(&query, &b->arena);
    buf_init(&response.body, &b->arena);
    map_init(&b->by_address, &b->arena, 0);
    map_init(&b->by_name, &b->arena, 0);
    int rc = make_query(b, &query, e);
    if (rc || !query.len)
        return rc;
    struct http_request request = {
        .url = url, .post = query.data, .post_size = query.len, .source = s};
    rc = http_do(&request, &response, e);
    if (rc)
        return err_prefix(e, "http post %s", url);
    if (response.body_error)
        return err_set(e, -EIO, "%s", response.body_error);
    const char *at = response.body.data, *end = at + response.body.len;
    for (const char *newline; !rc && at < end; at = newline + 1) {
        newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            break; /* pprof takes whole lines only */
        rc = read_line(b, at, (size_t)(newline - at), e);
    }
    if (!rc)
        apply(b);
    return rc;
}

/* The first server that the mapping came from which has a symbol page: its build id's after its
 * file's. */
static const struct symbolz_origin *find_origin(const struct symbolz *z, const struct profile *p,
                                                const struct profile_mapping *m)
{
    struct profile_str keys[] = {p->strings[m->file], p->strings[m->build_id]};
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; keys[k].len && i < z->count; i++)
            if (profile_str_is(keys[k], z->origins[i].key))
                return &z->origins[i];
    return NULL;
}

int symbolz(struct symbolz *z, struct profile *p, const struct source *s, bool force, struct err *e)
{
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_mapping *m = &p->mappings[i];
        const struct symbolz_origin *origin;
        if ((!force && m->has_functions) || !(origin = find_origin(z, p, m)))
            continue;
        const char *url = url_of_symbols(origin->url, &z->arena);
        if (!url)
            continue;
        struct batch b = {.p = p, .mapping = i, .offset = origin->start - m->start};
        b.function_cap = p->function_count;
        int rc = ask(&b, url, s, e);
        arena_free(&b.arena);
        if (rc)
            return rc;
        m->has_functions = true;
    }
    return 0;
}

/* A scheme and a colon: what url.Parse takes for absolute. */
static bool is_absolute(const char *file, struct arena *a)
{
    struct url u;
    return url_parse(&u, file, a) && *u.scheme;
}

void symbolz_forget_mappings(struct symbolz *z, struct profile *p)
{
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        struct profile_mapping *m = &p->mappings[i];
        struct profile_str file = p->strings[m->file];
        if (!p->strings[m->build_id].len && file.len &&
            is_absolute(arena_strndup(&z->arena, file.ptr, file.len), &z->arena))
            m->file = 0;
    }
}
