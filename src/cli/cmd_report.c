/* SPDX-License-Identifier: MIT
 *
 * The verbs that print a report, and `strobe pprof`: all one driver (pprof/pprof.h) under different
 * names. A short verb takes the same options as pprof, before or behind the files, and differs in
 * its help, in how it says what is wrong, and on a terminal by colours and a pager. */
#include "cli/cmd.h"
#include "cli/terminal.h"
#include "pprof/pprof.h"

#include <stdio.h>
#include <string.h>

static const char sample_options[] =
    "which samples:\n"
    "  -focus=RE, -ignore=RE     only stacks with, or without, a frame that matches\n"
    "  -hide=RE, -show=RE        without, or only with, the frames that match\n"
    "  -show_from=RE             nothing above the first frame that matches\n"
    "  -prune_from=RE            nothing below the frame that matches\n"
    "  -tagfocus=TAG, -tagignore=TAG\n"
    "                            by label: [key=]regexp, or a range: size=1kb:20kb\n"
    "  -tagroot=KEYS, -tagleaf=KEYS\n"
    "                            labels as frames\n"
    "  -base=FILE, -diff_base=FILE, -normalize\n"
    "                            less another profile, or compared with it\n"
    "which values:\n"
    "  -sample_index=TYPE        name or number of the sample type\n"
    "  -unit=UNIT                ms, MB, auto ...\n"
    "  -mean, -divide_by=N       per count; divided\n"
    "grouped by:\n"
    "  -functions, -filefunctions, -files, -lines, -addresses, -noinlines\n"
    "  -o FILE                   into a file\n";

#define TRIM_OPTIONS                                                                               \
    "  -nodefraction=F, -trim=false\n"                                                             \
    "                            rows below F of the total are left out (0.005); none\n"           \
    "  -relative_percentages     of what the filters leave, not of everything\n"

static const char table_options[] =
    "how much of it:\n"
    "  -nodecount=N              so many functions\n"
    "  -cum, -flat               sorted by cumulative, own value\n" TRIM_OPTIONS
    "  -compact_labels, -drop_negative\n";

static const char graph_options[] =
    "how much of it:\n"
    "  -nodecount=N              so many functions (80)\n"
    "  -edgefraction=F           calls below F are left out\n"
    "  -call_tree                a tree instead of a graph\n" TRIM_OPTIONS;

static const char source_options[] = "where the source is:\n"
                                     "  -source_path=DIRS         searched, separated by ':'\n"
                                     "  -trim_path=PREFIXES       cut off the names in profiles\n";

static const char diff_options[] =
    "how much of it:\n"
    "  -nodecount=N              so many functions (10)\n"
    "  -cum                      by cumulative instead of own value\n"
    "  -nodefraction=F           changes below F of the total are left out (0.005)\n"
    "  -normalize                as if both had the same total: compares shares\n";

static const char convert_options[] = "-to=FORMAT, or the ending of -o's file:\n"
                                      "  pprof      .pb.gz .pprof   profile.proto, gzip'ed\n"
                                      "  folded     .folded         a line a stack\n"
                                      "  callgrind  .callgrind      for KCachegrind\n"
                                      "  dot        .dot .gv        call graph, for graphviz\n"
                                      "  svg        .svg            call graph, drawn\n"
                                      "  text       .txt            as 'strobe raw' prints it\n\n";

struct report_verb {
    const char *name, *operands, *does;
    const char *more; /* options of its own, or NULL */
};

static const struct report_verb verbs[] = {
    {"callgrind", "FILE...", "Writes the call graph for KCachegrind and its like.", NULL},
    {"comments", "FILE...", "Prints what the profile says about itself.", NULL},
    {"convert", "[-to=FORMAT] [-o FILE] FILE...",
     "Writes profiles, merged, in another format. What is read is found by the content.",
     convert_options},
    {"diff", "BEFORE AFTER...",
     "Says how much changed in all, and which functions explain it: those whose own value changed\n"
     "by more than the noise of sampling.",
     diff_options},
    {"disasm", "RE FILE...", "Prints the machine code of functions that match, with samples.",
     source_options},
    {"dot", "FILE...", "Prints the call graph for graphviz.", graph_options},
    {"folded", "FILE...", "Prints a line a stack, \"root;...;leaf VALUE\", for flame graph tools.",
     NULL},
    {"list", "RE FILE...", "Prints the source of functions that match, with samples by line.",
     source_options},
    {"merge", "-o FILE FILE...", "Adds profiles up into one.", NULL},
    {"peek", "RE FILE...", "Prints functions that match, with their callers and callees.", NULL},
    {"raw", "FILE...", "Prints the profile as text, as it is.", NULL},
    {"svg", "-o FILE FILE...", "Draws the call graph. Needs graphviz.", graph_options},
    {"tags", "FILE...", "Prints the labels of the samples, and how much each value has.", NULL},
    {"top", "FILE...", "Prints the functions with the most samples.", table_options},
    {"traces", "FILE...", "Prints every sample with its labels and its stack.", NULL},
    {"tree", "FILE...", "Prints the call graph as text: each function, its callers and callees.",
     table_options},
};

