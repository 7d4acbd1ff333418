/* SPDX-License-Identifier: MIT
 *
 * Work in equal parts, each in a thread of its own, for the tool: libstrobe starts no thread for
 * it. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

enum { PARALLEL_MAX = 8 };

/* How many processors this process may run on, PARALLEL_MAX at most. */
unsigned parallel_ways(void);

/* Calls work(context, 0) … work(context, parts - 1) and returns when all have; the caller's thread
 * does one part, and those that no thread can be had for. parts <= PARALLEL_MAX. */
void parallel_run(void (*work)(void *context, unsigned part), void *context, unsigned parts);

#endif
