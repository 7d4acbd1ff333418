/* SPDX-License-Identifier: MIT
 *
 * What chaos loads and unloads, built twice: the same code of the same length, so that the two come
 * to lie at the same addresses, under names of their own, and with objects of SIZE bytes each. */
#include "stress.h"

#include <string.h>

#define NAMED2(name, of) of##_##name
#define NAMED1(name, of) NAMED2(name, of)
#define NAMED(name)      NAMED1(name, NAME)

void plugin_run(uint64_t rounds);

KEEP static void *NAMED(allocate)(size_t n)
{
    void *p = malloc(n);
    stress_sink++;
    return p;
}

KEEP static void NAMED(burn)(uint64_t rounds)
{
    stress_sink += burn_rounds(rounds);
    stress_sink++;
}

void plugin_run(uint64_t rounds)
{
    free(NAMED(allocate)(SIZE));
    NAMED(burn)(rounds);
}