static void print_help(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct report_verb *v = &verbs[i];
        if (strcmp(v->name, name))
            continue;
        printf("usage: strobe %s [OPTION...] %s\n\n%s\n\n%s"
               "Several files are merged. \"-\" is standard input.\n\n%s"
               "The manual: man strobe-%s; all options: strobe pprof -h.\n",
               name, v->operands, v->does, !strcmp(name, "convert") ? v->more : "", sample_options,
               name);
        if (v->more && strcmp(name, "convert"))
            fputs(v->more, stdout);
    }
}

/* Runs one command as a verb. `text`: it is for reading, so that a terminal gets a pager. */
static int run(int argc, char **argv, const struct pprof_front *front, bool text)
{
    if (text)
        terminal_begin(argc, argv);
    int status = pprof_main(argc, argv, front);
    return text ? terminal_end(status) : status;
}

/* The verb `name`, in C `id`, which is the command `command`. */
#define VERB(id, name, command, operands, text)                                                    \
    static void help_##id(void)                                                                    \
    {                                                                                              \
        print_help(name);                                                                          \
    }                                                                                              \
    int cmd_##id(int argc, char **argv)                                                            \
    {                                                                                              \
        static const struct pprof_front front = {"strobe " name, command, false, operands,         \
                                                 help_##id};                                       \
        return run(argc, argv, &front, text);                                                      \
    }

VERB(callgrind, "callgrind", "callgrind", PPROF_FILES, false)
VERB(comments, "comments", "comments", PPROF_FILES, true)
VERB(diff, "diff", "diff", PPROF_BASE_FIRST, true)
VERB(disasm, "disasm", "disasm", PPROF_EXPRESSION_FIRST, true)
VERB(dot, "dot", "dot", PPROF_FILES, false)
VERB(folded, "folded", "folded", PPROF_FILES, false)
VERB(list, "list", "list", PPROF_EXPRESSION_FIRST, true)
VERB(merge, "merge", "proto", PPROF_FILES, false)
VERB(peek, "peek", "peek", PPROF_EXPRESSION_FIRST, true)
VERB(raw, "raw", "raw", PPROF_FILES, true)
VERB(svg, "svg", "svg", PPROF_FILES, false)
VERB(tags, "tags", "tags", PPROF_FILES, true)
VERB(top, "top", "top", PPROF_FILES, true)
VERB(traces, "traces", "traces", PPROF_FILES, true)
VERB(tree, "tree", "tree", PPROF_FILES, true)

/* ---- convert ---- */

static const struct {
    const char *format, *endings, *command;
} formats[] = {
    {"pprof", ".pb.gz .pprof .pb", "proto"},
    {"folded", ".folded .collapsed", "folded"},
    {"callgrind", ".callgrind .out", "callgrind"},
    {"dot", ".dot .gv", "dot"},
    {"svg", ".svg", "svg"},
    {"text", ".txt", "raw"},
};

static const char *format_of_name(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        for (const char *e = formats[i].endings; *e; e += strspn(e, " ")) {
            size_t n = strcspn(e, " ");
            if (len > n && !strncmp(path + len - n, e, n))
                return formats[i].command;
            e += n;
        }
    }
    return NULL;
}

/* The value of option `name` at argv[*i]: "-name=V", "--name=V", or the next word; else NULL. */
static const char *option_value(char **argv, int argc, int *i, const char *name)
{
    const char *arg = argv[*i];
    size_t n = strlen(name);
    if (*arg != '-')
        return NULL;
    arg += 1 + (arg[1] == '-');
    if (strncmp(arg, name, n))
        return NULL;
    if (arg[n] == '=')
        return arg + n + 1;
    return !arg[n] && *i + 1 < argc ? argv[++*i] : NULL;
}

static void help_convert(void)
{
    print_help("convert");
}

/* Takes -to out of argv, and finds the command. Returns the new argc, or 0 when an error was told
 * of. */
static int find_format(int argc, char **argv, const char **command)
{
    int kept = 1;
    const char *to = NULL;
    *command = NULL;
    for (int i = 1; i < argc; i++) {
        int at = i;
        const char *value = option_value(argv, argc, &i, "to"), *output;
        if (value) {
            to = value;
            continue;
        }
        if ((output = option_value(argv, argc, &i, "o")) ||
            (output = option_value(argv, argc, &i, "output")))
            *command = format_of_name(output);
        while (at <= i)
            argv[kept++] = argv[at++];
    }
    for (size_t i = 0; to && i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(to, formats[i].format)) {
            *command = formats[i].command;
            return kept;
        }
    if (to) {
        fprintf(stderr, "strobe convert: there is no format '%s'; see 'strobe convert -h'\n", to);
        return 0;
    }
    return kept;
}

int cmd_convert(int argc, char **argv)
{
    struct pprof_front front = {"strobe convert", NULL, false, PPROF_FILES, help_convert};
    argc = find_format(argc, argv, &front.command);
    if (!argc)
        return 2;
    bool help = argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"));
    if (!front.command && !help) {
        fputs("strobe convert: into which format? Say it with -to=FORMAT, or by the ending of -o "
              "FILE; see 'strobe convert -h'\n",
              stderr);
        return 2;
    }
    if (help) {
        help_convert();
        return 0;
    }
    return pprof_main(argc, argv, &front);
}

int cmd_pprof(int argc, char **argv)
{
    static const struct pprof_front front = {"pprof", NULL, false, PPROF_FILES, NULL};
    return pprof_main(argc, argv, &front);
}
