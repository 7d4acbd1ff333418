/* SPDX-License-Identifier: MIT
 *
 * Waits, counted by stack in a log of base/heaptab.h, of which a process has one of its own or a
 * region in the recorder's segment. A site's `size` says whose stack it is: that of who waited, or
 * of who let others wait and then let go. */
#ifndef BASE_WAITTAB_H
#define BASE_WAITTAB_H

#include "base/heaptab.h"

#define WAITTAB_BYTES (16ull << 20) /* of one process; touched as it is used */

enum waittab_profile { WAITTAB_BLOCK = 1, WAITTAB_MUTEX = 2 };

/* Counters of a site, in its `n`. What was sampled counts as what it stands for. */
enum waittab_counter {
    WAITTAB_CONTENTIONS, /* in HEAPTAB_ONEth */
    WAITTAB_DELAY_NS,
    WAITTAB_SAMPLES, /* as taken */
};

/* What is waited for. */
enum waittab_what { WAITTAB_SYNC = 1, WAITTAB_IO = 2 };

#endif
