/* SPDX-License-Identifier: MIT
 *
 * The table of verbs: one row each, in the order `strobe help` shows them. The function lives in
 * cmd_NAME.c. */
#include "cli/cli.h"
#include "cli/cmd.h"

#include <stddef.h>

const struct cli_verb cli_verbs[] = {
    {"record", "Make profiles", "Run a program, or watch one, and write its CPU profile",
     cmd_record, "strobe-record"},
    {"top", "Read profiles", "Print the hottest functions", cmd_top, "strobe-top"},
    {"list", "Read profiles", "Print source with samples by line", cmd_list, "strobe-list"},
    {"peek", "Read profiles", "Print callers and callees of functions", cmd_peek, "strobe-peek"},
    {"tree", "Read profiles", "Print the call graph as text", cmd_tree, "strobe-tree"},
    {"traces", "Read profiles", "Print every sample with its stack", cmd_traces, "strobe-traces"},
    {"tags", "Read profiles", "Print the labels of samples", cmd_tags, "strobe-tags"},
    {"comments", "Read profiles", "Print what a profile says about itself", cmd_comments,
     "strobe-comments"},
    {"diff", "Read profiles", "Say what changed between two profiles", cmd_diff, "strobe-diff"},
    {"web", "Read profiles", "Show profiles in the browser", cmd_web, "strobe-web"},
    {"dot", "Read profiles", "Print the call graph for graphviz", cmd_dot, "strobe-dot"},
    {"svg", "Read profiles", "Draw the call graph", cmd_svg, "strobe-svg"},
    {"disasm", "Read profiles", "Print machine code with samples", cmd_disasm, "strobe-disasm"},
    {"merge", "Read profiles", "Add profiles up into one", cmd_merge, "strobe-merge"},
    {"convert", "Read profiles", "Write a profile in another format", cmd_convert,
     "strobe-convert"},
    {"folded", "Read profiles", "Print stacks for flame graph tools", cmd_folded, "strobe-folded"},
    {"callgrind", "Read profiles", "Write the call graph for KCachegrind", cmd_callgrind,
     "strobe-callgrind"},
    {"raw", "Read profiles", "Print a profile as text, as it is", cmd_raw, "strobe-raw"},
    {"pprof", "Read profiles", "Do what pprof does, with its options", cmd_pprof, "strobe-pprof"},
    {"serve", "Keep profiles", "Keep profiles over time, scrape and show them", cmd_serve,
     "strobe-serve"},
    {"push", "Keep profiles", "Send profiles to a server", cmd_push, "strobe-push"},
    {"suite", "Measure", "Run real programs and keep their profiles", cmd_suite, "strobe-suite"},
    {"complete", "About strobe", "Print completions for a shell", cmd_complete, "strobe"},
    {"version", "About strobe", "Print the version", cmd_version, "strobe"},
    {NULL, NULL, NULL, NULL, NULL},
};
