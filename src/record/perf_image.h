/* SPDX-License-Identifier: MIT
 *
 * The files that sampled programs consist of, each opened once, while it can be: a descriptor that
 * keeps a deleted or replaced file's bytes, its segments mapped here as the loader maps them, so
 * that the unwinder reads our copy instead of the program's memory, and Go's function table. */
#ifndef RECORD_PERF_IMAGE_H
#define RECORD_PERF_IMAGE_H

#include "base/arena.h"
#include "base/map.h"
#include "symbol/pclntab.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PERF_ROOTS 16

struct perf_image {
    const char *path; /* as the program sees it, without " (deleted)" */
    uint64_t device, inode;
    int fd;        /* -1: it could not be opened, and nothing below is set */
    char name[32]; /* "/proc/self/fd/N" */
    struct elf_file elf;
    bool is_elf, has_go, is_interpreter;
    struct pclntab go;
    uint64_t go_low, go_high; /* code in its table; virtual addresses */
    uint64_t go_closure;      /* the one that was asked for last, and the function it is in */
    struct pclntab_func go_parent;
    bool go_parent_found;
    /* Our copy: virtual addresses [low, high) are at `copy`; NULL: there is none. */
    uint8_t *copy;
    size_t copy_bytes;
    uint64_t low, high, entry;
    const void *eh_frame_hdr; /* in the copy, or NULL */
    size_t made_bytes;        /* not 0: it was made, behind the copy */
    struct {
        uint64_t start, end;
    } roots[PERF_ROOTS]; /* see perf_roots.c */
    uint32_t root_count;
};

struct perf_images {
    struct arena *arena;
    struct perf_image **list;
    uint32_t count, cap;
    struct map by_file;
};

void perf_images_init(struct perf_images *s, struct arena *arena);
void perf_images_free(struct perf_images *s);

/* What identifies a mapping, and where its file may be found. */
struct perf_image_key {
    const char *path;
    uint64_t device, inode; /* of the mapping; 0: unknown */
    uint64_t start, end;    /* of the mapping, for /proc/PID/map_files */
    pid_t pid;
};

/* The image of a mapping; the same for the same file. Never NULL. */
struct perf_image *perf_image_get(struct perf_images *s, const struct perf_image_key *key);

/* The load bias of an image of which the byte `offset` is mapped at `start`: address minus virtual
 * address. False: no segment has that byte. */
bool perf_image_bias(const struct perf_image *m, uint64_t start, uint64_t offset, uint64_t *bias);

/* Finds the functions that stand at the root of stacks and have no call frame information, of
 * programs that bring their own libc and of musl's. */
void perf_roots_find(struct perf_image *m);
bool perf_roots_have(const struct perf_image *m, uint64_t vaddr);

/* symbol_options.open_as for the images' files; ctx: struct perf_images. */
const char *perf_image_open_as(void *ctx, const char *file, const char *build_id);

#endif
