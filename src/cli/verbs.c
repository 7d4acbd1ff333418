/* SPDX-License-Identifier: MIT
 *
 * The table of verbs: one row each, in the order `strobe help` shows them. The function lives in
 * cmd_NAME.c. */
#include "cli/cli.h"
#include "cli/cmd.h"

#include <stddef.h>

const struct cli_verb cli_verbs[] = {
    {"record", "Make profiles", "Run a program and write its CPU profile", cmd_record,
     "strobe-record"},
    {"top", "Read profiles", "Print the hottest functions", cmd_top, "strobe-top"},
    {"traces", "Read profiles", "Print every sample with its stack", cmd_traces, "strobe-traces"},
    {"folded", "Read profiles", "Print stacks for flame graph tools", cmd_folded, "strobe-folded"},
    {"raw", "Read profiles", "Print a profile as text, as it is", cmd_raw, "strobe-raw"},
    {"web", "Read profiles", "Show profiles in the browser", cmd_web, "strobe-web"},
    {"pprof", "Read profiles", "Do what pprof does, with its options", cmd_pprof, "strobe-pprof"},
    {"serve", "Keep profiles", "Keep profiles over time, scrape and show them", cmd_serve,
     "strobe-serve"},
    {"push", "Keep profiles", "Send profiles to a server", cmd_push, "strobe-push"},
    {"suite", "Measure", "Run real programs and keep their profiles", cmd_suite, "strobe-suite"},
    {"version", "About strobe", "Print the version", cmd_version, "strobe"},
    {NULL, NULL, NULL, NULL, NULL},
};
