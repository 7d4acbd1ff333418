/* SPDX-License-Identifier: MIT
 *
 * The sources of the profiles goroutine (threads) and threadcreate; see http_threads.c. */
#ifndef RUNTIME_THREAD_COUNTS_H
#define RUNTIME_THREAD_COUNTS_H

#include "runtime/count_list.h"

/* count_take_fn: where the threads of this process are, and, if `what` points to a number, those of
 * the others of the tree: 0 for all, or a pid. */
int thread_counts_take(const void *what, struct arena *arena, struct count_list *out);
/* count_take_fn, likewise: who made threads; empty where that is not counted. */
int thread_creations_take(const void *what, struct arena *arena, struct count_list *out);

#endif
