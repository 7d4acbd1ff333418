/* SPDX-License-Identifier: MIT
 *
 * What the handlers of a tree's processes look at: see tree.c. Handler-safe. */
#ifndef RUNTIME_TREE_GATE_H
#define RUNTIME_TREE_GATE_H

#include "runtime/runtime.h"

/* In the segment, for all. */
struct tree_gate {
    _Atomic uint32_t counts; /* who wants CPU time to be counted */
    _Atomic uint32_t turn;   /* not 0: running threads are asked for their stack, once in a turn */
    _Atomic uint64_t opened_ns; /* CLOCK_BOOTTIME: when somebody wanted that last */
    uint64_t period_ns;
    struct taskclock clock;
};

/* A running thread's stack, written by its handler. */
struct tree_answer {
    _Atomic uint32_t turn; /* that it answers; 0: it is being written */
    uint32_t tid, depth, epoch, flags;
    uint64_t pcs[LIMIT_STACK_DEPTH];
};

enum { TREE_ANSWERS = 64 };

/* In a process's slot. */
struct tree_answers {
    _Atomic uint32_t turn;  /* the last one that was answered: */
    _Atomic uint32_t count; /* so many times */
    struct tree_answer list[TREE_ANSWERS];
};

#endif
