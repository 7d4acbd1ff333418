/* SPDX-License-Identifier: MIT
 *
 * `strobe web`: pprof's page with a friendlier front. It is pprof's -http (pprof/serve.c) with all
 * its options, on a free port unless one is named. */
#include "cli/cmd.h"
#include "pprof/pprof.h"

#include <stdio.h>

static const char usage[] =
    "usage: strobe web [OPTION...] FILE...\n"
    "\n"
    "Shows where a program spends its time, as a flame graph, a call graph, tables and source, in\n"
    "the browser. Several files are merged; \"-\" is standard input. Ends on Ctrl-C.\n"
    "\n"
    "  -http=HOST:PORT           listen there instead of on a free port of this machine\n"
    "  -no_browser               only print the address\n"
    "  -export=FILE              save the page as one file that works without strobe, and end\n"
    "  -diff_base=FILE, -base=FILE, -normalize\n"
    "                            what changed since another profile; less another one\n"
    "  -source_path=DIRS, -trim_path=PREFIXES\n"
    "                            where the source is\n"
    "  -focus=RE, -sample_index=TYPE ...\n"
    "                            what the page begins with: all options of 'strobe top'\n"
    "\n"
    "The manual: man strobe-web; all options: strobe pprof -h.\n";

static void print_help(void)
{
    fputs(usage, stdout);
}

int cmd_web(int argc, char **argv)
{
    static const struct pprof_front front = {"strobe web", NULL, true, PPROF_FILES, print_help};
    return pprof_main(argc, argv, &front);
}
