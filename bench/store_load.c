/* SPDX-License-Identifier: MIT
 *
 * Makes the load once, then profiles by copying: making them is not what is measured, but it is
 * done between the measurements and should not take longer than they. */
#include "store_load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STACKS = 2000,    /* of a service */
    FUNCTIONS = 250,  /* of a service */
    LOCATIONS = 2000, /* of a service: call sites */
    DEPTH_MIN = 12,
    DEPTH_SPREAD = 21,
    DEPTH_MAX = DEPTH_MIN + DEPTH_SPREAD,
    CALLEES = 4,
    DRAWN = 34, /* samples of one second, of which about 23 differ */
};
#define SECOND 1000000000ll

struct service {
    uint32_t callees[LOCATIONS][CALLEES];
    uint32_t stacks[STACKS][DEPTH_MAX];
    uint32_t depth[STACKS];
    char names[FUNCTIONS][72], file[72];
};

struct load {
    uint64_t seed;
    float zipf[STACKS]; /* cumulated */
    struct service services[LOAD_SERVICES];
};

static uint32_t below(struct load *l, uint32_t n)
{
    l->seed ^= l->seed << 13;
    l->seed ^= l->seed >> 7;
    l->seed ^= l->seed << 17;
    return (uint32_t)((l->seed >> 32) * n >> 32);
}

/* The first callee more than half of the time, the last seldom. */
static uint32_t choose_callee(struct load *l)
{
    uint32_t x = below(l, 100);
    return x < 55 ? 0 : x < 80 ? 1 : x < 95 ? 2 : 3;
}

static void make_service(struct load *l, struct service *v, uint32_t number)
{
    static const char *const packages[] = {"net/http", "encoding/json", "runtime", "database/sql",
                                           "internal/orders"};
    for (uint32_t f = 0; f < FUNCTIONS; f++)
        snprintf(v->names[f], sizeof v->names[f], "github.com/acme/service%u/%s.(*Type%u).Method%u",
                 number, packages[f % 5], f % 23, f);
    snprintf(v->file, sizeof v->file, "/src/github.com/acme/service%u/service.go", number);
    for (uint32_t i = 0; i < LOCATIONS; i++)
        for (uint32_t k = 0; k < CALLEES; k++)
            v->callees[i][k] = below(l, LOCATIONS);
    for (uint32_t i = 0; i < STACKS; i++) {
        uint32_t at = below(l, 8), depth = DEPTH_MIN + below(l, DEPTH_SPREAD);
        v->depth[i] = depth;
        for (uint32_t d = depth; d-- > 0; at = v->callees[at][choose_callee(l)])
            v->stacks[i][d] = at; /* leaf first */
    }
}

struct load *load_make(void)
{
    struct load *l = calloc(1, sizeof *l);
    double sum = 0;
    if (!l)
        abort();
    l->seed = 88172645463325252ull;
    for (uint32_t i = 0; i < STACKS; i++)
        l->zipf[i] = (float)(sum += pow(i + 1, -1.05));
    for (uint32_t i = 0; i < STACKS; i++)
        l->zipf[i] /= (float)sum;
    for (uint32_t i = 0; i < LOAD_SERVICES; i++)
        make_service(l, &l->services[i], i);
    return l;
}

void load_free(struct load *l)
{
    free(l);
}

