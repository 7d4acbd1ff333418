/* SPDX-License-Identifier: MIT */
#include "cli/cmd.h"
void cmd_record_print_top(struct profile *p)
{
    (void)p;
}
