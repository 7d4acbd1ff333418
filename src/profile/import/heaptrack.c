/* SPDX-License-Identifier: MIT
 *
 * heaptrack's files, as its interpreter writes them (version 2 on): strings, addresses with their
 * lines, stacks as a tree, kinds of allocations (size and stack), then every allocation and free.
 * Numbers are hexadecimal; strings, addresses and stacks count from 1, kinds from 0. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

enum { VERSION_MIN = 2 };

struct address {
    uint64_t ip;
    uint32_t location; /* UINT32_MAX: not made yet */
    uint32_t module;   /* string of the file, 0: none */
    struct text lines;
};

struct trace {
    uint32_t address, parent;
};

struct kind {
    uint64_t size;
    uint32_t trace;
    int64_t allocated, freed;
};

struct reader {
    struct import *im;
    uint32_t *strings; /* of the profile */
    struct address *addresses;
    struct trace *traces;
    struct kind *kinds;
    uint32_t string_count, address_count, trace_count, kind_count;
    uint32_t string_cap, address_cap, trace_cap, kind_cap;
};

static void *grow(struct reader *r, void *array, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    uint32_t more = *cap ? 2 * *cap : 1024;
    array = arena_grow(&r->im->scratch, array, *cap * size, more * size);
    *cap = more;
    return array;
}

/* The next number of the line; 0 when there is none. */
static uint64_t number(struct text *t)
{
    size_t n = 0;
    uint64_t v = 0;
    while (t->n && *t->s == ' ')
        *t = text_from(*t, 1);
    while (n < t->n && t->s[n] != ' ')
        n++;
    import_hex((struct text){t->s, n}, &v);
    *t = text_from(*t, n);
    return v;
}

static uint32_t string_at(const struct reader *r, uint64_t i)
{
    return i && i <= r->string_count ? r->strings[i - 1] : 0;
}

static uint32_t mapping_of(struct import *im, uint32_t file)
{
    struct profile *p = im->p;
    for (uint32_t i = 0; i < p->mapping_count; i++)
        if (p->mappings[i].file == file)
            return i;
    import_mapping(im, &(struct profile_mapping){.file = file});
    return p->mapping_count - 1;
}

static void add_string(struct reader *r, struct text t)
{
    number(&t); /* its length */
    if (t.n)
        t = text_from(t, 1);
    r->strings = grow(r, r->strings, r->string_count, &r->string_cap, sizeof *r->strings);
    r->strings[r->string_count++] = import_string(r->im, t);
    if (r->string_count == 1)
        mapping_of(r->im, r->strings[0]); /* the program itself is the first module */
}

static void add_address(struct reader *r, struct text t)
{
    struct address a = {.ip = number(&t), .location = UINT32_MAX};
    a.module = string_at(r, number(&t));
    a.lines = t;
    r->addresses = grow(r, r->addresses, r->address_count, &r->address_cap, sizeof a);
    r->addresses[r->address_count++] = a;
}

/* Parents come before their children, so that no stack is endless. */
static void add_trace(struct reader *r, struct text t)
{
    uint64_t address = number(&t), parent = number(&t);
    r->traces = grow(r, r->traces, r->trace_count, &r->trace_cap, sizeof *r->traces);
    r->traces[r->trace_count++] =
        (struct trace){address <= r->address_count ? (uint32_t)address : 0,
                       parent < r->trace_count ? (uint32_t)parent : 0};
}

static void add_kind(struct reader *r, struct text t)
{
    uint64_t size = number(&t), trace = number(&t);
    r->kinds = grow(r, r->kinds, r->kind_count, &r->kind_cap, sizeof *r->kinds);
    r->kinds[r->kind_count++] =
        (struct kind){size & INT64_MAX, trace <= r->trace_count ? (uint32_t)trace : 0, 0, 0};
}

static void count(struct reader *r, struct text t, bool freed)
{
    uint64_t kind = number(&t);
    if (kind >= r->kind_count)
        return;
    r->kinds[kind].allocated += !freed;
    r->kinds[kind].freed += freed;
}

