/* SPDX-License-Identifier: MIT
 *
 * The labels of threads. A thread has one set of labels at a time, by its number in a table of sets
 * (base/labeltab.h). The number lies twice: in the thread's own memory for code that runs in it,
 * and beside its id in a table of threads for handlers and for whoever lists the threads. A process
 * that labels nothing has neither table, and pays a look at one pointer. */
#ifndef RUNTIME_LABELS_H
#define RUNTIME_LABELS_H

#include "base/labeltab.h"
#include "profile/profile.h"

/* ---- label_slots.c (signal-safe) ---- */

/* A thread that has, or had, labels. */
struct label_slot {
    _Atomic uint32_t tid; /* 0: never used; LABEL_SLOT_FREE: given back */
    _Atomic uint32_t set;
};
#define LABEL_SLOTS     16384u
#define LABEL_SLOT_FREE UINT32_MAX

/* The number of thread `tid`'s set, 0: it has none. Lock-free. */
uint32_t labels_of(uint32_t tid);
/* The same in another process's table. */
uint32_t labels_in(const struct label_slot *all, uint32_t tid);
/* The slot of a thread, taken if it has none; NULL: there are too many. For that thread only. */
struct label_slot *label_slots_take(uint32_t tid);
void label_slots_give_back(struct label_slot *s);
/* Gives the zeroed memory of the table, LABEL_SLOTS long; false: another thread was faster. */
bool label_slots_begin(struct label_slot *memory);
bool label_slots_exist(void);
/* In a forked child: other memory, zeroed and LABEL_SLOTS long, takes the place of its own. */
void label_slots_move(struct label_slot *memory);

/* ---- labels.c ---- */

/* The number of the calling thread's set, from its own memory. Not for handlers. */
uint32_t labels_here(void);
/* In a new thread: its creator's set. */
void labels_begin_thread(uint32_t set);
/* A thread that shares its creator's thread-local memory: begins with `set`, and ends. */
struct label_slot *labels_begin_raw(uint32_t tid, uint32_t set);
/* The number of a set with a label more; of `set` itself where that cannot be kept. */
uint32_t labels_extend(uint32_t set, const char *label, const char *value);
/* Makes the key whose destructor gives a thread's slot back. */
void labels_init(void);
/* Zeroed memory that the processes of a tree share: sets are kept there from now on, if there are
 * none yet. */
void labels_share(struct labeltab *t);
/* In a forked child: the table of its threads lies in this memory, zeroed and LABEL_SLOTS long,
 * from now on, so that others can read it; NULL: in its own. Before labels_forked. */
void labels_move(struct label_slot *memory);
/* In a forked child: its one thread keeps its labels. */
void labels_forked(void);
/* Sets that could not be kept. */
uint64_t labels_lost(void);
/* The text of a set, or NULL. */
const char *labels_text(uint32_t set, size_t *size);
/* Writes a set's labels, with strings of `p`, to `out`, which has room for LIMIT_LABELS more; how
 * many. */
uint32_t labels_fill(struct profile *p, uint32_t set, struct profile_label *out);

#endif
