/* SPDX-License-Identifier: MIT
 *
 * The address spaces of sampled processes, kept up with the kernel's records (MMAP2, COMM, FORK,
 * EXIT), and for one that ran before with /proc/PID/maps: what code is where, from which file, and
 * an unwinder that knows it. */
#ifndef RECORD_PERF_SPACE_H
#define RECORD_PERF_SPACE_H

#include "record/drain.h"
#include "record/perf_image.h"
#include "record/perf_record.h"
#include "unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>

/* Executable memory. */
struct perf_mapping {
    uint64_t start, end, offset;
    uint64_t bias;            /* address minus the file's virtual address */
    struct perf_image *image; /* NULL: no file (JIT) */
    bool placed;              /* bias holds */
    bool is_program;          /* of the file that was executed */
    bool told;                /* the drain knows it */
};

struct perf_process {
    struct perf_spaces *owner;
    uint32_t pid;
    const char *exe; /* "" if not known */
    struct perf_mapping *maps;
    uint32_t map_count, map_cap;
    uint32_t epoch; /* raised when an address range is used again */
    uint32_t image; /* in the drain; DRAIN_NONE: no sample yet */
    uint32_t threads;
    bool executed; /* the next mapping is the program's */
    /* Made when the first sample comes, and again when a mapping has changed. */
    struct unwind_cache *cache;
    struct unwind_module *modules;
    struct unwind_modules table;
    bool stale, reused;
};

struct perf_spaces {
    struct arena *arena;
    struct drain *drain;
    struct perf_images images;
    struct perf_process **list; /* ended ones stay, without cache */
    uint32_t count, cap;
    struct map by_pid;
};

void perf_spaces_init(struct perf_spaces *s, struct drain *d);
void perf_spaces_free(struct perf_spaces *s);

/* The process `pid`; NULL: not known. */
struct perf_process *perf_space_find(struct perf_spaces *s, uint32_t pid);
/* A process that is about to execute a program: nothing is known of it. */
struct perf_process *perf_space_add(struct perf_spaces *s, uint32_t pid);
/* A process that runs: as /proc has it. Never NULL; empty if it is gone. */
struct perf_process *perf_space_read(struct perf_spaces *s, uint32_t pid);
/* Follows a MMAP2, COMM, FORK or EXIT record. */
void perf_space_follow(struct perf_spaces *s, const struct perf_record *r);

/* The mapping of an address, or NULL. */
const struct perf_mapping *perf_space_at(const struct perf_process *p, uint64_t pc);
/* The process's unwinder, up to date. NULL: no memory. */
struct unwind_cache *perf_space_unwinder(struct perf_process *p);
/* Its index in the drain, which knows its mappings then; DRAIN_NONE: there are too many. */
uint32_t perf_space_image(struct perf_process *p);

#endif
