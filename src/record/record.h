/* SPDX-License-Identifier: MIT
 *
 * Recording: a program is run under libstrobe, its samples are drained from shared memory while it
 * runs, and everything is made one symbolized profile when it has ended, however it ended.
 *
 * Programs that no library can be loaded into (static), or should not be (Go, which unwinds by a
 * table of its own), and processes that run already are sampled from outside (outside.h), through
 * the same functions.
 *
 *     struct recorder r;
 *     record_open(&r, &options, &e);      finds the program and the library, makes the output file
 *     record_start(&r, &e);               the program runs
 *     while (record_wait(&r, 100)) …      drains; progress is in r.progress
 *     record_finish(&r, &profile, &e);    the profile, symbolized; r.result is filled
 *     record_close(&r);
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include "base/door.h"
#include "base/err.h"
#include "base/shm.h"
#include "profile/profile.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct record_options {
    char *const *argv; /* the program and its arguments, NULL at the end; borrowed */
    const pid_t *pids; /* instead of a program: these processes, which run already; borrowed */
    uint32_t pid_count;
    uint32_t pids_asked; /* so many of them must be there; the others are their descendants */
    double seconds; /* how long those are sampled; 0: until they end, or SIGINT, SIGTERM, SIGHUP */
    bool no_kernel; /* from outside: no kernel frames even where they are allowed */
    uint32_t kinds; /* enum shm_kind; 0: SHM_KIND_CPU */
    uint64_t heap_rate;      /* bytes allocated to a sample; 1: every allocation */
    uint64_t block_rate;     /* ns of waiting to a sample; 1: every wait */
    uint32_t mutex_fraction; /* contentions to a sample; 1: every contention */
    uint32_t block_what;     /* enum waittab_what */
    int hz;
    enum shm_backend backend;
    uint64_t seed;          /* 0: random */
    uint32_t max_cost_ppm;  /* of CPU time that sampling may cost; 0: no limit */
    const char *debug_dirs; /* symbol_options's; NULL: $STROBE_DEBUG_DIR */
    void (*fetching)(void *ctx, const char *name, uint64_t done, uint64_t total); /* its progress */
    void *fetching_ctx;
};

/* What is known while the program runs. */
struct record_progress {
    uint64_t elapsed_ns;
    uint64_t samples; /* sampling points */
    uint64_t lost;
};

struct record_result {
    int wait_status;
    struct rusage usage; /* of the program and its descendants that were waited for */
    uint64_t elapsed_ns;
    uint64_t points;     /* sum of weights in the profile */
    uint64_t interrupts; /* samples, however heavy */
    uint64_t lost_points, truncated_points, depth_points;
    uint64_t threads_lost;
    uint64_t cost_ns;               /* of sampling, in the sampled threads */
    uint32_t slowed, stride;        /* images whose rate was lowered, and to which part at most */
    uint32_t sandboxed;             /* images that forbade to be sampled on */
    uint64_t wall_ns, wall_lost_ns; /* in the profile of wall time, and not in it */
    uint32_t wall_stride;           /* periods between two looks at a thread, where most */
    uint32_t wall_blind; /* images whose threads were not looked at, or not seen where they are */
    uint32_t processes;  /* images with samples */
    uint32_t followed;   /* processes without the library that were sampled from outside */
    uint32_t unrecorded; /* processes the library was not loaded into, nor sampled so */
    uint64_t unrecorded_ns;     /* CPU time of those, and of what else is in no sample */
    char why_not_followed[512]; /* a sentence, or empty */
    uint32_t still_running;
    char why_not_fetched[512]; /* why a debug file could not be had from a server, or empty */
    uint64_t unnamed;          /* locations without a function, or with a made-up name only */
};

struct recorder {
    struct record_options options;
    struct outside *outside; /* not NULL: it is sampled from outside, and shm is NULL */
    const char *method;      /* how, for people */
    const char *why_outside; /* "statically linked", "a Go program" …; NULL: it is not */
    bool is_go, exclude_kernel;
    struct shm *shm;
    int shm_fd;
    struct door door; /* how programs get at it where /proc does not help */
    int door_fd;
    char library[4096]; /* libstrobe.so */
    char program[4096]; /* what is executed, or the first process's executable */
    pid_t pid;
    int pidfd;
    bool ended;
    uint64_t start_mono_ns;
    uint64_t expect_until_ns; /* programs to be sampled from outside may begin: look often */
    uint64_t root_ns;         /* CPU time of the program alone, to its end; 0: not known */
    int64_t start_time_ns;
    int64_t period_ns;
    struct record_progress progress;
    struct record_result result;
    struct drain *drain;
};

/* 0, or a negative errno with a sentence. -ENOENT: no such program (127); -EACCES: it cannot be
 * executed (126); anything else is a failure of ours. Nothing has been started. */
int record_open(struct recorder *r, const struct record_options *o, struct err *e);
/* Starts the program with the recorder's own standard streams and signal dispositions. From here on
 * SIGINT and SIGQUIT are the program's, and SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed on. */
int record_start(struct recorder *r, struct err *e);
/* Waits at most `ms`, drains, and returns true while the program runs. */
bool record_wait(struct recorder *r, int ms);
/* Builds and symbolizes the CPU profile into the uninitialised `p`. */
int record_finish(struct recorder *r, struct profile *p, struct err *e);
/* The same for the heap. `peak`: in use is what was so at each process's peak; `allocs`: the
 * profile's default sample type is alloc_space. */
struct record_heap {
    bool peak, allocs;
};
/* What the heap profile adds up to; memory as in struct drain_memory. */
struct record_heap_result {
    uint64_t alloc_objects, alloc_bytes, inuse_objects, inuse_bytes, temporary_objects;
    uint64_t peak_bytes, lost, truncated;
    uint32_t processes; /* that could say what was resident at their end */
    uint64_t rss_bytes, live_bytes, held_bytes, own_bytes;
};
int record_finish_heap(struct recorder *r, const struct record_heap *how, struct profile *p,
                       struct record_heap_result *result, struct err *e);
/* What a profile of waits adds up to. */
struct record_wait_result {
    uint64_t contentions, delay_ns, samples, lost, truncated;
};
/* The same for waits: block profiles, or mutex profiles. */
int record_finish_waits(struct recorder *r, enum waittab_profile which, struct profile *p,
                        struct record_wait_result *result, struct err *e);
/* The same for wall time, of which CPU time is a part. */
int record_finish_wall(struct recorder *r, struct profile *p, struct err *e);
/* The same for what is counted: SHM_KIND_THREADS (where threads were when their processes ended) or
 * SHM_KIND_THREADCREATE. */
int record_finish_counts(struct recorder *r, enum shm_kind kind, struct profile *p, struct err *e);
void record_close(struct recorder *r);

#endif
