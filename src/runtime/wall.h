/* SPDX-License-Identifier: MIT
 *
 * Wall time: what threads do all the time, running or not. Time on a processor is the CPU
 * profile's; what is here is the rest. A thread that is blocked is found so by wall_sampler.c,
 * which runs in a process of its own that has the program's memory and nothing else of it: no
 * thread is added to the program, no signal sent to it, and what it forbids itself (seccomp,
 * chroot, another user) does not end the looking. A thread that waits for a processor is told so by
 * the scheduler's figures; its next sample of CPU time weighs that as well (runtime_sample_ready).
 *
 *   wall time of a thread = CPU time + blocked + ready, each measured by the kernel; the stacks are
 *   those of the looks, at a random instant of each period.
 *
 * Times here are nanoseconds: a wall sample of the table, or of a recorder, weighs its time. */
#ifndef RUNTIME_WALL_H
#define RUNTIME_WALL_H

#include "runtime/runtime.h"
#include "runtime/thread_look.h"
#include "runtime/tree.h"

struct label_slot;

/* A process whose threads are looked at. */
struct wall_place {
    int dir; /* its folder of threads in /proc; -1: there is none */
    uint32_t pid;
    uint32_t epoch; /* of what is found there; 0: that of rt, as it is this process */
    uint32_t threads;
    uint32_t truncated;              /* stacks that did not reach a root, so far */
    struct unwind_cache *cache;      /* NULL: this process's own */
    const struct label_slot *labels; /* of its threads; NULL: this process's own, or none */
};

/* What the program and the process that looks have together. */
struct wall {
    struct stacktab table;              /* first: begins at a page */
    uint64_t emitted[STACKTAB_ENTRIES]; /* of weights: what the recorder has been told */
    uint16_t dirty[STACKTAB_ENTRIES];   /* numbers of entries with more, */
    uint8_t is_dirty[STACKTAB_ENTRIES]; /* each once */
    uint32_t dirty_count;
    void (*refresh)(struct wall_place *places); /* before each listing, or NULL: wall_others.c */
    uint32_t pid;                               /* of the program */
    uint64_t period_ns;       /* between two looks at one thread, if they are not too many */
    uint64_t began_ns;        /* CLOCK_MONOTONIC */
    _Atomic uint32_t alive;   /* the process that looks; 0: it has ended */
    _Atomic uint32_t command; /* enum wall_command; it waits for it */
    _Atomic uint32_t ender;   /* the thread that waits for its end */
    /* How good it is. */
    _Atomic uint32_t stride;        /* a thread is looked at once in so many periods, on average */
    _Atomic uint32_t blind;         /* the kernel does not say where blocked threads are */
    _Atomic uint64_t looks, own_ns; /* CPU time of its own */
    _Atomic uint64_t truncated_ns, lost_ns, unseen_ns;
    struct thread_look look;
    unsigned char copy[THREAD_LOOK_COPY];
};

enum wall_command { WALL_GO_ON, WALL_END, WALL_CATCH_UP };

/* struct wall's blind, and shm_process's wall_blind. */
enum { WALL_SEES, WALL_NO_SYSCALL, WALL_NO_PROC, WALL_ALONE /* there is nobody who looks */ };

extern struct wall *wall; /* NULL: wall time was never sampled */

/* ---- wall.c: in the program ---- */
/* Begins to look at the threads, every rt.period_ns. CPU time is sampled already. 0; -EPERM: a
 * sandbox forbids it; -EALREADY; -ENOMEM; or what clone(2) says. */
int wall_start(void);
/* Looks once more, and ends. What was found stays. */
void wall_stop(void);
/* The program waits for children of every kind (__WALL), of which the sampler is one: it ends, and
 * that is said. */
void wall_give_way(void);
/* Has what is owed so far booked; it goes on. Waits some milliseconds at most. */
void wall_catch_up(void);
bool wall_is_on(void);
/* In a forked child; `goes_on`: its wall time is wanted as well. */
void wall_forked(bool goes_on);
/* Around execve. */
void wall_exec(bool begins);
/* A sandbox begins that denies these; enum runtime_need. */
void wall_sandboxed(uint32_t denied);

/* ---- wall_sampler.c: in the process that looks ---- */
/* Its main function; `wall` is set. */
int wall_run(void *unused);
/* Looks at all of these until w->command says that it is enough. w->period_ns, began_ns and pid are
 * set. */
void wall_look_at(struct wall *w, struct wall_place *places, uint32_t count);
/* Whether the threads of other processes are looked at as well: the cost is shared. */
extern _Atomic uint32_t wall_others_look;

/* ---- wall_others.c: the threads of the tree's other processes ---- */
/* Begins to look at them, if there are any, or may be. Counted. For one thread, which answers. */
void wall_others_start(void);
void wall_others_stop(void);
void wall_others_catch_up(void);
/* Their weights so far, of STACKTAB_ENTRIES. */
void wall_others_take_base(uint64_t *to);
/* Adds what came since, of one process or, `only` 0, of all. */
void wall_others_add(struct profile_build *b, const uint64_t *before, uint32_t only);

/* ---- wall_profile.c ---- */
/* Weights of the tables at one moment; the profile is what came since. */
struct wall_base {
    uint64_t cpu[STACKTAB_ENTRIES], blocked[STACKTAB_ENTRIES], others[STACKTAB_ENTRIES];
    struct tree_cpu_view tree;
    uint32_t only_pid; /* of one process of the tree; 0: of all */
    bool has_company;  /* the CPU profile was taken meanwhile */
    uint64_t time_ns;  /* wall clock */
    uint64_t mono_ns;
};
/* `only`: that process of the tree, or 0. */
void wall_take_base(struct wall_base *to, uint32_t only);
/* Ends what it has begun. */
void wall_drop_base(struct wall_base *base);
/* Writes what there is since `base` (NULL: since the start). 0, -ENOMEM or -EIO. */
int wall_write(const struct wall_base *base, strobe_write_fn write, void *ctx);
/* Adds the label `state`, unless it is there already: those that are blocked in a call have it. */
void wall_label_state(struct profile_build *b, struct profile_build_sample *s,
                      struct profile_label *labels, const char *state);
/* How many stacks there are. */
uint64_t wall_count(void);

#endif
