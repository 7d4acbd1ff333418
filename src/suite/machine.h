/* SPDX-License-Identifier: MIT
 *
 * A short look at the machine before anything is measured: what would bend the numbers. */
#ifndef SUITE_MACHINE_H
#define SUITE_MACHINE_H

#include "base/buf.h"

#include <stdbool.h>

struct suite_machine {
    int cpus;
    double busy;       /* share of all CPUs' time in use just now by others; < 0: not known */
    char governor[32]; /* of the frequency; "" where the system does not say */
    bool is_virtual;
    char cpu[96];    /* the model */
    char kernel[96]; /* release */
};

/* Takes a quarter of a second, to see whether the machine is idle. */
void suite_look_at_machine(struct suite_machine *m);
/* A sentence for each thing that bends the numbers, each a line that begins with `prefix`. */
void suite_machine_warnings(const struct suite_machine *m, const char *prefix, struct buf *out);

#endif
