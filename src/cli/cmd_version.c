/* SPDX-License-Identifier: MIT
 *
 * `strobe version`: the version this binary was built from, nothing else, so that scripts can cut
 * it. */
#include "cli/cmd.h"
#include "strobe/version.h"

#include <stdio.h>

int cmd_version(int argc, char **argv)
{
    puts("strobe " STROBE_VERSION);
    return 0;
}
