/* SPDX-License-Identifier: MIT
 *
 * The front door: finds the verb, or helps to find it. It knows nothing of what verbs do; the table
 * in verbs.c is all it reads. */
#include "base/nearest.h"
#include "cli/cli.h"
#include "strobe/version.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_help(FILE *out)
{
    fputs("usage: strobe VERB [OPTION…] [FILE…]\n", out);
    const char *group = "";
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        if (strcmp(group, v->group))
            fprintf(out, "\n%s\n", v->group);
        group = v->group;
        fprintf(out, "   %-10s %s\n", v->name, v->summary);
    }
    fputs("\n'strobe help VERB' shows the manual of a verb, 'strobe VERB -h' its options.\n", out);
}

static const struct cli_verb *find_verb(const char *name)
{
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

static int unknown_verb(const char *name)
{
    fprintf(stderr, "strobe: '%s' is not a verb. See 'strobe help'.\n", name);
    struct nearest near = nearest_to(name, strlen(name));
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        nearest_see(&near, v->name, strlen(v->name));
    if (near.best)
        fprintf(stderr, "\nDid you mean '%.*s'?\n", (int)near.best_len, near.best);
    return 2;
}

/* The manual page where there is a terminal and man knows the page, else the verb's own usage. */
static int help_verb(const struct cli_verb *v)
{
    if (isatty(STDOUT_FILENO)) {
        char command[128];
        snprintf(command, sizeof command, "man -w %s >/dev/null 2>&1", v->man);
        if (!system(command)) {
            execlp("man", "man", v->man, (char *)NULL);
            perror("strobe: cannot run man");
        }
    }
    char name[32];
    snprintf(name, sizeof name, "%s", v->name);
    char dash_h[] = "-h";
    char *argv[] = {name, dash_h, NULL};
    return v->run(2, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        printf("strobe %s\n", STROBE_VERSION);
        return 0;
    }
    bool help = !strcmp(name, "help");
    if (!strcmp(name, "-h") || !strcmp(name, "--help") || (help && argc == 2)) {
        print_help(stdout);
        return 0;
    }
    const struct cli_verb *v = find_verb(help ? argv[2] : name);
    if (!v)
        return unknown_verb(help ? argv[2] : name);
    return help ? help_verb(v) : v->run(argc - 1, argv + 1);
}
