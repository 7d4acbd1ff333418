/* SPDX-License-Identifier: MIT
 *
 * Why the kernel does not let this user sample a thread, and the command that would change it; see
 * perf_refusal.c. */
#ifndef RECORD_PERF_REFUSAL_H
#define RECORD_PERF_REFUSAL_H

#include "base/err.h"

#include <sys/types.h>

/* Makes the sentence for perf_event_open's (or the ring's) error `code` on the thread `tid`;
 * returns the code. */
int perf_refusal(pid_t tid, int code, struct err *e);

#endif
