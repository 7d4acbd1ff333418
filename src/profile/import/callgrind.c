/* SPDX-License-Identifier: MIT
 *
 * callgrind.out: what each function cost by itself, and what each call of one function by another
 * cost with all it led to. There are no stacks in it. They are made as gprof makes its call graph:
 * a function's cost is split over its callers as the calls' costs are. From the roots on, paths are
 * followed until they weigh less than a small share of the whole; what is left of a function's own
 * cost then stands in a stack of its own, so that the sums are the file's. */
#include "profile/import/import_internal.h"

#include "base/limits.h"

#include <stdlib.h>

enum {
    DEPTH_MAX = 256,      /* of a path */
    SAMPLES_MAX = 200000, /* made of all paths */
    SHARES = 50000,       /* paths below 1/SHARES of the total are not followed */
    STEPS_MAX = 1000000,  /* looked at in all: a file may claim any costs */
};

struct call {
    uint32_t caller, callee;
    uint32_t next; /* of the same caller */
    int64_t cost[IMPORT_VALUES_MAX];
};

struct function {
    uint32_t location;
    uint32_t calls; /* first, UINT32_MAX: none */
    int64_t self[IMPORT_VALUES_MAX], given[IMPORT_VALUES_MAX];
    double incoming; /* cost of all calls to it, of the first event */
    bool on_path;
};

/* Names by the numbers the file gives them. */
struct names_by_number {
    uint32_t *strings; /* + 1; 0: not given */
    uint32_t count;
};

struct reader {
    struct import *im;
    struct names_by_number files, functions;
    struct function *list;
    uint32_t count, cap;
    struct map by_profile_function, by_call;
    struct call *calls;
    uint32_t call_count, call_cap;
    uint32_t file, called_file, current, called; /* UINT32_MAX: no function yet */
    uint32_t events, positions;
    uint32_t steps; /* that paths took so far */
    bool in_call;   /* the next costs are a call's */
};

/* "(3) name", "(3)" or "name": the string of it; UINT32_MAX if the number is not known. */
static uint32_t read_name(struct reader *r, struct names_by_number *all, struct text t)
{
    struct import *im = r->im;
    uint64_t number = 0;
    size_t i = 1;
    if (!t.n || t.s[0] != '(')
        return import_string(im, t);
    for (; i < t.n && t.s[i] >= '0' && t.s[i] <= '9' && number < LIMIT_PROFILE_TABLE; i++)
        number = number * 10 + (unsigned)(t.s[i] - '0');
    if (i == 1 || i == t.n || t.s[i] != ')' || number > im->input.n)
        return import_string(im, t);
    struct text name = text_trim(text_from(t, i + 1));
    if (number >= all->count) {
        uint32_t more = (uint32_t)number * 2 + 64;
        all->strings = arena_grow(&im->scratch, all->strings, all->count * sizeof *all->strings,
                                  more * sizeof *all->strings);
        memset(all->strings + all->count, 0, (more - all->count) * sizeof *all->strings);
        all->count = more;
    }
    if (name.n)
        all->strings[number] = import_string(im, name) + 1;
    return all->strings[number] ? all->strings[number] - 1 : UINT32_MAX;
}

static struct text string_text(const struct import *im, uint32_t string)
{
    struct profile_str s = im->p->strings[string];
    return (struct text){s.ptr, s.len};
}

static uint32_t function_of(struct reader *r, uint32_t name, uint32_t file)
{
    struct import *im = r->im;
    uint32_t f = import_function(im, string_text(im, name), string_text(im, file));
    struct map_probe at = map_find(&r->by_profile_function, hash_mix(0, f));
    uint32_t i, location = import_line(im, f, 0);
    while ((i = map_next(&r->by_profile_function, &at)) != MAP_NONE)
        if (r->list[i].location == location)
            return i;
    if (r->count == r->cap) {
        uint32_t more = r->cap ? 2 * r->cap : 256;
        r->list =
            arena_grow(&im->scratch, r->list, r->cap * sizeof *r->list, more * sizeof *r->list);
        r->cap = more;
    }
    map_put(&r->by_profile_function, hash_mix(0, f), r->count);
    r->list[r->count] = (struct function){.location = location, .calls = UINT32_MAX};
    return r->count++;
}

