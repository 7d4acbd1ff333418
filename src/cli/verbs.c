/* SPDX-License-Identifier: MIT
 *
 * The table of verbs: one row each, in the order `strobe help` shows them. The function lives in
 * cmd_NAME.c. */
#include "cli/cli.h"
#include "cli/cmd.h"

#include <stddef.h>

const struct cli_verb cli_verbs[] = {
    {"record", "Make profiles", "Run a program and write its CPU profile", cmd_record, "strobe-record"},
    {"web", "Read profiles", "Show profiles in the browser", cmd_web, "strobe-web"},
    {"version", "About strobe", "Print the version", cmd_version, "strobe"},
    {NULL, NULL, NULL, NULL, NULL},
};