static uint32_t choose_stack(struct load *l)
{
    float x = (float)below(l, 1u << 24) / (float)(1u << 24);
    uint32_t low = 0, high = STACKS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (l->zipf[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where a service's functions and locations stand in the profile at hand; index + 1. */
struct places {
    uint32_t functions[FUNCTIONS], locations[LOCATIONS], file;
};

static uint32_t put_location(const struct service *v, struct profile *p, struct places *at,
                             uint32_t location)
{
    if (at->locations[location])
        return at->locations[location] - 1;
    uint32_t f = location % FUNCTIONS, n = p->location_count;
    if (!at->functions[f]) {
        struct profile_function *fn = &p->functions[p->function_count];
        *fn = (struct profile_function){.id = p->function_count + 1ull,
                                        .name = profile_intern_cstr(p, v->names[f]),
                                        .file = at->file,
                                        .start_line = 10 + f * 40};
        fn->system_name = fn->name;
        at->functions[f] = ++p->function_count;
    }
    p->lines[n] = (struct profile_line){.line = 10 + f * 40 + location / FUNCTIONS * 3,
                                        .function = at->functions[f] - 1};
    p->locations[n] = (struct profile_location){.id = n + 1ull,
                                                .address = 0x401000 + location * 52ull,
                                                .mapping = 0,
                                                .line_first = n,
                                                .line_count = 1};
    p->line_count = p->location_count = n + 1;
    at->locations[location] = n + 1;
    return n;
}

static void begin(const struct service *v, struct profile *p, struct places *at, uint32_t samples)
{
    struct arena *a = &p->arena;
    uint32_t room = samples * DEPTH_MAX;
    profile_init(p);
    memset(at, 0, sizeof *at);
    room = room < LOCATIONS ? room : LOCATIONS;
    p->sample_types = arena_zarray(a, 4, sizeof *p->sample_types);
    p->mappings = arena_zarray(a, 1, sizeof *p->mappings);
    p->functions = arena_zarray(a, FUNCTIONS, sizeof *p->functions);
    p->lines = arena_zarray(a, room, sizeof *p->lines);
    p->locations = arena_zarray(a, room, sizeof *p->locations);
    p->loc_refs = arena_array(a, (size_t)samples * DEPTH_MAX, sizeof *p->loc_refs);
    p->sample_loc_end = arena_array(a, samples, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(a, samples, sizeof *p->sample_label_end);
    p->values = arena_array(a, samples, 4 * sizeof *p->values);
    p->mappings[p->mapping_count++] = (struct profile_mapping){
        .id = 1,
        .start = 0x400000,
        .limit = 0x900000,
        .has_functions = true,
        .file = profile_intern_cstr(p, "/usr/bin/service"),
        .build_id = profile_intern_cstr(p, "0123456789abcdef0123456789abcdef01234567")};
    at->file = profile_intern_cstr(p, v->file);
}

static void add_type(struct profile *p, const char *type, const char *unit)
{
    p->sample_types[p->sample_type_count++] =
        (struct profile_value_type){profile_intern_cstr(p, type), profile_intern_cstr(p, unit)};
}

static void add_stack(const struct service *v, struct profile *p, struct places *at, uint32_t stack)
{
    for (uint32_t d = 0; d < v->depth[stack]; d++)
        p->loc_refs[p->loc_ref_count++] = put_location(v, p, at, v->stacks[stack][d]);
    p->sample_loc_end[p->sample_count++] = p->loc_ref_count;
}

void load_profile(struct load *l, uint32_t series, struct profile *p)
{
    const struct service *v = &l->services[series / LOAD_PODS];
    uint32_t drawn = DRAWN - 8 + below(l, 17), chosen[DRAWN + 8], n = 0;
    struct places at;
    begin(v, p, &at, drawn);
    add_type(p, "samples", "count");
    add_type(p, "cpu", "nanoseconds");
    p->period_type = p->sample_types[1];
    p->period = SECOND / 100;
    p->duration_nanos = SECOND;
    for (uint32_t i = 0; i < drawn; i++) {
        uint32_t stack = choose_stack(l), k = 0;
        while (k < n && chosen[k] != stack)
            k++;
        if (k == n) {
            chosen[n] = stack;
            p->values[2ul * n++] = 0;
            add_stack(v, p, &at, stack);
        }
        p->values[2ul * k]++;
    }
    for (uint32_t k = 0; k < n; k++)
        p->values[2ul * k + 1] = p->values[2ul * k] * p->period;
}

void load_heap_profile(struct load *l, uint32_t series, uint32_t samples, struct profile *p)
{
    const struct service *v = &l->services[series / LOAD_PODS];
    struct places at;
    begin(v, p, &at, samples);
    add_type(p, "alloc_objects", "count");
    add_type(p, "alloc_space", "bytes");
    add_type(p, "inuse_objects", "count");
    add_type(p, "inuse_space", "bytes");
    p->period_type = p->sample_types[3];
    p->period = 512 << 10;
    for (uint32_t i = 0; i < samples; i++) {
        int64_t size = 16ll << below(l, 10), count = 1 + below(l, 4000);
        int64_t *value = &p->values[4ul * i];
        value[0] = count;
        value[1] = count * size;
        value[2] = below(l, 3) ? 0 : count / 8;
        value[3] = value[2] * size;
        add_stack(v, p, &at, i % STACKS);
    }
}
