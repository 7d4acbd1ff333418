/* SPDX-License-Identifier: MIT
 *
 * The verbs that print a report, and `strobe pprof`: all one driver (pprof/pprof.h) under different
 * names. A short verb takes the same options as pprof, before or behind the files, and differs in
 * its help and in how it says what is wrong. */
#include "cli/cmd.h"
#include "pprof/pprof.h"

#include <stdio.h>

static const char common_options[] =
    "\n"
    "Several files are merged. \"-\" is standard input.\n"
    "\n"
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
    "  -output=FILE              into a file\n";

static const char top_options[] = "how much of it:\n"
                                  "  -nodecount=N              so many rows\n"
                                  "  -cum, -flat               sorted by cumulative, own value\n"
                                  "  -nodefraction=F, -trim=false\n"
                                  "                            rows below F of the total are left "
                                  "out (0.005); none\n"
                                  "  -relative_percentages, -compact_labels, -drop_negative\n";

static void print_help(const char *verb, const char *does, const char *more)
{
    printf("usage: strobe %s [OPTION...] FILE...\n\n%s\n%s%s\n"
           "The manual: man strobe-%s; all options: strobe pprof -h.\n",
           verb, does, common_options, more, verb);
}

static void help_top(void)
{
    print_help("top", "Prints the functions with the most samples.", top_options);
}

static void help_traces(void)
{
    print_help("traces", "Prints every sample with its labels and its stack.", "");
}

static void help_raw(void)
{
    print_help("raw", "Prints the profile as text, as it is.", "");
}

static void help_folded(void)
{
    print_help("folded", "Prints a line a stack, \"root;...;leaf VALUE\", for flame graph tools.",
               "");
}

int cmd_top(int argc, char **argv)
{
    static const struct pprof_front front = {"strobe top", "top", true, help_top};
    return pprof_main(argc, argv, &front);
}

int cmd_traces(int argc, char **argv)
{
    static const struct pprof_front front = {"strobe traces", "traces", true, help_traces};
    return pprof_main(argc, argv, &front);
}

int cmd_raw(int argc, char **argv)
{
    static const struct pprof_front front = {"strobe raw", "raw", true, help_raw};
    return pprof_main(argc, argv, &front);
}

int cmd_folded(int argc, char **argv)
{
    static const struct pprof_front front = {"strobe folded", "folded", true, help_folded};
    return pprof_main(argc, argv, &front);
}

int cmd_pprof(int argc, char **argv)
{
    static const struct pprof_front front = {"pprof", NULL, false, NULL};
    return pprof_main(argc, argv, &front);
}