static struct call *call_of(struct reader *r, uint32_t caller, uint32_t callee)
{
    uint64_t hash = hash_mix(hash_mix(0, caller), callee);
    struct map_probe at = map_find(&r->by_call, hash);
    uint32_t i;
    while ((i = map_next(&r->by_call, &at)) != MAP_NONE)
        if (r->calls[i].caller == caller && r->calls[i].callee == callee)
            return &r->calls[i];
    if (r->call_count == r->call_cap) {
        uint32_t more = r->call_cap ? 2 * r->call_cap : 256;
        r->calls = arena_grow(&r->im->scratch, r->calls, r->call_cap * sizeof *r->calls,
                              more * sizeof *r->calls);
        r->call_cap = more;
    }
    map_put(&r->by_call, hash, r->call_count);
    r->calls[r->call_count] = (struct call){caller, callee, r->list[caller].calls, {0}};
    r->list[caller].calls = r->call_count;
    return &r->calls[r->call_count++];
}

/* ---- lines ---- */

static bool next_word(struct text *line, struct text *word)
{
    *line = text_trim(*line);
    size_t n = 0;
    while (n < line->n && line->s[n] != ' ' && line->s[n] != '\t')
        n++;
    *word = (struct text){line->s, n};
    *line = text_from(*line, n);
    return n > 0;
}

static void read_costs(struct reader *r, struct text line)
{
    struct text word;
    uint32_t callee = r->called;
    bool is_call = r->in_call;
    r->in_call = false;
    for (uint32_t i = 0; i < r->positions; i++)
        if (!next_word(&line, &word))
            return;
    if (r->current == UINT32_MAX || (is_call && callee == UINT32_MAX))
        return;
    int64_t *to = is_call ? call_of(r, r->current, callee)->cost : r->list[r->current].self;
    for (uint32_t i = 0; i < r->events && next_word(&line, &word); i++) {
        int64_t cost;
        if (import_int(r->im, word, 10, &cost) && cost >= 0)
            to[i] = (int64_t)((uint64_t)to[i] + (uint64_t)cost) & INT64_MAX;
    }
}

static void read_events(struct reader *r, struct text line)
{
    struct text word;
    while (r->events < IMPORT_VALUES_MAX && next_word(&line, &word)) {
        import_sample_type(r->im, arena_strndup(&r->im->scratch, word.s, word.n), "count");
        r->events++;
    }
}

/* "key=value" of the body. */
static void read_spec(struct reader *r, struct text key, struct text value)
{
    value = text_trim(value);
    if (text_is(key, "fl") || text_is(key, "fi") || text_is(key, "fe")) {
        uint32_t file = read_name(r, &r->files, value);
        if (text_is(key, "fl"))
            r->file = file == UINT32_MAX ? 0 : file;
    } else if (text_is(key, "cfi") || text_is(key, "cfl")) {
        uint32_t file = read_name(r, &r->files, value);
        r->called_file = file == UINT32_MAX ? 0 : file;
    } else if (text_is(key, "fn")) {
        uint32_t name = read_name(r, &r->functions, value);
        r->current = name == UINT32_MAX ? UINT32_MAX : function_of(r, name, r->file);
        r->called_file = r->file;
    } else if (text_is(key, "cfn")) {
        uint32_t name = read_name(r, &r->functions, value);
        r->called = name == UINT32_MAX ? UINT32_MAX : function_of(r, name, r->called_file);
        r->called_file = r->file;
    } else if (text_is(key, "calls")) {
        r->in_call = true;
    }
}

static void read_line(struct reader *r, struct text line)
{
    struct text key, value;
    char c = line.s[0];
    if ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '*') {
        read_costs(r, line);
    } else if (text_cut(line, '=', &key, &value) && !memchr(key.s, ':', key.n)) {
        read_spec(r, key, value);
    } else if (text_cut(line, ':', &key, &value)) {
        if (text_is(key, "events") && !r->events)
            read_events(r, value);
        else if (text_is(key, "positions"))
            r->positions = text_contains(value, "instr") && text_contains(value, "line") ? 2 : 1;
    }
}

