/* SPDX-License-Identifier: MIT
 *
 * What `strobe record -e block` and `-e mutex` say at the end: how often and how long threads
 * waited, and how well that is known. */
#include "cli/cmd.h"
#include "record/record.h"

#include <stdio.h>
#include <string.h>

void cmd_record_print_waits(const struct record_wait_result *x, const char *path, const char *kind,
                            uint64_t rate)
{
    bool mutex = !strcmp(kind, "mutex");
    fprintf(stderr, "strobe: %s: %.3f s %s in %llu contentions; ", path, (double)x->delay_ns / 1e9,
            mutex ? "that lock holders let others wait" : "of waiting",
            (unsigned long long)x->contentions);
    if (rate == 1)
        fputs("every one recorded", stderr);
    else if (mutex)
        fprintf(stderr, "one in %llu sampled", (unsigned long long)rate);
    else
        fprintf(stderr, "one sample in %.4g \xc2\xb5s", (double)rate / 1e3);
    fprintf(stderr, ", %llu samples, %llu lost, %llu truncated\n", (unsigned long long)x->samples,
            (unsigned long long)x->lost, (unsigned long long)x->truncated);
    if (!x->samples && mutex)
        fputs("strobe: no samples: nobody waited for a lock, or too seldom "
              "(STROBE_MUTEX_FRACTION=1 sees every contention)\n",
              stderr);
    else if (!x->samples)
        fputs("strobe: no samples: threads waited little (STROBE_BLOCK_RATE=1 sees every wait, "
              "STROBE_BLOCK=sync,io system calls, too)\n",
              stderr);
}
