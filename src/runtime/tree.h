/* SPDX-License-Identifier: MIT
 *
 * The processes behind one STROBE_HTTP: see tree.c for the segment that they share, tree_cpu.c for
 * the CPU profile of them, tree_threads.c for their threads. */
#ifndef RUNTIME_TREE_H
#define RUNTIME_TREE_H

#include "base/heaptab.h"
#include "profile/build.h"
#include "runtime/runtime.h"
#include "runtime/tree_gate.h"

/* Of one tree, at once; and one more, for those that are gone. */
enum { TREE_SLOTS = 128, TREE_PLACES };
/* Their number: the label `pid` says "ended". */
#define TREE_ENDED UINT32_MAX

/* ---- tree.c: members ---- */

/* The process that serves makes it; what cannot be made is not there, and nothing else changes. */
void tree_create(const struct strobe_config *c);
/* It cannot serve: the segment goes. */
void tree_drop(void);
/* A program that a process of the tree has become, or started, at its start: takes a slot in the
 * segment c->tree if that is of the same address. */
void tree_attach(const struct strobe_config *c);
/* The segment's descriptor, or -1. */
int tree_descriptor(void);
/* In a forked child, before its tables are made anew: it takes a slot, if there is one. */
void tree_enter(void);
/* And then, where it takes no CPU profile of its own: it counts CPU time there. */
void tree_join(void);
/* Whether this process has a slot. */
bool tree_is_member(void);
/* Whether something lies in the segment: in a forked child it is its parent's. */
bool tree_is_shared(const void *p);
/* A sandbox begins, which children inherit: what joining needs may be forbidden there. */
void tree_shut(void);
/* A child's program starts a CPU profile of its own, or the child serves from now on. */
void tree_leave(void);
/* The process ends, or is about to become another program (`exec`; false again: it did not). */
void tree_end(void);
void tree_exec(bool begins);
/* Memory of this process's slot, zeroed when it was taken: for its logs of the heap and of waits
 * and the stacks that made threads; NULL: it has no slot. */
void *tree_heap_log(uint64_t *bytes);
void *tree_waits_log(uint64_t *bytes);
struct stacktab *tree_creations(void);

/* ---- tree_heir.c ---- */

/* What is known of who serves, in the segment. */
struct tree_server {
    _Atomic uint32_t pid;
    _Atomic uint32_t thread;   /* that serves; the kernel sets FUTEX_OWNER_DIED in it at its end */
    _Atomic uint64_t since_ns; /* CLOCK_MONOTONIC */
    _Atomic uint64_t again_ns; /* before that nobody tries to take the address: it was in vain */
    uint32_t session;          /* of the first one */
    char address[RUNTIME_PATH];
    char note[64]; /* for programs that are started: where the segment is, and `session` */
};

struct tree_server *tree_server(void);
/* A program is about to be started: it is told who serves now. Safe after vfork. */
void tree_note(void);
/* The calling thread serves from now on. */
void tree_served(void);
/* Whether the calling process should be ready to serve in the server's place, as it is on its way
 * to be a daemon: then it gets a thread. `at_start`: of a program. */
void tree_consider_heir(bool at_start);
/* A sleep of this process is about to begin, and the server's thread has ended (waits.h). */
void tree_take_over(void);
/* The address was not to be had: others may try, later on. */
void tree_not_served(void);
/* Waits for the end of the process that serves. True: it is gone (or not known), and the caller is
 * to serve. False: it lives on, or another one serves, or `*stops`. */
bool tree_wait_for_server(const _Atomic bool *stops);

/* ---- tree.c: the side that answers ---- */

/* Another process, as its slot has it. Nothing in that memory can be trusted: indexes and lengths
 * are to be checked. */
struct tree_process {
    uint32_t pid, slot, generation;
    const struct module *modules; /* RUNTIME_MODULES */
    const struct heaptab *heap, *waits;
    uint64_t heap_bytes, waits_bytes;
    const struct stacktab *cpu, *creations;
    struct tree_answers *answers;
    const struct label_slot *label_slots;
    bool has_ended; /* what it has counted is final, and what it kept is gone */
};

/* The next of the other processes that live: those of one tree, or, `only` not 0, that one. `*at`
 * begins with 0. */
bool tree_next(struct tree_process *p, uint32_t only, uint32_t *at);
/* The same with those that have ended, as far as their slots are as they left them, and at last, if
 * `only` is 0, the sum of all others (TREE_ENDED, the slot behind the last). For what only grows.
 */
