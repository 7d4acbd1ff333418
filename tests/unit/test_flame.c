/* SPDX-License-Identifier: MIT
 *
 * The merged tree of a profile: its shape, its order, its sums, and what becomes of trees that are
 * too large. */
#include "analyze/flame.h"
#include "profile_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { MAX = 64 };

static uint32_t location_of(struct profile *p, const char *name)
{
    uint32_t string = profile_intern_cstr(p, name);
    for (uint32_t i = 0; i < p->function_count; i++)
        if (p->functions[i].name == string)
            return i;
    uint32_t i = p->function_count++;
    p->functions[i] = (struct profile_function){.id = i + 1, .name = string};
    p->lines[p->line_count++] = (struct profile_line){.line = 1, .function = i};
    p->locations[p->location_count++] = (struct profile_location){
        .id = i + 1, .mapping = PROFILE_NONE, .line_first = i, .line_count = 1};
    return i;
}

/* A profile of "root;…;leaf" stacks with one value each; the list ends with a NULL stack. */
struct folded {
    const char *stack;
    int64_t value;
};

static void make_profile(struct profile *p, const struct folded *list)
{
    profile_init(p);
    struct arena *a = &p->arena;
    p->sample_types = arena_zalloc(a, sizeof *p->sample_types);
    p->sample_type_count = 1;
    p->sample_types[0].type = profile_intern_cstr(p, "cpu");
    p->sample_types[0].unit = profile_intern_cstr(p, "nanoseconds");
    p->functions = arena_zarray(a, MAX, sizeof *p->functions);
    p->lines = arena_zarray(a, MAX, sizeof *p->lines);
    p->locations = arena_zarray(a, MAX, sizeof *p->locations);
    p->loc_refs = arena_zarray(a, MAX * 8, sizeof *p->loc_refs);
    p->sample_loc_end = arena_zarray(a, MAX, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(a, MAX, sizeof *p->sample_label_end);
    p->values = arena_zarray(a, MAX, sizeof *p->values);
    for (; list->stack; list++) {
        char stack[256], *end;
        snprintf(stack, sizeof stack, "%s", list->stack);
        while (*stack && (end = strrchr(stack, ';'))) {
            p->loc_refs[p->loc_ref_count++] = location_of(p, end + 1);
            *end = 0;
        }
        if (*stack)
            p->loc_refs[p->loc_ref_count++] = location_of(p, stack);
        p->values[p->sample_count] = list->value;
        p->sample_loc_end[p->sample_count++] = p->loc_ref_count;
    }
}

static const char *name_of(const struct flame *f, uint32_t node)
{
    static char name[64];
    uint32_t frame = f->node_frame[node];
    if (frame == FLAME_NONE)
        return "root";
    if (frame == FLAME_LEFT_OUT)
        return "left out";
    struct profile_str s = f->functions[f->frames[frame].function].name;
    snprintf(name, sizeof name, "%.*s", (int)s.len, s.ptr);
    return name;
}

static const struct flame_function *function_of(const struct flame *f, const char *name)
{
    for (uint32_t i = 0; i < f->function_count; i++)
        if (f->functions[i].name.len == strlen(name) &&
            !memcmp(f->functions[i].name.ptr, name, strlen(name)))
            return &f->functions[i];
    fail_msg("no function %s", name);
    return NULL;
}

/* What flame.h promises of every tree, however it was made. */
static void assert_invariants(const struct flame *f, const struct profile *p, uint32_t type)
{
    int64_t self = 0, sum = 0;
    assert_int_equal(f->node_frame[0], FLAME_NONE);
    for (uint32_t i = 0; i < f->node_count; i++) {
        if (i > 0)
            assert_true(f->node_parent[i] < i);
        if (i > 1)
            assert_true(f->node_parent[i - 1] <= f->node_parent[i]);
        self += f->node_self[i];
    }
    for (uint32_t i = 0; i < p->sample_count; i++)
        sum += p->values[(size_t)i * p->sample_type_count + type];
    assert_true(self == sum);
}

static void build(struct flame *f, const struct profile *p, uint32_t type, uint32_t limit)
{
    flame_build(f, p, type, limit);
    assert_invariants(f, p, type);
}

static void equal_paths_are_one_node_heaviest_first(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){
                         {"main;b", 1}, {"main;a", 1}, {"main;c;x", 5}, {"main;b", 2}, {NULL, 0}});
    build(&f, &p, 0, 100);
    const char *names[] = {"root", "main", "c", "b", "a", "x"};
    const int64_t selves[] = {0, 0, 0, 3, 1, 5};
    assert_int_equal(f.node_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_string_equal(name_of(&f, i), names[i]);
        assert_int_equal(f.node_self[i], selves[i]);
    }
    assert_int_equal(f.total, 9);
    assert_null(f.node_weight);
    flame_free(&f);
    profile_free(&p);
}

