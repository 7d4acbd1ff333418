/* SPDX-License-Identifier: MIT
 *
 * perf_event from outside: the event, opened for every thread of a target on every processor, and
 * the rings that it writes, one a processor, read in the order of time.
 *
 * The event is the software task clock, which every kernel and virtual machine has: an hrtimer that
 * runs while the thread does. It is inherited by new threads and by children; the kernel then wants
 * one event for each thread and processor. A sample carries the user's registers and the top of its
 * stack, to be unwound here, the kernel's frames where that is allowed, and the frame pointer chain
 * as the kernel walks it. Nothing is ever stopped or signalled. */
#ifndef RECORD_PERF_OPEN_H
#define RECORD_PERF_OPEN_H

#include "base/err.h"
#include "record/perf_record.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct perf_ring {
    int fd; /* the event that owns it, -1: processor is not there */
    uint32_t cpu;
    uint8_t *head; /* the mapped pages: the first is the kernel's control page */
    uint64_t tail; /* how far it was read */
    uint64_t end;  /* how far this round reads */
    bool peeked;
    struct perf_record next; /* the record at tail, if peeked */
    uint32_t next_size;
    uint8_t *copy; /* a record that goes around the end; LIMIT_PERF_RECORD bytes */
};

struct perf_rings {
    struct perf_ring *rings;
    uint32_t count;
    int *fds; /* all events */
    uint32_t fd_count, fd_cap;
    uint32_t ring_bytes; /* of data, a power of two */
    uint32_t stack_bytes;
    uint64_t period_ns;
    bool kernel; /* kernel time is sampled, with its frames */
    struct perf_format format;
    uint64_t malformed;
};

struct perf_options {
    uint32_t hz;
    bool kernel;  /* wanted */
    bool on_exec; /* begin when the thread calls execve, not at once */
    bool go;      /* a Go program: small stacks, frame pointers */
};

/* Finds out what this user may have, by an event on the thread `tid`, and makes the rings, which
 * have it; that thread is opened. -EACCES, -EPERM, -ESRCH, -ENOSYS, each with a sentence that says
 * what would allow it. Nothing is left open then. */
int perf_open(struct perf_rings *p, pid_t tid, const struct perf_options *o, struct err *e);
/* Opens another thread into the same rings. -ESRCH: it is gone. */
int perf_open_thread(struct perf_rings *p, pid_t tid, const struct perf_options *o, struct err *e);
/* Closes what the last successful perf_open_thread opened. */
void perf_close_last(struct perf_rings *p);
void perf_close(struct perf_rings *p);

/* Waits at most `ms` for records; `more` (or -1) is a descriptor that ends the wait as well. */
void perf_wait(struct perf_rings *p, int ms, const int *more, uint32_t more_count);
/* Ends sampling; what was written can still be read. */
void perf_disable(struct perf_rings *p);
/* Gives the descriptors back, after perf_disable and the last perf_count; the rings stay. */
void perf_release(struct perf_rings *p);
/* CPU time of all threads while they were open, as the kernel counted it, in nanoseconds. */
uint64_t perf_count(const struct perf_rings *p);

/* Begins a round: records up to `until_ns` (CLOCK_MONOTONIC; UINT64_MAX: all) will be returned by
 * perf_next in the order of time. The record is valid until the next call. */
void perf_begin(struct perf_rings *p);
const struct perf_record *perf_next(struct perf_rings *p, uint64_t until_ns, uint32_t *ring);

#endif