/* ---- stacks ---- */

static struct text text_of(const struct import *im, uint32_t string)
{
    struct profile_str s = im->p->strings[string];
    return (struct text){s.ptr, s.len};
}

/* "FUNCTION FILE LINE" for each frame, innermost inlined first. */
static uint32_t location_of(struct reader *r, struct address *a)
{
    struct import *im = r->im;
    if (a->location != UINT32_MAX)
        return a->location;
    a->location = import_location(im, a->ip);
    uint32_t mapping = a->module ? mapping_of(im, a->module) : PROFILE_NONE;
    bool fresh = im->locations[a->location].mapping == PROFILE_NONE &&
                 !im->locations[a->location].line_count;
    if (mapping != PROFILE_NONE)
        im->locations[a->location].mapping = mapping;
    for (uint32_t i = 0; fresh && a->lines.n && i < LIMIT_INLINE_DEPTH; i++) {
        uint32_t name = string_at(r, number(&a->lines)), file = string_at(r, number(&a->lines));
        int64_t line = (int64_t)(number(&a->lines) & INT32_MAX);
        import_add_line(im, a->location, import_function(im, text_of(im, name), text_of(im, file)),
                        line);
        if (mapping == PROFILE_NONE)
            continue;
        struct profile_mapping *m = &im->p->mappings[mapping];
        m->has_functions = m->has_filenames = m->has_line_numbers = true;
        m->has_inline_frames |= i > 0;
    }
    return a->location;
}

static void add_samples(struct reader *r)
{
    struct import *im = r->im;
    for (uint32_t i = 0; i < r->kind_count && !im->has_too_many; i++) {
        const struct kind *k = &r->kinds[i];
        int64_t live = k->allocated - k->freed;
        if (!k->allocated)
            continue;
        struct import_sample *s = import_sample(im);
        s->values[0] = k->allocated;
        s->values[1] = (int64_t)((uint64_t)k->allocated * k->size);
        s->values[2] = live > 0 ? live : 0;
        s->values[3] = (int64_t)((uint64_t)s->values[2] * k->size);
        import_number(im, "bytes", (int64_t)k->size);
        uint32_t depth = 0;
        for (uint32_t t = k->trace; t && depth < LIMIT_STACK_DEPTH_READ; depth++) {
            const struct trace *at = &r->traces[t - 1];
            if (at->address)
                import_frame(im, location_of(r, &r->addresses[at->address - 1]));
            t = at->parent;
        }
    }
}

static void read_line(struct reader *r, struct text line)
{
    struct text rest = text_from(line, 1);
    switch (line.s[0]) {
    case 's': add_string(r, rest); break;
    case 'i': add_address(r, rest); break;
    case 't': add_trace(r, rest); break;
    case 'a': add_kind(r, rest); break;
    case '+': count(r, rest, false); break;
    case '-': count(r, rest, true); break;
    case 'c': r->im->p->duration_nanos = (int64_t)(number(&rest) & INT32_MAX) * 1000000; break;
    default: break;
    }
}

int import_heaptrack(struct import *im)
{
    struct reader r = {.im = im};
    struct lines l;
    lines_init(&l, im->input.s, im->input.n);
    if (!lines_next(&l) || l.line.n < 5 || memcmp(l.line.s, "v ", 2) != 0)
        return IMPORT_UNKNOWN;
    struct text head = text_from(l.line, 1);
    uint64_t program = number(&head), version = number(&head);
    if (!program || head.n || version < VERSION_MIN || version > 0xff)
        return IMPORT_UNKNOWN;
    import_string(im, (struct text){"", 0});
    import_sample_type(im, "alloc_objects", "count");
    import_sample_type(im, "alloc_space", "bytes");
    import_sample_type(im, "inuse_objects", "count");
    import_sample_type(im, "inuse_space", "bytes");
    import_period(im, "space", "bytes", 1);
    l.limit = 0;
    while (lines_next(&l))
        if (l.line.n > 1)
            read_line(&r, l.line);
    add_samples(&r);
    return 0;
}