static void equally_heavy_siblings_stand_by_name(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"c", 1}, {"a", 1}, {"b", 1}, {NULL, 0}});
    build(&f, &p, 0, 100);
    assert_string_equal(name_of(&f, 1), "a");
    assert_string_equal(name_of(&f, 2), "b");
    assert_string_equal(name_of(&f, 3), "c");
    flame_free(&f);
    profile_free(&p);
}

static void recursion_is_counted_once_a_sample(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"main;fib;fib;fib", 4}, {"main;fib", 3}, {NULL, 0}});
    build(&f, &p, 0, 100);
    assert_int_equal(function_of(&f, "fib")->cum, 7);
    assert_int_equal(function_of(&f, "fib")->flat, 7);
    assert_int_equal(function_of(&f, "main")->cum, 7);
    assert_int_equal(function_of(&f, "main")->flat, 0);
    assert_int_equal(f.node_count, 5);
    flame_free(&f);
    profile_free(&p);
}

static void a_shorter_stack_after_a_longer_one_ends_where_it_should(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"a;b;c", 1}, {"a", 2}, {"a;b;c", 4}, {"", 8}, {NULL, 0}});
    build(&f, &p, 0, 100);
    assert_int_equal(f.node_count, 4);
    assert_int_equal(f.node_self[0], 8);
    assert_int_equal(f.node_self[1], 2);
    assert_int_equal(f.node_self[2], 0);
    assert_int_equal(f.node_self[3], 5);
    flame_free(&f);
    profile_free(&p);
}

static void inlined_frames_come_from_their_caller_and_differ_from_calls(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"main;leaf", 1}, {"main", 2}, {NULL, 0}});
    /* The second sample's location becomes main with leaf inlined into it. */
    uint32_t first = p.line_count;
    p.lines[p.line_count++] = (struct profile_line){.line = 5, .function = 0}; /* leaf */
    p.lines[p.line_count++] = (struct profile_line){.line = 9, .function = 1}; /* main */
    p.locations[p.location_count] = (struct profile_location){
        .id = 9, .mapping = PROFILE_NONE, .line_first = first, .line_count = 2};
    p.loc_refs[p.loc_ref_count - 1] = p.location_count++;
    build(&f, &p, 0, 100);
    assert_int_equal(f.node_count, 4);
    assert_string_equal(name_of(&f, 1), "main");
    assert_string_equal(name_of(&f, 2), "leaf");
    assert_true(f.frames[f.node_frame[2]].inlined);
    assert_int_equal(f.node_self[2], 2);
    assert_string_equal(name_of(&f, 3), "leaf");
    assert_false(f.frames[f.node_frame[3]].inlined);
    assert_int_equal(function_of(&f, "leaf")->flat, 3);
    flame_free(&f);
    profile_free(&p);
}

static void frames_without_function_are_their_binary(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"x", 1}, {"y", 2}, {NULL, 0}});
    p.mappings = arena_zalloc(&p.arena, sizeof *p.mappings);
    p.mappings[p.mapping_count++] =
        (struct profile_mapping){.id = 1, .file = profile_intern_cstr(&p, "/usr/lib/libx.so.1")};
    p.locations[0].line_count = 0;
    p.locations[0].mapping = 0;
    p.locations[1].line_count = 0;
    build(&f, &p, 0, 100);
    assert_int_equal(function_of(&f, "[libx.so.1]")->flat, 1);
    assert_int_equal(function_of(&f, "<unknown>")->flat, 2);
    flame_free(&f);
    profile_free(&p);
}

