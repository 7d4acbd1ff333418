/* SPDX-License-Identifier: MIT
 *
 * Programs into which no library came; see follow.c. */
#ifndef RECORD_FOLLOW_H
#define RECORD_FOLLOW_H

#include "record/record.h"

/* Looks for processes of the recorded tree that execute such a program, and begins to sample them
 * from outside. To be called each time samples are read. Where that is refused, r->result says why
 * and nothing is tried again. */
void follow_look(struct recorder *r);

#endif
