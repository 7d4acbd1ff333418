/* SPDX-License-Identifier: MIT
 *
 * `strobe complete WORD...`: what could stand in place of the last word of a command line, for the
 * scripts in completions/. A line each, with its description behind a tab. Verbs come from the
 * table; a verb's options from its own help, which is thereby the only list of them. Where nothing
 * is printed the shell completes the names of files. */
#include "cli/cli.h"
#include "cli/cmd.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool begins_with(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

static void complete_verb(const char *word)
{
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (begins_with(v->name, word))
            printf("%s\t%s\n", v->name, v->summary);
    if (begins_with("help", word))
        puts("help\tShow the manual of a verb");
}

static const struct cli_verb *find(const char *name)
{
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

/* The options of one line of a help text, "  -a=X, -b   what they do": each that begins with
 * `word`. Options taken with "=" end with it. `below` is the next line, where a long row goes on.
 */
static void print_options(const char *line, const char *below, const char *word)
{
    const char *at = line + strspn(line, " ");
    if (at == line)
        return;
    const char *gap = strstr(at, "  "), *under = below + strspn(below, " ");
    const char *does = gap ? gap + strspn(gap, " ") : *under == '-' || under == below ? "" : under;
    while (*at == '-') {
        size_t n = strcspn(at, " =,\n");
        bool value = at[n] == '=';
        if (!strncmp(at, word, strlen(word) < n ? strlen(word) : n) && strlen(word) <= n)
            printf("%.*s%s\t%.*s\n", (int)n, at, value ? "=" : "", (int)strcspn(does, "\n"), does);
        at += strcspn(at, ",\n");
        at += *at == ',' ? 1 + strspn(at + 1, " ") : 0;
    }
}

/* Asks the verb itself: its help is printed by another process, as a verb may end this one. */
static void complete_option(const struct cli_verb *v, const char *word)
{
    char self[4096], command[4200];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0)
        return;
    self[len] = 0;
    snprintf(command, sizeof command, "exec \"$STROBE_COMPLETE\" %s -h 2>/dev/null", v->name);
    setenv("STROBE_COMPLETE", self, 1);
    FILE *help = popen(command, "r");
    if (!help)
        return;
    char line[2][512] = {""};
    for (int i = 1; fgets(line[i], sizeof line[i], help); i = !i)
        print_options(line[!i], line[i], word);
    pclose(help);
}

int cmd_complete(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "-h")) {
        puts("usage: strobe complete [WORD...]\n\n"
             "Prints what could stand in place of the last word of 'strobe WORD...', for the\n"
             "completion of a shell.");
        return 0;
    }
    const char *word = argc > 1 ? argv[argc - 1] : "";
    if (argc <= 2 || (argc == 3 && !strcmp(argv[1], "help"))) {
        complete_verb(word);
        return 0;
    }
    const struct cli_verb *v = find(argv[1]);
    if (v && *word == '-')
        complete_option(v, word);
    else if (v && argc == 3 && !strcmp(v->name, "suite"))
        for (const char *const *s = (const char *const[]){"list", "run", "show", "compare", NULL};
             *s; s++)
            if (begins_with(*s, word))
                puts(*s);
    return 0;
}