static void locations_without_lines_are_functions_but_no_boxes(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p,
                 (struct folded[]){
                     {"a;x;b", 1}, {"a;x;b;x", 2}, {"x;x", 4}, {"a", 8}, {"x;a;x", 16}, {NULL}});
    for (uint32_t i = 0; i < p.location_count; i++)
        if (profile_str_is(profile_string(&p, p.functions[i].name), "x"))
            p.locations[i].line_count = 0;
    struct flame_options o = {.node_limit = 100};
    const char *names[][4] = {
        [FLAME_FROM_ROOT] = {"root", "a", "b"},
        [FLAME_FROM_LEAF] = {"root", "a", "b", "a"},
        [FLAME_CALLEES] = {"<unknown>", "a", "b"},
        [FLAME_CALLERS] = {"<unknown>", "a"},
    };
    const int64_t selves[][4] = {{4, 24, 3}, {4, 24, 0, 3}, {4, 16, 3}, {20, 3}};
    for (int walk = FLAME_FROM_ROOT; walk <= FLAME_CALLERS; walk++) {
        o.walk = (enum flame_walk)walk;
        o.function = (struct profile_str){"<unknown>", 9};
        flame_build_walk(&f, &p, &o);
        assert_int_equal(function_of(&f, "<unknown>")->flat, 2 + 4 + 16);
        assert_int_equal(function_of(&f, "<unknown>")->cum, 1 + 2 + 4 + 16);
        assert_int_equal(f.lineless, 1 + 2 + 4 + 16);
        for (uint32_t i = 0; i < f.node_count; i++) {
            assert_string_equal(name_of(&f, i), names[walk][i]);
            assert_int_equal(f.node_self[i], selves[walk][i]);
        }
        assert_int_equal(f.node_count, walk == FLAME_FROM_LEAF ? 4 : walk == FLAME_CALLERS ? 2 : 3);
        flame_free(&f);
    }
    o.walk = FLAME_FROM_ROOT;
    o.node_limit = 1; /* closed at the root: what it steps over to the end is its own */
    flame_build_walk(&f, &p, &o);
    assert_int_equal(f.node_self[0], 4);
    flame_free(&f);
    profile_free(&p);
}

static void what_divides_is_summed_as_what_is_divided(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"a;b", 10}, {"a;c", 20}, {"a;b", 0}, {NULL, 0}});
    int64_t both[] = {3, 10, 5, 20, 7, 0};
    p.sample_types = arena_zarray(&p.arena, 2, sizeof *p.sample_types);
    p.sample_type_count = 2;
    p.values = both;
    struct flame_options o = {.type = 1, .node_limit = 100, .mean = true};
    flame_build_walk(&f, &p, &o);
    assert_int_equal(function_of(&f, "a")->cum, 30);
    assert_int_equal(function_of(&f, "a")->cum_div, 15);
    assert_int_equal(function_of(&f, "b")->flat_div, 10);
    const int64_t divisors[] = {0, 0, 5, 10}; /* root, a, c, b */
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(f.node_div[i], divisors[i]);
    flame_free(&f);
    o.mean = false;
    flame_build_walk(&f, &p, &o);
    assert_null(f.node_div);
    assert_int_equal(function_of(&f, "b")->flat_div, 0);
    flame_free(&f);
    profile_free(&p);
}

static void differences_have_widths_beside_their_sums(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"a;b", -5}, {"a;c", 3}, {"a;b", 1}, {NULL, 0}});
    build(&f, &p, 0, 100);
    assert_non_null(f.node_weight);
    assert_string_equal(name_of(&f, 2), "b");
    assert_int_equal(f.node_self[2], -4);
    assert_int_equal(f.node_weight[2], 6);
    assert_int_equal(f.node_weight[1], 0);
    assert_int_equal(f.total, 9);
    flame_free(&f);
    profile_free(&p);
}

static void light_callees_are_put_together_and_no_sum_is_lost(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"a;b;x", 100}, {"a;b", 7}, {"c;d", 2}, {"c", 1}, {NULL}});
    build(&f, &p, 0, 6);
    assert_int_equal(f.node_count, 6);
    const char *names[] = {"root", "a", "c", "b", "left out", "left out"};
    const int64_t selves[] = {0, 0, 1, 7, 2, 100};
    for (uint32_t i = 0; i < 6; i++) {
        assert_string_equal(name_of(&f, i), names[i]);
        assert_int_equal(f.node_self[i], selves[i]);
    }
    assert_int_equal(f.node_parent[4], 2);
    assert_int_equal(f.node_parent[5], 3);
    assert_int_equal(f.left_out_count, 2);
    assert_int_equal(function_of(&f, "d")->flat, 2);
    flame_free(&f);
    profile_free(&p);
}

