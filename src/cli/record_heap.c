/* SPDX-License-Identifier: MIT
 *
 * What `strobe record -e heap` says at the end: how much was allocated and how much of that was
 * short-lived, the peak, what was still in use, and where the memory that was resident went. */
#include "cli/cmd.h"
#include "record/record.h"

#include <stdio.h>

/* "12.3 MiB"; two of these may stand in one call. */
static const char *amount(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    static char texts[8][32];
    static int next;
    int unit = 0;
    for (; unit < 4 && bytes >= 1024; unit++)
        bytes /= 1024;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* resident = live + fragmentation + libstrobe + everything else that is mapped. */
static void print_resident(const struct record_heap_result *x)
{
    double free_bytes = x->held_bytes > x->live_bytes ? (double)(x->held_bytes - x->live_bytes) : 0;
    double other = (double)x->rss_bytes - (double)x->live_bytes - free_bytes - (double)x->own_bytes;
    fprintf(stderr,
            "strobe: resident at the end%s %s = %s live + %s free in the allocator + %s libstrobe",
            x->processes > 1 ? " (sum of all processes)" : "", amount((double)x->rss_bytes),
            amount((double)x->live_bytes), amount(free_bytes), amount((double)x->own_bytes));
    if (other >= 0)
        fprintf(stderr, " + %s other mappings\n", amount(other));
    else /* what was got from the system and never touched is not resident */
        fprintf(stderr, " + other mappings - %s never touched\n", amount(-other));
}

void cmd_record_print_heap(const struct record_heap_result *x, const char *path, uint64_t rate)
{
    fprintf(stderr, "strobe: %s: %s in %llu objects allocated, %.0f %% of them temporary; ", path,
            amount((double)x->alloc_bytes), (unsigned long long)x->alloc_objects,
            percent(x->temporary_objects, x->alloc_objects));
    if (rate == 1)
        fputs("every one recorded", stderr);
    else
        fprintf(stderr, "one sample in %s", amount((double)rate));
    fprintf(stderr, ", %llu lost, %llu truncated\n", (unsigned long long)x->lost,
            (unsigned long long)x->truncated);
    fprintf(stderr, "strobe: peak %s; %s in %llu objects not freed at the end\n",
            amount((double)x->peak_bytes), amount((double)x->inuse_bytes),
            (unsigned long long)x->inuse_objects);
    if (x->processes)
        print_resident(x);
    if (!x->alloc_objects)
        fputs("strobe: no samples: the program allocated little (STROBE_HEAP_RATE=1 sees every "
              "allocation), or it brings its own malloc\n",
              stderr);
}
