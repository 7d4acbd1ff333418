/* SPDX-License-Identifier: MIT
 *
 * The stacks of all threads of this process, taken without stopping one; see thread_dump.c. */
#ifndef RUNTIME_THREAD_DUMP_H
#define RUNTIME_THREAD_DUMP_H

#include "base/arena.h"
#include "runtime/runtime.h"

struct thread_dump {
    uint32_t tid;
    char name[16];
    bool running;        /* on a processor, or ready for one */
    const char *waiting; /* the system call it is blocked in, or another word */
    uint64_t waited_ns;  /* for how long, about; 0: it is not known, or was not asked for */
    uint32_t flags;      /* enum shm_sample_flags; with TRUNCATED there may be no frame at all */
    uint32_t labels;     /* the number of its set: labels.h */
    uint32_t depth, epoch;
    uint64_t *pcs; /* leaf first, in the arena */
    uint32_t pid;  /* of another process, or of this one among others; 0: there are no others */
    const struct module *modules; /* of another process; NULL: this one's */
};

struct thread_dumps {
    bool with_waits;          /* the caller's: waited_ns is wanted, */
    bool of_tree;             /* so are the threads of the tree's other processes, or, */
    uint32_t pid;             /* not 0, of that process alone */
    struct thread_dump *list; /* by tid, in the arena */
    uint32_t count;
    uint32_t truncated; /* of them: stacks that were not found, or not to their root */
    uint32_t missing;   /* processes that could not be looked into, */
    const char *says;   /* and why, or NULL */
};

struct foreign;

/* Takes them into `d`, which is zeroed but for what the caller wants; the calling thread, if it is
 * the server's, is not among them. 0 or -ENOMEM. */
int thread_dumps_take(struct thread_dumps *d, struct arena *arena);
/* thread_dump.c for thread_others.c: appends the threads of another process, those that run without
 * their stack. 0, -ENOMEM, or -ETIME: that would take longer than until `deadline_ns`. */
int thread_dumps_take_foreign(struct thread_dumps *d, const struct foreign *f, struct arena *arena,
                              uint64_t deadline_ns);
/* thread_others.c: appends those of the tree's other processes. 0 or -ENOMEM. */
int thread_dumps_take_others(struct thread_dumps *d, struct arena *arena);
/* How many threads there are. */
uint64_t thread_dumps_count(void);

#endif