static void build_walk(struct flame *f, const struct profile *p, enum flame_walk walk,
                       const char *function)
{
    struct flame_options o = {.node_limit = 100, .walk = walk};
    o.function = (struct profile_str){function, (uint32_t)strlen(function)};
    flame_build_walk(f, p, &o);
}

/* The tree as "name self, …", breadth first. */
static const char *tree_text(const struct flame *f)
{
    static char text[512];
    size_t n = 0;
    for (uint32_t i = 0; i < f->node_count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s<%u %lld", i ? ", " : "",
                              name_of(f, i), f->node_parent[i], (long long)f->node_self[i]);
    return text;
}

static void an_inverted_tree_begins_at_the_leaves(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"main;a;x", 5}, {"main;x", 3}, {"x;a", 1}, {NULL, 0}});
    build_walk(&f, &p, FLAME_FROM_LEAF, "");
    assert_string_equal(tree_text(&f), "root<0 0, x<0 0, a<0 0, a<1 0, main<1 3, x<2 1, main<3 5");
    assert_int_equal(function_of(&f, "x")->flat, 8);
    flame_free(&f);
    profile_free(&p);
}

static void callers_and_callees_part_at_the_outermost_call(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){
                         {"main;f;g;f;h", 5}, {"main;f", 3}, {"f;g", 1}, {"main;z", 9}, {NULL, 0}});
    build_walk(&f, &p, FLAME_CALLEES, "f");
    assert_string_equal(tree_text(&f), "f<0 3, g<0 1, f<1 0, h<2 5");
    flame_free(&f);
    build_walk(&f, &p, FLAME_CALLERS, "f");
    assert_string_equal(tree_text(&f), "f<0 1, main<0 8");
    assert_int_equal(f.total, 18);
    flame_free(&f);
    build_walk(&f, &p, FLAME_CALLERS, "nowhere");
    assert_string_equal(tree_text(&f), "root<0 0");
    flame_free(&f);
    profile_free(&p);
}

static void a_walk_may_begin_inside_a_location(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"main;outer", 1}, {"mid", 0}, {"inner", 0}, {NULL, 0}});
    /* outer's location gets mid inlined into it, and inner into that. */
    uint32_t first = p.line_count;
    for (uint32_t i = 0; i < 2; i++)
        p.lines[p.line_count++] = (struct profile_line){.line = 1, .function = 3 - i};
    p.lines[p.line_count++] = (struct profile_line){.line = 1, .function = 0};
    p.locations[0].line_first = first;
    p.locations[0].line_count = 3;
    build_walk(&f, &p, FLAME_CALLERS, "mid");
    assert_string_equal(tree_text(&f), "mid<0 0, outer<0 0, main<1 1");
    flame_free(&f);
    build_walk(&f, &p, FLAME_CALLEES, "mid");
    assert_string_equal(tree_text(&f), "mid<0 0, inner<0 1");
    flame_free(&f);
    build_walk(&f, &p, FLAME_CALLEES, "inner");
    assert_string_equal(tree_text(&f), "inner<0 1");
    flame_free(&f);
    build_walk(&f, &p, FLAME_CALLERS, "outer");
    assert_string_equal(tree_text(&f), "outer<0 0, main<0 1");
    flame_free(&f);
    build_walk(&f, &p, FLAME_FROM_LEAF, "");
    assert_string_equal(tree_text(&f), "root<0 0, inner<0 0, mid<1 0, outer<2 0, main<3 1");
    flame_free(&f);
    profile_free(&p);
}

/* The sum over a tree, from whichever side it is walked, and over a function's are known. */
static void assert_walk_sums(const struct profile *p)
{
    struct flame f, g;
    struct flame_options o = {.node_limit = 1u << 20, .walk = FLAME_FROM_LEAF};
    flame_build(&f, p, 0, 1u << 20);
    flame_build_walk(&g, p, &o);
    assert_invariants(&g, p, 0);
    flame_free(&g);
    for (uint32_t i = 0; i < f.function_count; i++) {
        o.function = f.functions[i].name;
        for (int up = 0; up < 2; up++) {
            int64_t sum = 0;
            o.walk = up ? FLAME_CALLERS : FLAME_CALLEES;
            flame_build_walk(&g, p, &o);
            for (uint32_t n = 0; n < g.node_count; n++)
                sum += g.node_self[n];
            assert_true(sum == f.functions[i].cum);
            flame_free(&g);
        }
    }
    flame_free(&f);
}

