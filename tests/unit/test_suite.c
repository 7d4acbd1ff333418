/* SPDX-License-Identifier: MIT
 *
 * Definitions are read or refused with their line; variables, ports and kept runs. */
#include "suite/definition.h"
#include "suite/process.h"
#include "suite/results.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static char folder[64];

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/test-suite-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int read_text(const char *text, struct suite_program **p, struct err *e)
{
    const char *path = arena_printf(&arena, "%s/x.yaml", folder);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    *e = (struct err){0};
    return suite_read(path, &arena, p, e);
}

#define HEAD  "name: x\nsummary: s\nlanguage: C\ninstall: [x]\nneeds: [sh]\nverify: 'true'\n"
#define INPUT "inputs: {short: {duration: 1s}}\n"

static void a_definition_is_read(void **state)
{
    struct suite_program *p;
    struct err e;
    int err = read_text(
        HEAD "ports: [PORT]\nstart: [srv, $PORT]\nready: http://127.0.0.1:$PORT/\n"
             "load: curl\ninputs: {short: {duration: 1500ms, rounds: 4, set: {N: \"3\"}}}\n"
             "kinds: {cpu: {url: u, when: during}, heap: {url: h, env: {D: \"1\"}}}\n"
             "lacks: {block: never turned on}\n",
        &p, &e);
    assert_string_equal(e.msg, "");
    assert_int_equal(err, 0);
    assert_int_equal(suite_find_input(p, "short")->duration_ms, 1500);
    assert_int_equal(suite_find_input(p, "short")->rounds, 4);
    assert_string_equal(suite_find_input(p, "short")->set.vars[0].value, "3");
    assert_true(suite_find_kind(p, "cpu")->during);
    assert_false(suite_find_kind(p, "heap")->during);
    assert_string_equal(suite_find_kind(p, "heap")->env.vars[0].name, "D");
    assert_null(suite_find_kind(p, "block"));
    assert_string_equal(p->lacks.vars[0].value, "never turned on");
    assert_null(suite_missing(p));
}

static void mistakes_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {HEAD INPUT "command: [x]\nkinds: {cpu: {record: true}}\nstat: x\n", "x.yaml:10: there is"},
        {HEAD INPUT "kinds: {cpu: {record: true}}\n", "either a command"},
        {HEAD INPUT "command: [x]\nkinds: {cpu: {}}\n", "x.yaml:9: cpu: give either a url"},
        {HEAD INPUT "command: [x]\nkinds: {cpu: {url: u}}\n", "commands are recorded"},
        {HEAD INPUT "start: [x]\nkinds: {cpu: {url: u}}\n", "'ready' and 'load'"},
        {HEAD INPUT "command: [x]\nkinds: {cpu: {record: true}}\nlacks: {cpu: no}\n",
         "cpu is given and is lacking"},
        {HEAD "inputs: {short: {duration: 1s, rounds: 1000001}}\n", "more than a million rounds"},
        {HEAD "inputs: {short: {duration: 1}}\n", "x.yaml:7: '1': expected a duration"},
        {HEAD "inputs: {short: {duration: 2d}}\n", "between 100ms and 24h"},
        {HEAD INPUT "command: [x]\nports: [a-b]\nkinds: {cpu: {record: true}}\n", "'a-b' cannot"},
        {"name: y\nsummary: s\nlanguage: C\ninstall: [x]\nneeds: [sh]\nverify: 'true'\n" INPUT
         "command: [x]\nkinds: {cpu: {record: true}}\n",
         "named as its file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct suite_program *p;
        struct err e;
        assert_int_equal(read_text(cases[i].text, &p, &e), -EINVAL);
        if (!strstr(e.msg, cases[i].says))
            assert_string_equal(e.msg, cases[i].says);
    }
}

static void a_program_that_is_not_installed_is_named(void **state)
{
    struct suite_program p = {0};
    const char *needs[] = {"sh", "no-such-program-here", NULL};
    p.needs = (struct yamldoc_list){needs, 2};
    assert_string_equal(suite_missing(&p), "no-such-program-here");
}

