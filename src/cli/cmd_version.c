/* SPDX-License-Identifier: MIT
 *
 * `strobe version`: the version this binary was built from, nothing else, so that scripts can cut
 * it. */
#include "cli/cmd.h"
#include "cli/refuse.h"
#include "strobe/version.h"

#include <stdio.h>
#include <string.h>

int cmd_version(int argc, char **argv)
{
    if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
        puts("usage: strobe version\n\nPrints the version.");
        return 0;
    }
    if (argc > 1)
        return cli_refuse("version", "there is nothing to say to '%s'", argv[1]);
    puts("strobe " STROBE_VERSION);
    return 0;
}