static void every_walk_has_its_sum(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct profile p;
        profile_random(
            &p, (struct random_profile){
                    .seed = seed, .samples = 200, .locations = 60, .functions = 25, .mappings = 3});
        assert_walk_sums(&p);
        profile_free(&p);
    }
}

static void random_profiles_keep_every_promise(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct profile p;
        struct flame f;
        profile_random(
            &p, (struct random_profile){
                    .seed = seed, .samples = 300, .locations = 60, .functions = 25, .mappings = 3});
        for (uint32_t type = 0; type < p.sample_type_count; type++) {
            build(&f, &p, type, 1u << 20);
            uint32_t all = f.node_count;
            int64_t flat = 0, self = 0, without_stack = 0;
            for (uint32_t i = 0; i < f.function_count; i++)
                flat += f.functions[i].flat;
            for (uint32_t i = 0; i < f.node_count; i++)
                self += f.node_self[i];
            for (uint32_t i = 0; i < p.sample_count; i++)
                if (profile_loc_first(&p, i) == p.sample_loc_end[i])
                    without_stack += p.values[(size_t)i * p.sample_type_count + type];
            assert_true(flat == self - without_stack);
            flame_free(&f);
            build(&f, &p, type, 50);
            assert_true(f.node_count <= 50 + f.frame_count);
            assert_true(f.node_count == all || f.left_out_count > 0);
            flame_free(&f);
        }
        profile_free(&p);
    }
}

static void an_empty_profile_is_a_root(void **state)
{
    struct profile p;
    struct flame f;
    profile_init(&p);
    build(&f, &p, 0, 100);
    assert_int_equal(f.node_count, 1);
    assert_int_equal(f.total, 0);
    assert_int_equal(flame_default_type(&p), 0);
    flame_free(&f);
    profile_free(&p);
}

static void rows_tell_lines_of_one_function_apart(void **state)
{
    struct profile p;
    struct flame f;
    make_profile(&p, (struct folded[]){{"root;at", 3}, {"root;again", 4}, {NULL, 0}});
    uint32_t file = profile_intern_cstr(&p, "a.c");
    for (uint32_t i = 0; i < p.line_count; i++) {
        p.lines[i].line = 10 + i;
        p.functions[i].file = file;
        p.functions[i].name = p.functions[1].name; /* the three are lines of one function */
    }
    uint32_t name = p.functions[1].name;
    struct profile_str text = profile_string(&p, name);
    struct flame_options o = {.node_limit = MAX};
    flame_build_walk(&f, &p, &o);
    assert_int_equal(f.function_count, 1);
    flame_free(&f);
    o.by_rows = true;
    flame_build_walk(&f, &p, &o);
    assert_int_equal(f.function_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        char row[64];
        int64_t values[] = {3, 7, 4};
        snprintf(row, sizeof row, "%.*s a.c:%u", (int)text.len, text.ptr, 10 + i);
        assert_int_equal(function_of(&f, row)->cum, values[i]);
    }
    flame_free(&f);
    profile_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_paths_are_one_node_heaviest_first),
        cmocka_unit_test(equally_heavy_siblings_stand_by_name),
        cmocka_unit_test(recursion_is_counted_once_a_sample),
        cmocka_unit_test(a_shorter_stack_after_a_longer_one_ends_where_it_should),
        cmocka_unit_test(inlined_frames_come_from_their_caller_and_differ_from_calls),
        cmocka_unit_test(frames_without_function_are_their_binary),
        cmocka_unit_test(locations_without_lines_are_functions_but_no_boxes),
        cmocka_unit_test(what_divides_is_summed_as_what_is_divided),
        cmocka_unit_test(differences_have_widths_beside_their_sums),
        cmocka_unit_test(light_callees_are_put_together_and_no_sum_is_lost),
        cmocka_unit_test(an_inverted_tree_begins_at_the_leaves),
        cmocka_unit_test(callers_and_callees_part_at_the_outermost_call),
        cmocka_unit_test(a_walk_may_begin_inside_a_location),
        cmocka_unit_test(every_walk_has_its_sum),
        cmocka_unit_test(random_profiles_keep_every_promise),
        cmocka_unit_test(an_empty_profile_is_a_root),
        cmocka_unit_test(rows_tell_lines_of_one_function_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
