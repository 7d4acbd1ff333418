/* SPDX-License-Identifier: MIT
 *
 * The processes behind one STROBE_HTTP: see tree.c. */
#ifndef RUNTIME_TREE_H
#define RUNTIME_TREE_H

#include "profile/build.h"
#include "runtime/runtime.h"

/* The process that serves makes it; what cannot be made is not there, and nothing else changes. */
void tree_create(const struct strobe_config *c);
/* In a forked child that takes no CPU profile of its own: it joins. */
void tree_join(void);
/* A sandbox begins, which children inherit: what joining needs may be forbidden there. */
void tree_shut(void);
/* A child's program starts a CPU profile of its own, or the child serves from now on. */
void tree_leave(void);

/* ---- the side that answers ---- */

/* Opens the gate: from now on the others count. `pid` 0: all, else only that process. */
void tree_begin_profile(uint32_t pid);
/* Whether it is open. */
bool tree_is_asked(void);
/* Whether a process is in the tree, or is the one that serves. */
bool tree_has(uint32_t pid);
bool tree_wants(uint32_t pid);
/* The program's own mapping, where only a child has met it. */
void tree_program(struct profile_build *b);
/* Closes the gate, and adds what the others have counted since, each sample with its label. */
void tree_end_profile(struct profile_build *b);
/* The label `pid`; `out` has room for one. */
void tree_label(struct profile_build *b, uint32_t pid, struct profile_label *out);

#endif