bool tree_next_ever(struct tree_process *p, uint32_t only, uint32_t *at);
/* How many are in the sum. */
uint32_t tree_count_buried(void);
/* Whether any process is or was there. */
bool tree_had_others(void);
/* From now until the end, once for each begin, differences are taken: those that had counted
 * before, and end and are added to the sum meanwhile, are counted, as they are in it in full. */
void tree_begin_delta(void);
/* The process in a slot, living or not; false: there never was one. */
bool tree_at(struct tree_process *p, uint32_t slot);
/* Of the process in a slot, or of the one that will be; and whether another process lives there. */
uint32_t tree_generation(uint32_t slot);
bool tree_lives(uint32_t slot);
/* How many other processes live. */
uint32_t tree_count(void);
/* Whether a process is in the tree and lives, or is this one. */
bool tree_has(uint32_t pid);
/* Whether this process's own samples are wanted of those of `only`. */
static inline bool tree_wants_self(uint32_t only)
{
    return !only || only == rt.pid;
}
/* Says in a profile which processes are not in it. */
void tree_say_missing(struct profile_build *b);
/* The label `pid`; `out` has room for one. */
void tree_label(struct profile_build *b, uint32_t pid, struct profile_label *out);

/* ---- tree_sums.c ---- */

/* Of the other processes. */
struct tree_sums {
    uint64_t processes, ended, threads;
    uint64_t heap_sites, heap_lost, heap_truncated, heap_live_bytes; /* by their weights */
    uint64_t block_stacks, mutex_stacks, waits_lost, waits_truncated;
    uint64_t creations;    /* threads that were made */
    uint64_t memory_bytes; /* of what they have written to the segment */
};
void tree_sum(struct tree_sums *to);

/* ---- tree_dead.c: those that are gone ---- */

enum { TREE_DEAD_INDEX = 16384 };

/* In the segment. */
struct tree_dead {
    _Atomic uint32_t lock;      /* the process that holds it */
    _Atomic uint32_t processes; /* in the sum */
    _Atomic uint32_t cut;       /* of them: not with all that they had */
    _Atomic uint32_t skipped;   /* that are not in it, as others were adding theirs */
    _Atomic uint64_t delta_ns;  /* CLOCK_BOOTTIME: of the last begin of a difference */
    _Atomic uint32_t old;       /* that had joined before that, and were added after */
    uint32_t heap_index[TREE_DEAD_INDEX], waits_index[TREE_DEAD_INDEX];
};

/* What they are added to. */
struct tree_grave {
    struct module *modules; /* RUNTIME_MODULES */
    struct heaptab *heap, *waits;
    uint64_t heap_bytes, waits_bytes;
    struct stacktab *cpu, *creations;
};

/* False: it is not to be had soon. */
bool tree_dead_lock(struct tree_dead *d);
void tree_dead_unlock(struct tree_dead *d);
/* Under the lock: adds what a process had counted that is gone. */
void tree_bury(struct tree_dead *d, const struct tree_process *from, const struct tree_grave *to,
               bool with_cpu);

/* ---- tree_cpu.c ---- */

/* The CPU time of the others from one moment on. Several may be open at once. */
struct tree_cpu_view {
    bool is_open;
    uint32_t opened_by; /* a forked child has a copy that is not its own */
    uint32_t only_pid;  /* 0: all */
    uint32_t generation[TREE_PLACES];
    uint64_t *weights[TREE_PLACES]; /* at the begin; NULL: none */
};
/* Opens the gate: from now on the others count. `pid` 0: all, else only that process. */
void tree_cpu_open(struct tree_cpu_view *v, uint32_t pid);
/* Adds what they have counted since, each sample with its label, and, not NULL, `state`. */
void tree_cpu_add(const struct tree_cpu_view *v, struct profile_build *b, const char *state);
void tree_cpu_close(struct tree_cpu_view *v);
/* The program's own mapping, where only a child has met it. */
void tree_program(struct profile_build *b);

/* The same for the one CPU profile that is taken over HTTP. */
void tree_begin_profile(uint32_t pid);
void tree_add_profile(struct profile_build *b);
void tree_end_profile(void);
/* Whether one is taken, and whether it is of that process, too. */
bool tree_is_asked(void);
bool tree_wants(uint32_t pid);

/* Of this tree, or NULL. */
extern struct tree_gate *tree_gate;

#endif
