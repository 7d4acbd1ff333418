/* SPDX-License-Identifier: MIT
 *
 * What people write in YAML is read, and what they get wrong is named with its line. */
#include "base/yamldoc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct thing {
    const char *name;
    bool on;
    int64_t count, every_ms;
    struct yamldoc_list words;
};

static const struct yamldoc_field fields[] = {
    {"name", yamldoc_text, offsetof(struct thing, name), .required = true},
    {"on", yamldoc_bool, offsetof(struct thing, on)},
    {"count", yamldoc_int, offsetof(struct thing, count)},
    {"every", yamldoc_duration_ms, offsetof(struct thing, every_ms)},
    {"words", yamldoc_texts, offsetof(struct thing, words)},
    {NULL, NULL, 0},
};

static struct arena arena;

static int read_thing(const char *text, struct thing *t, struct err *e)
{
    static struct yamldoc doc;
    memset(t, 0, sizeof *t);
    *e = (struct err){0};
    yamldoc_init(&doc, "t.yaml", &arena);
    int err = yamldoc_read(&doc, text, strlen(text), e);
    return err < 0 ? err : yamldoc_fields(doc.root, fields, t, e);
}

static void values_come_into_the_struct(void **state)
{
    struct thing t;
    struct err e;
    int err =
        read_thing("name: a b\non: true\ncount: 12\nevery: 1.5s\nwords:\n- x\n- \"~\"\n", &t, &e);
    assert_int_equal(err, 0);
    assert_string_equal(t.name, "a b");
    assert_true(t.on);
    assert_int_equal(t.count, 12);
    assert_int_equal(t.every_ms, 1500);
    assert_int_equal(t.words.count, 2);
    assert_string_equal(t.words.texts[1], "~");
    assert_null(t.words.texts[2]);
}

static void json_is_read_too(void **state)
{
    struct thing t;
    struct err e;
    assert_int_equal(read_thing("{\"name\": \"q\\\"\\u00e9\", \"words\": []}", &t, &e), 0);
    assert_string_equal(t.name, "q\"\xc3\xa9");
    assert_int_equal(t.words.count, 0);
}

static void mistakes_are_named_with_their_line(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"name: x\n\nnmae: y\n", "t.yaml:3: there is no key 'nmae' here; there are: name, on"},
        {"on: true\n", "t.yaml:1: the key 'name' is missing"},
        {"name: x\non: yes\n", "t.yaml:2: 'yes': expected true or false"},
        {"name: x\ncount: -1\n", "t.yaml:2: '-1': expected a whole number"},
        {"name: x\ncount: 99999999999999999999\n", "t.yaml:2: '99999999999999999999'"},
        {"name: x\nevery: 10\n", "t.yaml:2: '10': expected a duration"},
        {"name: x\nevery: -3s\n", "t.yaml:2: '-3s': expected a duration"},
        {"name: x\nname: y\n", "t.yaml:2: 'name' stands here a second time"},
        {"name: [x]\n", "t.yaml:1: name: expected a text"},
        {"name:\n", "t.yaml:1: name: expected a text; write \"\""},
        {"name: x\nwords: y\n", "t.yaml:2: words: expected a list"},
        {"- x\n", "t.yaml:1: expected keys and values"},
        {"name: &a x\nwords: [*a]\n", "t.yaml:2: aliases"},
        {"name: !!str x\n", "t.yaml:1: tags"},
        {"name: \"a\\0b\"\n", "t.yaml:1: a NUL"},
        {"name: x\n---\nname: y\n", "t.yaml:2: a second document"},
        {"name: x\n  bad: [\n", "t.yaml:2: "},
        {"name: \xff\n", "t.yaml: byte 6: "},
        {"[a]: x\n", "t.yaml:1: a key must be a text"},
    };
    struct thing t;
    struct err e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_thing(cases[i].text, &t, &e), -EINVAL);
        if (strncmp(e.msg, cases[i].says, strlen(cases[i].says)))
            assert_string_equal(e.msg, cases[i].says);
    }
}

static void nesting_has_a_limit(void **state)
{
    static char deep[100001];
    struct yamldoc doc;
    struct err e = {0};
    memset(deep, '[', sizeof deep - 1);
    yamldoc_init(&doc, "t", &arena);
    assert_int_equal(yamldoc_read(&doc, deep, sizeof deep - 1, &e), -EFBIG);
}

static void an_empty_file_is_an_empty_map(void **state)
{
    struct yamldoc doc;
    struct err e = {0};
    yamldoc_init(&doc, "t", &arena);
    assert_int_equal(yamldoc_read(&doc, "# nothing\n", 10, &e), 0);
    assert_int_equal(doc.root->kind, YAMLDOC_MAP);
    assert_null(yamldoc_get(doc.root, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_into_the_struct),        cmocka_unit_test(json_is_read_too),
        cmocka_unit_test(mistakes_are_named_with_their_line), cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(an_empty_file_is_an_empty_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
