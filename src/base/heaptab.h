/* SPDX-License-Identifier: MIT
 *
 * Where allocations are counted: a log of sites in one piece of memory, private to a process or,
 * when `strobe record` runs it, a region of the recorder's segment, which survives the process.
 *
 * A site is one stack with one size of object and one rate. Sites are appended and never removed;
 * their counters only grow, so that a reader may look at any time, also after the process was
 * killed. How a site is found again is the writer's business (runtime/sites.c); readers walk the
 * log.
 *
 *   site k+1 begins where site k ends;  sites end at `used`;  used <= room <= size
 *   live objects = allocated - freed, for each of the pairs below
 *
 * Counts come twice. `raw` are samples as taken. The others are what they stand for: an object of n
 * bytes is sampled with probability q = 1 - exp(-(n+1)/rate), and weighs 1/q (Go's and pprof's
 * "heap_v2" with the mean size of a site; here each object by its own size). An object's weight is
 * the same when it is freed, so that what was freed in full counts exactly zero. At rate 1 only
 * `raw` is counted. Where the rate changes while the program runs, an object weighs by the rate at
 * which it was sampled. */
#ifndef BASE_HEAPTAB_H
#define BASE_HEAPTAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAPTAB_MAGIC 0x3362617470616568ull /* "heaptab3" */
#define HEAPTAB_BYTES (64ull << 20)         /* of one process; touched as it is used */
#define HEAPTAB_GROW  (64u << 10)           /* shared memory is allocated in steps of this */
#define HEAPTAB_ONE   65536                 /* objects are counted in parts of 1/65536 */

enum heaptab_counter {
    HEAPTAB_ALLOC_OBJECTS, /* in HEAPTAB_ONEth */
    HEAPTAB_ALLOC_BYTES,
    HEAPTAB_FREE_OBJECTS,
    HEAPTAB_FREE_BYTES,
    HEAPTAB_RAW_ALLOCS,
    HEAPTAB_RAW_ALLOC_BYTES,
    HEAPTAB_RAW_FREES,
    HEAPTAB_RAW_FREE_BYTES,
    HEAPTAB_TEMPORARY,      /* of FREE_OBJECTS: freed before its thread allocated anything else */
    HEAPTAB_RAW_ALLOC_BORN, /* seconds since the start at which they were allocated, */
    HEAPTAB_RAW_FREE_BORN,  /* and those that were freed: what lives has the difference */
    HEAPTAB_COUNTERS
};

struct heaptab_site {
    _Atomic uint32_t ready; /* 1 once everything below was written (release) */
    uint32_t bytes;         /* of the site, a multiple of 8 */
    uint32_t image, epoch;  /* as in struct shm_record */
    uint16_t depth, flags;  /* enum shm_sample_flags */
    uint32_t reason;
    uint32_t labels, pad; /* as in struct shm_sample */
    uint64_t hash, size;  /* size of its objects; where there are too many: at most this */
    uint64_t rate;        /* bytes between two sampling points on average; 1: every allocation */
    _Atomic uint64_t n[HEAPTAB_COUNTERS];
    /* What was live at the peak `peak_id`, if that is not older than the site's last change: */
    _Atomic uint64_t peak_id, peak_objects, peak_bytes;
    uint64_t pcs[]; /* leaf first */
};

struct heaptab {
    uint64_t magic;
    _Atomic uint64_t used, room;
    _Atomic uint64_t size;
    _Atomic uint64_t live_bytes, peak_bytes; /* weighted */
    _Atomic uint64_t peak_id;                /* counts peaks; 0: none yet */
    _Atomic uint64_t lost;                   /* samples that were not kept */
    _Atomic uint64_t truncated;
    _Atomic uint64_t clock_s; /* since the start, at the last sampled allocation or the end */
    uint64_t pad[6];
    unsigned char data[];
};

/* What one site stands for. */
struct heaptab_values {
    uint64_t alloc_objects, alloc_bytes, inuse_objects, inuse_bytes;
    uint64_t raw_allocs, raw_alloc_bytes, raw_inuse, raw_inuse_bytes;
    uint64_t temporary;
    uint64_t age_s; /* of what is live, on average */
};

/* Prepares zeroed memory of `size` bytes, of which `room` may be written. */
void heaptab_init(struct heaptab *t, uint64_t size, uint64_t room);
/* Its memory is of `size` bytes now, more than before, and all may be written. */
void heaptab_widen(struct heaptab *t, uint64_t size);
/* Room for a site of `depth` frames, zeroed but for `bytes` and `depth`, or NULL: the log is full.
 * Callers take turns (a lock), and set `ready` when the site is filled. */
struct heaptab_site *heaptab_append(struct heaptab *t, uint32_t depth);
/* The site after `s`, or the first for NULL; NULL at the end. Sites that are not ready are left
 * out. Bounds are checked, because the program may have scribbled over a shared log of `mapped`
 * bytes. */
const struct heaptab_site *heaptab_next(const struct heaptab *t, uint64_t mapped,
                                        const struct heaptab_site *s);
/* What is live of a site: objects in HEAPTAB_ONEth, and bytes. */
void heaptab_live(const struct heaptab_site *s, uint64_t *objects, uint64_t *bytes);
/* A site's values now, or, `at_peak`, with what was live at the peak. */
void heaptab_read(const struct heaptab *t, const struct heaptab_site *s, bool at_peak,
                  struct heaptab_values *v);

#endif
