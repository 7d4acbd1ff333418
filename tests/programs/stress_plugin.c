/* SPDX-License-Identifier: MIT
 *
 * What stress_code loads and unloads: a function that burns, under a name of its own. */
#include "stress.h"

void plugin_burn(uint64_t rounds);

void plugin_burn(uint64_t rounds)
{
    stress_sink += burn_rounds(rounds);
}
