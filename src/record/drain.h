/* SPDX-License-Identifier: MIT
 *
 * The reading side of the shared segment: from records to counted stacks by process. Everything
 * read is checked, because the recorded program can write to the segment: a malformed record ends
 * the reading of its chunk and is counted. */
#ifndef RECORD_DRAIN_H
#define RECORD_DRAIN_H

#include "base/arena.h"
#include "base/heaptab.h"
#include "base/labeltab.h"
#include "base/map.h"
#include "base/shm.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DRAIN_NONE UINT32_MAX

struct drain_module {
    uint64_t start, limit, offset;
    uint32_t epoch;
    uint32_t path_len, build_id_len;
    const char *path;
    const uint8_t *build_id;
};

struct drain_stack {
    uint64_t weight;
    uint64_t hash;
    const uint64_t *pcs;
    uint32_t depth, flags, reason, epoch;
    uint32_t labels;   /* the number of a set: drain_find_labels */
    uint32_t kind;     /* enum shm_kind; 0: CPU time */
    bool other_thread; /* not the process's first thread */
};

/* A set of labels (base/labeltab.h). */
struct drain_labels {
    uint32_t image, number; /* index of the image, and its number there */
    uint32_t size;
    const char *text;
};

/* One executable image in one process. */
struct drain_image {
    uint32_t slot, image; /* its key in the records */
    uint32_t pid, parent; /* index of the image it was forked from, or DRAIN_NONE */
    uint32_t parent_slot, parent_image;
    uint32_t epoch; /* at its beginning: what it has of its parent's modules is not younger */
    bool announced;
    const char *exe;
    uint32_t exe_len;
    struct drain_module *modules;
    uint32_t module_count, module_cap;
    struct drain_stack *stacks;
    uint32_t stack_count, stack_cap;
    struct map stack_map;
};

/* A stack and size that an image allocated. */
struct drain_site {
    uint32_t image; /* index */
    uint32_t epoch, depth, flags, reason, labels;
    const uint64_t *pcs;
    struct heaptab_values now, peak; /* at the end; with what was in use at the process's peak */
};

/* A stack of a profile of waits. */
struct drain_wait {
    enum waittab_profile which;
    uint32_t image; /* index */
    uint32_t epoch, depth, flags, reason, labels;
    const uint64_t *pcs;
    uint64_t contentions, delay_ns, samples; /* contentions in HEAPTAB_ONEth */
};

/* Memory at the ends of the processes, added; those that were killed could not say. */
struct drain_memory {
    uint32_t processes;
    uint64_t rss_bytes, live_bytes, held_bytes, own_bytes;
    uint64_t peak_bytes; /* the largest of any process, as sampled */
};

struct drain {
    struct shm *shm;
    int segment_fd; /* of the segment's file, where heaps are recorded, or -1; borrowed */
    struct arena arena;
    struct drain_site *heap_sites;
    uint32_t heap_count, heap_cap;
    uint64_t heap_lost, heap_truncated;
    struct drain_memory memory;
    struct drain_wait *waits;
    uint32_t wait_count, wait_cap;
    uint64_t waits_lost, waits_truncated;
    struct drain_image *images;
    uint32_t image_count, image_cap;
    struct map image_map;
    struct drain_labels *labels;
    uint32_t label_count, label_cap;
    struct map label_map;
    uint64_t labels_lost; /* sets that were not kept, there or here */
    uint64_t counts_lost; /* samples of other kinds than CPU time */

    uint64_t samples, points, malformed;
    uint32_t stack_count; /* of all images */
    uint64_t truncated_points, depth_points, reasons[16];
    /* of slots that were given back */
    uint64_t lost_points, threads_lost, cpu_ended_ns, points_killed, cost_ns;
    uint32_t ended;         /* processes that came to their exit hooks */
    uint32_t root_pid;      /* of the program, whose own part of those sums is root_known_ns */
    uint64_t root_known_ns; /* 0: it was never recorded */
    uint32_t slowed, stride, sandboxed;
    uint64_t wall_lost_ns;
    uint32_t wall_stride, wall_blind;
    uint32_t unrecorded;
    struct drain_slot *slots;  /* SHM_PROCESSES */
    uint32_t *consumed;        /* SHM_CHUNKS: bytes of each that were read */
    struct shm_record *record; /* the one being read; room for any */
};

void drain_init(struct drain *d, struct shm *s);
void drain_free(struct drain *d);
/* Reads all that is committed, and recycles what is full. */
void drain_read(struct drain *d);
/* Gives back the slots of processes that have ended, and what they held. Call after drain_read. */
void drain_reap(struct drain *d);
/* The last look: every slot counts as ended. Returns how many processes were still running. */
uint32_t drain_end(struct drain *d);
/* The same, made where there is none; DRAIN_NONE: there are too many. */
uint32_t drain_image_of(struct drain *d, uint32_t slot, uint32_t image);
/* Takes the heap profile of the process that had this slot, and empties its region. */
void drain_heap(struct drain *d, uint32_t slot);
/* Maps a slot's region of the segment, calls `read` if there is a log in it, and gives its memory
 * back. What cannot be mapped is left as it is. */
struct drain_region {
    uint64_t at, bytes;
};
void drain_log(struct drain *d, uint32_t slot, const struct drain_region *where,
               void (*read)(struct drain *d, uint32_t slot, const struct heaptab *t));
/* The same for its profiles of waits. */
void drain_waits(struct drain *d, uint32_t slot);
/* The image's index, or DRAIN_NONE. */
uint32_t drain_find_image(const struct drain *d, uint32_t slot, uint32_t image);
/* The set that has this number in an image, or in one that it was forked from, as far as parents
 * are known; NULL: none. */
const struct drain_labels *drain_find_labels(const struct drain *d, uint32_t image,
                                             uint32_t number);

/* The next slot from `from` on whose process executes a program that has not come to life in it,
 * and is not settled; DRAIN_NONE: there is none. */
uint32_t drain_executing(struct drain *d, uint32_t from, uint32_t *pid);
/* That slot's process is not waited for any more; `followed`: it is sampled another way, and so is
 * not one that could not be recorded. */
void drain_settle(struct drain *d, uint32_t slot, bool followed);
/* Whether the library speaks for this process. */
bool drain_is_recorded(const struct drain *d, uint32_t pid);

/* ---- for samples that come another way (outside.c): no segment, images one by one ---- */

/* An empty drain without segment. */
void drain_init_bare(struct drain *d);
/* A new image of process `pid`; its index, or DRAIN_NONE: there are too many. `exe` is borrowed. */
uint32_t drain_new_image(struct drain *d, uint32_t pid, const char *exe);
void drain_add_module(struct drain *d, uint32_t image, const struct drain_module *m);
/* Adds weight to a stack of an image; its index there, or DRAIN_NONE: it is lost, and counted.
 * `stack->pcs` is copied if it is new. */
uint32_t drain_add_stack(struct drain *d, uint32_t image, const struct drain_stack *stack);

/* Points lost so far, in slots given back and in use. */
uint64_t drain_lost(const struct drain *d);

#endif
