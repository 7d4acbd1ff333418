/* SPDX-License-Identifier: MIT
 *
 * `strobe suite`: finds the verb below it, and lists the programs. */
#include "cli/cmd_suite.h"

#include "cli/cmd.h"
#include "cli/refuse.h"
#include "suite/definition.h"
#include "suite/describe.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: strobe suite list [--json]\n"
    "       strobe suite run [NAME...] [--input short|long|all] [--kind KIND] [-n N] [--as BATCH]\n"
    "       strobe suite show [RUN|BATCH]\n"
    "       strobe suite compare BATCH BATCH\n"
    "\n"
    "Runs real programs with known inputs, one kind of profile at a time, checks that their\n"
    "output is right, and keeps the profiles and what the runs cost.\n"
    "\n"
    "   --input INPUT  short (default), long, or all\n"
    "   --kind KIND    only this kind of profile: cpu, heap, allocs, block, mutex, goroutine;\n"
    "                  may be repeated\n"
    "   -n N           each run N times (default 1)\n"
    "   --as BATCH     the name of what is run now, for show and compare (default: the time)\n"
    "   --no-push      keep the runs, but send them to no server\n"
    "   -q             no progress\n"
    "   --progress json\n"
    "                  a JSON object for each thing that happens, a line each, on standard output\n"
    "   --json         (list) all that is known of the programs, as one JSON object\n"
    "\n"
    "The manual: man strobe-suite.\n";

int suite_verb_fail(const struct err *e)
{
    fprintf(stderr, "strobe suite: %s\n", e->msg);
    return 1;
}

int suite_verb_complain(const char *fmt, const char *what)
{
    fputs("strobe suite: ", stderr);
    fprintf(stderr, fmt, what);
    fputs("; see 'strobe suite -h'\n", stderr);
    return 2;
}

int suite_verb_no_option(const char *option)
{
    return cli_refuse_option("suite", option, usage);
}

static void print_names(const char *head, const struct suite_program *p)
{
    printf("%s", head);
    for (uint32_t i = 0; i < p->kind_count; i++)
        printf(" %s", p->kinds[i].name);
    printf("\n            inputs:");
    for (uint32_t i = 0; i < p->input_count; i++)
        printf(" %s (%g s)", p->inputs[i].name, (double)p->inputs[i].duration_ms / 1e3);
    printf("\n");
}

static void print_json(const struct suite_programs *all, struct arena *a)
{
    struct buf b;
    struct json j;
    buf_init(&b, a);
    json_init(&j, &b);
    suite_describe(all, a, &j);
    buf_putc(&b, '\n');
    fwrite(b.data, 1, b.len, stdout);
}

int suite_verb_list(int argc, char **argv)
{
    struct arena a;
    struct err e = {0};
    struct suite_programs all = {0};
    bool as_json = argc > 1 && !strcmp(argv[1], "--json");
    if (argc > 1 + as_json && argv[1 + as_json][0] == '-')
        return suite_verb_no_option(argv[1 + as_json]);
    if (argc > 1 + as_json)
        return suite_verb_complain("list: there is nothing to say to '%s'", argv[1 + as_json]);
    arena_init(&a);
    const char *folder = suite_folder(&a, &e);
    int err = folder ? suite_read_folder(folder, &a, &all, &e) : -1;
    if (err == 0 && as_json)
        print_json(&all, &a);
    for (uint32_t i = 0; err == 0 && !as_json && i < all.count; i++) {
        const struct suite_program *p = all.programs[i];
        const char *missing = suite_describe_missing(p, &a);
        printf("%-11s %s (%s)\n", p->name, p->summary, p->language);
        print_names("            kinds:", p);
        if (missing)
            printf("            %s\n", missing);
    }
    arena_free(&a);
    return err < 0 ? suite_verb_fail(&e) : 0;
}

int cmd_suite(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        bool has_options;
    } verbs[] = {{"list", suite_verb_list, true},
                 {"run", suite_verb_run, true},
                 {"show", suite_verb_show, false},
                 {"compare", suite_verb_compare, false}};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
            fputs(usage, stdout);
            return 0;
        }
    }
    if (argc < 2) {
        fputs(usage, stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        for (int k = 2; k < argc && !verbs[i].has_options; k++)
            if (argv[k][0] == '-')
                return suite_verb_no_option(argv[k]);
        return verbs[i].run(argc - 1, argv + 1);
    }
    if (argv[1][0] == '-')
        return suite_verb_no_option(argv[1]);
    return suite_verb_complain("there is no verb '%s'", argv[1]);
}
