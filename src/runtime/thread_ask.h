/* SPDX-License-Identifier: MIT
 *
 * Asks a running thread for its stack; see thread_ask.c. */
#ifndef RUNTIME_THREAD_ASK_H
#define RUNTIME_THREAD_ASK_H

#include "runtime/runtime.h"

/* Our handler is installed, and the map of stacks is made. One at a time, not in handlers. Fills
 * `to` (room for LIMIT_STACK_DEPTH frames); false: the thread did not run for a while. */
bool thread_ask(uint32_t tid, struct unwind_trace *to);
/* In the handler: whether this signal asks, and then the thread has answered. */
bool thread_answer(const siginfo_t *si, const void *context);

#endif