static void variables_are_put_in(void **state)
{
    struct suite_var vars[] = {{"PORT", "80"}, {"P", "x"}, {"PORT", "81"}};
    struct suite_vars v = {vars, 3};
    struct err e = {0};
    const char *out;
    assert_int_equal(suite_expand("a$PORT/${P}ORT $$P", &v, &arena, &out, &e), 0);
    assert_string_equal(out, "a81/xORT $P"); /* the later one holds */
    assert_int_equal(suite_expand("$NONE", &v, &arena, &out, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "$NONE"));
    assert_int_equal(suite_expand("${P", &v, &arena, &out, &e), -EINVAL);
    assert_int_equal(suite_expand("5$", &v, &arena, &out, &e), -EINVAL);
}

static void free_ports_differ(void **state)
{
    uint16_t ports[16];
    struct err e = {0};
    assert_int_equal(suite_free_ports(ports, 16, &e), 0);
    for (int i = 0; i < 16; i++) {
        assert_true(ports[i] >= 1024);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(ports[i], ports[k]);
    }
}

static void a_run_is_read_as_it_was_kept(void **state)
{
    struct suite_sample samples[] = {{0, 5, 4096}, {100000000, 90000000, 8192}};
    struct suite_result r = {.status = "failed",
                             .error = "it said \"no\"\\\n\x01",
                             .started_ns = 1792584000123456789,
                             .ended_ns = 1792584001123456789,
                             .wall_ns = 1000000000,
                             .cpu_ns = 90000000,
                             .peak_bytes = 8192,
                             .rounds = 3,
                             .exit_status = -1,
                             .samples = samples,
                             .sample_count = 2};
    struct suite_run_name n = {"batch-1", "zstd", "short", "cpu", 2};
    struct suite_machine m = {.cpus = 2, .busy = -1, .governor = "", .cpu = "a \"CPU\""};
    struct suite_kept_list list;
    struct err e = {0};
    struct buf json;
    const char *id = suite_run_id(&n, &arena), *profile;
    assert_string_equal(id, "batch-1.zstd.short.cpu.2");
    buf_init(&json, &arena);
    suite_results_json(&n, &r, &m, &json);
    assert_int_equal(suite_results_make(folder, id, &arena, &profile, &e), 0);
    assert_int_equal(suite_results_make(folder, id, &arena, &profile, &e), -EEXIST);
    assert_int_equal(suite_results_write(folder, id, &json, &e), 0);
    int err = suite_results_read(folder, "batch-1", &arena, &list, &e);
    assert_string_equal(e.msg, strstr(e.msg, "already") ? e.msg : "");
    assert_int_equal(err, 0);
    assert_int_equal(list.count, 1);
    const struct suite_kept *k = &list.runs[0];
    assert_string_equal(k->error, r.error);
    assert_int_equal(k->started_ns, r.started_ns);
    assert_int_equal(k->exit_status, -1);
    assert_int_equal(k->sample_count, 2);
    assert_memory_equal(k->samples, samples, sizeof samples);
    assert_int_equal(suite_results_read(folder, "batch", &arena, &list, &e), 0);
    assert_int_equal(list.count, 0); /* a batch is a whole name */
}

static void batches_of_one_second_differ(void **state)
{
    (void)state;
    const char *profile, *first = suite_batch_new(folder, &arena);
    struct err e = {0};
    for (int i = 0; i < 3; i++) { /* a second may end in between: then there is no number */
        struct suite_run_name n = {suite_batch_new(folder, &arena), "zstd", "short", "cpu", 1};
        const char *id = suite_run_id(&n, &arena);
        assert_true(suite_batch_ok(n.batch));
        assert_int_equal(suite_results_make(folder, id, &arena, &profile, &e), 0);
        if (!strncmp(n.batch, first, strlen(first)) && i) {
            assert_int_equal(n.batch[strlen(first)], '-');
            assert_int_equal(n.batch[strlen(first) + 1], '1' + i);
        }
    }
}

static void batches_have_plain_names(void **state)
{
    assert_true(suite_batch_ok("20261121-120000"));
    assert_false(suite_batch_ok(""));
    assert_false(suite_batch_ok("a.b"));
    assert_false(suite_batch_ok("../a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_definition_is_read),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(a_program_that_is_not_installed_is_named),
        cmocka_unit_test(variables_are_put_in),
        cmocka_unit_test(free_ports_differ),
        cmocka_unit_test(a_run_is_read_as_it_was_kept),
        cmocka_unit_test(batches_of_one_second_differ),
        cmocka_unit_test(batches_have_plain_names),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