/* ---- stacks ---- */

/* A function on the path, its share of all its cost that came this way, and the call to follow. */
struct step {
    uint32_t function, call;
    double share;
};

static void add_sample(struct reader *r, const struct step *path, uint32_t depth, double share)
{
    struct import *im = r->im;
    struct function *f = &r->list[path[depth - 1].function];
    int64_t values[IMPORT_VALUES_MAX] = {0}, any = 0;
    for (uint32_t i = 0; i < r->events; i++) {
        int64_t left = f->self[i] - f->given[i], v = import_int64((double)f->self[i] * share);
        values[i] = v < 0 ? 0 : v < left ? v : left;
        f->given[i] += values[i];
        any |= values[i];
    }
    if (!any)
        return;
    struct import_sample *s = import_sample(im);
    memcpy(s->values, values, sizeof values);
    for (uint32_t i = depth; i-- > 0;)
        import_frame(im, r->list[path[i].function].location);
}

/* All paths from a root that weigh enough. */
static void follow(struct reader *r, uint32_t root, double least)
{
    struct step path[DEPTH_MAX];
    uint32_t depth = 1;
    path[0] = (struct step){root, r->list[root].calls, 1};
    r->list[root].on_path = true;
    add_sample(r, path, depth, 1);
    while (depth) {
        struct step *at = &path[depth - 1];
        if (at->call == UINT32_MAX || r->im->sample_count >= SAMPLES_MAX ||
            r->steps++ >= STEPS_MAX) {
            r->list[at->function].on_path = false;
            depth--;
            continue;
        }
        const struct call *c = &r->calls[at->call];
        at->call = c->next;
        double cost = (double)c->cost[0] * at->share;
        if (cost < least || depth == DEPTH_MAX || r->list[c->callee].on_path)
            continue;
        struct function *f = &r->list[c->callee];
        f->on_path = true;
        path[depth] = (struct step){c->callee, f->calls, cost / f->incoming};
        depth++;
        add_sample(r, path, depth, path[depth - 1].share);
    }
}

static void make_stacks(struct reader *r)
{
    double total = 0;
    for (uint32_t i = 0; i < r->call_count; i++)
        r->list[r->calls[i].callee].incoming += (double)r->calls[i].cost[0];
    for (uint32_t i = 0; i < r->count; i++)
        total += (double)r->list[i].self[0];
    for (uint32_t i = 0; i < r->count; i++)
        if (r->list[i].incoming == 0)
            follow(r, i, total / SHARES);
    for (uint32_t i = 0; i < r->count; i++) {
        struct step alone = {i, UINT32_MAX, 1};
        add_sample(r, &alone, 1, 1);
    }
}

static bool is_callgrind(struct text input)
{
    struct lines l;
    lines_init(&l, input.s, input.n);
    for (int i = 0; i < 40 && lines_next(&l); i++) {
        struct text line = text_trim(l.line);
        if (i == 0 && text_is(line, "# callgrind format"))
            return true;
        if (text_starts(line, "events:"))
            return text_contains(input, "fn=");
    }
    return false;
}

int import_callgrind(struct import *im)
{
    struct reader r = {.im = im, .current = UINT32_MAX, .called = UINT32_MAX, .positions = 1};
    struct lines l;
    if (!is_callgrind(im->input))
        return IMPORT_UNKNOWN;
    map_init(&r.by_profile_function, &im->scratch, 0);
    map_init(&r.by_call, &im->scratch, 0);
    import_string(im, (struct text){"", 0});
    lines_init(&l, im->input.s, im->input.n);
    l.limit = 0;
    while (lines_next(&l)) {
        struct text line = text_trim(l.line);
        if (line.n && line.s[0] != '#')
            read_line(&r, line);
    }
    if (!r.events)
        return import_fail(im, "malformed callgrind file: it has no line \"events:\"");
    make_stacks(&r);
    return 0;
}
