/* SPDX-License-Identifier: MIT
 *
 * What `strobe record -e threads` and `-e threadcreate` get from inside; see thread_record.c. */
#ifndef RUNTIME_THREAD_RECORD_H
#define RUNTIME_THREAD_RECORD_H

#include <stdbool.h>

/* Whether the recorder wants to know who makes threads. */
bool thread_record_wants_creations(void);
/* A thread was made by the caller of our interposer. */
void thread_record_creation(const void *caller);
/* At the process's end, or before a sandbox begins: where its threads are. Once; does nothing where
 * nobody wants to know. */
void thread_record_end(void);

#endif
